//! One turn: what has been said in it, and its last event when it ends well or is stopped. From
//! the CLI's lines to our events; no process, no file, no clock but the turn's own. What an error
//! means is `verdict`'s.

use crate::claude::lines::{Assistant, Ended};
use crate::limits::TOOL_RESULT_BYTES_MAX;
use std::collections::{HashMap, HashSet};
use std::time::Instant;
use wire::ChatEvent;
use wire::agent::TurnRequest;
use wire::chat::{Denial, Done, ToolCall, Usage};

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
    usage: Usage,
}

impl Turn {
    pub(crate) fn new(number: u64, request: TurnRequest) -> Turn {
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
            usage: Usage::default(),
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
    pub(crate) fn message_start(&mut self, id: String, model: Option<String>) -> Vec<ChatEvent> {
        let mut out: Vec<ChatEvent> = self.take_back(&id).into_iter().collect();
        self.streamed.insert(id.clone());
        self.message = id;
        self.message_from = self.here().len();
        out.extend(self.named(model));
        out
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
        self.usage.input_tokens += ended.input_tokens;
        self.usage.output_tokens += ended.output_tokens;
        self.usage.cache_read_tokens += ended.cache_read_tokens;
        self.usage.cache_write_tokens += ended.cache_write_tokens;
        self.usage.total_cost_usd = ended.total_cost_usd.or(self.usage.total_cost_usd);
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
    pub(crate) fn done(self, message_count: i64, cost_before: Option<f64>) -> ChatEvent {
        let none_if_empty = |calls: Vec<ToolCall>| (!calls.is_empty()).then_some(calls);
        let response = self.response();
        let mut usage = self.usage;
        usage.cost_usd = cost(cost_before, usage.total_cost_usd);
        ChatEvent::Done(Box::new(Done {
            response,
            session_id: session_of(&self.request),
            working_directory: self.request.working_directory,
            message_count,
            model: self.model,
            duration_ms: i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX),
            spawned: Vec::new(),
            tool_calls: none_if_empty(self.calls),
            permission_denials: (!self.denials.is_empty()).then_some(self.denials),
            session_resume: Some(self.request.resume),
            title: self.request.title,
            usage,
        }))
    }

    /// The event of a turn that was stopped.
    pub(crate) fn aborted(self, message: &str, message_count: i64) -> ChatEvent {
        ChatEvent::Aborted {
            message: message.into(),
            session_id: Some(session_of(&self.request)),
            partial_response: Some(self.response()).filter(|said| !said.is_empty()),
            message_count,
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

    /// Total cost as the CLI last told it.
    pub(crate) fn total_cost(&self) -> Option<f64> {
        self.usage.total_cost_usd
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

/// What a turn cost: the CLI only tells a running total, also across resumes.
fn cost(before: Option<f64>, now: Option<f64>) -> Option<f64> {
    match (before, now?) {
        // A smaller total means that the CLI began to count anew.
        (Some(before), now) if now >= before => Some(now - before),
        (Some(_), now) => Some(now),
        (None, _) => None,
    }
}
