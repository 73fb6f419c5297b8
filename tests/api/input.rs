//! Bad input at the doors: whatever comes, the answer is a clear 4xx and the server goes on
//! (DESIGN §6: bodies, headers, connections and times are bounded).

use crate::made_up::MadeUp;
use http::Method;
use parachute_tests::{Answer, Caller, Home, Raw, rss_kib};
use serde_json::{Value, json};
use serve::answer::Service;
use serve::{Door, Limits, Pulse};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const MIB: usize = 1024 * 1024;

async fn posted(caller: &Caller, path: &str, body: impl Into<Vec<u8>>) -> Answer {
    caller
        .ask(Method::POST, path, Some(body.into().into()))
        .await
}

fn is_422(answer: &Answer, what: &str) {
    let body = answer.json();
    assert_eq!(answer.status, 422, "{what}: {body}");
    let detail = body["detail"].as_array().expect("a list");
    assert!(!detail.is_empty(), "{what}");
    for wrong in detail {
        assert!(
            wrong["type"].is_string() && wrong["loc"].is_array(),
            "{what}: {wrong}"
        );
        assert!(
            wrong["msg"].is_string() && wrong.get("input").is_some(),
            "{what}: {wrong}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_named_so() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let deep = "[".repeat(200_000);
    let bodies: [&[u8]; 12] = [
        b"",
        b"{",
        b"not json",
        b"{\"message\":}",
        b"{\"message\":\"x\"",
        b"{\"message\":\"x\"}}",
        b"\xff\xfe",
        b"{\"message\":\"\xff\"}",
        b"{\"message\":\"a\0b\"}",
        b"\0",
        b"{'message':'x'}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        is_422(&posted(&caller, "/api/chat", body).await, &shown);
        is_422(&posted(&caller, "/api/auth/keys", body).await, &shown);
    }
    server.ready().await;
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_named() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    for body in [
        json!(null),
        json!([]),
        json!("x"),
        json!(7),
        json!({}),
        json!({ "message": null }),
        json!({ "message": 1 }),
        json!({ "message": ["x"] }),
        json!({ "message": { "a": 1 } }),
    ] {
        is_422(&caller.post("/api/chat", &body).await, &body.to_string());
    }
    for (name, value) in [
        ("sessionId", json!(1)),
        ("session_id", json!([])),
        ("module", json!({})),
        ("systemPrompt", json!(false)),
        ("workingDirectory", json!(1)),
        ("contexts", json!("x")),
        ("contexts", json!([1])),
        ("attachments", json!({})),
        ("model", json!(1)),
        ("workspaceId", json!("Not A Slug")),
        ("workspaceId", json!("-x")),
        ("permissionMode", json!("never")),
        ("trustLevel", json!(1)),
    ] {
        let mut body = json!({ "message": "x" });
        body[name] = value;
        let answer = caller.post("/api/chat", &body).await;
        is_422(&answer, &body.to_string());
    }
    for query in [
        "limit=0",
        "limit=1001",
        "limit=abc",
        "limit=",
        "offset=-1",
        "archived=maybe",
        "limit=99999999999999999999",
        "limit=1.5",
    ] {
        is_422(&caller.get(&format!("/api/chat?{query}")).await, query);
    }
    for query in [
        "archived=yes",
        "archived=0",
        "archived=ON",
        "limit=1000",
        "unknown=%ff%00",
        "&&&==",
    ] {
        assert_eq!(
            caller.get(&format!("/api/chat?{query}")).await.status,
            200,
            "{query}"
        );
    }
    assert_eq!(
        caller.get("/api/chat").await.json(),
        json!({ "sessions": [] })
    );
}

#[tokio::test]
async fn a_name_that_can_be_no_session_is_no_session() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let long = "x".repeat(300);
    for id in [
        "..",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "%ff",
        "a%20b",
        "%F0%9F%92%A5",
        "a%0d%0ab",
        "%2e",
        "~",
        "$HOME",
        "a'b",
        "x%2fy",
        long.as_str(),
    ] {
        for tail in ["", "/transcript", "/stream"] {
            let answer = caller.get(&format!("/api/chat/{id}{tail}")).await;
            assert_eq!(answer.status, 404, "{id}{tail}");
            assert!(answer.json()["detail"].is_string());
        }
        for tail in ["/abort", "/archive", "/unarchive"] {
            let answer = posted(&caller, &format!("/api/chat/{id}{tail}"), "").await;
            assert_eq!(answer.status, 404, "{id}{tail}");
        }
        let inject = caller
            .post(
                &format!("/api/chat/{id}/inject"),
                &json!({ "message": "x" }),
            )
            .await;
        assert_eq!(inject.status, 404, "{id}");
        assert_eq!(
            caller
                .ask(Method::DELETE, &format!("/api/chat/{id}"), None)
                .await
                .status,
            404
        );
        let key = caller
            .ask(Method::DELETE, &format!("/api/auth/keys/{id}"), None)
            .await;
        assert_eq!(key.status, 404, "{id}");
    }
    let left: Vec<_> = std::fs::read_dir(home.path("s/parachute/runs"))
        .expect("a folder")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_message_is_measured_in_characters_and_refused_in_words() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    for (message, fits) in [
        ("".to_owned(), false),
        ("  \n\t ".to_owned(), false),
        ("x".repeat(102_401), false),
        ("ü".repeat(102_401), false),
        (format!("@@{{\"n\":1}}@@{}", "ü".repeat(102_389)), true),
    ] {
        let stream = caller
            .chat("", &json!({ "message": message }))
            .await
            .whole()
            .await;
        assert_eq!(stream.status, 200);
        let last = &stream.events.last().expect("an event").1;
        let chars = message.chars().count();
        assert_eq!(
            last["type"],
            if fits { "done" } else { "error" },
            "{chars}: {last}"
        );
        if !fits {
            assert_eq!(stream.events.len(), 1);
            assert!(
                last["error"]
                    .as_str()
                    .is_some_and(|e| e.contains("message")),
                "{last}"
            );
        }
    }
    let nul = json!({ "message": "a\u{0}b @@{\"n\":1}@@", "systemPrompt": "a\u{0}b" });
    let stream = caller.chat("", &nul).await.whole().await;
    let last = &stream.events.last().expect("an event").1;
    assert!(
        matches!(last["type"].as_str(), Some("done" | "typed_error")),
        "{last}"
    );
    server.ready().await;
}

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
        raw.say(format!(
            "POST /api/chat HTTP/1.1\r\nhost: localhost\r\n{length}\r\n\r\n"
        ))
        .await;
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
        assert!(
            answer.starts_with("HTTP/1.1 413 "),
            "chunked {chunked}: {answer}"
        );
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
        (
            "a header of 1 MB",
            format!("{start}x: {}\r\n\r\n", "y".repeat(MIB)),
            ["431", "431"],
        ),
        (
            "headers of 1 MB",
            format!("{start}{}\r\n", "a: b\r\n".repeat(MIB / 6)),
            ["431", "431"],
        ),
        (
            "a path of 1 MB",
            format!(
                "GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
                "y".repeat(MIB)
            ),
            ["414", "431"],
        ),
        (
            "a method of 1 MB",
            format!("{} / HTTP/1.1\r\n\r\n", "G".repeat(MIB)),
            ["400", "431"],
        ),
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
        (
            "a folded header",
            format!("{start}a: b\r\n c\r\n\r\n"),
            ["400", "400"],
        ),
        (
            "a bare NUL",
            format!("{start}a: \0\r\n\r\n"),
            ["400", "400"],
        ),
        (
            "a negative length",
            format!("{start}content-length: -1\r\n\r\n"),
            ["400", "400"],
        ),
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
    let statuses: Vec<&str> = answer
        .match_indices("HTTP/1.1 ")
        .map(|(at, _)| &answer[at + 9..at + 12])
        .collect();
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
            "GET http://localhost/api/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            "200",
        ),
        (
            "GET http://evil.example/api/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            "403",
        ),
        (
            "GET http://localhost/api/health HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
            "403",
        ),
        (
            "CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
            "403",
        ),
        (
            "OPTIONS * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            "404",
        ),
        (
            "HEAD /api/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            "405",
        ),
        (
            "BREW /api/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            "405",
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"),
        (
            "GET /api/health HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
            "400",
        ),
        (
            "GET /api/health HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade, close\r\n\r\n",
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
async fn limited(home: &Home, limits: Limits) -> (SocketAddr, CancellationToken) {
    let made = Arc::into_inner(MadeUp::of(home).0).expect("nobody else has it");
    let stop = made.stop.clone();
    let service = Arc::new(Service { limits, ..made });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("bound");
    let pulse = Arc::new(Pulse::new(1));
    tokio::spawn(serve::serve(vec![Door::Tcp(listener)], service, pulse));
    (address, stop)
}

#[tokio::test]
async fn a_head_that_comes_too_slowly_is_given_up() {
    let home = Home::new();
    let limits = Limits {
        head_seconds_max: 1,
        ..Limits::default()
    };
    let (address, stop) = limited(&home, limits).await;
    for said in [
        "",
        "G",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nhost: localhost\r\nx: ",
    ] {
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
    let limits = Limits {
        body_seconds_max: 1,
        ..Limits::default()
    };
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
    let limits = Limits {
        connections_max: 4,
        head_seconds_max: 2,
        ..Limits::default()
    };
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
        raw.say(format!(
            "POST /api/chat HTTP/1.1\r\nhost: localhost\r\n{said}"
        ))
        .await;
        raw.shut().await;
        let answer = raw.all().await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    assert_eq!(
        server.local().get("/api/chat").await.json()["sessions"],
        json!([])
    );
}

#[tokio::test]
async fn what_can_be_changed_of_a_session_is_checked_first() {
    let home = Home::new();
    crate::past::leave_in(&home);
    let server = home.server().await;
    let caller = server.local();
    let path = format!("/api/chat/{}/config", crate::past::FIRST);
    let before = caller.get("/api/chat").await.json();
    for body in [
        json!({ "workspaceId": "Not A Slug" }),
        json!({ "workspaceId": "../x" }),
        json!({ "responseMode": "loud" }),
        json!({ "trustLevel": "root" }),
        json!({ "trustLevel": "trusted", "workspaceId": "-" }),
        json!({ "unknown": 1 }),
        json!({ "configOverrides": [] }),
        json!({ "title": "" }),
        json!({ "title": "x".repeat(201) }),
        json!({ "module": 1 }),
        json!({ "permissionMode": "never" }),
        json!([]),
    ] {
        let answer = caller.send(Method::PATCH, &path, &body).await;
        assert!(
            matches!(answer.status, 400 | 422),
            "{body}: {}",
            answer.json()
        );
    }
    assert_eq!(caller.get("/api/chat").await.json(), before);
}

#[tokio::test]
async fn a_search_is_for_words_not_for_patterns() {
    let home = Home::new();
    crate::past::leave_in(&home);
    let server = home.server().await;
    let found = async |what: &str| -> usize {
        let list: Value = server
            .local()
            .get(&format!("/api/chat?search={what}"))
            .await
            .json();
        list["sessions"].as_array().expect("a list").len()
    };
    assert_eq!(found("second").await, 1);
    assert_eq!(found("session").await, 2);
    for nothing in ["%25", "_", "%27%20OR%201=1--", "%5c", "%00"] {
        assert_eq!(found(nothing).await, 0, "{nothing}");
    }
}
