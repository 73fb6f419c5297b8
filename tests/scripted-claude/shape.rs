//! The shapes of lines, taken from the recorded conversations themselves, so that what this
//! program says cannot drift from what the real one said. Values are the caller's business.

use serde_json::{Value, json};

const TURN: &str = include_str!("../golden/claude/session-state-and-replay.jsonl");
const REFUSED: &str = include_str!("../golden/claude/error-401.jsonl");
const MISSING: &str = include_str!("../golden/claude/resume-missing.jsonl");

fn recorded(recording: &str, is: impl Fn(&Value) -> bool) -> Value {
    let lines = recording.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut messages = lines.filter_map(|mut line| line.get_mut("out").map(Value::take));
    messages.find(|message| is(message)).expect("the recording has such a line")
}

/// The `control_response` to `initialize`.
pub(crate) fn initialized() -> Value {
    recorded(TURN, |message| message["type"] == "control_response")
}

/// `system/init`.
pub(crate) fn init() -> Value {
    recorded(TURN, |message| message["subtype"] == "init")
}

/// The `result` of a turn that went well.
pub(crate) fn result() -> Value {
    recorded(TURN, |message| message["type"] == "result")
}

/// The `result` of a session that is not there.
pub(crate) fn resume_missing() -> Value {
    recorded(MISSING, |message| message["type"] == "result")
}

/// The synthetic `assistant` line of an API error.
pub(crate) fn api_error() -> Value {
    recorded(REFUSED, |message| message["type"] == "assistant")
}

/// The API's usage for one request.
pub(crate) fn usage(input: u64, output: u64) -> Value {
    json!({
        "input_tokens": input,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    })
}

/// Now, as lines and transcripts have it.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
