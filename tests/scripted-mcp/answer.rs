//! What is answered to which message, whatever carries it.

use crate::{Fault, Options};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;

/// The first revision without a handshake.
const MODERN: &str = "2026-07-28";

const METHOD_NOT_FOUND: i32 = -32601;

/// What becomes of a message.
pub(crate) enum Answer {
    /// It is answered so.
    Message(Value),
    /// It needs no answer.
    Nothing,
    /// It gets none, for ever.
    Never,
    /// It is the last thing that is heard.
    End,
}

pub(crate) fn is_modern(options: &Options) -> bool {
    options.revision.as_str() >= MODERN
}

/// The answer to a message.
pub(crate) fn to(message: &Value, options: &Options) -> Answer {
    let Some(id) = message.get("id") else { return Answer::Nothing };
    let method = message["method"].as_str().unwrap_or_default();
    let fault = options.fault;
    match (method, fault) {
        (_, Some(Fault::Silent)) | ("tools/list", Some(Fault::SilentList)) => Answer::Never,
        ("tools/list", Some(Fault::ExitList)) => Answer::End,
        ("initialize" | "server/discover", Some(Fault::Refuse)) => {
            error(id, -32000, "not today", Value::Null)
        }
        ("tools/list", Some(Fault::RefuseList)) => error(id, -32001, "no list today", Value::Null),
        ("initialize", _) if !is_modern(options) => result(id, initialized(options)),
        ("server/discover", _) if is_modern(options) => result(id, discovered(options)),
        ("ping", _) => result(id, json!({})),
        ("tools/list", _) if options.tools > 0 => result(id, tools(message, options)),
        _ => error(id, METHOD_NOT_FOUND, "Method not found", Value::Null),
    }
}

fn result(id: &Value, result: Value) -> Answer {
    Answer::Message(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

fn error(id: &Value, code: i32, said: &str, data: Value) -> Answer {
    let error = json!({ "code": code, "message": said, "data": data });
    Answer::Message(json!({ "jsonrpc": "2.0", "id": id, "error": error }))
}

fn initialized(options: &Options) -> Value {
    json!({
        "protocolVersion": options.revision,
        "capabilities": capabilities(options),
        "serverInfo": { "name": "scripted", "version": "1.0" },
    })
}

fn discovered(options: &Options) -> Value {
    json!({
        "resultType": "complete",
        "supportedVersions": [options.revision],
        "capabilities": capabilities(options),
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "scripted", "version": "1.0" } },
    })
}

fn capabilities(options: &Options) -> Value {
    if options.tools == 0 { json!({ "prompts": {} }) } else { json!({ "tools": {} }) }
}

fn tools(message: &Value, options: &Options) -> Value {
    if options.fault == Some(Fault::NoList) {
        return json!({ "tools": "many" });
    }
    let from = message["params"]["cursor"].as_str().and_then(|at| at.parse().ok()).unwrap_or(0);
    let size = if options.page == 0 { options.tools } else { options.page };
    let until = options.tools.min(from + size);
    let tool = |number: usize| {
        let mut tool =
            json!({ "name": format!("tool-{number}"), "inputSchema": { "type": "object" } });
        // Not every server says what its tools do.
        if number.is_multiple_of(2) {
            tool["description"] = format!("Does {number} things.").into();
        }
        tool
    };
    let mut page = json!({ "tools": (from..until).map(tool).collect::<Vec<_>>() });
    if options.fault == Some(Fault::Circle) {
        page["nextCursor"] = "0".into();
    } else if until < options.tools {
        page["nextCursor"] = until.to_string().into();
    }
    if is_modern(options) {
        page["resultType"] = "complete".into();
        page["ttlMs"] = 0.into();
        page["cacheScope"] = "private".into();
    }
    page
}

/// What is known of this process.
pub(crate) fn process() -> Value {
    let env = std::env::vars().map(|(name, value)| (name, Value::from(value)));
    json!({
        "pid": std::process::id(),
        "env": env.collect::<serde_json::Map<_, _>>(),
        "args": std::env::args().skip(1).collect::<Vec<_>>(),
        "dir": std::env::current_dir().ok(),
    })
}

/// Writes a line down.
pub(crate) fn note(options: &Options, line: Value) {
    let Some(path) = &options.notes else { return };
    let file = OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    written.expect("the notes can be written");
}
