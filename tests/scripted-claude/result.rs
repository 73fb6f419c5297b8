//! The end of a turn: its `result` line, the prompts' last `command_lifecycle`, and what the
//! transcript keeps of it.

use serde_json::{Value, json};

use crate::shape;
use crate::talk::Talk;
use crate::turn::{INPUT_TOKENS, Stop, Turn};

/// Dollars for a token, input and output.
const PRICE: (f64, f64) = (4e-6, 20e-6);

/// How a turn ended.
pub(crate) enum End {
    Completed,
    Interrupted(Stop),
    ApiError { text: String, status: u16, kind: &'static str },
}

/// Says the end of a turn.
pub(crate) fn say(talk: &mut Talk, turn: &Turn, end: &End) {
    let input = turn.requests * INPUT_TOKENS;
    let cost = input as f64 * PRICE.0 + turn.output as f64 * PRICE.1;
    talk.transcript.cost += cost;
    talk.tokens.0 += input;
    talk.tokens.1 += turn.output;
    let mut line = shape::result();
    // A message that was broken off costs, and is not counted.
    let (broken_input, broken_output) = match end {
        End::Interrupted(Stop::Streaming) => (INPUT_TOKENS, turn.last_output),
        _ => (0, 0),
    };
    line["usage"]["input_tokens"] = json!(input.saturating_sub(broken_input));
    line["usage"]["output_tokens"] = json!(turn.output - broken_output);
    line["total_cost_usd"] = json!(talk.transcript.cost);
    line["modelUsage"] = models(talk, talk.tokens, talk.transcript.cost);
    line["model_usage_since_last_result"] = models(talk, (input, turn.output), cost);
    line["num_turns"] = json!(turn.rounds);
    line["permission_denials"] = json!(turn.denials);
    line["duration_ms"] = json!(elapsed(turn));
    line["duration_api_ms"] = json!(elapsed(turn));
    line["result_index"] = json!(talk.results);
    line["result"] = json!(turn.text);
    for mark in ["user_message_uuid", "user_message_uuids"] {
        without(&mut line, mark);
    }
    turn.mark(&mut line);
    outcome(&mut line, end);
    talk.failed = line["is_error"] == true;
    talk.results += 1;
    talk.transcript.settle(&turn.prompt);
    talk.say(line);
    let state = if matches!(end, End::Interrupted(_)) { "cancelled" } else { "completed" };
    for uuid in &turn.uuids {
        talk.lifecycle(Some(uuid), state);
    }
    if talk.queue.is_empty() {
        talk.state("idle");
    }
}

fn outcome(line: &mut Value, end: &End) {
    match end {
        End::Completed => {}
        End::Interrupted(stop) => {
            let (reason, stop_reason) = match stop {
                Stop::Streaming => ("aborted_streaming", Value::Null),
                Stop::Tools => ("aborted_tools", json!("tool_use")),
            };
            let shown = stop_reason.as_str().unwrap_or("null");
            line["errors"] = json!([format!(
                "[ede_diagnostic] result_type=user last_content_type=n/a stop_reason={shown}"
            )]);
            line["subtype"] = json!("error_during_execution");
            line["is_error"] = json!(true);
            line["terminal_reason"] = json!(reason);
            line["stop_reason"] = stop_reason;
            without(line, "result");
            without(line, "api_error_status");
            never_answered(line);
        }
        End::ApiError { text, status, kind } => {
            line["result"] = json!(text);
            line["is_error"] = json!(true);
            line["terminal_reason"] = json!("api_error");
            line["stop_reason"] = json!("stop_sequence");
            line["api_error_status"] = json!(status);
            line["api_error_type"] = json!(kind);
            never_answered(line);
        }
    }
}

/// What a result has only if the model answered.
fn never_answered(line: &mut Value) {
    for field in [
        "ttft_ms",
        "ttft_stream_ms",
        "time_to_request_ms",
        "first_content_frame_ms",
        "request_sent_wall_ms",
        "first_request_input_tokens",
        "first_request_cache_read_input_tokens",
    ] {
        without(line, field);
    }
}

fn without(line: &mut Value, field: &str) {
    line.as_object_mut().expect("a result is an object").shift_remove(field);
}

fn models(talk: &Talk, tokens: (u64, u64), cost: f64) -> Value {
    let recorded = shape::result()["modelUsage"].take();
    let entries = recorded.as_object().and_then(|models| models.values().next());
    let mut entry = entries.cloned().expect("the recording names a model");
    entry["inputTokens"] = json!(tokens.0);
    entry["outputTokens"] = json!(tokens.1);
    entry["costUSD"] = json!(cost);
    entry["canonicalModel"] = json!(talk.model);
    json!({ talk.model.as_str(): entry })
}

fn elapsed(turn: &Turn) -> u64 {
    u64::try_from(turn.started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
