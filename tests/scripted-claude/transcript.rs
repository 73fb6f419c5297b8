//! The session's file under the config folder: where the real CLI keeps it and with the fields
//! that a reader of it needs. Leaves out attachments, snapshots and request shapes.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::VERSION;
use crate::shape::now;

/// A session and its file, which appears with the first line.
#[derive(Debug)]
pub(crate) struct Transcript {
    pub session: String,
    pub path: PathBuf,
    /// Running total of the session, which a resumed one goes on from.
    pub cost: f64,
    leaf: Option<String>,
    file: Option<File>,
}

impl Transcript {
    /// A new session of this working directory.
    pub(crate) fn new(config: &Path, cwd: &Path, session: &str) -> Self {
        let folder = config.join("projects").join(encode(&cwd.to_string_lossy()));
        let path = folder.join(format!("{session}.jsonl"));
        Self { session: session.to_owned(), path, cost: 0.0, leaf: None, file: None }
    }

    /// The file of a session, in whichever project it lies.
    pub(crate) fn find(config: &Path, session: &str) -> Option<PathBuf> {
        let projects = std::fs::read_dir(config.join("projects")).ok()?;
        let path = |entry: std::io::Result<std::fs::DirEntry>| {
            Some(entry.ok()?.path().join(format!("{session}.jsonl")))
        };
        projects.filter_map(path).find(|path| path.is_file())
    }

    /// An old session, to go on with.
    pub(crate) fn open(path: PathBuf, session: &str) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(&path)?;
        let mut transcript =
            Self { session: session.to_owned(), path, cost: 0.0, leaf: None, file: None };
        for line in text.lines() {
            let Ok(line) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            match line["type"].as_str() {
                Some("last-prompt") => {
                    transcript.leaf = line["leafUuid"].as_str().map(str::to_owned);
                }
                Some("cost-state") => {
                    transcript.cost = line["totalCostUSD"].as_f64().unwrap_or_default();
                }
                _ => {}
            }
        }
        Ok(transcript)
    }

    /// Appends a `user` or `assistant` line; `more` are fields beside the usual ones.
    pub(crate) fn say(&mut self, kind: &str, uuid: &str, cwd: &Path, message: &Value, more: Value) {
        let mut line = json!({
            "parentUuid": self.leaf.take(),
            "isSidechain": false,
            "type": kind,
            "message": message,
            "uuid": uuid,
            "timestamp": now(),
            "userType": "external",
            "entrypoint": "sdk-cli",
            "cwd": cwd,
            "sessionId": self.session,
            "version": VERSION,
            "gitBranch": "HEAD",
        });
        if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
            line.extend(more);
        }
        self.leaf = Some(uuid.to_owned());
        self.append(&line);
    }

    /// Appends what the end of a turn leaves: the leaf and the running total.
    pub(crate) fn settle(&mut self, prompt: &str) {
        let prompt: String = prompt.chars().take(200).collect();
        let leaf = json!({
            "type": "last-prompt", "lastPrompt": prompt,
            "leafUuid": self.leaf, "sessionId": self.session,
        });
        self.append(&leaf);
        let cost = json!({
            "type": "cost-state", "sessionId": self.session, "totalCostUSD": self.cost,
        });
        self.append(&cost);
    }

    fn append(&mut self, line: &Value) {
        let written = self.opened().and_then(|file| writeln!(file, "{line}"));
        if let Err(error) = written {
            // The real CLI goes on without a transcript too.
            eprintln!("scripted-claude: cannot write {}: {error}", self.path.display());
        }
    }

    fn opened(&mut self) -> std::io::Result<&mut File> {
        if self.file.is_none() {
            if let Some(folder) = self.path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            self.file = Some(File::options().create(true).append(true).open(&self.path)?);
        }
        Ok(self.file.as_mut().expect("opened above"))
    }
}

/// The project folder's name: every UTF-16 unit that is no ASCII letter or digit is a dash, and
/// what is over 200 of them is cut and marked with a hash.
fn encode(cwd: &str) -> String {
    let plain = |unit: u16| match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii_alphanumeric() => char::from(byte),
        _ => '-',
    };
    let name: String = cwd.encode_utf16().map(plain).collect();
    if name.len() <= 200 {
        return name;
    }
    let hash = cwd
        .encode_utf16()
        .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    format!("{}-{}", &name[..200], base36(hash.unsigned_abs()))
}

fn base36(mut number: u32) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit(number % 36, 36).expect("below 36"));
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_as_the_real_cli_names_them() {
        assert_eq!(encode("/tmp/My Dir_ü.x"), "-tmp-My-Dir---x");
        let long = encode(&format!("/{}", "a".repeat(300)));
        assert_eq!(long.find("a-"), Some(199));
        assert!(long.len() > 201 && long.len() < 210, "{long}");
    }

    #[test]
    fn a_session_goes_on_where_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Transcript::new(folder.path(), Path::new("/x"), "s");
        assert!(Transcript::find(folder.path(), "s").is_none());
        first.say("user", "u1", Path::new("/x"), &json!({"role": "user"}), json!({"k": 1}));
        first.cost = 0.5;
        first.settle("hi");
        let path = Transcript::find(folder.path(), "s").unwrap();
        let mut second = Transcript::open(path.clone(), "s").unwrap();
        assert_eq!(second.cost, 0.5);
        second.say("user", "u2", Path::new("/x"), &json!({}), Value::Null);
        let text = std::fs::read_to_string(path).unwrap();
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!((&last["parentUuid"], &last["uuid"]), (&json!("u1"), &json!("u2")));
    }
}
