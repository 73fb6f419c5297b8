//! A stand-in of the vendor that says exactly the bytes it is told to, so that it can be wrong
//! in every way. One request for each connection.

use parachute_models::Vendor;
use serde_json::Value;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use wire::Secret;
use wire::agent::{Credential, CredentialKind};

/// What the tests show; no error may hold it.
pub(crate) const SECRET: &str = "very-private-0123456789";

/// What is sent: bytes, after which the connection ends, or nothing for ever.
pub(crate) enum Say {
    Bytes(Vec<u8>),
    Nothing,
}

/// A running stand-in; it ends with this value.
pub(crate) struct Stand {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    heads: Arc<watch::Sender<Vec<String>>>,
    gate: Arc<Semaphore>,
    task: JoinHandle<()>,
}

type Answer = dyn Fn(usize, &str) -> Say + Send + Sync;

impl Stand {
    /// Answers by the number of the request, from 0, and its first line's path.
    pub(crate) async fn start(
        answer: impl Fn(usize, &str) -> Say + Send + Sync + 'static,
    ) -> Stand {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(watch::Sender::new(Vec::new()));
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let answer: Arc<Answer> = Arc::new(answer);
        let task = tokio::spawn(accept(listener, heads.clone(), gate.clone(), answer));
        Stand { url, heads, gate, task }
    }

    /// Says the same to everybody.
    pub(crate) async fn saying(status: &str, body: &str) -> Stand {
        let bytes = response(status, "", body);
        Stand::start(move |_, _| Say::Bytes(bytes.clone())).await
    }

    /// Says each of these once, the last for ever.
    pub(crate) async fn in_turn(answers: Vec<Vec<u8>>) -> Stand {
        Stand::start(move |number, _| Say::Bytes(answers[number.min(answers.len() - 1)].clone()))
            .await
    }

    /// From now on nobody is answered, until `open`.
    pub(crate) fn shut(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn open(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS);
    }

    /// The requests' heads so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.borrow().clone()
    }

    /// Waits for so many requests.
    pub(crate) async fn asked(&self, count: usize) {
        self.heads.subscribe().wait_for(|heads| heads.len() >= count).await.unwrap();
    }

    /// Itself as a vendor who is shown an API key.
    pub(crate) fn vendor(&self) -> Vendor {
        vendor(&self.url, CredentialKind::ApiKey)
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn vendor(base_url: &str, kind: CredentialKind) -> Vendor {
    let credential = Credential { kind, secret: Secret::new(SECRET.into()) };
    Vendor { base_url: base_url.into(), credential }
}

async fn accept(
    listener: TcpListener,
    heads: Arc<watch::Sender<Vec<String>>>,
    gate: Arc<Semaphore>,
    answer: Arc<Answer>,
) {
    let mut open = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (heads, gate, answer) = (heads.clone(), gate.clone(), answer.clone());
        open.spawn(async move { converse(stream, &heads, &gate, &*answer).await });
    }
}

async fn converse(
    mut stream: TcpStream,
    heads: &watch::Sender<Vec<String>>,
    gate: &Semaphore,
    answer: &Answer,
) {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece).await {
            Ok(count @ 1..) => head.extend_from_slice(&piece[..count]),
            // A client that leaves before it has asked; a TLS one asks in no lines.
            _ => return,
        }
        if head[0] == 0x16 {
            return;
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let mut number = 0;
    heads.send_modify(|heads| {
        number = heads.len();
        heads.push(head);
    });
    gate.acquire().await.unwrap().forget();
    match answer(number, &path) {
        // The client may have left.
        Say::Bytes(bytes) => drop(stream.write_all(&bytes).await),
        Say::Nothing => std::future::pending().await,
    }
}

/// A whole answer. `headers` are lines, each with its end.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

/// A whole answer that is a page, or whatever the value is.
pub(crate) fn page(body: &Value) -> Vec<u8> {
    response("200 OK", "content-type: application/json\r\n", &body.to_string())
}
