//! How a turn ends: well, stopped, with an error, or broken off by what ended an agent before
//! this one. Here alone is a turn taken from the session and its last event written, also on a
//! disk that is full. What an API's error means is the turn's own knowledge, and when to stop is
//! that of whoever calls.

use crate::claude::StartError;
use crate::claude::lines::Ended;
use crate::log::Unfinished;
use crate::session::Session;
use crate::turn::{Turn, session_of};
use host::child::Signal;
use std::process::ExitStatus;
use tokio::time::Instant;
use wire::ChatEvent;
use wire::chat::TypedError;
use wire::error::ErrorCode;

/// What the CLI says of an id that it has no transcript for.
const NO_CONVERSATION: &str = "No conversation found";

impl Session {
    /// A `result` line of the CLI: the turn is over with it, or waits for an injected message's.
    pub(crate) fn ended(&mut self, ended: &Ended) {
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
        self.finish(Turn::done);
    }

    fn conversation_lost(&mut self) {
        let has_history = self.log.last_turn() > 1;
        if let Some(claude) = self.claude.take() {
            claude.signal(Signal::Kill);
        }
        // Asked for this one again, the CLI would say the same again.
        self.keep_conversation(uuid::Uuid::new_v4().to_string());
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
        if let Some(why) = why_unconfined(status, stderr) {
            return self.fail(unconfined(why));
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

    /// Ends the running turn with an error.
    pub(crate) fn fail(&mut self, mut error: TypedError) {
        self.finish(|turn, count| {
            error.session_id = Some(session_of(&turn.request));
            error.message_count = Some(count);
            turn.charge(&mut error);
            error.message = turn.without_secret(&error.message);
            error.original_error = error.original_error.map(|said| turn.without_secret(&said));
            tracing::warn!(
                turn = %turn.request.turn, code = %error.code,
                cause = error.original_error.as_deref().unwrap_or_default(), "turn failed"
            );
            ChatEvent::TypedError(Box::new(error))
        });
    }

    /// Writes the last event of the running turn, made of the turn and the session's count of
    /// messages; the session is free for the next.
    pub(crate) fn finish(&mut self, last: impl FnOnce(Turn, i64) -> ChatEvent) {
        let Some(turn) = self.turn.take() else { return };
        let number = turn.number;
        let id = turn.request.turn.clone();
        self.message_count = turn.message_count(self.message_count);
        self.total_cost = turn.total_cost();
        let event = last(turn, self.message_count);
        if let (Some(last), ChatEvent::Done(done)) = (&mut self.last, &event) {
            last.title.clone_from(&done.title);
        }
        self.batch.push(&self.log, number, &event);
        if let Err(error) = self.log.append(&mut self.batch) {
            self.batch = self.log.batch();
            self.end_in_short(number, &error);
        }
        self.asks.clear();
        self.escalate = None;
        self.wait_injected = None;
        self.used = Instant::now();
        tracing::info!(turn = %id, "turn ended");
    }

    /// The end of a turn was too long for what is left of the disk; a few words may fit.
    fn end_in_short(&mut self, number: u64, why: &std::io::Error) {
        tracing::error!(error = %why, "a turn's end does not fit");
        self.log.spend_reserve();
        let mut error = disk_full(why);
        error.session_id = Some(self.place.session.clone());
        error.message_count = Some(self.message_count);
        self.batch.push(&self.log, number, &ChatEvent::TypedError(Box::new(error)));
        if let Err(error) = self.log.append(&mut self.batch) {
            tracing::error!(%error, "nor do a few words; the next agent will end the turn");
            self.batch = self.log.batch();
        }
    }

    /// Ends the CLI, which is of no more use, and with it the running turn.
    pub(crate) fn give_up(&mut self, error: TypedError) {
        self.given_up = true;
        if let Some(claude) = self.claude.take() {
            claude.signal(Signal::Kill);
        }
        self.fail(error);
    }

    /// Writes the end of a turn in which an earlier agent ended.
    pub(crate) fn close_unfinished(&mut self, left: &Unfinished, why: Option<&str>) {
        let number = self.log.last_turn();
        let count = self.message_count + left.asked + i64::from(left.answered);
        let mut message = "The agent ended in the middle of this turn.".to_owned();
        message.extend(why.iter().flat_map(|why| [" ", why]));
        for call in left.calls.iter().take(5) {
            let subject = crate::policy::subject(&call.input).unwrap_or_default();
            let shown: String = subject.chars().take(200).collect();
            message.push_str(&format!(
                " {} was running ({shown}): whether it took effect is not known, and it is not \
                 run again by itself.",
                call.name
            ));
        }
        let mut error = ErrorCode::AgentLost.error(message, Some(&self.place.session));
        error.message_count = Some(count);
        self.batch.push(&self.log, number, &ChatEvent::TypedError(Box::new(error)));
        let written = self.log.append(&mut self.batch).or_else(|_| {
            self.log.spend_reserve();
            self.log.append(&mut self.batch)
        });
        if let Err(error) = written {
            tracing::error!(%error, "the end of a broken turn could not be written");
            self.batch = self.log.batch();
        }
        self.message_count = count;
    }
}

pub(crate) fn disk_full(error: &std::io::Error) -> TypedError {
    let message = format!("The turn's events cannot be kept ({error}). Free some space.");
    ErrorCode::DiskFull.error(message, None)
}

const NOT_WITH_MORE: &str = "Nothing was run: an agent never gets more trust than was asked for.";

/// The error of a turn whose CLI could not be confined.
pub(crate) fn unconfined(why: &str) -> TypedError {
    let message = format!("The agent cannot be confined: {}. {NOT_WITH_MORE}", why.trim());
    ErrorCode::TrustUnavailable.error(message, None)
}

pub(crate) fn start_error(error: &StartError) -> TypedError {
    let (code, advice) = match error {
        StartError::Missing => (
            ErrorCode::CliMissing,
            "Install it (npm install -g @anthropic-ai/claude-code) or set claude_path in the \
             config.",
        ),
        StartError::NotThere(..) => (ErrorCode::CliMissing, "Check claude_path in the config."),
        StartError::Directory(..) => {
            (ErrorCode::CliFailed, "Choose another working directory for this session.")
        }
        StartError::Outside(..) => (
            ErrorCode::TrustUnavailable,
            "Choose a working directory in the vault, or set the session's trust to `full`.",
        ),
        StartError::Unconfined(why) => return unconfined(why),
    };
    let mut out = code.error(format!("The Claude CLI did not start: {error}. {advice}"), None);
    out.original_error = Some(serve::fault::chain(error));
    out
}

/// Why the helper that was to confine the CLI did not, and so did not run it.
fn why_unconfined(status: Option<ExitStatus>, stderr: &str) -> Option<&str> {
    let code = status?.code()?;
    let (_, why) = stderr.split_once(crate::UNCONFINED)?;
    (code == i32::from(host::confine::EXIT_UNCONFINED)).then_some(why)
}

pub(crate) fn too_old(why: &str) -> wire::chat::TypedError {
    let message = format!(
        "The Claude CLI is too old ({why}). Update it: npm install -g @anthropic-ai/claude-code"
    );
    ErrorCode::CliTooOld.error(message, None)
}
