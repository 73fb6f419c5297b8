//! One turn: what has been said in it, and its last event when it ends well or is stopped. From
//! the CLI's lines to our events; no process, no file, no clock but the turn's own. What an error
//! means is `verdict`'s.

use crate::claude::lines::{Assistant, Ended};
use crate::limits::TOOL_RESULT_BYTES_MAX;
use crate::spent::{Spent, Tokens};
use crate::title;
use std::collections::{HashMap, HashSet};
use std::time::Instant;
use wire::ChatEvent;
use wire::agent::TurnRequest;
use wire::chat::{Denial, Done, ToolCall, TypedError};

/// A turn under way.
pub(crate) struct Turn {
    pub(crate) number: u64,
    pub(crate) request: TurnRequest,
    began: Instant,
    /// The turn's text, a part for each stretch between tool calls.
    texts: Vec<String>,
    /// Where in the last part the text of the message being streamed begins.
    message_from: usize,
    /// Ids of messages whose blocks came as pieces.
    streamed: HashSet<String>,
    /// Messages of which a whole block was seen: what they streamed stands.
    settled: HashSet<String>,
    message: String,
    thinking_blocks: u64,
    thinking_key: Option<(String, u64)>,
    model: Option<String>,
    calls: Vec<ToolCall>,
    /// Calls without a result yet, by id.
    open_calls: HashMap<String, String>,
    denials: Vec<Denial>,
    /// Prompts whose answer is not complete: the turn's own and injected ones.
    pub(crate) owed: Vec<String>,
    injected: i64,
    pub(crate) aborting: bool,
    pub(crate) unauthorized: bool,
    pub(crate) garbage: u32,
    pub(crate) first_garbage: String,
    pub(crate) told_limit: bool,
    pub(crate) told_retry: bool,
    /// The CLI's name of the error that a message reported.
    pub(crate) error: Option<String>,
    spent: Spent,
}

impl Turn {
    /// `total_cost` is the CLI's total before it, where that is known.
    pub(crate) fn new(number: u64, request: TurnRequest, total_cost: Option<f64>) -> Turn {
        // A conversation that begins here has cost nothing before.
        let new = request.resume.is_new_session;
        Turn {
            number,
            owed: vec![request.turn.clone()],
            request,
            began: Instant::now(),
            texts: vec![String::new()],
            message_from: 0,
            streamed: HashSet::new(),
            settled: HashSet::new(),
            message: String::new(),
            thinking_blocks: 0,
            thinking_key: None,
            model: None,
            calls: Vec::new(),
            open_calls: HashMap::new(),
            denials: Vec::new(),
            injected: 0,
            aborting: false,
            unauthorized: false,
            garbage: 0,
            first_garbage: String::new(),
            told_limit: false,
            told_retry: false,
            error: None,
            spent: Spent::since(total_cost.or(new.then_some(0.0))),
        }
    }

    /// When it was begun.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// A piece of text was streamed.
    pub(crate) fn text(&mut self, delta: &str) {
        self.here().push_str(delta);
    }

    fn here(&mut self) -> &mut String {
        self.texts.last_mut().expect("never empty")
    }

    fn response(&self) -> String {
        let said: Vec<&str> = self.texts.iter().map(String::as_str).collect();
        said.iter().filter(|t| !t.trim().is_empty()).copied().collect::<Vec<_>>().join("\n\n")
    }

    /// A piece of thinking of a message's content block.
    pub(crate) fn thinking(&mut self, index: u64, delta: String) -> ChatEvent {
        let key = (self.message.clone(), index);
        if self.thinking_key.as_ref() != Some(&key) {
            self.thinking_blocks += 1;
            self.thinking_key = Some(key);
        }
        let block = Some(self.thinking_blocks);
        ChatEvent::Thinking { content: None, delta: Some(delta), block }
    }

    /// A message begins to be streamed.
    pub(crate) fn message_start(
        &mut self,
        id: String,
        model: Option<String>,
        tokens: Tokens,
    ) -> Vec<ChatEvent> {
        self.spent.heard(&id, tokens);
        let mut out: Vec<ChatEvent> = self.take_back(&id).into_iter().collect();
        self.streamed.insert(id.clone());
        self.message = id;
        self.message_from = self.here().len();
        out.extend(self.named(model));
        out
    }

    /// The message that is being streamed has come to this.
    pub(crate) fn message_delta(&mut self, tokens: Tokens) {
        self.spent.heard(&self.message, tokens);
    }

    /// What the last message streamed, if it never completed a block before message `id` came:
    /// the vendor broke it off, and it does not stand.
    fn take_back(&mut self, id: &str) -> Option<ChatEvent> {
        let from = self.message_from;
        let broken = !self.message.is_empty()
            && self.message != id
            && !self.settled.contains(&self.message)
            && self.here().len() > from;
        if !broken {
            return None;
        }
        self.here().truncate(from);
        Some(ChatEvent::TextReset { content: self.here().clone() })
    }

    fn named(&mut self, model: Option<String>) -> Option<ChatEvent> {
        let model = model.filter(|_| self.model.is_none())?;
        self.model = Some(model.clone());
        Some(ChatEvent::Model { model })
    }

    /// A whole content block. Text that was not streamed comes as one piece.
    pub(crate) fn assistant(&mut self, block: Assistant) -> Vec<ChatEvent> {
        let mut out = Vec::new();
        let streamed = self.streamed.contains(&block.message_id);
        if !streamed && block.error.is_none() {
            // What failed as a stream was asked for again and came whole.
            out.extend(self.take_back(&block.message_id));
        }
        self.spent.heard(&block.message_id, block.tokens);
        self.settled.insert(block.message_id);
        out.extend(self.named(block.model));
        if let Some(error) = block.error {
            // The text of such a message is the CLI's own sentence about the error.
            self.error = Some(error);
            return out;
        }
        if !streamed {
            if let Some(thought) = block.thinking.filter(|t| !t.is_empty()) {
                self.thinking_key = None;
                out.push(self.thinking(0, thought));
                self.thinking_key = None;
            }
            if let Some(delta) = block.text.filter(|t| !t.is_empty()) {
                self.text(&delta);
                out.push(ChatEvent::Text { content: None, delta });
            }
        }
        for (id, name, input) in block.tools {
            let tool = ToolCall { id, name, input };
            self.open_calls.insert(tool.id.clone(), tool.name.clone());
            self.calls.push(tool.clone());
            if !self.here().is_empty() {
                self.texts.push(String::new());
            }
            self.message_from = 0;
            out.push(ChatEvent::ToolUse { tool });
        }
        out
    }

    /// A tool's result.
    pub(crate) fn tool_result(&mut self, id: String, mut text: String, error: bool) -> ChatEvent {
        self.open_calls.remove(&id);
        if text.len() > TOOL_RESULT_BYTES_MAX {
            let whole = text.len();
            let cut = (0..=TOOL_RESULT_BYTES_MAX).rev().find(|i| text.is_char_boundary(*i));
            text.truncate(cut.unwrap_or(0));
            text.push_str(&format!("\n[… {whole} bytes in all; the model has them]"));
        }
        ChatEvent::ToolResult { tool_use_id: id, content: text, is_error: error }
    }

    pub(crate) fn tool_runs(&self) -> bool {
        !self.open_calls.is_empty()
    }

    /// A call of this turn.
    pub(crate) fn call(&self, id: &str) -> Option<&ToolCall> {
        self.calls.iter().rev().find(|call| call.id == id)
    }

    /// Whether a call of this tool, of this file or command, was refused.
    pub(crate) fn was_denied(&self, tool: &str, subject: Option<&str>) -> bool {
        self.denials.iter().any(|denial| {
            let of = denial.file_path.as_deref().or(denial.command.as_deref());
            denial.tool_name == tool && of == subject
        })
    }

    pub(crate) fn denied(&mut self, denial: Denial) {
        self.denials.push(denial);
    }

    /// Another message of the user within this turn.
    pub(crate) fn inject(&mut self, uuid: String) {
        self.injected += 1;
        self.owed.push(uuid);
    }

    /// A `result` line is counted; whether the turn is over with it.
    pub(crate) fn settle(&mut self, ended: &Ended) -> bool {
        self.spent.settle(ended);
        match &ended.prompts {
            // An older CLI does not say whose result it is; then it is ours.
            None => self.owed.clear(),
            Some(prompts) if prompts.is_empty() => self.owed.clear(),
            Some(prompts) => self.owed.retain(|uuid| !prompts.contains(uuid)),
        }
        self.owed.is_empty() || ended.is_error
    }

    /// Messages of the session with this turn's.
    pub(crate) fn message_count(&self, before: i64) -> i64 {
        let asked = i64::from(!self.request.message.is_empty());
        before + asked + self.injected + i64::from(!self.response().is_empty())
    }

    /// The event of a turn that ended well.
    pub(crate) fn done(self, message_count: i64) -> ChatEvent {
        let none_if_empty = |calls: Vec<ToolCall>| (!calls.is_empty()).then_some(calls);
        let response = self.response();
        let title = self.title(&response);
        let (usage, duration_ms) = (self.spent.usage(), self.lasted());
        ChatEvent::Done(Box::new(Done {
            response,
            session_id: session_of(&self.request),
            working_directory: self.request.working_directory,
            message_count,
            model: self.model,
            duration_ms,
            spawned: Vec::new(),
            tool_calls: none_if_empty(self.calls),
            permission_denials: (!self.denials.is_empty()).then_some(self.denials),
            session_resume: Some(self.request.resume),
            title,
            usage,
        }))
    }

    /// The session's title, which after its first exchange may be a better one.
    fn title(&self, response: &str) -> Option<String> {
        let said = self.request.preface.iter().find_map(|event| match event {
            ChatEvent::UserMessage { content, .. } => Some(content),
            _ => None,
        });
        let first = said.filter(|_| self.request.resume.is_new_session);
        let better = first.and_then(|said| title::of_exchange(said, response));
        better.or_else(|| self.request.title.clone())
    }

    /// The event of a turn that was stopped.
    pub(crate) fn aborted(self, message: &str, message_count: i64) -> ChatEvent {
        ChatEvent::Aborted {
            message: message.into(),
            session_id: Some(session_of(&self.request)),
            partial_response: Some(self.response()).filter(|said| !said.is_empty()),
            message_count,
            usage: Some(self.spent.usage()),
            duration_ms: Some(self.lasted()),
            model: self.model,
        }
    }

    /// A text that other programs wrote, without this turn's credential.
    pub(crate) fn without_secret(&self, text: &str) -> String {
        match &self.request.claude.credential {
            Some(credential) if !credential.secret.expose().is_empty() => {
                text.replace(credential.secret.expose(), "[redacted]")
            }
            _ => text.to_owned(),
        }
    }

    /// The CLI's total cost with this turn.
    pub(crate) fn total_cost(&self) -> Option<f64> {
        self.spent.total_cost()
    }

    /// An error that ends it, with what was spent until then.
    pub(crate) fn charge(&self, error: &mut TypedError) {
        error.usage = Some(self.spent.usage());
        error.duration_ms = Some(self.lasted());
        error.model.clone_from(&self.model);
    }

    /// Milliseconds until now.
    fn lasted(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// The session of a turn, which its `session` event names.
pub(crate) fn session_of(request: &TurnRequest) -> String {
    let named = request.preface.iter().find_map(|event| match event {
        ChatEvent::Session { session_id, .. } => session_id.clone(),
        _ => None,
    });
    named.unwrap_or_default()
}
