//! Handing a whole request on to another program of the suite, and its answer back as it comes:
//! what a door of one program does that stands for all doors of another. Nothing in either is
//! looked at but the headers, of which only those listed here are passed.

use crate::body::Body;
use crate::call::{Give, Raw, Shape, Take, whole};
use crate::client::{self, AskError};
use crate::fault::Fault;
use crate::{Cx, Reply};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, header};
use http_body::Frame;
use http_body_util::Full;
use hyper::body::Incoming;
use schemars::generate::SchemaGenerator;
use serde_json::Value;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio_util::sync::CancellationToken;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Headers of a request that mean something to the other program.
const THERE: [HeaderName; 5] =
    [header::ACCEPT, header::CONTENT_TYPE, header::IF_MATCH, header::IF_NONE_MATCH, LAST_EVENT_ID];
/// Headers of an answer that mean something to the client.
const BACK: [HeaderName; 7] = [
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::ETAG,
    header::RETRY_AFTER,
    BUFFERING,
];

/// A request as it came, its body read within the bounds of this program.
pub struct Passing {
    method: Method,
    target: String,
    body: Bytes,
}

impl Take for Passing {
    fn describe(_: &mut SchemaGenerator, _: &mut Shape) {}
    async fn take(raw: Raw<'_>) -> Result<Passing, Fault> {
        let Raw { method, path, query, body, limits, .. } = raw;
        let target = match query {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        Ok(Passing { method, target, body: whole(body, &limits).await? })
    }
}

/// An answer of another program.
pub struct Passed(Reply);

impl From<Reply> for Passed {
    fn from(reply: Reply) -> Passed {
        Passed(reply)
    }
}

impl Give for Passed {
    fn describe(_: &mut SchemaGenerator) -> Option<(&'static str, Value)> {
        None
    }
    fn reply(self) -> Reply {
        self.0
    }
}

/// Sends the request to the other program's socket. The answer may be a stream, which
/// ends when this program stops. None: this program stops before an answer began, and what was
/// asked for goes on; it may be what stops this program, so waiting would not end.
///
/// # Errors
/// That program does not answer.
pub async fn forward<A>(
    cx: &Cx<A>,
    socket: &Path,
    request: Passing,
) -> Result<Option<Passed>, AskError> {
    let unclear = |error: http::Error| AskError::Unclear(error.to_string());
    let mut head = Request::builder().method(request.method).uri(request.target);
    if let Some(headers) = head.headers_mut() {
        copy(&THERE, &cx.headers, headers);
    }
    let asked = head.body(Full::new(request.body)).map_err(unclear)?;
    let answer = tokio::select! {
        answer = client::send(socket, asked) => answer?,
        () = cx.stop.cancelled() => return Ok(None),
    };
    let (head, body) = answer.into_parts();
    let mut reply = Reply::new(Body::Passed(Box::new(Onward::new(body, &cx.stop))));
    *reply.status_mut() = head.status;
    copy(&BACK, &head.headers, reply.headers_mut());
    Ok(Some(Passed(reply)))
}

fn copy(names: &[HeaderName], from: &HeaderMap, to: &mut HeaderMap) {
    for name in names {
        if let Some(value) = from.get(name) {
            to.insert(name.clone(), value.clone());
        }
    }
}

/// Another program's body, for as long as this program does not stop.
pub struct Onward {
    body: Incoming,
    stopping: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Onward {
    fn new(body: Incoming, stop: &CancellationToken) -> Onward {
        Onward { body, stopping: Box::pin(stop.clone().cancelled_owned()) }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.stopping.as_mut().poll(cx).is_ready() {
            let size = http_body::Body::size_hint(&self.body);
            // A client that was told how much would come must not take a part for all of it.
            return match size.exact() {
                Some(left) if left > 0 => {
                    Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
                }
                _ => Poll::Ready(None),
            };
        }
        let polled = http_body::Body::poll_frame(Pin::new(&mut self.body), cx);
        polled.map(|frame| frame.map(|frame| frame.map_err(io::Error::other)))
    }

    pub(crate) fn is_end(&self) -> bool {
        http_body::Body::is_end_stream(&self.body)
    }

    pub(crate) fn size_hint(&self) -> http_body::SizeHint {
        http_body::Body::size_hint(&self.body)
    }
}
