//! Folders that are the same on several devices (contract-extended §1.11).

use crate::app::App;
use crate::domain::sync::{DeleteAsk, ManifestAsk};
use schemars::JsonSchema;
use serde::Deserialize;
use serve::table::{delete, get, post};
use serve::{Access, Caller, Cx, Fault, Json, Large, Peer, Query, Route, call};
use wire::sync::{Changes, Deleted, Manifest, PullBody, Pulled, PushBody, Pushed, SyncStatus};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/sync/manifest", Key, "What there is below a folder", call!(manifest)),
        get("/api/sync/changes", Key, "What was changed there after a time", call!(changes)),
        post("/api/sync/push", Key, "Take files from a device", call!(push)),
        post("/api/sync/pull", Key, "Give files to a device", call!(pull)),
        delete("/api/sync/files", Key, "Delete files for a device", call!(remove)),
        get("/api/sync/status", Key, "What is known of synchronised folders", call!(status)),
    ]
}

fn every_note() -> String {
    "*.md".into()
}

#[derive(Deserialize, JsonSchema)]
struct ManifestQuery {
    /// A folder of the vault; empty is the vault.
    root: String,
    /// Files whose path ends so.
    #[serde(default = "every_note")]
    pattern: String,
    /// Pictures, recordings and PDFs, too.
    #[serde(default)]
    include_binary: bool,
    /// The files of this day alone (`2026-01-31`), whatever the pattern.
    date: Option<String>,
    /// Times instead of hashes.
    #[serde(default)]
    quick: bool,
}

#[derive(Deserialize, JsonSchema)]
struct ChangesQuery {
    /// A folder of the vault; empty is the vault.
    root: String,
    /// In seconds since 1970.
    since: f64,
    /// Files whose path ends so.
    #[serde(default = "every_note")]
    pattern: String,
    /// Pictures, recordings and PDFs, too.
    #[serde(default)]
    include_binary: bool,
}

#[derive(Deserialize, JsonSchema)]
struct DeleteQuery {
    /// A folder of the vault.
    root: String,
    /// From there; said again for each file.
    paths: Vec<String>,
    /// What the device had of each, by hash; said as often.
    bases: Option<Vec<String>>,
    /// Which device it is.
    device: Option<String>,
}

/// By what a device is told from others that does not say which it is: its key, wherever it is
/// today; without one, where it is.
fn caller(cx: &Cx<App>) -> String {
    let by = match &cx.caller {
        Caller::Key(id) => return format!("key {id}"),
        Caller::Owner => "the owner".into(),
        Caller::Local | Caller::Stranger => "this machine".into(),
    };
    let forwarded = cx.headers.get("x-forwarded-for").and_then(|value| value.to_str().ok());
    let told = forwarded.map(|from| from.chars().take(64).collect::<String>());
    match (&cx.peer, told) {
        (_, Some(from)) => format!("{by} from {from}"),
        (Peer::Tcp(from), None) => format!("{by} from {}", from.ip().to_canonical()),
        (Peer::Unix(_), None) => by,
    }
}

async fn manifest(
    cx: Cx<App>,
    Query(query): Query<ManifestQuery>,
) -> Result<Json<Manifest>, Fault> {
    let ManifestQuery { root, pattern, include_binary, date, quick } = query;
    let ask = ManifestAsk { root, pattern, include_binary, date, quick };
    Ok(Json(cx.app.domain.sync_manifest(ask).await?))
}

async fn changes(cx: Cx<App>, Query(query): Query<ChangesQuery>) -> Result<Json<Changes>, Fault> {
    let ChangesQuery { root, since, pattern, include_binary } = query;
    let ask = ManifestAsk { root, pattern, include_binary, date: None, quick: true };
    Ok(Json(cx.app.domain.sync_changes(ask, since).await?))
}

async fn push(cx: Cx<App>, Large(body): Large<PushBody>) -> Result<Json<Pushed>, Fault> {
    Ok(Json(cx.app.domain.sync_push(body, caller(&cx)).await?))
}

async fn pull(cx: Cx<App>, Json(body): Json<PullBody>) -> Result<Json<Pulled>, Fault> {
    Ok(Json(cx.app.domain.sync_pull(body, caller(&cx)).await?))
}

async fn remove(cx: Cx<App>, Query(query): Query<DeleteQuery>) -> Result<Json<Deleted>, Fault> {
    let DeleteQuery { root, paths, bases, device } = query;
    let ask = DeleteAsk { root, paths, bases, device };
    Ok(Json(cx.app.domain.sync_delete(ask, caller(&cx)).await?))
}

async fn status(cx: Cx<App>, (): ()) -> Result<Json<SyncStatus>, Fault> {
    Ok(Json(cx.app.domain.sync_status().await?))
}
