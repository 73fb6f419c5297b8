//! What a workspace means for the turns of its sessions: where they work, with which model, and
//! how far they are trusted (contract-core §5.1, §5.3).

use crate::workspaces::{AT, changed, is_confined, turn};
use http::Method;
use parachute_tests::{Caller, Home};
use serde_json::{Value, json};

async fn session(caller: &Caller, id: &str) -> Value {
    caller.get(&format!("/api/chat/{id}")).await.json()
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
    is_confined(&boxed);
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
        is_confined(&stream);
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
    assert_eq!(list("?archived=true").await, std::slice::from_ref(&away));
    assert_eq!(list("?archived=false").await, std::slice::from_ref(&id));
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
    is_confined(&stream);
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
