//! Asking another program of the suite over its Unix socket: one request, one connection.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// Longest answer read whole.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Read ahead from a stream, and kept for as long as it lasts.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug)]
pub enum AskError {
    /// Nobody listens there, or the connection broke.
    Away(io::Error),
    /// An answer that says no.
    Refused(http::StatusCode, Bytes),
    /// An answer that makes no sense.
    Unclear(String),
}

impl std::fmt::Display for AskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AskError::Away(error) => write!(f, "no answer: {error}"),
            AskError::Refused(status, body) => {
                write!(f, "refused with {status}: {}", String::from_utf8_lossy(body))
            }
            AskError::Unclear(what) => write!(f, "unclear answer: {what}"),
        }
    }
}

impl std::error::Error for AskError {}

/// Sends a request; the answer's body is the caller's to read.
pub async fn open(
    socket: &Path,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<Response<Incoming>, AskError> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .map_err(|e| AskError::Unclear(e.to_string()))?;
    send(socket, request).await
}

/// The same with any head.
pub(crate) async fn send(
    socket: &Path,
    mut request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, AskError> {
    let stream = UnixStream::connect(socket).await.map_err(AskError::Away)?;
    let broken = |error| AskError::Away(io::Error::other(error));
    let (mut send, talk) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(BUFFER_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // Ends with the answer or with the connection; it owns nothing else.
    tokio::spawn(async move {
        if let Err(error) = talk.await {
            tracing::debug!(%error, "a connection to another program ended badly");
        }
    });
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
    send.send_request(request).await.map_err(broken)
}

/// Asks with a JSON body and reads a JSON answer.
pub async fn ask<I: Serialize, O: DeserializeOwned>(
    socket: &Path,
    method: Method,
    path: &str,
    body: &I,
) -> Result<O, AskError> {
    let bytes = serde_json::to_vec(body).map_err(|e| AskError::Unclear(e.to_string()))?;
    let asking = async {
        let answer = open(socket, method, path, bytes.into()).await?;
        let status = answer.status();
        let limited = http_body_util::Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
        let whole = limited.collect().await.map_err(|e| AskError::Away(io::Error::other(e)))?;
        Ok((status, whole.to_bytes()))
    };
    let late = || AskError::Away(io::Error::from(io::ErrorKind::TimedOut));
    let (status, bytes) =
        tokio::time::timeout(ANSWER_LIMIT, asking).await.map_err(|_| late())??;
    if !status.is_success() {
        return Err(AskError::Refused(status, bytes));
    }
    serde_json::from_slice(&bytes).map_err(|e| AskError::Unclear(e.to_string()))
}
