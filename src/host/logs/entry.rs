//! One entry of the journal as `journalctl -o json` writes it, one object on a line, by
//! systemd's "Journal JSON Format". A field is a text; a list of byte values where it is not
//! all printable UTF-8; null where it is too long; a list of these where it came several times.

use super::{AGENT_UNIT, Entry, FIELD_BYTES_MAX, FIELDS_MAX, MESSAGE_BYTES_MAX};
use crate::log::PREFIX;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// An entry, and whether it is the manager's own word about a unit.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Read {
    pub(super) entry: Entry,
    pub(super) by_manager: bool,
}

/// Reads a line; `None` for one that is no entry.
pub(super) fn read(line: &[u8]) -> Option<Read> {
    serde_json::from_slice(line).ok()
}

/// What is said of an entry that is too long to be kept, of which `head` is the beginning.
pub(super) fn too_long(head: &[u8]) -> Entry {
    const NAME: &[u8] = br#""__CURSOR":""#;
    let cursor = head.windows(NAME.len()).position(|name| name == NAME).and_then(|at| {
        let rest = &head[at + NAME.len()..];
        let end = rest.iter().position(|b| *b == b'"')?;
        std::str::from_utf8(&rest[..end]).ok()
    });
    let message = format!(
        "(an entry of more than {} KiB, which is not shown; journalctl has it)",
        super::LINE_BYTES_MAX / 1024
    );
    Entry { cursor: cursor.unwrap_or_default().to_owned(), message, ..Entry::default() }
}

/// The text in bytes that some program wrote: what is not UTF-8 replaced, the sequences by
/// which terminals are coloured or commanded taken out, other control characters replaced.
pub(super) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
        return text.into_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => pass_over(&mut chars),
            '\n' | '\t' => out.push(c),
            // A line that ends as those of a terminal do.
            '\r' if chars.as_str().is_empty() || chars.as_str().starts_with('\n') => {}
            _ if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            _ => out.push(c),
        }
    }
    out
}

/// What follows an escape character, by ECMA-48.
fn pass_over(chars: &mut std::str::Chars<'_>) {
    match chars.next() {
        Some('[') => {
            chars.find(|c| ('\x40'..='\x7e').contains(c));
        }
        Some(']' | 'P' | '^' | '_') => {
            let mut escaped = false;
            chars.find(|c| {
                let ends = *c == '\x07' || (escaped && *c == '\\');
                escaped = *c == '\x1b';
                ends
            });
        }
        _ => {}
    }
}

/// At most so many bytes of a text, with a word about the rest.
pub(super) fn bounded(text: Cow<'_, str>, max: usize) -> String {
    if text.len() <= max {
        return text.into_owned();
    }
    let end = text.floor_char_boundary(max);
    format!("{} … ({} bytes more)", &text[..end], text.len() - end)
}

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Read, D::Error> {
        from.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fields of an entry")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
        let mut entry = Entry::default();
        // Those of which the better one counts, in whatever order they come.
        let (mut said_by, mut about, mut command) = (None, None, None);
        while let Some(name) = map.next_key::<&str>()? {
            match name {
                "__CURSOR" => entry.cursor = map.next_value::<Text<'_>>()?.into_string(),
                "__REALTIME_TIMESTAMP" => entry.time_us = map.next_value::<Text<'_>>()?.number(),
                "MESSAGE" => {
                    let text = map.next_value::<Text<'_>>()?;
                    entry.message = bounded(text.into_lines(), MESSAGE_BYTES_MAX);
                }
                "PRIORITY" => {
                    let level = map.next_value::<Text<'_>>()?.number::<u8>();
                    entry.priority = level.filter(|level| *level <= 7);
                }
                "_PID" => entry.pid = map.next_value::<Text<'_>>()?.number(),
                "_SYSTEMD_USER_UNIT" => said_by = map.next_value::<Text<'_>>()?.some(),
                "USER_UNIT" => about = map.next_value::<Text<'_>>()?.some(),
                "SYSLOG_IDENTIFIER" => entry.program = map.next_value::<Text<'_>>()?.some(),
                "_COMM" => command = map.next_value::<Text<'_>>()?.some(),
                _ => match name.strip_prefix(PREFIX).and_then(|name| name.strip_prefix('_')) {
                    Some("SESSION") => entry.session = map.next_value::<Text<'_>>()?.some(),
                    Some("TURN") => entry.turn = map.next_value::<Text<'_>>()?.some(),
                    Some(own) if entry.fields.len() < FIELDS_MAX => {
                        let value = map.next_value::<Text<'_>>()?;
                        entry.fields.insert(own.to_ascii_lowercase(), value.into_value());
                    }
                    _ => {
                        map.next_value::<IgnoredAny>()?;
                    }
                },
            }
        }
        entry.program = entry.program.or(command);
        let by_manager = said_by.as_deref() == Some("init.scope");
        entry.unit = about.or(said_by);
        entry.session = entry.session.or_else(|| session_of(entry.unit.as_deref()?));
        Ok(Read { entry, by_manager })
    }
}

/// The session whose agent a unit is.
pub(super) fn session_of(unit: &str) -> Option<String> {
    Some(unit.strip_prefix(AGENT_UNIT)?.strip_suffix(".service")?.to_owned())
}

/// A field's value.
enum Text<'a> {
    One(Cow<'a, str>),
    Many(Vec<String>),
}

impl<'a> Text<'a> {
    fn first(&self) -> &str {
        match self {
            Text::One(text) => text,
            Text::Many(texts) => texts.first().map_or("", |text| text),
        }
    }

    fn number<T: std::str::FromStr>(&self) -> Option<T> {
        self.first().parse().ok()
    }

    fn into_string(self) -> String {
        match self {
            Text::One(text) => bounded(text, FIELD_BYTES_MAX),
            Text::Many(texts) => {
                bounded(texts.into_iter().next().unwrap_or_default().into(), FIELD_BYTES_MAX)
            }
        }
    }

    fn some(self) -> Option<String> {
        Some(self.into_string()).filter(|text| !text.is_empty())
    }

    fn into_lines(self) -> Cow<'a, str> {
        match self {
            Text::One(text) => text,
            Text::Many(texts) => texts.join("\n").into(),
        }
    }

    fn into_value(self) -> Value {
        match self {
            Text::One(_) => self.into_string().into(),
            Text::Many(texts) => {
                let texts = texts.into_iter().take(FIELDS_MAX);
                texts.map(|text| bounded(text.into(), FIELD_BYTES_MAX)).collect()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Text<'de>, D::Error> {
        from.deserialize_any(AnyText)
    }
}

struct AnyText;

impl<'de> Visitor<'de> for AnyText {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, byte values, a list of texts, or null")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text::One(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text::One(text.to_owned().into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Text<'de>, E> {
        Ok(Text::One(number.to_string().into()))
    }

    fn visit_unit<E>(self) -> Result<Text<'de>, E> {
        Ok(Text::One("".into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text<'de>, A::Error> {
        let mut bytes = Vec::new();
        let mut texts = Vec::new();
        while let Some(item) = list.next_element::<Item>()? {
            match item {
                Item::Byte(byte) => bytes.push(byte),
                Item::Text(text) => texts.push(text),
            }
        }
        if texts.is_empty() {
            return Ok(Text::One(printable(&bytes).into()));
        }
        Ok(Text::Many(texts))
    }
}

/// What stands in a list: a byte of one value, or one of several values.
enum Item {
    Byte(u8),
    Text(String),
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Item, D::Error> {
        from.deserialize_any(AnyItem)
    }
}

struct AnyItem;

impl<'de> Visitor<'de> for AnyItem {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte value, a text, byte values, or null")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Item, E> {
        // What is no byte is no printable character either.
        Ok(Item::Byte(u8::try_from(number).unwrap_or_default()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Item, E> {
        Ok(Item::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Item, E> {
        Ok(Item::Text(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Item, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element::<u8>()? {
            bytes.push(byte);
        }
        Ok(Item::Text(printable(&bytes)))
    }
}

#[cfg(test)]
mod tests;
