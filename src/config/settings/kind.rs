//! What a key takes: how its value is read from YAML and from a variable, what is said when it
//! does not fit, and how it looks as JSON. YAML 1.1's `yes`, `no`, `on`, `off` are flags here.

use serde_json::{Map, json};
use serde_yaml::Value as Yaml;
use std::net::IpAddr;
use wire::Secret;

/// Longest value, in bytes.
const VALUE_BYTES_MAX: usize = 4096;

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// One line.
    Text,
    /// A path; `~` is the home, a relative one begins at the current directory.
    Path,
    /// A path, or a bare name to be looked up in `PATH`.
    Program,
    /// A whole number from `min` to `max`.
    Number {
        /// Least.
        min: i64,
        /// Greatest.
        max: i64,
    },
    /// Yes or no.
    Flag,
    /// Paths.
    List,
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// An IP address or `localhost`.
    Host,
    /// `http://…` or `https://…`, without a user in it.
    Url,
    /// One line that is never shown.
    Secret,
}

/// A value that fits its key's kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of [`Kind::Text`] and the kinds that are text with a rule.
    Text(String),
    /// Of [`Kind::Number`].
    Number(i64),
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::List`].
    List(Vec<String>),
    /// Of [`Kind::Secret`].
    Secret(Secret),
}

impl Kind {
    /// Reads a value as it stands in a variable or on a command line; None if it does not fit.
    pub fn read_text(self, text: &str) -> Option<Value> {
        let text = text.trim();
        let line = one_line(text);
        match self {
            Kind::Flag => flag(text).map(Value::Flag),
            Kind::Number { min, max } => in_range(text.parse().ok()?, min, max),
            Kind::List => {
                let items: Vec<String> = serde_json::from_str(text).ok()?;
                items.iter().all(|item| is_path(item)).then_some(Value::List(items))
            }
            Kind::Choice(words) => {
                let word = words.iter().find(|word| word.eq_ignore_ascii_case(text))?;
                Some(Value::Text((*word).to_owned()))
            }
            Kind::Secret => {
                let whole = line && !text.contains(char::is_whitespace);
                whole.then(|| Value::Secret(Secret::new(text.to_owned())))
            }
            Kind::Text => line.then(|| Value::Text(text.to_owned())),
            Kind::Path | Kind::Program => is_path(text).then(|| Value::Text(text.to_owned())),
            Kind::Host => host(text).map(|_| Value::Text(text.to_owned())),
            Kind::Url => is_url(text).then(|| Value::Text(text.to_owned())),
        }
    }

    /// Reads a value as it stands in YAML; None if it does not fit. Null is for the caller.
    pub fn read_yaml(self, yaml: &Yaml) -> Option<Value> {
        match (self, yaml) {
            (Kind::Flag, Yaml::Bool(flag)) => Some(Value::Flag(*flag)),
            (Kind::Flag | Kind::Number { .. }, Yaml::Number(number)) => {
                self.read_text(&whole(number)?.to_string())
            }
            (Kind::List, Yaml::Sequence(items)) => {
                let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
                let items: Vec<String> = texts.collect::<Option<_>>()?;
                items.iter().all(|item| is_path(item)).then_some(Value::List(items))
            }
            (Kind::List, _) => None,
            (_, Yaml::String(text)) => self.read_text(text),
            _ => None,
        }
    }

    /// What fits, in words that follow "must be".
    pub fn allowed(self) -> String {
        match self {
            Kind::Text => "one line of text (in quotes if it looks like a number)".to_owned(),
            Kind::Path => "a path".to_owned(),
            Kind::Program => "a path or the name of a program".to_owned(),
            Kind::Number { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Flag => "true or false".to_owned(),
            Kind::List => "a list of paths".to_owned(),
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
            Kind::Host => "an IP address or localhost".to_owned(),
            Kind::Url => {
                "an address that begins with http:// or https://, no user in it".to_owned()
            }
            Kind::Secret => "one word of text (in quotes if it looks like a number)".to_owned(),
        }
    }

    /// Its JSON schema, without description and default.
    pub(super) fn schema(self) -> Map<String, serde_json::Value> {
        let schema = match self {
            Kind::Text | Kind::Path | Kind::Program | Kind::Host => json!({"type": "string"}),
            Kind::Number { min, max } => {
                json!({"type": "integer", "minimum": min, "maximum": max})
            }
            Kind::Flag => json!({"type": "boolean"}),
            Kind::List => json!({"type": "array", "items": {"type": "string"}}),
            Kind::Choice(words) => json!({"enum": words}),
            Kind::Url => json!({"type": "string", "format": "uri"}),
            Kind::Secret => json!({"type": "string", "writeOnly": true}),
        };
        schema.as_object().cloned().unwrap_or_default()
    }
}

impl Value {
    pub(super) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn number(&self) -> Option<i64> {
        if let Value::Number(number) = self { Some(*number) } else { None }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        if let Value::Flag(flag) = self { Some(*flag) } else { None }
    }

    pub(super) fn list(&self) -> Option<&[String]> {
        if let Value::List(items) = self { Some(items) } else { None }
    }

    pub(super) fn secret(&self) -> Option<&Secret> {
        if let Value::Secret(secret) = self { Some(secret) } else { None }
    }

    /// As JSON, with `mask` in the place of a secret.
    pub fn to_json(&self, mask: &str) -> serde_json::Value {
        match self {
            Value::Text(text) => json!(text),
            Value::Number(number) => json!(number),
            Value::Flag(flag) => json!(flag),
            Value::List(items) => json!(items),
            Value::Secret(_) => json!(mask),
        }
    }
}

/// The address of a host as the config writes it.
pub(super) fn host(text: &str) -> Option<IpAddr> {
    if text.eq_ignore_ascii_case("localhost") {
        return Some(IpAddr::from([127, 0, 0, 1]));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok()
}

fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "t" | "y" => Some(true),
        "false" | "no" | "off" | "0" | "f" | "n" => Some(false),
        _ => None,
    }
}

fn in_range(number: i64, min: i64, max: i64) -> Option<Value> {
    (min..=max).contains(&number).then_some(Value::Number(number))
}

/// YAML writes 3333 also as 3333.0.
fn whole(number: &serde_yaml::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let real = number.as_f64()?;
        (real.fract() == 0.0 && real.abs() < 1e15).then_some(real as i64)
    })
}

fn one_line(text: &str) -> bool {
    let odd = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
    !text.is_empty() && text.len() <= VALUE_BYTES_MAX && !text.contains(odd)
}

fn is_path(text: &str) -> bool {
    let home_of_another = text.starts_with('~') && text != "~" && !text.starts_with("~/");
    one_line(text) && !home_of_another
}

fn is_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    one_line(text)
        && !text.contains(char::is_whitespace)
        && !authority.is_empty()
        && !authority.contains('@')
}
