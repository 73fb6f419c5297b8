//! Contexts and prompts: what a model is told beside the message (contract-extended §1.8,
//! contract-core §1.6 and §1.11).

use super::chat::session_named;
use crate::app::App;
use schemars::JsonSchema;
use serde::Deserialize;
use serve::table::{delete, get, post, put};
use serve::{Access, Cx, Fault, Json, Query, Route, call};
use wire::chat::ChatBody;
use wire::context::{
    Chain, ContextFolders, ModulePrompt, ModulePromptSet, ModuleStats, NewContexts,
    NewModulePrompt, PromptPreview, SessionContexts,
};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/contexts/folders", Key, "Folders with something to say", call!(folders)),
        get("/api/contexts/chain", Key, "What contexts lead to", call!(chain)),
        get("/api/contexts/session/{session_id}", Key, "A session's contexts", call!(show)),
        put("/api/contexts/session/{session_id}", Key, "Replace its contexts", call!(set)),
        post("/api/contexts/session/{session_id}/add", Key, "Add a context", call!(add)),
        delete("/api/contexts/session/{session_id}/remove", Key, "Take one away", call!(remove)),
        get("/api/prompt/preview", Key, "What a turn would be told", call!(preview)),
        get("/api/modules/{name}/prompt", Key, "A module's prompt", call!(module_prompt)),
        put("/api/modules/{name}/prompt", Key, "Replace a module's prompt", call!(set_prompt)),
        get("/api/modules/{name}/stats", Key, "How much is in its folder", call!(module_stats)),
    ]
}

/// The budget of a chain where nothing is said.
const CHAIN_TOKENS: u32 = 50_000;

#[derive(Deserialize, JsonSchema)]
struct ChainQuery {
    /// Folders and notes from the vault, with commas between them; an empty one is the vault.
    folders: String,
    /// Tokens that may be told.
    #[serde(default = "chain_tokens")]
    #[schemars(range(min = 0, max = 1_000_000))]
    max_tokens: u32,
}

fn chain_tokens() -> u32 {
    CHAIN_TOKENS
}

#[derive(Deserialize, JsonSchema)]
struct ShowQuery {
    /// Say also what they lead to.
    #[serde(default)]
    include_chain: bool,
}

#[derive(Deserialize, JsonSchema)]
struct OneQuery {
    /// A folder or note from the vault.
    folder_path: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PreviewQuery {
    /// As in a turn.
    working_directory: Option<String>,
    /// As in a turn.
    agent_path: Option<String>,
    /// With commas between them; an empty one is the vault, nothing at all is none.
    contexts: Option<String>,
    /// Takes the place of everything.
    custom_prompt: Option<String>,
    /// A turn of this session.
    session_id: Option<String>,
    /// A new chat of this module.
    module: Option<String>,
    /// A turn in this workspace.
    workspace_id: Option<String>,
}

async fn folders(cx: Cx<App>, (): ()) -> Result<Json<ContextFolders>, Fault> {
    Ok(Json(cx.app.domain.context_folders().await?))
}

async fn chain(cx: Cx<App>, Query(query): Query<ChainQuery>) -> Result<Json<Chain>, Fault> {
    let most = query.max_tokens as usize;
    Ok(Json(cx.app.domain.context_chain(&query.folders, most).await?))
}

async fn show(cx: Cx<App>, Query(query): Query<ShowQuery>) -> Result<Json<SessionContexts>, Fault> {
    let id = session_named(&cx, "session_id")?;
    let chain = query.include_chain.then_some(CHAIN_TOKENS as usize);
    Ok(Json(cx.app.domain.session_contexts(&id, chain).await?))
}

async fn set(cx: Cx<App>, Json(new): Json<NewContexts>) -> Result<Json<SessionContexts>, Fault> {
    let id = session_named(&cx, "session_id")?;
    Ok(Json(cx.app.domain.set_contexts(&id, new.folder_paths).await?))
}

async fn add(cx: Cx<App>, Query(query): Query<OneQuery>) -> Result<Json<SessionContexts>, Fault> {
    let id = session_named(&cx, "session_id")?;
    Ok(Json(cx.app.domain.change_contexts(&id, &query.folder_path, true).await?))
}

async fn remove(
    cx: Cx<App>,
    Query(query): Query<OneQuery>,
) -> Result<Json<SessionContexts>, Fault> {
    let id = session_named(&cx, "session_id")?;
    Ok(Json(cx.app.domain.change_contexts(&id, &query.folder_path, false).await?))
}

async fn preview(
    cx: Cx<App>,
    Query(query): Query<PreviewQuery>,
) -> Result<Json<PromptPreview>, Fault> {
    let contexts = query.contexts.filter(|contexts| !contexts.is_empty());
    let contexts = contexts.map(|c| c.split(',').map(|one| one.trim().to_owned()).collect());
    let body = ChatBody {
        session_id: query.session_id,
        module: query.module,
        system_prompt: query.custom_prompt,
        working_directory: query.working_directory,
        contexts,
        agent_path: query.agent_path,
        workspace_id: query.workspace_id,
        ..ChatBody::default()
    };
    Ok(Json(cx.app.domain.preview(body).await?))
}

async fn module_prompt(cx: Cx<App>, (): ()) -> Result<Json<ModulePrompt>, Fault> {
    Ok(Json(cx.app.domain.module_prompt(cx.path.get("name")).await?))
}

async fn set_prompt(
    cx: Cx<App>,
    Json(new): Json<NewModulePrompt>,
) -> Result<Json<ModulePromptSet>, Fault> {
    Ok(Json(cx.app.domain.set_module_prompt(cx.path.get("name"), new).await?))
}

async fn module_stats(cx: Cx<App>, (): ()) -> Result<Json<ModuleStats>, Fault> {
    Ok(Json(cx.app.domain.module_stats(cx.path.get("name")).await?))
}
