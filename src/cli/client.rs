//! One request to the server or the supervisor over HTTP/1.1, on a Unix socket or a TCP port.
//! Every wait and every body is bounded. Each request has a connection of its own: a person's
//! requests are few, and a restarted program then never meets a stale one. Nothing is repeated
//! here.

use crate::fail::Fail;
use crate::place::Place;
use crate::sent::{Load, Sent};
use crate::suite::Program;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Display;
use std::future::Future;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use wire::Secret;

/// Until a connection is taken.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Until an answer begins, and until one that is no stream ends. A server that the service
/// manager starts at the first connection has this long to come up.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Largest answer that is no stream.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Who is asked, how they are reached, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    whom: &'static Program,
    place: Place,
    key: Option<Secret>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    path: String,
    last_event_id: Option<String>,
    body: Option<Content>,
    patience: Duration,
}

/// What goes with a request.
#[derive(Clone, Debug)]
struct Content {
    kind: String,
    load: Load,
}

impl Ask {
    /// `GET`.
    pub(crate) fn get(path: impl Into<String>) -> Ask {
        Ask {
            method: Method::GET,
            path: path.into(),
            last_event_id: None,
            body: None,
            patience: ANSWER_MAX,
        }
    }

    /// `DELETE`.
    pub(crate) fn delete(path: impl Into<String>) -> Ask {
        Ask { method: Method::DELETE, ..Ask::get(path) }
    }

    /// `POST` without a body.
    pub(crate) fn post(path: impl Into<String>) -> Ask {
        Ask { method: Method::POST, ..Ask::get(path) }
    }

    /// `PUT` without a body.
    pub(crate) fn put(path: impl Into<String>) -> Ask {
        Ask { method: Method::PUT, ..Ask::get(path) }
    }

    /// With this as JSON.
    pub(crate) fn json(self, body: &impl Serialize) -> Ask {
        let bytes = serde_json::to_vec(body).expect("our own shapes are always JSON");
        let load = Load::Bytes(bytes);
        Ask { body: Some(Content { kind: "application/json".into(), load }), ..self }
    }

    /// With this as a file of that name in a form (RFC 7578; of a name WHATWG HTML §4.10.21.8).
    pub(crate) fn file(self, name: &str, file: &[u8]) -> Ask {
        let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        // Between the parts stands a line that stands nowhere in the file.
        let there = |line: &str| file.windows(line.len()).any(|piece| piece == line.as_bytes());
        let mut lines = (0_u64..).map(|n| format!("-----parachute-{n}"));
        let line = lines.find(|line| !there(line)).expect("a file holds not every number");
        let mut bytes = format!(
            "--{line}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        bytes.extend_from_slice(file);
        bytes.extend_from_slice(format!("\r\n--{line}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={line}");
        Ask { body: Some(Content { kind, load: Load::Bytes(bytes) }), ..self }
    }

    /// With a file of any length in a form; it is opened when the request goes.
    pub(crate) fn form(self, file: &Path) -> Ask {
        let (load, kind) = Load::form(file);
        Ask { body: Some(Content { kind, load }), ..self }
    }

    /// For the events after this one, if there is one.
    pub(crate) fn after(self, event: Option<String>) -> Ask {
        Ask { last_event_id: event, ..self }
    }

    /// For an answer that begins within this time.
    pub(crate) fn within(self, patience: Duration) -> Ask {
        Ask { patience, ..self }
    }
}

impl Client {
    /// For somebody at a place.
    pub(crate) fn new(whom: &'static Program, place: Place, key: Option<Secret>) -> Client {
        Client { whom, place, key }
    }

    /// Where they are.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Asks, and reads the whole answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, Fail> {
        let answer = self.send(ask).await?;
        let body = self.read(answer.into_body()).await?;
        serde_json::from_slice(&body).map_err(|e| self.foreign(e))
    }

    /// Asks for a stream of events.
    pub(crate) async fn stream(&self, ask: Ask) -> Result<Incoming, Fail> {
        let answer = self.send(ask).await?;
        let kind = answer.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        match kind {
            Some(kind) if kind.starts_with(b"text/event-stream") => Ok(answer.into_body()),
            _ => Err(self.foreign("a stream of events was asked for, and none came")),
        }
    }

    /// Asks, and returns with the head of the answer, if it is a good one.
    async fn send(&self, ask: Ask) -> Result<Response<Incoming>, Fail> {
        let patience = ask.patience;
        let request = self.request(ask)?;
        let answer = match &self.place {
            Place::Unix(path) => {
                let socket = self.connected(UnixStream::connect(path)).await?;
                self.exchange(socket, request, patience).await?
            }
            Place::Tcp { host, port } => {
                let socket = self.connected(TcpStream::connect((host.as_str(), *port))).await?;
                self.exchange(socket, request, patience).await?
            }
        };
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = self.read(answer.into_body()).await?;
        Err(refusal(self.whom, status, &body))
    }

    fn request(&self, ask: Ask) -> Result<Request<Sent>, Fail> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(ask.path)
            .header(HOST, self.place.authority())
            .header(USER_AGENT, concat!("parachute/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json, text/event-stream");
        if let Some(key) = &self.key {
            let unfit = |_| {
                let hint = "set PARACHUTE_KEY to the key as `parachute keys create` printed it";
                Fail::local("the key holds characters that no key has", hint)
            };
            let mut value = HeaderValue::from_str(key.expose()).map_err(unfit)?;
            value.set_sensitive(true);
            request = request.header("x-api-key", value);
        }
        if let Some(event) = ask.last_event_id {
            request = request.header("last-event-id", event);
        }
        let mut body = Sent::default();
        if let Some(Content { kind, load }) = ask.body {
            request = request.header(CONTENT_TYPE, kind);
            let lost = |e: std::io::Error| Fail::local(e.to_string(), "name a file that is there");
            body = load.open().map_err(lost)?;
        }
        // Their name goes into the request, and `--server` may hold anything.
        request.body(body).map_err(|e| Fail::local(e.to_string(), "see --server"))
    }

    async fn connected<S>(
        &self,
        attempt: impl Future<Output = std::io::Result<S>>,
    ) -> Result<S, Fail> {
        let cause = match timeout(CONNECT_MAX, attempt).await {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(e)) => e.to_string(),
            Err(_) => format!("no answer within {} s", CONNECT_MAX.as_secs()),
        };
        Err(Fail::NoServer { whom: self.whom, place: self.place.to_string(), cause })
    }

    async fn exchange(
        &self,
        socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        request: Request<Sent>,
        patience: Duration,
    ) -> Result<Response<Incoming>, Fail> {
        let exchange = async {
            let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
            // What breaks the connection is told to whoever reads the answer as well.
            tokio::spawn(connection);
            sender.send_request(request).await
        };
        match timeout(patience, exchange).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(e)) if e.is_parse() => Err(self.foreign(e)),
            Ok(Err(e)) => Err(self.lost(causes(&e))),
            Err(_) => Err(self.lost(format!("silence for {} s", patience.as_secs()))),
        }
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, Fail> {
        let whole = Limited::new(body, ANSWER_BYTES_MAX).collect();
        match timeout(ANSWER_MAX, whole).await {
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
            Ok(Err(e)) => Err(self.lost(causes(&*e))),
            Err(_) => Err(self.lost(format!("it took more than {} s", ANSWER_MAX.as_secs()))),
        }
    }

    /// A part of an answer in its shape.
    pub(crate) fn shape<T: DeserializeOwned>(&self, value: Value) -> Result<T, Fail> {
        serde_json::from_value(value).map_err(|e| self.foreign(e))
    }

    /// Whoever answers is no server of ours.
    pub(crate) fn foreign(&self, cause: impl Display) -> Fail {
        Fail::Foreign { place: self.place.to_string(), cause: cause.to_string() }
    }

    fn lost(&self, cause: impl Display) -> Fail {
        Fail::Lost { whom: self.whom, place: self.place.to_string(), cause: cause.to_string() }
    }
}

/// An error and what caused it, in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text += &format!(": {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// What a status that is not 2xx means, with the contract's three shapes of a body (§1.0).
fn refusal(whom: &'static Program, status: StatusCode, body: &[u8]) -> Fail {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = match &json["detail"] {
        Value::String(detail) => detail.clone(),
        Value::Array(faults) => faults.iter().map(fault).collect::<Vec<_>>().join("; "),
        _ => {
            let named = |name: &str| json[name].as_str().map(str::to_owned);
            let reason = || status.canonical_reason().unwrap_or("refused").to_owned();
            named("message").or_else(|| named("error")).unwrap_or_else(reason)
        }
    };
    match status {
        StatusCode::UNAUTHORIZED => Fail::NotAllowed(said),
        StatusCode::FORBIDDEN => Fail::Forbidden(said),
        _ => Fail::Refused { whom, status: status.as_u16(), said },
    }
}

/// One entry of a 422: the place and what is wrong there.
fn fault(fault: &Value) -> String {
    let place: Vec<String> = fault["loc"].as_array().into_iter().flatten().map(step).collect();
    format!("{}: {}", place.join("."), fault["msg"].as_str().unwrap_or("wrong"))
}

fn step(step: &Value) -> String {
    step.as_str().map_or_else(|| step.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::SERVER;

    #[test]
    fn refusals_say_what_each_of_the_contracts_bodies_says() {
        for (status, body, said) in [
            (404, r#"{"detail":"no such session"}"#, "no such session (the server answered 404)"),
            (
                422,
                r#"{"detail":[{"loc":["body","limit"],"msg":"too big"},
                    {"loc":["query",0],"msg":"x"}]}"#,
                "body.limit: too big; query.0: x (the server answered 422)",
            ),
            (500, "Internal Server Error", "Internal Server Error (the server answered 500)"),
            (
                401,
                r#"{"error":"Unauthorized","message":"a key is needed"}"#,
                "the server does not allow it: a key is needed",
            ),
            (403, r#"{"error":"no"}"#, "the server does not allow it: no"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(refusal(&SERVER, status, body.as_bytes()).to_string(), said);
        }
    }

    #[test]
    fn the_key_shows_in_no_debug_output() {
        let key = Some(Secret::new("para_private".into()));
        let client = Client::new(&SERVER, Place::loopback(1), key);
        let request = client.request(Ask::get("/")).unwrap();
        assert_eq!(request.headers()["x-api-key"], "para_private");
        assert!(!format!("{client:?} {request:?}").contains("para_private"));
    }
}
