//! The lines of a turn, each with the marks that say which prompt it belongs to, and their
//! counterparts in the transcript. The order is the business of `turn.rs`.

use serde_json::{Value, json};

use crate::out::uuid;
use crate::shape;
use crate::talk::Talk;
use crate::turn::{INPUT_TOKENS, Turn};

impl Turn {
    /// An `assistant` line with one block, and its line in the transcript.
    pub(crate) fn assistant(&mut self, talk: &mut Talk, block: Value, more: Value) {
        let message = json!({
            "id": self.message, "type": "message", "role": "assistant", "model": talk.model,
            "content": [block], "stop_reason": null, "stop_sequence": null,
            "usage": shape::usage(INPUT_TOKENS, 1), "context_management": null,
        });
        let id = uuid();
        let mut line = json!({
            "type": "assistant",
            "message": message,
            "parent_tool_use_id": null,
            "session_id": talk.transcript.session,
            "uuid": id,
            "timestamp": shape::now(),
            "request_id": self.request,
        });
        if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
            line.extend(more);
        }
        if !self.marked {
            self.marked = true;
            self.mark(&mut line);
        }
        talk.out.line(&line);
        let more = json!({"requestId": self.request});
        talk.transcript.say("assistant", &id, &talk.flags.cwd, &line["message"], more);
    }

    /// A `user` line that the CLI writes itself, and its line in the transcript.
    pub(crate) fn person(&mut self, talk: &mut Talk, content: Value) {
        let message = json!({"role": "user", "content": content});
        self.user(talk, message, json!({}), json!({}));
    }

    /// A `user` line; `more` goes into the line, `kept` into the transcript's.
    pub(crate) fn user(&mut self, talk: &mut Talk, message: Value, more: Value, kept: Value) {
        self.rounds += 1;
        let id = uuid();
        talk.transcript.say("user", &id, &talk.flags.cwd, &message, kept);
        let mut line = json!({
            "type": "user",
            "message": message,
            "parent_tool_use_id": null,
            "session_id": talk.transcript.session,
            "uuid": id,
            "timestamp": shape::now(),
        });
        if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
            line.extend(more);
        }
        talk.out.line(&line);
    }

    /// A `stream_event` line, where the host asked for them.
    pub(crate) fn event(&self, talk: &mut Talk, event: Value) {
        self.streamed(talk, self.envelope(event));
    }

    /// The same, with fields beside the usual ones.
    pub(crate) fn streamed(&self, talk: &mut Talk, line: Value) {
        if talk.flags.partial {
            talk.say(line);
        }
    }

    pub(crate) fn envelope(&self, event: Value) -> Value {
        json!({
            "type": "stream_event",
            "event": event,
            "parent_tool_use_id": null,
            "api_message_id": self.message,
        })
    }

    /// `user_message_uuids`, which prompt this belongs to.
    pub(crate) fn mark_list(&self, line: &mut Value) {
        if !self.uuids.is_empty() {
            line["user_message_uuids"] = json!(self.uuids);
        }
    }

    pub(crate) fn mark_last(&self, line: &mut Value) {
        if let Some(last) = self.uuids.last() {
            line["user_message_uuid"] = json!(last);
        }
    }

    /// Both marks.
    pub(crate) fn mark(&self, line: &mut Value) {
        self.mark_last(line);
        self.mark_list(line);
    }
}
