//! An agent's conversation as the app shows it: messages made of parts, where what a tool was
//! called with is a text.

use crate::domain::transcript::Part;
use crate::domain::{Domain, DomainError};
use serde_json::{Map, Value};
use wire::SessionId;
use wire::daily::{AgentTranscript, TranscriptBlock, TranscriptMessage};

impl Domain {
    pub(crate) async fn daily_transcript(
        &self,
        name: &str,
        limit: usize,
    ) -> Result<AgentTranscript, DomainError> {
        let definition = self.daily_definition(name).await?;
        let state = self.daily_state(&definition.name).await?;
        let Some(session) = state.session().filter(|id| SessionId::parse(id).is_ok()) else {
            return Ok(none(None, "It has not run yet, or was reset since."));
        };
        match self.transcript(session, Part::Last).await {
            Err(DomainError::NoTranscript) => {
                Ok(none(Some(session.to_owned()), "Nothing is kept of its conversation."))
            }
            Err(error) => Err(error),
            Ok(found) => {
                let mut messages: Vec<TranscriptMessage> =
                    found.events.iter().filter_map(message).collect();
                let total_messages = messages.len();
                messages.drain(..total_messages.saturating_sub(limit));
                Ok(AgentTranscript {
                    has_transcript: true,
                    session_id: Some(session.to_owned()),
                    total_messages,
                    message: None,
                    messages,
                })
            }
        }
    }
}

fn none(session_id: Option<String>, why: &str) -> AgentTranscript {
    AgentTranscript {
        has_transcript: false,
        session_id,
        total_messages: 0,
        message: Some(why.into()),
        messages: Vec::new(),
    }
}

/// A line of a transcript, if somebody says something in it.
fn message(line: &Value) -> Option<TranscriptMessage> {
    let kind = line["type"].as_str().filter(|kind| matches!(*kind, "user" | "assistant"))?;
    let said = line.get("message")?;
    let blocks: Vec<TranscriptBlock> = match said.get("content")? {
        Value::String(text) => vec![of_text("text", text)],
        Value::Array(parts) => {
            parts.iter().filter_map(Value::as_object).filter_map(block).collect()
        }
        _ => return None,
    };
    if blocks.is_empty() {
        return None;
    }
    let texts = blocks.iter().filter(|block| block.kind == "text");
    let texts: Vec<&str> = texts.filter_map(|block| block.text.as_deref()).collect();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(TranscriptMessage {
        kind: kind.to_owned(),
        timestamp: line.get("timestamp").and_then(text),
        content: Some(texts.join("\n\n")).filter(|content| !content.is_empty()),
        model: said.get("model").and_then(text),
        blocks,
    })
}

fn of_text(kind: &str, text: &str) -> TranscriptBlock {
    let (kind, text) = (kind.to_owned(), Some(text.to_owned()));
    TranscriptBlock { kind, text, ..TranscriptBlock::default() }
}

fn block(part: &Map<String, Value>) -> Option<TranscriptBlock> {
    let text = |name: &str| part.get(name).and_then(Value::as_str).map(str::to_owned);
    match part.get("type")?.as_str()? {
        "text" => Some(of_text("text", part.get("text")?.as_str()?)),
        "thinking" => Some(of_text("thinking", part.get("thinking")?.as_str()?)),
        "tool_use" => Some(TranscriptBlock {
            kind: "tool_use".into(),
            name: text("name"),
            // A map would break the app, which takes a text.
            input: part.get("input").map(Value::to_string),
            tool_use_id: text("id"),
            ..TranscriptBlock::default()
        }),
        "tool_result" => {
            let found = part.get("content").map(|content| match content {
                Value::String(text) => text.clone(),
                Value::Array(parts) => {
                    let texts = parts.iter().filter_map(|part| part["text"].as_str());
                    texts.collect::<Vec<_>>().join("\n")
                }
                other => other.to_string(),
            });
            let tool_use_id = text("tool_use_id");
            Some(TranscriptBlock { tool_use_id, ..of_text("tool_result", &found?) })
        }
        _ => None,
    }
}
