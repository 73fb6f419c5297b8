//! The configuration as it is asked for and changed over HTTP. Changes are judged and written by
//! the code that the server reads with; one with which the server does not come up is undone.
//! One change at a time: what is undone must be the last one.

use crate::app::App;
use crate::logs::Redactor;
use crate::orders::{OrderError, Target, order};
use crate::suite::SERVER;
use config::settings::{
    self, Asked, ChangeError, Changed, ConfigError, Loaded, Origin, Sources, Tag,
};
use http::StatusCode;
use serde_json::json;
use serve::Fault;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wire::Timestamp;
use wire::supervisor::{ConfigAnswer, ConfigChange, ConfigChanged, JobState, Mode, Setting, Verb};

/// What was read of the files counts for so long where only a problem is looked for.
const READ_KEPT: Duration = Duration::from_secs(1);

/// The configuration.
pub(crate) struct Config {
    sources: Sources,
    /// Held while a change is made and tried.
    changing: tokio::sync::Mutex<()>,
    /// Why the last change was undone, if it was.
    undone: Mutex<Option<String>>,
    problem: Mutex<Option<(Instant, Option<String>)>>,
}

impl Config {
    /// As these sources say.
    pub(crate) fn new(sources: Sources) -> Config {
        Config {
            sources,
            changing: tokio::sync::Mutex::default(),
            undone: Mutex::default(),
            problem: Mutex::default(),
        }
    }

    /// The settings as a server that began now would have them. Blocks for a few small reads.
    pub(crate) fn load(&self) -> Loaded {
        settings::load(&self.sources)
    }

    /// Variables of the process, secrets among them.
    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// What is wrong with the configuration, if something is.
    pub(crate) fn problem(&self) -> Option<String> {
        let undone = self.undone.lock().unwrap_or_else(PoisonError::into_inner).clone();
        undone.or_else(|| {
            let mut kept = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
            match &*kept {
                Some((at, problem)) if at.elapsed() < READ_KEPT => problem.clone(),
                _ => {
                    let problem = self.load().problem;
                    *kept = Some((Instant::now(), problem.clone()));
                    problem
                }
            }
        })
    }

    fn note(&self, undone: Option<String>) {
        *self.undone.lock().unwrap_or_else(PoisonError::into_inner) = undone;
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The file and what is in force.
    pub(crate) fn show(&self, redactor: &Redactor) -> ConfigAnswer {
        let clean = |text: String| redactor.clean(&text).into_owned();
        let loaded = self.load();
        let file = settings::show_file(&loaded.file);
        let setting = |shown: settings::Shown| Setting {
            key: shown.key.into(),
            value: shown.value,
            origin: shown.origin.to_string(),
            about: shown.about.into(),
            writable: shown.writable,
        };
        ConfigAnswer {
            config: file.values,
            file: loaded.file.display().to_string(),
            etag: file.tag.as_str().to_owned(),
            problem: self.problem().or(file.problem).map(clean),
            settings: loaded.show().into_iter().map(setting).collect(),
            warnings: loaded.warnings.into_iter().chain(file.warnings).map(clean).collect(),
        }
    }
}

/// What became of a change.
pub(crate) struct Outcome {
    pub(crate) status: StatusCode,
    pub(crate) answer: ConfigChanged,
}

/// Makes a change, has the server take it if it runs, and undoes it if the server cannot.
/// `only_if`: an `If-Match` header.
pub(crate) async fn change(
    app: &Arc<App>,
    asked: ConfigChange,
    only_if: Option<&str>,
) -> Result<Outcome, Fault> {
    let _alone = app.config.changing.lock().await;
    let only_if =
        only_if.map(|tag| Tag::given(tag.trim().trim_start_matches("W/").trim_matches('"')));
    let loaded = app.config.load();
    let file = loaded.file.clone();
    let known_models = app.models.ids().await;
    let (values, dry_run) = (asked.values.clone(), asked.dry_run);
    let path = file.clone();
    let changing = blocking(move || {
        let only_if = only_if.as_ref().filter(|tag| tag.as_str() != "*");
        let known_models = &known_models;
        settings::change(&path, &Asked { values: &values, only_if, known_models, dry_run })
    });
    let changed = changing.await?.map_err(|error| refusal(app, error))?;
    app.state.told().await;
    let runs = app.state.unit(SERVER).status.active;
    let runs = !matches!(runs.as_str(), "" | "inactive" | "deactivating");
    let mut outcome = Outcome {
        status: StatusCode::OK,
        answer: ConfigChanged {
            success: true,
            updated_keys: asked.values.keys().cloned().collect(),
            server_restarted: false,
            restart_needed: runs && !changed.changes.is_empty(),
            warnings: warnings(app, &loaded, &changed),
            etag: changed.tag.as_str().to_owned(),
            dry_run: asked.dry_run,
            rolled_back: false,
            detail: None,
            changes: changed.changes.clone(),
        },
    };
    if asked.dry_run {
        return Ok(outcome);
    }
    if !changed.changes.is_empty() {
        let keys: Vec<&str> = changed.changes.iter().map(|change| change.key.as_str()).collect();
        tracing::info!(keys = keys.join(" "), "the configuration was changed");
        app.config.note(None);
    }
    // As asked, also where nothing changed: what stands in the file may not be in force yet.
    if asked.restart && runs {
        take(app, file, &changed, &mut outcome).await?;
    }
    app.state.stir();
    Ok(outcome)
}

/// Has the server take the change, or undoes it.
async fn take(
    app: &Arc<App>,
    file: PathBuf,
    changed: &Changed,
    outcome: &mut Outcome,
) -> Result<(), Fault> {
    let job = order(app, Target::Server, Verb::Restart).await.map_err(Fault::from)?;
    if job.state != JobState::Failed {
        outcome.answer.server_restarted = job.state == JobState::Done;
        outcome.answer.restart_needed = job.state != JobState::Done;
        return Ok(());
    }
    if changed.changes.is_empty() {
        return Err(failed(&job.message, &job));
    }
    let (path, tag, before) = (file.clone(), changed.tag.clone(), changed.before.clone());
    let back = blocking(move || settings::put_back(&path, &tag, before.as_ref()));
    let now = match back.await? {
        Ok(true) => "what stood in the file before was put back",
        Ok(false) => "somebody has changed the file since, so it was left as it is",
        Err(error) => return Err(Fault::unready(error.to_string()).because(error)),
    };
    tracing::warn!(reason = job.message, now, "the server does not come up with a change");
    let again = order(app, Target::Server, Verb::Restart).await.map_err(Fault::from)?;
    let runs = match again.state {
        JobState::Done => "the server runs with it".to_owned(),
        _ => format!("the server does not come up with that either: {}", again.message),
    };
    let keys: Vec<&str> = changed.changes.iter().map(|change| change.key.as_str()).collect();
    let said = format!(
        "the server did not come up with the change of {} ({}): {now}, and {runs}",
        keys.join(", "),
        job.message
    );
    app.config.note(Some(format!("{}: {said}", Timestamp::now())));
    outcome.status = StatusCode::CONFLICT;
    let answer = &mut outcome.answer;
    answer.success = false;
    answer.rolled_back = true;
    answer.server_restarted = again.state == JobState::Done;
    answer.restart_needed = false;
    answer.etag = settings::show_file(&file).tag.as_str().to_owned();
    answer.detail = Some(said);
    Ok(())
}

/// What the owner should know about keys whose change has no effect, or not by itself.
fn warnings(app: &App, loaded: &Loaded, changed: &Changed) -> Vec<String> {
    let mut warnings = changed.warnings.clone();
    let sockets_elsewhere = app.state.mode() != Mode::Direct;
    for change in &changed.changes {
        let key = change.key.as_str();
        let origin = loaded.get(key).map(|shown| shown.origin);
        if let Some(origin @ (Origin::Environment | Origin::DotEnv)) = origin {
            warnings.push(format!("{key}: {origin} says otherwise, and comes before the file"));
        }
        if sockets_elsewhere && matches!(key, "port" | "host") {
            warnings.push(format!(
                "{key}: the service manager holds the server's addresses; install the units anew \
                 (install-units --port) to change them"
            ));
        }
    }
    warnings
}

/// Does what waits for files and locks where nobody else waits for it.
async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(act).await.map_err(Fault::bug)
}

/// What is told of a wrong value repeats it, and it may be a secret that was put in a wrong place.
fn refusal(app: &App, error: ChangeError) -> Fault {
    let redactor = app.redactor();
    let clean = |text: &str| redactor.clean(text).into_owned();
    let said = clean(&error.to_string());
    match error {
        ChangeError::Refused(faults) => {
            let errors: Vec<_> = faults
                .iter()
                .map(|fault| json!({ "key": clean(&fault.key), "said": clean(&fault.said) }))
                .collect();
            let mut fault = Fault::bad(said);
            fault.body["errors"] = errors.into();
            fault
        }
        ChangeError::Stale { now } => {
            let mut fault = Fault::new(StatusCode::PRECONDITION_FAILED, said);
            fault.body["etag"] = now.as_str().into();
            fault
        }
        ChangeError::File(error @ ConfigError::Unwritable { .. }) => {
            Fault::unready(said).because(error)
        }
        ChangeError::File(error) => Fault::new(StatusCode::CONFLICT, said).because(error),
    }
}

/// The answer to an order that failed.
pub(crate) fn failed(said: &str, job: &wire::supervisor::Job) -> Fault {
    let mut fault = Fault::new(StatusCode::INTERNAL_SERVER_ERROR, said);
    fault.body["job"] = json!(job);
    fault
}

impl From<OrderError> for Fault {
    fn from(error: OrderError) -> Fault {
        let said = error.to_string();
        match error {
            OrderError::TooMany => Fault::new(StatusCode::TOO_MANY_REQUESTS, said),
            OrderError::NoControl(_) => Fault::unready(said).because(error),
        }
    }
}
