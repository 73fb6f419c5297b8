//! One turn, from the request's body to the agent: session, trust, working directory, prompt
//! and credential become one `TurnRequest`. What may not run is refused in the stream's own
//! words; nothing is written then.

use super::keys::blocking;
use super::prompt::{self, Place};
use super::sessions::{permission_mode, set_permission_mode};
use super::{Domain, DomainError};
use crate::agents::{Piped, StartError, Wanted, replay};
use crate::limits::REPLAY_PIECES_MAX;
use crate::store::{Handed, MetadataEdit, Patch, SessionRow, Store, StoreError};
use config::token;
use serve::Feed;
use serve::fault::chain;
use std::path::Path;
use tokio::sync::mpsc;
use uuid::Uuid;
use wire::agent::{ClaudeSetup, Credential, TurnRequest};
use wire::chat::{ChatBody, PermissionMode, PromptMetadata, ResumeInfo, TextMode, TypedError};
use wire::error::ErrorCode;
use wire::frames::frame_without_id;
use wire::{ChatEvent, SessionId, Timestamp, Trust};

/// The model that the app asks for while nobody has chosen one there.
const APP_MODEL: &str = "sonnet";

/// What was found out about a turn's session.
struct Found {
    id: SessionId,
    /// As it stands; None is a session that begins here.
    row: Option<SessionRow>,
    /// The CLI has a conversation for it.
    transcript: bool,
}

/// A turn that may run.
struct Prepared {
    session: String,
    /// To be added, where the session begins here.
    new_row: Option<SessionRow>,
    /// A choice of asking that is new to the session.
    mode_change: Option<PermissionMode>,
    request: TurnRequest,
}

impl Domain {
    /// Takes a turn and speaks into the feed until it ends. Runs on whoever leaves.
    pub(crate) async fn take_turn(&self, body: ChatBody, text: TextMode, feed: &Feed) {
        if let Err(event) = self.try_turn(body, text, feed).await {
            // Whoever left does not need to hear why.
            let _ = feed.send(frame_without_id(&event).into()).await;
        }
    }

    async fn try_turn(&self, body: ChatBody, text: TextMode, feed: &Feed) -> Result<(), ChatEvent> {
        if body.message.trim().is_empty() && body.initial_context.is_none() {
            return Err(plain_error("message is required"));
        }
        let max = self.settings.max_message_length as usize;
        if body.message.chars().count() > max {
            return Err(plain_error(&format!("message is longer than {max} characters")));
        }
        let store = self.store().await.map_err(|e| domain_error(&e, None))?;
        let asked = serde_json::to_string(&body).expect("a body is always JSON");
        let prepared = self.prepare(body, Uuid::new_v4().to_string()).await?;
        let session = prepared.session;
        let turn = prepared.request.turn.clone();
        let noted = |e: StoreError| store_error(&e, &session);
        let handed = Handed { turn: turn.clone(), session_id: session.clone(), body: asked };
        if let (Some(mode), None) = (prepared.mode_change, &prepared.new_row) {
            let edit = MetadataEdit::With(Box::new(move |m| set_permission_mode(m, mode)));
            let patch = Patch { metadata: Some(edit), ..Patch::default() };
            store.patch_session(&session, patch).await.map_err(noted)?;
        }
        let begun = store.begin_turn(prepared.new_row, handed, Timestamp::now());
        if !begun.await.map_err(noted)? {
            return Err(domain_error(&DomainError::NoSession, Some(&session)));
        }
        tracing::info!(session, turn, "turn accepted");
        let wanted = Wanted::Turn(Box::new(prepared.request));
        let piped = self.agents.pipe(&store, &session, wanted, text, feed).await;
        let said = unspoken(piped, &session);
        if said.is_some()
            && let Err(error) = store.drop_turn(&turn).await
        {
            tracing::error!(session, error = chain(&error), "a turn that never began stays noted");
        }
        said.map_or(Ok(()), Err)
    }

    /// Hands turns over again whose end has not been seen. The agent takes no turn twice.
    pub(crate) async fn hand_over_again(&self, store: &Store, handed: Vec<Handed>) {
        for turn in handed {
            let (session, id) = (turn.session_id.clone(), turn.turn.clone());
            tracing::info!(session, turn = id, "taking up a turn that was in hand");
            if let Err(why) = self.hand_over_one(store, turn).await {
                tracing::error!(session, turn = id, why, "a turn in hand could not go on");
            }
        }
    }

    async fn hand_over_one(&self, store: &Store, handed: Handed) -> Result<(), String> {
        let Handed { turn, session_id, body } = handed;
        let body = match serde_json::from_str::<ChatBody>(&body) {
            Ok(body) => ChatBody { session_id: Some(session_id.clone()), ..body },
            Err(error) => {
                // It will not be better at the next start.
                store.drop_turn(&turn).await.map_err(|e| chain(&e))?;
                return Err(error.to_string());
            }
        };
        let prepared = match self.prepare(body, turn.clone()).await {
            Ok(prepared) => prepared,
            Err(ChatEvent::TypedError(error))
                if error.code == ErrorCode::TrustUnavailable.name() =>
            {
                store.drop_turn(&turn).await.map_err(|e| chain(&e))?;
                return Err(error.message);
            }
            // Kept for the next time.
            Err(_) => return Err("it cannot be prepared now".into()),
        };
        self.agents.ensure(store, &session_id).await.map_err(|e| chain(&e))?;
        let taken = self.agents.hand_over(&session_id, &prepared.request).await;
        if taken.map_err(|e| e.to_string())?.ended {
            store.drop_turn(&turn).await.map_err(|e| chain(&e))?;
        }
        Ok(())
    }

    async fn prepare(&self, mut body: ChatBody, turn: String) -> Result<Prepared, ChatEvent> {
        let mut found = self.find(&body).await.map_err(|e| domain_error(&e, None))?;
        let id = found.id.to_string();
        let row = found.row.as_ref();
        let kept = row.and_then(|r| r.workspace_id.as_deref());
        let mut space = self.turn_space(body.workspace_id.as_deref(), kept).await;
        body.workspace_id = space.asked.take();
        let trust = trust(&body, row, space.trust);
        let asked = body.working_directory.as_deref().or_else(|| space.working_directory());
        let asked = asked.or_else(|| override_of(row, "working_directory"));
        let asked = asked.or_else(|| row?.working_directory.as_deref());
        let place = prompt::place(self.vault(), asked);
        if let Some(refused) = unconfinable(&id, trust, &place) {
            return Err(refused);
        }
        let resumable = self.resumable(&id, trust).await;
        found.transcript = resumable.map_err(|e| domain_error(&e, Some(&id)))?;
        let row = found.row.as_ref();
        let (resume, prior) = self.resume(&found, &mut body).await;
        let custom = body.system_prompt.take();
        let custom = custom.or_else(|| override_of(row, "system_prompt").map(str::to_owned));
        let vault = self.vault().to_owned();
        let works_in = place.clone();
        let prompt =
            blocking(move || prompt::assemble(&vault, &works_in, custom, prior.as_deref()))
                .await
                .map_err(|e| domain_error(&e, Some(&id)))?;
        let claude = ClaudeSetup {
            trust,
            program: self.settings.claude_path.as_ref().map(|p| p.display().to_string()),
            directory: place.directory.display().to_string(),
            model: model(&body, space.model().or(self.settings.default_model.as_deref())),
            system_prompt: prompt.replacement,
            append_prompt: prompt.addition,
            permission_mode: body
                .permission_mode
                .unwrap_or_else(|| permission_mode(row.and_then(|r| r.metadata.as_ref()))),
            base_url: self.base_url(),
            credential: self.credential().await,
        };
        let title = row.and_then(|r| r.title.clone()).or_else(|| prompt::title_of(&body.message));
        let mut metadata = prompt.metadata;
        metadata.trust_mode = trust != Trust::Sandboxed;
        let session = session_event(&id, &turn, &place, &resume, title.clone(), trust);
        let mut preface = preface(session, &id, &body, &place, metadata);
        let problem = space.problem.take();
        preface.extend(problem.map(|said| warning(&id, "workspace", "Workspace", said)));
        let request = TurnRequest {
            turn,
            message: message_text(&body, resume.previous_message_count == 0 && !found.transcript),
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
    async fn resume(&self, found: &Found, body: &mut ChatBody) -> (ResumeInfo, Option<String>) {
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
        let tells = body.recovery_mode.as_deref() != Some("fresh_start");
        if !resumes && tells && count > 0 && prior.is_none() {
            match self.prior_words(found.id.as_str()).await {
                Ok((words, told)) if told > 0 => {
                    info.context_injected = true;
                    info.messages_injected = told;
                    info.tokens_estimate = prompt::tokens(&words);
                    prior = Some(words);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(
                    session = %found.id, error = chain(&error), "the history cannot be told"
                ),
            }
        }
        (info, prior)
    }

    fn base_url(&self) -> Option<String> {
        let set = self.sources.environment.get("ANTHROPIC_BASE_URL").cloned();
        set.filter(|url| !url.is_empty()).or_else(|| self.settings.anthropic_base_url.clone())
    }

    /// The model credential, looked up for each turn so that a new one counts at once.
    async fn credential(&self) -> Option<Credential> {
        let environment = self.sources.environment.clone();
        let configured = self.settings.claude_code_oauth_token.clone();
        let file = self.vault().join(".parachute").join(".token");
        let found = blocking(move || {
            let credentials = environment.get("CREDENTIALS_DIRECTORY").cloned();
            token::find(&token::Places {
                credentials: credentials.as_deref().map(Path::new),
                environment: &environment,
                configured: configured.as_ref(),
                file: &file,
            })
        });
        let found = found.await.ok()?;
        for warning in found.warnings {
            tracing::warn!(warning, "looking for the model's credential");
        }
        found.credential.map(|(credential, _)| credential)
    }

    /// Replays a session's events after an id and follows until it is at rest.
    pub(crate) async fn follow(&self, id: &str, after: u64, text: TextMode, feed: &Feed) {
        let live = self.agents.status(id).await.is_some();
        let mut wanted = Wanted::After(after);
        if !live {
            let dir = self.agents.run_dir(id);
            let (pieces, mut replayed) = mpsc::channel(REPLAY_PIECES_MAX);
            let reading = tokio::task::spawn_blocking(move || replay(&dir, text, after, &pieces));
            while let Some(piece) = replayed.recv().await {
                if feed.send(piece).await.is_err() {
                    return;
                }
            }
            match reading.await {
                Ok(Ok(replayed)) if !replayed.unfinished => return,
                // Its agent was killed in mid-turn; a new one brings the turn to its end.
                Ok(Ok(replayed)) => wanted = Wanted::After(replayed.last_id.max(after)),
                Ok(Err(error)) => {
                    tracing::error!(session = id, %error, "the event log cannot be read");
                    return;
                }
                Err(_) => return,
            }
        }
        let Ok(store) = self.store().await else {
            return;
        };
        let piped = self.agents.pipe(&store, id, wanted, text, feed).await;
        if let Some(event) = unspoken(piped, id) {
            let _ = feed.send(frame_without_id(&event).into()).await;
        }
    }
}

/// Why an agent cannot be confined as its level asks. There is no weaker second way.
fn unconfinable(session: &str, trust: Trust, place: &Place) -> Option<ChatEvent> {
    let outside = place.stored.as_deref().is_some_and(|stored| !stored.starts_with("/vault/"));
    let why = match trust {
        Trust::Vault if outside => format!(
            "{} is outside of the vault, which is all there is at the level `vault`",
            place.directory.display()
        ),
        // Whether this machine can is for the agent to find out, which is confined otherwise
        // than the server's own unit is.
        Trust::Full | Trust::Vault => return None,
        Trust::Sandboxed => "this version has no containers yet".to_owned(),
    };
    let message = format!(
        "Nothing was run, because an agent never gets more trust than was asked for: {why}. \
         Change that, or set the session to `full` to run it as you."
    );
    let error = ErrorCode::TrustUnavailable.error(message, Some(session));
    Some(ChatEvent::TypedError(Box::new(error)))
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
        module: body.module.clone().unwrap_or_else(|| "chat".into()),
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
    for (name, given) in [
        ("attachments", body.attachments.as_ref().is_some_and(|a| !a.is_empty())),
        ("contexts", body.contexts.as_ref().is_some_and(|c| c.iter().any(|c| !c.is_empty()))),
        ("agentPath", body.agent_path.as_deref().is_some_and(|a| a != "vault-agent")),
    ] {
        if given {
            let message = format!("This version does not use `{name}`; the turn goes on without.");
            warn("not_used", "Not used", message);
        }
    }
    out
}

fn warning(id: &str, code: &str, title: &str, message: String) -> ChatEvent {
    let (code, title, session_id) = (code.into(), title.into(), Some(id.to_owned()));
    ChatEvent::Warning { code, title, message, details: None, session_id }
}

fn plain_error(error: &str) -> ChatEvent {
    ChatEvent::Error { error: error.into(), session_id: None }
}

fn domain_error(error: &DomainError, session: Option<&str>) -> ChatEvent {
    if let DomainError::Store(store) = error {
        return store_error(store, session.unwrap_or_default());
    }
    tracing::error!(error = chain(error), "a turn could not begin");
    let code = match error {
        DomainError::NoStore(_) => ErrorCode::DiskFull,
        _ => ErrorCode::Unknown,
    };
    let mut out = code.error(format!("The turn could not begin: {error}."), session);
    if code == ErrorCode::DiskFull {
        out.title = "The vault cannot be written".into();
    }
    ChatEvent::TypedError(Box::new(out))
}

fn store_error(error: &StoreError, session: &str) -> ChatEvent {
    tracing::error!(session, error = chain(error), "a turn could not be noted");
    let session = Some(session).filter(|s| !s.is_empty());
    let error = match error {
        StoreError::Full { .. } | StoreError::ReadOnly { .. } => {
            let message = format!("The turn could not begin: {error}.");
            let mut out = ErrorCode::DiskFull.error(message, session);
            if matches!(error, StoreError::ReadOnly { .. }) {
                out.title = "The vault cannot be written".into();
            }
            out
        }
        error => ErrorCode::Unknown.error(format!("The turn could not begin: {error}."), session),
    };
    ChatEvent::TypedError(Box::new(error))
}

/// What is said where an agent did not speak.
fn unspoken(piped: Piped, session: &str) -> Option<ChatEvent> {
    let error = match piped {
        Piped::Whole => return None,
        Piped::Refused(status) => refused(status, session),
        Piped::NoAgent(error) => no_agent(&error, session),
        Piped::Deleted => ErrorCode::SessionNotFound
            .error("The session was deleted before this turn began.", Some(session)),
        Piped::Lost => ErrorCode::AgentLost.error(
            "The session's agent ended again and again. See its log, then try again.",
            Some(session),
        ),
    };
    Some(ChatEvent::TypedError(Box::new(error)))
}

fn refused(status: http::StatusCode, session: &str) -> TypedError {
    let (code, message) = match status.as_u16() {
        429 => (ErrorCode::RateLimited, "Too many messages wait in this session already."),
        507 => (ErrorCode::DiskFull, "The turn's events cannot be kept. Free some space."),
        _ => (
            ErrorCode::AgentLost,
            "The session's agent does not understand this server; it may be of another version. \
             Try again when it has left.",
        ),
    };
    code.error(message, Some(session))
}

fn no_agent(error: &StartError, session: &str) -> TypedError {
    let said = chain(error);
    tracing::error!(session, error = said, "no agent");
    let message = format!("The session's agent did not start: {error}.");
    let mut out = ErrorCode::AgentLost.error(message, Some(session));
    out.original_error = Some(said);
    out
}
