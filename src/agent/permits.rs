//! What the CLI asks about a call, and what it is told: the policy first, then the session's
//! way of asking, then a person. Who waits and for how long is `ask`'s, what is forbidden is
//! `policy`'s; here it is put together and becomes events.

use crate::ask::{Ask, answered};
use crate::claude::control;
use crate::limits::PERMISSION_SECONDS_MAX;
use crate::policy;
use crate::session::Session;
use serde_json::{Map, Value};
use std::path::Path;
use wire::ChatEvent;
use wire::agent::{PermissionAnswer, QuestionAnswer, TurnRequest};
use wire::chat::{Denial, PermissionMode, PermissionRequest};

impl Session {
    /// A request of the CLI.
    pub(crate) fn asked(&mut self, request: String, subtype: &str, body: &Map<String, Value>) {
        match subtype {
            "hook_callback" => self.hook(&request, body),
            "can_use_tool" => self.may_use(request, body),
            _ => self.tell(control::unknown(&request, subtype)),
        }
    }

    /// Every tool call passes here before the CLI's own rules see it.
    fn hook(&mut self, request: &str, body: &Map<String, Value>) {
        let empty = Map::new();
        let of = |name: &str| body.get("input").and_then(|i| i.get(name));
        let tool = of("tool_name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let input = of("tool_input").and_then(Value::as_object).unwrap_or(&empty);
        if let Err(refusal) = self.judge(&tool, input) {
            self.tell(control::decide(request, "deny", &refusal.message));
            return self.refuse_call(None, tool, input, refusal.reason, refusal.message);
        }
        let mode = self.mode();
        let looks = tool == "Bash"
            && policy::subject(input).is_some_and(|command| policy::only_looks(&command));
        if mode == PermissionMode::Ask && policy::changes_something(&tool) && !looks {
            self.tell(control::decide(request, "ask", "this session asks before it acts"));
        } else {
            self.tell(control::pass(request));
        }
    }

    /// A call failed. The CLI also refuses by itself what it was told to leave alone, before it
    /// asks anybody and in words of its own: that is a refusal as all others.
    pub(crate) fn failed(&mut self, call: &str) {
        let Some(call) = self.turn.as_ref().and_then(|turn| turn.call(call)).cloned() else {
            return;
        };
        if let Err(refusal) = self.judge(&call.name, &call.input) {
            let subject = policy::subject(&call.input);
            let turn = self.turn.as_ref();
            if turn.is_some_and(|turn| !turn.was_denied(&call.name, subject.as_deref())) {
                self.refuse_call(None, call.name, &call.input, refusal.reason, refusal.message);
            }
        }
    }

    /// The request in force: a call that comes between turns is of the last one's conversation.
    fn in_force(&self) -> Option<&TurnRequest> {
        self.turn.as_ref().map(|t| &t.request).or(self.last.as_ref())
    }

    fn judge(&self, tool: &str, input: &Map<String, Value>) -> Result<(), policy::Refusal> {
        let Some(request) = self.in_force() else {
            let message = "nothing was asked for".into();
            return Err(policy::Refusal { reason: "denied", message });
        };
        if let Some(tools) = &request.claude.tools {
            policy::judge_tool(tool, tools)?;
        }
        let (vault, directory) = (Path::new(&request.vault), Path::new(&request.claude.directory));
        let ignored = self.rules.ignored();
        policy::judge(tool, input, &policy::Ground { vault, directory, ignored })
    }

    /// What a grant for this call is measured by.
    fn measure(&self, input: &Map<String, Value>) -> Option<String> {
        let request = self.in_force()?;
        let directory = Path::new(&request.claude.directory);
        policy::measure(input, Path::new(&request.vault), directory)
    }

    fn mode(&self) -> PermissionMode {
        self.in_force().map(|r| r.claude.permission_mode).unwrap_or_default()
    }

    fn may_use(&mut self, request: String, body: &Map<String, Value>) {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let tool = text("tool_name").to_owned();
        let call = text("tool_use_id").to_owned();
        let input = body.get("input").and_then(Value::as_object).cloned().unwrap_or_default();
        if tool == "AskUserQuestion" {
            return self.question(request, &call, tool, input);
        }
        if let Err(refusal) = self.judge(&tool, &input) {
            self.tell(control::deny(&request, &refusal.message));
            return self.refuse_call(None, tool, &input, refusal.reason, refusal.message);
        }
        let measured = self.measure(&input);
        let free = match self.mode() {
            PermissionMode::Auto => true,
            PermissionMode::Ask | PermissionMode::Plan => {
                !policy::changes_something(&tool)
                    || self.asks.is_granted(&tool, measured.as_deref())
            }
        };
        if free {
            return self.tell(control::allow(&request, &input));
        }
        let description = Some(text("description").to_owned()).filter(|d| !d.is_empty());
        self.announce(request, tool, input, call, description);
    }

    fn announce(
        &mut self,
        request: String,
        tool: String,
        input: Map<String, Value>,
        call: String,
        description: Option<String>,
    ) {
        let random = uuid::Uuid::new_v4().simple().to_string();
        let id = format!("{}-{}", self.place.session, &random[..8]);
        let opened = self.asks.open(id, request.clone(), tool.clone(), input.clone(), false);
        let Some(ask) = opened else {
            let message = "too many requests wait already";
            self.tell(control::deny(&request, message));
            return self.refuse_call(None, tool, &input, "server_overloaded", message.into());
        };
        let event = ChatEvent::PermissionRequest(PermissionRequest {
            request_id: ask.id.clone(),
            session_id: self.place.session.clone(),
            tool_name: tool,
            input,
            description,
            file_path: ask.subject.clone(),
            tool_use_id: Some(call).filter(|c| !c.is_empty()),
            timeout_seconds: PERMISSION_SECONDS_MAX,
        });
        self.say(event);
    }

    fn question(&mut self, request: String, call: &str, tool: String, input: Map<String, Value>) {
        let id = format!("{}-q-{call}", self.place.session);
        let questions = input.get("questions").and_then(Value::as_array).cloned();
        match self.asks.open(id.clone(), request.clone(), tool, input.clone(), true) {
            Some(_) => self.say(ChatEvent::UserQuestion {
                request_id: id,
                session_id: self.place.session.clone(),
                questions: questions.unwrap_or_default(),
            }),
            None => self.tell(control::allow(&request, &input)),
        }
    }

    /// A person grants or denies; false if nothing of that id waits.
    pub(crate) fn permission(&mut self, given: PermissionAnswer) -> bool {
        let Some(ask) = self.asks.take(&given.request_id, false) else {
            return false;
        };
        if given.grant {
            self.tell(control::allow(&ask.request, &ask.input));
            if let Some(pattern) = given.pattern.filter(|p| !p.trim().is_empty()) {
                self.asks.grant(pattern);
            }
        } else {
            self.deny(ask, "denied", "The user denied this.");
        }
        self.commit();
        true
    }

    /// A person answers a question; false if nothing of that id waits.
    pub(crate) fn answer(&mut self, given: QuestionAnswer) -> bool {
        let Some(ask) = self.asks.take(&given.request_id, true) else {
            return false;
        };
        self.tell(answered(&ask, &given.answers));
        true
    }

    /// Nobody answered in time.
    pub(crate) fn unanswered(&mut self, ask: Ask) {
        if ask.question {
            self.tell(answered(&ask, &Map::new()));
        } else {
            self.deny(ask, "timeout", "Nobody answered in time, so this was denied.");
        }
        self.commit();
    }

    fn deny(&mut self, ask: Ask, reason: &'static str, message: &str) {
        self.tell(control::deny(&ask.request, message));
        self.refuse_call(Some(ask.id), ask.tool, &ask.input, reason, message.into());
    }

    fn refuse_call(
        &mut self,
        request_id: Option<String>,
        tool: String,
        input: &Map<String, Value>,
        reason: &str,
        message: String,
    ) {
        let subject = policy::subject(input);
        let (command, file) = if tool == "Bash" { (subject, None) } else { (None, subject) };
        self.refused(request_id, tool, file, command, reason, message);
    }

    /// A call was refused: the turn keeps it, and the stream says it.
    pub(crate) fn refused(
        &mut self,
        request_id: Option<String>,
        tool_name: String,
        file_path: Option<String>,
        command: Option<String>,
        reason: &str,
        message: String,
    ) {
        let Some(turn) = &mut self.turn else { return };
        let reason = reason.to_owned();
        let denial =
            Denial { tool_name: tool_name.clone(), file_path, command, reason: reason.clone() };
        turn.denied(denial);
        self.say(ChatEvent::PermissionDenied { request_id, tool_name, reason, message });
    }

    fn tell(&self, line: Vec<u8>) {
        if let Some(claude) = &self.claude
            && !claude.tell(line)
        {
            tracing::warn!("the Claude CLI takes no answers");
        }
    }
}
