//! Streams cut at random and taken up again, through the real server and agent (DESIGN §4.3,
//! §4.4): what is heard in the end equals what an unbroken client heard.

use crate::rng::Rng;
use parachute_tests::{Caller, Home, Stream, eventually};
use serde_json::json;
use wire::frames::Heard;

/// Many bytes to a character, thinking, tools, text between them.
const TURN: &str = "go @@{\"n\":600,\"delay_us\":1500,\"utf8\":true,\"thinking\":30,\"tools\":3}@@";
const CUTS_MIN: usize = 50;

/// Hears the rest of a session's stream, leaving and coming back again and again.
async fn cut_again_and_again(
    caller: &Caller,
    mut stream: Stream,
    query: &str,
    rng: &mut Rng,
) -> (Heard, usize) {
    assert!(stream.until("session").await);
    let session = stream.session();
    let mut cuts = 0;
    loop {
        let mut ended = false;
        for _ in 0..rng.below(4) {
            ended = !stream.more().await;
        }
        let heard = std::mem::take(&mut stream.heard);
        if ended {
            return (heard, cuts);
        }
        drop(stream);
        cuts += 1;
        stream = caller.resume(&session, query, heard.last_id).await.expect("taken up again");
        stream.heard = heard;
    }
}

async fn survives_cuts(query: &str, seed: u64) {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.owner();
    let mut rng = Rng::new(seed);
    let mut cuts = 0;
    while cuts < CUTS_MIN {
        let stream = caller.chat(query, &json!({ "message": TURN })).await;
        let (heard, more) = cut_again_and_again(&caller, stream, query, &mut rng).await;
        cuts += more;
        let last = heard.others.last().expect("events");
        assert!(last.starts_with("{\"type\":\"done\""), "{last}");
        let done: serde_json::Value = serde_json::from_str(last).expect("JSON");
        let session = done["sessionId"].as_str().expect("a session");
        let unbroken = caller.resume(session, query, 0).await.expect("a replay").whole().await;
        assert_eq!(heard, unbroken.heard, "after {more} cuts");
        assert_eq!(heard.texts.concat(), said(&caller, session).await);
    }
}

/// The text of a session's one answer, as its messages have it.
async fn said(caller: &Caller, session: &str) -> String {
    let deltas = caller.resume(session, "text=delta", 0).await.expect("a replay").whole().await;
    deltas.heard.texts.concat()
}

#[tokio::test]
async fn a_cumulative_stream_survives_any_number_of_cuts() {
    survives_cuts("text=content", 0x9e37_79b9).await;
}

#[tokio::test]
async fn a_stream_of_deltas_survives_any_number_of_cuts() {
    survives_cuts("text=delta", 0x7f4a_7c15).await;
}

#[tokio::test]
async fn a_stream_without_text_survives_any_number_of_cuts() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.owner();
    let stream = caller.chat("text=none", &json!({ "message": TURN })).await;
    let mut rng = Rng::new(77);
    let (heard, cuts) = cut_again_and_again(&caller, stream, "text=none", &mut rng).await;
    assert!(cuts > 0 && heard.texts.concat().is_empty());
    assert!(heard.others.iter().all(|e| !e.starts_with("thinking ")));
}

/// A log is read from its begin, left somewhere, and taken up at the last event heard, as often
/// as the case asks; then it has to be as if nothing had happened.
async fn a_thousand_cases(caller: &Caller, session: &str, cases: usize, rng: &mut Rng) {
    let mut whole = Vec::new();
    for query in ["text=content", "text=delta"] {
        whole.push(caller.resume(session, query, 0).await.expect("a replay").whole().await.heard);
    }
    assert_eq!(whole[0].texts, whole[1].texts);
    for case in 0..cases {
        let query = ["text=content", "text=delta"][case % 2];
        let expected = &whole[case % 2];
        let mut heard = Heard::default();
        for _ in 0..rng.below(3) {
            let mut stream = caller.resume(session, query, heard.last_id).await.expect("taken up");
            stream.heard = std::mem::take(&mut heard);
            // Leaves at a byte, not at the end of an event.
            stream.some(rng.below(60_000) as usize).await;
            heard = std::mem::take(&mut stream.heard);
        }
        let mut stream = caller.resume(session, query, heard.last_id).await.expect("taken up");
        stream.heard = heard;
        assert_eq!(&stream.whole().await.heard, expected, "case {case}, {query}");
    }
}

#[tokio::test]
async fn a_thousand_resumes_of_a_recorded_log_hear_the_same() {
    let mut home = Home::new();
    home.set("AGENT_IDLE_SECONDS", "3");
    let server = home.server().await;
    let caller = server.owner();
    let prompt = "go @@{\"n\":900,\"utf8\":true,\"thinking\":20,\"tools\":4}@@";
    let first = caller.chat("", &json!({ "message": prompt })).await.whole().await;
    let session = first.session();
    let again = json!({ "message": prompt, "sessionId": session });
    caller.chat("", &again).await.whole().await;
    let mut rng = Rng::new(4242);
    a_thousand_cases(&caller, &session, 500, &mut rng).await;
    eventually("the agent leaves", async || home.agents().is_empty().then_some(())).await;
    a_thousand_cases(&caller, &session, 500, &mut rng).await;
    assert!(home.agents().is_empty(), "a replay needs no agent");
}

#[tokio::test]
async fn an_id_that_no_log_has_gives_a_reset_and_all_there_is() {
    let mut home = Home::new();
    home.set("AGENT_IDLE_SECONDS", "1");
    let server = home.server().await;
    let caller = server.owner();
    let first = caller.chat("", &json!({ "message": "x @@{\"n\":5}@@" })).await.whole().await;
    let session = first.session();
    for gone in [false, true] {
        if gone {
            eventually("the agent leaves", async || home.agents().is_empty().then_some(())).await;
        }
        let stream = caller.resume(&session, "text=delta", 999_999).await.expect("a stream");
        let stream = stream.whole().await;
        assert_eq!(stream.kinds()[0], "reset", "agent gone: {gone}");
        assert_eq!(stream.event("reset")["oldest"], 1);
        stream.event("done");
    }
    let unknown = "11111111-1111-4111-8111-111111111111";
    let stream = caller.resume(unknown, "", 0).await.expect("an answer");
    assert_eq!(stream.status, 404);
}
