//! Server-sent events, read as they come in pieces of any size (WHATWG HTML §9.2). Only what the
//! contract uses: `data`, `id`, comments; lines end with LF or CR LF, not with a bare CR.

use std::collections::VecDeque;
use std::mem;

/// Largest event taken, in bytes. The server takes lines of 64 MiB from the Claude CLI, and an
/// event may hold one, escaped once more.
pub(crate) const EVENT_BYTES_MAX: usize = 128 << 20;

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its id, where it has one to come back to: a number or any other text that a header takes.
    pub(crate) id: Option<String>,
    /// Its data; several lines are joined by line feeds.
    pub(crate) data: String,
}

/// An event over [`EVENT_BYTES_MAX`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {EVENT_BYTES_MAX} bytes")]
pub(crate) struct TooLong;

/// Cuts a stream into events.
#[derive(Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    id: Option<String>,
    data: Option<Vec<u8>>,
    last: Option<String>,
}

impl Parser {
    /// Takes the next bytes; appends the events that they complete.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        events: &mut VecDeque<Event>,
    ) -> Result<(), TooLong> {
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            let held = self.line.len() + self.data.as_ref().map_or(0, Vec::len);
            if held + piece.len() > EVENT_BYTES_MAX {
                return Err(TooLong);
            }
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = mem::take(&mut self.line);
                self.end_line(&line, events);
            }
        }
        Ok(())
    }

    /// The last id that was said, also by itself without an event: where to come back to once
    /// every event was taken.
    pub(crate) fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    fn end_line(&mut self, line: &[u8], events: &mut VecDeque<Event>) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            let id = self.id.take();
            if id.is_some() {
                self.last.clone_from(&id);
            }
            if let Some(data) = self.data.take() {
                let data = String::from_utf8_lossy(&data).into_owned();
                events.push_back(Event { id, data });
            }
            return;
        }
        let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"data" => match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.data = Some(value.to_vec()),
            },
            b"id" => self.id = id(value),
            _ => {}
        }
    }
}

/// An id that can be told back; others are passed over.
fn id(value: &[u8]) -> Option<String> {
    let fits = !value.is_empty() && value.iter().all(|b| (b' '..=b'~').contains(b));
    fits.then(|| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = concat!(
        ": hello\n\nid: 1\ndata: {\"a\":\"é\"}\n\n:\n\n",
        "id: 2\r\ndata:b\r\ndata: c\r\n\r\n",
        "data: without\n\nid: s=a;i=3\n\nevent: x\nid: n\u{e9}\ndata\n\nid: 9\ndata: torn",
    );

    fn expected() -> Vec<Event> {
        let event =
            |id: Option<&str>, data: &str| Event { id: id.map(str::to_owned), data: data.into() };
        vec![
            event(Some("1"), "{\"a\":\"é\"}"),
            event(Some("2"), "b\nc"),
            event(None, "without"),
            event(None, ""),
        ]
    }

    #[test]
    fn events_are_the_same_however_the_stream_is_cut() {
        for size in 1..STREAM.len() {
            let (mut parser, mut events) = (Parser::default(), VecDeque::new());
            for piece in STREAM.as_bytes().chunks(size) {
                parser.feed(piece, &mut events).unwrap();
            }
            assert_eq!(Vec::from(events), expected(), "in pieces of {size}");
            assert_eq!(parser.last(), Some("s=a;i=3"), "in pieces of {size}");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let (mut parser, mut events) = (Parser::default(), VecDeque::new());
        let piece = vec![b'x'; 1 << 20];
        let fed = (0..=EVENT_BYTES_MAX >> 20).try_for_each(|_| parser.feed(&piece, &mut events));
        assert_eq!(fed, Err(TooLong));
    }
}
