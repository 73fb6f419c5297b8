//! Strangers at every door: who gets in with what (contract-core §1.0, §4.5, §4.6; DESIGN §6).

use crate::golden_file::same_as_file;
use crate::made_up::{ELSEWHERE, MadeUp, tcp};
use http::Method;
use parachute_tests::{Home, Raw};
use serde_json::{Value, json};
use serve::{Access, Peer};

/// Path of a row with its variables filled in.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "x1" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

pub(crate) fn unauthorized() -> Value {
    json!({ "error": "Unauthorized", "message": "Valid API key required" })
}

#[test]
fn the_open_doors_are_those_of_the_file() {
    let table = parachute_server::routes::table();
    let open = table.doors().iter().filter(|d| d.route.access == Access::Open);
    let lines: Vec<String> =
        open.map(|d| format!("{} {}\n", d.route.method, d.route.path)).collect();
    same_as_file("open-doors.txt", &lines.concat());
}

#[test]
fn the_api_document_is_that_of_the_file() {
    let document = parachute_server::routes::table().openapi();
    let document: Value = serde_json::from_slice(&document).expect("JSON");
    let text = serde_json::to_string_pretty(&document).expect("JSON");
    same_as_file("openapi.json", &(text + "\n"));
}

#[tokio::test]
async fn a_stranger_is_refused_at_every_door_that_is_not_open() {
    let home = Home::new();
    let server = MadeUp::of(&home);
    let table = parachute_server::routes::table();
    assert!(table.doors().len() > 20);
    let peers = [tcp(ELSEWHERE), tcp("[2001:db8::1]:9"), Peer::Unix(12345)];
    for door in table.doors() {
        let (method, path) = (&door.route.method, filled(door.route.path));
        for peer in peers {
            let answer = server.ask(peer, method.clone(), &path, &[]).await;
            if door.route.access == Access::Open {
                assert_ne!(answer.status, 401, "{method} {path}");
            } else {
                assert_eq!(
                    (answer.status, answer.json()),
                    (401, unauthorized()),
                    "{method} {path}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_door_looks_like_one_to_a_stranger() {
    let home = Home::new();
    let server = MadeUp::of(&home);
    for path in ["/api/nothing", "/api/chat/", "/api/chat/x/y/z", "/api"] {
        let answer = server.get(ELSEWHERE, path, &[]).await;
        assert_eq!((answer.status, answer.json()), (401, unauthorized()), "{path}");
    }
    let wrong = server.ask(tcp(ELSEWHERE), Method::PUT, "/api/chat", &[]).await;
    assert_eq!(wrong.status, 401);
    assert_eq!(server.get("127.0.0.1:5", "/api/nothing", &[]).await.status, 404);
}

#[tokio::test]
async fn a_stranger_learns_nothing_of_this_machine_from_health() {
    let home = Home::new();
    let server = MadeUp::of(&home);
    for headers in [&[][..], &[("x-forwarded-for", "127.0.0.1")]] {
        let from = if headers.is_empty() { ELSEWHERE } else { "127.0.0.1:9" };
        let health = server.get(from, "/api/health?detailed=true", headers).await.json();
        let keys: Vec<&String> = health.as_object().expect("an object").keys().collect();
        assert!(keys.iter().all(|k| ["status", "timestamp", "version", "commit"].contains(&&***k)));
    }
}

#[tokio::test]
async fn every_loopback_address_is_this_machine() {
    let home = Home::new();
    let server = MadeUp::of(&home);
    for from in ["127.0.0.1:1", "127.9.8.7:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        assert_eq!(server.get(from, "/api/chat", &[]).await.status, 200, "{from}");
    }
    for from in ["10.0.0.1:1", "[::ffff:10.0.0.1]:1", "[fe80::1]:1", "0.0.0.0:1"] {
        assert_eq!(server.get(from, "/api/chat", &[]).await.status, 401, "{from}");
    }
}

#[tokio::test]
async fn a_forwarded_request_is_never_local() {
    let home = Home::new();
    let server = home.server().await;
    for (name, value) in [
        ("X-Forwarded-For", "127.0.0.1"),
        ("x-forwarded-for", "::1, 127.0.0.1"),
        ("Forwarded", "for=127.0.0.1"),
        ("X-Real-IP", "127.0.0.1"),
        ("X-Forwarded-Host", "localhost"),
        ("X-Forwarded-Proto", "http"),
        ("Via", "1.1 proxy"),
        ("X-Forwarded-For", ""),
    ] {
        let answer = server.local().with(name, value).get("/api/chat").await;
        assert_eq!((answer.status, answer.json()), (401, unauthorized()), "{name}: {value}");
        let keys = server.local().with(name, value);
        let made = keys.post("/api/auth/keys", &json!({ "label": "mine" })).await;
        assert_eq!(made.status, 401, "{name}: {value}");
    }
}

#[tokio::test]
async fn a_foreign_host_is_refused() {
    let home = Home::new();
    let server = home.server().await;
    for host in [
        "evil.example",
        "evil.example:3333",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "@localhost",
    ] {
        let answer = server.local().with("host", host).get("/api/health").await;
        assert!(matches!(answer.status, 400 | 403), "{host:?}: {}", answer.status);
        let write = server.local().with("host", host).post("/api/chat/x1/abort", &json!({})).await;
        assert!(matches!(write.status, 400 | 403), "{host:?}: {}", write.status);
    }
    for host in ["localhost", "LOCALHOST:3333", "127.0.0.1:1", "[::1]:3333", "192.0.2.9"] {
        let answer = server.local().with("host", host).get("/api/health").await;
        assert_eq!(answer.status, 200, "{host:?}");
    }
}

#[tokio::test]
async fn a_page_from_elsewhere_is_refused_whatever_it_asks() {
    let home = Home::new();
    let server = home.server().await;
    for origin in [
        "http://evil.example",
        "https://localhost.evil.example",
        "null",
        "http://localhost:8080",
        "file://",
        "",
        "http://localhost:3333.evil.example",
    ] {
        let page = server.local().with("origin", origin);
        for path in ["/api/health", "/api/chat"] {
            assert_eq!(page.get(path).await.status, 403, "{origin:?} {path}");
        }
        // What a form can send without asking first.
        let form = page.clone().with("content-type", "text/plain");
        let answer = form.post("/api/chat", &json!({ "message": "hello" })).await;
        assert_eq!(answer.status, 403, "{origin:?}");
        assert!(answer.headers.get("access-control-allow-origin").is_none());
        let answer = form.post("/api/chat/x1/abort", &json!({})).await;
        assert_eq!(answer.status, 403, "{origin:?}");
    }
    let list = server.local().get("/api/chat").await.json();
    assert_eq!(list, json!({ "sessions": [] }));
    for origin in ["http://localhost:3333", "http://127.0.0.1:3333"] {
        let page = server.local().with("origin", origin).get("/api/chat").await;
        assert_eq!(page.status, 200);
        assert_eq!(page.headers["access-control-allow-origin"], origin);
    }
}

#[tokio::test]
async fn the_configs_origins_and_their_hosts_may_call() {
    let home = Home::new();
    home.config("cors_origins: https://notes.example, http://other.example:8080\n");
    let server = home.server().await;
    let page = server.local().with("origin", "https://notes.example");
    assert_eq!(page.with("host", "notes.example").get("/api/chat").await.status, 200);
    let page = server.local().with("origin", "http://127.0.0.1:3333");
    assert_eq!(page.get("/api/chat").await.status, 403);
}

#[tokio::test]
async fn nothing_but_http_gets_an_answer_it_could_use() {
    let home = Home::new();
    let server = home.server().await;
    for said in
        ["\x16\x03\x01\x02\x00", "SSH-2.0-x\r\n\r\n", "GET\r\n\r\n", "\r\n\r\n\r\n\0\r\n\r\n"]
    {
        let mut raw = Raw::tcp(server.address()).await;
        raw.say(said).await;
        raw.shut().await;
        let answer = raw.all().await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{said:?}: {answer}");
    }
    server.ready().await;
}
