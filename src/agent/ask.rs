//! What waits for a person: permission requests and questions, each with its time limit, and
//! the patterns that were granted, which the session's folder keeps for the next agent.

use crate::claude::control;
use crate::limits::{ASKS_MAX, PERMISSION_SECONDS_MAX, QUESTION_SECONDS_MAX};
use crate::policy;
use serde_json::{Map, Value};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;
use wire::Timestamp;
use wire::chat::Pending;

/// One open request of the CLI.
pub(crate) struct Ask {
    /// Our id, as the wire has it.
    pub(crate) id: String,
    /// The CLI's id.
    pub(crate) request: String,
    pub(crate) tool: String,
    pub(crate) input: Map<String, Value>,
    pub(crate) subject: Option<String>,
    pub(crate) question: bool,
    pub(crate) since: Timestamp,
    pub(crate) until: Instant,
}

pub(crate) struct Asks {
    open: Vec<Ask>,
    granted: Vec<String>,
    /// Where what was granted is kept.
    file: PathBuf,
}

impl Asks {
    /// Of the session with this folder.
    pub(crate) fn of(dir: &Path) -> Asks {
        let file = dir.join("granted.json");
        let granted = match std::fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let granted = granted.unwrap_or_else(|error| {
            tracing::warn!(%error, "what was granted cannot be read, and is asked for again");
            Vec::new()
        });
        Asks { open: Vec::new(), granted, file }
    }

    /// Opens a request. None: too many are open.
    pub(crate) fn open(
        &mut self,
        id: String,
        request: String,
        tool: String,
        input: Map<String, Value>,
        question: bool,
    ) -> Option<&Ask> {
        if self.open.len() >= ASKS_MAX {
            return None;
        }
        let seconds = if question { QUESTION_SECONDS_MAX } else { PERMISSION_SECONDS_MAX };
        let subject = policy::subject(&input);
        let until = Instant::now() + Duration::from_secs(seconds);
        let since = Timestamp::now();
        self.open.push(Ask { id, request, tool, input, subject, question, since, until });
        self.open.last()
    }

    /// Takes one out by our id.
    pub(crate) fn take(&mut self, id: &str, question: bool) -> Option<Ask> {
        let at = self.open.iter().position(|a| a.id == id && a.question == question)?;
        Some(self.open.remove(at))
    }

    /// Takes one out by the CLI's id.
    pub(crate) fn withdrawn(&mut self, request: &str) {
        self.open.retain(|a| a.request != request);
    }

    /// Takes out one whose time is over.
    pub(crate) fn overdue(&mut self) -> Option<Ask> {
        let now = Instant::now();
        let at = self.open.iter().position(|a| a.until <= now)?;
        Some(self.open.remove(at))
    }

    /// When the next one's time is over.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.open.iter().map(|a| a.until).min()
    }

    /// The turn is over; the CLI no longer waits.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// What waits for a permission, oldest first.
    pub(crate) fn pending(&self) -> Vec<Pending> {
        let waiting = self.open.iter().filter(|a| !a.question);
        let shown = waiting.map(|a| Pending {
            id: a.id.clone(),
            tool_name: a.tool.clone(),
            file_path: a.subject.clone(),
            timestamp: a.since,
        });
        shown.collect()
    }

    /// Grants what matches from now on.
    pub(crate) fn grant(&mut self, pattern: String) {
        if !self.granted.contains(&pattern) && self.granted.len() < ASKS_MAX {
            self.granted.push(pattern);
            let text = serde_json::to_vec(&self.granted).expect("a list is always JSON");
            if let Err(error) = host::child::write_private(&self.file, &text) {
                tracing::warn!(%error, "what was granted is forgotten with this agent");
            }
        }
    }

    pub(crate) fn is_granted(&self, tool: &str, subject: Option<&str>) -> bool {
        self.granted.iter().any(|p| policy::covers(p, tool, subject))
    }
}

/// A question's tool call with the user's answers in it. Lists of labels are joined as the CLI
/// writes them; without answers the model is told that there were none.
pub(crate) fn answered(ask: &Ask, answers: &Map<String, Value>) -> Vec<u8> {
    let mut input = ask.input.clone();
    let plain = answers.iter().map(|(question, answer)| {
        let text = match answer {
            Value::String(text) => text.clone(),
            Value::Array(labels) => {
                let labels: Vec<&str> = labels.iter().filter_map(Value::as_str).collect();
                labels.join(", ")
            }
            other => other.to_string(),
        };
        (question.clone(), Value::String(text))
    });
    let plain: Map<String, Value> = plain.collect();
    if !plain.is_empty() {
        input.insert("answers".into(), plain.into());
    }
    control::allow(&ask.request, &input)
}
