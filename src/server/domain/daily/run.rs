//! A run of a daily agent: a turn of a session of its own, by the ordinary way of turns, so that
//! it has the credential (trap T-61), is held to its tools (trap T-18) and outlives the server.
//! Its last words are the output, which the server writes: that needs no tool at all, works at
//! every level of trust, and nothing is half written.

use super::hear::{End, Of, hear};
use super::note::Note;
use super::{Days, prompt, tools};
use crate::domain::{Domain, DomainError};
use crate::limits::{DAILY_RUN_MAX, DAILY_RUN_PAUSE, DAILY_RUN_PAUSE_MAX, DAILY_RUN_WAIT};
use crate::store::{MetadataEdit, Patch, SessionRow};
use crate::vault::daily::agents::Definition;
use crate::vault::daily::output;
use crate::vault::daily::state::{State, StateError};
use crate::vault::{Folder, Front, Name};
use serve::{Feed, Limits};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use uuid::Uuid;
use wire::chat::{ChatBody, TextMode};
use wire::daily::{AgentRun, RunAgent, RunStatus};
use wire::{SessionId, Timestamp, Trust};

/// Characters of a message beside its material.
const AROUND: usize = 2000;

/// What a run is to do.
struct Plan {
    definition: Definition,
    days: Days,
    output: PathBuf,
    material: String,
}

impl From<StateError> for DomainError {
    fn from(error: StateError) -> DomainError {
        match error {
            StateError::File(error) => error.into(),
            error => DomainError::Unusable(error.to_string()),
        }
    }
}

impl Domain {
    /// Has an agent read a day, and waits for what comes of it as long as the app would. A run
    /// that is under way already is waited for in the place of a second one.
    pub(crate) async fn run_daily_agent(
        self: &Arc<Domain>,
        name: &str,
        ask: RunAgent,
    ) -> Result<AgentRun, DomainError> {
        let definition = self.daily_definition(name).await?;
        let days = Days::of(ask.date.as_deref())?;
        let output = definition.output.clone().map_err(DomainError::Unusable)?;
        let run = outset(name, &days.read.to_string(), &days.written.to_string());
        let place = match self.daily_runs.take(name, run.clone()) {
            Ok(place) => place,
            Err(under_way) => return Ok(self.awaited(under_way).await),
        };
        let state = self.daily_state(&definition.name).await?;
        let runs = state.runs();
        if !ask.force && runs.last_processed_date.as_deref() == Some(run.date.as_str()) {
            let reason = format!("{} was read already", run.date);
            return Ok(AgentRun { last_run_at: runs.last_run_at, ..skipped(run, reason) });
        }
        let material = self.material(&definition, days.read).await?;
        if !material.has_journal {
            let reason = format!("{} has no journal", run.date);
            return Ok(skipped(run, reason));
        }
        let output = output.of(&run.output_date);
        let plan = Plan { definition, days, output, material: material.text };
        let (domain, under_way) = (self.clone(), place.tell.subscribe());
        // The run must not end with the request: whoever asked may leave at any time.
        self.agents.spawn(async move {
            let ran = domain.run_out(plan, state).await;
            place.tell(ran);
        });
        Ok(self.awaited(under_way).await)
    }

    /// Brings those to their end that were under way when the last server ended.
    pub(crate) async fn take_up_daily_runs(self: &Arc<Domain>) {
        let notes = self.notes().await.unwrap_or_else(|error| {
            tracing::error!(%error, "runs of daily agents that were under way are not known");
            Vec::new()
        });
        for note in notes {
            let run = outset(&note.agent, &note.date, &note.output_date);
            let Ok(place) = self.daily_runs.take(&note.agent, run) else { continue };
            tracing::info!(agent = note.agent, "taking up a run that was under way");
            let domain = self.clone();
            self.agents.spawn(async move {
                let ran = domain.to_the_end(note).await;
                place.tell(ran);
            });
        }
    }

    async fn awaited(&self, mut under_way: watch::Receiver<AgentRun>) -> AgentRun {
        let stop = self.agents.stopping();
        let why = tokio::select! {
            ended = under_way.wait_for(|run| run.status != RunStatus::Running) => match ended {
                Ok(run) => return run.clone(),
                // Nobody brings it to its end any more but the next server.
                Err(_) => "the server stops; the next one brings it to its end",
            },
            () = tokio::time::sleep(DAILY_RUN_WAIT) => "it is still at work",
            () = stop.cancelled() => "the server stops; the next one brings it to its end",
        };
        let run = under_way.borrow().clone();
        AgentRun { error: Some(why.into()), ..run }
    }

    /// The whole of a run. None: the server stops, and the note stays.
    async fn run_out(&self, plan: Plan, state: State) -> Option<AgentRun> {
        let (agent, days) = (plan.definition.name.clone(), plan.days);
        let failed = |error: DomainError| {
            tracing::error!(agent = agent.as_str(), %error, "a daily agent could not run");
            let run = outset(agent.as_str(), &days.read.to_string(), &days.written.to_string());
            AgentRun { status: RunStatus::Error, error: Some(error.to_string()), ..run }
        };
        let (note, body) = match self.begun(plan, state).await {
            Ok(begun) => begun,
            Err(error) => return Some(failed(error)),
        };
        let (feed, live) = serve::live::open(&Limits::default(), &self.agents.stopping());
        let turn = note.turn.clone();
        let speaking = async move {
            self.take_turn_as(turn, body, TextMode::Delta, &feed).await;
        };
        match tokio::join!(speaking, hear(live, Of::Own(&note.turn))) {
            ((), Some(end)) => Some(self.finished(note, end).await),
            ((), None) => self.to_the_end(note).await,
        }
    }

    /// Finds the session, notes the run, and says what its turn is.
    async fn begun(&self, plan: Plan, state: State) -> Result<(Note, ChatBody), DomainError> {
        let Plan { definition, days, output, material } = plan;
        let (given, _) = tools::given(&definition.tools);
        let session = self.session_of_agent(&definition, &given, state).await?;
        let note = Note {
            agent: definition.name.to_string(),
            after: self.last_event(&session).await?,
            session: session.clone(),
            turn: Uuid::new_v4().to_string(),
            date: days.read.to_string(),
            output_date: days.written.to_string(),
            output,
        };
        let room = (self.settings.max_message_length as usize).saturating_sub(AROUND);
        let told =
            self.in_vault(move |vault| Ok::<_, DomainError>(prompt::system(vault, &definition)));
        let body = ChatBody {
            message: prompt::message(days, &note.output, &material, room),
            session_id: Some(session),
            system_prompt: Some(told.await?),
            trust_level: reach(&given).map(|reach| reach.name().into()),
            ..ChatBody::default()
        };
        // Last of all: a note whose turn nobody takes would wait for another's answer.
        self.keep_note(&note).await?;
        Ok((note, body))
    }

    /// The agent's session: the one that its state names, if that is its own, else a new one.
    async fn session_of_agent(
        &self,
        definition: &Definition,
        given: &[String],
        mut state: State,
    ) -> Result<String, DomainError> {
        let store = self.store().await?;
        let agent = definition.name.as_str().to_owned();
        let (given, reach) = (given.to_vec(), reach(given));
        let bind = move |metadata: &mut _| tools::bind(metadata, &agent, &given);
        let known = state.session().filter(|id| SessionId::parse(id).is_ok());
        if let Some(id) = known.map(str::to_owned)
            && let Some(row) = store.session(&id).await?
            && tools::is_of(&row, definition.name.as_str())
        {
            let metadata = Some(MetadataEdit::With(Box::new(bind)));
            let trust_level = reach.filter(|reach| !is_stricter(&row, *reach));
            let trust_level = trust_level.map(|reach| reach.stored_name().to_owned());
            store.patch_session(&id, Patch { metadata, trust_level, ..Patch::default() }).await?;
            return Ok(id);
        }
        let mut metadata = serde_json::Map::new();
        bind(&mut metadata);
        let row = SessionRow {
            title: Some(definition.display_name.clone()),
            module: "daily".into(),
            agent_type: Some("daily".into()),
            metadata: Some(metadata),
            trust_level: reach.map(|reach| reach.stored_name().into()),
            ..SessionRow::new(Uuid::new_v4().to_string(), Timestamp::now())
        };
        store.insert_session(&row).await?;
        let (id, name) = (row.id.clone(), definition.name.clone());
        state.begin(&row.id);
        self.in_vault(move |vault| Ok::<_, DomainError>(state.write(vault, &name)?)).await?;
        Ok(id)
    }

    /// Follows a turn that is under way, or was, for a day at most. None: the server stops.
    async fn to_the_end(&self, note: Note) -> Option<AgentRun> {
        let end = match tokio::time::timeout(DAILY_RUN_MAX, self.end_of(&note)).await {
            Ok(end) => end?,
            Err(_) => End::Failed("it came to no end within a day".into()),
        };
        Some(self.finished(note, end).await)
    }

    async fn end_of(&self, note: &Note) -> Option<End> {
        let stop = self.agents.stopping();
        let mut pause = DAILY_RUN_PAUSE;
        while !stop.is_cancelled() {
            // Asked first: a turn that is no longer in hand has its end in the log.
            let in_hand = self.is_in_hand(note).await.unwrap_or_else(|error| {
                let agent = &note.agent;
                tracing::warn!(agent, %error, "it is not known whether a run is in hand");
                true
            });
            let (feed, live) = serve::live::open(&Limits::default(), &stop);
            let heard = hear(live, Of::Session(&note.turn));
            match tokio::join!(self.followed(note, feed), heard).1 {
                Some(end) => return Some(end),
                None if !in_hand => return Some(End::Failed("its turn never began".into())),
                None => tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => {}
                },
            }
            pause = (pause * 2).min(DAILY_RUN_PAUSE_MAX);
        }
        None
    }

    async fn is_in_hand(&self, note: &Note) -> Result<bool, DomainError> {
        Ok(self.store().await?.is_handed(&note.turn).await?)
    }

    async fn followed(&self, note: &Note, feed: Feed) {
        self.follow(&note.session, note.after, TextMode::Delta, &feed).await;
    }

    /// Writes what came of a run.
    async fn finished(&self, note: Note, end: End) -> AgentRun {
        let run = outset(&note.agent, &note.date, &note.output_date);
        let mut run = AgentRun { sdk_session_id: Some(note.session.clone()), ..run };
        match end {
            End::Failed(error) => {
                run.status = RunStatus::Error;
                run.error = Some(error);
            }
            End::Said { text, model } => {
                run.model = model.clone();
                let kept = note.clone();
                match self.in_vault(move |vault| written(vault, &kept, text, model)).await {
                    Ok(done) => tell(&mut run, &note, done),
                    Err(error) => {
                        run.status = RunStatus::Error;
                        run.error = Some(error.to_string());
                    }
                }
            }
        }
        self.drop_note(&note.agent).await;
        let (agent, status, error) = (&run.agent, run.status, &run.error);
        tracing::info!(agent, ?status, error, "a daily run ended");
        run
    }
}

/// Whoever wrote a definition gives no reach beyond the vault: not to its runs, and not to what
/// is said in its session besides.
fn reach(given: &[String]) -> Option<Trust> {
    (!given.is_empty()).then_some(Trust::Vault)
}

/// Whether a session is held as strictly already. A level that nobody knows is the strictest.
fn is_stricter(row: &SessionRow, reach: Trust) -> bool {
    let kept = row.trust_level.as_deref();
    kept.is_some_and(|kept| Trust::parse(kept).is_none_or(|kept| kept >= reach))
}

/// What came of an answer.
struct Written {
    /// Where it is, if there was one.
    at: Option<PathBuf>,
    /// Why the run could not be noted.
    unnoted: Option<String>,
}

/// Writes the output, if there is one, and then notes the run: an answer is not lost because of
/// what else is wrong.
fn written(
    vault: &Folder,
    note: &Note,
    text: String,
    model: Option<String>,
) -> Result<Written, DomainError> {
    let name = Name::parse(&note.agent).ok_or_else(|| DomainError::Bad(Name::RULE.into()))?;
    let mut at = None;
    if !text.is_empty() && text != prompt::NOTHING {
        let mut front = Front { body: text, ..Front::default() };
        for (field, value) in [
            ("date", note.output_date.clone()),
            ("agent", note.agent.clone()),
            ("generated_at", Timestamp::now().to_stored()),
        ] {
            front.fields.insert(field.into(), value.into());
        }
        at = Some(output::write(vault, &note.output, &note.agent, &front)?);
    }
    let noted = || {
        let mut state = State::read(vault, &name)?;
        state.ran(&note.session, model.as_deref(), &note.date);
        Ok::<_, DomainError>(state.write(vault, &name)?)
    };
    Ok(Written { at, unnoted: noted().err().map(|error| error.to_string()) })
}

/// Says in a run what came of its answer.
fn tell(run: &mut AgentRun, note: &Note, done: Written) {
    run.output_written = done.at.is_some();
    run.status = match (&done.at, &done.unnoted) {
        (Some(_), _) => RunStatus::Completed,
        (None, None) => RunStatus::CompletedNoOutput,
        (None, Some(_)) => RunStatus::Error,
    };
    run.reason = done.at.as_ref().filter(|at| **at != note.output).map(|at| {
        let (taken, at) = (note.output.display(), at.display());
        format!("{taken} is not the agent's to replace, so that its output is in {at}")
    });
    run.output_path = done.at.map(|at| at.display().to_string());
    run.error = done.unnoted;
}

/// A run of which nothing is known yet.
fn outset(agent: &str, date: &str, output_date: &str) -> AgentRun {
    AgentRun {
        status: RunStatus::Running,
        agent: agent.to_owned(),
        date: date.to_owned(),
        journal_date: date.to_owned(),
        output_date: output_date.to_owned(),
        sdk_session_id: None,
        model: None,
        output_written: false,
        output_path: None,
        error: None,
        reason: None,
        last_run_at: None,
    }
}

fn skipped(run: AgentRun, reason: String) -> AgentRun {
    AgentRun { status: RunStatus::Skipped, reason: Some(reason), ..run }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_whatever_else_is_wrong() {
        let dir = tempfile::tempdir().expect("a folder");
        let vault = Folder::open(dir.path()).expect("read").expect("a vault");
        let note = Note {
            agent: "poet".into(),
            session: "s".into(),
            turn: "t".into(),
            after: 0,
            date: "2026-11-19".into(),
            output_date: "2026-11-20".into(),
            output: "Daily/poet/2026-11-20.md".into(),
        };
        for folder in ["Daily/.poet", "Daily/poet"] {
            std::fs::create_dir_all(dir.path().join(folder)).expect("made");
        }
        std::fs::write(dir.path().join("Daily/.poet/state.json"), "{").expect("written");
        std::fs::write(dir.path().join(&note.output), "my own words").expect("written");
        let done = written(&vault, &note, "A poem.".into(), None).expect("kept");
        assert!(done.unnoted.is_some());
        let mut run = outset("poet", &note.date, &note.output_date);
        tell(&mut run, &note, done);
        assert_eq!((run.status, run.output_written), (RunStatus::Completed, true));
        assert!(run.error.is_some() && run.reason.is_some());
        let at = run.output_path.expect("a path");
        let text = std::fs::read_to_string(dir.path().join(&at)).expect("an output");
        assert!(text.ends_with("A poem.\n") && at == "Daily/poet/2026-11-20-2.md", "{at}");
    }
}
