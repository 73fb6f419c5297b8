//! Turns.

use parachute_tests::Home;
use serde_json::json;

#[tokio::test]
async fn a_turn_streams_and_is_remembered() {
    let home = Home::new();
    let server = home.server().await;
    let owner = server.owner();
    let body = json!({ "message": "hello @@{\"n\":20}@@" });
    let stream = owner.chat("text=delta", &body).await.whole().await;
    assert_eq!(stream.kinds().last().map(String::as_str), Some("done"));
    let session = stream.session();
    let shown = owner.get(&format!("/api/chat/{session}")).await.json();
    assert_eq!(shown["messageCount"], 2);
    assert_eq!(shown["messages"][1]["content"], stream.heard.texts.concat());
}
