//! A turn outlives the server: more than a minute of streaming, during which the server is
//! restarted, killed and left to exit, and at the end of which two clients that came back each
//! time have the same text and events as somebody who sat beside the agent all the while.

use crate::lab::{Lab, SERVICE, ask};
use crate::units::{agent_unit, main_pid, processes, show, systemctl, tried};
use parachute_tests::{Caller, Stream, eventually};
use serde_json::{Value, json};
use std::time::Instant;
use tokio::sync::watch;
use wire::frames::Heard;

const RESTARTS: usize = 20;
const KILLS: usize = 5;
const WORDS: usize = 650;
/// New words that both clients must have had before the server is disturbed again.
const STEP: usize = 21;

/// What a client went through.
#[derive(Default)]
struct Tale {
    heard: Heard,
    came_back: u32,
    /// Connections that broke before an answer began.
    cut_short: u32,
    duplicates: u32,
}

/// One who comes back with the id of the last event whenever the stream breaks, as long as
/// `may` says so, until the turn has ended.
async fn come_back(
    who: Caller,
    query: &'static str,
    mut stream: Stream,
    mut may: watch::Receiver<bool>,
    at: watch::Sender<usize>,
) -> Tale {
    let mut tale = Tale::default();
    let session = stream.session();
    loop {
        tokio::select! {
            more = stream.more() => if more {
                at.send_replace(words(&stream.heard));
                continue;
            },
            _ = may.wait_for(|may| !may) => {}
        }
        let ids: Vec<u64> = stream.events.iter().filter_map(|(id, _)| *id).collect();
        tale.duplicates += u32::from(ids.windows(2).any(|pair| pair[1] <= pair[0]));
        let ended = stream.kinds().last().is_some_and(|kind| kind == "done");
        let heard = std::mem::take(&mut stream.heard);
        if ended {
            tale.heard = heard;
            return tale;
        }
        drop(stream);
        may.wait_for(|may| *may).await.expect("it comes back");
        stream = loop {
            match who.resume(&session, query, heard.last_id).await {
                Ok(stream) => break stream,
                Err(error) => {
                    let refused = error.kind() == std::io::ErrorKind::ConnectionRefused;
                    assert!(!refused, "nobody is ever refused");
                    tale.cut_short += 1;
                }
            }
        };
        assert_eq!(stream.status, 200);
        stream.heard = heard;
        tale.came_back += 1;
    }
}

#[tokio::test]
async fn a_turn_outlives_its_server() {
    let Some(lab) = Lab::started("idle_exit_seconds: 2\n").await else {
        return;
    };
    let begin = Instant::now();
    let slow = json!({ "tokens": WORDS, "delay": 0.1, "utf8": true });
    let body = ask("Count the sea", "slow", slow);
    let mut app = lab.local().chat("", &body).await;
    assert!(app.until("text").await, "{:?}", app.kinds());
    let session = app.session();
    let turn = app.event("session")["turnId"].clone();
    let turn = turn.as_str().expect("a turn");
    let beside = format!("/events?text=delta&turn={turn}");
    let beside = lab.agent(&session).follow(&beside).await.expect("a stream");
    let beside = tokio::spawn(beside.whole());
    let unit = agent_unit(&session);
    let agent = main_pid(&unit).await;
    let group: Vec<u32> = processes(&unit).into_iter().map(|(pid, _)| pid).collect();
    assert!(agent.is_some());

    let delta = lab.owner().resume(&session, "text=delta", 0).await;
    let mut delta = delta.expect("a stream");
    assert!(delta.until("text").await);
    let (gate, may) = watch::channel(true);
    let (app_at, mut app_is) = watch::channel(0);
    let (delta_at, mut delta_is) = watch::channel(0);
    let app = come_back(lab.local(), "", app, may.clone(), app_at);
    let app = tokio::spawn(app);
    let delta = come_back(lab.owner(), "text=delta", delta, may, delta_at);
    let delta = tokio::spawn(delta);

    let first = *app_is.borrow();
    for round in 1..=RESTARTS + KILLS {
        let due = first + round * STEP;
        app_is.wait_for(|at| *at >= due).await.expect("it streams");
        delta_is.wait_for(|at| *at >= due).await.expect("it streams");
        if round.is_multiple_of(5) {
            kill().await;
        } else {
            systemctl(&["restart", SERVICE]).await;
        }
        assert_eq!(main_pid(&unit).await, agent, "round {round}");
    }
    gate.send_replace(false);
    let leaves = Instant::now();
    eventually("the server leaves", async || {
        let state = show(SERVICE, "ActiveState").await;
        (state == "inactive").then_some(())
    })
    .await;
    assert_eq!(show("parachute.socket", "ActiveState").await, "active");
    assert_eq!(main_pid(&unit).await, agent);
    let status = lab.agent(&session).get("/status").await.json();
    assert_eq!(status["turn"], turn, "the turn goes on without a server");
    println!("left alone, the server exited after {:.1?}", leaves.elapsed());
    gate.send_replace(true);

    // What the app sees at the end is in the database when it sees it.
    let app = app.await.expect("the app's client");
    kept(&lab, &session).await;
    let delta = delta.await.expect("the other client");
    let beside = beside.await.expect("the one beside the agent");
    let streamed = begin.elapsed();
    assert!(streamed.as_secs() >= 60, "only {streamed:?} of streaming");
    let still: Vec<u32> = processes(&unit).into_iter().map(|(pid, _)| pid).collect();
    assert_eq!(still, group, "agent and CLI are the same processes");
    println!(
        "{streamed:?}: {RESTARTS} restarts, {KILLS} kills, 1 idle exit; app came back {} times \
         ({} cut short), delta {} times ({})",
        app.came_back, app.cut_short, delta.came_back, delta.cut_short
    );
    assert!(app.came_back >= 20 && delta.came_back >= 20);
    assert_eq!((app.duplicates, delta.duplicates), (0, 0), "nothing twice");
    assert_eq!(delta.heard, beside.heard, "delta and unbroken");
    assert_eq!(app.heard, beside.heard, "content and unbroken");
    assert_eq!(text_of(&lab.log(&session)), beside.heard.texts.concat());
    assert_eq!(words(&beside.heard), WORDS);
}

fn words(heard: &Heard) -> usize {
    heard.texts.iter().map(|text| text.split(' ').count()).max().unwrap_or(0)
}

/// SIGKILL, and until there is another.
async fn kill() {
    let old = main_pid(SERVICE).await;
    systemctl(&["kill", "--kill-whom=main", "-s", "KILL", SERVICE]).await;
    eventually("the server is back", async || {
        let now = main_pid(SERVICE).await;
        let (_, state) = tried("systemctl", &["--user", "is-active", SERVICE]).await;
        (now.is_some() && now != old && state.trim() == "active").then_some(())
    })
    .await;
}

/// The text of a log, without our own code.
fn text_of(log: &[Value]) -> String {
    let events = log.iter().map(|line| &line["e"]);
    let texts = events.filter(|event| event["type"] == "text");
    texts.filter_map(|event| event["delta"].as_str()).collect()
}

async fn kept(lab: &Lab, session: &str) {
    let database = lab.database();
    let row: (i64, String) = database
        .query_row("SELECT message_count, title FROM sessions WHERE id = ?1", [session], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("the session's row");
    assert_eq!(row, (2, "Count the sea".to_owned()));
    let turns: (i64, String) = database
        .query_row(
            "SELECT count(*), group_concat(outcome) FROM turns WHERE session_id = ?1",
            [session],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("its turns");
    assert_eq!(turns, (1, "done".to_owned()));
    let active = lab.owner().get("/api/chat/active-streams").await.json();
    assert_eq!(active["count"], 0, "{active}");
    let shown = lab.owner().get(&format!("/api/chat/{session}")).await.json();
    assert_eq!(shown["messageCount"], 2, "{shown}");
    assert_eq!(shown["messages"].as_array().map(Vec::len), Some(2));
}
