//! One entry of the journal as `journalctl -o export` writes it, by systemd's "Journal Export
//! Format": fields as `NAME=value` on lines, or, where the value is not all printable UTF-8 in
//! one line, the name on a line, its length in eight bytes, the value; an empty line ends it.
//! (`-o json` says the same, and costs journalctl four times as much.)

use super::{AGENT_UNIT, Entry, FIELD_BYTES_MAX, FIELDS_MAX, MESSAGE_BYTES_MAX};
use crate::log::PREFIX;
use serde_json::Value;
use std::borrow::Cow;

/// The fields of an entry that are of interest, as they were written.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Raw<'a> {
    pub(super) cursor: &'a [u8],
    time: &'a [u8],
    /// Since the machine began.
    clock: &'a [u8],
    /// What was said, perhaps several times.
    messages: Vec<&'a [u8]>,
    priority: &'a [u8],
    pid: &'a [u8],
    /// Its name for itself, and the kernel's.
    program: &'a [u8],
    command: &'a [u8],
    /// The unit of the process that said it.
    pub(super) by: &'a [u8],
    /// The unit that the manager speaks of.
    pub(super) about: &'a [u8],
    /// The slice of the process's unit.
    pub(super) slice: &'a [u8],
    /// The user who ran the process.
    uid: &'a [u8],
    /// The boot's id.
    pub(super) boot: &'a [u8],
    session: &'a [u8],
    pub(super) turn: &'a [u8],
    /// Our own other fields, without the prefix.
    own: Vec<(&'a [u8], &'a [u8])>,
}

/// How far a piece of the journal goes.
pub(super) enum Piece<'a> {
    /// An entry, and the bytes that it takes.
    Entry(Box<Raw<'a>>, usize),
    /// Not a whole one.
    Part,
}

/// One field's name and value, and what comes after it; no name: the end of the entry.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let end = bytes.iter().position(|b| *b == b'\n')?;
    let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
    if let Some(at) = line.iter().position(|b| *b == b'=') {
        return Some((&line[..at], &line[at + 1..], rest));
    }
    if line.is_empty() {
        return Some((line, line, rest));
    }
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let value = rest.get(..length)?;
    Some((line, value, rest.get(length + 1..)?))
}

/// Reads the entry at the beginning of `bytes`.
pub(super) fn read(bytes: &[u8]) -> Piece<'_> {
    let mut raw = Box::new(Raw::default());
    let mut rest = bytes;
    loop {
        let Some((name, value, after)) = field(rest) else {
            return Piece::Part;
        };
        rest = after;
        if name.is_empty() {
            return Piece::Entry(raw, bytes.len() - rest.len());
        }
        raw.take(name, value);
    }
}

impl<'a> Raw<'a> {
    fn take(&mut self, name: &'a [u8], value: &'a [u8]) {
        let once = match name {
            b"__CURSOR" => &mut self.cursor,
            b"__MONOTONIC_TIMESTAMP" => &mut self.clock,
            b"__REALTIME_TIMESTAMP" => &mut self.time,
            b"PRIORITY" => &mut self.priority,
            b"SYSLOG_IDENTIFIER" => &mut self.program,
            b"USER_UNIT" => &mut self.about,
            b"_BOOT_ID" => &mut self.boot,
            b"_COMM" => &mut self.command,
            b"_PID" => &mut self.pid,
            b"_SYSTEMD_USER_SLICE" => &mut self.slice,
            b"_SYSTEMD_USER_UNIT" => &mut self.by,
            b"_UID" => &mut self.uid,
            b"MESSAGE" => return self.messages.push(value),
            _ => {
                let own = name.strip_prefix(PREFIX.as_bytes()).and_then(|n| n.strip_prefix(b"_"));
                match own {
                    Some(b"SESSION") => &mut self.session,
                    Some(b"TURN") => &mut self.turn,
                    Some(own) if self.own.len() < FIELDS_MAX => return self.own.push((own, value)),
                    _ => return,
                }
            }
        };
        if once.is_empty() {
            *once = value;
        }
    }

    /// Forgets what was said before the last.
    pub(super) fn last_message_only(&mut self) {
        self.messages.drain(..self.messages.len().saturating_sub(1));
    }

    /// The unit that it belongs to.
    fn unit(&self) -> &'a [u8] {
        if self.about.is_empty() { self.by } else { self.about }
    }

    /// The session it is about: by its own word, or because the session's agent said it.
    pub(super) fn session(&self) -> &'a [u8] {
        if self.session.is_empty() { session_of(self.unit()) } else { self.session }
    }

    pub(super) fn priority(&self) -> Option<u8> {
        number(self.priority).filter(|level| *level <= 7)
    }

    /// When, in microseconds since the machine began.
    pub(super) fn clock_us(&self) -> Option<u64> {
        number(self.clock)
    }

    pub(super) fn uid(&self) -> Option<u32> {
        number(self.uid)
    }

    /// The entry as it is given to others.
    pub(super) fn entry(&self) -> Entry {
        let some = |bytes: &[u8]| Some(text(bytes, FIELD_BYTES_MAX)).filter(|t| !t.is_empty());
        let mut entry = Entry {
            cursor: text(self.cursor, FIELD_BYTES_MAX),
            time_us: number(self.time),
            unit: some(self.unit()),
            priority: self.priority(),
            pid: number(self.pid),
            program: some(self.program).or_else(|| some(self.command)),
            session: some(self.session()),
            turn: some(self.turn),
            message: match self.messages[..] {
                [] => String::new(),
                [one] => text(one, MESSAGE_BYTES_MAX),
                ref several => text(&several.join(&b'\n'), MESSAGE_BYTES_MAX),
            },
            fields: serde_json::Map::new(),
        };
        for (name, value) in &self.own {
            let name = text(name, FIELD_BYTES_MAX).to_ascii_lowercase();
            let value = Value::String(text(value, FIELD_BYTES_MAX));
            match entry.fields.get_mut(&name) {
                None => drop(entry.fields.insert(name, value)),
                Some(Value::Array(list)) => list.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
            }
        }
        entry
    }
}

fn number<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// The session whose agent a unit is; empty for others.
fn session_of(unit: &[u8]) -> &[u8] {
    let session = unit.strip_prefix(AGENT_UNIT.as_bytes());
    session.and_then(|session| session.strip_suffix(b".service")).unwrap_or_default()
}

/// The text in bytes that some program wrote: what is not UTF-8 replaced, the sequences by
/// which terminals are coloured or commanded taken out, other control characters replaced; of
/// `max` bytes, with a word about the rest.
pub(super) fn text(bytes: &[u8], max: usize) -> String {
    let printed = printable(bytes);
    if printed.len() <= max {
        return printed.into_owned();
    }
    let end = printed.floor_char_boundary(max);
    format!("{} … ({} bytes more)", &printed[..end], printed.len() - end)
}

fn printable(bytes: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(bytes);
    // Of the bytes that begin a control character none stands for anything else but C2.
    let suspicious = |b: u8| b < 0x20 && b != b'\n' && b != b'\t' || b == 0x7f || b == 0xc2;
    if !text.bytes().any(suspicious) {
        return text;
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
    out.into()
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

#[cfg(test)]
mod tests;
