//! JSON cut into its values without reading them: where one begins and ends is told by its
//! quotes and brackets alone. serde_json, which reads each value afterwards, would have to hold
//! one as a whole to know that it is too large (a `RawValue` or a string of 2 GB); here it is
//! passed over byte by byte. Whether brackets match is for serde_json to say.

use crate::Stopped;
use memchr::memchr2;
use std::io::{ErrorKind, Read};

const BUFFER_BYTES: usize = 64 * 1024;

/// A value while it is cut out.
pub(crate) struct Held {
    /// Its begin, or all of it.
    pub(crate) bytes: Vec<u8>,
    /// Whether there is more of it than may be held.
    pub(crate) is_over: bool,
    max: usize,
}

impl Held {
    pub(crate) fn new(max: usize) -> Held {
        Held { bytes: Vec::new(), is_over: false, max }
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let room = self.max - self.bytes.len();
        self.is_over |= bytes.len() > room;
        if !self.is_over {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Ready for the next value; memory that only a large one needed is given back.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(BUFFER_BYTES);
        self.is_over = false;
    }
}

/// A stream of JSON.
pub(crate) struct Scan<R> {
    from: R,
    buffer: Box<[u8]>,
    at: usize,
    end: usize,
    /// Bytes before the buffer.
    before: u64,
}

impl<R: Read> Scan<R> {
    pub(crate) fn new(from: R) -> Scan<R> {
        Scan { from, buffer: vec![0; BUFFER_BYTES].into(), at: 0, end: 0, before: 0 }
    }

    /// Bytes from the begin.
    pub(crate) fn position(&self) -> u64 {
        self.before + self.at as u64
    }

    /// What is read and not yet taken; empty at the end.
    fn ready(&mut self) -> Result<&[u8], Stopped> {
        while self.at == self.end {
            self.before += self.end as u64;
            (self.at, self.end) = (0, 0);
            match self.from.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => self.end = read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // How decoders say that their input breaks off.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Err(Stopped::Truncated(self.position()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(&self.buffer[self.at..self.end])
    }

    /// Passes over a byte order mark at the begin.
    pub(crate) fn skip_mark(&mut self) -> Result<(), Stopped> {
        for byte in "\u{feff}".bytes() {
            if self.ready()?.first() != Some(&byte) {
                // A part of it is no JSON either, and is found to be none.
                return Ok(());
            }
            self.at += 1;
        }
        Ok(())
    }

    /// The next byte that is no white space, which stays; None at the end.
    pub(crate) fn solid(&mut self) -> Result<Option<u8>, Stopped> {
        loop {
            let ready = self.ready()?;
            let Some(found) = ready.iter().position(|b| !b" \t\r\n".contains(b)) else {
                if ready.is_empty() {
                    return Ok(None);
                }
                self.at = self.end;
                continue;
            };
            self.at += found;
            return Ok(Some(self.buffer[self.at]));
        }
    }

    /// The same where something has to be.
    pub(crate) fn must(&mut self) -> Result<u8, Stopped> {
        self.solid()?.ok_or(Stopped::Truncated(self.position()))
    }

    /// Takes the byte that [`solid`](Scan::solid) saw.
    pub(crate) fn step(&mut self) {
        self.at += 1;
    }

    pub(crate) fn malformed(&self, why: &'static str) -> Stopped {
        Stopped::Malformed { at: self.position(), why }
    }

    /// Cuts out the value that begins with the next solid byte.
    pub(crate) fn value(&mut self, held: &mut Held) -> Result<(), Stopped> {
        match self.must()? {
            b'"' => {
                self.step();
                held.add(b"\"");
                self.string(held)
            }
            b'{' | b'[' => self.nested(held),
            b',' | b':' | b']' | b'}' => Err(self.malformed("a value is missing")),
            _ => self.scalar(held),
        }
    }

    /// The rest of a string whose first quote was taken.
    fn string(&mut self, held: &mut Held) -> Result<(), Stopped> {
        loop {
            let ready = self.ready()?;
            if ready.is_empty() {
                return Err(Stopped::Truncated(self.position()));
            }
            let Some(found) = memchr2(b'"', b'\\', ready) else {
                held.add(ready);
                self.at = self.end;
                continue;
            };
            let is_end = ready[found] == b'"';
            held.add(&ready[..=found]);
            self.at += found + 1;
            if is_end {
                return Ok(());
            }
            // What follows a backslash ends nothing.
            match self.ready()?.first().copied() {
                None => return Err(Stopped::Truncated(self.position())),
                Some(byte) => held.add(&[byte]),
            }
            self.at += 1;
        }
    }

    fn nested(&mut self, held: &mut Held) -> Result<(), Stopped> {
        let mut deep = 0_u64;
        loop {
            let ready = self.ready()?;
            if ready.is_empty() {
                return Err(Stopped::Truncated(self.position()));
            }
            let Some(found) = ready.iter().position(|b| b"\"{}[]".contains(b)) else {
                held.add(ready);
                self.at = self.end;
                continue;
            };
            let byte = ready[found];
            held.add(&ready[..=found]);
            self.at += found + 1;
            match byte {
                b'"' => self.string(held)?,
                b'{' | b'[' => deep += 1,
                _ => deep -= 1,
            }
            if deep == 0 {
                return Ok(());
            }
        }
    }

    fn scalar(&mut self, held: &mut Held) -> Result<(), Stopped> {
        loop {
            let ready = self.ready()?;
            let found = ready.iter().position(|b| b",:]}[{\" \t\r\n".contains(b));
            held.add(&ready[..found.unwrap_or(ready.len())]);
            let is_end = ready.is_empty();
            self.at += found.unwrap_or(ready.len());
            if is_end || found.is_some() {
                return Ok(());
            }
        }
    }
}
