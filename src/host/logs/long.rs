//! An entry of the journal that is too long to be kept: it is passed over as it comes, but for
//! the short fields that tell where it belongs.

use super::LINE_BYTES_MAX;
use super::entry::{self, Piece, Raw};

/// Of one field that is kept, in bytes.
const KEPT_BYTES_MAX: usize = 1024;

/// An entry that is being passed over.
#[derive(Default)]
pub(super) struct Long {
    /// Short fields, in the form they came in.
    kept: Vec<u8>,
    /// What was not looked at yet: the beginning of a field.
    rest: Vec<u8>,
    inside: Inside,
}

/// Where in the entry we are.
#[derive(Default)]
enum Inside {
    /// At the beginning of a field.
    #[default]
    Between,
    /// In a line that is too long.
    Line,
    /// In a value of which so many bytes are to come, the line feed after it among them.
    Value(u64),
}

impl Long {
    /// Takes the next bytes; gives back what comes after the entry, once it is over.
    pub(super) fn take<'a>(&mut self, mut bytes: &'a [u8]) -> Option<&'a [u8]> {
        while !bytes.is_empty() {
            match self.inside {
                Inside::Between => {
                    let byte = bytes[0];
                    bytes = &bytes[1..];
                    self.rest.push(byte);
                    if self.between() {
                        return Some(bytes);
                    }
                }
                Inside::Line => {
                    let end = bytes.iter().position(|b| *b == b'\n');
                    bytes = end.map_or(&[], |end| &bytes[end + 1..]);
                    if end.is_some() {
                        self.inside = Inside::Between;
                    }
                }
                Inside::Value(left) => {
                    let passed = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = &bytes[passed..];
                    let left = left - passed as u64;
                    self.inside = if left == 0 { Inside::Between } else { Inside::Value(left) };
                }
            }
        }
        None
    }

    /// Looks at what there is of a field; true at the end of the entry.
    fn between(&mut self) -> bool {
        let line = self.rest.iter().position(|b| *b == b'\n');
        let whole = match line {
            Some(0) => return true,
            Some(end) if self.rest[..end].contains(&b'=') => true,
            // A name; eight bytes come after it.
            Some(end) => {
                if let Some(length) = self.rest[end + 1..].first_chunk::<8>() {
                    let length = u64::from_le_bytes(*length);
                    self.inside = Inside::Value(length.saturating_add(1));
                    self.rest.clear();
                }
                return false;
            }
            None => false,
        };
        if whole {
            self.kept.append(&mut self.rest);
        } else if self.rest.len() > KEPT_BYTES_MAX {
            self.rest.clear();
            self.inside = Inside::Line;
        }
        false
    }

    /// An entry that says what became of it.
    pub(super) fn tell(mut self, each: impl FnOnce(&Raw<'_>)) {
        let kib = LINE_BYTES_MAX / 1024;
        let said = format!("MESSAGE=(an entry of more than {kib} KiB, which is not shown)\n\n");
        self.kept.extend_from_slice(said.as_bytes());
        if let Piece::Entry(mut raw, _) = entry::read(&self.kept) {
            raw.last_message_only();
            each(&raw);
        }
    }
}
