//! An agent that is killed in the middle of a tool call: everything of it is gone, the stream
//! says what is uncertain, the call is not repeated, and the session goes on.

use crate::lab::{Lab, ask};
use crate::units::{agent_unit, main_pid, processes, systemctl};
use parachute_tests::eventually;
use serde_json::json;

#[tokio::test]
async fn a_killed_agent_takes_nothing_else_along() {
    let Some(lab) = Lab::started("").await else {
        return;
    };
    let owner = lab.owner();
    let mark = lab.vault.join("ran");
    let command = format!("echo ran >> {}; sleep 1000", mark.display());
    let call = json!({ "name": "Bash", "input": { "command": command, "description": "Wait" } });
    let mut stream = owner.chat("text=delta", &ask("Wait", "tool", call)).await;
    assert!(stream.until("tool_use").await, "{:?}", stream.kinds());
    let session = stream.session();
    let unit = agent_unit(&session);
    let ran = || std::fs::read_to_string(&mark).unwrap_or_default();
    eventually("the tool runs", async || (ran() == "ran\n").then_some(())).await;
    // The CLI writes its transcript by and by, and without one there is nothing to resume.
    eventually("the CLI has a transcript", async || has_transcript(&session).then_some(())).await;
    let before = processes(&unit);
    assert!(before.iter().any(|(_, line)| line.contains("sleep 1000")), "{before:?}");
    let agent = main_pid(&unit).await.expect("the agent runs");

    // Only the agent itself: what it leaves behind is the manager's to end.
    systemctl(&["kill", "--kill-whom=main", "-s", "KILL", &unit]).await;
    let stream = stream.whole().await;
    let last = stream.events.last().expect("an end").1.clone();
    println!("{last}");
    assert_eq!(last["type"], "typed_error");
    assert_eq!(last["code"], "agent_lost");
    let said = last["message"].as_str().expect("a message");
    for part in ["Bash", "not known", "not run again", "SIGKILL"] {
        assert!(said.contains(part), "no `{part}` in: {said}");
    }
    for (pid, line) in processes(&unit) {
        assert!(!before.iter().any(|(old, _)| *old == pid), "left of it: {pid} {line}");
    }
    let shown = owner.get(&format!("/api/chat/{session}")).await.json();
    assert_eq!(shown["messageCount"], last["messageCount"], "{shown}");

    let mut again = ask("And now?", "say", json!({ "text": "Here I am again." }));
    again["sessionId"] = session.clone().into();
    let stream = owner.chat("text=delta", &again).await.whole().await;
    assert_eq!(stream.kinds().last().map(String::as_str), Some("done"));
    assert_eq!(stream.heard.texts.concat(), "Here I am again.");
    let next = main_pid(&unit).await.expect("a new agent");
    assert_ne!(next, agent);
    let programs = processes(&unit);
    let resumes = format!("--resume={session}");
    assert!(programs.iter().any(|(_, line)| line.contains(&resumes)), "{programs:?}");
    assert_eq!(ran(), "ran\n", "the tool ran once");
    let told = lab.journal(&unit).await;
    assert!(told.iter().any(|e| e["PARACHUTE_RESUME"] == "true"), "{told:?}");
}

fn has_transcript(session: &str) -> bool {
    let home = std::env::var("HOME").expect("a home");
    let projects = std::fs::read_dir(format!("{home}/.claude/projects"));
    let mut projects = projects.into_iter().flatten().flatten();
    projects.any(|p| p.path().join(format!("{session}.jsonl")).is_file())
}
