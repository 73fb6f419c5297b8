//! A disk that is full and a vault that cannot be written, for real: small file systems that
//! only the server and its agents see. Nothing is lost, everybody is told in words, and all is
//! well again when there is room.

use parachute_tests::{Home, Server, eventually};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Whether this user may have mounts of its own; says so where it may not.
fn has_mounts() -> bool {
    let tried = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"])
        .stderr(std::process::Stdio::null())
        .status();
    let may = tried.is_ok_and(|status| status.success());
    if !may {
        eprintln!("not tested: this user may have no mounts of its own (user namespaces)");
    }
    may
}

/// A home in which a folder is a file system of its own.
fn small(folder: &str, size: &str) -> Home {
    let mut home = Home::new();
    let path = home.path(folder);
    let path = path.display();
    home.mounts = Some(format!("mount -t tmpfs -o size={size},mode=700 none {path};"));
    home
}

/// Fills a folder of the server's up, to the last byte.
fn fill(server: &Server, folder: &std::path::Path) -> PathBuf {
    let file = server.seen(folder).join("filler");
    let mut bytes = vec![b'x'; 64 * 1024];
    let mut out = std::fs::File::create(&file).expect("a file");
    while !bytes.is_empty() {
        match std::io::Write::write_all(&mut out, &bytes) {
            Ok(()) => {}
            Err(_) => bytes.truncate(bytes.len() / 2),
        }
    }
    file
}

async fn turn(server: &Server, session: Option<&str>, directive: &str) -> Vec<Value> {
    let body = json!({ "message": format!("x @@{directive}@@"), "sessionId": session });
    let stream = server.owner().chat("text=delta", &body).await.whole().await;
    stream.events.into_iter().map(|(_, event)| event).collect()
}

fn session_of(events: &[Value]) -> String {
    let session = events.iter().find_map(|e| e["sessionId"].as_str());
    session.expect("a session").to_owned()
}

#[tokio::test]
async fn a_disk_that_fills_up_in_mid_turn_ends_it_in_words() {
    if !has_mounts() {
        return;
    }
    let home = small("s", "1m");
    let server = home.server().await;
    let owner = server.owner();
    let events = turn(&server, None, "{\"bytes\":3000000,\"n\":30000,\"utf8\":true}").await;
    let last = events.last().expect("an event");
    assert_eq!(
        (&last["type"], &last["code"]),
        (&"typed_error".into(), &"disk_full".into()),
        "{last}"
    );
    let said = last["message"].as_str().expect("text");
    assert!(said.contains("Free some space"), "{said}");
    // What was seen is in the log, and the database knows.
    let session = session_of(&events);
    let stream = owner.resume(&session, "text=delta", 0).await.expect("a replay").whole().await;
    let again: Vec<Value> = stream.events.into_iter().map(|(_, event)| event).collect();
    assert_eq!(again, events);
    let shown = owner.get(&format!("/api/chat/{session}")).await;
    assert_eq!(shown.status, 200);
    assert_eq!(shown.json()["messageCount"], last["messageCount"]);
    // Still full: refused in words, again and again, and the server serves.
    for _ in 0..3 {
        let events = turn(&server, Some(&session), "{\"bytes\":300000,\"n\":3000}").await;
        let last = events.last().expect("an event");
        assert_eq!(last["code"], "disk_full", "{last}");
        server.ready().await;
    }
    // Room again.
    let list = owner.get("/api/chat").await.json();
    assert_eq!(list["sessions"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        owner.ask(http::Method::DELETE, &format!("/api/chat/{session}"), None).await.status,
        200
    );
    let events = turn(&server, None, "{\"n\":20}").await;
    assert_eq!(events.last().expect("an event")["type"], "done");
}

#[tokio::test]
async fn a_turn_on_a_full_disk_is_refused_in_words() {
    if !has_mounts() {
        return;
    }
    let home = small("s", "1m");
    let server = home.server().await;
    let first = turn(&server, None, "{\"n\":20}").await;
    let session = session_of(&first);
    let filler = fill(&server, &home.path("s/parachute"));
    for session in [Some(session.as_str()), None] {
        let events = turn(&server, session, "{\"n\":200,\"tools\":1}").await;
        let last = events.last().expect("an event");
        assert_eq!(last["type"], "typed_error", "{last}");
        let text = last.to_string().to_lowercase();
        assert!(text.contains("space") || text.contains("disk"), "{last}");
        server.ready().await;
    }
    std::fs::remove_file(filler).expect("removed");
    let events = turn(&server, Some(&session), "{\"n\":20}").await;
    let done = events.last().expect("an event");
    assert_eq!(done["type"], "done", "{done}");
    let shown = server.owner().get(&format!("/api/chat/{session}")).await.json();
    assert_eq!(shown["messageCount"], done["messageCount"]);
}

#[tokio::test]
async fn a_vault_that_is_full_refuses_changes_and_shows_what_it_has() {
    if !has_mounts() {
        return;
    }
    let mut home = Home::new();
    let vault = home.vault();
    let path = vault.display();
    home.mounts =
        Some(format!("mount -t tmpfs -o size=2m,mode=700 none {path}; mkdir {path}/.parachute;"));
    let server = home.server().await;
    let owner = server.owner();
    let session = session_of(&turn(&server, None, "{\"n\":5}").await);
    let filler = fill(&server, &vault);
    assert_eq!(owner.get("/api/chat").await.status, 200);
    assert_eq!(owner.get(&format!("/api/chat/{session}")).await.status, 200);
    let made = owner.post("/api/auth/keys", &json!({ "label": "k" })).await;
    assert!(made.status >= 500, "{}", made.json());
    let mut refused = None;
    // The database has some room of its own before it needs the disk's.
    for n in 0..400 {
        let title = json!({ "title": format!("{n} {}", "x".repeat(180)) });
        let path = format!("/api/chat/{session}/config");
        let answer = owner.send(http::Method::PATCH, &path, &title).await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a full disk refuses at last");
    assert_eq!(refused.status, 507, "{}", refused.json());
    let events = turn(&server, None, "{\"n\":5}").await;
    let last = events.last().expect("an event");
    assert_eq!(last["code"], "disk_full", "{last}");
    server.ready().await;
    std::fs::remove_file(filler).expect("removed");
    let events = turn(&server, Some(&session), "{\"n\":5}").await;
    assert_eq!(events.last().expect("an event")["type"], "done");
    assert_eq!(owner.post("/api/auth/keys", &json!({ "label": "k" })).await.status, 200);
}

#[tokio::test]
async fn a_vault_that_is_read_only_is_served_as_far_as_that_goes() {
    if !has_mounts() {
        return;
    }
    let mut home = Home::new();
    crate::past::leave_in(&home);
    let vault = home.vault();
    let path = vault.display();
    home.mounts = Some(format!("mount --bind {path} {path}; mount -o remount,bind,ro {path};"));
    let server = home.server().await;
    let owner = server.owner();
    let health = owner.get("/api/health?detailed=true").await.json();
    assert!(health["problem"].is_string(), "{health}");
    let list = owner.get("/api/chat").await;
    assert!(matches!(list.status, 200 | 503), "{}", list.json());
    let events = turn(&server, None, "{\"n\":5}").await;
    let last = events.last().expect("an event");
    assert_eq!((events.len(), &last["type"]), (1, &"typed_error".into()), "{last}");
    let text = last.to_string();
    assert!(text.contains("cannot be written") || text.contains("read-only"), "{last}");
    let made = owner.post("/api/auth/keys", &json!({ "label": "k" })).await;
    assert!(made.status >= 500, "{}", made.json());
    server.ready().await;
}

#[tokio::test]
async fn a_database_that_could_not_be_opened_is_tried_again() {
    let home = Home::new();
    // Something else stands where the folder of the database should be.
    std::fs::write(home.vault().join("Chat"), "in the way").expect("written");
    let server = home.server().await;
    assert_eq!(server.owner().get("/api/chat").await.status, 503);
    std::fs::remove_file(home.vault().join("Chat")).expect("removed");
    eventually("the database is opened", async || {
        (server.owner().get("/api/chat").await.status == 200).then_some(())
    })
    .await;
    let events = turn(&server, None, "{\"n\":5}").await;
    assert_eq!(events.last().expect("an event")["type"], "done");
}
