//! Ten thousand names at the doors of files and of synchronised folders: nothing outside the
//! vault and nothing closed in it is read, written or deleted, whatever the path is.

use crate::hostile::{CANARY, JSON, Line, encoded, home, names, others};
use http::Method;
use parachute_tests::Home;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

/// A home in which everything that may be read is harmless, with links to what may not.
fn guarded() -> Home {
    let home = home();
    for note in ["note.md", "secret.md", "secret/SKILL.md"] {
        fs::write(home.vault().join(note), "harmless").expect("written");
    }
    for (to, from) in [("..", "out"), (".parachute", "tools"), ("../secret.md", "index")] {
        symlink(to, home.vault().join(from)).expect("linked");
    }
    // Read by their paths, these are nobody's secret; they lead to what is.
    for path in ["agents", ".skills"] {
        fs::remove_dir_all(home.vault().join(path)).expect("removed");
    }
    fs::create_dir_all(home.vault().join("agents")).expect("made");
    fs::write(home.vault().join("agents/real.md"), "harmless").expect("written");
    assert!(fs::read_to_string(home.vault().join(".mcp.json")).expect("read").contains(CANARY));
    home
}

/// All that no such door may change.
fn closed(home: &Home) -> BTreeMap<String, String> {
    let is_closed = |name: &String| {
        let inside = name.strip_prefix("vault/");
        inside.is_none_or(|inside| {
            let closed = [".parachute", ".mcp.json", ".skills", "out", "tools", "index"];
            closed.iter().any(|closed| inside.split('/').next() == Some(closed))
        })
    };
    let all = others(home).into_iter().chain(crate::skills::tree(&home.path("vault/.parachute")));
    all.filter(|(name, _)| is_closed(name)).collect()
}

#[tokio::test]
async fn ten_thousand_paths_to_read_and_to_list() {
    let home = guarded();
    let server = home.server().await;
    let mut line = Line::to(&server).await;
    let before = closed(&home);
    let mut done = 0;
    for door in ["/api/read?path=NAME", "/api/read?raw=true&path=NAME", "/api/ls?path=NAME"] {
        for name in names(0x5eed_0031) {
            let path = door.replace("NAME", &encoded(&name));
            done += usize::from(line.ask(&Method::GET, &path, None).await);
        }
    }
    assert!(done > 50, "of so many some lead to something: {done}");
    assert_eq!(closed(&home), before);
}

#[tokio::test]
async fn ten_thousand_paths_to_write() {
    let home = guarded();
    let server = home.server().await;
    let mut line = Line::to(&server).await;
    let before = closed(&home);
    let mut done = 0;
    for name in names(0x5eed_0032) {
        let body = json!({ "path": name, "content": "x" }).to_string().into_bytes();
        done += usize::from(line.ask(&Method::PUT, "/api/write", Some((JSON, body))).await);
    }
    assert!(done > 50, "of so many some are lawful: {done}");
    assert_eq!(closed(&home), before);
}

#[tokio::test]
async fn ten_thousand_paths_and_roots_to_synchronise() {
    let home = guarded();
    let server = home.server().await;
    let mut line = Line::to(&server).await;
    let before = closed(&home);
    for names in names(0x5eed_0033).chunks(50) {
        let files: Vec<_> =
            names.iter().map(|name| json!({ "path": name, "content": "x" })).collect();
        let push = json!({ "root": "", "files": files }).to_string().into_bytes();
        line.ask(&Method::POST, "/api/sync/push", Some((JSON, push))).await;
        for root in ["", "secret"] {
            let pull = json!({ "root": root, "paths": names }).to_string().into_bytes();
            line.ask(&Method::POST, "/api/sync/pull", Some((JSON, pull))).await;
            let paths: String =
                names.iter().map(|name| format!("&paths={}", encoded(name))).collect();
            let path = format!("/api/sync/files?root={root}{paths}");
            line.ask(&Method::DELETE, &path, None).await;
        }
    }
    assert_eq!(closed(&home), before);
    for name in names(0x5eed_0034) {
        let path = format!("/api/sync/manifest?quick=true&root={}", encoded(&name));
        line.ask(&Method::GET, &path, None).await;
        let path = format!("/api/sync/manifest?quick=true&root=secret&pattern={}", encoded(&name));
        line.ask(&Method::GET, &path, None).await;
    }
    assert_eq!(closed(&home), before);
}
