//! Sessions of the Claude CLI (contract-extended §1.12).

use crate::app::App;
use schemars::JsonSchema;
use serde::Deserialize;
use serve::table::{get, post};
use serve::{Access, Cx, Fault, Json, MaybeBody, Query, Route, call};
use wire::SessionId;
use wire::claude_code::{AdoptBody, Adopted, CliProjects, CliSessionDetail, CliSessions};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/claude-code/recent", Key, "The CLI's sessions, last used first", call!(recent)),
        get("/api/claude-code/projects", Key, "Where the CLI has sessions", call!(projects)),
        get("/api/claude-code/sessions", Key, "Its sessions of one folder", call!(sessions)),
        get("/api/claude-code/sessions/{session_id}", Key, "Show one of them", call!(show)),
        post("/api/claude-code/adopt/{session_id}", Key, "Go on with one of them", call!(adopt)),
    ]
}

#[derive(Deserialize, JsonSchema)]
struct RecentQuery {
    /// At most so many.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 500))]
    limit: u32,
}

fn hundred() -> u32 {
    100
}

#[derive(Deserialize, JsonSchema)]
struct SessionsQuery {
    /// A working directory, or the name of its folder, as the projects have them.
    path: String,
}

#[derive(Deserialize, JsonSchema)]
struct OneQuery {
    /// Only in this project.
    path: Option<String>,
}

async fn recent(cx: Cx<App>, Query(query): Query<RecentQuery>) -> Result<Json<CliSessions>, Fault> {
    Ok(Json(cx.app.domain.cli_recent(query.limit as usize).await?))
}

async fn projects(cx: Cx<App>, (): ()) -> Result<Json<CliProjects>, Fault> {
    Ok(Json(cx.app.domain.cli_projects().await?))
}

async fn sessions(
    cx: Cx<App>,
    Query(query): Query<SessionsQuery>,
) -> Result<Json<CliSessions>, Fault> {
    Ok(Json(cx.app.domain.cli_sessions(query.path).await?))
}

async fn show(cx: Cx<App>, Query(query): Query<OneQuery>) -> Result<Json<CliSessionDetail>, Fault> {
    Ok(Json(cx.app.domain.cli_session(id(&cx)?, query.path).await?))
}

async fn adopt(
    cx: Cx<App>,
    MaybeBody(query, body): MaybeBody<OneQuery, AdoptBody>,
) -> Result<Json<Adopted>, Fault> {
    let directory = body.and_then(|body| body.working_directory);
    Ok(Json(cx.app.domain.adopt_cli_session(id(&cx)?, query.path, directory).await?))
}

/// The session of the path; what cannot be an id is no session.
fn id(cx: &Cx<App>) -> Result<SessionId, Fault> {
    let id = SessionId::parse(cx.path.get("session_id"));
    id.map_err(|_| Fault::missing("Session not found"))
}
