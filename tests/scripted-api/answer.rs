//! Sends a composed answer, as one JSON message or as the event stream of the real API.
//! Decides nothing about what is said.

use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::ask::messages;
use crate::script::{Cut, Reply, hex};
use crate::words;

/// A piece of a body; the error ends the connection without an end of the body.
pub(crate) type Piece = Result<Frame<Bytes>, std::io::Error>;

/// The client has gone, or the scenario broke the stream on purpose.
pub(crate) struct Ended;

const PING_EVERY: Duration = Duration::from_millis(500);
const TOOL_INPUT_PIECE_CHARS: usize = 12;

/// About four characters to a token.
pub(crate) fn tokens(value: &Value) -> usize {
    (value.to_string().len() / 4).max(1)
}

/// The whole message, as an answer that is no stream has it.
pub(crate) fn message(body: &Value, reply: &Reply) -> Value {
    let output = reply.blocks.iter().map(tokens).sum();
    shell(body, json!(reply.blocks), json!(reply.stop_reason), output)
}

fn shell(body: &Value, content: Value, stop_reason: Value, output: usize) -> Value {
    json!({
        "id": format!("msg_{}", hex()),
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "usage": usage(body, output),
    })
}

fn usage(body: &Value, output: usize) -> Value {
    json!({
        "input_tokens": messages(body).iter().map(tokens).sum::<usize>().max(1),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    })
}

/// The stream of one answer.
pub(crate) struct Stream {
    out: mpsc::Sender<Piece>,
}

impl Stream {
    pub(crate) fn new(out: mpsc::Sender<Piece>) -> Self {
        Self { out }
    }

    /// Sends the answer to its end, or to where it breaks.
    pub(crate) async fn send(&self, body: &Value, mut reply: Reply) -> Result<(), Ended> {
        pause(reply.ttft).await;
        let start = shell(body, json!([]), Value::Null, 1);
        self.event("message_start", json!({"message": start})).await?;
        self.event("ping", json!({})).await?;
        let mut output = 1;
        for (index, block) in std::mem::take(&mut reply.blocks).iter().enumerate() {
            output += self.block(index, block, &mut reply).await?;
        }
        let delta = json!({"stop_reason": reply.stop_reason, "stop_sequence": null});
        let usage = usage(body, output);
        self.event("message_delta", json!({"delta": delta, "usage": usage})).await?;
        self.event("message_stop", json!({})).await
    }

    /// Sends one block and says in how many pieces.
    async fn block(&self, index: usize, block: &Value, reply: &mut Reply) -> Result<usize, Ended> {
        let kind = block["type"].as_str().expect("composed here");
        let (field, delta, whole) = match kind {
            "tool_use" => {
                ("input", ("input_json_delta", "partial_json"), block["input"].to_string())
            }
            "thinking" => ("thinking", ("thinking_delta", "thinking"), string(block, "thinking")),
            _ => ("text", ("text_delta", "text"), string(block, "text")),
        };
        let mut empty = block.clone();
        empty[field] = if kind == "tool_use" { json!({}) } else { json!("") };
        if kind == "thinking" {
            empty["signature"] = json!("");
        }
        let start = json!({"index": index, "content_block": empty});
        self.event("content_block_start", start).await?;
        let pieces = if kind == "tool_use" { by_chars(&whole) } else { words::pieces(&whole) };
        for (sent, piece) in pieces.iter().enumerate() {
            if kind == "text"
                && let Some((after, _)) = reply.cut
                && sent >= after
                && let Some((_, cut)) = reply.cut.take()
            {
                self.cut(cut).await?;
            }
            pause(reply.delay).await;
            let delta = json!({"type": delta.0, delta.1: piece});
            self.event("content_block_delta", json!({"index": index, "delta": delta})).await?;
        }
        if kind == "thinking" {
            let delta = json!({"type": "signature_delta", "signature": block["signature"]});
            self.event("content_block_delta", json!({"index": index, "delta": delta})).await?;
        }
        self.event("content_block_stop", json!({"index": index})).await?;
        Ok(pieces.len())
    }

    /// Breaks the stream. `Ok`: the text goes on afterwards.
    async fn cut(&self, cut: Cut) -> Result<(), Ended> {
        match cut {
            Cut::Stall(length) => {
                let end = Instant::now() + length;
                while Instant::now() < end {
                    sleep(PING_EVERY.min(length)).await;
                    self.event("ping", json!({})).await?;
                }
                Ok(())
            }
            Cut::Error(kind) => {
                let message = kind.trim_end_matches("_error");
                let error = json!({"type": kind, "message": message});
                self.event("error", json!({"error": error})).await?;
                Err(Ended)
            }
            Cut::Disconnect => {
                // A body that fails at once may take what is still buffered with it.
                sleep(Duration::from_millis(20)).await;
                let gone = std::io::Error::other("the scenario drops the connection");
                let _ = self.out.send(Err(gone)).await;
                Err(Ended)
            }
        }
    }

    async fn event(&self, name: &str, mut data: Value) -> Result<(), Ended> {
        let fields = data.as_object_mut().expect("events are objects");
        fields.shift_insert(0, "type".to_owned(), json!(name));
        let text = format!("event: {name}\ndata: {data}\n\n");
        self.out.send(Ok(Frame::data(Bytes::from(text)))).await.map_err(|_| Ended)
    }
}

/// A sleep of nothing would still wait for the timer's next tick.
pub(crate) async fn pause(length: Duration) {
    if !length.is_zero() {
        sleep(length).await;
    }
}

fn string(block: &Value, field: &str) -> String {
    block[field].as_str().unwrap_or_default().to_owned()
}

fn by_chars(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.char_indices().nth(TOOL_INPUT_PIECE_CHARS).map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}
