//! Reading a session's event log without its agent: to replay it to a client when no agent
//! lives, and to show the session's history. Blocking; run it off the event loop.

use bytes::Bytes;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use wire::ChatEvent;
use wire::Timestamp;
use wire::chat::TextMode;
use wire::frames::{Framer, frame_without_id};
use wire::record::Record;
use wire::session::Message;

/// What a replay found.
pub(crate) struct Replayed {
    /// Frames, in pieces of a bounded size each.
    pub(crate) pieces: Vec<Bytes>,
    /// The last turn has no end: its agent was killed, and a new one has to end it.
    pub(crate) unfinished: bool,
    /// Newest event.
    pub(crate) last_id: u64,
}

const PIECE_BYTES: usize = 64 * 1024;

/// Everything after an event, framed. An empty log gives nothing.
pub(crate) fn replay(dir: &Path, text: TextMode, after: u64) -> io::Result<Replayed> {
    let mut framer = Framer::new(text, after);
    let mut out = Replayed {
        pieces: Vec::new(),
        unfinished: false,
        last_id: 0,
    };
    let mut piece = Vec::new();
    let mut first = None;
    each_record(dir, |record| {
        if first.is_none() && after + 1 < record.id {
            piece.extend_from_slice(&reset(record.id));
        }
        first.get_or_insert(record.id);
        out.last_id = record.id;
        out.unfinished = !record.is_last();
        // A clock that stands still: held-back text goes out with what follows it.
        framer.take(record, 0, &mut piece);
        if piece.len() >= PIECE_BYTES {
            out.pieces.push(std::mem::take(&mut piece).into());
        }
    })?;
    framer.flush(0, &mut piece);
    if after > out.last_id && first.is_some() {
        // An id from a log that is no more: all there is, from its begin.
        let mut whole = replay(dir, text, 0)?;
        whole.pieces.insert(0, reset(first.unwrap_or(1)).into());
        return Ok(whole);
    }
    if !piece.is_empty() {
        out.pieces.push(piece.into());
    }
    Ok(out)
}

fn reset(oldest: u64) -> Vec<u8> {
    let message = "older events are no longer kept; what follows begins at the oldest there is";
    frame_without_id(&ChatEvent::Reset {
        oldest,
        message: message.into(),
    })
}

/// The conversation as the log has it.
pub(crate) struct Messages {
    /// In order.
    pub(crate) messages: Vec<Message>,
    /// Whether the log goes back to the session's begin.
    pub(crate) complete: bool,
}

/// Reads the conversation out of the log; None if there is no log.
pub(crate) fn messages(dir: &Path) -> io::Result<Option<Messages>> {
    let mut out = Messages {
        messages: Vec::new(),
        complete: false,
    };
    let mut answer = Answer::default();
    let mut any = false;
    each_record(dir, |record| {
        if !any {
            any = true;
            out.complete = record.id == 1
                && matches!(record.event(), Some(ChatEvent::Session { resume_info, .. })
                    if resume_info.previous_message_count == 0);
        }
        let at = i64::try_from(record.at).unwrap_or_default();
        match record.kind {
            "text" | "text_reset" | "tool_use" => answer.hear(record, at),
            "user_message" => {
                if let Some(ChatEvent::UserMessage { content, .. }) = record.event() {
                    let role = "user".into();
                    let timestamp = Some(Timestamp::from_millis(at).to_string());
                    out.messages.push(Message {
                        role,
                        content,
                        timestamp,
                    });
                }
            }
            _ if record.is_last() => out.messages.extend(answer.whole()),
            _ => {}
        }
    })?;
    out.messages.extend(answer.whole());
    Ok(any.then_some(out))
}

/// The text of a turn, gathered.
#[derive(Default)]
struct Answer {
    before: String,
    here: String,
    at: i64,
}

impl Answer {
    fn hear(&mut self, record: &Record<'_>, at: i64) {
        self.at = at;
        match record.event() {
            Some(ChatEvent::Text { delta, .. }) => self.here.push_str(&delta),
            Some(ChatEvent::TextReset { content }) => self.here = content,
            Some(ChatEvent::ToolUse { .. }) => self.settle(),
            _ => {}
        }
    }

    fn settle(&mut self) {
        let here = std::mem::take(&mut self.here);
        if !here.trim().is_empty() {
            if !self.before.is_empty() {
                self.before.push_str("\n\n");
            }
            self.before.push_str(&here);
        }
    }

    fn whole(&mut self) -> Option<Message> {
        self.settle();
        let content = std::mem::take(&mut self.before);
        let timestamp = Some(Timestamp::from_millis(self.at).to_string());
        (!content.is_empty()).then(|| Message {
            role: "assistant".into(),
            content,
            timestamp,
        })
    }
}

/// Shows every whole line of the log. A log that is not there has none.
fn each_record(dir: &Path, mut show: impl FnMut(&Record<'_>)) -> io::Result<()> {
    let file = match File::open(dir.join("events.jsonl")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::with_capacity(64 * 1024, file);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if line.last() == Some(&b'\n')
            && let Some(record) = Record::parse(&line)
        {
            show(&record);
        }
        line.clear();
    }
    Ok(())
}
