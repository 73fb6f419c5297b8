//! Permission requests of a running turn (contract-core §1.5).

use super::chat::session;
use super::of_agent;
use crate::app::App;
use http::Method;
use serve::client::AskError;
use serve::table::{get, post};
use serve::{Access, Cx, Fault, Json, Route, call};
use wire::agent::{AgentPending, PermissionAnswer};
use wire::chat::{Denied, DenyBody, GrantBody, Granted, PendingList, Success};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/chat/{id}/permissions", Key, "Requests that wait", call!(list)),
        post("/api/chat/{id}/permissions/grant", Key, "Grant a request", call!(grant)),
        post("/api/chat/{id}/permissions/deny", Key, "Deny a request", call!(deny)),
    ]
}

async fn list(cx: Cx<App>, (): ()) -> Result<Json<PendingList>, Fault> {
    let session_id = session(&cx)?;
    let asked = cx.app.domain.agents.ask(&session_id, Method::GET, "/permissions", &());
    let pending = match asked.await {
        Ok(AgentPending { pending }) => pending,
        // Without an agent nothing can wait.
        Err(AskError::Away(_)) => Vec::new(),
        Err(error) => return Err(of_agent(error, String::new())),
    };
    Ok(Json(PendingList { pending, session_id }))
}

async fn grant(cx: Cx<App>, Json(body): Json<GrantBody>) -> Result<Json<Granted>, Fault> {
    let GrantBody { request_id, pattern } = body;
    let given =
        PermissionAnswer { request_id: request_id.clone(), grant: true, pattern: pattern.clone() };
    let (success, session_id) = settle(&cx, given).await?;
    Ok(Json(Granted { success, session_id, request_id, pattern }))
}

async fn deny(cx: Cx<App>, Json(body): Json<DenyBody>) -> Result<Json<Denied>, Fault> {
    let request_id = body.request_id;
    let given = PermissionAnswer { request_id: request_id.clone(), grant: false, pattern: None };
    let (success, session_id) = settle(&cx, given).await?;
    Ok(Json(Denied { success, session_id, request_id }))
}

async fn settle(cx: &Cx<App>, given: PermissionAnswer) -> Result<(bool, String), Fault> {
    let session_id = session(cx)?;
    let asked = cx.app.domain.agents.ask(&session_id, Method::POST, "/permissions", &given);
    let missing = || format!("No pending request found: {}", given.request_id);
    let Success { success } = asked.await.map_err(|error| of_agent(error, missing()))?;
    Ok((success, session_id))
}
