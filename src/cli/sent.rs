//! What goes with a request: bytes, and perhaps a file between them that may be larger than
//! memory. It is read as the connection takes it, and no further than it was long at first.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Take};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Of a file, so much is read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// What is to go with a request.
#[derive(Clone, Debug)]
pub(crate) enum Load {
    /// All of it.
    Bytes(Vec<u8>),
    /// A file as that of a form.
    Form {
        /// What stands before the file.
        before: String,
        /// Where it is.
        file: PathBuf,
        /// What stands after it.
        after: String,
    },
}

impl Load {
    /// A file as the field `file` of a form (RFC 7578), and the form's media type. The file is
    /// not searched for the line between the parts: that is made of 128 bits of chance.
    pub(crate) fn form(file: &Path) -> (Load, String) {
        let chance = || RandomState::new().build_hasher().finish();
        let line = format!("-----parachute-{:016x}{:016x}", chance(), chance());
        let before = format!(
            "--{line}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"export\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let after = format!("\r\n--{line}--\r\n");
        let kind = format!("multipart/form-data; boundary={line}");
        (Load::Form { before, file: file.to_owned(), after }, kind)
    }

    /// Ready to go.
    pub(crate) fn open(self) -> io::Result<Sent> {
        Ok(match self {
            Load::Bytes(bytes) => {
                Sent { left: bytes.len() as u64, before: bytes.into(), ..Sent::default() }
            }
            Load::Form { before, file, after } => {
                let file = File::open(file)?;
                let length = file.metadata()?.len();
                let left = length + before.len() as u64 + after.len() as u64;
                let file = Some(file.take(length));
                Sent { before: before.into(), file, after: after.into(), left }
            }
        })
    }
}

/// A body while it goes.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    before: Bytes,
    file: Option<Take<File>>,
    after: Bytes,
    /// Bytes that have not gone.
    left: u64,
}

impl Sent {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        if !self.before.is_empty() {
            return Ok(Some(std::mem::take(&mut self.before)));
        }
        if let Some(file) = &mut self.file {
            let mut piece = Vec::with_capacity(PIECE_BYTES);
            if file.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece)? > 0 {
                return Ok(Some(piece.into()));
            }
            let short = file.limit() > 0;
            self.file = None;
            if short {
                return Err(io::Error::other("the file became shorter while it was sent"));
            }
        }
        let after = std::mem::take(&mut self.after);
        Ok((!after.is_empty()).then_some(after))
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = self.next().transpose();
        if let Some(Ok(piece)) = &piece {
            self.left = self.left.saturating_sub(piece.len() as u64);
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
