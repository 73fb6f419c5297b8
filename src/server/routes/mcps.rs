//! MCP servers (contract-extended §1.2).

use crate::app::App;
use crate::domain::mcps::McpError;
use serde_json::Value;
use serve::fault::Invalid;
use serve::table::{delete, get, post};
use serve::{Access, Cx, Fault, Json, Route, call};
use wire::mcp::{McpList, McpRemoved, McpSaved, McpServer, McpTested, McpTools, NewMcp};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/mcps", Key, "List MCP servers", call!(list)),
        post("/api/mcps", Key, "Put down an MCP server", call!(save)),
        get("/api/mcps/{name}", Key, "Show an MCP server", call!(show)),
        delete("/api/mcps/{name}", Key, "Delete an MCP server", call!(remove)),
        post("/api/mcps/{name}/test", Key, "Try an MCP server", call!(test)),
        get("/api/mcps/{name}/tools", Key, "List the tools of an MCP server", call!(tools)),
    ]
}

impl From<McpError> for Fault {
    fn from(error: McpError) -> Fault {
        let said = error.to_string();
        let (kind, field) = match error {
            McpError::Domain(error) => return error.into(),
            McpError::NoConfig => ("missing", "config"),
            McpError::Invalid(field, _) => ("value_error", field),
        };
        let place = vec!["body".into(), field.into()];
        Fault::invalid(vec![Invalid { kind, place, said, given: Value::Null, bounds: None }])
    }
}

async fn list(cx: Cx<App>, (): ()) -> Result<Json<McpList>, Fault> {
    Ok(Json(McpList { servers: cx.app.domain.mcps().await? }))
}

async fn show(cx: Cx<App>, (): ()) -> Result<Json<McpServer>, Fault> {
    Ok(Json(cx.app.domain.mcp(cx.path.get("name").to_owned()).await?))
}

async fn save(cx: Cx<App>, Json(new): Json<NewMcp>) -> Result<Json<McpSaved>, Fault> {
    Ok(Json(McpSaved { success: true, server: cx.app.domain.save_mcp(new).await? }))
}

async fn remove(cx: Cx<App>, (): ()) -> Result<Json<McpRemoved>, Fault> {
    let removed = cx.app.domain.delete_mcp(cx.path.get("name").to_owned()).await?;
    Ok(Json(McpRemoved { success: true, removed }))
}

async fn test(cx: Cx<App>, (): ()) -> Result<Json<McpTested>, Fault> {
    Ok(Json(cx.app.domain.test_mcp(cx.path.get("name").to_owned()).await?))
}

async fn tools(cx: Cx<App>, (): ()) -> Result<Json<McpTools>, Fault> {
    Ok(Json(cx.app.domain.mcp_tools(cx.path.get("name").to_owned()).await?))
}
