//! Modules: which there are, and that the owner approves one (contract-core §1.6). Their prompts
//! are among the contexts.

use crate::app::App;
use schemars::JsonSchema;
use serde::Deserialize;
use serve::table::{get, post};
use serve::{Access, Cx, Fault, Json, MaybeBody, Route, call};
use wire::module::{ModuleApproval, ModuleApproved, ModuleList};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/modules", Key, "List modules", call!(list)),
        post("/api/modules/{name}/approve", Key, "Approve a module as it is", call!(approve)),
    ]
}

async fn list(cx: Cx<App>, (): ()) -> Result<Json<ModuleList>, Fault> {
    Ok(Json(cx.app.domain.modules().await))
}

/// There is nothing to ask for.
#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
struct NoQuery {}

async fn approve(
    cx: Cx<App>,
    MaybeBody(NoQuery {}, body): MaybeBody<NoQuery, ModuleApproval>,
) -> Result<Json<ModuleApproved>, Fault> {
    let (name, digest) = (cx.path.get("name").to_owned(), body.and_then(|body| body.digest));
    Ok(Json(cx.app.domain.approve_module(name, digest).await?))
}
