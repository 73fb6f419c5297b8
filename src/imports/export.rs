//! The shapes that exports have (contract-extended §5.3): a list of conversations, an object with
//! such a list under `conversations` or `chats`, or one conversation; and the body of
//! `POST /api/import`, which has any of them under `data`. Each conversation is told as soon as
//! it is whole.

use crate::limits::{Bounds, KEY_BYTES_MAX};
use crate::scan::{Held, Scan};
use crate::{Found, Stopped, archive, record};
use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;

/// Who is told what is found; a break ends the reading.
pub type Tell<'t> = dyn FnMut(Found) -> ControlFlow<()> + 't;

/// What a ZIP archive begins with, an empty one included.
const ARCHIVE: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// Reads an export that is JSON or a ZIP archive.
///
/// # Errors
/// It was not read to its end; what was told before holds.
pub fn read_file<R: Read + Seek>(
    mut from: R,
    bounds: &Bounds,
    tell: &mut Tell<'_>,
) -> Result<(), Stopped> {
    let mut begin = Vec::new();
    (&mut from).take(4).read_to_end(&mut begin)?;
    from.seek(SeekFrom::Start(0))?;
    match ARCHIVE.contains(&begin.as_slice()) {
        true => archive::read(from, bounds, tell),
        false => read(from, bounds, tell),
    }
}

/// Reads an export that is JSON.
///
/// # Errors
/// As [`read_file`].
pub fn read(from: impl Read, bounds: &Bounds, tell: &mut Tell<'_>) -> Result<(), Stopped> {
    Reading::new(from, bounds, 0, tell).whole().map(drop)
}

/// The same, counting records from `index`; how many there are then.
pub(crate) fn read_on(
    from: impl Read,
    bounds: &Bounds,
    index: u64,
    tell: &mut Tell<'_>,
) -> Result<u64, Stopped> {
    Reading::new(from, bounds, index, tell).whole()
}

struct Reading<'r, 't, R> {
    scan: Scan<R>,
    held: Held,
    bounds: &'r Bounds,
    index: u64,
    tell: &'r mut Tell<'t>,
}

impl<'r, 't, R: Read> Reading<'r, 't, R> {
    fn new(from: R, bounds: &'r Bounds, index: u64, tell: &'r mut Tell<'t>) -> Self {
        let held = Held::new(bounds.conversation_bytes_max);
        Reading { scan: Scan::new(from), held, bounds, index, tell }
    }

    fn whole(mut self) -> Result<u64, Stopped> {
        self.scan.skip_mark()?;
        match self.scan.must()? {
            b'[' => self.list()?,
            b'{' => self.object()?,
            byte if byte.is_ascii_alphanumeric() || b"\"-".contains(&byte) => {
                return Err(Stopped::NoExport);
            }
            _ => return Err(self.scan.malformed("nothing of JSON begins so")),
        }
        match self.scan.solid()? {
            None => Ok(self.index),
            Some(_) => Err(self.scan.malformed("something follows the end")),
        }
    }

    fn list(&mut self) -> Result<(), Stopped> {
        self.scan.step();
        loop {
            if self.scan.must()? == b']' {
                self.scan.step();
                return Ok(());
            }
            self.held.clear();
            self.scan.value(&mut self.held)?;
            self.record()?;
            match self.scan.must()? {
                b',' => self.scan.step(),
                b']' => {}
                _ => return Err(self.scan.malformed("a comma or the end of the list is missing")),
            }
        }
    }

    /// An object is held as it comes: that it is no conversation is known only when the list of
    /// them begins.
    fn object(&mut self) -> Result<(), Stopped> {
        let mut is_wrapping = false;
        self.held.clear();
        self.held.add(b"{");
        let mut members = Members::new(&mut self.scan);
        while let Some(key) = members.next(&mut self.scan)? {
            let names_a_list = [&b"\"conversations\""[..], b"\"chats\""].contains(&key.as_slice());
            if names_a_list && self.scan.must()? == b'[' {
                is_wrapping = true;
                self.list()?;
                self.held.clear();
                continue;
            }
            if is_wrapping {
                self.held.clear();
            } else if self.held.bytes.len() > 1 {
                self.held.add(b",");
            }
            self.held.add(&key);
            self.held.add(b":");
            self.scan.value(&mut self.held)?;
        }
        self.held.add(b"}");
        if is_wrapping { Ok(()) } else { self.record() }
    }

    fn record(&mut self) -> Result<(), Stopped> {
        if self.index >= self.bounds.conversations_max {
            return Err(Stopped::Many(self.bounds.conversations_max));
        }
        let found = record::read(self.index, &self.held);
        self.index += 1;
        match (self.tell)(found) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stopped::Left),
        }
    }
}

/// The names in an object; whoever asks for the next has taken the value of the last.
struct Members {
    is_first: bool,
}

impl Members {
    fn new<R: Read>(scan: &mut Scan<R>) -> Members {
        scan.step();
        Members { is_first: true }
    }

    /// The next name with its quotes, None at the end. One that is too long to be looked at is
    /// told as an empty one.
    fn next<R: Read>(&mut self, scan: &mut Scan<R>) -> Result<Option<Vec<u8>>, Stopped> {
        let mut byte = scan.must()?;
        if byte == b',' && !self.is_first {
            scan.step();
            byte = scan.must()?;
        } else if !self.is_first && byte != b'}' {
            return Err(scan.malformed("a comma or the end of the object is missing"));
        }
        self.is_first = false;
        if byte == b'}' {
            scan.step();
            return Ok(None);
        }
        if byte != b'"' {
            return Err(scan.malformed("a name is missing"));
        }
        let mut key = Held::new(KEY_BYTES_MAX);
        scan.value(&mut key)?;
        if scan.must()? != b':' {
            return Err(scan.malformed("a colon is missing"));
        }
        scan.step();
        Ok(Some(if key.is_over { b"\"\"".to_vec() } else { key.bytes }))
    }
}

/// The body of `POST /api/import`, as far as it is known without reading the export in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Where `data` begins and ends, in bytes from the begin.
    pub data: Option<(u64, u64)>,
    /// What `archived` says.
    pub archived: Archived,
}

/// What `archived` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Archived {
    /// Nothing.
    #[default]
    Unsaid,
    /// Yes or no.
    Said(bool),
    /// Something else.
    Unclear,
}

/// Looks through a body, and holds nothing of it.
///
/// # Errors
/// It is no JSON object, or not whole.
pub fn envelope(from: impl Read) -> Result<Envelope, Stopped> {
    let mut scan = Scan::new(from);
    let mut found = Envelope::default();
    scan.skip_mark()?;
    if scan.must()? != b'{' {
        return Err(scan.malformed("an object was to be here"));
    }
    let mut members = Members::new(&mut scan);
    while let Some(key) = members.next(&mut scan)? {
        scan.must()?;
        let begin = scan.position();
        let mut value = Held::new(8);
        scan.value(&mut value)?;
        match key.as_slice() {
            b"\"data\"" => found.data = Some((begin, scan.position())),
            b"\"archived\"" => {
                found.archived = match value.bytes.as_slice() {
                    b"true" if !value.is_over => Archived::Said(true),
                    b"false" if !value.is_over => Archived::Said(false),
                    _ => Archived::Unclear,
                }
            }
            _ => {}
        }
    }
    match scan.solid()? {
        None => Ok(found),
        Some(_) => Err(scan.malformed("something follows the end")),
    }
}
