//! Traps of the predecessor about who gets in (contract-core §8.1), each through the door at
//! which it showed.

use crate::doors::unauthorized;
use crate::made_up::{ELSEWHERE, MadeUp};
use http::Method;
use parachute_tests::{Caller, Home, Supervisor, eventually};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

fn security(home: &Home, yaml: &str) {
    let file = home.vault().join(".parachute/server.yaml");
    std::fs::write(file, format!("security:\n{yaml}")).expect("written");
}

async fn made(caller: &Caller) -> (String, String) {
    let made = caller.post("/api/auth/keys", &json!({ "label": "k" })).await;
    assert_eq!(made.status, 200, "{}", made.json());
    let text = |name: &str| made.json()[name].as_str().expect("text").to_owned();
    (text("id"), text("key"))
}

#[tokio::test]
async fn mode_always_without_a_key_refuses_trap_2() {
    let home = Home::new();
    security(&home, "  require_auth: always\n");
    let server = home.server().await;
    let local = server.local();
    let away = local.clone().with("x-forwarded-for", "192.0.2.1");
    for caller in [&local, &away, &local.clone().with("x-api-key", "para_any")] {
        for path in ["/api/chat", "/api/workspaces", "/api/capabilities", "/api/mcps"] {
            let answer = caller.get(path).await;
            assert_eq!((answer.status, answer.json()), (401, unauthorized()), "{path}");
        }
        let turn = caller.post("/api/chat", &json!({ "message": "x @@{\"n\":1}@@" })).await;
        assert_eq!(turn.status, 401);
    }
    assert_eq!(away.get("/api/auth/keys").await.status, 401);
    assert_eq!(server.owner().get("/api/chat").await.json(), json!({ "sessions": [] }));
    // A first key can still be made here, and the end of the last one opens nothing again.
    let (id, key) = made(&local).await;
    let keyed = local.clone().with("x-api-key", &key);
    assert_eq!(keyed.get("/api/chat").await.status, 200);
    let path = format!("/api/auth/keys/{id}");
    assert_eq!(keyed.ask(Method::DELETE, &path, None).await.status, 200);
    for caller in [&local, &away, &keyed] {
        assert_eq!(caller.get("/api/chat").await.status, 401);
    }
}

#[tokio::test]
async fn changing_keys_takes_a_key_trap_5() {
    let home = Home::new();
    security(&home, "  require_auth: always\n");
    let server = home.server().await;
    let local = server.local();
    let (id, key) = made(&local).await;
    let path = format!("/api/auth/keys/{id}");
    let disabled = json!({ "require_auth": "disabled" });
    for caller in [&local, &local.clone().with("x-api-key", "para_wrong")] {
        let refused = [
            caller.post("/api/auth/keys", &json!({ "label": "mine" })).await,
            caller.ask(Method::DELETE, &path, None).await,
            caller.send(Method::PUT, "/api/auth/settings", &disabled).await,
        ];
        for answer in refused {
            assert_eq!((answer.status, answer.json()), (401, unauthorized()));
        }
    }
    let settings = local.get("/api/auth/settings").await.json();
    assert_eq!(settings, json!({ "require_auth": "always", "key_count": 1 }));
    // Whoever has the key may, and the owner needs none.
    let (second, _) = made(&local.clone().with("x-api-key", &key)).await;
    let path = format!("/api/auth/keys/{second}");
    assert_eq!(server.owner().ask(Method::DELETE, &path, None).await.status, 200);
    let remote = json!({ "require_auth": "remote" });
    let owner = server.owner().send(Method::PUT, "/api/auth/settings", &remote).await;
    assert_eq!(owner.status, 200);
    made(&local).await;
}

#[tokio::test]
async fn the_configured_key_is_a_key_trap_5() {
    let mut home = Home::new();
    home.set("API_KEY", "para_configured");
    security(&home, "  require_auth: always\n");
    let server = home.server().await;
    let local = server.local();
    let new = json!({ "label": "mine" });
    assert_eq!(local.post("/api/auth/keys", &new).await.status, 401);
    made(&local.with("x-api-key", "para_configured")).await;
}

#[tokio::test]
async fn configured_and_stored_keys_count_trap_9() {
    let mut home = Home::new();
    home.set("API_KEY", "para_configured");
    let server = home.server().await;
    let away = server.local().with("x-forwarded-for", "192.0.2.1");
    let (id, key) = made(&server.local()).await;
    for shown in ["para_configured", &key] {
        assert_eq!(away.clone().with("x-api-key", shown).get("/api/chat").await.status, 200);
    }
    for shown in ["para_configure", "para_configuredd", "PARA_CONFIGURED", "para_", "p"] {
        let answer = away.clone().with("x-api-key", shown).get("/api/chat").await;
        assert_eq!((answer.status, answer.json()), (401, unauthorized()), "{shown}");
    }
    let path = format!("/api/auth/keys/{id}");
    assert_eq!(server.local().ask(Method::DELETE, &path, None).await.status, 200);
    let old = away.clone().with("x-api-key", "para_configured");
    assert_eq!(old.get("/api/chat").await.status, 200);
    // Keys that cannot be read let nobody in, this one too.
    security(&home, "  api_keys: none\n");
    assert_eq!(old.get("/api/chat").await.status, 401);
    assert!(!server.log().contains("para_configured"), "the key is in the log");
}

#[tokio::test]
async fn strangers_read_of_no_machine_trap_11() {
    let home = Home::new();
    let server = MadeUp::of(&home);
    for path in ["/docs", "/redoc", "/docs/oauth2-redirect", "/metrics"] {
        assert_eq!(server.get(ELSEWHERE, path, &[]).await.status, 404, "{path}");
    }
    let here = home.path("").display().to_string();
    for path in ["/", "/openapi.json", "/api/health", "/api/health?detailed=true"] {
        let answer = server.get(ELSEWHERE, path, &[]).await;
        let said = String::from_utf8_lossy(&answer.body);
        for told in [here.trim_end_matches('/'), "docker", "problem", "listeners"] {
            assert!(path == "/openapi.json" || !said.contains(told), "{path}: {said}");
        }
        assert!(!said.contains(here.trim_end_matches('/')), "{path}");
    }
    let detailed = server.get("127.0.0.1:9", "/api/health?detailed=true", &[]).await;
    assert!(String::from_utf8_lossy(&detailed.body).contains(here.trim_end_matches('/')));
}

/// The addresses that a supervisor says it listens on.
fn addresses(home: &Home) -> Vec<SocketAddr> {
    let log = std::fs::read_to_string(home.path("supervisor.log")).unwrap_or_default();
    let words = log.lines().filter(|line| line.contains("listening")).flat_map(|line| {
        let plain = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '[' | ']');
        line.split(move |c| !plain(c)).map(str::to_owned).collect::<Vec<_>>()
    });
    words.filter_map(|word| word.parse().ok()).collect()
}

#[tokio::test]
async fn the_supervisor_is_here_alone_trap_21() {
    let home = Home::new();
    // What the config says of the server's listener is not the supervisor's.
    home.config("host: 0.0.0.0\n");
    let config = home.vault().join(".parachute/config.yaml");
    let _supervisor = Supervisor::start(&home).await;
    let listening = eventually("it says where it listens", async || {
        Some(addresses(&home)).filter(|found| found.len() >= 2)
    })
    .await;
    assert!(listening.iter().all(|address| address.ip().is_loopback()), "{listening:?}");
    let here = listening.iter().find(|address| address.is_ipv4()).expect("an address");
    let caller = Caller::tcp(*here).with("host", &format!("localhost:{}", here.port()));
    assert_eq!(caller.get("/supervisor/status").await.status, 200);
    // Another address of this machine, at which one that listens everywhere would be, too.
    let elsewhere = SocketAddr::from(([127, 0, 0, 2], here.port()));
    assert!(TcpStream::connect(elsewhere).is_err(), "it listens on {elsewhere}");
    // Who is forwarded is not here, and neither reads nor orders anything, with whatever key.
    let away = caller.clone().with("x-forwarded-for", "127.0.0.1").with("x-api-key", "para_any");
    let change = json!({ "values": { "vault_path": "/", "host": "0.0.0.0" } });
    let answers = [
        away.post("/supervisor/server/stop", &json!({})).await,
        away.post("/supervisor/server/restart", &json!({})).await,
        away.send(Method::PUT, "/supervisor/config", &change).await,
        away.get("/supervisor/config").await,
        away.get("/supervisor/status").await,
        away.get("/supervisor/logs?follow=false").await,
    ];
    for answer in answers {
        assert_eq!(answer.status, 403, "{}", String::from_utf8_lossy(&answer.body));
    }
    assert_eq!(std::fs::read_to_string(config).expect("read"), "host: 0.0.0.0\n");
}

#[test]
fn every_socket_is_of_this_machine_trap_t_23() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the tree");
    let mut seen = 0;
    for file in std::fs::read_dir(top.join("units")).expect("the units").flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap_or_default();
        for line in text.lines() {
            let Some(at) = line.strip_prefix("ListenStream=") else { continue };
            let private = ["127.0.0.1:", "[::1]:", "%t/"].iter().any(|own| at.starts_with(own));
            assert!(private, "{}: {line}", file.path().display());
            seen += 1;
        }
    }
    assert!(seen >= 4, "the sockets of server and supervisor");
}

#[tokio::test]
async fn no_hook_fails_and_both_names_are_known_trap_t_64() {
    let home = Home::new();
    let hooks = home.vault().join(".parachute/hooks");
    std::fs::create_dir_all(&hooks).expect("a folder");
    std::fs::write(hooks.join("broken.py"), "raise SystemExit(1)\n").expect("written");
    let server = home.server().await;
    let errors = server.local().get("/api/hooks/errors").await.json();
    assert_eq!(errors, json!({ "errors": [] }));
    let document: Value = server.local().get("/openapi.json").await.json();
    let error = &document["components"]["schemas"]["HookError"];
    let names: Vec<&String> = error["properties"].as_object().expect("fields").keys().collect();
    let required = error["required"].as_array().expect("a list");
    for name in ["hook_name", "hook", "error", "message", "event", "timestamp"] {
        assert!(names.contains(&&name.to_owned()) && required.contains(&name.into()), "{name}");
    }
}
