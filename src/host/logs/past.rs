//! Log files read backwards, several at once in the order of time, the newest line first.

use super::chain::{self, Part, Spot};
use super::files::{Line, chosen};
use super::{Entry, LINE_BYTES_MAX, LogError, LogFile, READ_BYTES, Wanted, lines};
use std::collections::VecDeque;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Given at once.
const ENTRIES_MAX: usize = 256;
/// Lines without a time (a traceback) that may wait for the one they belong to.
const HELD_MAX: usize = 1000;

/// All files.
pub(super) struct Reading {
    wanted: Wanted,
    logs: Vec<Log>,
    spots: Vec<Spot>,
    anchor: String,
    entries: Vec<Entry>,
}

impl Reading {
    pub(super) fn new(files: &[LogFile], wanted: &Wanted) -> Result<Reading, LogError> {
        let mut logs = Vec::new();
        for file in chosen(files, wanted) {
            logs.push(Log::begin(file, wanted.follow)?);
        }
        let spots: Vec<Spot> = logs.iter().map(|log| log.end).collect();
        let anchor = chain::cursor(&spots);
        Ok(Reading { wanted: wanted.clone(), logs, spots, anchor, entries: Vec::new() })
    }

    pub(super) fn anchor(&self) -> &str {
        &self.anchor
    }

    pub(super) async fn next(&mut self) -> Result<Option<&[Entry]>, LogError> {
        // Others get their turn between two pieces.
        tokio::task::yield_now().await;
        self.entries.clear();
        while self.entries.len() < ENTRIES_MAX {
            for log in &mut self.logs {
                log.fill(&self.wanted)?;
            }
            let ready = self.logs.iter().enumerate();
            let ready = ready.filter_map(|(i, log)| Some((log.ready.front()?.order_us, i)));
            let Some((_, last)) = ready.max() else {
                break;
            };
            let line = self.logs[last].ready.pop_front().expect("it was at the front");
            self.spots[last] = line.spot;
            let cursor = chain::cursor(&self.spots);
            self.spots[last].offset = line.start;
            self.entries.push(Entry { cursor, ..line.entry });
        }
        Ok(Some(self.entries.as_slice()).filter(|entries| !entries.is_empty()))
    }
}

/// One unit's log.
struct Log {
    unit: String,
    path: PathBuf,
    /// Those not yet read through, the newest last.
    parts: Vec<Part>,
    /// How much of the last of them is unread.
    left: u64,
    /// The end of a line whose beginning was not read yet.
    rest: Vec<u8>,
    /// More of that line, too long to be kept.
    passed_over: u64,
    /// Lines whose time is not known yet, the newest first.
    held: VecDeque<Line>,
    ready: VecDeque<Line>,
    newest_us: u64,
    /// The place after the newest line.
    end: Spot,
}

impl Log {
    fn begin(file: &LogFile, unended_stays: bool) -> Result<Log, LogError> {
        let parts = chain::parts(&file.path)?;
        let mut log = Log {
            unit: file.unit.clone(),
            path: file.path.clone(),
            left: parts.last().map_or(0, |part| part.size),
            end: parts.last().map(|part| part.spot(part.size)).unwrap_or_default(),
            parts,
            rest: Vec::new(),
            passed_over: 0,
            held: VecDeque::new(),
            ready: VecDeque::new(),
            newest_us: u64::MAX,
        };
        while unended_stays && log.left > 0 {
            let piece = log.piece()?;
            if let Some(at) = piece.iter().rposition(|b| *b == b'\n') {
                log.left += at as u64 + 1;
                break;
            }
        }
        if unended_stays {
            log.end.offset = log.left;
        }
        Ok(log)
    }

    /// The piece before what was read last.
    fn piece(&mut self) -> Result<Vec<u8>, LogError> {
        let length = self.left.min(READ_BYTES as u64);
        self.left -= length;
        let mut piece = vec![0; usize::try_from(length).expect("bounded above")];
        let part = self.parts.last().expect("there is something left");
        let read = part.file.read_exact_at(&mut piece, self.left);
        // It was emptied under our eyes: the rest of it is gone.
        if read.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::UnexpectedEof) {
            self.left = 0;
            return Ok(Vec::new());
        }
        read.map_err(|source| LogError::File { path: self.path.clone(), source })?;
        Ok(piece)
    }

    fn fill(&mut self, wanted: &Wanted) -> Result<(), LogError> {
        while self.ready.is_empty() {
            if self.parts.is_empty() {
                return Ok(());
            }
            if self.left > 0 {
                let piece = self.piece()?;
                self.split(piece, wanted);
                continue;
            }
            let first = std::mem::take(&mut self.rest);
            self.push(0, &first, wanted);
            self.parts.pop();
            self.left = self.parts.last().map_or(0, |part| part.size);
            if self.parts.is_empty() {
                self.release(0, wanted);
            }
        }
        Ok(())
    }

    /// Makes lines of a piece and what came after it.
    fn split(&mut self, mut piece: Vec<u8>, wanted: &Wanted) {
        piece.append(&mut self.rest);
        let base = self.left;
        let mut to = piece.len();
        while let Some(at) = piece[..to].iter().rposition(|b| *b == b'\n') {
            if at + 1 < piece.len() || self.passed_over > 0 {
                let line = piece.split_off(at + 1);
                self.push(base + at as u64 + 1, &line, wanted);
            }
            to = at;
        }
        if piece.len() > LINE_BYTES_MAX || self.passed_over > 0 {
            self.passed_over += piece.len() as u64;
            piece.clear();
        }
        self.rest = piece;
    }

    /// A line with what ends it, which begins at `start`.
    fn push(&mut self, start: u64, bytes: &[u8], wanted: &Wanted) {
        let over = std::mem::take(&mut self.passed_over);
        let whole = bytes.len() as u64 + over;
        let Some(part) = self.parts.last().filter(|_| whole > 0) else {
            return;
        };
        let entry = if over > 0 {
            lines::too_long(&self.unit)
        } else {
            lines::read(&self.unit, bytes.strip_suffix(b"\n").unwrap_or(bytes))
        };
        let (time_us, spot) = (entry.time_us, part.spot(start + whole));
        self.held.push_back(Line { entry, order_us: 0, start, spot });
        if let Some(us) = time_us {
            self.newest_us = us;
        }
        if time_us.is_some() || self.held.len() > HELD_MAX {
            self.release(self.newest_us, wanted);
        }
    }

    fn release(&mut self, order_us: u64, wanted: &Wanted) {
        for line in self.held.drain(..) {
            if lines::fits(wanted, &line.entry, order_us) {
                self.ready.push_back(Line { order_us, ..line });
            }
        }
    }
}
