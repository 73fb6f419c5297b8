//! stdin: one JSON object a line, sorted by a thread of its own, so that an interrupt is seen
//! while the turn talks. A line that is no JSON is fatal, as it is to the real CLI.

use std::io::BufRead;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use serde_json::Value;

/// Messages read ahead of the turn; a host that sends more waits.
const AHEAD_MAX: usize = 1024;

/// What the host says. The end of stdin is the end of the channel.
#[derive(Debug)]
pub(crate) enum Incoming {
    Prompt(Prompt),
    /// `control_request`: id and request.
    Request(String, Value),
    /// `control_response`: id and response or error.
    Answer(String, Result<Value, String>),
}

/// A user message.
#[derive(Debug, Clone)]
pub(crate) struct Prompt {
    pub uuid: Option<String>,
    pub text: String,
    /// The message as it came, for the transcript.
    pub message: Value,
}

/// Starts the reader.
pub(crate) fn open() -> Receiver<Incoming> {
    let (sender, receiver) = sync_channel(AHEAD_MAX);
    std::thread::spawn(move || read(&sender));
    receiver
}

fn read(sender: &SyncSender<Incoming>) {
    for line in std::io::stdin().lock().split(b'\n') {
        let Ok(line) = line else { return };
        if line.trim_ascii().is_empty() {
            continue;
        }
        let Ok(message) = serde_json::from_slice::<Value>(&line) else {
            let length = line.len();
            eprintln!(
                "Error parsing streaming input line (type=unknown, {length} chars): SyntaxError"
            );
            std::process::exit(1);
        };
        if let Some(incoming) = sort(message)
            && sender.send(incoming).is_err()
        {
            return;
        }
    }
}

/// Unknown types are passed over.
fn sort(mut message: Value) -> Option<Incoming> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match message["type"].as_str()? {
        "user" => Some(Incoming::Prompt(Prompt {
            uuid: message["uuid"].as_str().map(str::to_owned),
            text: content(&message["message"]["content"]),
            message: message["message"].take(),
        })),
        "control_request" => {
            Some(Incoming::Request(text(&message["request_id"]), message["request"].take()))
        }
        "control_response" => {
            let response = &mut message["response"];
            let id = text(&response["request_id"]);
            let answer = match response["subtype"] == "success" {
                true => Ok(response["response"].take()),
                false => Err(text(&response["error"])),
            };
            Some(Incoming::Answer(id, answer))
        }
        _ => None,
    }
}

fn content(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts: Vec<&str> =
                blocks.iter().filter_map(|block| block["text"].as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}
