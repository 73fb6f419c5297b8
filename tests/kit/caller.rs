//! Somebody who asks: over TCP or the Unix socket, with or without a key. Speaks plain HTTP/1.1
//! on a connection for each request, so that nothing of the server's side is assumed.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::net::{TcpStream, UnixStream};
use wire::frames::Heard;

#[derive(Clone, Debug)]
enum Way {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// One who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    way: Way,
    headers: Vec<(String, String)>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e} in {text}"))
    }
}

impl Caller {
    /// Over TCP.
    pub fn tcp(to: SocketAddr) -> Caller {
        Caller { way: Way::Tcp(to), headers: Vec::new() }
    }

    /// Over a Unix socket.
    pub fn unix(to: &Path) -> Caller {
        Caller { way: Way::Unix(to.to_owned()), headers: Vec::new() }
    }

    /// The same, with a header on every request.
    pub fn with(mut self, name: &str, value: &str) -> Caller {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, Some(body.to_string().into())).await
    }

    /// POST of a file in a form, under this name.
    pub async fn upload(&self, path: &str, name: &str, bytes: &[u8]) -> Answer {
        const LINE: &str = "-----a-line-between-parts";
        let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        let mut body = format!(
            "--{LINE}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(format!("\r\n--{LINE}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={LINE}");
        self.clone().with("content-type", &kind).ask(Method::POST, path, Some(body.into())).await
    }

    /// Any method, with a JSON body.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.ask(method, path, Some(body.to_string().into())).await
    }

    /// Any request.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Bytes>) -> Answer {
        let answer = self.open(method, path, body).await.expect("an answer");
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// Any request; the body is still to be read. An error is a connection that was refused or
    /// broke before the answer began.
    pub async fn open(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> std::io::Result<Response<Incoming>> {
        let broken = std::io::Error::other::<hyper::Error>;
        let mut request = Request::builder().method(method).uri(path);
        if !self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("host")) {
            request = request.header("host", "localhost:3333");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body.unwrap_or_default())).expect("a request");
        let mut send = match &self.way {
            Way::Tcp(to) => {
                let stream = TokioIo::new(TcpStream::connect(to).await?);
                let (send, talk) =
                    hyper::client::conn::http1::handshake(stream).await.map_err(broken)?;
                tokio::spawn(talk);
                send
            }
            Way::Unix(to) => {
                let stream = TokioIo::new(UnixStream::connect(to).await?);
                let (send, talk) =
                    hyper::client::conn::http1::handshake(stream).await.map_err(broken)?;
                tokio::spawn(talk);
                send
            }
        };
        send.send_request(request).await.map_err(broken)
    }

    /// Takes a turn: POST /api/chat with this query (`text=delta`) and body.
    pub async fn chat(&self, query: &str, body: &Value) -> Stream {
        let path = format!("/api/chat?{query}");
        let body = Some(body.to_string().into());
        Stream::of(self.open(Method::POST, &path, body).await.expect("a stream"))
    }

    /// Takes a session's stream up again after an event.
    pub async fn resume(&self, session: &str, query: &str, after: u64) -> std::io::Result<Stream> {
        let path = format!("/api/chat/{session}/stream?{query}");
        let caller = self.clone().with("last-event-id", &after.to_string());
        caller.follow(&path).await
    }

    /// GET of a stream at any path, of the server or of an agent's own socket.
    pub async fn follow(&self, path: &str) -> std::io::Result<Stream> {
        Ok(Stream::of(self.open(Method::GET, path, None).await?))
    }
}

/// A stream of events while it is read.
pub struct Stream {
    /// Status of the answer.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    buffer: String,
    rest: Vec<u8>,
    /// Bytes of the body so far.
    pub bytes: usize,
    /// What was heard so far.
    pub heard: Heard,
    /// Every event so far, with its id where it has one.
    pub events: Vec<(Option<u64>, Value)>,
}

impl Stream {
    fn of(answer: Response<Incoming>) -> Stream {
        let (head, body) = answer.into_parts();
        Stream {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            buffer: String::new(),
            rest: Vec::new(),
            bytes: 0,
            heard: Heard::default(),
            events: Vec::new(),
        }
    }

    /// Reads on until an event of this type has come. False: the stream ended before.
    pub async fn until(&mut self, kind: &str) -> bool {
        let seen = |events: &[(Option<u64>, Value)]| events.iter().any(|(_, e)| e["type"] == kind);
        while !seen(&self.events) {
            if !self.more().await {
                return seen(&self.events);
            }
        }
        true
    }

    /// Reads to the end.
    pub async fn whole(mut self) -> Stream {
        while self.more().await {}
        self
    }

    /// Reads at least so many bytes more, or to the end.
    pub async fn some(&mut self, bytes: usize) {
        let upto = self.bytes + bytes;
        while self.bytes < upto && self.more().await {}
    }

    /// Reads one piece. False: the stream has ended, in order or not.
    pub async fn more(&mut self) -> bool {
        let Some(Ok(frame)) = self.body.frame().await else {
            return false;
        };
        let Ok(data) = frame.into_data() else {
            return true;
        };
        self.bytes += data.len();
        self.rest.extend_from_slice(&data);
        let Some(end) = self.rest.windows(2).rposition(|w| w == b"\n\n") else {
            return true;
        };
        let whole: Vec<u8> = self.rest.drain(..end + 2).collect();
        self.buffer = String::from_utf8(whole).expect("frames are text");
        self.heard.hear(&self.buffer);
        for frame in self.buffer.split("\n\n") {
            let line = |name: &str| frame.lines().find_map(|l| l.strip_prefix(name));
            if let Some(data) = line("data: ") {
                let event = serde_json::from_str(data).expect("an event is JSON");
                self.events.push((line("id: ").and_then(|id| id.parse().ok()), event));
            }
        }
        true
    }

    /// The first event of this type.
    pub fn event(&self, kind: &str) -> &Value {
        let found = self.events.iter().find(|(_, e)| e["type"] == kind);
        &found.unwrap_or_else(|| panic!("no {kind} in {:?}", self.kinds())).1
    }

    /// Types of the events, in order.
    pub fn kinds(&self) -> Vec<String> {
        let kind = |e: &Value| e["type"].as_str().unwrap_or_default().to_owned();
        self.events.iter().map(|(_, e)| kind(e)).collect()
    }

    /// The session that the stream named.
    pub fn session(&self) -> String {
        self.event("session")["sessionId"].as_str().expect("a session").to_owned()
    }
}
