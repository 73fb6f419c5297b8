//! What there is, in short, and the predecessor's hooks (contract-core §1.8, §1.12).

use crate::app::App;
use serve::table::get;
use serve::{Access, Cx, Fault, Json, Route, call};
use wire::capability::{Everything, HookErrors, HookList};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/capabilities", Key, "Agents, skills and MCP servers", call!(everything)),
        get("/api/hooks", Key, "Hooks of the Python server, which are not run", call!(hooks)),
        get("/api/hooks/errors", Key, "Errors of hooks: none", call!(errors)),
    ]
}

async fn everything(cx: Cx<App>, (): ()) -> Result<Json<Everything>, Fault> {
    Ok(Json(cx.app.domain.everything().await?))
}

async fn hooks(cx: Cx<App>, (): ()) -> Result<Json<HookList>, Fault> {
    Ok(Json(cx.app.domain.hooks().await?))
}

async fn errors(cx: Cx<App>, (): ()) -> Result<Json<HookErrors>, Fault> {
    Ok(Json(cx.app.domain.hook_errors()))
}
