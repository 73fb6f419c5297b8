//! Bodies that are read as they come, because they may be larger than memory: JSON for whoever
//! reads it piece by piece, or the file of a form (RFC 7578). Bounded by length, by the silence
//! between two pieces and by time; whoever takes one also bounds what becomes of it.

use crate::call::{Raw, Shape, Take, too_large, typed_query};
use crate::fault::Fault;
use crate::limits::Limits;
use crate::upload;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::StatusCode;
use http_body::Body;
use http_body_util::{BodyDataStream, BodyExt};
use hyper::body::Incoming;
use multer::{Field, Multipart};
use schemars::JsonSchema;
use schemars::generate::SchemaGenerator;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// A body while it comes.
pub struct Flow {
    from: Coming,
    limits: Limits,
    /// Its length, as the sender says.
    said: Option<u64>,
    read: u64,
    begun: Instant,
}

/// What is read piece by piece.
pub(crate) enum Coming {
    Body(Incoming),
    /// The form is kept: its other half reads the body.
    Field(Box<(Field<'static>, Multipart<'static>)>),
}

/// A body of JSON that should be a `T`, and that nobody has looked at yet.
pub struct JsonFlow<T>(pub Flow, pub PhantomData<T>);

/// A query, and the file of a form.
pub struct FileFlow<Q> {
    /// The query.
    pub query: Q,
    /// The file.
    pub file: Flow,
}

impl Flow {
    fn new(from: Coming, limits: Limits, said: Option<u64>) -> Flow {
        Flow { from, limits, said, read: 0, begun: Instant::now() }
    }

    /// How long it is, if the sender says so; a form's file is a little shorter.
    pub fn said(&self) -> Option<u64> {
        self.said
    }

    /// The next piece; None at the end.
    ///
    /// # Errors
    /// The body broke off, came too slowly, or is too large.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let silence = Duration::from_secs(self.limits.body_seconds_max);
        // A sender who only just does not fall silent would hold up others for an hour.
        let earned = Duration::from_secs(self.read / self.limits.flow_bytes_per_second_min.max(1));
        let whole = Duration::from_secs(self.limits.flow_seconds_max);
        let until = (Instant::now() + silence).min(self.begun + (silence + earned).min(whole));
        let piece = timeout_at(until, self.from.next()).await.map_err(|_| late())??;
        self.read += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        if self.read > self.limits.flow_bytes_max {
            self.discard().await;
            return Err(too_large(self.limits.flow_bytes_max));
        }
        Ok(piece)
    }

    /// Reads what is refused, so that its sender hears why.
    pub async fn discard(&mut self) {
        self.from.discard(&self.limits).await;
    }
}

impl Coming {
    /// Reads what is refused, so that a sender in the middle of sending sees the answer instead
    /// of a connection that was reset; within bounds.
    pub(crate) async fn discard(&mut self, limits: &Limits) {
        let mut left = limits.refused_body_bytes_max;
        let reading = async {
            while let Ok(Some(piece)) = self.next().await {
                left = left.saturating_sub(piece.len());
                if left == 0 {
                    break;
                }
            }
        };
        // Too slow or too much: the connection is closed after the answer in any case.
        let _ = timeout(Duration::from_secs(limits.body_seconds_max), reading).await;
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        match self {
            Coming::Field(form) => form.0.chunk().await.map_err(upload::broken),
            Coming::Body(body) => loop {
                let Some(frame) = body.frame().await else { return Ok(None) };
                let frame = frame.map_err(|e| Fault::bad("the body broke off").because(e))?;
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            },
        }
    }
}

/// A form whose begin is bounded: its reader keeps all that comes before a field.
struct Metered {
    from: BodyDataStream<Incoming>,
    left: Arc<AtomicUsize>,
    refused_left: usize,
    /// The reader takes all there is before it looks at it: it is given one piece at a time.
    paused: bool,
}

/// The file has begun; what comes is bounded elsewhere.
const UNMETERED: usize = usize::MAX;

impl Metered {
    /// Reads to the end, or the sender would not hear why.
    fn refuse<T>(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Broken>>> {
        loop {
            match ready!(self.from.poll_next_unpin(cx)) {
                Some(Ok(piece)) if piece.len() < self.refused_left => {
                    self.refused_left -= piece.len();
                }
                _ => return Poll::Ready(Some(Err("too much comes before the file".into()))),
            }
        }
    }
}

type Broken = Box<dyn Error + Send + Sync>;

impl Stream for Metered {
    type Item = Result<Bytes, Broken>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let left = self.left.load(Ordering::Relaxed);
        if left == UNMETERED {
            return self.from.poll_next_unpin(cx).map_err(Into::into);
        }
        if std::mem::take(&mut self.paused) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if left == 0 {
            return self.refuse(cx);
        }
        let piece = ready!(self.from.poll_next_unpin(cx)).transpose()?;
        let length = piece.as_ref().map_or(0, Bytes::len);
        self.left.store(left.saturating_sub(length), Ordering::Relaxed);
        self.paused = true;
        Poll::Ready(piece.map(Ok))
    }
}

pub(crate) fn late() -> Fault {
    Fault::new(StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive")
}

impl<T: DeserializeOwned + JsonSchema + Send> Take for JsonFlow<T> {
    fn describe(schemas: &mut SchemaGenerator, shape: &mut Shape) {
        shape.body = Some(schemas.subschema_for::<T>().to_value());
    }

    async fn take(raw: Raw<'_>) -> Result<JsonFlow<T>, Fault> {
        let said = raw.body.size_hint().exact();
        Ok(JsonFlow(Flow::new(Coming::Body(raw.body), raw.limits, said), PhantomData))
    }
}

impl<Q: DeserializeOwned + JsonSchema + Send> Take for FileFlow<Q> {
    fn describe(schemas: &mut SchemaGenerator, shape: &mut Shape) {
        shape.query = Some(schemas.subschema_for::<Q>().to_value());
        upload::describe_form(shape);
    }

    async fn take(raw: Raw<'_>) -> Result<FileFlow<Q>, Fault> {
        let query = typed_query(&raw)?;
        let said = raw.body.size_hint().exact();
        let boundary = upload::boundary(raw.kind.as_ref())?;
        let meter = Arc::new(AtomicUsize::new(raw.limits.form_head_bytes_max));
        let metered = Metered {
            from: BodyDataStream::new(raw.body),
            left: meter.clone(),
            refused_left: raw.limits.refused_body_bytes_max,
            paused: false,
        };
        let mut form = Multipart::new(metered, boundary);
        let until = Instant::now() + Duration::from_secs(raw.limits.body_seconds_max);
        // The fields before the file are small, or it takes too long.
        let field = timeout_at(until, upload::field(&mut form)).await.map_err(|_| late())??;
        meter.store(UNMETERED, Ordering::Relaxed);
        let file = Flow::new(Coming::Field(Box::new((field, form))), raw.limits, said);
        Ok(FileFlow { query, file })
    }
}
