//! An entry as it is shown: without secrets, as a line to read, and as events, text or JSON.

use super::query::{Format, Grep};
use super::redact::Redactor;
use host::logs::Entry;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;
use wire::Timestamp;
use wire::supervisor::{LogLine, LogTrouble};

/// In which form lines go out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Server-sent events with the cursor as their id.
    Events,
    Export(Format),
}

/// Shows entries.
pub(super) struct Teller {
    redactor: Arc<Redactor>,
    grep: Option<Grep>,
    form: Form,
}

impl Teller {
    pub(super) fn new(redactor: Arc<Redactor>, grep: Option<Grep>, form: Form) -> Teller {
        Teller { redactor, grep, form }
    }

    /// Adds an entry to what goes out; false if it is not wanted.
    pub(super) fn tell(&self, entry: &Entry, out: &mut Vec<u8>) -> bool {
        let line = said(&self.redactor, entry);
        // What is looked for is what is seen: otherwise one could find out a secret letter by
        // letter.
        if self.grep.as_ref().is_some_and(|grep| !grep.finds(line.line.trim_end())) {
            return false;
        }
        match self.form {
            Form::Events => {
                if !entry.cursor.is_empty() && entry.cursor.bytes().all(|b| b.is_ascii_graphic()) {
                    out.extend_from_slice(b"id: ");
                    out.extend_from_slice(entry.cursor.as_bytes());
                    out.push(b'\n');
                }
                out.extend_from_slice(b"data: ");
                json(&line, out);
                out.extend_from_slice(b"\n\n");
            }
            Form::Export(Format::Json) => {
                json(&line, out);
                out.push(b'\n');
            }
            Form::Export(Format::Text) => out.extend_from_slice(line.line.as_bytes()),
        }
        true
    }

    /// Why there are no more lines.
    pub(super) fn trouble(&self, error: &str) -> Vec<u8> {
        let error = self.redactor.clean(error).into_owned();
        let mut out = Vec::new();
        match self.form {
            Form::Events => {
                out.extend_from_slice(b"data: ");
                json(&LogTrouble { error }, &mut out);
                out.extend_from_slice(b"\n\n");
            }
            Form::Export(Format::Json) => {
                json(&LogTrouble { error }, &mut out);
                out.push(b'\n');
            }
            Form::Export(Format::Text) => out = format!("({error})\n").into_bytes(),
        }
        out
    }
}

fn json(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("texts and numbers are always JSON");
}

/// An entry without secrets.
pub(super) fn said(redactor: &Redactor, entry: &Entry) -> LogLine {
    let clean = |text: &Option<String>| Some(redactor.clean(text.as_deref()?).into_owned());
    let mut line = LogLine {
        line: String::new(),
        time: entry.time_us.and_then(|us| Some(Timestamp::from_micros(us.try_into().ok()?))),
        unit: clean(&entry.unit),
        priority: entry.priority,
        pid: entry.pid,
        program: clean(&entry.program),
        session: clean(&entry.session),
        turn: clean(&entry.turn),
        message: redactor.clean(&entry.message).into_owned(),
        fields: match entry.fields.is_empty() {
            true => Map::new(),
            false => redactor.clean_fields(&entry.fields),
        },
    };
    let written = written(&line);
    // Once more: what stands side by side only now may tell something together.
    line.line = match redactor.clean(&written) {
        Cow::Borrowed(_) => written,
        Cow::Owned(cleaned) => cleaned,
    };
    line
}

/// `time program[pid]: level: message name=value …`, with a line feed.
fn written(line: &LogLine) -> String {
    let mut out = String::with_capacity(line.message.len() + 128);
    let taken = "a String takes what is written";
    if let Some(time) = line.time {
        write!(out, "{time} ").expect(taken);
    }
    if let Some(program) = &line.program {
        out.push_str(program);
        if let Some(pid) = line.pid {
            write!(out, "[{pid}]").expect(taken);
        }
        out.push_str(": ");
    }
    if let Some(level) = line.priority.and_then(level) {
        out.push_str(level);
        out.push_str(": ");
    }
    out.push_str(line.message.trim_end());
    let ids = [("session", &line.session), ("turn", &line.turn)];
    for (name, id) in ids {
        if let Some(id) = id {
            pair(name, id, &mut out);
        }
    }
    for (name, value) in &line.fields {
        match value {
            Value::String(text) => pair(name, text, &mut out),
            other => pair(name, &other.to_string(), &mut out),
        }
    }
    out.push('\n');
    out
}

fn pair(name: &str, value: &str, out: &mut String) {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"'=\\".contains(c);
    let value = match !value.is_empty() && value.chars().all(plain) {
        true => Cow::Borrowed(value),
        false => Cow::Owned(Value::from(value).to_string()),
    };
    for part in [" ", name, "=", &value] {
        out.push_str(part);
    }
}

/// The usual level is not worth a word.
fn level(priority: u8) -> Option<&'static str> {
    Some(match priority {
        0 => "emergency",
        1 => "alert",
        2 => "critical",
        3 => "error",
        4 => "warning",
        5 => "notice",
        7 => "debug",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
