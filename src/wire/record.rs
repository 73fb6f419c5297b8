//! A line of a session's event log, `state/runs/<session>/events.jsonl`:
//!
//! `{"n":12,"t":3,"at":1790000000000,"e":{"type":"text","delta":"Hello"}}`
//!
//! `n` is the event's id (from 1, without gaps), `t` the number of the turn, `at` milliseconds
//! since 1970, `e` the event as the wire has it, its `type` first. The order of keys is fixed,
//! so a reader can cut the event out without parsing it.

use crate::ChatEvent;
use std::io::Write;

/// A line, cut into its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Id of the event.
    pub id: u64,
    /// Number of the turn.
    pub turn: u64,
    /// Milliseconds since 1970.
    pub at: u64,
    /// The event's `type`.
    pub kind: &'a str,
    /// The event as JSON.
    pub event: &'a str,
}

/// Appends the line of an event.
pub fn write(out: &mut Vec<u8>, id: u64, turn: u64, at: u64, event: &ChatEvent) {
    open(out, id, turn, at);
    serde_json::to_writer(&mut *out, event).expect("an event is always JSON");
    out.extend_from_slice(b"}\n");
}

/// Appends the line of a text piece; the same as [`write`] with less work, for each token.
pub fn write_text(out: &mut Vec<u8>, id: u64, turn: u64, at: u64, delta: &str) {
    open(out, id, turn, at);
    out.extend_from_slice(br#"{"type":"text","delta":"#);
    serde_json::to_writer(&mut *out, delta).expect("text is always JSON");
    out.extend_from_slice(b"}}\n");
}

fn open(out: &mut Vec<u8>, id: u64, turn: u64, at: u64) {
    write!(out, r#"{{"n":{id},"t":{turn},"at":{at},"e":"#).expect("a Vec takes all");
}

impl<'a> Record<'a> {
    /// Cuts a line, with or without its newline. None: not a line of ours, or torn.
    pub fn parse(line: &'a [u8]) -> Option<Record<'a>> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let rest = std::str::from_utf8(line).ok()?;
        let (id, rest) = number(rest.strip_prefix(r#"{"n":"#)?)?;
        let (turn, rest) = number(rest.strip_prefix(r#","t":"#)?)?;
        let (at, rest) = number(rest.strip_prefix(r#","at":"#)?)?;
        let event = rest.strip_prefix(r#","e":"#)?.strip_suffix('}')?;
        let named = event.strip_prefix(r#"{"type":""#)?;
        let kind = &named[..named.find('"')?];
        event.ends_with('}').then_some(Record { id, turn, at, kind, event })
    }

    /// The event, parsed. None where a later version wrote one that is not known here.
    pub fn event(&self) -> Option<ChatEvent> {
        serde_json::from_str(self.event).ok()
    }

    /// Whether a turn ends with it.
    pub fn is_last(&self) -> bool {
        ends_turn(self.kind)
    }
}

/// Whether an event of this type ends a turn. The same set as [`ChatEvent::is_last`].
pub fn ends_turn(kind: &str) -> bool {
    matches!(kind, "done" | "aborted" | "session_unavailable" | "error" | "typed_error")
}

fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(id: u64, turn: u64, at: u64, text: String) {
            let mut short = Vec::new();
            write_text(&mut short, id, turn, at, &text);
            let mut long = Vec::new();
            let event = ChatEvent::Text { content: None, delta: text };
            write(&mut long, id, turn, at, &event);
            prop_assert_eq!(&short, &long);
            let record = Record::parse(&short).expect("our own line");
            prop_assert_eq!((record.id, record.turn, record.at), (id, turn, at));
            prop_assert_eq!(record.event(), Some(event));
        }

        #[test]
        fn a_torn_or_foreign_line_is_none_and_never_a_panic(
            text: String, cut in 0usize..200, junk: Vec<u8>
        ) {
            let mut line = Vec::new();
            write_text(&mut line, 7, 1, 2, &text);
            line.pop();
            let cut = cut.min(line.len() - 1);
            prop_assert_eq!(Record::parse(&line[..cut]), None);
            let _ = Record::parse(&junk);
        }
    }
}
