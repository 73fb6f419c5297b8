//! Workspaces: their doors, their files, and what they mean for a turn (contract-core §1.7, §5.1).

use http::Method;
use parachute_tests::{Answer, Caller, Home, Stream};
use serde_json::{Value, json};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

const AT: &str = "/api/workspaces";

fn file(home: &Home, slug: &str) -> PathBuf {
    home.vault().join(".parachute/workspaces").join(slug).join("config.yaml")
}

/// A workspace that somebody wrote by hand, or another program.
fn put(home: &Home, slug: &str, text: &str) {
    let file = file(home, slug);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    std::fs::write(file, text).expect("written");
}

fn kept(home: &Home, slug: &str) -> String {
    std::fs::read_to_string(file(home, slug)).expect("a file")
}

async fn changed(caller: &Caller, slug: &str, change: &Value) -> Answer {
    caller.send(Method::PUT, &format!("{AT}/{slug}"), change).await
}

async fn turn(caller: &Caller, mut body: Value) -> Stream {
    body["message"] = "x @@{\"n\":1}@@".into();
    caller.chat("", &body).await.whole().await
}

async fn session(caller: &Caller, id: &str) -> Value {
    caller.get(&format!("/api/chat/{id}")).await.json()
}

#[tokio::test]
async fn a_workspace_is_made_changed_and_deleted() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let made = caller.post(AT, &json!({ "name": "My Work", "model": "opus" })).await;
    assert_eq!((made.status, &made.json()["workspace"]["slug"]), (201, &json!("my-work")));
    let again = caller.post(AT, &json!({ "name": "my work!" })).await;
    assert_eq!((again.status, &again.json()["workspace"]["slug"]), (201, &json!("my-work-2")));
    let list = caller.get(AT).await.json();
    assert_eq!(list["workspaces"].as_array().map(Vec::len), Some(2));
    assert_eq!(list["workspaces"][0], made.json()["workspace"]);

    let change = json!({
        "name": "Other", "default_trust_level": "vault", "working_directory": "Projects/x",
        "capabilities": { "mcps": ["a"], "skills": "none", "plugins": { "include_user": false } },
        "sandbox": { "memory": "1g", "cpu": "2" },
    });
    let now = changed(&caller, "my-work", &change).await;
    assert_eq!(now.status, 200, "{}", now.json());
    let now = now.json()["workspace"].clone();
    assert_eq!((&now["slug"], &now["name"]), (&json!("my-work"), &json!("Other")));
    // The app parses two levels; the true one stands beside it.
    assert_eq!((&now["default_trust_level"], &now["trust"]), (&json!("trusted"), &json!("vault")));
    let sets = json!({ "mcps": ["a"], "skills": "none", "agents": "all", "plugins": "none" });
    assert_eq!(now["capabilities"], sets);
    assert_eq!(now["sandbox"], json!({ "memory": "1g", "cpu": "2", "timeout": 300 }));
    assert_eq!(caller.get(&format!("{AT}/my-work")).await.json()["workspace"], now);

    let path = format!("{AT}/my-work");
    let gone = caller.ask(Method::DELETE, &path, None).await;
    assert_eq!((gone.status, gone.json()), (200, json!({ "deleted": "my-work" })));
    assert_eq!(caller.ask(Method::DELETE, &path, None).await.status, 404);
    assert_eq!(caller.get(&path).await.status, 404);
    assert!(!file(&home, "my-work").parent().expect("a folder").exists());
}

#[tokio::test]
async fn a_null_takes_a_field_away_trap_79() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let new = json!({
        "name": "w", "description": "d", "working_directory": "x", "model": "opus",
        "default_trust_level": "untrusted", "sandbox": {}, "capabilities": { "mcps": "none" },
    });
    caller.post(AT, &new).await;
    let nulls = json!({
        "description": null, "working_directory": null, "model": null, "sandbox": null,
        "name": null, "default_trust_level": null, "capabilities": null,
    });
    let now = changed(&caller, "w", &nulls).await.json()["workspace"].clone();
    for name in ["working_directory", "model", "sandbox"] {
        assert_eq!(now[name], Value::Null, "{name}");
    }
    assert_eq!((&now["description"], &now["name"]), (&json!(""), &json!("w")));
    // No null gives more trust, or more to use, than there was.
    assert_eq!(now["default_trust_level"], "untrusted");
    assert_eq!(now["capabilities"]["mcps"], "none");
    assert!(!kept(&home, "w").contains("null"));
}

#[tokio::test]
async fn every_name_of_a_level_is_read_and_taken_trap_79() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    for (name, app, trust) in [
        ("full", "trusted", "full"),
        ("trusted", "trusted", "full"),
        ("vault", "trusted", "vault"),
        ("sandboxed", "untrusted", "sandboxed"),
        ("untrusted", "untrusted", "sandboxed"),
    ] {
        for key in ["trust_level", "default_trust_level"] {
            put(&home, "old", &format!("name: Old\n{key}: {name}\n"));
            let shown = caller.get(&format!("{AT}/old")).await.json()["workspace"].clone();
            assert_eq!(
                (&shown["default_trust_level"], &shown["trust"]),
                (&app.into(), &trust.into())
            );
        }
        let set = changed(&caller, "old", &json!({ "default_trust_level": name })).await.json();
        assert_eq!(set["workspace"]["trust"], trust);
        assert!(!kept(&home, "old").contains("\ntrust_level"));
    }
}

#[tokio::test]
async fn what_is_not_known_here_stays_in_the_file() {
    let home = Home::new();
    let server = home.server().await;
    put(&home, "mine", "colour: {of: [red]}\nname: Mine\nlater: 1\n");
    let private = PermissionsExt::from_mode(0o640);
    std::fs::set_permissions(file(&home, "mine"), private).expect("set");
    assert_eq!(changed(&server.local(), "mine", &json!({ "model": "opus" })).await.status, 200);
    assert_eq!(kept(&home, "mine"), "colour:\n  of:\n  - red\nname: Mine\nlater: 1\nmodel: opus\n");
    let mode = std::fs::metadata(file(&home, "mine")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[tokio::test]
async fn changes_at_once_do_not_undo_each_other() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    caller.post(AT, &json!({ "name": "w" })).await;
    let mut all = tokio::task::JoinSet::new();
    for change in [
        json!({ "model": "opus" }),
        json!({ "description": "d" }),
        json!({ "working_directory": "x" }),
        json!({ "name": "n" }),
        json!({ "default_trust_level": "vault" }),
    ] {
        let caller = caller.clone();
        all.spawn(async move { changed(&caller, "w", &change).await.status });
    }
    for _ in 0..5 {
        let caller = caller.clone();
        all.spawn(async move { caller.post(AT, &json!({ "name": "same" })).await.status - 1 });
    }
    assert!(all.join_all().await.iter().all(|status| *status == 200));
    let now = caller.get(&format!("{AT}/w")).await.json()["workspace"].clone();
    let set = ["model", "description", "working_directory", "name", "trust"].map(|f| &now[f]);
    assert_eq!(set, [&json!("opus"), &json!("d"), &json!("x"), &json!("n"), &json!("vault")]);
    assert_eq!(caller.get(AT).await.json()["workspaces"].as_array().map(Vec::len), Some(6));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_told_and_not_replaced() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    put(&home, "broken", "default_trust_level: trusted\na: b: c\n");
    put(&home, "good", "name: Good\n");
    let list = caller.get(AT).await.json();
    assert_eq!(list["workspaces"].as_array().map(Vec::len), Some(1));
    assert_eq!(list["problems"][0]["slug"], "broken");
    assert!(list["problems"][0]["problem"].as_str().expect("text").contains("config.yaml"));
    assert_eq!(caller.get(&format!("{AT}/broken")).await.status, 409);
    let refused = changed(&caller, "broken", &json!({ "model": "opus" })).await;
    assert_eq!(refused.status, 409);
    assert!(refused.json()["detail"].as_str().expect("text").contains("correct"));
    assert_eq!(kept(&home, "broken"), "default_trust_level: trusted\na: b: c\n");
    // What it may have confined is not set free.
    let stream = turn(&caller, json!({ "workspaceId": "broken" })).await;
    assert_eq!(stream.event("typed_error")["code"], "trust_unavailable");
    let path = format!("{AT}/broken");
    assert_eq!(caller.ask(Method::DELETE, &path, None).await.status, 200);
}

#[tokio::test]
async fn bad_input_is_named_and_changes_nothing() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let w = json!({ "name": "w" });
    assert_eq!(caller.post(AT, &w).await.status, 201);
    let before = kept(&home, "w");
    for (field, value, status) in [
        ("name", json!(1), 422),
        ("name", json!(""), 422),
        ("name", json!(" "), 400),
        ("name", json!("a\nb"), 400),
        ("name", json!("x".repeat(201)), 422),
        ("default_trust_level", json!("root"), 422),
        ("working_directory", json!("../x"), 400),
        ("working_directory", json!("/vault/../x"), 400),
        ("working_directory", json!(["x"]), 422),
        ("model", json!("--dangerous"), 400),
        ("model", json!("a b"), 400),
        ("capabilities", json!({ "mcps": "some" }), 422),
        ("capabilities", json!({ "mcps": [1] }), 422),
        ("capabilities", json!({ "mcps": vec!["x"; 501] }), 400),
        ("capabilities", json!("all"), 422),
        ("sandbox", json!({ "memory": "lots" }), 400),
        ("sandbox", json!({ "memory": "1k" }), 400),
        ("sandbox", json!({ "cpu": "65" }), 400),
        ("sandbox", json!({ "cpu": 1 }), 422),
        ("sandbox", json!({ "timeout": 0 }), 422),
        ("sandbox", json!({ "timeout": 86401 }), 422),
    ] {
        let answer = changed(&caller, "w", &json!({ field: value })).await;
        assert_eq!(answer.status, status, "{field} {value}: {}", answer.json());
        let mut new = json!({ "name": "new" });
        new[field] = value.clone();
        assert_eq!(caller.post(AT, &new).await.status, status, "{field} {value}");
    }
    assert_eq!(caller.post(AT, &json!({})).await.status, 422);
    assert_eq!(kept(&home, "w"), before);
    assert_eq!(caller.get(AT).await.json()["workspaces"].as_array().map(Vec::len), Some(1));
    for slug in ["A", "..%2f..%2fw", "%2e%2e", "w%00", "-w", "w%20", "w%2fconfig.yaml", "%ff"] {
        for (method, tail) in [(Method::GET, ""), (Method::GET, "/sessions"), (Method::DELETE, "")]
        {
            let answer = caller.ask(method, &format!("{AT}/{slug}{tail}"), None).await;
            assert!(matches!(answer.status, 400 | 404), "{slug}: {}", answer.status);
        }
        assert!(matches!(changed(&caller, slug, &w).await.status, 400 | 404), "{slug}");
    }
    for query in ["limit=0", "limit=501", "offset=-1", "archived=maybe"] {
        let answer = caller.get(&format!("{AT}/w/sessions?{query}")).await;
        assert_eq!(answer.status, 422, "{query}");
    }
}

#[tokio::test]
async fn a_link_leads_nowhere() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let outside = home.path("outside");
    std::fs::create_dir_all(&outside).expect("a folder");
    let text = "name: Outside\ndefault_trust_level: trusted\n";
    std::fs::write(outside.join("config.yaml"), text).expect("written");
    let place = home.vault().join(".parachute/workspaces");
    std::fs::create_dir_all(&place).expect("a folder");
    symlink(&outside, place.join("out")).expect("linked");
    assert_eq!(caller.get(AT).await.json()["workspaces"], json!([]));
    assert_eq!(caller.get(&format!("{AT}/out")).await.status, 409);
    assert_eq!(changed(&caller, "out", &json!({ "name": "x" })).await.status, 409);
    let stream = turn(&caller, json!({ "workspaceId": "out" })).await;
    assert_eq!(stream.event("typed_error")["code"], "trust_unavailable");
    let gone = caller.ask(Method::DELETE, &format!("{AT}/out"), None).await;
    assert_eq!(gone.status, 200, "the link goes");
    assert_eq!(std::fs::read_to_string(outside.join("config.yaml")).expect("a file"), text);
    assert!(!place.join("out").exists());
}

#[tokio::test]
async fn a_workspace_fills_what_a_request_leaves_open() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    for folder in ["Projects/x", "Projects/y"] {
        std::fs::create_dir_all(home.vault().join(folder)).expect("a folder");
    }
    let new = json!({ "name": "w", "working_directory": "Projects/x", "model": "opus" });
    caller.post(AT, &new).await;
    let begun = turn(&caller, json!({ "workspaceId": "w" })).await;
    assert_eq!(begun.event("session")["workingDirectory"], "/vault/Projects/x");
    assert_eq!(begun.event("model")["model"], "opus");
    let id = begun.session();
    assert_eq!(session(&caller, &id).await["workspaceId"], "w");
    // The session is in it from now on, whatever a request says.
    let next = turn(&caller, json!({ "sessionId": id })).await;
    assert_eq!(next.event("session")["workingDirectory"], "/vault/Projects/x");
    assert_eq!(next.event("model")["model"], "opus");
    let own = json!({ "sessionId": id, "workingDirectory": "Projects/y", "model": "haiku" });
    let own = turn(&caller, own).await;
    assert_eq!(own.event("session")["workingDirectory"], "/vault/Projects/y");
    assert_eq!(own.event("model")["model"], "haiku");
    let list = caller.get(&format!("{AT}/w/sessions")).await.json();
    assert_eq!(list["sessions"][0]["id"], id);
}

#[tokio::test]
async fn the_apps_usual_model_gives_way_and_a_choice_does_not_trap_62() {
    let home = Home::new();
    home.config("default_model: claude-haiku-4-5\n");
    let server = home.server().await;
    let caller = server.local();
    caller.post(AT, &json!({ "name": "w", "model": "opus" })).await;
    for (body, model) in [
        // The app sends `sonnet` with every turn.
        (json!({ "model": "sonnet" }), "claude-haiku-4-5"),
        (json!({ "model": "sonnet", "workspaceId": "w" }), "opus"),
        (json!({ "workspaceId": "w" }), "opus"),
        (json!({ "model": "haiku", "workspaceId": "w" }), "haiku"),
        (json!({ "model": "claude-sonnet-5", "workspaceId": "w" }), "claude-sonnet-5"),
        (json!({ "model": "sonnet", "modelIsChosen": true, "workspaceId": "w" }), "sonnet"),
        (json!({ "model": "" }), "claude-haiku-4-5"),
    ] {
        let stream = turn(&caller, body.clone()).await;
        assert_eq!(stream.event("model")["model"], model, "{body}");
    }
    let home = Home::new();
    let stream = turn(&home.server().await.local(), json!({ "model": "sonnet" })).await;
    assert_eq!(stream.event("model")["model"], "sonnet", "nobody named another");
}

#[tokio::test]
async fn a_workspace_can_lower_trust_and_none_can_raise_it_trap_22() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    caller.post(AT, &json!({ "name": "free" })).await;
    let begun = turn(&caller, json!({ "workspaceId": "free" })).await;
    let id = begun.session();
    caller.post(AT, &json!({ "name": "box", "default_trust_level": "untrusted" })).await;
    let boxed = turn(&caller, json!({ "workspaceId": "box", "trustLevel": "trusted" })).await;
    assert_eq!(boxed.event("typed_error")["code"], "trust_unavailable");
    let path = format!("/api/chat/{id}/config");
    let moved = caller.send(Method::PATCH, &path, &json!({ "workspaceId": "box" })).await;
    assert_eq!(moved.json()["session"]["workspaceId"], "box");
    for body in [
        json!({ "sessionId": id }),
        json!({ "sessionId": id, "trustLevel": "trusted" }),
        json!({ "sessionId": id, "workspaceId": "free" }),
        json!({ "sessionId": id, "workspaceId": "free", "trustLevel": "full" }),
        json!({ "sessionId": id, "workspaceId": "nowhere" }),
    ] {
        let stream = turn(&caller, body.clone()).await;
        assert_eq!(stream.event("typed_error")["code"], "trust_unavailable", "{body}");
    }
    // The owner may.
    let moved = caller.send(Method::PATCH, &path, &json!({ "workspaceId": null })).await;
    assert_eq!(moved.json()["session"]["workspaceId"], Value::Null);
    turn(&caller, json!({ "sessionId": id })).await.event("done");
}

#[tokio::test]
async fn sessions_of_a_deleted_workspace_stay_and_stay_confined() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    caller.post(AT, &json!({ "name": "w" })).await;
    let id = turn(&caller, json!({ "workspaceId": "w" })).await.session();
    let away = turn(&caller, json!({ "workspaceId": "w" })).await.session();
    caller.ask(Method::POST, &format!("/api/chat/{away}/archive"), None).await;
    let list = async |query: &str| {
        let list = caller.get(&format!("{AT}/w/sessions{query}")).await.json();
        let sessions = list["sessions"].as_array().expect("a list").clone();
        sessions.iter().map(|s| s["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list("?archived=true").await, [away.clone()]);
    assert_eq!(list("?archived=false").await, [id.clone()]);
    assert_eq!(list("").await.len(), 2);
    assert_eq!(list("?limit=1&offset=1").await.len(), 1);
    changed(&caller, "w", &json!({ "default_trust_level": "untrusted" })).await;
    let left = home.vault().join(".parachute/sandbox/w/.claude");
    std::fs::create_dir_all(&left).expect("a folder");
    assert_eq!(caller.ask(Method::DELETE, &format!("{AT}/w"), None).await.status, 200);
    assert!(!home.vault().join(".parachute/sandbox/w").exists());
    for id in [&id, &away] {
        let session = session(&caller, id).await;
        assert_eq!(
            (&session["workspaceId"], &session["trust"]),
            (&Value::Null, &"sandboxed".into())
        );
    }
    let stream = turn(&caller, json!({ "sessionId": id })).await;
    assert_eq!(stream.event("typed_error")["code"], "trust_unavailable");
}

#[tokio::test]
async fn a_session_goes_into_no_workspace_that_is_not_there_trap_69() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let begun = turn(&caller, json!({ "workspaceId": "nope" })).await;
    begun.event("done");
    assert!(begun.event("warning")["message"].as_str().expect("text").contains("`nope`"));
    let id = begun.session();
    assert_eq!(session(&caller, &id).await["workspaceId"], Value::Null);
    let path = format!("/api/chat/{id}/config");
    for (body, status) in [
        (json!({ "workspaceId": "nope" }), 400),
        (json!({ "workspaceId": "../nope" }), 400),
        (json!({ "workspaceId": "Not A Slug" }), 400),
        (json!({ "workspaceId": 1 }), 422),
        (json!({ "module": "../x" }), 422),
        (json!({ "module": "" }), 422),
        (json!({ "workspaceId": "" }), 200),
        (json!({ "workspaceId": null }), 200),
        (json!({ "module": "daily" }), 200),
    ] {
        let answer = caller.send(Method::PATCH, &path, &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.json());
    }
    for slug in ["A b", "-x", "x-", "../x", ""] {
        let body = json!({ "message": "x", "workspaceId": slug });
        assert_eq!(caller.post("/api/chat", &body).await.status, 422, "{slug}");
    }
}

#[tokio::test]
async fn a_row_with_a_slug_that_is_none_still_has_its_turns_trap_69() {
    let home = Home::new();
    crate::past::leave_in(&home);
    let db = rusqlite::Connection::open(home.vault().join("Chat/sessions.db")).expect("a database");
    db.execute("UPDATE sessions SET workspace_id = '../odd one'", []).expect("changed");
    drop(db);
    let server = home.server().await;
    let stream = turn(&server.local(), json!({ "sessionId": crate::past::FIRST })).await;
    stream.event("done");
}
