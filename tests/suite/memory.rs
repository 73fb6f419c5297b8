//! A tool that takes more memory than an agent may have ends no more than its agent: the stream
//! says why, the server is not touched, and the session can go on.

use crate::lab::{Lab, SERVICE, ask};
use crate::units::{agent_unit, main_pid, systemctl};
use serde_json::json;
use std::path::Path;

#[tokio::test]
async fn an_agent_beyond_its_memory_dies_alone() {
    let Some(lab) = Lab::started("").await else {
        return;
    };
    let owner = lab.owner();
    let first = ask("Hello", "say", json!({ "text": "Hello." }));
    let stream = owner.chat("text=delta", &first).await.whole().await;
    assert_eq!(stream.kinds().last().map(String::as_str), Some("done"));
    let session = stream.session();
    let unit = agent_unit(&session);
    let server = main_pid(SERVICE).await;
    systemctl(&["set-property", "--runtime", &unit, "MemoryMax=700M", "MemoryHigh=infinity"]).await;

    let command = "python3 -c 'x = bytearray(2 << 30); print(len(x))'";
    let call = json!({ "name": "Bash", "input": { "command": command, "description": "Eat" } });
    let mut body = ask("Eat", "tool", call);
    body["sessionId"] = session.clone().into();
    let stream = owner.chat("text=delta", &body).await.whole().await;
    let last = &stream.events.last().expect("an end").1;
    println!("{last}");
    assert_eq!(main_pid(SERVICE).await, server, "the server is not touched");
    assert!(last["message"].to_string().contains("memory"), "{last}");
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        assert_eq!(last["code"], "agent_lost");
    } else {
        // On cgroup v1 the kernel kills the largest process only: the tool fails, its agent
        // lives on, and the turn ends.
        assert_eq!(stream.event("tool_result")["isError"], true);
        assert_eq!(last["code"], "limit_reached");
    }
    let mut again = ask("Still here?", "say", json!({ "text": "Yes." }));
    again["sessionId"] = session.into();
    let stream = owner.chat("text=delta", &again).await.whole().await;
    assert_eq!(stream.kinds().last().map(String::as_str), Some("done"));
}
