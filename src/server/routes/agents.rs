//! Agent definitions (contract-extended §1.4).

use crate::app::App;
use serve::table::{delete, get, post};
use serve::{Access, Cx, Fault, Json, Route, Upload, call};
use wire::definition::{AgentDetail, AgentInfo, AgentList, NewAgent};
use wire::skill::Removed;

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/agents", Key, "List agent definitions", call!(list)),
        post("/api/agents", Key, "Make an agent definition", call!(make)),
        post("/api/agents/upload", Key, "Take in an agent as a Markdown file", call!(upload)),
        get("/api/agents/{name}", Key, "Show an agent definition", call!(show)),
        delete("/api/agents/{name}", Key, "Delete a custom agent", call!(remove)),
    ]
}

async fn list(cx: Cx<App>, (): ()) -> Result<Json<AgentList>, Fault> {
    Ok(Json(AgentList { agents: cx.app.domain.definitions().await? }))
}

async fn show(cx: Cx<App>, (): ()) -> Result<Json<AgentDetail>, Fault> {
    Ok(Json(cx.app.domain.definition(cx.path.get("name").to_owned()).await?))
}

async fn make(cx: Cx<App>, Json(new): Json<NewAgent>) -> Result<Json<AgentInfo>, Fault> {
    Ok(Json(cx.app.domain.make_definition(new).await?))
}

async fn upload(cx: Cx<App>, file: Upload) -> Result<Json<AgentInfo>, Fault> {
    Ok(Json(cx.app.domain.take_definition(file.name, file.bytes).await?))
}

async fn remove(cx: Cx<App>, (): ()) -> Result<Json<Removed>, Fault> {
    let deleted = cx.app.domain.delete_definition(cx.path.get("name").to_owned()).await?;
    Ok(Json(Removed { success: true, deleted }))
}
