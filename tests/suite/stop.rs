//! What stopping means: the service alone leaves the agents at work, the target takes all along,
//! and what was stopped stays so.

use crate::lab::{Lab, SERVICE, ask, go_on, ours};
use crate::units::{agent_unit, main_pid, show, systemctl};
use parachute_tests::eventually;
use serde_json::json;

#[tokio::test]
async fn the_service_leaves_its_agents_and_the_target_does_not() {
    let Some(lab) = Lab::open("").await else {
        return;
    };
    systemctl(&["start", "parachute.target"]).await;
    assert_eq!(show(SERVICE, "ActiveState").await, "inactive");
    let slow = json!({ "tokens": 60, "delay": 0.1 });
    let mut stream = lab.local().chat("text=delta", &ask("Go on", "slow", slow)).await;
    assert!(stream.until("text").await, "{:?}", stream.kinds());
    let session = stream.session();
    let unit = agent_unit(&session);
    let agent = main_pid(&unit).await;
    assert!(agent.is_some());

    systemctl(&["stop", SERVICE]).await;
    assert_eq!(main_pid(SERVICE).await, None, "stopped stays stopped");
    assert_eq!(main_pid(&unit).await, agent, "the agent goes on");
    // The socket starts the server again.
    let stream = go_on(&lab.local(), &session, stream).await;
    assert_eq!(stream.kinds().last().map(String::as_str), Some("done"));
    assert_eq!(stream.heard.texts.concat().split(' ').count(), 60);
    assert_eq!(main_pid(&unit).await, agent);

    let slow = json!({ "tokens": 600, "delay": 0.1 });
    let mut body = ask("And on", "slow", slow);
    body["sessionId"] = session.clone().into();
    let mut stream = lab.local().chat("text=delta", &body).await;
    assert!(stream.until("text").await, "{:?}", stream.kinds());
    systemctl(&["stop", "parachute.target"]).await;
    while stream.more().await {}
    eventually("all is gone", async || ours().is_empty().then_some(())).await;
    // The manager answers for the target; what is part of it may take a moment longer.
    for unit in ["parachute.socket", SERVICE, "parachute-agents.slice"] {
        eventually(unit, async || {
            let state = show(unit, "ActiveState").await;
            (state == "inactive").then_some(())
        })
        .await;
    }
    let knock = std::net::TcpStream::connect("127.0.0.1:3333");
    assert!(knock.is_err(), "nobody listens");
    assert_eq!(ours(), [], "and nothing comes back");

    systemctl(&["start", "parachute.target"]).await;
    let path = format!("/api/chat/{session}/stream-status");
    let status = lab.local().get(&path).await.json();
    assert_eq!(status["active"], false, "the turn has ended: {status}");
    let log = lab.log(&session);
    println!("{}", log.last().expect("a log")["e"]);
    assert_eq!(log.last().expect("a log")["e"]["type"], "aborted");
    // The new server takes it in by and by.
    eventually("the messages are counted", async || {
        let shown = lab.local().get(&format!("/api/chat/{session}")).await;
        (shown.json()["messageCount"] == 4).then_some(())
    })
    .await;
}
