//! From records of the event log to server-sent events, in each of the three text modes
//! (DESIGN §4.3). Pure: records and a clock's milliseconds go in, bytes come out; what to read
//! and when to wait is the caller's.
//!
//! Cumulative text is quadratic in the length of an answer, so it is coalesced: the first piece
//! at once, then at most 25 events a second, spaced further as the text grows so that one
//! client costs at most [`CONTENT_BYTES_PER_SECOND`]. A coalesced event carries the id of the
//! last piece it covers. What must be equal after any number of breaks is the text and the
//! other events, not the framing.

use crate::ChatEvent;
use crate::chat::TextMode;
use crate::record::Record;
use std::io::Write;

/// Shortest time between two cumulative text events.
pub const TEXT_EVENT_MS_MIN: u64 = 40;
/// What cumulative text may cost one client.
pub const CONTENT_BYTES_PER_SECOND: u64 = 256 * 1024;

/// Turns the records of one session, in order, into frames for one client.
///
/// Feed it from the begin of the turn in which `after` lies: it needs the text since the last
/// tool call, although it sends only what is newer than `after`.
pub struct Framer {
    mode: TextMode,
    after: u64,
    turn: u64,
    /// Text since the last tool call, as the inside of a JSON string.
    text: Vec<u8>,
    /// How much of it the client has had as deltas.
    said: usize,
    /// Id of the newest piece the client has not had.
    owed: Option<u64>,
    thought: Thought,
    next_at_ms: u64,
}

#[derive(Default)]
struct Thought {
    text: String,
    block: Option<u64>,
    id: u64,
}

impl Framer {
    /// For a client that has had everything up to `after`.
    pub fn new(mode: TextMode, after: u64) -> Framer {
        Framer {
            mode,
            after,
            turn: 0,
            text: Vec::new(),
            said: 0,
            owed: None,
            thought: Thought::default(),
            next_at_ms: 0,
        }
    }

    /// Takes the next record; appends what the client gets now.
    pub fn take(&mut self, record: &Record<'_>, now_ms: u64, out: &mut Vec<u8>) {
        match self.mode {
            TextMode::Delta => self.pass(record, out),
            TextMode::None if matches!(record.kind, "text" | "thinking" | "text_reset") => {}
            TextMode::None => self.pass(record, out),
            TextMode::Content => self.gather(record, now_ms, out),
        }
    }

    /// When text that was held back wants to go, if some is.
    pub fn due_ms(&self) -> Option<u64> {
        self.owed.map(|_| self.next_at_ms)
    }

    /// Sends the text that was held back.
    pub fn flush(&mut self, now_ms: u64, out: &mut Vec<u8>) {
        let Some(id) = self.owed.take() else { return };
        let before = out.len();
        write!(out, "id: {id}\ndata: {{\"type\":\"text\",\"content\":\"").expect("a Vec takes all");
        out.extend_from_slice(&self.text);
        out.extend_from_slice(b"\",\"delta\":\"");
        out.extend_from_slice(&self.text[self.said..]);
        out.extend_from_slice(b"\"}\n\n");
        self.said = self.text.len();
        let cost_ms = (out.len() - before) as u64 * 1000 / CONTENT_BYTES_PER_SECOND;
        self.next_at_ms = now_ms + cost_ms.max(TEXT_EVENT_MS_MIN);
    }

    fn pass(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        if record.id > self.after {
            frame(out, record.id, record.event);
        }
    }

    fn gather(&mut self, record: &Record<'_>, now_ms: u64, out: &mut Vec<u8>) {
        let fresh = record.id > self.after;
        if record.turn != self.turn {
            self.settle(now_ms, out);
            self.turn = record.turn;
            self.text.clear();
            self.said = 0;
        }
        match record.kind {
            "text" => {
                self.settle_thought(out);
                append_delta(&mut self.text, record);
                self.owe(record.id, fresh);
            }
            "text_reset" => {
                self.settle_thought(out);
                self.text.clear();
                if let Some(ChatEvent::TextReset { content }) = record.event() {
                    append_escaped(&mut self.text, &content);
                }
                self.said = self.text.len();
                self.owe(record.id, fresh);
            }
            "thinking" => {
                self.flush(now_ms, out);
                self.think(record, fresh, out);
            }
            _ => {
                self.settle(now_ms, out);
                if record.kind == "tool_use" {
                    self.text.clear();
                    self.said = 0;
                }
                self.pass(record, out);
            }
        }
        if self.owed.is_some() && now_ms >= self.next_at_ms {
            self.flush(now_ms, out);
        }
    }

    fn owe(&mut self, id: u64, fresh: bool) {
        if fresh {
            self.owed = Some(id);
        } else {
            self.said = self.text.len();
        }
    }

    fn settle(&mut self, now_ms: u64, out: &mut Vec<u8>) {
        self.settle_thought(out);
        self.flush(now_ms, out);
    }

    /// The app appends each thinking event as a block of its own, so it gets whole blocks.
    fn think(&mut self, record: &Record<'_>, fresh: bool, out: &mut Vec<u8>) {
        let Some(ChatEvent::Thinking { delta, block, .. }) = record.event() else {
            return;
        };
        if block != self.thought.block {
            self.settle_thought(out);
        }
        self.thought.block = block;
        self.thought.text.push_str(delta.as_deref().unwrap_or_default());
        if fresh {
            self.thought.id = record.id;
        }
    }

    fn settle_thought(&mut self, out: &mut Vec<u8>) {
        let Thought { text, id, .. } = std::mem::take(&mut self.thought);
        if id == 0 || text.is_empty() {
            return;
        }
        let event = ChatEvent::Thinking { content: Some(text), delta: None, block: None };
        frame(out, id, &serde_json::to_string(&event).expect("an event is always JSON"));
    }
}

/// One event as the wire has it: `id`, `data` on one line, an empty line.
pub fn frame(out: &mut Vec<u8>, id: u64, event: &str) {
    write!(out, "id: {id}\ndata: ").expect("a Vec takes all");
    out.extend_from_slice(event.as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// An event that stands in no log, and so has no id to come back to.
pub fn frame_without_id(event: &ChatEvent) -> Vec<u8> {
    let mut out = b"data: ".to_vec();
    serde_json::to_writer(&mut out, event).expect("an event is always JSON");
    out.extend_from_slice(b"\n\n");
    out
}

fn append_delta(text: &mut Vec<u8>, record: &Record<'_>) {
    let inside = record.event.strip_prefix(r#"{"type":"text","delta":""#);
    match inside.and_then(|rest| rest.strip_suffix(r#""}"#)) {
        Some(escaped) => text.extend_from_slice(escaped.as_bytes()),
        None => {
            if let Some(ChatEvent::Text { delta, .. }) = record.event() {
                append_escaped(text, &delta);
            }
        }
    }
}

fn append_escaped(text: &mut Vec<u8>, plain: &str) {
    let quoted = serde_json::to_string(plain).expect("text is always JSON");
    text.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
}

/// What a client ends up with: the text, and the other events in order. The measure of "equal
/// after any number of breaks".
#[derive(Debug, Default, PartialEq)]
pub struct Heard {
    /// For each stretch between tool calls, its text.
    pub texts: Vec<String>,
    /// Everything but text.
    pub others: Vec<String>,
    /// Newest id.
    pub last_id: u64,
}

impl Heard {
    /// Takes frames as they came, whole ones only, from a stream of either mode.
    pub fn hear(&mut self, frames: &str) {
        for frame in frames.split("\n\n").filter(|f| !f.is_empty()) {
            let mut id = None;
            for line in frame.lines() {
                if let Some(number) = line.strip_prefix("id: ") {
                    id = number.parse().ok();
                } else if let Some(data) = line.strip_prefix("data: ") {
                    self.hear_event(data);
                }
            }
            self.last_id = id.unwrap_or(self.last_id);
        }
    }

    fn hear_event(&mut self, data: &str) {
        let event = serde_json::from_str(data);
        if self.texts.is_empty() {
            self.texts.push(String::new());
        }
        let here = self.texts.last_mut().expect("just pushed");
        match event {
            Ok(ChatEvent::Text { content: Some(content), .. }) => *here = content,
            Ok(ChatEvent::Text { content: None, delta }) => here.push_str(&delta),
            Ok(ChatEvent::TextReset { content }) => *here = content,
            Ok(ChatEvent::Thinking { content, delta, .. }) => {
                let more = content.or(delta).unwrap_or_default();
                match self.others.last_mut() {
                    Some(last) if last.starts_with("thinking ") => last.push_str(&more),
                    _ => self.others.push(format!("thinking {more}")),
                }
            }
            other => {
                if matches!(other, Ok(ChatEvent::ToolUse { .. } | ChatEvent::Session { .. })) {
                    self.texts.push(String::new());
                }
                self.others.push(data.to_owned());
            }
        }
    }
}
