//! What the session does about each line of the CLI: events for the log, answers to what the
//! CLI asks, and the end of the turn.

use crate::ask::{Ask, answered};
use crate::claude::control;
use crate::claude::lines::{self, Ended, Line, Ready};
use crate::limits::{GARBAGE_LINES_MAX, PERMISSION_SECONDS_MAX};
use crate::policy;
use crate::session::Session;
use crate::turn::{Turn, session_of};
use serde_json::{Map, Value};
use std::path::Path;
use std::process::ExitStatus;
use wire::ChatEvent;
use wire::agent::{PermissionAnswer, QuestionAnswer, TurnRequest};
use wire::chat::{Denial, PermissionMode, PermissionRequest};
use wire::error::ErrorCode;

/// What the CLI says of an id that it has no transcript for.
const NO_CONVERSATION: &str = "No conversation found";

/// First CLI whose protocol this is.
const CLI_VERSION_MIN: (u64, u64) = (2, 0);

impl Session {
    /// Whole lines, in order; one write to the log for all of them.
    pub(crate) fn lines(&mut self, bytes: &[u8]) {
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]) {
            let line = bytes[from..end].trim_ascii();
            from = (end + 1).min(bytes.len());
            if line.is_empty() {
                continue;
            }
            match lines::read(line) {
                Some(line) => self.line(line),
                None => self.garbage(line),
            }
            if self.given_up {
                break;
            }
        }
        self.commit();
    }

    fn line(&mut self, line: Line<'_>) {
        if matches!(line, Line::MessageStart { .. } | Line::Assistant(_) | Line::Asks { .. }) {
            self.injected_goes_on();
        }
        if matches!(line, Line::MessageStart { .. } | Line::Assistant(_)) && self.turn.is_none() {
            self.begin_unasked();
        }
        match line {
            Line::Text(delta) => {
                if let Some(turn) = &mut self.turn {
                    turn.text(&delta);
                    self.batch.push_text(&self.log, turn.number, &delta);
                }
            }
            Line::Thinking(index, delta) => {
                let event = self.turn.as_mut().map(|t| t.thinking(index, delta.into_owned()));
                self.say_all(event);
            }
            Line::MessageStart { id, model } => {
                let events = self.turn.as_mut().map(|t| t.message_start(id, model));
                self.say_all(events.into_iter().flatten());
            }
            Line::Assistant(block) => {
                let events = self.turn.as_mut().map(|t| t.assistant(block));
                self.say_all(events.into_iter().flatten());
            }
            Line::ToolResult { id, content, is_error } => {
                let event = self.turn.as_mut().map(|t| t.tool_result(id, content, is_error));
                self.say_all(event);
                if let Some(limit) = self.exhausted.met() {
                    self.commit();
                    self.give_up(limit.error());
                }
            }
            Line::Init { ready, version } => {
                let Ready { tools, permission_mode, skills, agents, mcp_servers } = ready;
                let ready = ChatEvent::Init { tools, permission_mode, skills, agents, mcp_servers };
                self.say(ready);
                self.judge_version(version.as_deref());
            }
            Line::Retry { attempt, of, status, error, delay_ms } => {
                self.retry(attempt, of, status, &error, delay_ms);
            }
            Line::RateLimit { status, kind, utilization } => {
                self.rate_limit(&status, &kind, utilization);
            }
            Line::Asks { request, subtype, body } => self.asked(request, &subtype, &body),
            Line::Withdrawn(request) => self.asks.withdrawn(&request),
            Line::Finished(uuid) => self.prompt_finished(&uuid),
            Line::Reset(id) if !id.is_empty() => self.keep_conversation(id),
            Line::Denied { tool, message } => {
                self.refused(None, tool, None, None, "denied", message);
            }
            Line::Result(ended) => self.ended(&ended),
            Line::Reset(_) | Line::Other => {}
        }
    }

    fn say_all(&mut self, events: impl IntoIterator<Item = ChatEvent>) {
        for event in events {
            self.say(event);
        }
    }

    /// The CLI goes on by itself (a background command has finished): a turn nobody asked for.
    fn begin_unasked(&mut self) {
        let Some(last) = &self.last else { return };
        let session = session_of(last);
        let turn = uuid::Uuid::new_v4().to_string();
        let preface = vec![ChatEvent::Session {
            session_id: Some(session),
            working_directory: last.working_directory.clone(),
            resume_info: last.resume.clone(),
            session_resume: last.resume.clone(),
            trust_level: Some(last.claude.trust.app_name().into()),
            trust: Some(last.claude.trust),
            title: last.title.clone(),
            turn_id: turn.clone(),
        }];
        let request = TurnRequest { turn, message: String::new(), preface, ..last.clone() };
        let number = self.log.last_turn() + 1;
        self.commit();
        for event in &request.preface {
            self.batch.push(&self.log, number, event);
        }
        self.commit();
        if !self.given_up {
            self.turn = Some(Turn::new(number, request));
        }
    }

    fn garbage(&mut self, line: &[u8]) {
        let Some(turn) = &mut self.turn else { return };
        turn.garbage += 1;
        let count = turn.garbage;
        let shown: String = String::from_utf8_lossy(line).chars().take(200).collect();
        if count == 1 {
            turn.first_garbage = shown.clone();
            self.warn(
                "cli_garbage",
                "Unexpected output",
                format!("The Claude CLI printed something that is not its protocol: {shown}"),
            );
        }
        if count > GARBAGE_LINES_MAX {
            let message = self.garbage_message();
            self.give_up(ErrorCode::CliFailed.error(message, None));
        }
    }

    fn garbage_message(&self) -> String {
        let shown = self.turn.as_ref().map_or("", |t| t.first_garbage.as_str());
        format!(
            "What runs as the Claude CLI does not speak its protocol (it printed {shown:?}). \
             Check that claude_path names the real `claude` program."
        )
    }

    fn warn(&mut self, code: &str, title: &str, message: String) {
        let session_id = Some(self.place.session.clone());
        let (code, title) = (code.into(), title.into());
        self.say(ChatEvent::Warning { code, title, message, details: None, session_id });
    }

    fn judge_version(&mut self, version: Option<&str>) {
        let Some(version) = version else { return };
        let mut parts = version.split('.').map(|p| p.parse::<u64>().unwrap_or_default());
        let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if (major, minor) < CLI_VERSION_MIN {
            self.give_up(too_old(&format!("it is version {version}")));
        }
    }

    fn retry(&mut self, attempt: u64, of: u64, status: Option<u64>, error: &str, delay_ms: f64) {
        let Some(turn) = &mut self.turn else { return };
        if error == "authentication_failed" {
            // The same credential will not be better in three minutes.
            if !turn.unauthorized {
                turn.unauthorized = true;
                self.interrupt();
            }
            return;
        }
        if std::mem::replace(&mut turn.told_retry, true) {
            return;
        }
        let what = status.map_or_else(|| "did not answer".into(), |s| format!("answered {s}"));
        let seconds = (delay_ms / 1000.0).max(1.0).round();
        let message =
            format!("The model's service {what}; asking again in {seconds} s ({attempt} of {of}).");
        self.warn("retrying", "Trying again", message);
    }

    fn rate_limit(&mut self, status: &str, kind: &str, utilization: Option<f64>) {
        let Some(turn) = &mut self.turn else { return };
        if status == "allowed" || std::mem::replace(&mut turn.told_limit, true) {
            return;
        }
        let used = utilization.map(|u| format!(" ({:.0} % used)", u * 100.0)).unwrap_or_default();
        let message = format!("The account's {} limit is near{used}.", kind.replace('_', " "));
        self.warn("rate_limit", "Rate limit", message);
    }

    fn asked(&mut self, request: String, subtype: &str, body: &Map<String, Value>) {
        match subtype {
            "hook_callback" => self.hook(&request, body),
            "can_use_tool" => self.may_use(request, body),
            _ => self.tell(control::unknown(&request, subtype)),
        }
    }

    fn tell(&self, line: Vec<u8>) {
        if let Some(claude) = &self.claude
            && !claude.tell(line)
        {
            tracing::warn!("the Claude CLI takes no answers");
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

    /// The request in force: a call that comes between turns is of the last one's conversation.
    fn in_force(&self) -> Option<&TurnRequest> {
        self.turn.as_ref().map(|t| &t.request).or(self.last.as_ref())
    }

    fn judge(&self, tool: &str, input: &Map<String, Value>) -> Result<(), policy::Refusal> {
        let Some(request) = self.in_force() else {
            let message = "nothing was asked for".into();
            return Err(policy::Refusal { reason: "denied", message });
        };
        let directory = Path::new(&request.claude.directory);
        policy::judge(tool, input, Path::new(&request.vault), directory)
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

    fn refused(
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

    fn prompt_finished(&mut self, uuid: &str) {
        let Some(turn) = &mut self.turn else { return };
        if uuid != turn.request.turn {
            turn.owed.retain(|owed| owed != uuid);
        }
    }

    fn ended(&mut self, ended: &Ended) {
        let Some(turn) = &mut self.turn else { return };
        let over = turn.settle(ended);
        let missing = ended.errors.iter().any(|e| e.starts_with(NO_CONVERSATION));
        if missing {
            return self.conversation_lost();
        }
        let stopped = turn.aborting || turn.unauthorized || ended.reason.starts_with("aborted");
        if stopped {
            return self.stopped();
        }
        if ended.is_error {
            let error = turn.error(ended);
            return self.fail(error);
        }
        if over {
            self.end_well();
        } else {
            self.wait_for_injected();
        }
    }

    pub(crate) fn end_well(&mut self) {
        // A conversation that begins here has cost nothing before.
        let new = self.turn.as_ref().is_some_and(|t| t.request.resume.is_new_session);
        let cost_before = self.total_cost.or(new.then_some(0.0));
        self.finish(|turn, count| turn.done(count, cost_before));
    }

    fn conversation_lost(&mut self) {
        let has_history = self.log.last_turn() > 1;
        self.finish(|turn, message_count| ChatEvent::SessionUnavailable {
            reason: "sdk_session_not_found".into(),
            session_id: session_of(&turn.request),
            has_markdown_history: has_history,
            message_count,
            message: "The Claude CLI no longer has this conversation. Send the message again to \
                begin it anew."
                .into(),
        });
    }

    /// The CLI's process is gone.
    pub(crate) fn cli_ended(&mut self, status: Option<ExitStatus>, stderr: &str) {
        let Some(turn) = &self.turn else { return };
        if turn.aborting || turn.unauthorized {
            return self.stopped();
        }
        if let Some(why) = unconfined(status, stderr) {
            return self.fail(crate::session::unconfined(why));
        }
        if stderr.contains(NO_CONVERSATION) {
            return self.conversation_lost();
        }
        let how = status.map_or_else(|| "in an unknown way".into(), |s| s.to_string());
        tracing::warn!(how, "the Claude CLI ended during a turn");
        let mut error = if stderr.contains("unknown option") {
            too_old("it does not know an option that it is started with")
        } else if turn.garbage > 0 {
            ErrorCode::CliFailed.error(self.garbage_message(), None)
        } else if stderr.contains("already in use") {
            let message = "Another Claude CLI uses this conversation. Close it and try again.";
            ErrorCode::CliFailed.error(message, None)
        } else {
            let message = format!(
                "The Claude CLI ended in the middle of the turn ({how}). What it had said is kept; \
                 send the message again to go on."
            );
            ErrorCode::CliFailed.error(message, None)
        };
        error.original_error = Some(stderr.to_owned()).filter(|s| !s.is_empty());
        self.fail(error);
    }
}

/// Why the helper that was to confine the CLI did not, and so did not run it.
fn unconfined(status: Option<ExitStatus>, stderr: &str) -> Option<&str> {
    let code = status?.code()?;
    let (_, why) = stderr.split_once(crate::UNCONFINED)?;
    (code == i32::from(host::confine::EXIT_UNCONFINED)).then_some(why)
}

fn too_old(why: &str) -> wire::chat::TypedError {
    let message = format!(
        "The Claude CLI is too old ({why}). Update it: npm install -g @anthropic-ai/claude-code"
    );
    ErrorCode::CliTooOld.error(message, None)
}
