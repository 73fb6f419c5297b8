//! Titles: the first line at once (contract-core §5.5), a better one after the first exchange, and
//! a person's own for good.

use http::Method;
use parachute_tests::{Caller, Home, eventually};
use serde_json::{Value, json};

/// A first exchange; the titles of its first and last event, and of the session then.
async fn exchange(caller: &Caller, message: &str, answer: &str) -> (Value, Value, Value) {
    let body = json!({ "message": format!("{message}\n@@{}@@", json!({ "text": answer })) });
    let stream = caller.chat("", &body).await.whole().await;
    let shown = caller.get(&format!("/api/chat/{}", stream.session())).await.json();
    let of = |kind: &str| stream.event(kind)["title"].clone();
    (of("session"), of("done"), shown["title"].clone())
}

#[tokio::test]
async fn the_first_exchange_makes_a_title_that_says_what_it_is_about() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    for (message, answer, at_once, then) in [
        ("Plan the garden", "Sure.", "Plan the garden", "Plan the garden"),
        ("Hi!\nPlan the garden, please", "Sure.", "Hi!", "Plan the garden, please"),
        ("```\nlet x = 1;\n```\nWhy x?", "Because.", "```", "Why x?"),
        (
            "<group_context>\nold\n</group_context>\nWhat is new?",
            "Much.",
            "<group_context>",
            "What is new?",
        ),
    ] {
        let titles = exchange(&caller, message, answer).await;
        assert_eq!(titles, (json!(at_once), json!(then), json!(then)), "{message}");
    }
    // The directive is a line of the message; where that is all, the answer is asked.
    home.plan(&json!({ "text": "Hello!\n\n## Three ways to prune\nFirst …" }));
    let stream = caller.chat("", &json!({ "message": "prune.md" })).await.whole().await;
    assert_eq!(stream.event("session")["title"], "prune.md");
    assert_eq!(stream.event("done")["title"], "Three ways to prune");
    // What comes later changes it no more.
    let body = json!({ "message": "And roses?", "sessionId": stream.session() });
    let next = caller.chat("", &body).await.whole().await;
    assert_eq!(next.event("done")["title"], "Three ways to prune");
    let listed = caller.get("/api/chat?search=ways+to").await.json();
    assert_eq!(listed["sessions"][0]["title"], "Three ways to prune", "{listed}");
}

#[tokio::test]
async fn a_title_that_a_person_gave_is_never_taken_away() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let body = json!({ "message": "Hi!\nPlan the garden @@{\"n\":900,\"delay_us\":1000}@@" });
    let mut stream = caller.chat("", &body).await;
    assert!(stream.until("text").await);
    let at = format!("/api/chat/{}", stream.session());
    let title = json!({ "title": "Mine" });
    assert_eq!(caller.send(Method::PATCH, &format!("{at}/config"), &title).await.status, 200);
    stream.whole().await.event("done");
    eventually("the turn is taken in", async || {
        (caller.get(&at).await.json()["messageCount"] == 2).then_some(())
    })
    .await;
    assert_eq!(caller.get(&at).await.json()["title"], "Mine");
    let body = json!({ "message": "Hello!\nMore", "sessionId": &at["/api/chat/".len()..] });
    assert_eq!(caller.chat("", &body).await.whole().await.event("done")["title"], "Mine");
    assert_eq!(caller.get(&at).await.json()["title"], "Mine");
}

#[tokio::test]
async fn a_first_turn_that_fails_leaves_the_title_as_it_is() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let body = json!({ "message": "Hi!\nPlan it @@{\"n\":4,\"fail\":\"crash\"}@@" });
    let stream = caller.chat("", &body).await.whole().await;
    stream.event("typed_error");
    let shown = caller.get(&format!("/api/chat/{}", stream.session())).await.json();
    assert_eq!(shown["title"], "Hi!");
}
