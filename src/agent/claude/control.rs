//! What we write to the CLI: one JSON object a line. A line that is not JSON would end it.

use serde_json::{Map, Value, json};
use wire::agent::ClaudeSetup;

fn line(value: &Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(value).expect("a value is always JSON");
    bytes.push(b'\n');
    bytes
}

/// First line: asks to be told of every tool call before it runs, and gives the prompts. They
/// are no arguments: those are bounded in length, and every user of the machine can read them.
pub(crate) fn initialize(setup: &ClaudeSetup) -> Vec<u8> {
    let mut request = json!({
        "subtype": "initialize",
        "hooks": { "PreToolUse": [{ "matcher": null, "hookCallbackIds": ["policy"] }] },
    });
    if !setup.agents.is_empty() {
        request["agents"] = Value::Object(setup.agents.clone());
    }
    if let Some(prompt) = &setup.system_prompt {
        request["systemPrompt"] = prompt.as_str().into();
    }
    if let Some(prompt) = &setup.append_prompt {
        request["appendSystemPrompt"] = prompt.as_str().into();
    }
    line(&json!({ "type": "control_request", "request_id": "initialize", "request": request }))
}

/// A prompt, a text or blocks; `uuid` is how its result is told from others.
pub(crate) fn user(uuid: &str, content: &Value) -> Vec<u8> {
    line(&json!({
        "type": "user",
        "uuid": uuid,
        "session_id": "",
        "parent_tool_use_id": null,
        "message": { "role": "user", "content": content },
    }))
}

/// Stops the running turn, and with it a tool's command.
pub(crate) fn interrupt() -> Vec<u8> {
    line(&json!({
        "type": "control_request",
        "request_id": "interrupt",
        "request": { "subtype": "interrupt" },
    }))
}

/// Lets a call run; the CLI wants its input back.
pub(crate) fn allow(request: &str, input: &Map<String, Value>) -> Vec<u8> {
    success(request, &json!({ "behavior": "allow", "updatedInput": input }))
}

/// Refuses a call; the model is told why and goes on.
pub(crate) fn deny(request: &str, message: &str) -> Vec<u8> {
    success(request, &json!({ "behavior": "deny", "message": message }))
}

/// A hook without an opinion.
pub(crate) fn pass(request: &str) -> Vec<u8> {
    success(request, &json!({}))
}

/// A hook's word on a call: `deny` or `ask`.
pub(crate) fn decide(request: &str, decision: &str, reason: &str) -> Vec<u8> {
    success(
        request,
        &json!({
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": decision,
                "permissionDecisionReason": reason,
            },
        }),
    )
}

/// A request of the CLI that we do not know.
pub(crate) fn unknown(request: &str, subtype: &str) -> Vec<u8> {
    line(&json!({
        "type": "control_response",
        "response": {
            "subtype": "error",
            "request_id": request,
            "error": format!("not understood here: {subtype}"),
        },
    }))
}

fn success(request: &str, response: &Value) -> Vec<u8> {
    line(&json!({
        "type": "control_response",
        "response": { "subtype": "success", "request_id": request, "response": response },
    }))
}
