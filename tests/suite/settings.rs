//! The configuration, changed through the supervisor: what is wrong is refused and named, many
//! at once leave one good file, and what the server cannot start with is undone.

use crate::lab::{Lab, SERVICE, SUPERVISOR};
use crate::overseen::Events;
use crate::units::{main_pid, systemctl};
use http::Method;
use parachute_tests::{Answer, Caller, eventually};
use serde_json::{Value, json};
use std::path::PathBuf;

const DOOR: &str = "/supervisor/config";

fn file(lab: &Lab) -> PathBuf {
    lab.vault.join(".parachute/config.yaml")
}

async fn put(who: &Caller, body: Value) -> Answer {
    who.send(Method::PUT, DOOR, &body).await
}

#[tokio::test]
async fn what_is_wrong_is_named_and_changes_nothing() {
    let Some(lab) = Lab::started("log_level: INFO\n").await else { return };
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let (before, text) = (main_pid(SERVICE).await, std::fs::read(file(&lab)).expect("read"));
    for (key, value) in [
        ("port", json!(0)),
        ("port", json!(65_536)),
        ("port", json!("many")),
        ("port", json!(3333.5)),
        ("port", json!(true)),
        ("port", json!([3333])),
        ("log_level", json!("LOUD")),
        ("log_level", json!(7)),
        ("debug", json!("perhaps")),
        ("host", json!("not a host")),
        ("auth_mode", json!("never")),
        ("idle_exit_seconds", json!(-1)),
        ("agents_live_max", json!(1000)),
        ("anthropic_base_url", json!("ftp://x")),
        ("anthropic_base_url", json!("http://user:pass@x")),
        ("claude_path", json!("two\nlines")),
        ("claude_path", json!("nul\u{0}")),
        ("default_model", json!("gpt-4")),
        ("default_model", json!("claude-x\n")),
        ("cors_origins", json!("a".repeat(5000))),
        ("api_key", json!("sk-x")),
        ("claude_code_oauth_token", json!("x")),
        ("vault_path", json!("/tmp")),
        ("nobody_knows_this", json!(1)),
        ("", json!(1)),
    ] {
        let answer = put(&lab.overseer(), json!({ "values": { key: value } })).await;
        let said = answer.json();
        assert!(matches!(answer.status, 400 | 422), "{key}: {} {said}", answer.status);
        assert!(key.is_empty() || said.to_string().contains(key), "{key} is not named: {said}");
    }
    // One that is good does not go through beside one that is not; both faults are told.
    let both = json!({ "values": { "log_level": "DEBUG", "port": 0, "debug": "perhaps" } });
    let answer = put(&lab.overseer(), both).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["errors"].as_array().expect("faults").len(), 2);
    for body in [json!({}), json!([]), json!({ "values": [] }), json!({ "values": 1 })] {
        assert_eq!(put(&lab.overseer(), body).await.status, 422);
    }
    assert_eq!(std::fs::read(file(&lab)).expect("read"), text);
    assert_eq!(main_pid(SERVICE).await, before, "nothing was restarted");
    // A dry run says what would happen.
    let dry = json!({ "values": { "log_level": "DEBUG" }, "dry_run": true });
    let answer = put(&lab.overseer(), dry).await.json();
    assert_eq!(answer["changes"][0]["from"], "INFO");
    assert_eq!((&answer["dry_run"], &answer["restart_needed"]), (&json!(true), &json!(true)));
    assert_eq!(std::fs::read(file(&lab)).expect("read"), text);
    // Who looked at another file changes nothing.
    let stale = lab.overseer().with("if-match", "\"0123456789abcdef\"");
    let change = json!({ "values": { "log_level": "DEBUG" } });
    assert_eq!(put(&stale, change).await.status, 412);
    assert_eq!(std::fs::read(file(&lab)).expect("read"), text);
}

#[tokio::test]
async fn fifty_at_once_leave_one_good_file() {
    let Some(lab) = Lab::started("# first\nlog_level: INFO # why\nunknown: kept\n").await else {
        return;
    };
    let changes = (0..50).map(|number| {
        let who = lab.overseer();
        tokio::spawn(async move {
            let key = ["idle_exit_seconds", "agent_idle_seconds", "agents_live_max"][number % 3];
            let values = json!({ key: 1 + number });
            (key, number + 1, put(&who, json!({ "values": values, "restart": false })).await)
        })
    });
    for change in changes.collect::<Vec<_>>() {
        let (_, _, answer) = change.await.expect("a change");
        assert_eq!(answer.status, 200, "{}", answer.json());
    }
    let text = std::fs::read_to_string(file(&lab)).expect("read");
    println!("{text}");
    assert!(text.contains("# first\nlog_level: INFO # why\nunknown: kept\n"), "{text}");
    let answer = lab.overseer().get(DOOR).await.json();
    assert_eq!(answer["problem"], json!(null));
    for key in ["idle_exit_seconds", "agent_idle_seconds", "agents_live_max"] {
        assert_eq!(text.matches(key).count(), 1, "{text}");
        assert!(answer["config"][key].is_u64(), "{answer}");
    }
}

/// The supervisor is killed again and again while it writes: the file is the old one or the new
/// one.
#[tokio::test]
async fn a_kill_during_a_write_leaves_no_half_file() {
    let Some(lab) = Lab::started("").await else { return };
    let padding = "# kept\n".repeat(2000);
    let text = std::fs::read_to_string(file(&lab)).expect("read");
    std::fs::write(file(&lab), format!("{padding}{text}log_level: INFO\n")).expect("written");
    for round in 0..40 {
        let who = lab.oversocket();
        assert_eq!(who.get("/supervisor/status").await.status, 200);
        let pid = main_pid(SUPERVISOR).await.expect("it runs");
        let level = ["DEBUG", "INFO"][round % 2];
        let writing = tokio::spawn(async move {
            let change = json!({ "values": { "log_level": level }, "restart": false });
            // It is killed in the middle, mostly.
            let _ = who.open(Method::PUT, DOOR, Some(change.to_string().into())).await;
        });
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        let pid = rustix::process::Pid::from_raw(pid as i32).expect("a pid");
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        writing.await.expect("asked");
        let now = std::fs::read_to_string(file(&lab)).expect("read");
        let whole = |level: &str| now == format!("{padding}{text}log_level: {level}\n");
        assert!(whole("DEBUG") || whole("INFO"), "half a file after round {round}");
    }
    let change = json!({ "values": { "log_level": "DEBUG" }, "restart": false });
    eventually("it writes again", async || {
        let asked = lab.oversocket().open(Method::PUT, DOOR, Some(change.to_string().into())).await;
        asked.is_ok_and(|answer| answer.status() == 200).then_some(())
    })
    .await;
    let folder = std::fs::read_dir(lab.vault.join(".parachute")).expect("a folder").flatten();
    let left: Vec<String> = folder
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| ![".token", "config.yaml", ".config.lock", "server.yaml"].contains(&&**name))
        .collect();
    assert_eq!(left, [""; 0], "left behind");
}

/// A server that cannot start with a new configuration gets the old one back.
#[tokio::test]
async fn what_the_server_cannot_start_with_is_undone() {
    let Some(lab) = Lab::started("log_level: INFO\n").await else { return };
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    // Stands for any reason for which a server does not come up.
    let refuses = format!("! grep -q 'agents_live_max: 13' {}", file(&lab).display());
    let lines = format!("[Service]\nExecStartPre=/bin/sh -c \"{refuses}\"\n");
    lab.drop_in(SERVICE, &lines).await;
    let text = std::fs::read(file(&lab)).expect("read");
    let mut events = Events::open(&lab.overseer(), "/supervisor/events", None).await;
    let change = json!({ "values": { "agents_live_max": 13 } });
    let answer = put(&lab.overseer(), change).await;
    let said = answer.json();
    println!("{said:#}");
    assert_eq!(answer.status, 409);
    assert_eq!((&said["success"], &said["rolled_back"]), (&json!(false), &json!(true)));
    assert_eq!(said["server_restarted"], true);
    assert!(said["detail"].as_str().expect("words").contains("agents_live_max"), "{said}");
    assert_eq!(std::fs::read(file(&lab)).expect("read"), text);
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let so = |status: &Value| {
        let problem = status["config_problem"].as_str().unwrap_or_default();
        problem.contains("agents_live_max") && status["main_server_healthy"] == true
    };
    let status = events.until(so).await;
    assert_eq!(status["config_loaded"], false);
    // The next good change takes the note away.
    let change = json!({ "values": { "agents_live_max": 12 } });
    assert_eq!(put(&lab.overseer(), change).await.status, 200);
    let status = lab.overseer().get("/supervisor/status").await.json();
    assert_eq!(status["config_problem"], json!(null));
    systemctl(&["reset-failed", SERVICE]).await;
}
