//! What a daily agent remembers: `Daily/.<name>/state.json`, in the predecessor's form
//! (contract-extended §4.2). Fields of others are kept, and a file that cannot be read is left
//! as it is.

use super::super::{FileError, Folder, Name};
use super::output::DAILY;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use wire::Timestamp;
use wire::daily::AgentRuns;

const FILE: &str = "state.json";

/// Why it is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{0} holds no state: {1}")]
    Shape(PathBuf, String),
}

/// The file as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State(Map<String, Value>);

impl State {
    /// Reads it. One that is not there is empty.
    pub(crate) fn read(vault: &Folder, agent: &Name) -> Result<State, StateError> {
        let path = folder(agent).join(FILE);
        let text = vault.read_unlinked(&path)?.unwrap_or_default();
        if text.trim().is_empty() {
            return Ok(State::default());
        }
        let map = serde_json::from_str(&text);
        map.map(State).map_err(|error| StateError::Shape(path, error.to_string()))
    }

    /// The session of its conversation.
    pub(crate) fn session(&self) -> Option<&str> {
        self.text("sdk_session_id")
    }

    /// What became of its runs.
    pub(crate) fn runs(&self) -> AgentRuns {
        AgentRuns {
            last_run_at: self.text("last_run_at").map(str::to_owned),
            last_processed_date: self.text("last_processed_date").map(str::to_owned),
            run_count: self.0.get("run_count").and_then(Value::as_i64).unwrap_or(0),
        }
    }

    /// Notes a run that came to its end.
    pub(crate) fn ran(&mut self, session: &str, model: Option<&str>, date: &str) {
        let count = self.runs().run_count.saturating_add(1);
        self.set("sdk_session_id", session.into());
        self.set("model", model.map_or(Value::Null, Value::from));
        self.set("last_run_at", Timestamp::now().to_stored().into());
        self.set("last_processed_date", date.into());
        self.set("run_count", count.into());
    }

    /// Notes the session of a conversation that begins.
    pub(crate) fn begin(&mut self, session: &str) {
        self.set("sdk_session_id", session.into());
    }

    /// Forgets the conversation, and nothing else.
    pub(crate) fn forget(&mut self) {
        self.set("sdk_session_id", Value::Null);
    }

    /// Writes it.
    pub(crate) fn write(mut self, vault: &Folder, agent: &Name) -> Result<(), FileError> {
        let at = Timestamp::now().to_stored();
        for (name, usual) in [
            ("agent", json!(agent.as_str())),
            ("backend", json!("claude-sdk")),
            ("sdk_session_id", Value::Null),
            ("model", Value::Null),
            ("last_run_at", Value::Null),
            ("last_processed_date", Value::Null),
            ("run_count", json!(0)),
            ("created_at", json!(at)),
        ] {
            self.0.entry(name).or_insert(usual);
        }
        let text = serde_json::to_string_pretty(&self.0).expect("a map is always JSON");
        vault.folder_made_unlinked(&folder(agent))?.replace(Path::new(FILE), text.as_bytes())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }
}

fn folder(agent: &Name) -> PathBuf {
    Path::new(DAILY).join(format!(".{agent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_remembers_is_not_put_where_a_link_leads() {
        let dir = tempfile::tempdir().expect("a folder");
        let vault = Folder::open(dir.path()).expect("read").expect("a vault");
        let agent = Name::parse("poet").expect("a name");
        std::fs::create_dir_all(dir.path().join("Daily")).expect("made");
        std::fs::create_dir(dir.path().join("Chat")).expect("made");
        std::os::unix::fs::symlink("../Chat", dir.path().join("Daily/.poet")).expect("linked");
        assert!(matches!(State::default().write(&vault, &agent), Err(FileError::Link(_))));
        assert!(!dir.path().join("Chat/state.json").exists());
        std::fs::write(dir.path().join("Chat/state.json"), "{\"run_count\": 7}").expect("written");
        assert_eq!(State::read(&vault, &agent).expect("none").runs().run_count, 0);
    }
}
