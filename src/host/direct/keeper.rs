//! The one task that owns the child: takes orders, hears what the child says, watches the clock,
//! and says of each state that it comes about. What follows what is as systemd.service(5) has it.
//!
//! It starts no process and sends no signal itself; that is [`Run`]'s.

use super::ear::Said;
use super::phase::{Phase, SUCCESS, is_final, pause, result};
use super::run::{Event, Run};
use super::{Program, UNIT, load};
use crate::units::{UnitError, UnitStatus};
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;

/// An order.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Start,
    Stop,
    Restart,
    Reset,
    /// Stop, and take no more orders.
    Close,
}

/// Where an order's outcome goes. Whoever gave it may have left; it is carried out all the same.
pub(super) type Reply = oneshot::Sender<Result<(), UnitError>>;

/// What follows the end of the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// That depends on how it ended.
    Judge,
    /// Nothing.
    Stay,
    /// The next one.
    Again,
}

/// The task.
pub(super) struct Keeper {
    program: Program,
    orders: mpsc::Receiver<(Act, Reply)>,
    now: watch::Sender<Arc<UnitStatus>>,
    changes: broadcast::Sender<Arc<UnitStatus>>,
    status: UnitStatus,
    phase: Phase,
    /// When the phase has lasted long enough.
    deadline: Option<Instant>,
    run: Option<Run>,
    /// Since when it is ready.
    ready: Option<Instant>,
    after: After,
    /// Crashes in a row.
    crashes: u32,
    /// Those who wait until it is ready, each with its verb.
    starts: Vec<(&'static str, Reply)>,
    /// Those who wait until it has ended.
    stops: Vec<Reply>,
    closing: bool,
}

impl Keeper {
    pub(super) fn new(
        program: Program,
        orders: mpsc::Receiver<(Act, Reply)>,
        changes: broadcast::Sender<Arc<UnitStatus>>,
    ) -> (Keeper, watch::Receiver<Arc<UnitStatus>>) {
        let phase = Phase::Rest { failed: false };
        let (active, sub) = phase.words();
        let watchdog = u64::try_from(program.bounds.watchdog.as_micros()).ok();
        let status = UnitStatus {
            description: "Parachute server".to_owned(),
            load: load(&program.program).to_owned(),
            active: active.to_owned(),
            sub: sub.to_owned(),
            result: SUCCESS.to_owned(),
            since: Some(microseconds()),
            watchdog_microseconds: watchdog.filter(|_| program.notify),
            ..UnitStatus::default()
        };
        let (now, told) = watch::channel(Arc::new(status.clone()));
        let keeper = Keeper {
            program,
            orders,
            now,
            changes,
            status,
            phase,
            deadline: None,
            run: None,
            ready: None,
            after: After::Judge,
            crashes: 0,
            starts: Vec::new(),
            stops: Vec::new(),
            closing: false,
        };
        (keeper, told)
    }

    pub(super) async fn keep(mut self) {
        while !(self.closing && matches!(self.phase, Phase::Rest { .. })) {
            tokio::select! {
                order = self.orders.recv(), if !self.closing => self.order(order),
                event = next(&mut self.run) => match event {
                    Event::Said(said) => self.heard(said),
                    Event::Ended(how) => self.ended(how).await,
                },
                () = until(self.deadline) => self.late(),
            }
        }
    }

    fn order(&mut self, order: Option<(Act, Reply)>) {
        match order {
            Some((Act::Start, reply)) if self.phase == Phase::Running => answer(reply, Ok(())),
            Some((Act::Start, reply)) => self.start("start", reply),
            Some((Act::Restart, reply)) => {
                if matches!(self.phase, Phase::Starting | Phase::Running) {
                    self.stop();
                }
                self.start("restart", reply);
            }
            Some((Act::Stop, reply)) => self.halt(Some(reply)),
            Some((Act::Reset, reply)) => self.reset(reply),
            Some((Act::Close, reply)) => {
                self.closing = true;
                self.halt(Some(reply));
            }
            // Every handle was dropped.
            None => {
                self.closing = true;
                self.halt(None);
            }
        }
    }

    fn start(&mut self, verb: &'static str, reply: Reply) {
        self.starts.push((verb, reply));
        match self.phase {
            Phase::Rest { .. } | Phase::Pausing => self.begin_anew(),
            Phase::Stopping | Phase::Aborting | Phase::Killing => self.after = After::Again,
            Phase::Starting | Phase::Running => {}
        }
    }

    /// Has it end and stay away; whoever waits for a start has waited in vain.
    fn halt(&mut self, reply: Option<Reply>) {
        self.stops.extend(reply);
        self.after = After::Stay;
        self.answer_starts(|verb| job(verb, "canceled"));
        match self.phase {
            Phase::Rest { .. } => self.answer_stops(),
            // It is down already, and as of now on purpose.
            Phase::Pausing => self.rest(false),
            Phase::Starting | Phase::Running => self.stop(),
            Phase::Stopping | Phase::Aborting | Phase::Killing => {}
        }
    }

    fn reset(&mut self, reply: Reply) {
        self.crashes = 0;
        self.status.restarts = 0;
        if matches!(self.phase, Phase::Rest { .. } | Phase::Pausing) {
            SUCCESS.clone_into(&mut self.status.result);
        }
        match self.phase {
            Phase::Rest { failed: true } => self.rest(false),
            _ => self.tell(),
        }
        answer(reply, Ok(()));
    }

    /// Starts it because somebody said so: what was before does not count.
    fn begin_anew(&mut self) {
        self.crashes = 0;
        self.status.restarts = 0;
        if let Err(said) = self.begin() {
            self.rest(true);
            self.answer_starts(|_| UnitError::Refused { unit: UNIT.into(), said: said.clone() });
        }
    }

    fn begin(&mut self) -> Result<(), String> {
        self.after = After::Judge;
        SUCCESS.clone_into(&mut self.status.result);
        self.status.exit_status = None;
        self.status.said.clear();
        match Run::start(&self.program) {
            Ok(run) => {
                tracing::info!(pid = run.pid, "started the server");
                self.status.pid = Some(run.pid);
                self.run = Some(run);
                self.enter(Phase::Starting, Some(self.program.bounds.start));
                if !self.program.notify {
                    self.serve();
                }
                Ok(())
            }
            Err(said) => {
                tracing::error!(error = said, "the server could not be started");
                "resources".clone_into(&mut self.status.result);
                self.status.said.clone_from(&said);
                Err(said)
            }
        }
    }

    fn serve(&mut self) {
        self.ready = Some(Instant::now());
        self.enter(Phase::Running, self.program.notify.then_some(self.program.bounds.watchdog));
        for (_, reply) in self.starts.drain(..) {
            answer(reply, Ok(()));
        }
    }

    fn stop(&mut self) {
        if let Some(run) = &self.run {
            run.terminate();
        }
        self.enter(Phase::Stopping, Some(self.program.bounds.stop));
    }

    fn heard(&mut self, said: Vec<Said>) {
        for one in said {
            match (one, self.phase) {
                (Said::Status(text), _) if text != self.status.said => {
                    self.status.said = text;
                    self.tell();
                }
                (Said::Ready, Phase::Starting) => self.serve(),
                (Said::Alive, Phase::Running) => {
                    self.deadline = Some(Instant::now() + self.program.bounds.watchdog);
                }
                (Said::Stopping, Phase::Running) => {
                    self.enter(Phase::Stopping, Some(self.program.bounds.stop));
                }
                _ => {}
            }
        }
    }

    /// The phase has lasted long enough.
    fn late(&mut self) {
        match self.phase {
            Phase::Starting => {
                "timeout".clone_into(&mut self.status.result);
                self.stop();
            }
            Phase::Running => {
                "watchdog".clone_into(&mut self.status.result);
                if let Some(run) = &self.run {
                    run.abort();
                }
                self.enter(Phase::Aborting, Some(self.program.bounds.stop));
            }
            Phase::Stopping | Phase::Aborting => {
                self.end_as("timeout");
                if let Some(run) = &self.run {
                    run.kill();
                }
                self.enter(Phase::Killing, None);
            }
            Phase::Pausing => {
                self.status.restarts += 1;
                if self.begin().is_err() {
                    self.crashed();
                }
            }
            Phase::Rest { .. } | Phase::Killing => self.deadline = None,
        }
    }

    async fn ended(&mut self, how: io::Result<ExitStatus>) {
        if let Some(run) = self.run.take() {
            let last = run.finish().await;
            self.heard(last);
        }
        let exit = how.inspect_err(|error| tracing::warn!(%error, "cannot wait for it")).ok();
        self.status.pid = None;
        self.status.exit_status = exit;
        self.end_as(result(exit, self.phase));
        let result = &self.status.result;
        tracing::info!(result, status = exit.map(tracing::field::display), "the server ended");
        match self.after {
            After::Stay => self.rest(self.status.result != SUCCESS),
            After::Again => {
                self.rest(self.status.result != SUCCESS);
                self.begin_anew();
            }
            After::Judge if self.status.result == SUCCESS => self.rest(false),
            After::Judge => self.crashed(),
        }
    }

    /// Sets the result, unless something that came before explains the end better.
    fn end_as(&mut self, result: &str) {
        if self.status.result == SUCCESS {
            result.clone_into(&mut self.status.result);
        }
    }

    fn crashed(&mut self) {
        let steady = |since: Instant| since.elapsed() >= self.program.bounds.steady;
        if self.ready.take().is_some_and(steady) {
            self.crashes = 0;
        }
        self.crashes += 1;
        let verdict = self.status.result.clone();
        if is_final(self.status.exit_status) {
            self.rest(true);
        } else if self.crashes > self.program.bounds.crashes_max {
            // How it ended is told, too.
            self.rest(true);
            "start-limit-hit".clone_into(&mut self.status.result);
            self.tell();
        } else {
            self.enter(Phase::Pausing, Some(pause(&self.program.bounds, self.crashes)));
        }
        self.answer_starts(|verb| job(verb, &verdict));
    }

    fn rest(&mut self, failed: bool) {
        self.ready = None;
        self.enter(Phase::Rest { failed }, None);
        self.answer_stops();
    }

    fn enter(&mut self, phase: Phase, limit: Option<Duration>) {
        let (active, sub) = phase.words();
        if (active, sub) != self.phase.words() {
            self.status.since = Some(microseconds());
        }
        self.phase = phase;
        self.deadline = limit.map(|limit| Instant::now() + limit);
        active.clone_into(&mut self.status.active);
        sub.clone_into(&mut self.status.sub);
        self.tell();
    }

    fn tell(&mut self) {
        load(&self.program.program).clone_into(&mut self.status.load);
        let told = Arc::new(self.status.clone());
        self.now.send_replace(told.clone());
        // An error says that nobody watches.
        self.changes.send(told).ok();
    }

    fn answer_starts(&mut self, error: impl Fn(&'static str) -> UnitError) {
        for (verb, reply) in self.starts.drain(..) {
            answer(reply, Err(error(verb)));
        }
    }

    fn answer_stops(&mut self) {
        for reply in self.stops.drain(..) {
            answer(reply, Ok(()));
        }
    }
}

fn answer(reply: Reply, outcome: Result<(), UnitError>) {
    // An error says that nobody waits any more.
    reply.send(outcome).ok();
}

fn job(act: &'static str, result: &str) -> UnitError {
    UnitError::Job { unit: UNIT.to_owned(), act, result: result.to_owned() }
}

async fn next(run: &mut Option<Run>) -> Event {
    match run {
        Some(run) => run.next().await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Since 1970.
fn microseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
