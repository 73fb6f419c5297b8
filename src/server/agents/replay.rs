//! Reading a session's event log without its agent: to replay it to a client when no agent
//! lives, and to show the session's history. Blocking; run it off the event loop.

use crate::limits::REPLAY_PIECE_BYTES;
use bytes::Bytes;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;
use tokio::sync::mpsc;
use wire::ChatEvent;
use wire::Timestamp;
use wire::chat::TextMode;
use wire::frames::{Framer, frame_without_id};
use wire::record::Record;
use wire::session::Message;

/// What a replay found.
#[derive(Default)]
pub(crate) struct Replayed {
    /// The last turn has no end: its agent was killed, and a new one has to end it.
    pub(crate) unfinished: bool,
    /// Newest event that was sent.
    pub(crate) last_id: u64,
}

/// Sends everything after an event, framed, in pieces. An empty log gives nothing.
pub(crate) fn replay(
    dir: &Path,
    text: TextMode,
    after: u64,
    pieces: &mpsc::Sender<Bytes>,
) -> io::Result<Replayed> {
    let (first, last) = (first_id(dir)?, last_id(dir)?);
    let mut piece = Vec::new();
    // Older than what is kept, or an id from a log that is no more.
    let lost = after.saturating_add(1) < first || after > last;
    if lost && first > 0 {
        piece.extend_from_slice(&reset(first));
    }
    let mut framer = Framer::new(text, if lost { 0 } else { after });
    let mut out = Replayed::default();
    let mut listened = true;
    each_record(dir, |record| {
        out.last_id = record.id;
        out.unfinished = !record.is_last();
        if !listened {
            return;
        }
        // A clock that stands still: held-back text goes out with what follows it.
        framer.take(record, 0, &mut piece);
        if piece.len() >= REPLAY_PIECE_BYTES {
            listened = pieces.blocking_send(std::mem::take(&mut piece).into()).is_ok();
        }
    })?;
    framer.flush(0, &mut piece);
    if !piece.is_empty() && listened {
        // A client that has left misses nothing.
        let _ = pieces.blocking_send(piece.into());
    }
    Ok(out)
}

/// Newest event of the log; 0 without one.
pub(crate) fn last_id(dir: &Path) -> io::Result<u64> {
    let Some(file) = open(dir)? else { return Ok(0) };
    let length = file.metadata()?.len();
    let mut back = REPLAY_PIECE_BYTES as u64;
    loop {
        let from = length.saturating_sub(back);
        let mut end = vec![0; usize::try_from(length - from).unwrap_or_default()];
        file.read_exact_at(&mut end, from)?;
        let lines = end.split_inclusive(|b| *b == b'\n').rev().filter(|l| l.ends_with(b"\n"));
        // The first piece may be the end of a longer line.
        let found = lines.filter_map(Record::parse).map(|record| record.id).next();
        if found.is_some() || from == 0 {
            return Ok(found.unwrap_or(0));
        }
        back *= 8;
    }
}

fn first_id(dir: &Path) -> io::Result<u64> {
    let Some(file) = open(dir)? else { return Ok(0) };
    let mut line = Vec::new();
    BufReader::new(file).read_until(b'\n', &mut line)?;
    Ok(Record::parse(&line).map_or(0, |record| record.id))
}

fn reset(oldest: u64) -> Vec<u8> {
    let message = "older events are no longer kept; what follows begins at the oldest there is";
    frame_without_id(&ChatEvent::Reset { oldest, message: message.into() })
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
    let mut out = Messages { messages: Vec::new(), complete: false };
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
                    out.messages.push(Message { role, content, timestamp });
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
        (!content.is_empty()).then(|| Message { role: "assistant".into(), content, timestamp })
    }
}

fn open(dir: &Path) -> io::Result<Option<File>> {
    match File::open(dir.join("events.jsonl")) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Shows every whole line of the log. A log that is not there has none.
fn each_record(dir: &Path, mut show: impl FnMut(&Record<'_>)) -> io::Result<()> {
    let Some(file) = open(dir)? else { return Ok(()) };
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
