//! From a socket that listens to an answer of the real Claude CLI: one connection starts the
//! server, a turn asks for permission and gets it, and what happened can be read afterwards, in
//! the API and in the journal; the model's key nowhere.

use crate::lab::{KEY, Lab, SERVICE, ask, ours, runtime, state};
use crate::units::{agent_unit, main_pid, processes, run, show, systemctl};
use parachute_tests::Caller;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

#[tokio::test]
async fn one_connection_starts_the_server_and_a_turn_runs() {
    let Some(lab) = Lab::started("").await else {
        return;
    };
    for (name, door) in [
        ("127.0.0.1", lab.local()),
        ("::1", Caller::tcp("[::1]:3333".parse().expect("an address"))),
        ("the Unix socket", lab.owner()),
    ] {
        if name == "::1" && !has_ipv6() {
            println!("{name} passed over: this machine has no IPv6");
            continue;
        }
        assert_eq!(ours(), [], "only the manager listens");
        let begin = Instant::now();
        assert_eq!(door.get("/api/health").await.status, 200);
        println!("first answer over {name}: {:?}", begin.elapsed());
        let pid = main_pid(SERVICE).await.expect("the server runs");
        assert_eq!(ours().iter().map(|(pid, _)| *pid).collect::<Vec<_>>(), [pid]);
        systemctl(&["stop", SERVICE]).await;
    }
    let (session, turn) = turn_that_asks(&lab).await;
    limits_are_set(&session).await;
    it_is_remembered(&lab, &session).await;
    it_is_in_the_journal(&lab, &session, &turn).await;
    nobody_can_read_the_key(&lab).await;
}

/// As scripts/install-units looks for it.
fn has_ipv6() -> bool {
    let addresses = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let loopback = format!("{:0>32} ", 1);
    addresses.lines().any(|line| line.starts_with(&loopback))
}

/// A turn with a tool call that a person allows; its session and its id.
async fn turn_that_asks(lab: &Lab) -> (String, String) {
    let owner = lab.owner();
    let steps = json!({ "steps": [
        { "scenario": "tool", "name": "Write", "say": "I shall write it down.",
          "input": { "file_path": lab.vault.join("made.md"), "content": "made\n" } },
        { "scenario": "slow", "tokens": 40, "delay": 0.01, "utf8": true },
    ] });
    let mut body = ask("Write it down", "script", steps);
    body["permissionMode"] = "ask".into();
    let mut stream = owner.chat("", &body).await;
    assert!(stream.until("permission_request").await, "{:?}", stream.kinds());
    let session = stream.session();
    let asked = stream.event("permission_request").clone();
    assert_eq!(asked["toolName"], "Write", "{asked}");
    assert!(!lab.vault.join("made.md").exists(), "nothing before the answer");
    let waiting = owner.get(&format!("/api/chat/{session}/permissions")).await;
    assert_eq!(waiting.json()["pending"][0]["id"], asked["requestId"]);
    let grant = json!({ "request_id": asked["requestId"] });
    let path = format!("/api/chat/{session}/permissions/grant");
    let granted = owner.post(&path, &grant).await;
    assert_eq!(granted.status, 200, "{:?}", granted.body);

    let stream = stream.whole().await;
    let kinds = stream.kinds();
    println!("events: {kinds:?}");
    assert_eq!(kinds.last().map(String::as_str), Some("done"));
    for kind in ["session", "init", "text", "tool_use", "tool_result"] {
        assert!(kinds.iter().any(|k| k == kind), "no {kind} in {kinds:?}");
    }
    let made = std::fs::read_to_string(lab.vault.join("made.md"));
    assert_eq!(made.expect("the tool ran"), "made\n");
    let deltas = kinds.iter().filter(|k| *k == "text").count();
    assert!(deltas > 3, "text comes in pieces: {kinds:?}");
    let turn = &stream.event("session")["turnId"];
    (session, turn.as_str().expect("a turn").to_owned())
}

/// The agent is a unit of its own, and the kernel knows its limits.
async fn limits_are_set(session: &str) {
    let unit = agent_unit(session);
    let agent = main_pid(&unit).await.expect("the agent stays for a while");
    let programs = processes(&unit);
    assert!(programs.iter().any(|(pid, _)| *pid == agent), "{programs:?}");
    assert!(programs.len() >= 2, "its CLI is in its group: {programs:?}");
    let server = main_pid(SERVICE).await.expect("the server runs");
    assert!(!programs.iter().any(|(pid, _)| *pid == server));
    let gib = 1u64 << 30;
    for (property, value) in [
        ("Slice", "parachute-agents.slice".to_owned()),
        ("MemoryHigh", (6 * gib).to_string()),
        ("MemoryMax", (8 * gib).to_string()),
        ("TasksMax", "2048".to_owned()),
        ("CPUWeight", "80".to_owned()),
        ("NRestarts", "0".to_owned()),
    ] {
        assert_eq!(show(&unit, property).await, value, "{property} of {unit}");
    }
    for property in ["MemoryMax", "TasksMax", "CPUWeight"] {
        let value = show("parachute-agents.slice", property).await;
        assert!(!matches!(value.as_str(), "infinity" | "[not set]"), "{property}: {value}");
    }
    let memory: u64 = show(&unit, "MemoryCurrent").await.parse().expect("counted");
    println!("the agent with its CLI: {} MiB", memory >> 20);
}

async fn it_is_remembered(lab: &Lab, session: &str) {
    let owner = lab.owner();
    let list = owner.get("/api/chat").await.json();
    let listed = list["sessions"].as_array().expect("sessions");
    assert!(listed.iter().any(|s| s["id"] == session), "{list}");
    let shown = owner.get(&format!("/api/chat/{session}")).await.json();
    assert_eq!(shown["messageCount"], 2, "{shown}");
    assert_eq!(shown["title"], "Write it down", "{shown}");
    let answer = owner.get(&format!("/api/chat/{session}/transcript")).await;
    assert_eq!(answer.status, 200);
    let events = answer.json()["events"].as_array().map(Vec::len);
    assert!(events.is_some_and(|n| n > 2), "{:?}", answer.body);
}

async fn it_is_in_the_journal(lab: &Lab, session: &str, turn: &str) {
    for unit in ["parachute", &agent_unit(session)] {
        let entries = lab.journal(unit).await;
        let ours = |entry: &&Value| {
            entry["PARACHUTE_SESSION"] == session && entry["PARACHUTE_TURN"] == turn
        };
        let found: Vec<&str> =
            entries.iter().filter(ours).filter_map(|entry| entry["MESSAGE"].as_str()).collect();
        println!("{unit}: {found:?} with session and turn, of {}", entries.len());
        assert!(!found.is_empty(), "{unit} does not name the turn: {entries:?}");
    }
    // An agent is one session's, and so is every line of its own.
    let entries = lab.journal(&agent_unit(session)).await;
    let own = |entry: &&Value| {
        entry["SYSLOG_IDENTIFIER"] == "parachute-agent" && entry["_TRANSPORT"] == "journal"
    };
    for entry in entries.iter().filter(own) {
        assert_eq!(entry["PARACHUTE_SESSION"], session, "{entry}");
    }
}

async fn nobody_can_read_the_key(lab: &Lab) {
    let secret = KEY.rsplit_once("5ecret").expect("its secret part").1;
    let everything = run("journalctl", &["--user", "-o", "json", "--all", "--no-pager"]).await;
    assert!(everything.contains("turn accepted"), "the journal can be read");
    assert!(!everything.contains(secret), "the key is in the journal");
    let properties = systemctl(&["show", "--all", "*"]).await;
    assert!(properties.contains("parachute-agent@"), "units can be looked at");
    assert!(!properties.contains(secret), "the key is in a unit's properties");
    for (pid, line) in processes("/") {
        assert!(!line.contains(secret), "the key is an argument of {pid}: {line}");
    }
    for folder in [lab.vault.clone(), state(), runtime()] {
        for file in files(folder) {
            let bytes = std::fs::read(&file).unwrap_or_default();
            let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
            let token = file.ends_with(".parachute/.token");
            assert_eq!(found, token, "the key in {}", file.display());
        }
    }
}

/// All files of a folder and those below it.
fn files(folder: PathBuf) -> Vec<PathBuf> {
    let mut folders = vec![folder];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let kind = entry.file_type().expect("of some kind");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files
}
