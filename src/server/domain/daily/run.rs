//! A run of a daily agent: a turn of a session of its own, by the ordinary way of turns, so that
//! it has the credential (trap T-61), is held to its tools (trap T-18) and outlives the server.
//! Its last words are the output, which the server writes: that needs no tool at all, works at
//! every level of trust, and nothing is half written.

use super::hear::{End, hear};
use super::note::Note;
use super::{Days, prompt, tools};
use crate::domain::{Domain, DomainError};
use crate::limits::{DAILY_RUN_PAUSE, DAILY_RUN_WAIT};
use crate::store::{MetadataEdit, Patch, SessionRow};
use crate::vault::daily::agents::Definition;
use crate::vault::daily::output;
use crate::vault::daily::state::{State, StateError};
use crate::vault::{Folder, Front, Name};
use serve::{Feed, Limits};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use uuid::Uuid;
use wire::chat::{ChatBody, TextMode};
use wire::daily::{AgentRun, RunAgent, RunStatus};
use wire::{SessionId, Timestamp, Trust};

/// Characters of a message beside its material.
const AROUND: usize = 2000;

/// Runs that are under way, by agent: one at a time of each.
#[derive(Clone, Default)]
pub(crate) struct Runs(Arc<Mutex<HashMap<String, watch::Receiver<AgentRun>>>>);

/// The place of a run among them, for as long as it is under way.
struct Place {
    runs: Runs,
    agent: String,
    tell: watch::Sender<AgentRun>,
}

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
        let speaking = async move { self.take_turn(body, TextMode::Delta, &feed).await };
        match tokio::join!(speaking, hear(live)) {
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
            date: days.read.to_string(),
            output_date: days.written.to_string(),
            output,
        };
        self.keep_note(&note).await?;
        let room = (self.settings.max_message_length as usize).saturating_sub(AROUND);
        let material: String = material.chars().take(room).collect();
        let told =
            self.in_vault(move |vault| Ok::<_, DomainError>(prompt::system(vault, &definition)?));
        let body = ChatBody {
            message: prompt::message(days, &note.output, &material),
            session_id: Some(session),
            system_prompt: Some(told.await?),
            // Whoever wrote the definition gives no reach beyond the vault.
            trust_level: (!given.is_empty()).then(|| Trust::Vault.name().into()),
            ..ChatBody::default()
        };
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
        let given = given.to_vec();
        let bind = move |metadata: &mut _| tools::bind(metadata, &agent, &given);
        let known = state.session().filter(|id| SessionId::parse(id).is_ok());
        if let Some(id) = known.map(str::to_owned)
            && let Some(row) = store.session(&id).await?
            && tools::is_of(&row, definition.name.as_str())
        {
            let metadata = Some(MetadataEdit::With(Box::new(bind)));
            store.patch_session(&id, Patch { metadata, ..Patch::default() }).await?;
            return Ok(id);
        }
        let mut metadata = serde_json::Map::new();
        bind(&mut metadata);
        let row = SessionRow {
            title: Some(definition.display_name.clone()),
            module: "daily".into(),
            agent_type: Some("daily".into()),
            metadata: Some(metadata),
            ..SessionRow::new(Uuid::new_v4().to_string(), Timestamp::now())
        };
        store.insert_session(&row).await?;
        let (id, name) = (row.id.clone(), definition.name.clone());
        state.begin(&row.id);
        self.in_vault(move |vault| Ok::<_, DomainError>(state.write(vault, &name)?)).await?;
        Ok(id)
    }

    /// Follows a turn that is under way, or was. None: the server stops.
    async fn to_the_end(&self, note: Note) -> Option<AgentRun> {
        let stop = self.agents.stopping();
        while !stop.is_cancelled() {
            // Asked first: a turn that is no longer in hand has its end in the log.
            let in_hand = match self.store().await {
                Ok(store) => {
                    store.handed(Some(&note.session)).await.map_or(true, |h| !h.is_empty())
                }
                Err(_) => true,
            };
            let (feed, live) = serve::live::open(&Limits::default(), &stop);
            let (_, end) = tokio::join!(self.followed(&note, feed), hear(live));
            match end {
                Some(end) => return Some(self.finished(note, end).await),
                None if !in_hand => {
                    let end = End::Failed("its turn never began".into());
                    return Some(self.finished(note, end).await);
                }
                None => tokio::time::sleep(DAILY_RUN_PAUSE).await,
            }
        }
        None
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
                    Ok(true) => {
                        run.status = RunStatus::Completed;
                        run.output_written = true;
                        run.output_path = Some(note.output.display().to_string());
                    }
                    Ok(false) => run.status = RunStatus::CompletedNoOutput,
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

/// Writes the output, if there is one, and notes the run. Whether there was one.
fn written(
    vault: &Folder,
    note: &Note,
    text: String,
    model: Option<String>,
) -> Result<bool, DomainError> {
    let name = Name::parse(&note.agent).ok_or_else(|| DomainError::Bad(Name::RULE.into()))?;
    let mut state = State::read(vault, &name)?;
    let has_output = !text.is_empty() && text != prompt::NOTHING;
    if has_output {
        let mut front = Front { body: text, ..Front::default() };
        for (field, value) in [
            ("date", note.output_date.clone()),
            ("agent", note.agent.clone()),
            ("generated_at", Timestamp::now().to_stored()),
        ] {
            front.fields.insert(field.into(), value.into());
        }
        output::write(vault, &note.output, &note.agent, &front)?;
    }
    state.ran(&note.session, model.as_deref(), &note.date);
    state.write(vault, &name)?;
    Ok(has_output)
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

impl Runs {
    /// Takes the agent's place; the run that has it, where there is one.
    fn take(&self, agent: &str, run: AgentRun) -> Result<Place, watch::Receiver<AgentRun>> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(under_way) = runs.get(agent) {
            return Err(under_way.clone());
        }
        let (tell, told) = watch::channel(run);
        runs.insert(agent.to_owned(), told);
        Ok(Place { runs: self.clone(), agent: agent.to_owned(), tell })
    }

    /// Whether the agent is at work.
    pub(super) fn is_running(&self, agent: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(agent)
    }
}

impl Place {
    /// Says how it ended, if it did. Those who come from now on begin another.
    fn tell(self, run: Option<AgentRun>) {
        if let Some(run) = run {
            self.tell.send_replace(run);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.runs.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.agent);
    }
}
