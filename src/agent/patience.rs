//! What happens when nothing happens: the deadlines of a session. An interrupted turn that goes
//! on is pushed harder, a request that nobody answers is denied, an answer that does not begin
//! is not waited for, a CLI that says nothing is given up, an agent without work leaves.

use crate::claude::control;
use crate::limits::{INJECTED_WAIT, STOP_STEP, TURN_SILENCE};
use crate::session::Session;
use host::child::Signal;
use std::time::Duration;
use tokio::time::Instant;
use wire::error::ErrorCode;

impl Session {
    /// Asks the CLI to stop its turn; stronger signals follow if it does not.
    pub(crate) fn interrupt(&mut self) {
        if let Some(claude) = &self.claude {
            claude.tell(control::interrupt());
        }
        // Asked again, it is still the same stop: its steps go on.
        let first = (Instant::now() + STOP_STEP, Signal::Interrupt);
        self.escalate.get_or_insert(first);
    }

    pub(crate) fn wait_for_injected(&mut self) {
        self.wait_injected = Some(Instant::now() + INJECTED_WAIT);
    }

    /// The answer that was waited for has begun; from here on its result counts.
    pub(crate) fn injected_goes_on(&mut self) {
        self.wait_injected = None;
    }

    /// When something has to be done at the latest.
    pub(crate) fn deadline(&self) -> Instant {
        let mut next = match &self.turn {
            None => self.place.idle.map_or_else(far_away, |idle| self.used + idle),
            Some(turn) if turn.tool_runs() || !self.asks.is_empty() => {
                Instant::now() + TURN_SILENCE
            }
            Some(_) => self.heard + TURN_SILENCE,
        };
        let (escalate, ends) = (self.escalate.map(|e| e.0), self.turn_ends().map(|e| e.0));
        for at in [self.asks.next_due(), escalate, self.wait_injected, ends] {
            next = at.map_or(next, |at| next.min(at));
        }
        next
    }

    /// When the running turn has used up its time, and how many seconds that is.
    fn turn_ends(&self) -> Option<(Instant, u64)> {
        let turn = self.turn.as_ref()?;
        let seconds = turn.request.claude.container.as_ref()?.turn_seconds_max;
        let ends = Instant::from_std(turn.began()) + Duration::from_secs(seconds);
        (seconds > 0).then_some((ends, seconds))
    }

    /// Does what a deadline asks for; whether the agent is to leave.
    pub(crate) fn overdue(&mut self) -> bool {
        let now = Instant::now();
        while let Some(ask) = self.asks.overdue() {
            self.unanswered(ask);
        }
        if let Some((at, signal)) = self.escalate.filter(|(at, _)| *at <= now) {
            self.push_harder(at, signal);
        }
        if self.wait_injected.is_some_and(|at| at <= now) {
            self.end_well();
        }
        if let Some((at, seconds)) = self.turn_ends()
            && at <= now
        {
            let message = format!(
                "The turn used up its time ({seconds} s) and was stopped. The workspace's sandbox \
                 limits say how long one may take."
            );
            self.give_up(ErrorCode::LimitReached.error(message, None));
        }
        let silent = self.turn.as_ref().is_some_and(|t| !t.tool_runs()) && self.asks.is_empty();
        if silent && self.escalate.is_none() && self.heard + TURN_SILENCE <= now {
            let message = format!(
                "Nothing came from the Claude CLI for {} minutes, and it was stopped.",
                TURN_SILENCE.as_secs() / 60
            );
            self.give_up(ErrorCode::CliFailed.error(message, None));
        }
        let idle = self.turn.is_none() && self.waiting.is_empty();
        idle && self.place.idle.is_some_and(|limit| self.used + limit <= now)
    }

    /// A turn that was interrupted and goes on: the next stronger signal.
    fn push_harder(&mut self, at: Instant, signal: Signal) {
        let Some(claude) = &self.claude else {
            return self.stopped();
        };
        claude.signal(signal);
        let next = match signal {
            Signal::Interrupt => Signal::Terminate,
            Signal::Terminate | Signal::Kill => Signal::Kill,
        };
        self.escalate = Some((at + STOP_STEP, next));
        if signal == Signal::Kill {
            self.claude = None;
            self.stopped();
        }
    }

    /// The turn was stopped on request, or because the credential is refused.
    pub(crate) fn stopped(&mut self) {
        match &self.turn {
            Some(turn) if turn.unauthorized => {
                let error = turn.error(&Default::default());
                self.fail(error);
            }
            _ => self.finish(|turn, count| turn.aborted("The turn was stopped.", count)),
        }
    }
}

/// When there is no deadline.
fn far_away() -> Instant {
    Instant::now() + TURN_SILENCE
}
