//! Log files read forwards, several at once in the order of time, from a place on and as they
//! grow, also when they are renamed, copied away or emptied meanwhile. They are looked at every
//! 100 ms. What is lost: lines of a file that is emptied before we have read them and of which
//! no copy was kept.

use super::chain::{self, Part, Spot};
use super::{AGENT_UNIT, Entry, LINE_BYTES_MAX, LogError, LogFile, READ_BYTES, Wanted, lines};
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::time::Duration;

/// Between two looks.
const LOOK_MS: u64 = 100;
/// Given at once.
const ENTRIES_MAX: usize = 256;
/// Files that were read to their end are remembered, so that none is read twice.
const PASSED_MAX: usize = 16;

/// A line, with what is needed to put it in its place.
pub(super) struct Line {
    pub(super) entry: Entry,
    /// Its own time, or that of the line before.
    pub(super) order_us: u64,
    /// Where it begins.
    pub(super) start: u64,
    /// Where the log goes on after it.
    pub(super) spot: Spot,
}

/// All files.
pub(super) struct Reading {
    wanted: Wanted,
    logs: Vec<Log>,
    spots: Vec<Spot>,
    entries: Vec<Entry>,
}

/// The files that hold what is wanted.
pub(super) fn chosen<'a>(files: &'a [LogFile], wanted: &Wanted) -> Vec<&'a LogFile> {
    let fits = |file: &&LogFile| {
        wanted.units.contains(&file.unit) || wanted.agents && file.unit.starts_with(AGENT_UNIT)
    };
    files.iter().filter(fits).collect()
}

impl Reading {
    pub(super) fn new(files: &[LogFile], wanted: &Wanted) -> Result<Reading, LogError> {
        let given = wanted.after.as_deref().and_then(chain::spots).unwrap_or_default();
        let mut logs = Vec::new();
        let mut spots = Vec::new();
        for file in chosen(files, wanted) {
            let log = Log::begin(file, &given)?;
            spots.push(log.now.as_ref().map(Open::spot).unwrap_or_default());
            logs.push(log);
        }
        Ok(Reading { wanted: wanted.clone(), logs, spots, entries: Vec::new() })
    }

    pub(super) async fn next(&mut self) -> Result<Option<&[Entry]>, LogError> {
        self.entries.clear();
        loop {
            self.take(false)?;
            if self.entries.is_empty() && !self.wanted.follow {
                self.take(true)?;
                if self.entries.is_empty() {
                    return Ok(None);
                }
            }
            if !self.entries.is_empty() {
                return Ok(Some(&self.entries));
            }
            tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
        }
    }

    /// Takes what is there, by its time; with `last` also lines that have no end.
    fn take(&mut self, last: bool) -> Result<(), LogError> {
        for log in &mut self.logs {
            log.fill(&self.wanted, last)?;
        }
        while self.entries.len() < ENTRIES_MAX {
            let ready = self.logs.iter().enumerate();
            let ready = ready.filter_map(|(i, log)| Some((log.ready.front()?.order_us, i)));
            let Some((_, first)) = ready.min() else {
                return Ok(());
            };
            let line = self.logs[first].ready.pop_front().expect("it was at the front");
            self.spots[first] = line.spot;
            let cursor = chain::cursor(&self.spots);
            self.entries.push(Entry { cursor, ..line.entry });
            self.logs[first].fill(&self.wanted, last)?;
        }
        Ok(())
    }
}

/// One unit's log.
struct Log {
    unit: String,
    path: PathBuf,
    now: Option<Open>,
    passed: VecDeque<(u64, u32)>,
    ready: VecDeque<Line>,
    last_us: u64,
}

/// The file that is being read.
struct Open {
    part: Part,
    /// How far whole lines were taken.
    offset: u64,
    /// What was read after that.
    rest: Vec<u8>,
    /// The line is too long; so much of it was passed over.
    passed_over: u64,
}

impl Open {
    fn at(part: Part, offset: u64) -> Open {
        Open { part, offset, rest: Vec::new(), passed_over: 0 }
    }

    fn spot(&self) -> Spot {
        self.part.spot(self.offset)
    }

    /// How far it was read.
    fn read_to(&self) -> u64 {
        self.offset + self.passed_over + self.rest.len() as u64
    }

    /// Whether it was emptied since it was read, and perhaps written to again.
    fn was_emptied(&self) -> std::io::Result<bool> {
        let shorter = self.part.file.metadata()?.len() < self.read_to();
        Ok(shorter || self.part.head != 0 && chain::head(&self.part.file)? != self.part.head)
    }

    /// Reads on; whether there was anything.
    fn read(&mut self) -> std::io::Result<bool> {
        let (kept, from) = (self.rest.len(), self.read_to());
        self.rest.resize(kept + READ_BYTES, 0);
        let read = self.part.file.read_at(&mut self.rest[kept..], from);
        self.rest.truncate(kept + *read.as_ref().unwrap_or(&0));
        if self.part.head == 0 {
            self.part.head = chain::head(&self.part.file)?;
        }
        Ok(read? > 0)
    }
}

impl Log {
    fn begin(file: &LogFile, given: &[Spot]) -> Result<Log, LogError> {
        let mut parts = chain::parts(&file.path)?;
        let now = match chain::find(&parts, given) {
            Some((index, offset)) => Some(Open::at(parts.swap_remove(index), offset)),
            None if parts.is_empty() => None,
            None => Some(Open::at(parts.swap_remove(0), 0)),
        };
        Ok(Log {
            unit: file.unit.clone(),
            path: file.path.clone(),
            now,
            passed: VecDeque::new(),
            ready: VecDeque::new(),
            last_us: 0,
        })
    }

    /// Has the next line ready, if there is one.
    fn fill(&mut self, wanted: &Wanted, last: bool) -> Result<(), LogError> {
        while self.ready.is_empty() {
            let Some(open) = &mut self.now else {
                let first = self.after(None)?;
                self.now = first.map(|part| Open::at(part, 0));
                if self.now.is_none() {
                    return Ok(());
                }
                continue;
            };
            let fault = |source| LogError::File { path: self.path.clone(), source };
            if open.was_emptied().map_err(fault)? {
                self.begin_again()?;
            } else if open.read().map_err(fault)? {
                self.split(wanted);
            } else if !self.onward(wanted)? {
                if last {
                    self.close_line(wanted);
                }
                return Ok(());
            }
        }
        Ok(())
    }

    /// The file was emptied: what was in it may have been copied away before.
    fn begin_again(&mut self) -> Result<(), LogError> {
        let open = self.open();
        let (offset, emptied) = (open.offset, open.part.spot(open.read_to()));
        let mut parts = chain::parts(&self.path)?;
        parts.retain(|part| part.inode != emptied.inode);
        self.now = match chain::find(&parts, &[emptied]) {
            Some((index, _)) => Some(Open::at(parts.swap_remove(index), offset)),
            None => chain::parts(&self.path)?.pop().map(|part| Open::at(part, 0)),
        };
        Ok(())
    }

    /// At the end of a file: goes over to what comes after it. False: nothing does.
    fn onward(&mut self, wanted: &Wanted) -> Result<bool, LogError> {
        let (inode, head) = (self.open().part.inode, self.open().part.head);
        let current = fs::metadata(&self.path).map(|found| found.ino()).ok();
        if current == Some(inode) {
            return Ok(false);
        }
        let Some(next) = self.after(Some(inode))? else {
            return Ok(false);
        };
        // Whoever renamed it may have written a last line to it.
        let read = self.open().read();
        if read.map_err(|source| LogError::File { path: self.path.clone(), source })? {
            self.split(wanted);
            return Ok(true);
        }
        self.close_line(wanted);
        self.passed.push_front((inode, head));
        self.passed.truncate(PASSED_MAX);
        self.now = Some(Open::at(next, 0));
        Ok(true)
    }

    /// The file after the one with this number, or the first, once it has anything in it.
    fn after(&self, inode: Option<u64>) -> Result<Option<Part>, LogError> {
        let parts = chain::parts(&self.path)?;
        let here = parts.iter().position(|part| Some(part.inode) == inode);
        let new = |part: &Part| !self.passed.contains(&(part.inode, part.head));
        let mut later = parts.into_iter().skip(here.map_or(0, |here| here + 1));
        Ok(later.find(|part| part.size > 0 && Some(part.inode) != inode && new(part)))
    }

    /// Makes lines of what was read.
    fn split(&mut self, wanted: &Wanted) {
        let open = self.now.as_mut().expect("a file is open");
        let bytes = std::mem::take(&mut open.rest);
        let mut from = 0;
        while let Some(length) = bytes[from..].iter().position(|b| *b == b'\n') {
            let whole = length as u64 + 1 + std::mem::take(&mut self.open().passed_over);
            let too_long = whole > length as u64 + 1;
            let line = if too_long { None } else { Some(&bytes[from..from + length]) };
            self.push(line, whole, wanted);
            from += length + 1;
        }
        let open = self.open();
        open.rest = bytes;
        open.rest.drain(..from);
        if open.rest.len() > LINE_BYTES_MAX || open.passed_over > 0 {
            open.passed_over += open.rest.len() as u64;
            open.rest = Vec::new();
        }
    }

    /// What has no line feed behind it is a line all the same.
    fn close_line(&mut self, wanted: &Wanted) {
        let open = self.open();
        let bytes = std::mem::take(&mut open.rest);
        let before = std::mem::take(&mut open.passed_over);
        let whole = before + bytes.len() as u64;
        if whole > 0 {
            self.push((before == 0).then_some(&bytes[..]), whole, wanted);
        }
    }

    fn open(&mut self) -> &mut Open {
        self.now.as_mut().expect("a file is open")
    }

    /// A line of `whole` bytes; none: it is too long.
    fn push(&mut self, bytes: Option<&[u8]>, whole: u64, wanted: &Wanted) {
        let start = self.open().offset;
        self.open().offset += whole;
        let spot = self.open().spot();
        let entry = match bytes {
            Some(bytes) => lines::read(&self.unit, bytes),
            None => lines::too_long(&self.unit),
        };
        self.last_us = entry.time_us.unwrap_or(self.last_us);
        let order_us = self.last_us;
        if lines::fits(wanted, &entry, order_us) {
            self.ready.push_back(Line { entry, order_us, start, spot });
        }
    }
}
