//! How the units are: kept up by what the manager signals, never by asking again and again. Only
//! what no manager signals (memory, processor time) is asked for, when somebody wants to know,
//! and at most once a second. The manager's word is the truth; nothing here survives us.

use crate::limits::{MEASURE_PAUSE, RECONNECT_PAUSE, SETTLE_LIMIT, TOLD_LIMIT};
use crate::suite::{self, AGENTS, Member, PREFIX};
use crate::words;
use host::Native;
use host::control::Control;
use host::units::{Changed, Failure, UnitError, UnitStatus, Units};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::{SetOnce, watch};
use tokio_util::sync::CancellationToken;
use wire::supervisor::{Exit, Mode};

/// What is known of a unit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) status: UnitStatus,
    /// Its last bad end.
    pub(crate) last_exit: Option<Exit>,
    /// When what it uses was last asked for, in the state that it is in.
    measured: Option<Instant>,
}

/// The units as far as they are known, and the road to their manager.
pub(crate) struct State {
    mode: Mode,
    members: Vec<&'static Member>,
    /// None while the manager is away.
    control: Mutex<Option<Control>>,
    known: Mutex<BTreeMap<String, Known>>,
    /// Counts changes; those who watch are woken by it.
    changes: watch::Sender<u64>,
    /// The manager has told of every unit.
    told: SetOnce<()>,
    /// Held by who asks what the units use, so that many who want to know ask once.
    measuring: tokio::sync::Mutex<()>,
}

impl State {
    /// Of the units that this manager keeps. Nothing is known before [`keep_up`](Self::keep_up).
    pub(crate) fn of(control: Control) -> Arc<State> {
        Arc::new(State {
            mode: mode(&control),
            members: suite::members(&control).collect(),
            control: Mutex::new(Some(control)),
            known: Mutex::default(),
            changes: watch::Sender::new(0),
            told: SetOnce::new(),
            measuring: tokio::sync::Mutex::default(),
        })
    }

    /// Waits until the manager has told of the units for the first time, but not for ever.
    pub(crate) async fn told(&self) {
        if tokio::time::timeout(TOLD_LIMIT, self.told.wait()).await.is_err() {
            tracing::warn!("the service manager has not told of the units");
        }
    }

    /// Who keeps the units.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// The units that there are, or could be.
    pub(crate) fn members(&self) -> &[&'static Member] {
        &self.members
    }

    /// The manager.
    pub(crate) fn control(&self) -> Result<Control, UnitError> {
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        control.clone().ok_or_else(|| UnitError::Gone("it is looked for again".into()))
    }

    /// What is known of a unit.
    pub(crate) fn unit(&self, unit: &str) -> Known {
        self.lock().get(unit).cloned().unwrap_or_default()
    }

    /// Agents' units that are alive, by session.
    pub(crate) fn agents(&self) -> Vec<(String, Known)> {
        let known = self.lock();
        let agents = known.iter().filter_map(|(unit, known)| {
            let session = unit.strip_prefix(AGENTS)?.strip_suffix(".service")?;
            let alive = !matches!(known.status.active.as_str(), "inactive" | "failed");
            alive.then(|| (session.to_owned(), known.clone()))
        });
        agents.collect()
    }

    /// Waits until what is known of a unit is what the manager says of it now, so that whoever
    /// asks after an order does not hear how it was before.
    pub(crate) async fn settle(&self, control: &Control, unit: &str) {
        let Ok(now) = control.status(unit).await else { return };
        let mut changes = self.changes.subscribe();
        let caught_up = changes.wait_for(|_| {
            let known = self.unit(unit).status;
            (&known.active, &known.sub) == (&now.active, &now.sub)
        });
        if tokio::time::timeout(SETTLE_LIMIT, caught_up).await.is_err() {
            self.put(unit.to_owned(), now);
            self.stir();
        }
    }

    /// Wakes when something changed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Something that those who watch want to know changed elsewhere.
    pub(crate) fn stir(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks how much the units that run use, those that nobody asked within the last second.
    pub(crate) async fn measure(&self) {
        let _measuring = self.measuring.lock().await;
        let Ok(control) = self.control() else { return };
        let fresh = |known: &Known| known.measured.is_some_and(|at| at.elapsed() < MEASURE_PAUSE);
        let due = |known: &Known| known.status.active == "active" && !fresh(known);
        let known = self.lock().clone();
        for unit in known.iter().filter(|(_, known)| due(known)).map(|(unit, _)| unit) {
            match control.status(unit).await {
                Ok(now) => self.measured(unit, now),
                Err(error) => tracing::debug!(unit, %error, "a unit was not measured"),
            }
        }
    }

    /// Takes over what is not signalled and nothing else: what is may be newer here.
    fn measured(&self, unit: &str, now: UnitStatus) {
        if let Some(known) = self.lock().get_mut(unit) {
            known.status.memory_bytes = now.memory_bytes;
            known.status.cpu_nanoseconds = now.cpu_nanoseconds;
            known.status.tasks = now.tasks;
            known.measured = Some(Instant::now());
        }
    }

    /// Keeps the picture up until `stop`.
    pub(crate) async fn keep_up(self: Arc<State>, stop: CancellationToken) {
        let following = async {
            loop {
                if let Ok(control) = self.control() {
                    self.follow(&control).await;
                    tracing::warn!("the service manager is gone; looking for it");
                }
                self.replace(None);
                tokio::time::sleep(RECONNECT_PAUSE).await;
                if let Some(native) = host::units::connect().await {
                    self.replace(Some(Control::Managed(native)));
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = following => {}
        }
    }

    fn replace(&self, control: Option<Control>) {
        *self.control.lock().unwrap_or_else(PoisonError::into_inner) = control;
    }

    /// Follows the manager until it is gone.
    async fn follow(&self, control: &Control) {
        let mut changed = match control.watch(PREFIX).await {
            Ok(changed) => changed,
            Err(error) => {
                tracing::warn!(%error, "the service manager does not tell of changes");
                return;
            }
        };
        self.ask_all(control).await;
        // Said already, where the manager was away in between.
        let _ = self.told.set(());
        self.remember(control).await;
        while let Some(changed) = changed.recv().await {
            match changed {
                Changed::Unit(unit, now) => self.put(unit, *now),
                Changed::Gone(unit) => self.gone(&unit),
                Changed::Files => self.ask_all(control).await,
            }
            self.stir();
        }
    }

    /// Asks about every unit.
    async fn ask_all(&self, control: &Control) {
        let mut units: Vec<String> =
            suite::members(control).map(|member| member.unit.to_owned()).collect();
        match control.list(AGENTS).await {
            Ok(listed) => units.extend(listed.into_iter().map(|unit| unit.name)),
            Err(UnitError::Unsupported(_)) => {}
            Err(error) => tracing::warn!(%error, "the agents' units are not known"),
        }
        for unit in units {
            match control.status(&unit).await {
                Ok(now) => self.put(unit, now),
                Err(UnitError::Unknown(_)) => self.gone(&unit),
                Err(error) => tracing::warn!(unit, %error, "a unit's state is not known"),
            }
        }
        self.stir();
    }

    /// What the manager's own log says of bad ends before our time.
    async fn remember(&self, control: &Control) {
        let services: Vec<&str> =
            self.members.iter().map(|m| m.unit).filter(|unit| unit.ends_with(".service")).collect();
        for Failure { unit, at, result, exit_status } in control.failures(&services).await {
            if let Some(known) = self.lock().get_mut(&unit)
                && known.last_exit.is_none()
            {
                // As it was then, with the limits that the unit has now.
                let then = UnitStatus {
                    active: "failed".into(),
                    since: Some(at),
                    result,
                    exit_status,
                    said: String::new(),
                    ..known.status.clone()
                };
                known.last_exit = words::bad_end(&then);
            }
        }
        self.stir();
    }

    fn put(&self, unit: String, now: UnitStatus) {
        let mut all = self.lock();
        let known = all.entry(unit).or_default();
        let before = words::bad_end(&known.status);
        let said = before.map(|exit| (exit.result, exit.code, exit.signal));
        // The same end is told of more than once while the manager sees to it.
        if let Some(mut exit) = words::bad_end(&now)
            && said != Some((exit.result.clone(), exit.code, exit.signal))
        {
            if let Some(last) = known.last_exit.take().filter(|_| exit.result == "start-limit-hit")
            {
                exit.words = format!("{}; the last time: {}", exit.words, last.words);
            }
            known.last_exit = Some(exit);
        }
        known.status = now;
        known.measured = None;
    }

    /// The manager has put it out of its memory. Agents are gone then; of the others the file is
    /// still there.
    fn gone(&self, unit: &str) {
        let mut all = self.lock();
        if unit.starts_with(AGENTS) {
            all.remove(unit);
            return;
        }
        if let Some(known) = all.get_mut(unit) {
            let was = std::mem::take(&mut known.status);
            known.status = UnitStatus {
                active: "inactive".into(),
                sub: "dead".into(),
                description: was.description,
                load: was.load,
                listens: was.listens,
                enabled: was.enabled,
                file: was.file,
                drop_ins: was.drop_ins,
                stale: was.stale,
                ..UnitStatus::default()
            };
        }
    }
}

fn mode(control: &Control) -> Mode {
    match (control, Native::NAME) {
        (Control::Direct(_), _) => Mode::Direct,
        (Control::Managed(_), "launchd") => Mode::Launchd,
        (Control::Managed(_), _) => Mode::Systemd,
    }
}
