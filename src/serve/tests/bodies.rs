//! Bodies and what becomes of them, over a connection in memory: who has to wait for whom, what
//! is kept, and where it is read and written.

use bytes::Bytes;
use http::HeaderMap;
use parachute_serve::answer::Service;
use parachute_serve::table::post;
use parachute_serve::{
    Access, App, Caller, Cx, Fault, FileFlow, Json, Large, Limits, Origins, Peer, Table, call,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, ThreadId};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, yield_now};

/// Longest wait for what should come at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program: what is with its handlers, and what lets them go.
struct Hall {
    inside: Mutex<Vec<usize>>,
    go: Semaphore,
    origins: Origins,
}

impl App for Hall {
    fn admit(&self, _: &Peer, _: &HeaderMap, _: Access) -> Result<Caller, Fault> {
        Ok(Caller::Owner)
    }
    fn origins(&self) -> &Origins {
        &self.origins
    }
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Said {
    text: String,
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// A text that knows on which threads it was read and written.
#[derive(JsonSchema)]
#[schemars(transparent)]
struct Seen(String);

static READ: OnceLock<Mutex<Vec<(usize, ThreadId)>>> = OnceLock::new();
static WRITTEN: OnceLock<Mutex<Vec<(usize, ThreadId)>>> = OnceLock::new();

fn note(at: &'static OnceLock<Mutex<Vec<(usize, ThreadId)>>>, length: usize) {
    at.get_or_init(Mutex::default).lock().expect("sound").push((length, thread::current().id()));
}

fn last(at: &'static OnceLock<Mutex<Vec<(usize, ThreadId)>>>) -> (usize, ThreadId) {
    *at.get_or_init(Mutex::default).lock().expect("sound").last().expect("noted")
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Seen, D::Error> {
        let text = String::deserialize(from)?;
        note(&READ, text.len());
        Ok(Seen(text))
    }
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        note(&WRITTEN, self.0.len());
        self.0.serialize(to)
    }
}

async fn hold(cx: Cx<Hall>, Large(said): Large<Said>) -> Result<Json<Said>, Fault> {
    cx.app.inside.lock().expect("sound").push(said.text.len());
    let _go = cx.app.go.acquire().await.map_err(Fault::bug)?;
    Ok(Json(Said { text: String::new() }))
}

async fn echo(_: Cx<Hall>, Json(said): Json<Seen>) -> Result<Json<Seen>, Fault> {
    Ok(Json(said))
}

async fn form(
    _: Cx<Hall>,
    FileFlow { query: Nothing {}, mut file }: FileFlow<Nothing>,
) -> Result<Json<usize>, Fault> {
    let mut length = 0;
    while let Some(piece) = file.next().await? {
        length += piece.len();
    }
    Ok(Json(length))
}

fn hall(limits: Limits) -> Arc<Service<Hall>> {
    use Access::Open;
    let rows = vec![
        post("/hold", Open, "Holds what it is given", call!(hold)),
        post("/echo", Open, "Gives it back", call!(echo)),
        post("/form", Open, "Counts a file", call!(form)),
    ];
    let (inside, go, origins) = (Mutex::default(), Semaphore::new(0), Origins::default());
    Arc::new(Service {
        app: Arc::new(Hall { inside, go, origins }),
        table: Arc::new(Table::new("hall", "1", rows)),
        limits,
        stop: tokio_util::sync::CancellationToken::new(),
    })
}

/// A connection on which this much of a body is announced.
async fn begun(to: &Arc<Service<Hall>>, path: &str, more: &str, length: usize) -> DuplexStream {
    let (mut here, there) = duplex(16 * 1024);
    tokio::spawn(parachute_serve::listen::converse(there, Peer::Unix(0), to.clone()));
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{more}\
         content-length: {length}\r\n\r\n"
    );
    here.write_all(head.as_bytes()).await.expect("heard");
    here
}

/// The answer to a whole body.
fn asked(
    to: &Arc<Service<Hall>>,
    path: &'static str,
    more: &'static str,
    body: impl Into<Bytes>,
) -> JoinHandle<String> {
    let (to, body) = (to.clone(), body.into());
    tokio::spawn(async move {
        let mut here = begun(&to, path, more, body.len()).await;
        here.write_all(&body).await.expect("heard");
        let mut answer = String::new();
        here.read_to_string(&mut answer).await.expect("text");
        answer
    })
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it comes soon")
}

async fn inside(hall: &Arc<Service<Hall>>, length: usize, count: usize) {
    let waiting = async {
        while held(hall, length) < count {
            yield_now().await;
        }
    };
    soon(waiting).await;
}

fn held(hall: &Arc<Service<Hall>>, length: usize) -> usize {
    hall.app.inside.lock().expect("sound").iter().filter(|l| **l == length).count()
}

fn said(length: usize) -> String {
    format!(r#"{{"text":"{}"}}"#, "x".repeat(length))
}

#[tokio::test]
async fn of_large_bodies_few_are_in_memory_and_small_ones_do_not_wait_for_them() {
    let hall = hall(Limits { body_bytes_max: 1000, ..Limits::default() });
    let large: Vec<_> = (0..4).map(|_| asked(&hall, "/hold", "", said(5000))).collect();
    inside(&hall, 5000, 2).await;
    let small: Vec<_> = (0..50).map(|_| asked(&hall, "/hold", "", said(500))).collect();
    inside(&hall, 500, 50).await;
    assert_eq!(held(&hall, 5000), 2, "the others wait until these are done with");
    hall.app.go.add_permits(1000);
    for answer in large.into_iter().chain(small) {
        let answer = soon(answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert_eq!(held(&hall, 5000), 4);
}

#[tokio::test]
async fn who_sends_little_and_slowly_holds_up_nobody() {
    let hall = hall(Limits::default());
    hall.app.go.add_permits(1000);
    let slow = [begun(&hall, "/hold", "", 500).await, begun(&hall, "/hold", "", 500).await];
    for _ in 0..50 {
        yield_now().await;
    }
    let answer = soon(asked(&hall, "/hold", "", said(500))).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(slow);
}

#[tokio::test]
async fn long_json_is_read_and_written_beside_the_event_loop() {
    let hall = hall(Limits::default());
    let here = thread::current().id();
    for (length, is_here) in [(10, true), (1 << 20, false)] {
        let body = format!("\"{}\"", "x".repeat(length));
        let answer = soon(asked(&hall, "/echo", "", body.clone())).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&body));
        for seen in [last(&READ), last(&WRITTEN)] {
            assert_eq!((seen.0, seen.1 == here), (length, is_here));
        }
    }
}

const FORM: &str = "content-type: multipart/form-data; boundary=cut\r\n";

fn file(before: &str, length: usize) -> String {
    let head = "--cut\r\ncontent-disposition: form-data; name=\"file\"; filename=\"x\"\r\n";
    format!("{before}{head}\r\n{}\r\n--cut--\r\n", "x".repeat(length))
}

#[tokio::test]
async fn what_comes_before_the_file_of_a_form_is_bounded() {
    let hall = hall(Limits { form_head_bytes_max: 20_000, ..Limits::default() });
    let field = |length: usize| {
        let head = "--cut\r\ncontent-disposition: form-data; name=\"more\"\r\n";
        format!("{head}\r\n{}\r\n", "x".repeat(length))
    };
    for before in [String::new(), field(10_000)] {
        let answer = soon(asked(&hall, "/form", FORM, file(&before, 1 << 20))).await;
        let answer = answer.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.ends_with("\r\n\r\n1048576"), "{answer}");
    }
    let header = format!("--cut\r\nx: {}\r\n", "x".repeat(200_000));
    for before in ["x".repeat(200_000), field(200_000), header] {
        let answer = soon(asked(&hall, "/form", FORM, file(&before, 10))).await;
        let answer = answer.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[tokio::test]
async fn who_only_just_does_not_fall_silent_is_given_up() {
    let limits = Limits { body_seconds_max: 1, ..Limits::default() };
    let hall = hall(Limits { flow_bytes_per_second_min: 1 << 30, ..limits });
    let mut here = begun(&hall, "/form", FORM, 1 << 30).await;
    here.write_all(file("", 10).split_once("\r\n--cut--").expect("an end").0.as_bytes())
        .await
        .expect("heard");
    let (mut from, mut to) = tokio::io::split(here);
    let dripping = tokio::spawn(async move {
        while to.write_all(b"x").await.is_ok() {
            yield_now().await;
        }
    });
    let mut answer = [0; 12];
    soon(from.read_exact(&mut answer)).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 408");
    drop(from);
    dripping.abort();
}
