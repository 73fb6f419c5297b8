//! The one body type: nothing, bytes, a live stream, a file, or the body of another program's
//! answer.

use crate::file::Outgoing;
use crate::live::Live;
use crate::pass::Onward;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What an answer carries.
pub enum Body {
    /// Nothing.
    Empty,
    /// All of it at once.
    Full(Bytes),
    /// Server-sent events, or anything else that comes bit by bit.
    Live(Box<Live>),
    /// A file, or a part of one, as it is read.
    File(Box<Outgoing>),
    /// What another program answers.
    Passed(Box<Onward>),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Body::Empty => Poll::Ready(None),
            Body::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Body::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Body::Live(live) => live.poll_piece(cx).map(|piece| piece.map(|b| Ok(Frame::data(b)))),
            Body::File(file) => file.poll_piece(cx).map(|piece| piece.map(|p| p.map(Frame::data))),
            Body::Passed(onward) => onward.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::File(file) => file.left() == 0,
            Body::Passed(onward) => onward.is_end(),
            Body::Full(_) | Body::Live(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Live(_) => SizeHint::default(),
            Body::File(file) => SizeHint::with_exact(file.left()),
            Body::Passed(onward) => onward.size_hint(),
        }
    }
}
