//! `/api/auth/*`: keys, and who has to show one (contract-core §1.2).

use crate::app::App;
use serve::table::{delete, get, post, put};
use serve::{Access, Cx, Fault, Json, Route, call};
use wire::auth::{AuthSettings, KeyDeleted, KeyList, MadeKey, NewAuthSettings, NewKey};

pub(super) fn rows() -> Vec<Route<App>> {
    // This machine may always look, and make the first key: otherwise there would be none.
    use Access::{FirstOrKey, LocalOrKey};
    vec![
        get("/api/auth/keys", LocalOrKey, "List keys", call!(list)),
        post("/api/auth/keys", FirstOrKey, "Make a key; it is shown this once", call!(make)),
        delete("/api/auth/keys/{key_id}", FirstOrKey, "Revoke a key", call!(revoke)),
        get("/api/auth/settings", LocalOrKey, "Who has to show a key", call!(settings)),
        put("/api/auth/settings", FirstOrKey, "Say who has to show a key", call!(set)),
    ]
}

async fn list(cx: Cx<App>, (): ()) -> Result<Json<KeyList>, Fault> {
    Ok(Json(cx.app.domain.list_keys()))
}

async fn make(cx: Cx<App>, Json(new): Json<NewKey>) -> Result<Json<MadeKey>, Fault> {
    Ok(Json(cx.app.domain.make_key(new.label).await?))
}

async fn revoke(cx: Cx<App>, (): ()) -> Result<Json<KeyDeleted>, Fault> {
    let id = cx.path.get("key_id").to_owned();
    let id = cx.app.domain.revoke_key(id, &cx.caller).await?;
    Ok(Json(KeyDeleted { status: "deleted".into(), id }))
}

async fn settings(cx: Cx<App>, (): ()) -> Result<Json<AuthSettings>, Fault> {
    Ok(Json(cx.app.domain.auth_settings()))
}

async fn set(cx: Cx<App>, Json(new): Json<NewAuthSettings>) -> Result<Json<AuthSettings>, Fault> {
    Ok(Json(cx.app.domain.set_auth_mode(&new.require_auth).await?))
}
