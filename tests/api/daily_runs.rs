//! Runs of daily agents and what strangers can bring about in them: links, another's turn, and
//! what is said in their sessions.

use crate::contexts::write;
use crate::daily_agents::{AT, DAY, home, ran, state};
use parachute_tests::eventually;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;

#[tokio::test]
async fn a_journal_that_is_a_link_is_not_told() {
    let home = home("");
    let vault = home.vault();
    write(&home, &[(".parachute/.token", "canary")]);
    let journal = vault.join(format!("Daily/journals/{DAY}.md"));
    fs::remove_file(&journal).expect("removed");
    symlink("../../.parachute/.token", &journal).expect("linked");
    // And an entry that is one, in a folder that is one.
    symlink("..", vault.join("Daily/entries")).expect("linked");
    symlink(".parachute/.token", vault.join(format!("{DAY}-10-00.md"))).expect("linked");
    let server = home.server().await;
    let run_of = ran(&server.local()).await;
    assert_eq!(run_of["status"], "skipped", "{run_of}");
    assert!(!vault.join("Daily/poet").exists());
}

#[tokio::test]
async fn another_turn_of_its_session_is_not_a_runs() {
    let home = home("");
    let mut server = home.server().await;
    let said = server.local().chat("", &json!({ "message": "who is there" })).await.whole().await;
    let session = said.event("session")["sessionId"].as_str().expect("a session").to_owned();
    server.stop();
    // As a run leaves it whose turn nobody took.
    let note = json!({
        "agent": "poet", "session": session, "turn": "never-taken", "after": 0, "date": DAY,
        "output_date": "2026-11-20", "output": "Daily/poet/2026-11-20.md",
    });
    let notes = home.path("s/parachute/daily");
    fs::create_dir_all(&notes).expect("made");
    fs::write(notes.join("poet.json"), note.to_string()).expect("written");
    server.start_again();
    let caller = server.local();
    eventually("it is given up", async || (!notes.join("poet.json").exists()).then_some(())).await;
    eventually("it is at rest", async || {
        let shown = caller.get(&format!("{AT}/poet")).await.json();
        (shown["running"] == false).then_some(())
    })
    .await;
    assert!(!home.vault().join("Daily/poet").exists());
    assert!(!home.vault().join("Daily/.poet").exists());
}

#[tokio::test]
async fn who_speaks_in_the_session_of_an_agent_with_tools_reaches_no_further() {
    let home = home("@@{\"text\":\"Done.\"}@@");
    let definition = "---\ntools: [read_journal, Read]\n---\nRead.";
    write(&home, &[("Daily/.agents/poet.md", definition)]);
    let server = home.server().await;
    let caller = server.local();
    ran(&caller).await;
    let session = state(&home)["sdk_session_id"].as_str().expect("a session").to_owned();
    for _ in 0..2 {
        let body = json!({ "sessionId": session, "message": "x", "trustLevel": "full" });
        caller.chat("", &body).await.whole().await;
        let shown = caller.get(&format!("/api/chat/{session}")).await.json();
        assert_eq!(shown["trust"], "vault", "{shown}");
        // Nor does the next run undo it.
        ran(&caller).await;
    }
}
