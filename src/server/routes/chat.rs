//! Chat streaming and stream control (contract-core §1.3), and resuming (DESIGN §4.4).

use super::of_agent;
use crate::app::App;
use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use serve::table::{get, post};
use serve::{Access, Cx, Fault, Json, Live, Query, Route, WithQuery, call};
use wire::SessionId;
use wire::agent::QuestionAnswer;
use wire::chat::{
    AbortAnswer, ActiveStream, ActiveStreams, AnswerBody, Answered, ChatBody, InjectBody,
    StreamStatus, Success, TextMode,
};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        post("/api/chat", Key, "Take a turn and stream its events", call!(take_turn)),
        get("/api/chat/active-streams", Key, "Sessions with a turn under way", call!(active)),
        get(
            "/api/chat/{id}/stream",
            Key,
            "Replay events after Last-Event-ID (or `after`) and follow until the session rests",
            call!(stream),
        ),
        get("/api/chat/{id}/stream-status", Key, "Whether a turn is under way", call!(status)),
        post("/api/chat/{id}/abort", Key, "Stop the running turn", call!(abort)),
        post("/api/chat/{id}/answer", Key, "Answer a question of the agent", call!(answer)),
        post("/api/chat/{id}/inject", Key, "Say something into the running turn", call!(inject)),
    ]
}

#[derive(Deserialize, JsonSchema)]
struct TextQuery {
    /// How text comes: `content` (cumulative), `delta`, or `none`.
    #[serde(default)]
    text: TextMode,
}

#[derive(Deserialize, JsonSchema)]
struct StreamQuery {
    /// As in `POST /api/chat`.
    #[serde(default)]
    text: TextMode,
    /// Id of the last event the client had; the header Last-Event-ID wins.
    #[schemars(range(min = 0))]
    after: Option<i64>,
}

/// The session of a path; what cannot be an id is no session.
pub(super) fn session(cx: &Cx<App>) -> Result<String, Fault> {
    session_named(cx, "id")
}

/// The same, where the variable has another name.
pub(super) fn session_named(cx: &Cx<App>, name: &str) -> Result<String, Fault> {
    let id = cx.path.get(name);
    SessionId::parse(id).map(String::from).map_err(|_| Fault::missing("Session not found"))
}

async fn take_turn(
    cx: Cx<App>,
    WithQuery(query, body): WithQuery<TextQuery, ChatBody>,
) -> Result<Live, Fault> {
    if let Some(name) = forbidden_attachment(&body) {
        let detail = format!("files of this kind cannot be attached: {name}");
        return Err(Fault::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let (feed, live) = serve::live::open(&cx.limits, &cx.stop);
    let domain = cx.app.domain.clone();
    // The turn must not end with the request: the client may leave at any time.
    cx.app.domain.agents.spawn(async move { domain.take_turn(body, query.text, &feed).await });
    Ok(live)
}

/// Name of an attachment that is a program.
fn forbidden_attachment(body: &ChatBody) -> Option<&str> {
    const PROGRAMS: [&str; 18] = [
        "exe", "dll", "so", "dylib", "bat", "cmd", "ps1", "vbs", "app", "dmg", "pkg", "msi", "jar",
        "war", "ear", "scr", "com", "pif",
    ];
    let names = body.attachments.iter().flatten().map(|a| a.file_name.as_str());
    let ending = |name: &str| name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
    let is_program = |end: String| PROGRAMS.contains(&end.as_str());
    names.into_iter().find(|name| ending(name).is_some_and(is_program))
}

async fn stream(cx: Cx<App>, Query(query): Query<StreamQuery>) -> Result<Live, Fault> {
    let id = session(&cx)?;
    cx.app.domain.row(&id).await?;
    let last = cx.headers.get("last-event-id").and_then(|v| v.to_str().ok()?.trim().parse().ok());
    let after = last.or_else(|| u64::try_from(query.after?).ok()).unwrap_or(0);
    let (feed, live) = serve::live::open(&cx.limits, &cx.stop);
    let domain = cx.app.domain.clone();
    cx.app.domain.agents.spawn(async move { domain.follow(&id, after, query.text, &feed).await });
    Ok(live)
}

async fn active(cx: Cx<App>, (): ()) -> Result<Json<ActiveStreams>, Fault> {
    let mut live = cx.app.domain.agents.all().await;
    live.retain(|agent| agent.turn.is_some() || agent.waiting > 0);
    let streams: Vec<ActiveStream> =
        live.into_iter().map(|agent| ActiveStream { session_id: agent.session }).collect();
    Ok(Json(ActiveStreams { count: streams.len(), streams }))
}

async fn status(cx: Cx<App>, (): ()) -> Result<Json<StreamStatus>, Fault> {
    let session_id = session(&cx)?;
    let status = cx.app.domain.agents.status(&session_id).await;
    let active = status.as_ref().is_some_and(|s| s.turn.is_some() || s.waiting > 0);
    let last_event_id = match status {
        Some(status) => status.last_id,
        None => cx.app.domain.last_event(&session_id).await?,
    };
    Ok(Json(StreamStatus { active, session_id, last_event_id }))
}

async fn abort(cx: Cx<App>, (): ()) -> Result<Json<AbortAnswer>, Fault> {
    let session_id = session(&cx)?;
    let asked = cx.app.domain.agents.ask(&session_id, Method::POST, "/abort", &());
    let Success { success } = asked.await.map_err(|error| {
        of_agent(error, format!("No active stream found for session {session_id}"))
    })?;
    Ok(Json(AbortAnswer { success, message: "The turn is being stopped".into(), session_id }))
}

async fn answer(cx: Cx<App>, Json(body): Json<AnswerBody>) -> Result<Json<Answered>, Fault> {
    let session_id = session(&cx)?;
    if body.request_id.is_empty() {
        return Err(Fault::bad("request_id is required"));
    }
    let AnswerBody { request_id, answers } = body;
    let given = QuestionAnswer { request_id: request_id.clone(), answers };
    let agents = &cx.app.domain.agents;
    let known = agents.status(&session_id).await.is_some();
    let asked = agents.ask(&session_id, Method::POST, "/answers", &given);
    let Success { success } = asked.await.map_err(|error| {
        let missing = match known {
            true => format!("No pending question found: {request_id}"),
            false => format!("No active session found: {session_id}"),
        };
        of_agent(error, missing)
    })?;
    let message = "Answer submitted".into();
    Ok(Json(Answered { success, message, session_id, request_id }))
}

async fn inject(cx: Cx<App>, Json(body): Json<InjectBody>) -> Result<Json<Success>, Fault> {
    let session_id = session(&cx)?;
    let asked = cx.app.domain.agents.ask(&session_id, Method::POST, "/inject", &body);
    let missing = || "No active stream for this session".to_owned();
    Ok(Json(asked.await.map_err(|error| of_agent(error, missing()))?))
}
