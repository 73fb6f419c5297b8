//! Bad input at the doors: bodies, fields, ids, words. Whatever comes, the answer is a clear 4xx
//! that names what is wrong, and nothing is written. HTTP itself is in `http.rs`.

use http::Method;
use parachute_tests::{Answer, Caller, Home, Raw};
use serde_json::{Value, json};

async fn posted(caller: &Caller, path: &str, body: impl Into<Vec<u8>>) -> Answer {
    caller.ask(Method::POST, path, Some(body.into().into())).await
}

fn is_422(answer: &Answer, what: &str) {
    let body = answer.json();
    assert_eq!(answer.status, 422, "{what}: {body}");
    let detail = body["detail"].as_array().expect("a list");
    assert!(!detail.is_empty(), "{what}");
    for wrong in detail {
        assert!(wrong["type"].is_string() && wrong["loc"].is_array(), "{what}: {wrong}");
        assert!(wrong["msg"].is_string() && wrong.get("input").is_some(), "{what}: {wrong}");
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
    for query in
        ["archived=yes", "archived=0", "archived=ON", "limit=1000", "unknown=%ff%00", "&&&=="]
    {
        assert_eq!(caller.get(&format!("/api/chat?{query}")).await.status, 200, "{query}");
    }
    assert_eq!(caller.get("/api/chat").await.json(), json!({ "sessions": [] }));
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
        let inject =
            caller.post(&format!("/api/chat/{id}/inject"), &json!({ "message": "x" })).await;
        assert_eq!(inject.status, 404, "{id}");
        assert_eq!(caller.ask(Method::DELETE, &format!("/api/chat/{id}"), None).await.status, 404);
        let key = caller.ask(Method::DELETE, &format!("/api/auth/keys/{id}"), None).await;
        assert_eq!(key.status, 404, "{id}");
    }
    let left: Vec<_> =
        std::fs::read_dir(home.path("s/parachute/runs")).expect("a folder").collect();
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
        let stream = caller.chat("", &json!({ "message": message })).await.whole().await;
        assert_eq!(stream.status, 200);
        let last = &stream.events.last().expect("an event").1;
        let chars = message.chars().count();
        assert_eq!(last["type"], if fits { "done" } else { "error" }, "{chars}: {last}");
        if !fits {
            assert_eq!(stream.events.len(), 1);
            assert!(last["error"].as_str().is_some_and(|e| e.contains("message")), "{last}");
        }
    }
    // The CLI could not be told.
    let nul = json!({ "message": "a\u{0}b", "systemPrompt": "a\u{0}b" });
    is_422(&caller.post("/api/chat", &nul).await, "NUL");
    server.ready().await;
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
        assert!(matches!(answer.status, 400 | 422), "{body}: {}", answer.json());
    }
    assert_eq!(caller.get("/api/chat").await.json(), before);
}

#[tokio::test]
async fn a_search_is_for_words_not_for_patterns() {
    let home = Home::new();
    crate::past::leave_in(&home);
    let server = home.server().await;
    let found = async |what: &str| -> usize {
        let list: Value = server.local().get(&format!("/api/chat?search={what}")).await.json();
        list["sessions"].as_array().expect("a list").len()
    };
    assert_eq!(found("second").await, 1);
    assert_eq!(found("session").await, 2);
    for nothing in ["%25", "_", "%27%20OR%201=1--", "%5c"] {
        assert_eq!(found(nothing).await, 0, "{nothing}");
    }
}

#[tokio::test]
async fn headers_that_are_no_text_open_nothing_and_harm_nothing() {
    let home = Home::new();
    let server = home.server().await;
    for (header, path, status) in [
        (b"x-api-key: \xff\xfe".as_slice(), "/api/chat", "200"),
        (b"x-forwarded-for: \xff", "/api/chat", "401"),
        (b"x-forwarded-for: 1\r\nx-api-key: \xff\xfe", "/api/chat", "401"),
        (b"origin: \xff\xfe", "/api/chat", "403"),
        (b"accept: \xff", "/api/health", "200"),
        (b"last-event-id: \xff", "/api/chat/x1/stream", "404"),
    ] {
        let mut raw = Raw::tcp(server.address()).await;
        let line = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        raw.say([line.as_bytes(), header, b"\r\n\r\n"].concat()).await;
        let answer = raw.all().await;
        let got = answer.split(' ').nth(1).unwrap_or_default();
        assert_eq!(got, status, "{}: {answer}", String::from_utf8_lossy(header));
    }
}

#[tokio::test]
async fn an_event_id_that_makes_no_sense_begins_at_the_begin() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let body = json!({ "message": "x @@{\"n\":3}@@" });
    let whole = caller.chat("text=delta", &body).await.whole().await;
    let path = format!("/api/chat/{}/stream?text=delta", whole.session());
    for id in ["", "x", "-1", "1.5", "99999999999999999999999", "0"] {
        let asked = caller.clone().with("last-event-id", id);
        let answer = asked.get(&path).await;
        let text = String::from_utf8(answer.body.to_vec()).expect("text");
        assert!(text.starts_with("id: 1\n"), "{id:?}: {text}");
    }
    for query in ["after=-1", "after=x", "after=1.5", "text=loud"] {
        let answer = caller.get(&format!("{path}&{query}")).await;
        is_422(&answer, query);
    }
}
