//! The session's event log: append first, then tell. One writer (this process, which holds the
//! session's lock), any number of followers, who read the file at their own pace; a slow one
//! costs nobody anything.
//!
//! Opening repairs what a crash left: a torn last line is cut off, and a turn that has no end
//! is reported, so that the session can say what is uncertain. An over-long log loses its
//! oldest turns then, and only then. The line format is `wire::record`.

use crate::limits::{BUFFER_KEPT_BYTES_MAX, LOG_BYTES_MAX, RESERVE_BYTES};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use wire::ChatEvent;
use wire::chat::{ToolCall, Usage};
use wire::record::{self, Record};

/// How far the log goes; followers wait for it to change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    /// Bytes of whole lines.
    pub(crate) end: u64,
    /// Newest event.
    pub(crate) last_id: u64,
    /// No turn runs and none waits.
    pub(crate) at_rest: bool,
}

/// Where a turn stands in the log.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) number: u64,
    pub(crate) turn: String,
    pub(crate) first_id: u64,
    pub(crate) offset: u64,
}

/// What an opened log tells of the past.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// Messages of the session after the last turn.
    pub(crate) message_count: i64,
    /// The CLI's running total of cost.
    pub(crate) total_cost_usd: Option<f64>,
    /// A turn that never ended.
    pub(crate) unfinished: Option<Unfinished>,
}

impl Past {
    fn charge(&mut self, usage: Option<Usage>) {
        let total = usage.and_then(|usage| usage.total_cost_usd);
        self.total_cost_usd = total.or(self.total_cost_usd);
    }
}

/// A turn that a crash broke off.
#[derive(Debug, Default)]
pub(crate) struct Unfinished {
    /// Calls without a result: whether they took effect is not known.
    pub(crate) calls: Vec<ToolCall>,
    /// Messages of the user in it.
    pub(crate) asked: i64,
    /// Whether text had come.
    pub(crate) answered: bool,
}

struct Writer {
    file: File,
    marks: Vec<Mark>,
    reserve: Reserve,
}

/// Room on the disk for the words that end a turn, held as a file.
struct Reserve {
    path: PathBuf,
    held: bool,
}

/// The log.
pub(crate) struct Log {
    path: PathBuf,
    writer: Mutex<Writer>,
    tail: watch::Sender<Tail>,
    /// First id there is; older ones were trimmed.
    first_id: u64,
}

/// Events gathered for one append.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    events: u64,
    begins: Option<(String, u64, usize)>,
}

impl Log {
    /// Opens or makes the log in `dir`, which must exist.
    pub(crate) fn open(dir: &Path) -> io::Result<(Arc<Log>, Past)> {
        let path = dir.join("events.jsonl");
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.open(&path)?;
        if file.metadata()?.len() > LOG_BYTES_MAX {
            trim(&path)?;
            file = options.open(&path)?;
        }
        let scanned = scan(&file)?;
        file.set_len(scanned.end)?;
        // One that a killed agent left is spent where the end of its turn finds no room.
        let mut reserve = Reserve { path: dir.join("reserve"), held: false };
        reserve.held = reserve.path.metadata().is_ok_and(|held| held.len() == RESERVE_BYTES);
        let tail = Tail { end: scanned.end, last_id: scanned.last_id, at_rest: true };
        let log = Log {
            path,
            first_id: scanned.first_id,
            writer: Mutex::new(Writer { file, marks: scanned.marks, reserve }),
            tail: watch::Sender::new(tail),
        };
        Ok((Arc::new(log), scanned.past))
    }

    /// Number of the newest turn.
    pub(crate) fn last_turn(&self) -> u64 {
        self.writer().marks.last().map_or(0, |m| m.number)
    }

    /// Begins a batch of turn `number`.
    pub(crate) fn batch(&self) -> Batch {
        Batch::default()
    }

    /// Writes the batch, then tells the followers. On an error nothing of it is in the log.
    pub(crate) fn append(&self, batch: &mut Batch) -> io::Result<()> {
        if batch.events == 0 {
            return Ok(());
        }
        let mut writer = self.writer();
        let mut tail = *self.tail.borrow();
        if let Err(error) = writer.file.write_all(&batch.bytes) {
            // Half a batch is worse than none.
            writer.file.set_len(tail.end)?;
            return Err(error);
        }
        if let Some((turn, number, at)) = batch.begins.take() {
            let offset = tail.end + at as u64;
            writer.marks.push(Mark { number, turn, first_id: tail.last_id + 1, offset });
        }
        tail.end += batch.bytes.len() as u64;
        tail.last_id += batch.events;
        batch.bytes.clear();
        batch.bytes.shrink_to(BUFFER_KEPT_BYTES_MAX);
        batch.events = 0;
        self.tail.send_replace(tail);
        Ok(())
    }

    /// Says whether work is under way.
    pub(crate) fn rest(&self, at_rest: bool) {
        self.tail.send_if_modified(|tail| {
            let changed = tail.at_rest != at_rest;
            tail.at_rest = at_rest;
            changed
        });
    }

    /// Sees to it that a turn can end in words on a disk that fills up meanwhile. An error means
    /// that there is no room for that, and that no turn should begin.
    pub(crate) fn hold_reserve(&self) -> io::Result<()> {
        let reserve = &mut self.writer().reserve;
        if !reserve.held {
            // Zeros that are written, not a hole: only they take their room.
            reserve.held = true;
            if let Err(error) = std::fs::write(&reserve.path, vec![0u8; RESERVE_BYTES as usize]) {
                reserve.spend();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes room on a full disk for the words that end a turn.
    pub(crate) fn spend_reserve(&self) {
        self.writer().reserve.spend();
    }

    /// How far it goes, and to wait for more.
    pub(crate) fn tail(&self) -> watch::Receiver<Tail> {
        self.tail.subscribe()
    }

    /// First id there is.
    pub(crate) fn first_id(&self) -> u64 {
        self.first_id
    }

    /// The turn of this id, if it has begun.
    pub(crate) fn mark(&self, turn: &str) -> Option<Mark> {
        self.writer().marks.iter().rev().find(|m| m.turn == turn).cloned()
    }

    /// Where the turn begins in which event `id` lies.
    pub(crate) fn offset_before(&self, id: u64) -> u64 {
        let writer = self.writer();
        let mark = writer.marks.iter().rev().find(|m| m.first_id <= id);
        mark.map_or(0, |m| m.offset)
    }

    /// A reader of its own.
    pub(crate) fn reader(&self) -> io::Result<File> {
        File::open(&self.path)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reserve {
    fn spend(&mut self) {
        if std::mem::take(&mut self.held)
            && let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "could not free the log's reserve");
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.spend_reserve();
    }
}

impl Batch {
    /// Adds an event of turn `number`.
    pub(crate) fn push(&mut self, log: &Log, number: u64, event: &ChatEvent) {
        if let ChatEvent::Session { turn_id, .. } = event {
            self.begins = Some((turn_id.clone(), number, self.bytes.len()));
        }
        let id = self.next_id(log);
        record::write(&mut self.bytes, id, number, now_millis(), event);
    }

    /// Adds a piece of text.
    pub(crate) fn push_text(&mut self, log: &Log, number: u64, delta: &str) {
        let id = self.next_id(log);
        record::write_text(&mut self.bytes, id, number, now_millis(), delta);
    }

    fn next_id(&mut self, log: &Log) -> u64 {
        self.events += 1;
        log.tail.borrow().last_id + self.events
    }
}

fn now_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

#[derive(Default)]
struct Scanned {
    /// Where the line begins that is looked at.
    at: u64,
    /// Where the last readable one ends.
    end: u64,
    first_id: u64,
    last_id: u64,
    marks: Vec<Mark>,
    past: Past,
}

fn scan(file: &File) -> io::Result<Scanned> {
    let mut found = Scanned { first_id: 1, ..Scanned::default() };
    let mut reader = BufReader::new(file.try_clone()?);
    reader.seek(SeekFrom::Start(0))?;
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)? as u64;
        if length == 0 {
            break;
        }
        let whole = line.last() == Some(&b'\n');
        match Record::parse(&line).filter(|_| whole) {
            Some(record) => {
                if found.end == 0 {
                    found.first_id = record.id;
                }
                found.look(&record);
                found.last_id = found.last_id.max(record.id);
                found.end = found.at + length;
            }
            // Followers pass over it too. What no readable line follows is cut off.
            None => tracing::warn!(at = found.at, length, "a line of the event log is unreadable"),
        }
        found.at += length;
    }
    Ok(found)
}

impl Scanned {
    fn look(&mut self, record: &Record<'_>) {
        let open = &mut self.past.unfinished;
        match record.kind {
            "text" => {
                if let Some(open) = open {
                    open.answered = true;
                }
            }
            "session" | "tool_use" | "tool_result" | "user_message" => match record.event() {
                Some(ChatEvent::Session { turn_id, .. }) => {
                    self.marks.push(Mark {
                        number: record.turn,
                        turn: turn_id,
                        first_id: record.id,
                        offset: self.at,
                    });
                    *open = Some(Unfinished::default());
                }
                Some(ChatEvent::UserMessage { .. }) => {
                    if let Some(open) = open {
                        open.asked += 1;
                    }
                }
                Some(ChatEvent::ToolUse { tool }) => {
                    if let Some(open) = open {
                        open.calls.push(tool);
                    }
                }
                Some(ChatEvent::ToolResult { tool_use_id, .. }) => {
                    if let Some(open) = open {
                        open.calls.retain(|c| c.id != tool_use_id);
                    }
                }
                _ => {}
            },
            _ if record.is_last() => {
                *open = None;
                self.end_of_turn(record.event());
            }
            _ => {}
        }
    }

    fn end_of_turn(&mut self, event: Option<ChatEvent>) {
        let past = &mut self.past;
        match event {
            Some(ChatEvent::Done(done)) => {
                past.message_count = done.message_count;
                past.charge(Some(done.usage));
            }
            Some(ChatEvent::Aborted { message_count, usage, .. }) => {
                past.message_count = message_count;
                past.charge(usage);
            }
            Some(ChatEvent::SessionUnavailable { message_count, .. }) => {
                past.message_count = message_count;
            }
            Some(ChatEvent::TypedError(error)) => {
                past.message_count = error.message_count.unwrap_or(past.message_count);
                past.charge(error.usage);
            }
            _ => {}
        }
    }
}

/// Drops the oldest turns, so that about half of the bound is left.
fn trim(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let scanned = scan(&file)?;
    let keep_from = length - LOG_BYTES_MAX / 2;
    let Some(mark) = scanned.marks.iter().find(|m| m.offset >= keep_from) else {
        // One turn larger than the bound: it is kept whole.
        return Ok(());
    };
    let part = path.with_extension("part");
    let mut to =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    let mut offset = mark.offset;
    let mut piece = vec![0u8; 1 << 16];
    loop {
        let read = file.read_at(&mut piece, offset)?;
        if read == 0 {
            break;
        }
        to.write_all(&piece[..read])?;
        offset += read as u64;
    }
    to.sync_all()?;
    std::fs::rename(&part, path)?;
    tracing::info!(dropped = mark.offset, "the event log was over its bound; old turns are gone");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(turn: &str) -> ChatEvent {
        ChatEvent::Session {
            session_id: None,
            working_directory: None,
            resume_info: Default::default(),
            session_resume: Default::default(),
            trust_level: None,
            trust: None,
            title: None,
            turn_id: turn.into(),
        }
    }

    #[test]
    fn a_torn_line_is_cut_and_an_unfinished_turn_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let (log, _) = Log::open(dir.path()).expect("a fresh log");
        let mut batch = log.batch();
        batch.push(&log, 1, &session("t1"));
        batch.push(&log, 1, &ChatEvent::UserMessage { content: "x".into(), injected: false });
        let tool = ToolCall { id: "c1".into(), name: "Bash".into(), input: Default::default() };
        batch.push(&log, 1, &ChatEvent::ToolUse { tool });
        log.append(&mut batch).expect("written");
        drop(log);
        let path = dir.path().join("events.jsonl");
        let mut file = OpenOptions::new().append(true).open(&path).expect("the log");
        file.write_all(br#"{"n":4,"t":1,"at":1,"e":{"type":"te"#).expect("torn");

        let (log, past) = Log::open(dir.path()).expect("repaired");
        assert_eq!(log.tail().borrow().last_id, 3);
        let unfinished = past.unfinished.expect("told");
        assert_eq!(unfinished.calls.len(), 1);
        assert_eq!((unfinished.asked, unfinished.answered), (1, false));
        assert_eq!(log.mark("t1").expect("found").first_id, 1);
        let text = std::fs::read_to_string(path).expect("the log");
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn a_line_that_cannot_be_read_costs_itself_and_nothing_behind_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let (log, _) = Log::open(dir.path()).expect("a fresh log");
        for turn in 1..=3u64 {
            let mut batch = log.batch();
            batch.push(&log, turn, &session(&turn.to_string()));
            batch.push_text(&log, turn, "text");
            log.append(&mut batch).expect("written");
        }
        drop(log);
        let path = dir.path().join("events.jsonl");
        let mut bytes = std::fs::read(&path).expect("the log");
        let second = bytes.iter().position(|b| *b == b'\n').expect("a line") + 3;
        bytes[second..second + 4].fill(0);
        std::fs::write(&path, &bytes).expect("written");
        let (log, _) = Log::open(dir.path()).expect("opened");
        assert_eq!(log.tail().borrow().last_id, 6);
        assert_eq!(log.tail().borrow().end, bytes.len() as u64);
        let mark = log.mark("3").expect("the turn behind it");
        assert!(bytes[mark.offset as usize..].starts_with(b"{\"n\":5,"));
    }

    #[test]
    fn an_over_long_log_loses_whole_turns_from_its_begin() {
        let dir = tempfile::tempdir().expect("a folder");
        let (log, _) = Log::open(dir.path()).expect("a fresh log");
        let long = "x".repeat(1 << 20);
        for turn in 1..=70u64 {
            let mut batch = log.batch();
            batch.push(&log, turn, &session(&turn.to_string()));
            batch.push_text(&log, turn, &long);
            log.append(&mut batch).expect("written");
        }
        drop(log);
        let (log, _) = Log::open(dir.path()).expect("trimmed");
        let size = std::fs::metadata(dir.path().join("events.jsonl")).expect("there").len();
        assert!(size < LOG_BYTES_MAX, "{size}");
        assert_eq!(log.tail().borrow().last_id, 140);
        assert!(log.first_id() > 1 && log.first_id() % 2 == 1);
    }
}
