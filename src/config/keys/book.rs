//! The text of `server.yaml` and what it says. Only `security.require_auth` and
//! `security.api_keys` are ours; the rest, unknown fields of a key included, is carried along,
//! and text outside of `security:` stays as it was typed where that can be proven.

use crate::mapping::mapping;
use serde_yaml::{Mapping, Value};
use std::collections::BTreeMap;
use std::fmt::Write;
use wire::Timestamp;
use wire::auth::{AuthMode, KeyInfo};

/// A stored key.
pub(super) struct Key {
    pub(super) info: KeyInfo,
    pub(super) hash: [u8; 32],
}

/// The file, understood.
pub(super) struct Book {
    /// None if the file does not say.
    pub(super) mode: Option<AuthMode>,
    pub(super) keys: Vec<Key>,
    text: String,
    said: Mapping,
    whole: Mapping,
}

impl Book {
    /// Err says what is wrong.
    pub(super) fn parse(text: String) -> Result<Book, String> {
        let whole = parse(&text)?;
        let nothing = Value::Null;
        let security = whole.get("security").unwrap_or(&nothing);
        if !security.is_mapping() && !security.is_null() {
            return Err("security has no lines of `key: value`".to_owned());
        }
        let mode = match security.get("require_auth") {
            None | Some(Value::Null) => None,
            Some(mode) => Some(
                mode.as_str()
                    .and_then(AuthMode::parse)
                    .ok_or("security.require_auth is none of always, remote, disabled")?,
            ),
        };
        let keys = match security.get("api_keys") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Sequence(keys)) => keys
                .iter()
                .enumerate()
                .map(|(at, key)| {
                    stored(key).ok_or_else(|| {
                        format!("key {} of security.api_keys lacks its id or its hash", at + 1)
                    })
                })
                .collect::<Result<_, _>>()?,
            Some(_) => return Err("security.api_keys is not a list".to_owned()),
        };
        Ok(Book { mode, keys, text, said: whole.clone(), whole })
    }

    pub(super) fn add(&mut self, info: &KeyInfo, hash: [u8; 32]) {
        let mut key = Mapping::new();
        key.insert("id".into(), info.id.as_str().into());
        key.insert("label".into(), info.label.as_str().into());
        key.insert("key_hash".into(), format!("sha256:{}", hex(&hash)).into());
        key.insert("created_at".into(), naive(info.created_at).into());
        key.insert("last_used_at".into(), Value::Null);
        match self.security().entry("api_keys".into()).or_insert(Value::Null) {
            Value::Sequence(keys) => keys.push(key.into()),
            other => *other = Value::Sequence(vec![key.into()]),
        }
        self.keys.push(Key { info: info.clone(), hash });
    }

    /// False if there is no key of this id.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        let before = self.keys.len();
        self.keys.retain(|key| key.info.id != id);
        if let Some(keys) = self.stored_keys() {
            keys.retain(|key| key.get("id").and_then(Value::as_str) != Some(id));
        }
        self.keys.len() < before
    }

    pub(super) fn set_mode(&mut self, mode: AuthMode) {
        self.security().insert("require_auth".into(), mode.name().into());
        self.mode = Some(mode);
    }

    /// Takes in when keys were used; the later time counts.
    pub(super) fn note_uses(&mut self, used: &BTreeMap<String, Timestamp>) {
        let mut later = BTreeMap::new();
        for key in &mut self.keys {
            let at = used.get(&key.info.id).copied();
            if at > key.info.last_used_at {
                key.info.last_used_at = at;
                later.extend(at.map(|at| (key.info.id.clone(), naive(at))));
            }
        }
        for key in self.stored_keys().into_iter().flatten() {
            let at = key.get("id").and_then(Value::as_str).and_then(|id| later.get(id)).cloned();
            if let (Some(at), Some(key)) = (at, key.as_mapping_mut()) {
                key.insert("last_used_at".into(), at.into());
            }
        }
    }

    /// The text to be written, None if nothing changed. The book then stands for that text.
    pub(super) fn changed_text(&mut self) -> Result<Option<String>, serde_yaml::Error> {
        if self.said.iter().eq(self.whole.iter()) {
            return Ok(None);
        }
        let spliced = self.whole.get("security").and_then(block).map(|block| {
            let (before, after) = around_security(&self.text);
            format!("{before}{block}{after}")
        });
        let proven = spliced
            .filter(|text| parse(text).is_ok_and(|again| again.iter().eq(self.whole.iter())));
        let text = proven.map_or_else(|| serde_yaml::to_string(&self.whole), Ok)?;
        self.said.clone_from(&self.whole);
        self.text.clone_from(&text);
        Ok(Some(text))
    }

    fn security(&mut self) -> &mut Mapping {
        let security = self.whole.entry("security".into()).or_insert(Value::Null);
        if !security.is_mapping() {
            *security = Mapping::new().into();
        }
        security.as_mapping_mut().expect("it was made one")
    }

    fn stored_keys(&mut self) -> Option<&mut Vec<Value>> {
        self.whole.get_mut("security")?.get_mut("api_keys")?.as_sequence_mut()
    }
}

fn parse(text: &str) -> Result<Mapping, String> {
    let found = mapping(text).map_err(|said| format!("it is not valid YAML: {said}"))?;
    found.ok_or_else(|| "it has no lines of `key: value`".to_owned())
}

/// A key as the file has it; None if it could never fit.
fn stored(key: &Value) -> Option<Key> {
    let text = |name| key.get(name).and_then(Value::as_str);
    let time = |name| text(name).and_then(Timestamp::parse);
    let info = KeyInfo {
        id: text("id")?.to_owned(),
        label: text("label").unwrap_or_default().to_owned(),
        created_at: time("created_at").unwrap_or(Timestamp::from_millis(0)),
        last_used_at: time("last_used_at"),
    };
    Some(Key { info, hash: unhex(text("key_hash")?.strip_prefix("sha256:")?)? })
}

/// The predecessor's form: UTC, and no sign of it.
fn naive(at: Timestamp) -> String {
    at.to_string().trim_end_matches('Z').to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all that is written");
        text
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[pair.len() - 1]).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

/// What stands before and behind the `security:` block of a text. Comments and blank lines just
/// before the next key are that key's.
fn around_security(text: &str) -> (String, &str) {
    let mut lines = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        lines.push((at, line));
        at += line.len();
    }
    let Some(first) = lines.iter().position(|(_, line)| line.starts_with("security:")) else {
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return (format!("{text}{gap}"), "");
    };
    let blank = |line: &str| line.trim().is_empty() || line.starts_with('#');
    let within = |line: &str| blank(line) || line.starts_with([' ', '\t', '-']);
    let behind = &lines[first + 1..];
    let mut length = behind.iter().position(|(_, line)| !within(line)).unwrap_or(behind.len());
    while length > 0 && blank(behind[length - 1].1) {
        length -= 1;
    }
    let end = behind.get(length).map_or(text.len(), |(at, _)| *at);
    (text[..lines[first].0].to_owned(), &text[end..])
}

/// The `security:` block. Every text is quoted: the predecessor's YAML 1.1 would take a time for
/// a date and `on` for a flag, find the file broken, and open its doors (trap 3).
fn block(security: &Value) -> Option<String> {
    let mut out = String::from("security:");
    emit(security, 1, &mut out)?;
    Some(out)
}

/// Writes what follows a colon or a dash, line end included. None if it is none of our shapes.
fn emit(value: &Value, depth: usize, out: &mut String) -> Option<()> {
    match value {
        Value::Mapping(fields) if !fields.is_empty() => {
            out.push('\n');
            for (name, value) in fields {
                out.push_str(&"  ".repeat(depth));
                out.push_str(&quoted(name.as_str()?, true));
                out.push(':');
                emit(value, depth + 1, out)?;
            }
        }
        Value::Sequence(items) if !items.is_empty() => {
            out.push('\n');
            for item in items {
                let mut inner = String::new();
                emit(item, depth + 1, &mut inner)?;
                // The first line of an item stands behind its dash.
                let inner = inner.trim_start();
                let _ = write!(out, "{}- {inner}", "  ".repeat(depth));
            }
        }
        Value::Mapping(_) => out.push_str(" {}\n"),
        Value::Sequence(_) => out.push_str(" []\n"),
        Value::Null => out.push_str(" null\n"),
        Value::Bool(flag) => {
            let _ = writeln!(out, " {flag}");
        }
        Value::Number(number) => {
            let _ = writeln!(out, " {number}");
        }
        Value::String(text) => {
            let _ = writeln!(out, " {}", quoted(text, false));
        }
        Value::Tagged(_) => return None,
    }
    Some(())
}

/// A text in double quotes; a plain word without, where that is allowed.
fn quoted(text: &str, word_allowed: bool) -> String {
    let letters = |c: char| c.is_ascii_lowercase() || c == '_';
    let other = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", ""].contains(&text);
    if word_allowed && text.chars().all(letters) && !other {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for sign in text.chars() {
        match sign {
            '"' | '\\' => out.extend(['\\', sign]),
            // Line ends of Unicode are line ends to YAML.
            '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                let _ = write!(out, "\\u{:04X}", u32::from(sign));
            }
            _ if sign.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(sign));
            }
            _ => out.push(sign),
        }
    }
    out.push('"');
    out
}
