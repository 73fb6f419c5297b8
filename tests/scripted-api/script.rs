//! The scenarios: what a request that asks for one is answered. Sends nothing itself.
//!
//! All arguments are optional; `delay` and `ttft` (seconds) go with every scenario. What fails
//! (from `error` to `stall`) takes `times`, after which it goes well (0: never), and an `id` that
//! keeps one count apart from another.
//!
//! | Name | Arguments | Answer |
//! |---|---|---|
//! | `echo` | | the prompt back |
//! | `text` | `tokens` 20, `utf8`, or `bytes` | so many words, or a text of that size |
//! | `say` | `text` | exactly that |
//! | `thinking` | `tokens` 10, `then` | a thinking block, then text |
//! | `tool` | `name`, `input`, `say`, `then` | one tool call; text once its result is in |
//! | `tools` | `calls` [{name, input}], `then` | calls side by side |
//! | `script` | `steps` [{scenario, …}] | a step for each model request of the turn |
//! | `error` | `status` 500, `message`, `type`, `retry_after`, `should_retry` | an error answer |
//! | `stream_error` | `after` 3, `type` | an `error` event in the stream |
//! | `disconnect` | `after` 3 | drops the connection in the stream |
//! | `stall` | `after` 3, `seconds` 30 | some words, then pings only |
//! | `slow` | `tokens` 200, `delay` 0.1 | `text`, slowly |
//! | `max_tokens` | `tokens` 5 | stops at the limit |
//! | `refusal` | `text` | stops with a refusal |
//! | `empty` | | no content |
//! | `ratelimit` | `status`, `reset`, `claim`, `utilization` | text with the rate limit headers |
//! | `demo` | | says that it is a demonstration |

use std::time::Duration;

use serde_json::{Value, json};

use crate::args::{Args, count, flag, seconds, text};
use crate::ask::{Choice, messages, newest_prompt};
use crate::error::ApiError;
use crate::state::State;
use crate::words;

const BYTES_MAX: usize = 64 << 20;
const PROMPT_SHOWN_CHARS: usize = 400;

/// A composed answer: blocks to send, and what happens between and after them.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub blocks: Vec<Value>,
    /// Between two pieces.
    pub delay: Duration,
    /// Before the first byte.
    pub ttft: Duration,
    pub stop_reason: &'static str,
    /// Pieces of text that go out before the stream breaks, and how it breaks.
    pub cut: Option<(usize, Cut)>,
    pub headers: Vec<(&'static str, String)>,
}

/// How a stream breaks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cut {
    Disconnect,
    /// Pings for so long, then on with the text.
    Stall(Duration),
    /// An `error` event of this kind.
    Error(String),
}

impl Reply {
    fn text(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(json!({"type": "text", "text": text.into()}));
        self
    }

    fn tool(mut self, name: &str, input: Value) -> Self {
        let id = format!("toolu_{}", hex());
        self.blocks.push(json!({"type": "tool_use", "id": id, "name": name, "input": input}));
        self.stop_reason = "tool_use";
        self
    }
}

/// 24 random hexadecimal digits, as the API's ids have them.
pub(crate) fn hex() -> String {
    let mut digits = uuid::Uuid::new_v4().simple().to_string();
    digits.truncate(24);
    digits
}

/// Makes the answer to a request.
pub(crate) fn compose(choice: &Choice, body: &Value, state: &State) -> Result<Reply, ApiError> {
    let args = &choice.args;
    let options = &state.options;
    if choice.scenario == "script" {
        return compose(&step_of(choice), body, state);
    }
    let pause = if choice.scenario == "slow" { 0.1 } else { options.delay };
    let reply = Reply {
        blocks: Vec::new(),
        delay: seconds(args, "delay", pause)?,
        ttft: seconds(args, "ttft", options.ttft)?,
        stop_reason: "end_turn",
        cut: None,
        headers: Vec::new(),
    };
    let then = |default: &str| text(args, "then", default).to_owned();
    Ok(match choice.scenario.as_str() {
        "echo" => reply.text(format!("You said: {}", prompt(body))),
        "demo" => reply.text(demonstration(&prompt(body))),
        "say" => reply.text(text(args, "text", "Hello from the scripted API.")),
        "text" => reply.text(running_text(args, 20)),
        "slow" => reply.text(running_text(args, 200)),
        "thinking" => {
            let thought = words::words(count(args, "tokens", 10), false);
            let mut reply = reply;
            reply.blocks.push(json!({
                "type": "thinking", "thinking": thought, "signature": "c2NyaXB0ZWQ=",
            }));
            reply.text(then("Having thought, I answer."))
        }
        "tool" | "tools" if choice.step > 0 => reply.text(then("The tool answered; done.")),
        "tool" => call(args, reply),
        "tools" => calls(args, reply),
        "error" => return fail(args, reply, state),
        "stream_error" | "disconnect" | "stall" => breaks(choice, reply, state)?,
        "max_tokens" => {
            let reply = reply.text(words::words(count(args, "tokens", 5), false));
            Reply { stop_reason: "max_tokens", ..reply }
        }
        "refusal" => Reply { stop_reason: "refusal", ..reply.text(text(args, "text", "")) },
        "empty" => reply,
        "ratelimit" => Reply { headers: rate_limit(args), ..reply }.text("Close to the limit."),
        other => {
            return Err(ApiError::new(400, format!("scripted API: no scenario '{other}'")));
        }
    })
}

/// The step of a script that is due. Its tool calls are a request each, never "their second half".
fn step_of(choice: &Choice) -> Choice {
    let steps = choice.args.get("steps").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let due = steps.get(choice.step).or(steps.last()).and_then(Value::as_object);
    let mut args = due.cloned().unwrap_or_default();
    let scenario = match args.remove("scenario") {
        Some(Value::String(name)) => name,
        _ if due.is_none() => "echo".to_owned(),
        _ => "say".to_owned(),
    };
    Choice { scenario, args, step: 0 }
}

fn prompt(body: &Value) -> String {
    match newest_prompt(messages(body)) {
        Some((_, text)) => text.chars().take(PROMPT_SHOWN_CHARS).collect(),
        None => "(nothing)".to_owned(),
    }
}

fn demonstration(prompt: &str) -> String {
    format!(
        "This answer is scripted: no real model wrote it. Your message went all the way, through \
         the Parachute server, its agent and the Claude CLI, to a small demonstration endpoint \
         that can only repeat it: \u{201c}{prompt}\u{201d}\n\nTo talk to a real model, stop this, \
         set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN, and start again."
    )
}

fn running_text(args: &Args, tokens: usize) -> String {
    let wide = flag(args, "utf8");
    match args.get("bytes").and_then(Value::as_u64) {
        Some(bytes) => {
            words::filler(usize::try_from(bytes).map_or(BYTES_MAX, |b| b.min(BYTES_MAX)), wide)
        }
        None => words::words(count(args, "tokens", tokens), wide),
    }
}

fn call(args: &Args, mut reply: Reply) -> Reply {
    let before = text(args, "say", "");
    if !before.is_empty() {
        reply = reply.text(before);
    }
    let input = args.get("input").cloned();
    let input = input.unwrap_or_else(|| json!({"command": "echo hi", "description": "Say hi"}));
    reply.tool(text(args, "name", "Bash"), input)
}

fn calls(args: &Args, mut reply: Reply) -> Reply {
    for call in args.get("calls").and_then(Value::as_array).map_or(&[][..], Vec::as_slice) {
        let input = call.get("input").cloned().unwrap_or_else(|| json!({}));
        reply = reply.tool(call["name"].as_str().unwrap_or("Bash"), input);
    }
    reply
}

fn fail(args: &Args, reply: Reply, state: &State) -> Result<Reply, ApiError> {
    let status = args.get("status").and_then(Value::as_u64).unwrap_or(500);
    let Some(status) = u16::try_from(status).ok().filter(|code| (400..600).contains(code)) else {
        return Err(ApiError::new(400, format!("scripted API: no error status {status}")));
    };
    if recovered(args, &format!("error {status}"), state) {
        return Ok(reply.text("Recovered after the errors."));
    }
    let mut error = ApiError::of(status);
    error.message = text(args, "message", &error.message).to_owned();
    error.kind = text(args, "type", &error.kind).to_owned();
    if let Some(after) = args.get("retry_after") {
        error.headers.push(("retry-after", after.to_string()));
    }
    if args.contains_key("should_retry") {
        error.headers.push(("x-should-retry", flag(args, "should_retry").to_string()));
    }
    Err(error)
}

fn breaks(choice: &Choice, reply: Reply, state: &State) -> Result<Reply, ApiError> {
    let args = &choice.args;
    if recovered(args, &choice.scenario, state) {
        return Ok(reply.text("Recovered after the broken streams."));
    }
    let cut = match choice.scenario.as_str() {
        "disconnect" => Cut::Disconnect,
        "stall" => Cut::Stall(seconds(args, "seconds", 30.0)?),
        _ => Cut::Error(text(args, "type", "overloaded_error").to_owned()),
    };
    let after = count(args, "after", 3);
    let reply = reply.text(words::words(20.max(after + 5), false));
    Ok(Reply { cut: Some((after, cut)), ..reply })
}

/// Whether what fails `times` times (0: always) has done so; the count goes by `times` and `id`.
fn recovered(args: &Args, what: &str, state: &State) -> bool {
    let times = args.get("times").and_then(Value::as_u64).unwrap_or(0);
    let id = args.get("id").unwrap_or(&Value::Null);
    times > 0 && state.count(format!("{what} {times} {id}")) > times
}

fn rate_limit(args: &Args) -> Vec<(&'static str, String)> {
    let in_an_hour = jiff::Timestamp::now().as_second() + 3600;
    let reset = args.get("reset").and_then(Value::as_i64).unwrap_or(in_an_hour).to_string();
    let used = args.get("utilization").and_then(Value::as_f64).unwrap_or(0.91);
    vec![
        ("anthropic-ratelimit-unified-status", text(args, "status", "allowed_warning").to_owned()),
        ("anthropic-ratelimit-unified-reset", reset.clone()),
        (
            "anthropic-ratelimit-unified-representative-claim",
            text(args, "claim", "five_hour").to_owned(),
        ),
        ("anthropic-ratelimit-unified-5h-utilization", used.to_string()),
        ("anthropic-ratelimit-unified-5h-reset", reset),
        ("anthropic-ratelimit-unified-5h-surpassed-threshold", "0.9".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use clap::Parser;

    fn state() -> State {
        State::open(Options::parse_from(["scripted-api"])).unwrap()
    }

    fn at(prompt: &str, step: usize, state: &State) -> Result<Reply, ApiError> {
        let body = json!({"messages": [{"role": "user", "content": prompt}]});
        let choice = Choice { step, ..crate::ask::choose(&body, "echo") };
        compose(&choice, &body, state)
    }

    fn only_text(reply: &Reply) -> &str {
        assert_eq!(reply.blocks.len(), 1, "{reply:?}");
        reply.blocks[0]["text"].as_str().unwrap()
    }

    #[test]
    fn plain_scenarios() {
        let state = state();
        let text = |prompt: &str| only_text(&at(prompt, 0, &state).unwrap()).to_owned();
        assert_eq!(text("hello"), "You said: hello");
        assert_eq!(text(r#"[[scripted:say {"text":"x"}]]"#), "x");
        assert_eq!(text(r#"[[scripted:text {"tokens":3}]]"#), "alpha beta gamma");
        assert_eq!(text(r#"[[scripted:text {"bytes":1000,"utf8":true}]]"#).len(), 1000);
        assert!(text(r#"[[scripted:text {"utf8":true}]]"#).contains('🌊'));
        assert!(at("[[scripted:empty]]", 0, &state).unwrap().blocks.is_empty());
        assert_eq!(at("[[scripted:max_tokens]]", 0, &state).unwrap().stop_reason, "max_tokens");
        assert_eq!(at("[[scripted:nonsense]]", 0, &state).unwrap_err().status, 400);
        assert_eq!(at(r#"[[scripted:say {"delay":-1}]]"#, 0, &state).unwrap_err().status, 400);
        assert!(text("[[scripted:demo]]").contains("no real model"));
    }

    #[test]
    fn a_tool_is_called_once() {
        let state = state();
        let prompt = r#"[[scripted:tool {"name":"Write","say":"first","then":"last"}]]"#;
        let reply = at(prompt, 0, &state).unwrap();
        assert_eq!((&reply.blocks[1]["name"], reply.stop_reason), (&json!("Write"), "tool_use"));
        assert_eq!(only_text(&at(prompt, 1, &state).unwrap()), "last");
    }

    #[test]
    fn a_script_steps_with_the_tool_rounds() {
        let state = state();
        let prompt = r#"[[scripted:script {"steps":[
            {"scenario":"tool","name":"A"},{"scenario":"tool","name":"B"},{"text":"end"}]}]]"#;
        let name = |step| at(prompt, step, &state).unwrap().blocks[0]["name"].clone();
        assert_eq!((name(0), name(1)), (json!("A"), json!("B")));
        assert_eq!(only_text(&at(prompt, 2, &state).unwrap()), "end");
        assert_eq!(only_text(&at(prompt, 9, &state).unwrap()), "end", "the last step stays");
    }

    #[test]
    fn errors_stop_after_their_times() {
        let state = state();
        let prompt = r#"[[scripted:error {"status":429,"times":2,"retry_after":1}]]"#;
        for _ in 0..2 {
            let error = at(prompt, 0, &state).unwrap_err();
            assert_eq!((error.status, error.kind.as_str()), (429, "rate_limit_error"));
            assert_eq!(error.headers, [("retry-after", "1".to_owned())]);
        }
        assert!(at(prompt, 0, &state).is_ok());
        let always = "[[scripted:stream_error]]";
        for _ in 0..3 {
            let reply = at(always, 0, &state).unwrap();
            assert_eq!(reply.cut, Some((3, Cut::Error("overloaded_error".into()))));
        }
    }
}
