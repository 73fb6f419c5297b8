//! Changing keys of a `config.yaml` by changing one line of its text each, so that comments,
//! order and unknown keys stay. An edit is a guess about text; it is believed only if the new
//! text, parsed, equals the old one with that key changed and nothing else. Lists and values of
//! several lines are left to a person. Files are not touched here.

use super::kind::Value;
use super::shown::in_file;
use super::table::Key;
use super::{ConfigError, MASK};
use serde_yaml::{Mapping, Value as Yaml};
use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::path::Path;
use wire::supervisor::Change;

/// A key and what it is to be; None takes it out of the file, and its default holds.
pub(super) type Edit = (&'static Key, Option<Value>);

/// A text with keys changed.
pub(super) struct Edited {
    /// The text.
    pub(super) text: String,
    /// What it parses to.
    pub(super) mapping: Mapping,
    /// What has changed. A key that said so already, in whatever spelling, keeps its line.
    pub(super) changes: Vec<Change>,
}

/// Changes these keys of a text.
pub(super) fn edited(text: &str, path: &Path, edits: &[Edit]) -> Result<Edited, ConfigError> {
    let (mut text, mut mapping) = (text.to_owned(), mapping(text, path)?);
    let mut changes = Vec::new();
    for (key, value) in edits {
        let old = mapping.get(key.name).filter(|old| !old.is_null());
        let says = old.and_then(|old| key.kind.read_yaml(old));
        if says == *value && says.is_some() == old.is_some() {
            continue;
        }
        changes.push(Change {
            key: key.name.to_owned(),
            from: old.map_or(serde_json::Value::Null, |old| in_file(key, old)),
            to: value.as_ref().map_or(serde_json::Value::Null, |value| value.to_json(MASK)),
        });
        (text, mapping) = with_key(&text, mapping, path, key, value.as_ref())?;
    }
    Ok(Edited { text, mapping, changes })
}

/// The text with one key changed, proven by parsing it; and what it parses to.
fn with_key(
    text: &str,
    before: Mapping,
    path: &Path,
    key: &'static Key,
    value: Option<&Value>,
) -> Result<(String, Mapping), ConfigError> {
    let several = || ConfigError::NotScalar { key: key.name, path: path.to_owned() };
    let old = before.get(key.name);
    if old.is_some_and(|old| old.is_sequence() || old.is_mapping()) {
        return Err(several());
    }
    let there = old.is_some();
    let mut wanted = before;
    let edited = match value {
        None => {
            // Not `remove`, which puts the last key in the place of the one removed.
            wanted.shift_remove(key.name);
            without_line(text, key.name)
        }
        Some(value) => {
            let (scalar, yaml) = written(value).ok_or_else(several)?;
            wanted.insert(key.name.into(), yaml);
            match there {
                true => with_line(text, key.name, &scalar),
                false => Some(with_last_line(text, key.name, &scalar)),
            }
        }
    };
    edited
        .and_then(|text| Some((mapping(&text, path).ok()?, text)))
        .filter(|(after, _)| after.iter().eq(wanted.iter()))
        .map(|(after, text)| (text, after))
        .ok_or_else(|| ConfigError::Unproven { key: key.name, path: path.to_owned() })
}

/// The keys and values of a text; none if it is empty.
pub(super) fn mapping(text: &str, path: &Path) -> Result<Mapping, ConfigError> {
    crate::mapping::mapping(text)
        .map_err(|said| ConfigError::Syntax { path: path.to_owned(), said })?
        .ok_or_else(|| ConfigError::NoMapping { path: path.to_owned() })
}

/// The number of the line, from 1, on which a top-level key stands.
pub(super) fn line_of(text: &str, key: &str) -> Option<usize> {
    text.lines().position(|line| value_at(line, key).is_some()).map(|index| index + 1)
}

/// How a value is written on one line, and what that must parse to.
fn written(value: &Value) -> Option<(Cow<'_, str>, Yaml)> {
    Some(match value {
        Value::Number(number) => (number.to_string().into(), Yaml::Number((*number).into())),
        Value::Flag(flag) => (flag.to_string().into(), Yaml::Bool(*flag)),
        Value::Text(text) if is_plain(text) => (text.into(), Yaml::String(text.clone())),
        // A JSON string is a YAML one.
        Value::Text(text) => (serde_json::json!(text).to_string().into(), text.clone().into()),
        Value::List(_) | Value::Secret(_) => return None,
    })
}

/// Whether a text means itself without quotes, also to the predecessor's YAML 1.1.
fn is_plain(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let word = text.to_ascii_lowercase();
    let other =
        ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&word.as_str());
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    (begins && text.chars().all(safe) && !other) || text.parse::<Ipv4Addr>().is_ok()
}

fn with_last_line(text: &str, key: &str, scalar: &str) -> String {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if unmarked(text).is_empty() || text.ends_with('\n') { "" } else { end };
    format!("{text}{gap}{key}: {scalar}{end}")
}

/// The text with another value on the only line that begins with this key.
fn with_line(text: &str, key: &str, scalar: &str) -> Option<String> {
    let Entry { start, value, end } = entry(text, key)?;
    let rest = &text[value..end];
    let gap = &rest[..rest.len() - rest.trim_start().len()];
    let old = scalar_length(&rest[gap.len()..])?;
    let behind = &rest[gap.len() + old..];
    let (before, name) = (&text[..start], &text[start..value]);
    // `key:` alone has no gap, or only the end of its line; `key: # why` keeps its gap.
    let line = match old {
        0 => [name, " ", scalar, gap, behind].concat(),
        _ => [name, gap, scalar, behind].concat(),
    };
    Some([before, &line, &text[end..]].concat())
}

/// The text without the only line that begins with this key, its comment included.
fn without_line(text: &str, key: &str) -> Option<String> {
    let Entry { start, value, end } = entry(text, key)?;
    scalar_length(text[value..end].trim_start())?;
    Some([&text[..start], &text[end..]].concat())
}

/// Where in a text the line of a key is.
struct Entry {
    /// Its first byte; behind the mark that a text may begin with.
    start: usize,
    /// Just behind the colon.
    value: usize,
    /// Behind its line feed, if it has one.
    end: usize,
}

/// The only line that begins with this key.
fn entry(text: &str, key: &str) -> Option<Entry> {
    let mut found = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(value) = value_at(line, key) {
            if found.is_some() {
                return None;
            }
            let mark = line.len() - unmarked(line).len();
            found = Some(Entry { start: at + mark, value: at + value, end: at + line.len() });
        }
        at += line.len();
    }
    found
}

fn unmarked(line: &str) -> &str {
    line.strip_prefix('\u{feff}').unwrap_or(line)
}

/// Where on a line its value begins, if the line is one of this top-level key: just behind the
/// colon.
fn value_at(line: &str, key: &str) -> Option<usize> {
    let bare = unmarked(line);
    let rest = ["", "\"", "'"]
        .into_iter()
        .find_map(|quote| bare.strip_prefix(quote)?.strip_prefix(key)?.strip_prefix(quote))?;
    let value = rest.trim_start_matches([' ', '\t']).strip_prefix(':')?;
    let ends = value.is_empty() || value.starts_with([' ', '\t', '\r', '\n']);
    ends.then(|| line.len() - value.len())
}

/// How much of a line, from where a value begins, is that value; None if it cannot be one that
/// ends on this line.
fn scalar_length(rest: &str) -> Option<usize> {
    match rest.chars().next() {
        None | Some('#') => Some(0),
        Some(quote @ ('"' | '\'')) => quoted_length(rest, quote),
        Some('|' | '>' | '[' | '{' | '&' | '*' | '!' | '%' | '@' | '`') => None,
        Some(_) => {
            let mut marks = rest.match_indices('#').map(|(at, _)| at);
            let comment = marks.find(|at| rest[..*at].ends_with([' ', '\t']));
            let end = comment.unwrap_or(rest.len());
            Some(rest[..end].trim_end().len())
        }
    }
}

fn quoted_length(rest: &str, quote: char) -> Option<usize> {
    let mut signs = rest.char_indices().skip(1).peekable();
    while let Some((at, sign)) = signs.next() {
        if sign == '\\' && quote == '"' {
            signs.next();
        } else if sign == quote {
            // Two single quotes are one inside.
            if quote == '\'' && signs.next_if(|(_, next)| *next == '\'').is_some() {
                continue;
            }
            return Some(at + 1);
        }
    }
    None
}
