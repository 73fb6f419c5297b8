//! The brain (contract-core §6.6): search, entities, and what links to them.

use crate::app::App;
use crate::domain::brain::Search;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use serve::table::{get, post};
use serve::{Access, Cx, Fault, Json, Query, Route, call};
use wire::brain::{Backlinks, BrainFound, BrainReloaded, BrainScope, Entity, TagCounts};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/brain/search", Key, "Search entities, or all notes", call!(search)),
        get("/api/brain/entities/{*para_id}", Key, "Show an entity", call!(entity)),
        get("/api/brain/resolve/{name}", Key, "Show the entity of a name", call!(resolve)),
        get("/api/brain/backlinks/{*para_id}", Key, "Notes that link to one", call!(backlinks)),
        get("/api/brain/tags", Key, "Count the tags in use", call!(tags)),
        post("/api/brain/reload", Key, "Look at all notes once more", call!(reload)),
    ]
}

#[derive(Deserialize, JsonSchema)]
struct SearchQuery {
    /// Words that all have to be there; `"several words"` in this order; `begin*`. An empty one
    /// is everything.
    #[schemars(length(max = 4096))]
    q: String,
    /// Among entities, or all notes of the vault.
    #[serde(default)]
    scope: BrainScope,
    /// With this tag, or one below it.
    tag: Option<String>,
    /// In this folder of the vault, or one below it.
    folder: Option<String>,
    /// Changed since this day or time.
    since: Option<String>,
    /// At most so many; 1000 where it is not said.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
    /// Skip so many better ones.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    offset: u32,
}

#[derive(Deserialize, JsonSchema)]
struct TagsQuery {
    /// Of entities, or of all notes of the vault.
    #[serde(default)]
    scope: BrainScope,
}

async fn search(cx: Cx<App>, Query(query): Query<SearchQuery>) -> Result<Json<BrainFound>, Fault> {
    let search = Search {
        query: query.q,
        scope: query.scope,
        tag: query.tag,
        folder: query.folder,
        since: query.since,
        limit: query.limit.map(|limit| limit as usize),
        offset: query.offset as usize,
    };
    Ok(Json(cx.app.domain.search_notes(search).await?))
}

async fn entity(cx: Cx<App>, (): ()) -> Result<Json<Entity>, Fault> {
    let id = cx.path.get("para_id");
    let found = cx.app.domain.entity(id.to_owned()).await?;
    found.map(Json).ok_or_else(|| none("para_id", id))
}

async fn resolve(cx: Cx<App>, (): ()) -> Result<Json<Entity>, Fault> {
    let name = cx.path.get("name");
    let found = cx.app.domain.entity_named(name.to_owned()).await?;
    found.map(Json).ok_or_else(|| none("name", name))
}

async fn backlinks(cx: Cx<App>, (): ()) -> Result<Json<Backlinks>, Fault> {
    let id = cx.path.get("para_id");
    let found = cx.app.domain.backlinks(id.to_owned()).await?;
    found.map(Json).ok_or_else(|| none("para_id", id))
}

async fn tags(cx: Cx<App>, Query(query): Query<TagsQuery>) -> Result<Json<TagCounts>, Fault> {
    Ok(Json(cx.app.domain.tag_counts(query.scope).await?))
}

async fn reload(cx: Cx<App>, (): ()) -> Result<Json<BrainReloaded>, Fault> {
    Ok(Json(cx.app.domain.reload_notes().await?))
}

/// The contract's own form.
fn none(key: &str, asked: &str) -> Fault {
    let body = json!({ "error": "Entity not found", key: asked });
    Fault { status: StatusCode::NOT_FOUND, body, cause: None }
}
