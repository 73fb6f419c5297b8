//! Modules: which there are, and that the owner approves one (contract-core §1.6). Their prompts
//! are among the contexts.

use crate::app::App;
use serve::table::{get, post};
use serve::{Access, Cx, Fault, Json, Route, call};
use wire::module::{ModuleApproved, ModuleList};

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

async fn approve(cx: Cx<App>, (): ()) -> Result<Json<ModuleApproved>, Fault> {
    Ok(Json(cx.app.domain.approve_module(cx.path.get("name").to_owned()).await?))
}
