//! Turns of the scripted CLI, heard through the server (`?text=delta`) or straight from the
//! CLI's own pipe: how many tokens, how fast, and how late each comes where the CLI has written
//! the clock's reading into it.
#![allow(clippy::disallowed_methods, reason = "the bench starts the CLI as the agent does")]

use crate::place::Place;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use memchr::memmem;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

/// What to say.
#[derive(Clone, Copy)]
pub(crate) struct Speech {
    pub(crate) tokens: u64,
    /// Microseconds between two tokens; 0: as fast as it goes, and without stamps.
    pub(crate) delay_us: u64,
}

impl Speech {
    fn directive(self) -> String {
        let (n, delay_us, stamp) = (self.tokens, self.delay_us, self.delay_us > 0);
        format!("@@{}@@", json!({ "n": n, "delay_us": delay_us, "stamp": stamp }))
    }
}

/// What was heard.
pub(crate) struct Heard {
    pub(crate) session: String,
    /// When it was asked for, when anything came, and when the first and the last token did.
    pub(crate) asked: Instant,
    pub(crate) begun: Instant,
    pub(crate) first: Instant,
    pub(crate) last: Instant,
    /// Microseconds from the CLI's clock to ours, for each stamped token.
    pub(crate) delays: Vec<f64>,
}

/// Counts tokens in a stream of lines.
struct Ear {
    mark: memmem::Finder<'static>,
    stamped: bool,
    buffer: Vec<u8>,
    tokens: u64,
    asked: Instant,
    begun: Option<Instant>,
    first: Option<Instant>,
    last: Instant,
    delays: Vec<f64>,
}

impl Ear {
    fn new(mark: &'static str, speech: Speech) -> Ear {
        Ear {
            mark: memmem::Finder::new(mark),
            stamped: speech.delay_us > 0,
            buffer: Vec::with_capacity(128 * 1024),
            tokens: 0,
            asked: Instant::now(),
            begun: None,
            first: None,
            last: Instant::now(),
            delays: Vec::new(),
        }
    }

    /// Takes what came.
    fn hear(&mut self, bytes: &[u8]) {
        let (here, now) = (Instant::now(), nanos());
        self.begun.get_or_insert(here);
        self.buffer.extend_from_slice(bytes);
        let whole = memchr::memrchr(b'\n', &self.buffer).map_or(0, |at| at + 1);
        let before = self.tokens;
        for at in self.mark.find_iter(&self.buffer[..whole]) {
            self.tokens += 1;
            if self.stamped {
                let stamp = &self.buffer[at + self.mark.needle().len()..whole];
                let stamp = stamp.iter().take_while(|b| b.is_ascii_digit());
                let stamp = stamp.fold(0u64, |n, b| n * 10 + u64::from(b - b'0'));
                self.delays.push(now.saturating_sub(stamp) as f64 / 1e3);
            }
        }
        if self.tokens > before {
            self.first.get_or_insert(here);
            self.last = here;
        }
        self.buffer.drain(..whole);
    }

    fn done(self, session: String, speech: Speech, rest: &str) -> io::Result<Heard> {
        if self.tokens != speech.tokens {
            let said = format!("{} of {} tokens came: {rest}", self.tokens, speech.tokens);
            return Err(io::Error::other(said));
        }
        let Ear { asked, begun, first, last, delays, .. } = self;
        let (begun, first) = (begun.unwrap_or(last), first.unwrap_or(last));
        Ok(Heard { session, asked, begun, first, last, delays })
    }
}

/// CLOCK_MONOTONIC, as the scripted CLI reads it.
fn nanos() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// A turn through the server; of a new session if none is named.
pub(crate) async fn ask(
    to: SocketAddr,
    session: Option<&str>,
    speech: Speech,
) -> io::Result<Heard> {
    ask_at("full", to, session, speech).await
}

/// The same at a level of trust.
pub(crate) async fn ask_at(
    trust: &str,
    to: SocketAddr,
    session: Option<&str>,
    speech: Speech,
) -> io::Result<Heard> {
    let mut body = json!({ "message": speech.directive(), "trustLevel": trust });
    if let Some(session) = session {
        body["sessionId"] = session.into();
    }
    let mut ear = Ear::new("data: {\"type\":\"text\",\"delta\":\"", speech);
    let mut answer = post(to, "/api/chat?text=delta", body.to_string()).await?;
    let mut begin = String::new();
    let mut end = String::new();
    while let Some(frame) = answer.frame().await {
        let Ok(data) = frame.map_err(other)?.into_data() else {
            continue;
        };
        if ear.tokens == 0 {
            begin.push_str(&String::from_utf8_lossy(&data));
        }
        ear.hear(&data);
        if ear.tokens == speech.tokens {
            end.push_str(&String::from_utf8_lossy(&data));
        }
    }
    let id = begin.split_once("\"sessionId\":\"").and_then(|(_, rest)| rest.split_once('"'));
    let Some((id, _)) = id else {
        return Err(io::Error::other(begin));
    };
    if !end.contains("\"type\":\"done\"") {
        end.insert_str(0, &begin);
        return Err(io::Error::other(end));
    }
    ear.done(id.to_owned(), speech, &begin)
}

/// The body of the answer to a POST, as it comes; it is read on a connection of its own.
pub(crate) async fn post(to: SocketAddr, path: &str, body: String) -> io::Result<Incoming> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (mut send, talk) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(other)?;
    // Ends with the answer.
    tokio::spawn(async move { drop(talk.await) });
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("host", "localhost")
        .body(Full::new(Bytes::from(body)))
        .map_err(other)?;
    Ok(send.send_request(request).await.map_err(other)?.into_body())
}

/// The same straight from the CLI, with nothing of ours between.
pub(crate) async fn straight(place: &Place, speech: Speech) -> io::Result<Heard> {
    let mut cli = Command::new(place.program("scripted-claude"))
        .args(["--input-format=stream-json", "--output-format=stream-json", "--verbose"])
        .arg("--include-partial-messages")
        .env_clear()
        .envs(place.env())
        .current_dir(place.path("vault"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut to = cli.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut from = cli.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let message = json!({ "role": "user", "content": speech.directive() });
    let line = json!({ "type": "user", "message": message });
    let mut ear = Ear::new("\"type\":\"text_delta\",\"text\":\"", speech);
    to.write_all(format!("{line}\n").as_bytes()).await?;
    let mut piece = vec![0; 64 * 1024];
    while ear.tokens < speech.tokens {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            break;
        }
        ear.hear(&piece[..read]);
    }
    drop(to);
    while from.read(&mut piece).await? > 0 {}
    cli.wait().await?;
    ear.done(String::new(), speech, "")
}

pub(crate) fn other(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}
