//! A server of canned answers. A test gives it one function from request to answer; it keeps
//! what it heard. It ends, with its thread and its socket, when it is dropped.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::convert::Infallible;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::{JoinHandle, spawn};
use tokio::sync::{mpsc, oneshot, watch};

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// `POST /api/chat?text=delta`.
    pub(crate) line: String,
    /// As JSON; null without one.
    pub(crate) body: Value,
    /// As it came.
    pub(crate) bytes: Bytes,
    /// `Content-Type`.
    pub(crate) kind: Option<String>,
    /// `Last-Event-ID`.
    pub(crate) after: Option<String>,
    /// `X-API-Key`.
    pub(crate) key: Option<String>,
}

/// A part of a stream.
pub(crate) enum Piece {
    /// These bytes.
    Say(Vec<u8>),
    /// Nothing, until a request whose line ends so was heard.
    Until(&'static str),
    /// The connection breaks here.
    Cut,
}

/// What is answered.
pub(crate) enum Answer {
    /// A status and JSON.
    Json(u16, Value),
    /// A status and text that is no JSON.
    Text(u16, &'static str),
    /// A stream of events.
    Stream(Vec<Piece>),
}

type Script = dyn Fn(&Heard, usize) -> Answer + Send + Sync;

/// The server.
pub(crate) struct Stub {
    heard: Arc<Mutex<Vec<Heard>>>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Inner {
    script: Box<Script>,
    heard: Arc<Mutex<Vec<Heard>>>,
    /// How many, for streams that wait for the next.
    count: watch::Sender<usize>,
}

impl Stub {
    /// Listens at `socket`. The script also gets the number of requests before this one.
    pub(crate) fn at(
        socket: &Path,
        script: impl Fn(&Heard, usize) -> Answer + Send + Sync + 'static,
    ) -> Stub {
        let listener = UnixListener::bind(socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (count, _) = watch::channel(0);
        let inner = Inner { script: Box::new(script), heard: heard.clone(), count };
        let (end, ended) = oneshot::channel();
        let thread = spawn(move || serve(listener, Arc::new(inner), ended));
        Stub { heard, end: Some(end), thread: Some(thread) }
    }

    /// What was asked so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// The lines of it.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.heard().into_iter().map(|heard| heard.line).collect()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn serve(listener: UnixListener, inner: Arc<Inner>, ended: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::from_std(listener).unwrap();
        let accept = async {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let inner = inner.clone();
                let service = service_fn(move |request| answer(request, inner.clone()));
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(socket), service));
            }
        };
        tokio::select! {
            () = accept => {}
            _ = ended => {}
        }
    });
}

async fn answer(
    request: Request<Incoming>,
    inner: Arc<Inner>,
) -> Result<Response<Told>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let header = |name: &str| head.headers.get(name).map(|v| v.to_str().unwrap().to_owned());
    assert_eq!(header("host").as_deref(), Some("localhost"));
    let heard = Heard {
        line: format!("{} {}", head.method, head.uri),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        bytes: body,
        kind: header("content-type"),
        after: header("last-event-id"),
        key: header("x-api-key"),
    };
    let before = {
        let mut all = inner.heard.lock().unwrap();
        all.push(heard.clone());
        all.len() - 1
    };
    inner.count.send_replace(before + 1);
    let (status, kind, pieces) = match (inner.script)(&heard, before) {
        Answer::Json(status, json) => {
            (status, "application/json", vec![Piece::Say(json.to_string().into())])
        }
        Answer::Text(status, text) => (status, "text/plain", vec![Piece::Say(text.into())]),
        Answer::Stream(pieces) => (200, "text/event-stream; charset=utf-8", pieces),
    };
    let (tell, told) = mpsc::channel(1);
    tokio::spawn(play(pieces, inner, tell));
    let answer = Response::builder().status(status).header("content-type", kind);
    Ok(answer.body(Told(told)).unwrap())
}

/// A body of what is sent over a channel.
struct Told(mpsc::Receiver<io::Result<Bytes>>);

impl Body for Told {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|item| item.map(|bytes| bytes.map(Frame::data)))
    }
}

async fn play(pieces: Vec<Piece>, inner: Arc<Inner>, tell: mpsc::Sender<io::Result<Bytes>>) {
    for piece in pieces {
        let item = match piece {
            Piece::Say(bytes) => Ok(Bytes::from(bytes)),
            Piece::Cut => Err(io::Error::other("cut")),
            Piece::Until(line) => {
                let mut count = inner.count.subscribe();
                let came = |_: &usize| {
                    inner.heard.lock().unwrap().iter().any(|heard| heard.line.ends_with(line))
                };
                count.wait_for(came).await.unwrap();
                continue;
            }
        };
        // Room means that the connection took the piece before; on this one thread it has then
        // written it out, too, so that a cut loses nothing of it.
        let Ok(room) = tell.reserve().await else {
            return;
        };
        room.send(item);
    }
}
