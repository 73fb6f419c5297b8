//! Server-sent events as an agent writes them, cut out of a stream: for those who pass them on
//! and those who take them in. Only the head of a frame is looked at.

/// Whole frames out of pieces.
#[derive(Default)]
pub(super) struct Frames {
    buffer: Vec<u8>,
    /// No frame ends before this.
    looked: usize,
}

impl Frames {
    /// Adds a piece.
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next whole frame, in memory of its own: the end of a long turn is a long frame, and
    /// a stream lives long.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let end = self.end(0)?;
        let rest = self.buffer.split_off(end);
        self.looked = 0;
        Some(std::mem::replace(&mut self.buffer, rest))
    }

    /// Where the frame ends that begins at `from`.
    pub(super) fn end(&mut self, from: usize) -> Option<usize> {
        let looked = self.looked.max(from);
        match memchr::memmem::find(&self.buffer[looked..], b"\n\n") {
            Some(at) => {
                self.looked = looked + at + 2;
                Some(self.looked)
            }
            None => {
                // The first half of an end may be there already.
                self.looked = self.buffer.len().saturating_sub(1).max(from);
                None
            }
        }
    }

    /// What is there.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Drops what was passed on.
    pub(super) fn drop_to(&mut self, end: usize) {
        self.buffer.drain(..end);
        self.looked = self.looked.saturating_sub(end);
        if self.buffer.is_empty() && self.buffer.capacity() > 256 * 1024 {
            self.buffer = Vec::new();
        }
    }
}

/// What stands at the begin of a frame.
pub(super) struct Head<'a> {
    pub(super) id: u64,
    pub(super) kind: &'a str,
    /// The event as JSON.
    pub(super) data: &'a [u8],
}

/// The head of a frame; None for a comment, or an event without an id.
pub(super) fn head(frame: &[u8]) -> Option<Head<'_>> {
    let rest = frame.strip_prefix(b"id: ")?;
    let line = memchr::memchr(b'\n', rest)?;
    let id = std::str::from_utf8(&rest[..line]).ok()?.parse().ok()?;
    let data = rest[line..].strip_prefix(b"\ndata: ")?.trim_ascii_end();
    let kind = data.strip_prefix(b"{\"type\":\"")?;
    let end = memchr::memchr(b'"', kind)?;
    Some(Head { id, kind: std::str::from_utf8(&kind[..end]).ok()?, data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_give_the_same_frames_wherever_they_are_cut(
            cuts in prop::collection::vec(0usize..400, 0..9)
        ) {
            let mut whole = Vec::new();
            for id in 1..9u64 {
                let text = "é".repeat(id as usize);
                let event = format!("{{\"type\":\"text\",\"delta\":\"{text}\"}}");
                wire::frames::frame(&mut whole, id, &event);
                whole.extend_from_slice(b": still here\n\n");
            }
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(whole.len())).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let mut frames = Frames::default();
            let mut ids = Vec::new();
            for part in cuts.windows(2) {
                frames.add(&whole[part[0]..part[1]]);
                while let Some(frame) = frames.next() {
                    ids.extend(head(&frame).map(|h| h.id));
                }
            }
            prop_assert_eq!(ids, (1..9).collect::<Vec<u64>>());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = head(&bytes);
        }
    }
}
