//! Sessions beside one that uses up all it may have: it ends in words, and they go on.

use crate::confined::bash;
use crate::lab::{Lab, ask};
use crate::sandboxed::{containers, opened};
use crate::units::{agent_unit, middle_and_most, systemctl};
use parachute_tests::eventually;
use serde_json::{Value, json};
use std::cell::Cell;
use std::time::Instant;

/// Turns of each neighbour before the others begin.
const QUIET: usize = 10;

/// One who goes on with short turns all the while.
struct Neighbour {
    trust: &'static str,
    session: Option<String>,
    /// Milliseconds to the first text, of each turn.
    waited: Vec<f64>,
}

impl Neighbour {
    fn at(trust: &'static str) -> Neighbour {
        Neighbour { trust, session: None, waited: Vec::new() }
    }

    async fn turn(&mut self, lab: &Lab) {
        let mut body = ask("Say", "say", json!({ "text": "Here I am." }));
        body["trustLevel"] = self.trust.into();
        body["sessionId"] = self.session.clone().into();
        let asked = Instant::now();
        let mut stream = lab.local().chat("text=delta", &body).await;
        assert!(stream.until("text").await, "{}: {:?}", self.trust, stream.heard.others);
        self.waited.push(asked.elapsed().as_secs_f64() * 1e3);
        let stream = stream.whole().await;
        assert_eq!(stream.kinds().last().map(String::as_str), Some("done"), "{}", self.trust);
        self.session = Some(stream.session());
    }

    /// What was waited since this was asked last.
    fn told(&mut self) -> String {
        let waited = std::mem::take(&mut self.waited);
        let turns = waited.len();
        let (middle, most) = middle_and_most(waited);
        format!("{}: {turns} turns, {middle:.0} ms, at most {most:.0}", self.trust)
    }
}

#[tokio::test]
async fn limits_end_the_turn_and_say_which_while_others_go_on() {
    let Some(lab) = opened("").await else { return };
    let limits = json!({ "memory": "600m", "cpu": "1", "timeout": 6 });
    let workspace =
        json!({ "name": "Small", "default_trust_level": "untrusted", "sandbox": limits });
    assert_eq!(lab.local().post("/api/workspaces", &workspace).await.status, 201);
    let mut neighbours = [Neighbour::at("full"), Neighbour::at("sandboxed")];
    for neighbour in &mut neighbours {
        // The first begins the conversation.
        neighbour.turn(&lab).await;
        neighbour.waited.clear();
        for _ in 0..QUIET {
            neighbour.turn(&lab).await;
        }
        println!("alone: {}", neighbour.told());
    }
    let hog = "perl -e 'while (1) { push @x, \"x\" x (8 << 20); \
        select undef, undef, undef, 0.05 }'; cat";
    let cases = [
        ("a memory hog", hog, "memory"),
        ("a fork bomb", "perl -e 'while (1) { defined(fork) or sleep 1 }'", "processes"),
        ("a sleeper", "perl -e 'select undef, undef, undef, 60'", "time"),
        ("a busy one", "perl -e 'fork; fork; while (1) { }'", "time"),
    ];
    for (what, command, limit) in cases {
        let mut body = ask(what, "tool", bash(command));
        body["workspaceId"] = "small".into();
        let mut stream = lab.local().chat("text=delta", &body).await;
        assert!(stream.until("tool_use").await, "{what}: {:?}", stream.kinds());
        let ended = Cell::new(false);
        let at_it = async {
            let stream = stream.whole().await;
            ended.set(true);
            stream
        };
        let beside = async {
            while !ended.get() {
                for neighbour in &mut neighbours {
                    neighbour.turn(&lab).await;
                }
            }
        };
        let (stream, ()) = tokio::join!(at_it, beside);
        for neighbour in &mut neighbours {
            println!("beside {what}: {}", neighbour.told());
        }
        let last = stream.heard.others.last().expect("an end");
        let last: Value = serde_json::from_str(last).expect("JSON");
        println!("{what}: {}", last["message"]);
        assert_eq!(last["code"], "limit_reached", "{what}: {last}");
        assert!(last["message"].as_str().is_some_and(|m| m.contains(limit)), "{what}: {last}");
        systemctl(&["stop", &agent_unit(&stream.session())]).await;
    }
    for neighbour in neighbours {
        systemctl(&["stop", &agent_unit(&neighbour.session.expect("a session"))]).await;
    }
    eventually("containers are gone", async || containers().await.is_empty().then_some(())).await;
}
