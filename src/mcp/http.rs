//! Servers that are called: streamable HTTP as the SDK has it, over our own client, which follows
//! no redirect (a credential must not travel to whom nobody named) and bounds what it reads.

use crate::Place;
use crate::Told;
use crate::error::AskError;
use crate::limits::{REFUSAL_BYTES_MAX, SAID_BYTES_MAX, SENTENCE_CHARS_MAX};
use crate::notes::Notes;
use crate::older::Older;
use crate::talk::{Clock, Era, Stopped, talk};
use crate::words::line;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt, unfold};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use reqwest::{Client, RequestBuilder, Response, Url};
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::common::http_header::{HEADER_LAST_EVENT_ID, HEADER_SESSION_ID};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpClientTransportConfig, StreamableHttpError,
    StreamableHttpPostResponse,
};
use rustls::crypto::{CryptoProvider, ring};
use sse_stream::{Sse, SseStream};
use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What we say we are.
const AGENT: &str = concat!("parachute/", env!("CARGO_PKG_VERSION"));
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

/// Headers that are the protocol's or the connection's to set.
pub(crate) const RESERVED: [&str; 10] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-session-id",
    "te",
    "transfer-encoding",
];

/// Events of a stream.
pub(crate) type Events = BoxStream<'static, Result<Sse, SseError>>;

/// Calls it, speaks with it, takes leave.
pub(crate) async fn once(
    place: &Place,
    era: Era,
    clock: &Clock,
    notes: &Notes,
) -> Result<Told, Stopped> {
    let stopped = |error| Stopped { error, had_begun: false };
    let link = Link::to(place, notes).await.map_err(stopped)?;
    if place.older {
        let opening = clock.within("begin to speak", Older::open(link)).await;
        let older = opening.and_then(|opened| opened).map_err(stopped)?;
        return talk(older, era, clock, notes).await;
    }
    let config = StreamableHttpClientTransportConfig::with_uri(link.url.as_str());
    let config = config.reinit_on_expired_session(false);
    talk(StreamableHttpClientTransport::with_client(link, config), era, clock, notes).await
}

/// A client for one server, with the headers it wants.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) url: Url,
    client: Client,
    headers: HeaderMap,
    /// Of all answers together.
    bytes_left: Arc<AtomicU64>,
    pub(crate) notes: Notes,
}

impl Link {
    async fn to(place: &Place, notes: &Notes) -> Result<Link, AskError> {
        let url = Url::parse(place.url.trim()).map_err(|_| AskError::Address)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AskError::Address);
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &place.headers {
            let wrong = || AskError::Header(line(name, SENTENCE_CHARS_MAX));
            let key = HeaderName::try_from(name).map_err(|_| wrong())?;
            let mut value = HeaderValue::try_from(value.expose()).map_err(|_| wrong())?;
            if RESERVED.contains(&key.as_str()) {
                return Err(wrong());
            }
            value.set_sensitive(true);
            headers.append(key, value);
        }
        let base = url.clone();
        // Reading the system's certificates takes its time.
        let built = tokio::task::spawn_blocking(move || build(&base)).await;
        let built = built.expect("building a client does not panic");
        let client = built.map_err(|error| AskError::Unreachable(cause(&error)))?;
        let bytes_left = Arc::new(AtomicU64::new(SAID_BYTES_MAX));
        Ok(Link { url, client, headers, bytes_left, notes: notes.clone() })
    }

    /// A stream of events, begun by a GET.
    pub(crate) async fn listen(&self, headers: HeaderMap) -> Result<Events, AskError> {
        let request = self.client.get(self.url.clone()).headers(headers).header(ACCEPT, EVENTS);
        let answer = self.send(request).await?;
        self.notes.answered(answer.status().as_u16());
        if !answer.status().is_success() {
            return Err(self.notes.fault(AskError::Status(answer.status().as_u16())));
        }
        if !is_of(&answer, EVENTS) {
            let said = "its answer is no stream of events".to_owned();
            return Err(self.notes.fault(AskError::Garbage(said)));
        }
        Ok(self.events(answer))
    }

    /// Sends a message to a URL and gives back the answer, whatever its status is.
    pub(crate) async fn post(
        &self,
        url: Url,
        message: &ClientJsonRpcMessage,
        headers: HeaderMap,
    ) -> Result<Response, AskError> {
        let body = serde_json::to_vec(message).expect("a message is always JSON");
        let request = self.client.post(url).header(CONTENT_TYPE, JSON);
        let request = request.header(ACCEPT, [JSON, EVENTS].join(", "));
        let answer = self.send(request.headers(headers).body(body)).await?;
        self.notes.answered(answer.status().as_u16());
        Ok(answer)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, AskError> {
        let sent = request.headers(self.headers.clone()).send().await;
        sent.map_err(|error| self.notes.fault(AskError::Unreachable(cause(&error))))
    }

    /// The next piece of an answer. None: it ended, or there is no end to it.
    async fn piece(&self, answer: &mut Response) -> Option<Bytes> {
        let piece = match answer.chunk().await {
            Ok(piece) => piece?,
            Err(error) => {
                self.notes.fault(AskError::Unreachable(cause(&error)));
                return None;
            }
        };
        let bytes = piece.len() as u64;
        let took = self
            .bytes_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        if took.is_err() {
            self.notes.fault(AskError::TooMuch);
            return None;
        }
        Some(piece)
    }

    fn events(&self, answer: Response) -> Events {
        let pieces = unfold((self.clone(), answer), |(link, mut answer)| async {
            let piece = link.piece(&mut answer).await?;
            Some((Ok::<Bytes, io::Error>(piece), (link, answer)))
        });
        SseStream::from_bytes_stream(pieces.boxed()).boxed()
    }

    async fn body(&self, mut answer: Response, bytes_max: usize) -> Vec<u8> {
        let mut body = Vec::new();
        while body.len() < bytes_max {
            let Some(piece) = self.piece(&mut answer).await else { break };
            body.extend_from_slice(&piece);
        }
        body
    }

    /// What an answer that is no success has to say in the protocol's own terms, if anything.
    async fn refusal(&self, answer: Response) -> Result<StreamableHttpPostResponse, AskError> {
        let status = answer.status();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(self.notes.fault(AskError::Status(status.as_u16())));
        }
        let body = self.body(answer, REFUSAL_BYTES_MAX).await;
        match serde_json::from_slice::<ServerJsonRpcMessage>(&body) {
            Ok(message @ JsonRpcMessage::Error(_)) => {
                Ok(StreamableHttpPostResponse::Json(message, None))
            }
            _ => Err(self.notes.fault(AskError::Status(status.as_u16()))),
        }
    }
}

type Failed = StreamableHttpError<AskError>;

impl StreamableHttpClient for Link {
    type Error = AskError;

    async fn post_message(
        &self,
        _uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        let headers = of_session(custom_headers, session_id.as_deref(), None);
        let sent = self.post(self.url.clone(), &message, headers).await;
        let answer = sent.map_err(StreamableHttpError::Client)?;
        let status = answer.status();
        if matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        if !status.is_success() {
            return self.refusal(answer).await.map_err(StreamableHttpError::Client);
        }
        let session = answer.headers().get(HEADER_SESSION_ID);
        let session = session.and_then(|id| id.to_str().ok()).map(str::to_owned);
        if is_of(&answer, EVENTS) {
            return Ok(StreamableHttpPostResponse::Sse(self.events(answer), session));
        }
        // Only a request waits for an answer.
        let waits = matches!(message, ClientJsonRpcMessage::Request(_));
        let is_json = is_of(&answer, JSON);
        let body = self.body(answer, usize::MAX).await;
        let read = serde_json::from_slice(&body).ok().filter(|_| is_json);
        match read {
            Some(message) => Ok(StreamableHttpPostResponse::Json(message, session)),
            None if !waits => Ok(StreamableHttpPostResponse::Accepted),
            None => {
                let said = "its answer is neither a message nor a stream of them".to_owned();
                let fault = self.notes.why().unwrap_or(AskError::Garbage(said));
                Err(StreamableHttpError::Client(self.notes.fault(fault)))
            }
        }
    }

    async fn delete_session(
        &self,
        _uri: Arc<str>,
        session_id: Arc<str>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Failed> {
        let headers = of_session(custom_headers, Some(&session_id), None);
        let request = self.client.delete(self.url.clone()).headers(headers);
        // Whether it likes to be left is its own affair.
        self.send(request).await.map(drop).map_err(StreamableHttpError::Client)
    }

    async fn get_stream(
        &self,
        _uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failed> {
        // What a server says of its own accord is of no use to us; an answer that broke off is.
        let Some(last) = last_event_id else {
            return Err(StreamableHttpError::ServerDoesNotSupportSse);
        };
        let headers = of_session(custom_headers, session_id.as_deref(), Some(&last));
        self.listen(headers).await.map_err(StreamableHttpError::Client)
    }
}

fn of_session(
    given: HashMap<HeaderName, HeaderValue>,
    session: Option<&str>,
    last_event: Option<&str>,
) -> HeaderMap {
    let mut headers: HeaderMap = given.into_iter().collect();
    for (name, value) in [(HEADER_SESSION_ID, session), (HEADER_LAST_EVENT_ID, last_event)] {
        let value = value.and_then(|value| HeaderValue::try_from(value).ok());
        if let (Some(value), Ok(name)) = (value, HeaderName::try_from(name)) {
            headers.insert(name, value);
        }
    }
    headers
}

fn is_of(answer: &Response, kind: &str) -> bool {
    let said = answer.headers().get(CONTENT_TYPE).and_then(|said| said.to_str().ok());
    let said = said.and_then(|said| said.split(';').next()).map(str::trim);
    said.is_some_and(|said| said.eq_ignore_ascii_case(kind))
}

fn build(url: &Url) -> reqwest::Result<Client> {
    if CryptoProvider::get_default().is_none() {
        // Somebody else may have been quicker, which is as good.
        let _ = ring::default_provider().install_default();
    }
    let builder = || {
        let none = reqwest::redirect::Policy::none();
        let builder = Client::builder().user_agent(AGENT).redirect(none).referer(false);
        // A proxy has no way to what is on this machine.
        if is_loopback(url) { builder.no_proxy() } else { builder }
    };
    // A machine without certificates cannot build such a client, and for http:// needs none.
    match builder().build() {
        Err(_) if url.scheme() == "http" => builder().tls_certs_only([]).build(),
        built => built,
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The innermost cause, which is the system's or the TLS library's: the outer ones name the URL.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: Option<&dyn Error> = error.source();
    while let Some(source) = innermost.and_then(Error::source) {
        innermost = Some(source);
    }
    let text = innermost.map_or_else(|| "no connection".to_owned(), ToString::to_string);
    line(&text, SENTENCE_CHARS_MAX)
}
