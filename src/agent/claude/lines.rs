//! Reading a line of the CLI. Text pieces, which are nearly all lines, are cut out in one pass
//! with nothing copied; what is rare is read as a value and looked at with care.

use crate::spent::Tokens;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use wire::chat::McpStatus;

/// What the CLI has, as it says when it is ready.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Ready {
    pub(crate) tools: Vec<String>,
    pub(crate) permission_mode: Option<String>,
    pub(crate) skills: Vec<String>,
    pub(crate) agents: Vec<String>,
    pub(crate) mcp_servers: Vec<McpStatus>,
}

/// A line, as far as a turn cares.
#[derive(Debug, PartialEq)]
pub(crate) enum Line<'a> {
    /// A piece of the answer's text.
    Text(Cow<'a, str>),
    /// A piece of thinking, in this content block.
    Thinking(u64, Cow<'a, str>),
    /// A message of the model begins.
    MessageStart { id: String, model: Option<String>, tokens: Tokens },
    /// What the message that is being streamed has come to.
    MessageDelta(Tokens),
    /// A content block of a message, whole; text in it was streamed before, or was not.
    Assistant(Assistant),
    /// What a tool answered.
    ToolResult { id: String, content: String, is_error: bool },
    /// The CLI is ready for a turn.
    Init { ready: Ready, version: Option<String> },
    /// The model's service failed and is asked again.
    Retry { attempt: u64, of: u64, status: Option<u64>, error: String, delay_ms: f64 },
    /// How near a limit is.
    RateLimit { status: String, kind: String, utilization: Option<f64> },
    /// The CLI asks us; the rest of it is in the request.
    Asks { request: String, subtype: String, body: Map<String, Value> },
    /// The CLI takes a question back.
    Withdrawn(String),
    /// A prompt was dealt with.
    Finished(String),
    /// The conversation was begun anew under another id.
    Reset(String),
    /// A call was refused by the CLI's own rules.
    Denied { tool: String, message: String },
    /// A turn ended.
    Result(Box<Ended>),
    /// Nothing that a turn cares about.
    Other,
}

/// A content block of the model.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Assistant {
    pub(crate) message_id: String,
    pub(crate) model: Option<String>,
    pub(crate) tokens: Tokens,
    pub(crate) text: Option<String>,
    pub(crate) thinking: Option<String>,
    pub(crate) tools: Vec<(String, String, Map<String, Value>)>,
    /// The CLI's name of an error that this message reports.
    pub(crate) error: Option<String>,
}

/// A `result` line.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Ended {
    pub(crate) is_error: bool,
    pub(crate) subtype: String,
    pub(crate) reason: String,
    pub(crate) text: String,
    pub(crate) errors: Vec<String>,
    pub(crate) status: Option<u64>,
    pub(crate) prompts: Option<Vec<String>>,
    pub(crate) tokens: Tokens,
    pub(crate) total_cost_usd: Option<f64>,
}

#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    event: PieceEvent<'a>,
    #[serde(borrow, default)]
    parent_tool_use_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct PieceEvent<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    index: u64,
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking: Option<Cow<'a, str>>,
}

/// Reads a line. None: it is not the CLI's protocol.
pub(crate) fn read(line: &[u8]) -> Option<Line<'_>> {
    if let Some(line) = pieces(line) {
        return Some(line);
    }
    if let Ok(value) = serde_json::from_slice(line) {
        return Some(rare(&value));
    }
    let mended = whole_characters(line)?;
    Some(match pieces(mended.as_bytes()) {
        Some(Line::Text(text)) => Line::Text(text.into_owned().into()),
        Some(Line::Thinking(index, text)) => Line::Thinking(index, text.into_owned().into()),
        Some(_) => Line::Other,
        None => rare(&serde_json::from_str(&mended).ok()?),
    })
}

/// A piece of text or thinking; `Other` for a piece of something else.
fn pieces(line: &[u8]) -> Option<Line<'_>> {
    if let Ok(piece) = serde_json::from_slice::<Piece<'_>>(line)
        && piece.kind == "stream_event"
        && piece.event.kind == "content_block_delta"
    {
        let nested = piece.parent_tool_use_id.is_some();
        return Some(match (piece.event.delta, nested) {
            (_, true) => Line::Other,
            (Delta { kind, text: Some(text), .. }, _) if kind == "text_delta" => Line::Text(text),
            (Delta { kind, thinking: Some(t), .. }, _) if kind == "thinking_delta" => {
                Line::Thinking(piece.event.index, t)
            }
            _ => Line::Other,
        });
    }
    None
}

/// JavaScript writes half of a character that was cut in two as `\\ud83d`, which is no text.
/// Such halves become the replacement character. None: there are none.
fn whole_characters(line: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(line).ok()?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let length = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                changed = true;
                out.push_str("\\ufffd");
                rest = &escape[6..];
                continue;
            }
            (Some(_), _) => 6,
            // `\\` and what it escapes, whatever that is.
            (None, _) => escape.char_indices().nth(2).map_or(escape.len(), |(at, _)| at),
        };
        out.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    out.push_str(rest);
    changed.then_some(out)
}

/// The code unit of an escape such as `\\u00e9`.
fn unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

fn rare(line: &Map<String, Value>) -> Line<'static> {
    // What a subagent says is its caller's business; the call's result will tell.
    let nested = line.get("parent_tool_use_id").is_some_and(|p| !p.is_null());
    match (text(line, "type"), nested) {
        ("stream_event", false) => stream_event(line),
        ("assistant", false) => assistant(line),
        ("user", false) => tool_result(line),
        ("system", _) => system(line),
        ("result", _) => Line::Result(Box::new(result(line))),
        ("control_request", _) => asks(line),
        ("control_cancel_request", _) => Line::Withdrawn(text(line, "request_id").into()),
        ("command_lifecycle", _) => match text(line, "state") {
            "completed" | "cancelled" => Line::Finished(text(line, "command_uuid").into()),
            _ => Line::Other,
        },
        ("conversation_reset", _) => {
            let new = ["new_session_id", "new_conversation_id", "session_id"];
            let id = new.iter().map(|n| text(line, n)).find(|id| !id.is_empty());
            Line::Reset(id.unwrap_or_default().into())
        }
        ("rate_limit_event", _) => rate_limit(line),
        _ => Line::Other,
    }
}

fn stream_event(line: &Map<String, Value>) -> Line<'static> {
    let event = object(line, "event");
    let message = object(event, "message");
    match text(event, "type") {
        "message_start" => Line::MessageStart {
            id: text(message, "id").into(),
            model: some(message, "model"),
            tokens: Tokens::read(object(message, "usage")),
        },
        "message_delta" => Line::MessageDelta(Tokens::read(object(event, "usage"))),
        _ => Line::Other,
    }
}

fn assistant(line: &Map<String, Value>) -> Line<'static> {
    let message = object(line, "message");
    let mut out = Assistant {
        message_id: text(message, "id").into(),
        model: some(message, "model").filter(|m| m != "<synthetic>"),
        tokens: Tokens::read(object(message, "usage")),
        error: some(line, "error"),
        ..Assistant::default()
    };
    let blocks = message.get("content").and_then(Value::as_array);
    for block in blocks.into_iter().flatten().filter_map(Value::as_object) {
        match text(block, "type") {
            "text" => out.text.get_or_insert_default().push_str(text(block, "text")),
            "thinking" => out.thinking.get_or_insert_default().push_str(text(block, "thinking")),
            "tool_use" => out.tools.push((
                text(block, "id").into(),
                text(block, "name").into(),
                object(block, "input").clone(),
            )),
            _ => {}
        }
    }
    Line::Assistant(out)
}

fn tool_result(line: &Map<String, Value>) -> Line<'static> {
    let replay = line.get("isReplay").and_then(Value::as_bool).unwrap_or_default();
    let blocks = object(line, "message").get("content").and_then(Value::as_array);
    let mut blocks = blocks.into_iter().flatten().filter_map(Value::as_object);
    // The CLI sends one result a line.
    match blocks.find(|b| text(b, "type") == "tool_result").filter(|_| !replay) {
        Some(block) => Line::ToolResult {
            id: text(block, "tool_use_id").into(),
            content: plain(block.get("content")),
            is_error: block.get("is_error").and_then(Value::as_bool).unwrap_or_default(),
        },
        None => Line::Other,
    }
}

/// A result's content as text: itself, or its text blocks, with what is no text named.
fn plain(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(blocks)) => {
            let of_block = |block: &Value| match block.get("text").and_then(Value::as_str) {
                Some(text) => text.to_owned(),
                None => format!("[{}]", block.get("type").and_then(Value::as_str).unwrap_or("?")),
            };
            blocks.iter().map(of_block).collect::<Vec<_>>().join("\n")
        }
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

fn servers(line: &Map<String, Value>) -> Vec<McpStatus> {
    let listed = line.get("mcp_servers").and_then(Value::as_array).into_iter().flatten();
    let named = listed.filter_map(Value::as_object).map(|server| McpStatus {
        name: text(server, "name").to_owned(),
        status: text(server, "status").to_owned(),
    });
    named.collect()
}

fn system(line: &Map<String, Value>) -> Line<'static> {
    match text(line, "subtype") {
        "init" => Line::Init {
            ready: Ready {
                tools: strings(line, "tools").unwrap_or_default(),
                permission_mode: some(line, "permissionMode"),
                skills: strings(line, "skills").unwrap_or_default(),
                agents: strings(line, "agents").unwrap_or_default(),
                mcp_servers: servers(line),
            },
            version: some(line, "claude_code_version"),
        },
        "api_retry" => Line::Retry {
            attempt: number(line, "attempt") as u64,
            of: number(line, "max_retries") as u64,
            status: line.get("error_status").and_then(Value::as_f64).map(|n| n as u64),
            error: text(line, "error").into(),
            delay_ms: number(line, "retry_delay_ms"),
        },
        "permission_denied" => Line::Denied {
            tool: text(line, "tool_name").into(),
            message: text(line, "message").into(),
        },
        _ => Line::Other,
    }
}

fn rate_limit(line: &Map<String, Value>) -> Line<'static> {
    let info = line.get("rate_limit_info").and_then(Value::as_object).unwrap_or(line);
    Line::RateLimit {
        status: text(info, "status").into(),
        kind: text(info, "rateLimitType").into(),
        utilization: info.get("utilization").and_then(Value::as_f64),
    }
}

fn asks(line: &Map<String, Value>) -> Line<'static> {
    let body = object(line, "request").clone();
    let subtype = text(&body, "subtype").to_owned();
    Line::Asks { request: text(line, "request_id").into(), subtype, body }
}

fn result(line: &Map<String, Value>) -> Ended {
    Ended {
        is_error: line.get("is_error").and_then(Value::as_bool).unwrap_or_default(),
        subtype: text(line, "subtype").into(),
        reason: text(line, "terminal_reason").into(),
        text: text(line, "result").into(),
        errors: strings(line, "errors").unwrap_or_default(),
        status: line.get("api_error_status").and_then(Value::as_f64).map(|n| n as u64),
        prompts: strings(line, "user_message_uuids"),
        tokens: Tokens::read(object(line, "usage")),
        total_cost_usd: line.get("total_cost_usd").and_then(Value::as_f64),
    }
}

pub(super) fn text<'v>(map: &'v Map<String, Value>, name: &str) -> &'v str {
    map.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn some(map: &Map<String, Value>, name: &str) -> Option<String> {
    map.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn number(map: &Map<String, Value>, name: &str) -> f64 {
    map.get(name).and_then(Value::as_f64).unwrap_or_default()
}

fn strings(map: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    let listed = map.get(name)?.as_array()?;
    Some(listed.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn object<'v>(map: &'v Map<String, Value>, name: &str) -> &'v Map<String, Value> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    map.get(name).and_then(Value::as_object).unwrap_or(&EMPTY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_piece_of_text_is_cut_out_and_a_subagents_is_not() {
        let line = br#"{"type":"stream_event","event":{"type":"content_block_delta","index":0,
            "delta":{"type":"text_delta","text":"a\"b"}},"parent_tool_use_id":null}"#;
        assert_eq!(read(line), Some(Line::Text("a\"b".into())));
        let nested = String::from_utf8_lossy(line).replace("null", "\"toolu_1\"");
        assert_eq!(read(nested.as_bytes()), Some(Line::Other));
    }

    #[test]
    fn what_is_unknown_passes_and_what_is_no_protocol_does_not() {
        assert_eq!(read(br#"{"type":"newly_invented","x":[1]}"#), Some(Line::Other));
        assert!(read(br#"{"type":"result","usage":{"input_tokens":1.5}}"#).is_some());
        assert_eq!(read(b"npm warn something"), None);
        assert_eq!(read(b"[1,2]"), None);
    }

    #[test]
    fn half_a_character_costs_that_character_and_not_the_line() {
        let line = r#"{"type":"user","message":{"content":[{"type":"tool_result",
            "tool_use_id":"t","content":"a\ud83d b \ud83d\ude00 \\ud83d"}]}}"#;
        let Some(Line::ToolResult { content, .. }) = read(line.as_bytes()) else {
            panic!("not read")
        };
        assert_eq!(content, "a\u{fffd} b 😀 \\ud83d");
    }

    proptest! {
        #[test]
        fn no_line_panics(bytes: Vec<u8>, text: String) {
            let _ = read(&bytes);
            let _ = read(format!("{{\"type\":\"system\",\"x\":{text:?}}}").as_bytes());
        }
    }
}
