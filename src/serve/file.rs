//! A file as an answer: read piece by piece while it goes out, whole or a range of it (RFC 9110
//! §14), with a tag by which the client can ask whether it has it already. Which file that is,
//! and who may have it, is decided elsewhere.
//!
//! Always a download of no particular type: a page among a person's files must not be opened as
//! one of ours.

use crate::Reply;
use crate::body::Body;
use crate::call::Give;
use crate::condition::Condition;
use crate::fault::json_reply;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use schemars::generate::SchemaGenerator;
use serde::Serialize;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::task::{JoinHandle, spawn_blocking};

/// What is read at once.
const PIECE_BYTES: u64 = 128 * 1024;

/// An answer with a tag.
pub enum Tagged<T> {
    /// The client has it already.
    Unchanged(String),
    /// As JSON.
    Told(String, T),
    /// As it is.
    Sent(Box<Sent>),
}

/// A file that goes out.
pub struct Sent {
    file: File,
    tag: String,
    bytes: u64,
    /// What of it was asked for; an error: nothing that is there.
    range: Option<Result<Range<u64>, ()>>,
    name: String,
}

impl Sent {
    /// A file of so many bytes, with its tag and the name under which a browser keeps it; as the
    /// headers of the request want it.
    pub fn new(file: File, bytes: u64, tag: String, name: &str, headers: &HeaderMap) -> Sent {
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        // A range of what the client had before is of no use to it when that has changed.
        let same = text(header::IF_RANGE).is_none_or(|had| had.trim().trim_matches('"') == tag);
        let range = text(header::RANGE).filter(|_| same).and_then(|range| of_range(range, bytes));
        Sent { file, tag, bytes, range, name }
    }

    fn reply(mut self) -> Reply {
        let tag = quoted(&self.tag);
        let (status, range) = match self.range.take() {
            None => (StatusCode::OK, 0..self.bytes),
            Some(Ok(range)) => (StatusCode::PARTIAL_CONTENT, range),
            Some(Err(())) => return unsatisfiable(self.bytes),
        };
        let told = format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), self.bytes);
        let mut reply = Reply::new(match self.file.seek(SeekFrom::Start(range.start)) {
            Ok(_) => Body::File(Box::new(Outgoing::new(self.file, range.end - range.start))),
            Err(error) => {
                tracing::error!(%error, "a file cannot be read from where it was asked for");
                let said = br#"{"detail":"Internal Server Error"}"#.to_vec();
                return json_reply(StatusCode::INTERNAL_SERVER_ERROR, Ok(said));
            }
        });
        *reply.status_mut() = status;
        let headers = reply.headers_mut();
        let kind = HeaderValue::from_static("application/octet-stream");
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let disposition = format!("attachment; filename*=UTF-8''{}", self.name);
        insert(headers, header::CONTENT_DISPOSITION, &disposition);
        if status == StatusCode::PARTIAL_CONTENT {
            insert(headers, header::CONTENT_RANGE, &told);
        }
        insert(headers, header::ETAG, &tag);
        reply
    }
}

impl<T> Tagged<T> {
    /// As JSON, or nothing if the client has it.
    pub fn told(condition: &Condition, tag: String, given: T) -> Tagged<T> {
        if condition.has(&tag) { Tagged::Unchanged(tag) } else { Tagged::Told(tag, given) }
    }

    /// As it is, or nothing if the client has it.
    pub fn sent(condition: &Condition, sent: Sent) -> Tagged<T> {
        match condition.has(&sent.tag) {
            true => Tagged::Unchanged(sent.tag),
            false => Tagged::Sent(Box::new(sent)),
        }
    }
}

impl<T: Serialize + JsonSchema> Give for Tagged<T> {
    fn describe(schemas: &mut SchemaGenerator) -> Option<(&'static str, Value)> {
        Some(("application/json", schemas.subschema_for::<T>().to_value()))
    }
    fn reply(self) -> Reply {
        let (mut reply, tag) = match self {
            Tagged::Sent(sent) => return sent.reply(),
            Tagged::Told(tag, given) => {
                (json_reply(StatusCode::OK, serde_json::to_vec(&given)), tag)
            }
            Tagged::Unchanged(tag) => {
                let mut reply = Reply::new(Body::Empty);
                *reply.status_mut() = StatusCode::NOT_MODIFIED;
                (reply, tag)
            }
        };
        insert(reply.headers_mut(), header::ETAG, &quoted(&tag));
        reply
    }
}

/// What of so many bytes a `Range` asks for; None: what is no range, or several, is answered as
/// if nothing was said.
fn of_range(text: &str, bytes: u64) -> Option<Result<Range<u64>, ()>> {
    let (from, to) = text.trim().strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| match text.chars().all(|c| c.is_ascii_digit()) {
        true => text.parse::<u64>().ok(),
        false => None,
    };
    let range = match (from.is_empty(), to.is_empty()) {
        (true, true) => return None,
        (true, false) => bytes.saturating_sub(number(to)?)..bytes,
        (false, true) => number(from)?..bytes,
        (false, false) => {
            let (from, to) = (number(from)?, number(to)?);
            if to < from {
                return None;
            }
            from..to.saturating_add(1).min(bytes)
        }
    };
    Some(if range.start < range.end { Ok(range) } else { Err(()) })
}

fn unsatisfiable(bytes: u64) -> Reply {
    let said = json!({ "detail": format!("the file has {bytes} bytes, and none there") });
    let mut reply = json_reply(StatusCode::RANGE_NOT_SATISFIABLE, serde_json::to_vec(&said));
    insert(reply.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{bytes}"));
    reply
}

fn quoted(tag: &str) -> String {
    format!("\"{tag}\"")
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    // Tags are ours, names are encoded, numbers are numbers: all are header text.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// What of a file is still to go out.
pub struct Outgoing {
    state: State,
    left: u64,
}

type Piece = (File, io::Result<Bytes>);

enum State {
    Resting(File),
    Reading(JoinHandle<Piece>),
    Over,
}

impl Outgoing {
    fn new(file: File, bytes: u64) -> Outgoing {
        Outgoing { state: State::Resting(file), left: bytes }
    }

    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            self.state = State::Over;
            return Poll::Ready(None);
        }
        if let State::Resting(_) = &self.state
            && let State::Resting(file) = std::mem::replace(&mut self.state, State::Over)
        {
            let bytes = self.left.min(PIECE_BYTES);
            self.state = State::Reading(spawn_blocking(move || piece(file, bytes)));
        }
        let State::Reading(reading) = &mut self.state else { return Poll::Ready(None) };
        let Poll::Ready(read) = Pin::new(reading).poll(cx) else { return Poll::Pending };
        self.state = State::Over;
        let (file, piece) = match read {
            Ok(read) => read,
            Err(error) => return Poll::Ready(Some(Err(io::Error::other(error)))),
        };
        if let Ok(piece) = &piece {
            self.left -= piece.len() as u64;
            self.state = State::Resting(file);
        }
        Poll::Ready(Some(piece))
    }
}

/// The next bytes of a file. One that has become shorter is an error: the client was told how
/// much would come, and must not take a part for all of it.
fn piece(mut file: File, bytes: u64) -> Piece {
    let mut read = Vec::with_capacity(bytes as usize);
    let done = (&mut file).take(bytes).read_to_end(&mut read);
    let piece = match done {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => Ok(read.into()),
        Err(error) => Err(error),
    };
    (file, piece)
}

#[cfg(test)]
mod tests {
    use super::of_range;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (text, range) in [
            ("bytes=0-4", Some(Ok(0..5))),
            ("bytes=5-", Some(Ok(5..10))),
            ("bytes=-3", Some(Ok(7..10))),
            ("bytes=-30", Some(Ok(0..10))),
            ("bytes=8-99", Some(Ok(8..10))),
            ("bytes=10-", Some(Err(()))),
            ("bytes=-0", Some(Err(()))),
            ("bytes=5-4", None),
            ("bytes=0-1,3-4", None),
            ("bytes=-", None),
            ("bytes=+1-2", None),
            ("lines=0-4", None),
            ("bytes=18446744073709551616-", None),
            ("bytes=1-18446744073709551615", Some(Ok(1..10))),
        ] {
            assert_eq!(of_range(text, 10), range, "{text}");
        }
        assert_eq!(of_range("bytes=0-0", 0), Some(Err(())));
    }

    proptest! {
        #[test]
        fn no_range_is_too_strange(text in "bytes=\\PC{0,12}|bytes=[0-9,-]{0,24}", bytes: u64) {
            if let Some(Ok(range)) = of_range(&text, bytes) {
                prop_assert!(range.start < range.end && range.end <= bytes);
            }
        }
    }
}
