//! Folders whose own hooks and tools an agent may run.

use crate::app::App;
use serve::table::{delete, get, put};
use serve::{Access, Cx, Fault, Json, Route, call};
use wire::trusted::{TrustBody, TrustedFolder, TrustedFolders};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/trust", Key, "List folders whose hooks and tools are run", call!(list)),
        put("/api/trust", Key, "Trust a folder's hooks and tools as they are", call!(trust)),
        delete("/api/trust", Key, "Trust a folder no longer", call!(distrust)),
    ]
}

async fn list(cx: Cx<App>, (): ()) -> Result<Json<TrustedFolders>, Fault> {
    Ok(Json(cx.app.domain.trusted().await?))
}

async fn trust(cx: Cx<App>, Json(body): Json<TrustBody>) -> Result<Json<TrustedFolder>, Fault> {
    Ok(Json(cx.app.domain.trust_folder(&body.path).await?))
}

async fn distrust(cx: Cx<App>, Json(body): Json<TrustBody>) -> Result<Json<TrustBody>, Fault> {
    cx.app.domain.distrust_folder(&body.path).await?;
    Ok(Json(body))
}
