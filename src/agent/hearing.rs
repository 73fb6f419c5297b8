//! What the session does about each line of the CLI: events for the log, a turn that nobody asked
//! for, and what is odd about the CLI itself. What it asks is `permits`' business, and how a turn
//! ends `finish`'s.

use crate::claude::lines::{self, Line, Ready};
use crate::finish::too_old;
use crate::limits::GARBAGE_LINES_MAX;
use crate::session::Session;
use crate::turn::{Turn, session_of};
use wire::ChatEvent;
use wire::agent::TurnRequest;
use wire::error::ErrorCode;

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
            Line::MessageStart { id, model, tokens } => {
                let events = self.turn.as_mut().map(|t| t.message_start(id, model, tokens));
                self.say_all(events.into_iter().flatten());
            }
            Line::MessageDelta(tokens) => {
                if let Some(turn) = &mut self.turn {
                    turn.message_delta(tokens);
                }
            }
            Line::Assistant(block) => {
                let events = self.turn.as_mut().map(|t| t.assistant(block));
                self.say_all(events.into_iter().flatten());
            }
            Line::ToolResult { id, content, is_error } => {
                if is_error {
                    self.failed(&id);
                }
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
            self.turn = Some(Turn::new(number, request, self.total_cost));
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

    pub(crate) fn garbage_message(&self) -> String {
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

    fn prompt_finished(&mut self, uuid: &str) {
        let Some(turn) = &mut self.turn else { return };
        if uuid != turn.request.turn {
            turn.owed.retain(|owed| owed != uuid);
        }
    }
}
