//! An agent cannot saw off its own branch: what one asks of the supervisor in the middle of its
//! turn is done by the service manager, outside of the agent, and the turn goes on.

use crate::lab::{Lab, SERVICE, ask, go_on};
use crate::overseen::status_when;
use crate::units::{agent_unit, main_pid};
use serde_json::json;

#[tokio::test]
async fn a_restart_asked_for_by_an_agent_works_and_its_turn_goes_on() {
    let Some(lab) = Lab::started("").await else { return };
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let before = main_pid(SERVICE).await;
    let url = "http://127.0.0.1:3334/supervisor/server/restart";
    let command = format!("curl -s -X POST {url}; echo; echo asked");
    let input = json!({ "command": command, "description": "Restart the server" });
    let call = json!({ "name": "Bash", "input": input, "then": "I go on after the restart." });
    // Whoever looked just before gets to see a new agent whole, too.
    lab.overseer().get("/supervisor/status").await;
    let mut stream = lab.local().chat("text=delta", &ask("Restart", "tool", call)).await;
    assert!(stream.until("tool_use").await, "{:?}", stream.kinds());
    let session = stream.session();
    let agent = main_pid(&agent_unit(&session)).await;
    assert!(agent.is_some());
    // While it works the supervisor shows whose turn it is.
    let status = status_when(&lab, "the agent", |s| s["agents"][0]["session"] == *session).await;
    let shown = &status["agents"][0];
    assert_eq!(shown["pid"].as_u64(), agent.map(u64::from));
    assert!(shown["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{shown}");
    assert!(shown["since"].is_string(), "{shown}");

    let resumed = go_on(&lab.local(), &session, stream).await;
    assert_eq!(resumed.kinds().last().map(String::as_str), Some("done"));
    assert_eq!(resumed.heard.texts.concat(), "I go on after the restart.");
    let result = resumed.heard.others.iter().find(|event| event.contains("tool_result"));
    let result = result.expect("the tool's result");
    assert!(result.contains("Server restarted") && result.contains("asked"), "{result}");
    let now = main_pid(SERVICE).await;
    assert!(now.is_some() && now != before, "it was restarted");
    assert_eq!(main_pid(&agent_unit(&session)).await, agent, "the agent is the same");
}
