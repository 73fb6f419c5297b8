//! What a turn is made of: session, workspace, trust, working directory, prompt and credential
//! become one `TurnRequest`. What may not run is refused in the stream's own words; nothing is
//! written here.

use super::daily;
use super::place::{self, Place};
use super::prompt::{self, Ask, Prompt};
use super::refusal::{domain_error, plain_error, warning};
use super::sessions::{permission_mode, set_permission_mode};
use super::trusted::Standing;
use super::working::WorkingSet;
use super::workspaces::TurnSpace;
use super::{Domain, DomainError};
use crate::store::SessionRow;
use serve::fault::chain;
use uuid::Uuid;
use wire::agent::{ClaudeSetup, TurnRequest};
use wire::chat::{ChatBody, PermissionMode, PromptMetadata, ResumeInfo};
use wire::context::PromptPreview;
use wire::error::ErrorCode;
use wire::{ChatEvent, SessionId, Timestamp, Trust};

/// The model that the app asks for while nobody has chosen one there.
const APP_MODEL: &str = "sonnet";
/// The module of a session of which nothing else is said.
const CHAT: &str = "chat";
/// Lines of a warning beside its message (contract-core §2.2).
const WARNING_DETAILS_MAX: usize = 5;

/// What was found out about a turn's session.
struct Found {
    id: SessionId,
    /// As it stands; None is a session that begins here.
    row: Option<SessionRow>,
    /// The CLI has a conversation for it.
    transcript: bool,
}

/// What a turn would be, before anything of it is checked.
struct Resolved {
    found: Found,
    space: TurnSpace,
    trust: Trust,
    place: Place,
    resume: ResumeInfo,
    prompt: Prompt,
    set: WorkingSet,
    standing: Standing,
}

/// A turn that may run.
pub(super) struct Prepared {
    pub(super) session: String,
    /// To be added, where the session begins here.
    pub(super) new_row: Option<SessionRow>,
    /// A choice of asking that is new to the session.
    pub(super) mode_change: Option<PermissionMode>,
    pub(super) request: TurnRequest,
}

impl Domain {
    pub(super) async fn prepare(
        &self,
        mut body: ChatBody,
        turn: String,
    ) -> Result<Prepared, ChatEvent> {
        let resolved = self.resolve(&mut body).await.map_err(|error| match error {
            DomainError::Missing(said) => plain_error(&said),
            error => domain_error(&error, None),
        })?;
        let Resolved { found, mut space, trust, place, resume, prompt, set, standing } = resolved;
        let id = found.id.to_string();
        if let Some(refused) = unconfinable(&id, trust, &place) {
            return Err(refused);
        }
        let row = found.row.as_ref();
        let named = prompt.model.as_deref().or(space.model());
        let claude = ClaudeSetup {
            trust,
            program: self.settings.claude_path.as_ref().map(|p| p.display().to_string()),
            directory: place.directory.display().to_string(),
            model: model(&body, named.or(self.settings.default_model.as_deref())),
            system_prompt: prompt.replacement,
            append_prompt: prompt.addition,
            permission_mode: body
                .permission_mode
                .unwrap_or_else(|| permission_mode(row.and_then(|r| r.metadata.as_ref()))),
            base_url: self.base_url(),
            credential: self.credential().await,
            plugins: set.plugins,
            agents: set.agents,
            tools: daily::tools_of(row),
            mcp_config: set.mcp_config,
            directory_trusted: standing == Standing::Trusted,
            container: (trust == Trust::Sandboxed)
                .then(|| self.container(&id, &space, row, &place)),
        };
        let title = row.and_then(|r| r.title.clone()).or_else(|| prompt::title_of(&body.message));
        let session = session_event(&id, &turn, &place, &resume, title.clone(), trust);
        let mut preface = preface(session, &id, &body, &place, prompt.metadata);
        let problem = space.problem.take();
        preface.extend(problem.map(|said| warning(&id, "workspace", "Workspace", said)));
        preface.extend(untold(&id, prompt.problems));
        let told = |said| warning(&id, "working_set", "Skills, agents and tools", said);
        preface.extend(set.problems.into_iter().map(told));
        preface.extend(not_run(standing, found.row.is_none()).map(|said| {
            warning(&id, "directory_trust", "Hooks and tools of the folder", said.into())
        }));
        let is_new = resume.previous_message_count == 0 && !found.transcript;
        let (links, attached) = self.attached(&body);
        let message = message_text(&body, is_new) + &links;
        let request = TurnRequest {
            turn,
            message,
            attached,
            preface,
            message_count: resume.previous_message_count,
            title: title.clone(),
            working_directory: place.stored.clone(),
            fresh: body.recovery_mode.is_some(),
            resume,
            vault: self.vault().display().to_string(),
            claude,
        };
        let new_row = found.row.is_none().then(|| new_row(&id, &body, title, &place, trust));
        let mode_change = body.permission_mode;
        Ok(Prepared { session: id, new_row, mode_change, request })
    }

    /// What a turn would be: the same for one that is taken and one that is only shown.
    async fn resolve(&self, body: &mut ChatBody) -> Result<Resolved, DomainError> {
        let mut found = self.find(body).await?;
        let row = found.row.as_ref();
        let kept = row.and_then(|r| r.workspace_id.as_deref());
        let mut space = self.turn_space(body.workspace_id.as_deref(), kept).await;
        body.workspace_id = space.asked.take();
        let trust = trust(body, row, space.trust);
        let asked = body.working_directory.as_deref().or_else(|| space.working_directory());
        let asked = asked.or_else(|| override_of(row, "working_directory"));
        let asked = asked.or_else(|| row?.working_directory.as_deref());
        let place = place::place(self.vault(), asked);
        found.transcript = self.resumable(found.id.as_str(), trust).await?;
        let set = match daily::tools_of(found.row.as_ref()) {
            Some(tools) => self.bound_set(&daily::servers(&tools), trust).await,
            None => self.working_set(space.workspace.as_ref(), trust).await,
        };
        let standing = self.standing(&place.directory).await;
        let continued = self.continued(&found, body).await?;
        let (resume, prior) = self.resume(&found, body, continued.as_deref()).await;
        body.continued_from = continued;
        let row = found.row.as_ref();
        let custom = body.system_prompt.take();
        let module = row.map(|r| r.module.clone()).or_else(|| body.module.clone());
        let ask = Ask {
            place: place.clone(),
            module: module.unwrap_or_else(|| CHAT.into()),
            custom: custom.or_else(|| override_of(row, "system_prompt").map(str::to_owned)),
            agent: None,
            contexts: self.contexts(row, body.contexts.take()).await?,
            prior,
            cli_tells: standing == Standing::Trusted,
        };
        let mut prompt = self.prompt(ask, body.agent_path.clone()).await?;
        prompt.metadata.trust_mode = trust != Trust::Sandboxed;
        set.tell(&mut prompt.metadata);
        Ok(Resolved { found, space, trust, place, resume, prompt, set, standing })
    }

    /// Shows what a turn would be told.
    pub(crate) async fn preview(&self, mut body: ChatBody) -> Result<PromptPreview, DomainError> {
        if let Some(id) = &body.session_id {
            self.row(id).await?;
        }
        let Resolved { space, place, prompt, set, .. } = self.resolve(&mut body).await?;
        let mut problems: Vec<String> = place.refused.into_iter().chain(space.problem).collect();
        problems.extend(prompt.problems.into_iter().chain(set.problems));
        Ok(PromptPreview {
            prompt: prompt.replacement.or(prompt.addition).unwrap_or_default(),
            metadata: prompt.metadata,
            working_directory: place.stored,
            problems,
        })
    }

    /// The session that this one goes on from, if there is one (trap 44).
    async fn continued(
        &self,
        found: &Found,
        body: &ChatBody,
    ) -> Result<Option<String>, DomainError> {
        let kept = found.row.as_ref().map(|row| row.continued_from.as_deref());
        let named = kept.unwrap_or(body.continued_from.as_deref());
        let Some(id) = named.and_then(|id| SessionId::parse(id).ok()) else { return Ok(None) };
        let other = id != found.id && self.store().await?.session(id.as_str()).await?.is_some();
        Ok(other.then(|| id.to_string()))
    }

    /// The session a body names: known here, known to the CLI, or new.
    async fn find(&self, body: &ChatBody) -> Result<Found, DomainError> {
        let named = body.session_id.as_deref().filter(|id| !matches!(*id, "" | "new" | "pending"));
        if let Some(id) = named.and_then(|id| SessionId::parse(id).ok()) {
            let row = self.store().await?.session(id.as_str()).await?;
            let transcript = self.has_transcript(id.as_str()).await?;
            if row.is_some() || transcript {
                return Ok(Found { id, row, transcript });
            }
        }
        let id = SessionId::parse(&Uuid::new_v4().to_string()).expect("a UUID is an id");
        Ok(Found { id, row: None, transcript: false })
    }

    /// How the CLI's conversation comes about, and what it has to be told of the past in words.
    async fn resume(
        &self,
        found: &Found,
        body: &mut ChatBody,
        continued: Option<&str>,
    ) -> (ResumeInfo, Option<String>) {
        let count = found.row.as_ref().map_or(0, |r| r.message_count);
        let fresh = body.recovery_mode.is_some();
        let resumes = found.transcript && !fresh;
        let mut prior = body.prior_conversation.take();
        let mut info = ResumeInfo {
            method: if resumes { "sdk_resume" } else { "new" }.into(),
            is_new_session: found.row.is_none() && !found.transcript,
            previous_message_count: count,
            previous_message_count_app: count,
            sdk_session_available: found.transcript || found.row.is_none(),
            sdk_session_valid: found.transcript,
            sdk_resume_attempted: resumes,
            loaded_from_disk: found.row.is_some(),
            ..ResumeInfo::default()
        };
        let tells = body.recovery_mode.as_deref() != Some("fresh_start") && prior.is_none();
        // Of the other session the CLI knows nothing in any turn, of this one only now.
        let own = Some(found.id.as_str()).filter(|_| !resumes && count > 0);
        for id in continued.into_iter().chain(own).filter(|_| tells) {
            match self.prior_words(id).await {
                Ok((words, told)) if told > 0 => {
                    info.context_injected = true;
                    info.messages_injected += told;
                    info.tokens_estimate += prompt::tokens(&words);
                    let before = prior.map(|prior| format!("{prior}\n\n---\n\n"));
                    prior = Some(before.unwrap_or_default() + &words);
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(session = id, error = chain(&error), "the history is not told")
                }
            }
        }
        (info, prior)
    }
}

/// Why an agent cannot be confined as its level asks. There is no weaker second way.
fn unconfinable(session: &str, trust: Trust, place: &Place) -> Option<ChatEvent> {
    let outside = place.stored.as_deref().is_some_and(|stored| !stored.starts_with("/vault/"));
    // Whether this machine can confine is for the agent to find out, which is confined otherwise
    // than the server's own unit is.
    if trust == Trust::Full || !outside {
        return None;
    }
    let why = format!(
        "{} is outside of the vault, which is all there is at the level `{}`",
        place.directory.display(),
        trust.name()
    );
    let message = format!(
        "Nothing was run, because an agent never gets more trust than was asked for: {why}. \
         Change that, or set the session to `full` to run it as you."
    );
    let error = ErrorCode::TrustUnavailable.error(message, Some(session));
    Some(ChatEvent::TypedError(Box::new(error)))
}

/// What is said of a folder whose hooks and tools are not run: once, or when they changed.
fn not_run(standing: Standing, is_new: bool) -> Option<&'static str> {
    match standing {
        Standing::Unknown if is_new => Some(
            "This folder brings hooks or tools of its own (.claude, .mcp.json). They are not run \
             before you trust it: parachute trust",
        ),
        Standing::Changed => Some(
            "This folder's hooks or tools changed since you trusted it, and are not run. Look at \
             them, then trust it again: parachute trust",
        ),
        _ => None,
    }
}

/// The strictest of what request, session and workspaces say; a request can lower trust, never
/// raise it. A level that nobody knows is the strictest of all.
fn trust(body: &ChatBody, row: Option<&SessionRow>, of_workspaces: Trust) -> Trust {
    let kept = row.and_then(|r| r.trust_level.clone());
    let said = body.trust_level.clone().into_iter().chain(kept);
    said.map(|name| Trust::parse(&name).unwrap_or(Trust::Sandboxed)).fold(of_workspaces, Trust::max)
}

/// The model of a turn: the request's, else the one named by workspace or config. The app sends
/// `sonnet` with every turn, whoever chose what (trap 62), so that this alias is a choice only
/// where the client says so; ids and the other aliases always are.
fn model(body: &ChatBody, named: Option<&str>) -> Option<String> {
    let asked = body.model.as_deref().filter(|model| !model.is_empty());
    let chosen = asked.filter(|model| body.model_is_chosen || *model != APP_MODEL);
    chosen.or(named).or(asked).map(str::to_owned)
}

/// What the owner set for this session alone.
fn override_of<'r>(row: Option<&'r SessionRow>, name: &str) -> Option<&'r str> {
    row?.metadata.as_ref()?.get("config_overrides")?.get(name)?.as_str()
}

fn new_row(
    id: &str,
    body: &ChatBody,
    title: Option<String>,
    place: &Place,
    trust: Trust,
) -> SessionRow {
    let asked = body.trust_level.as_deref().and_then(Trust::parse);
    let metadata = body.permission_mode.map(|mode| {
        let mut metadata = serde_json::Map::new();
        set_permission_mode(&mut metadata, mode);
        metadata
    });
    SessionRow {
        metadata,
        title,
        module: body.module.clone().unwrap_or_else(|| CHAT.into()),
        working_directory: place.stored.clone(),
        continued_from: body.continued_from.clone(),
        agent_type: body.agent_type.clone(),
        trust_level: asked.map(|_| trust.stored_name().into()),
        workspace_id: body.workspace_id.clone(),
        ..SessionRow::new(id, Timestamp::now())
    }
}

/// What the model is asked: the message, and before a session's first one its context.
fn message_text(body: &ChatBody, is_new: bool) -> String {
    match body.initial_context.as_deref().filter(|c| is_new && !c.trim().is_empty()) {
        None => body.message.clone(),
        Some(context) if body.message.trim().is_empty() => context.to_owned(),
        Some(context) => format!("## Context\n\n{context}\n\n## Request\n\n{}", body.message),
    }
}

fn session_event(
    id: &str,
    turn: &str,
    place: &Place,
    resume: &ResumeInfo,
    title: Option<String>,
    trust: Trust,
) -> ChatEvent {
    ChatEvent::Session {
        session_id: Some(id.to_owned()),
        working_directory: place.stored.clone(),
        resume_info: resume.clone(),
        session_resume: resume.clone(),
        trust_level: Some(trust.app_name().into()),
        trust: Some(trust),
        title,
        turn_id: turn.to_owned(),
    }
}

/// What is said of a turn before the CLI is asked.
fn preface(
    session: ChatEvent,
    id: &str,
    body: &ChatBody,
    place: &Place,
    metadata: PromptMetadata,
) -> Vec<ChatEvent> {
    let mut out = vec![
        session,
        ChatEvent::UserMessage { content: body.message.clone(), injected: false },
        ChatEvent::PromptMetadata(metadata),
    ];
    let mut warn = |code: &str, title: &str, message: String| {
        out.push(warning(id, code, title, message));
    };
    if let Some(refused) = &place.refused {
        let message = format!("{refused}; the agent works in the vault instead.");
        warn("working_directory", "Working directory", message);
    }
    out
}

/// What was chosen as context and is not told.
fn untold(id: &str, problems: Vec<String>) -> Option<ChatEvent> {
    let message = problems.first()?.clone();
    let details = Some(problems.into_iter().take(WARNING_DETAILS_MAX).collect());
    let (code, title, session_id) = ("contexts".into(), "Context".into(), Some(id.to_owned()));
    Some(ChatEvent::Warning { code, title, message, details, session_id })
}
