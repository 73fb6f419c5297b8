//! A conversation as the Claude CLI writes one down, so that it can be resumed (contract-extended
//! §5.3; the records as CLI 2.1.328 writes them). What only a turn of its own leaves there, such
//! as attachments and snapshots, is left out.

use super::take::derived;
use imports::session::SYNTHETIC;
use imports::{Conversation, Role};
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use wire::Timestamp;

/// The version of the CLI whose records these were first.
const VERSION: &str = "2.0.60";
/// Characters of the last prompt, as the CLI keeps it.
const PROMPT_CHARS: usize = 200;

/// Whose transcript it is.
pub(super) struct Session {
    pub(super) id: String,
    /// Where it works.
    pub(super) cwd: String,
}

/// Writes it.
pub(super) fn lines(to: &mut dyn Write, session: &Session, told: &Conversation) -> io::Result<()> {
    let begin = told.messages.iter().find_map(|message| message.at);
    let mut at = told.created.or(begin).or(told.updated).unwrap_or_else(Timestamp::now);
    let mut line = |value: Value| writeln!(to, "{value}");
    line(json!({
        "type": "queue-operation", "operation": "dequeue", "timestamp": shown(at),
        "sessionId": session.id,
    }))?;
    let mut parent: Option<String> = None;
    for (number, message) in told.messages.iter().enumerate() {
        let uuid = derived(&["message", &session.id, &number.to_string()]);
        at = message.at.unwrap_or(at);
        let mut record = json!({
            "parentUuid": parent,
            "isSidechain": false,
            "userType": "external",
            "cwd": session.cwd,
            "sessionId": session.id,
            "version": VERSION,
            "gitBranch": "",
            "type": message.role.name(),
            "message": null,
            "uuid": uuid,
            "timestamp": shown(at),
        });
        let fields = record.as_object_mut().expect("an object");
        match message.role {
            Role::User => {
                let said = json!({ "role": "user", "content": message.text });
                fields.insert("message".into(), said);
            }
            Role::Assistant => answer(fields, &uuid, &message.text),
        }
        line(record)?;
        parent = Some(uuid);
    }
    if let Some(title) = &told.title {
        line(json!({ "type": "custom-title", "customTitle": title, "sessionId": session.id }))?;
    }
    let asked = told.messages.iter().rfind(|message| message.role == Role::User);
    let asked = asked.map(|message| message.text.chars().take(PROMPT_CHARS).collect::<String>());
    line(json!({
        "type": "last-prompt", "lastPrompt": asked.unwrap_or_default(), "leafUuid": parent,
        "sessionId": session.id,
    }))
}

/// What a model said. Which one is not known, and none of ours was asked.
fn answer(fields: &mut Map<String, Value>, uuid: &str, text: &str) {
    let plain: String = uuid.chars().filter(char::is_ascii_hexdigit).take(24).collect();
    let said = json!({
        "id": format!("msg_{plain}"),
        "type": "message",
        "role": "assistant",
        "model": SYNTHETIC,
        "content": [{ "type": "text", "text": text }],
        "stop_reason": "end_turn",
        "stop_sequence": null,
        "usage": {
            "input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    });
    fields.insert("message".into(), said);
    fields.insert("requestId".into(), format!("req_{plain}").into());
}

/// As JavaScript writes a point in time: three digits after the second.
fn shown(at: Timestamp) -> String {
    let text = Timestamp::from_millis(at.as_millis()).to_string();
    let text = text.trim_end_matches('Z');
    let (whole, part) = text.split_once('.').unwrap_or((text, "000"));
    format!("{whole}.{}Z", &part[..3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use imports::session::{facts, messages};
    use imports::{Message, Source};

    #[test]
    fn what_is_written_is_read_back_with_its_times_trap_t88() {
        let at = Timestamp::parse("2025-03-01T10:00:00.5+02:00");
        let said = |role, text: &str, at| Message { role, text: text.into(), at };
        let told = Conversation {
            source: Source::Claude,
            original_id: "o".into(),
            title: Some("A title".into()),
            created: at,
            updated: None,
            messages: vec![
                said(Role::User, "one\n\u{2028}two", at),
                said(Role::Assistant, "three \"four\"", None),
            ],
        };
        let session = Session { id: "s".into(), cwd: "/v/Chat".into() };
        let mut text = Vec::new();
        lines(&mut text, &session, &told).expect("written");
        let found = facts(&text[..]).expect("read");
        assert_eq!((found.message_count, found.title.as_deref()), (2, Some("A title")));
        assert_eq!((found.cwd.as_deref(), found.model), (Some("/v/Chat"), None));
        assert_eq!((found.created, found.last), (at, at));
        let told = messages(&text[..]).expect("read");
        assert_eq!((told[0].role.as_str(), told[0].content.as_str()), ("user", "one\n\u{2028}two"));
        assert_eq!(told[1].timestamp.as_deref(), Some("2025-03-01T08:00:00.500Z"));
        assert_eq!(shown(Timestamp::from_millis(0)), "1970-01-01T00:00:00.000Z");
    }
}
