//! Changing one key of `config.yaml` by changing one line of it, so that comments, order and
//! unknown keys stay. The edit is a guess about text; it is believed only if the new text,
//! parsed, equals the old one with that key changed and nothing else. Lists and values of
//! several lines are left to a person.

use super::kind::Value;
use super::layer::misfit;
use super::table::Key;
use super::{ConfigError, Kind};
use crate::file;
use serde_yaml::{Mapping, Value as Yaml};
use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::path::Path;

/// Sets a key in the file at `path`, which is made if it is missing. The value is checked first;
/// secrets and lists are refused. Blocks for as long as another program holds `.config.lock`.
pub fn set(path: &Path, key: &str, value: &str) -> Result<(), ConfigError> {
    let (key, value) = check(path, key, value)?;
    let unwritable = |why| ConfigError::Unwritable { path: path.to_owned(), why };
    file::make_folder(path).map_err(unwritable)?;
    let _lock = file::Lock::take(&path.with_file_name(".config.lock")).map_err(unwritable)?;
    let text = file::read(path)
        .map_err(|why| ConfigError::Unreadable { path: path.to_owned(), why })?
        .unwrap_or_default();
    let text = with_key(&text, path, key, &value)?;
    file::replace(path, text.as_bytes(), file::Mode::Kept).map_err(unwritable)
}

fn check(path: &Path, name: &str, text: &str) -> Result<(&'static Key, Value), ConfigError> {
    let found = Key::named(name);
    if name == "token" || found.is_some_and(|key| key.kind == Kind::Secret) {
        return Err(ConfigError::Secret { key: name.to_owned() });
    }
    match found {
        Some(key) if key.kind == Kind::List => {
            Err(ConfigError::NotScalar { key: key.name, path: path.to_owned() })
        }
        Some(key) if key.settable => {
            let value = key.kind.read_text(text);
            value
                .map(|value| (key, value))
                .ok_or_else(|| misfit(key, "not set".to_owned(), &format!("`{text}`")))
        }
        _ => Err(ConfigError::NotSettable { key: name.to_owned() }),
    }
}

/// The text with one key changed, proven by parsing both.
pub(super) fn with_key(
    text: &str,
    path: &Path,
    key: &'static Key,
    value: &Value,
) -> Result<String, ConfigError> {
    let before = mapping(text, path)?;
    if before.get(key.name).is_some_and(|old| old.is_sequence() || old.is_mapping()) {
        return Err(ConfigError::NotScalar { key: key.name, path: path.to_owned() });
    }
    let (scalar, yaml) = written(value)
        .ok_or_else(|| ConfigError::NotScalar { key: key.name, path: path.to_owned() })?;
    let edited = match before.contains_key(key.name) {
        true => with_line(text, key.name, &scalar),
        false => Some(with_last_line(text, key.name, &scalar)),
    };
    let mut wanted = before;
    wanted.insert(key.name.into(), yaml);
    edited
        .filter(|edited| mapping(edited, path).is_ok_and(|after| after.iter().eq(wanted.iter())))
        .ok_or_else(|| ConfigError::Unproven { key: key.name, path: path.to_owned() })
}

/// The keys and values of a text; none if it is empty.
pub(super) fn mapping(text: &str, path: &Path) -> Result<Mapping, ConfigError> {
    match serde_yaml::from_str(text) {
        Ok(Yaml::Mapping(mapping)) => Ok(mapping),
        Ok(Yaml::Null) => Ok(Mapping::new()),
        Ok(_) => Err(ConfigError::NoMapping { path: path.to_owned() }),
        Err(error) => Err(ConfigError::Syntax { path: path.to_owned(), said: error.to_string() }),
    }
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
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { end };
    format!("{text}{gap}{key}: {scalar}{end}")
}

/// The text with another value on the only line that begins with this key.
fn with_line(text: &str, key: &str, scalar: &str) -> Option<String> {
    let mut edited = String::with_capacity(text.len() + scalar.len());
    let mut found = 0;
    for line in text.split_inclusive('\n') {
        let Some(at) = value_at(line, key) else {
            edited.push_str(line);
            continue;
        };
        found += 1;
        let (name, rest) = line.split_at(at);
        let blank = rest.len() - rest.trim_start().len();
        let (gap, rest) = rest.split_at(blank);
        let old = scalar_length(rest)?;
        edited.push_str(name);
        // `key:` alone has no gap, or only the end of its line; `key: # why` keeps its gap.
        match old {
            0 => edited.extend([" ", scalar, gap, rest]),
            _ => edited.extend([gap, scalar, &rest[old..]]),
        }
    }
    (found == 1).then_some(edited)
}

/// Where on a line its value begins, if the line is one of this top-level key: just behind the
/// colon.
fn value_at(line: &str, key: &str) -> Option<usize> {
    let bare = line.strip_prefix('\u{feff}').unwrap_or(line);
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
