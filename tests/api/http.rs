//! HTTP itself, as it should not be: too large, too slow, too many, odd, broken off. The answer
//! is a clear 4xx, or none, and the server goes on (DESIGN §6).

use crate::made_up::MadeUp;
use parachute_tests::{Caller, Home, Raw, Server, Stream, eventually, rss_kib};
use serde_json::json;
use serve::answer::Service;
use serve::{Door, Limits, Pulse};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn a_body_of_100_mb_is_refused_and_held_nowhere() {
    let home = Home::new();
    let server = home.server().await;
    let before = rss_kib(server.pid()).expect("alive");
    for chunked in [false, true] {
        let mut raw = Raw::tcp(server.address()).await;
        let length = match chunked {
            true => "transfer-encoding: chunked".to_owned(),
            false => format!("content-length: {}", 100 * MIB),
        };
        raw.say(format!("POST /api/chat HTTP/1.1\r\nhost: localhost\r\n{length}\r\n\r\n")).await;
        let piece = match chunked {
            true => [b"100000\r\n".as_slice(), &vec![b' '; MIB], b"\r\n"].concat(),
            false => vec![b' '; MIB],
        };
        for n in 0..100 {
            if !raw.say(&piece).await {
                break;
            }
            if n == 50 {
                server.ready().await;
                let now = rss_kib(server.pid()).expect("alive");
                assert!(now < before + 80 * 1024, "from {before} to {now} KiB");
            }
        }
        if chunked {
            raw.say("0\r\n\r\n").await;
        }
        let answer = raw.all().await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "chunked {chunked}: {answer}");
        assert!(answer.contains("larger than 32 MiB"), "{answer}");
    }
    server.ready().await;
}

#[tokio::test]
async fn heads_beyond_all_bounds_are_431_or_400() {
    let home = Home::new();
    let server = home.server().await;
    let start = "GET /api/health HTTP/1.1\r\nhost: localhost\r\n";
    for (what, head, statuses) in [
        ("a header of 1 MB", format!("{start}x: {}\r\n\r\n", "y".repeat(MIB)), ["431", "431"]),
        ("headers of 1 MB", format!("{start}{}\r\n", "a: b\r\n".repeat(MIB / 6)), ["431", "431"]),
        (
            "a path of 1 MB",
            format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "y".repeat(MIB)),
            ["414", "431"],
        ),
        ("a method of 1 MB", format!("{} / HTTP/1.1\r\n\r\n", "G".repeat(MIB)), ["400", "431"]),
        (
            "two lengths",
            format!("{start}content-length: 1\r\ncontent-length: 2\r\n\r\nxx"),
            ["400", "400"],
        ),
        (
            "a length and chunks",
            format!("{start}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
            ["400", "200"],
        ),
        ("a folded header", format!("{start}a: b\r\n c\r\n\r\n"), ["400", "400"]),
        ("a bare NUL", format!("{start}a: \0\r\n\r\n"), ["400", "400"]),
        ("a negative length", format!("{start}content-length: -1\r\n\r\n"), ["400", "400"]),
    ] {
        let mut raw = Raw::tcp(server.address()).await;
        raw.say(head).await;
        raw.shut().await;
        let answer = raw.all().await;
        let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
        assert!(statuses.contains(&status.as_str()), "{what}: {answer:?}");
        server.ready().await;
    }
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_a_row() {
    let home = Home::new();
    let server = home.server().await;
    let one =
        |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n");
    let mut raw = Raw::tcp(server.address()).await;
    let row = [
        one("/", ""),
        one("/api/nothing", ""),
        one("/api/chat", ""),
        "POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}".into(),
        one("/api/health", "connection: close\r\n"),
    ];
    raw.say(row.concat()).await;
    let answer = raw.all().await;
    let statuses: Vec<&str> =
        answer.match_indices("HTTP/1.1 ").map(|(at, _)| &answer[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "404", "200", "422", "200"], "{answer}");
}

#[tokio::test]
async fn old_and_odd_forms_of_http() {
    let home = Home::new();
    let server = home.server().await;
    for (said, status) in [
        ("GET /api/health HTTP/1.0\r\nhost: localhost\r\n\r\n", "200"),
        ("GET /api/health HTTP/1.0\r\n\r\n", "403"),
        ("GET /api/health HTTP/1.1\r\n\r\n", "403"),
        (
            "GET http://localhost/api/health HTTP/1.1\r\n\
             host: localhost\r\nconnection: close\r\n\r\n",
            "200",
        ),
        (
            "GET http://evil.example/api/health HTTP/1.1\r\n\
             host: localhost\r\nconnection: close\r\n\r\n",
            "403",
        ),
        (
            "GET http://localhost/api/health HTTP/1.1\r\n\
             host: evil.example\r\nconnection: close\r\n\r\n",
            "403",
        ),
        (
            "CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
            "403",
        ),
        ("OPTIONS * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", "404"),
        ("HEAD /api/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", "405"),
        ("BREW /api/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", "405"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
        (
            "GET /api/health HTTP/1.1\r\n\
             host: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
            "400",
        ),
        (
            "GET /api/health HTTP/1.1\r\n\
             host: localhost\r\nupgrade: websocket\r\nconnection: upgrade, close\r\n\r\n",
            "200",
        ),
    ] {
        let mut raw = Raw::tcp(server.address()).await;
        raw.say(said).await;
        raw.shut().await;
        let answer = raw.all().await;
        let got = answer.split(' ').nth(1).unwrap_or_default();
        assert_eq!(got, status, "{said:?}: {answer:?}");
    }
    server.ready().await;
}

#[tokio::test]
async fn a_path_with_a_slash_too_many_is_moved() {
    let home = Home::new();
    let server = home.server().await;
    let moved = server.local().get("/api/health/?detailed=true").await;
    assert_eq!(moved.status, 307);
    assert_eq!(moved.headers["location"], "/api/health?detailed=true");
    // A path that begins with two slashes must not become another site.
    for path in ["//evil.example/", "//evil.example//api/health/"] {
        let answer = server.local().get(path).await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

/// The server in this process, on a port, with limits that a test can reach.
pub(crate) async fn limited(home: &Home, limits: Limits) -> (SocketAddr, CancellationToken) {
    let made = Arc::into_inner(MadeUp::of(home).0).expect("nobody else has it");
    let stop = made.stop.clone();
    let service = Arc::new(Service { limits, ..made });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let pulse = Arc::new(Pulse::new(1));
    tokio::spawn(serve::serve(vec![Door::Tcp(listener)], service, pulse));
    (address, stop)
}

#[tokio::test]
async fn a_head_that_comes_too_slowly_is_given_up() {
    let home = Home::new();
    let limits = Limits { head_seconds_max: 1, ..Limits::default() };
    let (address, stop) = limited(&home, limits).await;
    for said in ["", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nhost: localhost\r\nx: "] {
        let mut raw = Raw::tcp(address).await;
        raw.say(said).await;
        let answer = raw.all().await;
        let expected = if said.is_empty() { "" } else { "HTTP/1.1 408 " };
        assert!(answer.starts_with(expected), "{said:?}: {answer:?}");
    }
    assert_eq!(Caller::tcp(address).get("/api/health").await.status, 200);
    stop.cancel();
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_given_up() {
    let home = Home::new();
    let limits = Limits { body_seconds_max: 1, ..Limits::default() };
    let (address, stop) = limited(&home, limits).await;
    let mut raw = Raw::tcp(address).await;
    raw.say("POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{\"mess")
        .await;
    let answer = raw.until("took too long", 1).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(Caller::tcp(address).get("/api/health").await.status, 200);
    stop.cancel();
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let home = Home::new();
    let limits = Limits { connections_max: 4, head_seconds_max: 2, ..Limits::default() };
    let (address, stop) = limited(&home, limits).await;
    let mut idle = Vec::new();
    for _ in 0..12 {
        idle.push(Raw::tcp(address).await);
    }
    // The idle ones are given up one after the other; nobody is refused.
    assert_eq!(Caller::tcp(address).get("/api/health").await.status, 200);
    drop(idle);
    stop.cancel();
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing_behind() {
    let home = Home::new();
    let server = home.server().await;
    for said in [
        "content-length: 100\r\n\r\n{\"message\":\"x",
        "transfer-encoding: chunked\r\n\r\n5\r\n{\"mes",
    ] {
        let mut raw = Raw::tcp(server.address()).await;
        raw.say(format!("POST /api/chat HTTP/1.1\r\nhost: localhost\r\n{said}")).await;
        raw.shut().await;
        let answer = raw.all().await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(server.local().get("/api/chat").await.json()["sessions"], json!([]));
}

/// A turn of the real server in which a tool runs and runs, and its session.
async fn long_tool(server: &Server) -> (Stream, String) {
    let body = json!({ "message": "x @@{\"n\":9,\"tools\":1,\"tool_ms\":600000}@@" });
    let mut stream = server.owner().chat("text=delta", &body).await;
    assert!(stream.until("tool_use").await);
    let session = stream.session();
    (stream, session)
}

fn following(session: &str) -> String {
    format!("GET /api/chat/{session}/stream?text=delta HTTP/1.1\r\nhost: localhost\r\n\r\n")
}

#[tokio::test]
async fn a_stream_is_never_silent() {
    let home = Home::new();
    let server = home.server().await;
    let (_stream, session) = long_tool(&server).await;
    let limits = Limits { feed_silence_seconds_max: 1, ..Limits::default() };
    let (address, stop) = limited(&home, limits).await;
    let mut raw = Raw::tcp(address).await;
    raw.say(following(&session)).await;
    let heard = raw.until("\n: ", 2).await;
    assert!(heard.contains("\"type\":\"tool_use\""), "{heard}");
    assert_eq!(heard.matches("\n: ").count(), 2, "{heard}");
    stop.cancel();
}

#[tokio::test]
async fn a_server_that_stops_ends_its_streams_in_order() {
    let home = Home::new();
    let mut server = home.server().await;
    let (stream, session) = long_tool(&server).await;
    let mut raw = Raw::tcp(server.address()).await;
    raw.say(following(&session)).await;
    let begun = raw.until("tool_use", 1).await;
    assert!(begun.starts_with("HTTP/1.1 200 "), "{begun}");
    assert!(server.stop().success());
    let rest = raw.all().await;
    assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
    let kinds = stream.whole().await.kinds();
    assert_eq!(kinds.last().map(String::as_str), Some("tool_use"));
    assert_eq!(home.agents().len(), 1, "the turn goes on");
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut_and_can_resume() {
    let home = Home::new();
    let server = home.server().await;
    let body = json!({ "message": "x @@{\"bytes\":12000000,\"n\":60000}@@" });
    let whole = server.owner().chat("text=delta", &body).await.whole().await;
    let session = whole.session();
    let limits = Limits { feed_stalled_seconds_max: 1, ..Limits::default() };
    let (address, stop) = limited(&home, limits).await;
    let caller = Caller::tcp(address);
    let mut deaf = caller.resume(&session, "text=delta", 0).await.expect("a stream");
    deaf.some(1).await;
    // The server says so in its own time; until then nothing is taken from the connection.
    eventually("the reader is cut", async || deaf_is_cut(address).then_some(())).await;
    let mut heard = std::mem::take(&mut deaf.whole().await.heard);
    assert!(heard.last_id < whole.heard.last_id, "it was never cut");
    while heard.last_id < whole.heard.last_id {
        let mut again =
            caller.resume(&session, "text=delta", heard.last_id).await.expect("a stream");
        again.heard = heard;
        heard = std::mem::take(&mut again.whole().await.heard);
    }
    assert_eq!(heard, whole.heard);
    stop.cancel();
}

/// Whether no connection that the server accepted at this address is still open on its side:
/// a socket in a state beyond ESTABLISHED, as `/proc/net/tcp` has it.
fn deaf_is_cut(address: SocketAddr) -> bool {
    let port = format!(":{:04X}", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("a /proc");
    let local = |line: &&str| line.split_whitespace().nth(1).is_some_and(|a| a.ends_with(&port));
    let mut states = table.lines().filter(local).filter_map(|l| l.split_whitespace().nth(3));
    !states.any(|state| state == "01")
}
