//! Plugins (contract-extended §1.5).

use crate::app::App;
use serve::table::{delete, get, post};
use serve::{Access, Caller, Cx, Fault, Json, Route, call};
use wire::plugin::{NewPlugin, Plugin, PluginAgent, PluginCheck, PluginList, PluginMade};
use wire::skill::{Removed, Skill};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/plugins", Key, "List plugins", call!(list)),
        post("/api/plugins/install", Key, "Install a plugin from git", call!(install)),
        get("/api/plugins/{slug}", Key, "Show a plugin", call!(show)),
        delete("/api/plugins/{slug}", Key, "Remove a plugin", call!(remove)),
        post("/api/plugins/{slug}/update", Key, "Bring a plugin up to date", call!(update)),
        get("/api/plugins/{slug}/check-update", Key, "Ask what is newest", call!(check)),
        get("/api/plugins/{slug}/skills/{*name}", Key, "Show a plugin's skill", call!(skill)),
        get("/api/plugins/{slug}/agents/{*name}", Key, "Show a plugin's agent", call!(agent)),
    ]
}

fn slug(cx: &Cx<App>) -> String {
    cx.path.get("slug").to_owned()
}

/// Whether nobody but the owner can be asking; on TCP that is not known even of this machine.
fn is_owner(cx: &Cx<App>) -> bool {
    cx.caller == Caller::Owner
}

async fn list(cx: Cx<App>, (): ()) -> Result<Json<PluginList>, Fault> {
    Ok(Json(PluginList { plugins: cx.app.domain.plugins().await? }))
}

async fn show(cx: Cx<App>, (): ()) -> Result<Json<Plugin>, Fault> {
    Ok(Json(cx.app.domain.plugin(slug(&cx)).await?))
}

async fn install(cx: Cx<App>, Json(new): Json<NewPlugin>) -> Result<Json<PluginMade>, Fault> {
    let plugin = cx.app.domain.install_plugin(new, is_owner(&cx)).await?;
    Ok(Json(PluginMade { success: true, plugin }))
}

async fn update(cx: Cx<App>, (): ()) -> Result<Json<PluginMade>, Fault> {
    let plugin = cx.app.domain.update_plugin(slug(&cx), is_owner(&cx)).await?;
    Ok(Json(PluginMade { success: true, plugin }))
}

async fn check(cx: Cx<App>, (): ()) -> Result<Json<PluginCheck>, Fault> {
    Ok(Json(cx.app.domain.check_plugin(slug(&cx), is_owner(&cx)).await?))
}

async fn remove(cx: Cx<App>, (): ()) -> Result<Json<Removed>, Fault> {
    let deleted = cx.app.domain.delete_plugin(slug(&cx)).await?;
    Ok(Json(Removed { success: true, deleted }))
}

async fn skill(cx: Cx<App>, (): ()) -> Result<Json<Skill>, Fault> {
    let name = cx.path.get("name").to_owned();
    Ok(Json(cx.app.domain.plugin_skill(slug(&cx), name).await?))
}

async fn agent(cx: Cx<App>, (): ()) -> Result<Json<PluginAgent>, Fault> {
    let name = cx.path.get("name").to_owned();
    Ok(Json(cx.app.domain.plugin_agent(slug(&cx), name).await?))
}
