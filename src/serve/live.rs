//! Server-sent events: a bounded queue between whoever speaks and one client.
//!
//! The speaker waits while the queue is full, so a slow reader costs a fixed amount of memory;
//! one that takes nothing at all is cut after a while and can resume by the id of the last
//! event it had. A silent stream gets a comment every 15 s. When the program stops, what is
//! queued is still sent and the stream ends properly.

use crate::Reply;
use crate::body::Body;
use crate::limits::Limits;
use bytes::Bytes;
use http::{HeaderValue, header};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

/// The client's end.
pub struct Live {
    pieces: mpsc::Receiver<Bytes>,
    silence: Duration,
    next_comment: Pin<Box<Sleep>>,
    stopping: Pin<Box<Stopping>>,
    /// After a stop, a stream that has said nothing yet may still say its first words.
    last_words: Duration,
    spoken: bool,
    kind: &'static str,
    /// Whether a silent stream may get a comment.
    comments: bool,
}

type Stopping = dyn Future<Output = ()> + Send;

/// The speaker's end. Dropping it ends the stream.
#[derive(Clone)]
pub struct Feed {
    pieces: mpsc::Sender<Bytes>,
    patience: Duration,
    /// After a stop, nobody waits for a reader longer than this.
    stop: CancellationToken,
    last_words: Duration,
}

/// Why a piece did not go out.
#[derive(Debug, PartialEq, Eq)]
pub struct Gone;

/// A stream of events and its two ends; it ends when `stop` is cancelled.
pub fn open(limits: &Limits, stop: &CancellationToken) -> (Feed, Live) {
    begin(limits, stop, "text/event-stream; charset=utf-8", true)
}

/// The same for something else than events, which has no room for comments.
pub fn plain(limits: &Limits, stop: &CancellationToken, kind: &'static str) -> (Feed, Live) {
    begin(limits, stop, kind, false)
}

fn begin(
    limits: &Limits,
    stop: &CancellationToken,
    kind: &'static str,
    comments: bool,
) -> (Feed, Live) {
    let (to, pieces) = mpsc::channel(limits.feed_pieces_max);
    let silence = Duration::from_secs(limits.feed_silence_seconds_max);
    let last_words = Duration::from_secs(limits.first_piece_seconds_max);
    let live = Live {
        pieces,
        silence,
        next_comment: Box::pin(tokio::time::sleep(silence)),
        stopping: Box::pin(stop.clone().cancelled_owned()),
        last_words,
        spoken: false,
        kind,
        comments,
    };
    let patience = Duration::from_secs(limits.feed_stalled_seconds_max);
    (Feed { pieces: to, patience, stop: stop.clone(), last_words }, live)
}

impl Feed {
    /// Sends whole events. An error means that nobody listens any more: the client left, was
    /// cut because it did not read, or the program stops.
    pub async fn send(&self, piece: Bytes) -> Result<(), Gone> {
        let stopped = async {
            self.stop.cancelled().await;
            tokio::time::sleep(self.last_words).await;
        };
        tokio::select! {
            biased;
            sent = self.pieces.send(piece) => sent.map_err(|_| Gone),
            () = tokio::time::sleep(self.patience) => {
                tracing::info!("a reader of a stream took nothing for too long and was cut");
                Err(Gone)
            }
            () = stopped => Err(Gone),
        }
    }

    /// Resolves when nobody listens any more.
    pub async fn gone(&self) {
        self.pieces.closed().await;
    }
}

impl Live {
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Poll::Ready(piece) = self.pieces.poll_recv(cx) {
            if piece.is_some() {
                self.spoken = true;
                let next = Instant::now() + self.silence;
                self.next_comment.as_mut().reset(next);
            }
            return Poll::Ready(piece);
        }
        if self.stopping.as_mut().poll(cx).is_ready() {
            if self.spoken || self.last_words.is_zero() {
                self.pieces.close();
                return self.pieces.poll_recv(cx);
            }
            let last_words = std::mem::take(&mut self.last_words);
            self.stopping = Box::pin(tokio::time::sleep(last_words));
            // Registers the new deadline with this task.
            return self.poll_piece(cx);
        }
        if self.comments && self.next_comment.as_mut().poll(cx).is_ready() {
            let next = Instant::now() + self.silence;
            self.next_comment.as_mut().reset(next);
            // Registers the new deadline with this task.
            let _ = self.next_comment.as_mut().poll(cx);
            return Poll::Ready(Some(Bytes::from_static(b": still here\n\n")));
        }
        Poll::Pending
    }

    /// The answer that carries this stream.
    pub fn reply(self) -> Reply {
        let kind = HeaderValue::from_static(self.kind);
        let mut reply = Reply::new(Body::Live(Box::new(self)));
        let headers = reply.headers_mut();
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        // Proxies that buffer would turn a live stream into a late one.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        reply
    }
}
