//! The session: one task that owns the CLI, the queue of turns and everything that waits for a
//! person. Orders come in through one bounded channel, lines through another; what happens goes
//! to the log. Turns are serial because this is one task.
//!
//! Here are its state, the loop, and how a turn begins. What is done about an order is in
//! `orders`, about a line in `hearing`, about a call in `permits`, about silence in `patience`,
//! and how a turn ends in `finish`: each a part of this one task, with no state of its own.

use crate::ask::Asks;
use crate::claude::{Begin, Claude, Heard, StartError, control, transcript_exists};
use crate::exhausted::Exhausted;
use crate::finish::{disk_full, start_error};
use crate::limits::CONTAINER_GONE;
use crate::log::{Batch, Log, Past};
use crate::orders::Order;
use crate::rules::Rules;
use crate::turn::Turn;
use host::child::Signal;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::agent::{AgentStatus, TurnRequest};
use wire::error::ErrorCode;
use wire::{ChatEvent, Timestamp};

/// Where an agent lives.
pub(crate) struct Place {
    pub(crate) session: String,
    pub(crate) dir: PathBuf,
    /// Where the way out of a confined CLI is opened.
    pub(crate) outlet: PathBuf,
    /// Without work for so long, it leaves; None: never.
    pub(crate) idle: Option<Duration>,
}

pub(crate) struct Session {
    pub(crate) place: Place,
    pub(crate) log: Arc<Log>,
    pub(crate) status: Arc<Mutex<AgentStatus>>,
    pub(crate) claude: Option<Claude>,
    /// The CLI's own id of the conversation; `/clear` changes it.
    pub(crate) conversation: String,
    pub(crate) waiting: VecDeque<TurnRequest>,
    pub(crate) turn: Option<Turn>,
    pub(crate) asks: Asks,
    /// What file tools may not touch.
    pub(crate) rules: Rules,
    pub(crate) batch: Batch,
    pub(crate) message_count: i64,
    pub(crate) total_cost: Option<f64>,
    /// The last request, for a turn that the CLI begins by itself.
    pub(crate) last: Option<TurnRequest>,
    pub(crate) used: Instant,
    pub(crate) heard: Instant,
    /// Steps of stopping a turn that does not stop.
    pub(crate) escalate: Option<(Instant, Signal)>,
    /// The turn's own answer is complete; an injected message's may follow until then.
    pub(crate) wait_injected: Option<Instant>,
    /// Containers that are there, each with the task that takes it away again.
    containers: TaskTracker,
    /// Whether our own unit has met a limit: tools run in it.
    pub(crate) exhausted: Exhausted,
    /// The CLI was given up; what else it has said is nobody's.
    pub(crate) given_up: bool,
}

impl Session {
    pub(crate) fn new(
        place: Place,
        log: Arc<Log>,
        past: Past,
        status: Arc<Mutex<AgentStatus>>,
    ) -> Session {
        let why = crate::ended::take(&place.dir);
        let kept = std::fs::read_to_string(place.dir.join("conversation")).ok();
        let kept = kept.filter(|id| wire::SessionId::parse(id).is_ok());
        let mut session = Session {
            conversation: kept.unwrap_or_else(|| place.session.clone()),
            batch: log.batch(),
            log,
            status,
            claude: None,
            waiting: VecDeque::new(),
            turn: None,
            asks: Asks::of(&place.dir),
            rules: Rules::none(),
            message_count: past.message_count,
            total_cost: past.total_cost_usd,
            last: None,
            used: Instant::now(),
            heard: Instant::now(),
            escalate: None,
            wait_injected: None,
            containers: TaskTracker::new(),
            exhausted: Exhausted::own(),
            given_up: false,
            place,
        };
        if let Some(unfinished) = past.unfinished {
            session.close_unfinished(&unfinished, why.as_deref());
        }
        session
    }

    /// Runs until there is nothing to do any more, or `stop`. No order is taken afterwards.
    pub(crate) async fn run(
        &mut self,
        mut orders: mpsc::Receiver<Order>,
        stop: &CancellationToken,
    ) {
        loop {
            self.begin_next();
            self.tell_status();
            let deadline = self.deadline();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                order = orders.recv() => match order {
                    Some(Order::Leave(answer)) => {
                        let idle = self.turn.is_none() && self.waiting.is_empty();
                        // Whoever asked may be gone; we leave all the same.
                        let _ = answer.send(idle);
                        if idle {
                            break;
                        }
                    }
                    Some(Order::End(answer)) => {
                        self.waiting.clear();
                        let _ = answer.send(true);
                        break;
                    }
                    Some(order) => self.order(order),
                    None => break,
                },
                heard = hear(&mut self.claude) => self.hear(heard),
                () = tokio::time::sleep_until(deadline) => {
                    if self.overdue() {
                        break;
                    }
                }
            }
        }
        // A server that asks from here on finds nobody, and starts anew.
        orders.close();
    }

    fn begin_next(&mut self) {
        while self.turn.is_none() {
            let Some(next) = self.waiting.pop_front() else {
                break;
            };
            if let Err(error) = self.begin(next) {
                tracing::error!(%error, "a waiting turn is lost: the event log cannot be written");
            }
        }
        self.log.rest(self.turn.is_none());
    }

    /// Writes the turn's first events, then asks the CLI. An error means that the log took
    /// nothing and the turn did not begin.
    pub(crate) fn begin(&mut self, request: TurnRequest) -> std::io::Result<()> {
        self.log.hold_reserve()?;
        self.message_count = self.message_count.max(request.message_count);
        let number = self.log.last_turn() + 1;
        for event in &request.preface {
            self.batch.push(&self.log, number, event);
        }
        if let Err(error) = self.log.append(&mut self.batch) {
            self.batch = self.log.batch();
            return Err(error);
        }
        tracing::info!(turn = %request.turn, "turn begins");
        self.log.rest(false);
        let fresh = request.fresh;
        self.last = Some(request.clone());
        self.turn = Some(Turn::new(number, request.clone(), self.total_cost));
        self.escalate = None;
        self.wait_injected = None;
        self.given_up = false;
        self.heard = Instant::now();
        self.read_rules();
        if let Err(error) = self.ensure_claude(&request, fresh) {
            self.fail(start_error(&error));
            return Ok(());
        }
        self.tell_rules();
        let content = crate::attached::content(&request);
        let said = self.claude.as_ref().map(|c| c.tell(control::user(&request.turn, &content)));
        if said != Some(true) {
            self.fail(ErrorCode::CliFailed.error("The Claude CLI does not take its input.", None));
        }
        Ok(())
    }

    fn ensure_claude(&mut self, request: &TurnRequest, fresh: bool) -> Result<(), StartError> {
        if self.claude.as_ref().is_some_and(|c| c.setup == request.claude) && !fresh {
            return Ok(());
        }
        if let Some(old) = self.claude.take() {
            // Two processes on one conversation would fork it: the old one goes first.
            old.signal(Signal::Kill);
        }
        if fresh {
            self.keep_conversation(uuid::Uuid::new_v4().to_string());
        }
        let dir = &self.place.dir;
        let resume = !fresh && transcript_exists(&self.conversation, request.claude.trust, dir);
        if !resume && wire::SessionId::parse(&self.conversation).is_ok_and(|id| !id.is_uuid()) {
            // The CLI begins a conversation only under a UUID.
            self.keep_conversation(uuid::Uuid::new_v4().to_string());
        }
        let claude = Claude::start(
            &request.claude,
            &Begin {
                session: &self.place.session,
                containers: &self.containers,
                conversation: &self.conversation,
                resume,
                dir: &self.place.dir,
                vault: Path::new(&request.vault),
                outlet: &self.place.outlet,
            },
        )?;
        claude.tell(control::initialize(&request.claude));
        self.claude = Some(claude);
        Ok(())
    }

    pub(crate) fn keep_conversation(&mut self, id: String) {
        if let Err(error) = std::fs::write(self.place.dir.join("conversation"), &id) {
            tracing::warn!(%error, "could not keep the CLI's id of the conversation");
        }
        self.conversation = id;
    }

    /// Adds an event of the running turn.
    pub(crate) fn say(&mut self, event: ChatEvent) {
        if let Some(turn) = &self.turn {
            self.batch.push(&self.log, turn.number, &event);
        }
    }

    /// Writes what was said. A log that cannot be written ends the turn: nothing may be seen
    /// that is not in the log.
    pub(crate) fn commit(&mut self) {
        if let Err(error) = self.log.append(&mut self.batch) {
            tracing::error!(%error, "the event log cannot be written");
            self.batch = self.log.batch();
            self.log.spend_reserve();
            self.give_up(disk_full(&error));
        }
    }

    fn hear(&mut self, heard: Heard) {
        self.heard = Instant::now();
        match heard {
            Heard::Lines(lines) => self.lines(&lines),
            Heard::TooLong => {
                let message = "The Claude CLI printed a line beyond all bounds and was ended.";
                self.give_up(ErrorCode::CliFailed.error(message, None));
            }
            Heard::Ended { status, stderr } => {
                self.claude = None;
                self.cli_ended(status, &stderr);
            }
            Heard::Lost(error) => {
                self.claude = None;
                self.fail(*error);
            }
        }
    }

    fn tell_status(&self) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.turn = self.turn.as_ref().map(|t| t.request.turn.clone());
        status.waiting = self.waiting.len();
        status.claude_pid = self.claude.as_ref().and_then(|c| c.pid);
        if status.turn.is_some() {
            status.used = Timestamp::now();
        }
    }

    /// Ends what runs and the CLI.
    pub(crate) async fn leave(mut self) {
        if let Some(claude) = self.claude.as_ref().filter(|_| self.turn.is_some()) {
            claude.tell(control::interrupt());
        }
        self.finish(|turn, count| turn.aborted("The agent was told to stop.", count));
        self.log.rest(true);
        if let Some(claude) = self.claude.take() {
            claude.end().await;
        }
        self.containers.close();
        if tokio::time::timeout(CONTAINER_GONE, self.containers.wait()).await.is_err() {
            tracing::warn!("a container is left behind");
        }
    }
}

async fn hear(claude: &mut Option<Claude>) -> Heard {
    match claude {
        Some(claude) => claude.hear().await,
        None => std::future::pending().await,
    }
}
