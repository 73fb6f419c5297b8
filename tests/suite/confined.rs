//! Trust level `vault`: a real turn of the real CLI, whose model tries to get out in every way
//! we could think of (escapes.sh), and the work that such an agent is for.

use crate::lab::{KEY, Lab, SERVICE, ask, ours, runtime, state, text};
use crate::units::{agent_unit, main_pid, run, systemctl};
use parachute_tests::Stream;
use serde_json::{Value, json};
use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

const ESCAPES: &str = include_str!("escapes.sh");

/// A turn at the level `vault`.
fn confined(message: &str, scenario: &str, arguments: Value) -> Value {
    let mut body = ask(message, scenario, arguments);
    body["trustLevel"] = "vault".into();
    body
}

pub(crate) fn bash(command: &str) -> Value {
    let input = json!({ "command": command, "description": "Try" });
    json!({ "name": "Bash", "input": input, "then": "Tried." })
}

/// What the turn's tools answered.
pub(crate) fn results(stream: &Stream) -> Vec<String> {
    let events = stream.heard.others.iter().filter_map(|e| serde_json::from_str::<Value>(e).ok());
    let results = events.filter(|event| event["type"] == "tool_result");
    results.map(|event| event["content"].as_str().unwrap_or_default().to_owned()).collect()
}

pub(crate) async fn turn(lab: &Lab, body: Value) -> Stream {
    let stream = lab.local().chat("text=delta", &body).await.whole().await;
    assert_eq!(
        stream.kinds().last().map(String::as_str),
        Some("done"),
        "{:?}",
        stream.heard.others
    );
    stream
}

/// A vault with everything in it that must not be touched.
pub(crate) async fn furnish(vault: &Path) {
    // Hidden folders of what is run later are not there: nobody confined may be the first.
    for folder in [".claude", "Daily", "agents", "notes"] {
        fs::create_dir_all(vault.join(folder)).expect("made");
    }
    fs::write(vault.join(".parachuteignore"), "private/\n").expect("written");
    fs::write(vault.join(".claude/settings.json"), "{}").expect("written");
    fs::write(vault.join(".mcp.json"), "{}").expect("written");
    let vault = text(vault);
    for arguments in [
        &["init", "-q", "-b", "main"][..],
        &["config", "user.name", "Somebody"],
        &["config", "user.email", "somebody@example.org"],
    ] {
        run("git", &[&["-C", &vault], arguments].concat()).await;
    }
}

/// Puts a secret into the home, and the attempts to get at it into the vault; where the secret
/// is, and the command that makes the attempts.
pub(crate) async fn escapes(lab: &Lab) -> (PathBuf, String) {
    let home = std::env::var("HOME").expect("a home");
    let outside = Path::new(&home).join("outside.txt");
    fs::write(&outside, KEY).expect("written");
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let server = main_pid(SERVICE).await.expect("it runs");
    fs::write(lab.vault.join("escapes.sh"), ESCAPES).expect("written");
    let command = format!(
        "SECRET='{}' HOME_OUTSIDE={home} VAULT={vault} RUNTIME={} STATE={} SERVER_PID={server} \
         sh escapes.sh",
        KEY.replace("5ecret", "[5]ecret"),
        text(runtime().parent().expect("a folder")),
        text(&state()),
        vault = text(&lab.vault),
    );
    (outside, command)
}

/// That every attempt was made, and failed.
pub(crate) fn denied_all(said: &str) {
    let got: Vec<&str> = said.lines().filter(|line| line.starts_with("GOT")).collect();
    assert_eq!(got, Vec::<&str>::new());
    let denied = said.lines().filter(|line| line.starts_with("denied")).count();
    let attempts = ESCAPES.lines().filter(|line| line.contains('\t') && !line.starts_with('#'));
    // But for the line that reads them.
    assert_eq!(denied, attempts.count() - 1, "{said}");
    assert!(denied >= 40, "{said}");
}

#[tokio::test]
async fn nobody_gets_out_of_the_vault() {
    let Some(lab) = Lab::started("").await else { return };
    furnish(&lab.vault).await;
    let name = SocketAddr::from_abstract_name("parachute-canary").expect("a name");
    let _canary = UnixListener::bind_addr(&name).expect("an abstract socket");
    let (outside, command) = escapes(&lab).await;
    let server = main_pid(SERVICE).await;
    let before = listing(&lab.vault);
    let stream = turn(&lab, confined("Try", "tool", bash(&command))).await;
    let said = results(&stream).concat();
    println!("{said}");
    fs::remove_file(&outside).expect("removed");
    denied_all(&said);
    assert_eq!(main_pid(SERVICE).await, server, "the server is unharmed");
    let home = outside.parent().expect("a home");
    for planted in ["planted", ".config/environment.d/x.conf", ".config/systemd/user/x.service"] {
        assert!(!home.join(planted).exists(), "{planted}");
    }
    assert_eq!(listing(&lab.vault), before, "what is ours in the vault is as it was");
}

/// What must be as it was, with its content.
fn listing(vault: &Path) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let kept = [".claude", ".modules", ".skills", "agents", "Daily/.agents", ".git/hooks"];
    for folder in kept.map(|folder| vault.join(folder)) {
        // One that is not there has nothing in it, and gets nothing.
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        out.extend(entries.map(|entry| {
            let content = fs::read_to_string(entry.path()).unwrap_or_default();
            (text(&entry.path()), content)
        }));
    }
    let ours = [".parachute/.token", ".parachute/config.yaml"];
    for file in [".mcp.json", ".git/config", ".parachuteignore"].into_iter().chain(ours) {
        out.push((file.into(), fs::read_to_string(vault.join(file)).expect("a file")));
    }
    out.sort();
    out
}

#[tokio::test]
async fn the_work_of_a_confined_agent_is_done() {
    let Some(lab) = Lab::started("").await else { return };
    furnish(&lab.vault).await;
    let work = "set -e; echo one > notes/a.md; git add notes; git commit -qm first; \
        git log --format=%s; echo x > /tmp/mine; cat /tmp/mine; mktemp; \
        perl -e 'print 6*7, \"\\n\"'; nproc; date +%Y; echo all done";
    let stream = turn(&lab, confined("Work", "tool", bash(work))).await;
    let said = results(&stream).concat();
    assert!(said.contains("first") && said.contains("42") && said.contains("all done"), "{said}");
    assert_eq!(fs::read_to_string(lab.vault.join("notes/a.md")).expect("a note"), "one\n");
    // Its own tools, and the next turn in the same session with what was said before.
    let session = stream.session();
    let path = text(&lab.vault.join("notes/b.md"));
    let write = json!({ "name": "Write", "input": { "file_path": path, "content": "two\n" },
        "then": "Written." });
    let mut body = confined("Write", "tool", write);
    body["sessionId"] = session.clone().into();
    turn(&lab, body).await;
    assert_eq!(fs::read_to_string(lab.vault.join("notes/b.md")).expect("a note"), "two\n");
    let shown = lab.local().get(&format!("/api/chat/{session}")).await.json();
    assert_eq!((&shown["trust"], &shown["trustLevel"]), (&json!("vault"), &json!("trusted")));
    assert_eq!(shown["messageCount"], 4);
    // What it started ends with it.
    let mut body = confined("Stay", "tool", bash("setsid sleep 98765 >/dev/null 2>&1 & echo on"));
    body["sessionId"] = session.clone().into();
    turn(&lab, body).await;
    let sleepers = || ours().iter().filter(|(_, said)| said.contains("sleep 98765")).count();
    assert_eq!(sleepers(), 1, "it runs on between turns");
    systemctl(&["stop", &agent_unit(&session)]).await;
    assert_eq!(sleepers(), 0, "and ends with its agent");
}

#[tokio::test]
async fn without_landlock_nothing_is_run() {
    let Some(lab) = Lab::started("").await else { return };
    // As on a kernel that has none.
    let old =
        "[Service]\nSystemCallFilter=~landlock_create_ruleset\nSystemCallErrorNumber=ENOSYS\n";
    lab.drop_in("parachute-agent@.service", old).await;
    let body = confined("Run", "tool", bash("touch ran"));
    let stream = lab.local().chat("text=delta", &body).await.whole().await;
    let last = stream.heard.others.last().expect("an end");
    let last: Value = serde_json::from_str(last).expect("JSON");
    println!("{}", last["message"]);
    assert_eq!(last["code"], "trust_unavailable", "{last}");
    assert!(last["message"].as_str().is_some_and(|m| m.contains("Landlock")), "{last}");
    assert!(!stream.kinds().contains(&"init".to_owned()));
    assert!(!lab.vault.join("ran").exists(), "nothing ran");
    systemctl(&["stop", &agent_unit(&stream.session())]).await;
}
