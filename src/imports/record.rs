//! One record of an export: whose it is, and the conversation in it. What is not understood of
//! one that is, is passed over: exports gain fields without a word.

use crate::chatgpt::Tree;
use crate::claude::Messages;
use crate::lenient::{self, Time};
use crate::limits::{ID_BYTES_MAX, ID_SOUGHT_BYTES_MAX, TITLE_CHARS_MAX};
use crate::scan::Held;
use crate::{Bad, Conversation, Found, Source};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, de};
use std::borrow::Cow;
use std::fmt;

/// Every name that either kind of record may have.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Record {
    #[serde(deserialize_with = "lenient::text")]
    uuid: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    conversation_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    title: Option<String>,
    created_at: Time,
    updated_at: Time,
    create_time: Time,
    update_time: Time,
    chat_messages: Messages,
    messages: Messages,
    mapping: Tree,
    #[serde(deserialize_with = "lenient::text")]
    current_node: Option<String>,
}

/// Reads a record that was cut out.
pub(crate) fn read(index: u64, held: &Held) -> Found {
    let bad = |id: Option<String>, why: String| Found::Bad(Bad { index, id, why });
    let sought = &held.bytes[..held.bytes.len().min(ID_SOUGHT_BYTES_MAX)];
    if held.is_over {
        return bad(id_in(sought), "it is larger than a conversation may be".into());
    }
    if held.bytes.first() != Some(&b'{') {
        return bad(None, "it is no object".into());
    }
    let parsed =
        serde_json::from_slice::<Record>(&held.bytes).or_else(|error| {
            match without_halves(&held.bytes) {
                Cow::Borrowed(_) => Err(error),
                Cow::Owned(mended) => serde_json::from_slice(&mended),
            }
        });
    match parsed {
        Ok(record) => record.found(index),
        Err(error) => bad(id_in(sought), format!("it cannot be read: {error}")),
    }
}

impl Record {
    fn found(self, index: u64) -> Found {
        let bad = |id: Option<String>, why: &str| Found::Bad(Bad { index, id, why: why.into() });
        let ids = [self.uuid, self.id, self.conversation_id];
        let Some(id) = ids.into_iter().flatten().find(|id| !id.trim().is_empty()) else {
            return bad(None, "it has no id");
        };
        if id.len() > ID_BYTES_MAX {
            return bad(Some(lenient::cut(&id, 40)), "its id is too long");
        }
        let created = self.create_time.0.or(self.created_at.0);
        let updated = self.update_time.0.or(self.updated_at.0);
        let (source, messages) = match self.mapping {
            tree if !tree.is_empty() => {
                (Source::ChatGpt, tree.messages(self.current_node.as_deref()))
            }
            _ if self.chat_messages.0.is_empty() => (Source::Claude, self.messages.0),
            _ => (Source::Claude, self.chat_messages.0),
        };
        if messages.is_empty() {
            return Found::Empty;
        }
        let titles = [self.name, self.title].into_iter().flatten();
        let titles = titles.map(|t| t.split_whitespace().collect::<Vec<_>>().join(" "));
        let title = titles.into_iter().find(|title| !title.is_empty());
        Found::Conversation(Conversation {
            source,
            original_id: id,
            title: title.map(|title| lenient::cut(&title, TITLE_CHARS_MAX)),
            created,
            updated,
            messages,
        })
    }
}

/// The id of a record of which only the begin is there, or that cannot be read to its end.
fn id_in(begin: &[u8]) -> Option<String> {
    let mut id = None;
    let mut parser = serde_json::Deserializer::from_slice(begin);
    // The end is missing; what was seen before counts.
    let _ = Sought(&mut id).deserialize(&mut parser);
    id.filter(|id: &String| id.len() <= ID_BYTES_MAX)
}

struct Sought<'i>(&'i mut Option<String>);

impl<'de> DeserializeSeed<'de> for Sought<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Sought<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if ["uuid", "id", "conversation_id"].contains(&name.as_ref()) {
                *self.0 = map.next_value::<lenient::Text>()?.0;
                if self.0.is_some() {
                    return Err(de::Error::custom("found"));
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// The record with a question mark of Unicode's for each half of a surrogate pair that stands
/// alone: what JavaScript wrote so, Rust does not read, and a conversation is worth more.
fn without_halves(bytes: &[u8]) -> Cow<'_, [u8]> {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut mended = Cow::Borrowed(bytes);
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        at += found;
        let is_high = unit(at).is_some_and(|unit| (0xd800..0xdc00).contains(&unit));
        let is_low = |at: usize| unit(at).is_some_and(|unit| (0xdc00..0xe000).contains(&unit));
        if is_high && is_low(at + 6) {
            at += 12;
        } else if is_high || is_low(at) {
            mended.to_mut()[at..at + 6].copy_from_slice(b"\\ufffd");
            at += 6;
        } else {
            at = (at + 2).min(bytes.len());
        }
    }
    mended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_pairs_are_mended_and_whole_ones_stay() {
        let text = br#"{"a":"\ud83d\ude00 \ud83d x \ude00 \\ud83d \\\ud83d"}"#;
        let mended = without_halves(text);
        let expected = br#"{"a":"\ud83d\ude00 \ufffd x \ufffd \\ud83d \\\ufffd"}"#;
        assert_eq!(String::from_utf8_lossy(&mended), String::from_utf8_lossy(expected));
        assert!(matches!(without_halves(br#"{"a":"b\n"}"#), Cow::Borrowed(_)));
        assert!(matches!(without_halves(b"\\"), Cow::Borrowed(_)));
    }

    #[test]
    fn the_id_of_what_is_cut_off_is_found() {
        for (begin, id) in [
            (&br#"{"name":"x","uuid":"u-1","chat_messages":[{"te"#[..], Some("u-1")),
            (br#"{"big":[[1,{"id":"not me"}]],"id":7,"x":"#, Some("7")),
            (br#"{"name":"x","uu"#, None),
            (br#"{"uuid":"u-"#, None),
            (b"[", None),
            (b"", None),
        ] {
            assert_eq!(id_in(begin).as_deref(), id, "{}", String::from_utf8_lossy(begin));
        }
    }
}
