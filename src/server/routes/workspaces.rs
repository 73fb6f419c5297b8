//! Workspaces (contract-core §1.7).

use crate::app::App;
use crate::store::ListFilter;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serve::table::{delete, get, post, put};
use serve::{Access, Cx, Fault, Json, Query, Route, With, call};
use wire::workspace::{
    NewWorkspace, OneWorkspace, WorkspaceChange, WorkspaceDeleted, WorkspaceList, WorkspaceSessions,
};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/workspaces", Key, "List workspaces", call!(list)),
        post("/api/workspaces", Key, "Make a workspace", call!(make)),
        get("/api/workspaces/{slug}", Key, "Show a workspace", call!(show)),
        put("/api/workspaces/{slug}", Key, "Change a workspace", call!(change)),
        delete("/api/workspaces/{slug}", Key, "Delete a workspace", call!(remove)),
        get("/api/workspaces/{slug}/sessions", Key, "List its sessions", call!(sessions)),
    ]
}

#[derive(Deserialize, JsonSchema)]
struct SessionsQuery {
    /// Those put away, or the others; both where nothing is said.
    archived: Option<bool>,
    /// At most so many.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 500))]
    limit: u32,
    /// Skip so many.
    #[serde(default)]
    #[schemars(range(min = 0))]
    offset: u32,
}

fn hundred() -> u32 {
    100
}

async fn list(cx: Cx<App>, (): ()) -> Result<Json<WorkspaceList>, Fault> {
    Ok(Json(cx.app.domain.workspaces().await?))
}

async fn make(
    cx: Cx<App>,
    Json(new): Json<NewWorkspace>,
) -> Result<With<Json<OneWorkspace>>, Fault> {
    let workspace = cx.app.domain.make_workspace(new).await?;
    let given = Json(OneWorkspace { workspace });
    Ok(With { status: StatusCode::CREATED, headers: Vec::new(), given })
}

async fn show(cx: Cx<App>, (): ()) -> Result<Json<OneWorkspace>, Fault> {
    let workspace = cx.app.domain.workspace(cx.path.get("slug")).await?;
    Ok(Json(OneWorkspace { workspace }))
}

async fn change(
    cx: Cx<App>,
    Json(change): Json<WorkspaceChange>,
) -> Result<Json<OneWorkspace>, Fault> {
    let workspace = cx.app.domain.change_workspace(cx.path.get("slug"), change).await?;
    Ok(Json(OneWorkspace { workspace }))
}

async fn remove(cx: Cx<App>, (): ()) -> Result<Json<WorkspaceDeleted>, Fault> {
    let deleted = cx.app.domain.delete_workspace(cx.path.get("slug")).await?;
    Ok(Json(WorkspaceDeleted { deleted }))
}

async fn sessions(
    cx: Cx<App>,
    Query(query): Query<SessionsQuery>,
) -> Result<Json<WorkspaceSessions>, Fault> {
    let filter = ListFilter {
        archived: query.archived.unwrap_or_default(),
        archived_too: query.archived.is_none(),
        limit: query.limit,
        offset: query.offset,
        ..ListFilter::default()
    };
    let (workspace, sessions) =
        cx.app.domain.workspace_sessions(cx.path.get("slug"), filter).await?;
    Ok(Json(WorkspaceSessions { workspace, sessions }))
}
