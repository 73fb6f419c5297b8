//! What no line that leaves may hold: the secrets we know, what looks like one, and the names of
//! people's folders. One automaton looks for all that could begin one; a line without any of it
//! is given back as it came, and the rules look only where it stopped.
//!
//! In doubt a word too many is taken out.

mod names;
mod shapes;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::path::Path;
use wire::Secret;

/// A known secret that is shorter is not looked for: it would be found everywhere.
const SECRET_BYTES_MIN: usize = 6;

/// Takes secrets out of text.
pub(crate) struct Redactor {
    finder: AhoCorasick,
    triggers: Vec<Trigger>,
}

/// What the automaton stops at.
#[derive(Clone, Copy, Debug)]
enum Trigger {
    /// A secret itself.
    Secret,
    /// The owner's home.
    Home,
    Name(names::Word),
    Shape(shapes::Shape),
}

/// What is put in place of something, and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
    instead: &'static str,
}

const INSTEAD: &str = "[REDACTED]";
const INSTEAD_OF_KEY: &str = "[REDACTED_API_KEY]";
const INSTEAD_OF_HOME: &str = "~";

impl Redactor {
    /// `home` is shown as `~`; `secrets` are never shown.
    pub(crate) fn new(home: &Path, secrets: Vec<Secret>) -> Redactor {
        let mut patterns: Vec<(String, Trigger)> = Vec::new();
        for secret in &secrets {
            let forms = forms(secret.expose());
            patterns.extend(forms.into_iter().map(|form| (form, Trigger::Secret)));
        }
        let home = home.to_string_lossy();
        let home = home.trim_end_matches('/');
        if home.len() > 1 && home.starts_with('/') {
            patterns.push((home.to_owned(), Trigger::Home));
            patterns.push((home.replace('/', "\\/"), Trigger::Home));
        }
        let names = names::WORDS.iter().map(|(text, word)| (*text, Trigger::Name(*word)));
        let shapes = shapes::SHAPES.iter().map(|(text, shape)| (*text, Trigger::Shape(*shape)));
        patterns.extend(names.chain(shapes).map(|(text, trigger)| (text.to_owned(), trigger)));
        let finder = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(patterns.iter().map(|(text, _)| text))
            .expect("a few hundred short patterns fit");
        Redactor { finder, triggers: patterns.into_iter().map(|(_, trigger)| trigger).collect() }
    }

    /// The text without secrets.
    pub(crate) fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut spans = Vec::new();
        // Up to here all that a rule may look at was taken out.
        let mut done = 0;
        for found in self.finder.find_overlapping_iter(text) {
            let (start, end) = (found.start(), found.end());
            if end < done && !matches!(self.triggers[found.pattern()], Trigger::Secret) {
                continue;
            }
            let bytes = text.as_bytes();
            let span = match self.triggers[found.pattern()] {
                Trigger::Secret => Some(Span { start, end, instead: INSTEAD }),
                Trigger::Home => shapes::own_home(bytes, start, end),
                Trigger::Name(word) => names::value(bytes, start, end, word),
                Trigger::Shape(shape) => shapes::judge(bytes, start, end, shape),
            };
            done = span.map_or(done, |span| done.max(span.end));
            spans.extend(span);
        }
        shapes::without_prefix(text.as_bytes(), &mut spans);
        if spans.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(replaced(text, spans)) }
    }

    /// Fields without secrets; what the name says is one is taken out whole.
    pub(crate) fn clean_fields(&self, fields: &Map<String, Value>) -> Map<String, Value> {
        let clean = |(name, value): (&String, &Value)| {
            let value = self.clean_value(value, |text| names::is_secret(name, text));
            (self.clean(name).into_owned(), value)
        };
        fields.iter().map(clean).collect()
    }

    fn clean_value(&self, value: &Value, secret: impl Fn(&str) -> bool + Copy) -> Value {
        match value {
            Value::String(text) if secret(text) => INSTEAD.into(),
            Value::String(text) => self.clean(text).into(),
            Value::Number(number) if secret(&number.to_string()) => INSTEAD.into(),
            Value::Array(list) => list.iter().map(|item| self.clean_value(item, secret)).collect(),
            Value::Object(fields) => self.clean_fields(fields).into(),
            _ => value.clone(),
        }
    }
}

/// The ways in which a secret may be written down: a line of it at a time, plain, in JSON, in
/// JSON within JSON, and in an address.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for line in secret.lines().map(str::trim).filter(|line| line.len() >= SECRET_BYTES_MIN) {
        let json = |text: &str| {
            let quoted = Value::from(text).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        };
        let once = json(line);
        let mut address = String::new();
        for byte in line.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    address.push(char::from(byte));
                }
                _ => address.push_str(&format!("%{byte:02X}")),
            }
        }
        forms.extend([json(&once), once.replace('/', "\\/"), once, address, line.to_owned()]);
    }
    forms.sort_unstable();
    forms.dedup();
    forms
}

fn replaced(text: &str, mut spans: Vec<Span>) -> String {
    spans.sort_unstable_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let mut whole: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match whole.last_mut() {
            Some(last) if span.start < last.end => {
                if span.instead == INSTEAD_OF_KEY
                    && (span.start, span.end) == (last.start, last.end)
                {
                    last.instead = INSTEAD_OF_KEY;
                }
                last.end = last.end.max(span.end);
            }
            _ => whole.push(span),
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for span in whole {
        out.push_str(&text[from..span.start]);
        out.push_str(span.instead);
        from = span.end;
    }
    out.push_str(&text[from..]);
    out
}

#[cfg(test)]
mod tests;
