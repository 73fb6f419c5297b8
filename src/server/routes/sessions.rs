//! Sessions (contract-core §1.4).

use super::chat::session;
use crate::app::App;
use crate::domain::transcript::Part;
use crate::store::ListFilter;
use schemars::JsonSchema;
use serde::Deserialize;
use serve::table::{delete, get, patch, post};
use serve::{Access, Cx, Fault, Json, Query, RawJson, Route, call};
use std::marker::PhantomData;
use wire::session::{
    Deleted, SessionChanged, SessionConfig, SessionList, SessionWithMessages, Stats, Transcript,
};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/chat", Key, "List sessions, last used first", call!(list)),
        get("/api/chat/stats", Key, "How many sessions there are", call!(stats)),
        get("/api/chat/{id}", Key, "Show a session with its messages", call!(show)),
        delete("/api/chat/{id}", Key, "Forget a session", call!(forget)),
        post("/api/chat/{id}/archive", Key, "Put a session away", call!(archive)),
        post("/api/chat/{id}/unarchive", Key, "Take it out again", call!(unarchive)),
        post("/api/chat/{id}/activate", Key, "Take a waiting session into use", call!(activate)),
        patch("/api/chat/{id}/config", Key, "Change a session", call!(configure)),
        get("/api/chat/{id}/transcript", Key, "The CLI's transcript", call!(transcript)),
    ]
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    /// Only this module.
    module: Option<String>,
    /// Only titles that contain this.
    search: Option<String>,
    /// At most so many.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
    /// Skip so many.
    #[serde(default)]
    #[schemars(range(min = 0))]
    offset: u32,
    /// Those put away instead of the others.
    #[serde(default)]
    archived: bool,
    /// Only this workspace.
    workspace_id: Option<String>,
}

fn hundred() -> u32 {
    100
}

#[derive(Deserialize, JsonSchema)]
struct TranscriptQuery {
    /// Only what came after the last compaction; true where nothing is said.
    #[serde(default = "yes")]
    after_compact: bool,
    /// This stretch between compactions.
    segment: Option<i64>,
    /// Everything.
    #[serde(default)]
    full: bool,
}

fn yes() -> bool {
    true
}

async fn list(cx: Cx<App>, Query(query): Query<ListQuery>) -> Result<RawJson<SessionList>, Fault> {
    let filter = ListFilter {
        module: query.module,
        search: query.search,
        archived: query.archived,
        archived_too: false,
        workspace_id: query.workspace_id,
        limit: query.limit,
        offset: query.offset,
    };
    Ok(RawJson(cx.app.lists.get(&cx.app.domain, filter).await?, PhantomData))
}

async fn stats(cx: Cx<App>, (): ()) -> Result<Json<Stats>, Fault> {
    let found = cx.app.domain.stats().await?;
    let mut by_module = serde_json::Map::new();
    for module in ["chat", "daily", "build"] {
        by_module.insert(module.into(), 0.into());
    }
    by_module.extend(found.by_module.into_iter().map(|(module, n)| (module, n.into())));
    let (total, active, archived) = (found.total, found.active, found.archived);
    Ok(Json(Stats { total, active, archived, by_module }))
}

async fn show(cx: Cx<App>, (): ()) -> Result<Json<SessionWithMessages>, Fault> {
    let id = session(&cx)?;
    let session = cx.app.domain.show(&id).await?;
    let messages = cx.app.domain.messages(&id).await?;
    Ok(Json(SessionWithMessages { session, messages }))
}

async fn forget(cx: Cx<App>, (): ()) -> Result<Json<Deleted>, Fault> {
    let id = session(&cx)?;
    cx.app.domain.forget(&id).await?;
    Ok(Json(Deleted { success: true, deleted: id }))
}

async fn archive(cx: Cx<App>, (): ()) -> Result<Json<SessionChanged>, Fault> {
    changed(cx.app.domain.archive(&session(&cx)?, true).await?)
}

async fn unarchive(cx: Cx<App>, (): ()) -> Result<Json<SessionChanged>, Fault> {
    changed(cx.app.domain.archive(&session(&cx)?, false).await?)
}

async fn activate(
    cx: Cx<App>,
    Json(config): Json<SessionConfig>,
) -> Result<Json<SessionChanged>, Fault> {
    changed(cx.app.domain.activate(&session(&cx)?, config).await?)
}

async fn configure(
    cx: Cx<App>,
    Json(config): Json<SessionConfig>,
) -> Result<Json<SessionChanged>, Fault> {
    changed(cx.app.domain.configure(&session(&cx)?, config).await?)
}

fn changed(session: wire::session::Session) -> Result<Json<SessionChanged>, Fault> {
    Ok(Json(SessionChanged { success: true, session: Some(session) }))
}

async fn transcript(
    cx: Cx<App>,
    Query(query): Query<TranscriptQuery>,
) -> Result<Json<Transcript>, Fault> {
    let part = match (query.full, query.segment) {
        (true, _) => Part::Full,
        // What is no number of a stretch is an index that no transcript has.
        (false, Some(one)) => Part::One(usize::try_from(one).unwrap_or(usize::MAX)),
        (false, None) if query.after_compact => Part::Last,
        (false, None) => Part::Full,
    };
    Ok(Json(cx.app.domain.transcript(&session(&cx)?, part).await?))
}
