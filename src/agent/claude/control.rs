//! What we write to the CLI: one JSON object a line. A line that is not JSON would end it.

use serde_json::{Map, Value, json};
use std::path::Path;
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

/// What is left alone: the CLI's own searches pass over what it may not read, and its commands
/// do where it understands them. Each time in place of what was said before. `patterns` are of
/// `.gitignore`, from the vault on.
pub(crate) fn leave_alone(vault: &Path, patterns: &[&str]) -> Vec<u8> {
    let mut top = String::new();
    for c in vault.to_string_lossy().trim_end_matches('/').chars() {
        top.extend("*?[]{}!\\".contains(c).then_some('\\').into_iter().chain([c]));
    }
    let denied = |pattern: &&str| {
        let escaped = pattern.starts_with("\\#") || pattern.starts_with("\\!");
        let pattern = if escaped { &pattern[1..] } else { pattern };
        let names = pattern.strip_prefix('/').unwrap_or(pattern).trim_end_matches('/');
        // Which is nothing to git, and may be anything to others.
        if names.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return None;
        }
        // In git's words: only one with a slash before its end says where.
        let is_placed = pattern.trim_end_matches('/').contains('/');
        let below = if is_placed { "" } else { "**/" };
        Some(format!("Read(/{top}/{below}{})", pattern.trim_start_matches('/')))
    };
    let denied: Vec<String> =
        ["/.parachute/**"].iter().chain(patterns).filter_map(denied).collect();
    line(&json!({
        "type": "control_request",
        "request_id": "leave_alone",
        "request": {
            "subtype": "apply_flag_settings",
            "settings": { "permissions": { "deny": denied } },
        },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stay_within_the_vault() {
        let told = leave_alone(
            Path::new("/home/x/my [v]*"),
            &[
                "Journal/", "*.tmp", "/top", "a/b/*.md", "**/deep", "\\#odd", "\\!odd", "a (b)",
                "/", "../x", "a//b",
            ],
        );
        let told: Value = serde_json::from_slice(&told).expect("JSON");
        let denied = [
            ".parachute/**",
            "**/Journal/",
            "**/*.tmp",
            "top",
            "a/b/*.md",
            "**/deep",
            "**/#odd",
            "**/!odd",
            "**/a (b)",
        ];
        let denied = denied.map(|pattern| format!("Read(//home/x/my \\[v\\]\\*/{pattern})"));
        assert_eq!(told["request"]["settings"]["permissions"]["deny"], json!(denied));
    }
}
