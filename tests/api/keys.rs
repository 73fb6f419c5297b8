//! Callers' keys and who has to show one (contract-core §4.5, DESIGN §6).

use crate::doors::unauthorized;
use crate::made_up::{ELSEWHERE, MadeUp};
use http::Method;
use parachute_tests::{Home, program};
use serde_json::json;
use std::time::Duration;

async fn key_of(caller: &parachute_tests::Caller) -> (String, String) {
    let made = caller.post("/api/auth/keys", &json!({ "label": "k" })).await.json();
    let text = |name: &str| made[name].as_str().expect("text").to_owned();
    (text("id"), text("key"))
}

#[tokio::test]
async fn a_key_opens_doors_in_each_form_of_the_contract() {
    let home = Home::new();
    let server = home.server().await;
    let (id, key) = key_of(&server.local()).await;
    let away = |name: &str, value: &str| {
        server.local().with("x-forwarded-for", "192.0.2.1").with(name, value)
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
    let flipped =
        format!("{}{}", &key[..key.len() - 1], if key.ends_with('A') { 'B' } else { 'A' });
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
        assert_eq!((answer.status, answer.json()), (401, unauthorized()), "{name}: {value}");
    }
    let path = format!("/api/auth/keys/{id}");
    assert_eq!(away("X-API-Key", &key).ask(Method::DELETE, &path, None).await.status, 200);
    for (name, value) in &forms {
        assert_eq!(away(name, value).get("/api/chat").await.status, 401, "{name}: {value}");
    }
    assert!(!server.log().contains(&key), "the key is in the log");
}

#[tokio::test]
async fn a_key_of_the_predecessor_still_opens_doors() {
    let home = Home::new();
    let key = "para_tRTntgkp1l-9hS5_5OMxPE3drtjHbHAk";
    let sum = "e74755fa621150683264cb2b68983c768a035f8ea4dae6bf000934084100f090";
    let yaml = format!(
        "security:\n  require_auth: always\n  api_keys:\n  - id: k_tRTntgkp1l-9\n    \
         label: phone\n    key_hash: sha256:{sum}\n    \
         created_at: '2026-01-01T10:00:00'\n    last_used_at: null\n"
    );
    std::fs::write(home.vault().join(".parachute/server.yaml"), yaml).expect("written");
    let server = home.server().await;
    assert_eq!(server.local().get("/api/chat").await.status, 401);
    assert_eq!(server.local().with("x-api-key", key).get("/api/chat").await.status, 200);
}

#[tokio::test]
async fn mode_always_asks_this_machine_too_but_not_the_owner() {
    let home = Home::new();
    let server = home.server().await;
    let (_, key) = key_of(&server.local()).await;
    let always = json!({ "require_auth": "always" });
    server.local().send(Method::PUT, "/api/auth/settings", &always).await;
    let refused = server.local().get("/api/chat").await;
    assert_eq!((refused.status, refused.json()), (401, unauthorized()));
    assert_eq!(server.local().with("x-api-key", &key).get("/api/chat").await.status, 200);
    assert_eq!(server.owner().get("/api/chat").await.status, 200);
    assert_eq!(server.local().get("/api/health").await.status, 200);
    assert_eq!(server.local().get("/api/auth/keys").await.status, 200);
}

#[tokio::test]
async fn mode_disabled_opens_nothing_to_strangers() {
    let home = Home::new();
    let yaml = "security:\n  require_auth: disabled\n";
    std::fs::write(home.vault().join(".parachute/server.yaml"), yaml).expect("written");
    let server = MadeUp::of(&home);
    assert_eq!(server.get("127.0.0.1:1", "/api/chat", &[]).await.status, 200);
    assert_eq!(server.get(ELSEWHERE, "/api/chat", &[]).await.status, 401);
    let forged = [("x-forwarded-for", "127.0.0.1")];
    assert_eq!(server.get("127.0.0.1:1", "/api/chat", &forged).await.status, 401);
}

#[tokio::test]
async fn keys_that_cannot_be_read_open_nothing() {
    for broken in ["security: [", "security:\n  require_auth: sometimes\n", "- 1\n", "\u{0}"] {
        let home = Home::new();
        let file = home.vault().join(".parachute/server.yaml");
        std::fs::write(&file, broken).expect("written");
        let server = home.server().await;
        let away = server.local().with("x-forwarded-for", "192.0.2.1");
        assert_eq!(away.get("/api/chat").await.status, 401, "{broken:?}");
        let health = server.owner().get("/api/health?detailed=true").await.json();
        assert!(health["problem"].is_string(), "{broken:?}: {health}");
        let made = server.local().post("/api/auth/keys", &json!({ "label": "k" })).await;
        assert!(made.status >= 400, "{broken:?}: {}", made.json());
        let kept = std::fs::read_to_string(&file).expect("still there");
        assert_eq!(kept, broken, "a broken file is never replaced by defaults");
    }
}

#[tokio::test]
async fn the_single_key_of_old_counts_and_whoever_lacks_it_hears_less() {
    let mut home = Home::new();
    home.set("API_KEY", "para_old-one");
    let server = home.server().await;
    let away = server.local().with("x-forwarded-for", "192.0.2.1");
    let refused = away.get("/api/chat").await;
    assert_eq!((refused.status, refused.json()), (401, json!({ "error": "Unauthorized" })));
    let old = away.clone().with("x-api-key", "para_old-one");
    assert_eq!(old.get("/api/chat").await.status, 200);
    key_of(&server.local()).await;
    assert_eq!(old.get("/api/chat").await.status, 200);
    assert_eq!(away.get("/api/chat").await.json(), unauthorized());
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
