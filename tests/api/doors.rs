//! Strangers at every door: who gets in with what (contract-core §1.0, §4.5, §4.6; DESIGN §6).

use crate::golden_file::same_as_file;
use crate::made_up::{ELSEWHERE, MadeUp, tcp};
use http::Method;
use parachute_tests::{Home, Raw, program};
use serde_json::{Value, json};
use serve::{Access, Peer};
use std::time::Duration;

/// Path of a row with its variables filled in.
fn filled(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "x1" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn unauthorized() -> Value {
    json!({ "error": "Unauthorized", "message": "Valid API key required" })
}

async fn key_of(caller: &parachute_tests::Caller) -> (String, String) {
    let made = caller
        .post("/api/auth/keys", &json!({ "label": "k" }))
        .await
        .json();
    let text = |name: &str| made[name].as_str().expect("text").to_owned();
    (text("id"), text("key"))
}

#[test]
fn the_open_doors_are_those_of_the_file() {
    let table = parachute_server::routes::table();
    let open = table
        .doors()
        .iter()
        .filter(|d| d.route.access == Access::Open);
    let lines: Vec<String> = open
        .map(|d| format!("{} {}\n", d.route.method, d.route.path))
        .collect();
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
        assert_eq!(
            (answer.status, answer.json()),
            (401, unauthorized()),
            "{path}"
        );
    }
    let wrong = server
        .ask(tcp(ELSEWHERE), Method::PUT, "/api/chat", &[])
        .await;
    assert_eq!(wrong.status, 401);
    assert_eq!(
        server.get("127.0.0.1:5", "/api/nothing", &[]).await.status,
        404
    );
}

#[tokio::test]
async fn a_stranger_learns_nothing_of_this_machine_from_health() {
    let home = Home::new();
    let server = MadeUp::of(&home);
    for headers in [&[][..], &[("x-forwarded-for", "127.0.0.1")]] {
        let from = if headers.is_empty() {
            ELSEWHERE
        } else {
            "127.0.0.1:9"
        };
        let health = server
            .get(from, "/api/health?detailed=true", headers)
            .await
            .json();
        let keys: Vec<&String> = health.as_object().expect("an object").keys().collect();
        assert!(
            keys.iter()
                .all(|k| ["status", "timestamp", "version", "commit"].contains(&&***k))
        );
    }
}

#[tokio::test]
async fn every_loopback_address_is_this_machine() {
    let home = Home::new();
    let server = MadeUp::of(&home);
    for from in [
        "127.0.0.1:1",
        "127.9.8.7:1",
        "[::1]:1",
        "[::ffff:127.0.0.1]:1",
    ] {
        assert_eq!(
            server.get(from, "/api/chat", &[]).await.status,
            200,
            "{from}"
        );
    }
    for from in [
        "10.0.0.1:1",
        "[::ffff:10.0.0.1]:1",
        "[fe80::1]:1",
        "0.0.0.0:1",
    ] {
        assert_eq!(
            server.get(from, "/api/chat", &[]).await.status,
            401,
            "{from}"
        );
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
        assert_eq!(
            (answer.status, answer.json()),
            (401, unauthorized()),
            "{name}: {value}"
        );
        let keys = server.local().with(name, value);
        let made = keys
            .post("/api/auth/keys", &json!({ "label": "mine" }))
            .await;
        assert_eq!(made.status, 401, "{name}: {value}");
    }
}

#[tokio::test]
async fn a_key_opens_doors_in_each_form_of_the_contract() {
    let home = Home::new();
    let server = home.server().await;
    let (id, key) = key_of(&server.local()).await;
    let away = |name: &str, value: &str| {
        server
            .local()
            .with("x-forwarded-for", "192.0.2.1")
            .with(name, value)
    };
    let forms = [
        ("X-API-Key", key.clone()),
        ("Authorization", format!("Bearer {key}")),
        ("Authorization", format!("bearer {key}")),
        ("authorization", format!("BEARER   {key}")),
        ("Authorization", key.clone()),
    ];
    for (name, value) in &forms {
        let answer = away(name, value).get("/api/chat").await;
        assert_eq!(answer.status, 200, "{name}: {value}");
    }
    let flipped = format!(
        "{}{}",
        &key[..key.len() - 1],
        if key.ends_with('A') { 'B' } else { 'A' }
    );
    for (name, value) in [
        ("X-API-Key", flipped),
        ("X-API-Key", key.to_uppercase()),
        ("X-API-Key", format!("{key}{key}")),
        ("X-API-Key", String::new()),
        ("Authorization", format!("Basic {key}")),
        ("Authorization", "Bearer".into()),
        ("Cookie", format!("key={key}")),
    ] {
        let answer = away(name, &value).get("/api/chat").await;
        assert_eq!(
            (answer.status, answer.json()),
            (401, unauthorized()),
            "{name}: {value}"
        );
    }
    let path = format!("/api/auth/keys/{id}");
    assert_eq!(
        away("X-API-Key", &key)
            .ask(Method::DELETE, &path, None)
            .await
            .status,
        200
    );
    for (name, value) in &forms {
        assert_eq!(
            away(name, value).get("/api/chat").await.status,
            401,
            "{name}: {value}"
        );
    }
    assert!(!server.log().contains(&key), "the key is in the log");
}

#[tokio::test]
async fn a_key_of_the_predecessor_still_opens_doors() {
    let home = Home::new();
    let key = "para_tRTntgkp1l-9hS5_5OMxPE3drtjHbHAk";
    let sum = sha256(key);
    let yaml = format!(
        "security:\n  require_auth: always\n  api_keys:\n  - id: k_tRTntgkp1l-9\n    label: phone\n    \
         key_hash: sha256:{sum}\n    created_at: '2026-01-01T10:00:00'\n    last_used_at: null\n"
    );
    std::fs::write(home.vault().join(".parachute/server.yaml"), yaml).expect("written");
    let server = home.server().await;
    assert_eq!(server.local().get("/api/chat").await.status, 401);
    assert_eq!(
        server
            .local()
            .with("x-api-key", key)
            .get("/api/chat")
            .await
            .status,
        200
    );
}

fn sha256(text: &str) -> String {
    let out = std::process::Command::new("sha256sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .and_then(|mut child| {
            use std::io::Write;
            child
                .stdin
                .take()
                .expect("piped")
                .write_all(text.as_bytes())?;
            child.wait_with_output()
        })
        .expect("sha256sum");
    String::from_utf8_lossy(&out.stdout)
        .split_whitespace()
        .next()
        .expect("a sum")
        .to_owned()
}

#[tokio::test]
async fn mode_always_asks_this_machine_too_but_not_the_owner() {
    let home = Home::new();
    let server = home.server().await;
    let (_, key) = key_of(&server.local()).await;
    let always = json!({ "require_auth": "always" });
    server
        .local()
        .send(Method::PUT, "/api/auth/settings", &always)
        .await;
    let refused = server.local().get("/api/chat").await;
    assert_eq!((refused.status, refused.json()), (401, unauthorized()));
    assert_eq!(
        server
            .local()
            .with("x-api-key", &key)
            .get("/api/chat")
            .await
            .status,
        200
    );
    assert_eq!(server.owner().get("/api/chat").await.status, 200);
    assert_eq!(server.local().get("/api/health").await.status, 200);
    assert_eq!(server.local().get("/api/auth/keys").await.status, 200);
}

#[tokio::test]
async fn keys_that_cannot_be_read_open_nothing() {
    for broken in [
        "security: [",
        "security:\n  require_auth: sometimes\n",
        "- 1\n",
        "\u{0}",
    ] {
        let home = Home::new();
        let file = home.vault().join(".parachute/server.yaml");
        std::fs::write(&file, broken).expect("written");
        let server = home.server().await;
        let away = server.local().with("x-forwarded-for", "192.0.2.1");
        assert_eq!(away.get("/api/chat").await.status, 401, "{broken:?}");
        let health = server.owner().get("/api/health?detailed=true").await.json();
        assert!(health["problem"].is_string(), "{broken:?}: {health}");
        let made = server
            .local()
            .post("/api/auth/keys", &json!({ "label": "k" }))
            .await;
        assert!(made.status >= 400, "{broken:?}: {}", made.json());
        let kept = std::fs::read_to_string(&file).expect("still there");
        assert_eq!(kept, broken, "a broken file is never replaced by defaults");
    }
}

#[tokio::test]
async fn the_single_key_of_old_counts_while_there_is_no_other() {
    let mut home = Home::new();
    home.set("API_KEY", "para_old-one");
    let server = home.server().await;
    let away = server.local().with("x-forwarded-for", "192.0.2.1");
    let refused = away.get("/api/chat").await;
    assert_eq!(
        (refused.status, refused.json()),
        (401, json!({ "error": "Unauthorized" }))
    );
    let old = away.clone().with("x-api-key", "para_old-one");
    assert_eq!(old.get("/api/chat").await.status, 200);
    key_of(&server.local()).await;
    assert_eq!(old.get("/api/chat").await.status, 401);
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
        assert!(
            matches!(answer.status, 400 | 403),
            "{host:?}: {}",
            answer.status
        );
        let write = server
            .local()
            .with("host", host)
            .post("/api/chat/x1/abort", &json!({}))
            .await;
        assert!(
            matches!(write.status, 400 | 403),
            "{host:?}: {}",
            write.status
        );
    }
    for host in [
        "localhost",
        "LOCALHOST:3333",
        "127.0.0.1:1",
        "[::1]:3333",
        "192.0.2.9",
    ] {
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
    assert_eq!(
        page.with("host", "notes.example")
            .get("/api/chat")
            .await
            .status,
        200
    );
    let page = server.local().with("origin", "http://127.0.0.1:3333");
    assert_eq!(page.get("/api/chat").await.status, 403);
}

#[tokio::test]
async fn a_wide_listener_without_a_key_does_not_start() {
    let home = Home::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("bound").port();
    drop(free);
    home.config(&format!("host: 0.0.0.0\nport: {port}\n"));
    // On its own, with nothing handed over.
    let alone = tokio::process::Command::new(program("parachute-server"))
        .env_clear()
        .envs(&home.env)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let ended = tokio::time::timeout(Duration::from_secs(30), alone).await;
    let out = ended.expect("it ends by itself").expect("it runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(78), "{said}");
    assert!(said.contains("parachute keys create"), "{said}");
}

#[tokio::test]
async fn nothing_but_http_gets_an_answer_it_could_use() {
    let home = Home::new();
    let server = home.server().await;
    for said in [
        "\x16\x03\x01\x02\x00",
        "SSH-2.0-x\r\n\r\n",
        "GET\r\n\r\n",
        "\r\n\r\n\r\n\0\r\n\r\n",
    ] {
        let mut raw = Raw::tcp(server.address()).await;
        raw.say(said).await;
        raw.shut().await;
        let answer = raw.all().await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
            "{said:?}: {answer}"
        );
    }
    server.ready().await;
}
