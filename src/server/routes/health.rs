//! `/`, `/api/health`, `/openapi.json`: open to everybody, and silent about the machine to
//! strangers.

use crate::app::App;
use schemars::JsonSchema;
use serde::Deserialize;
use serve::table::get;
use serve::{Access, Caller, Cx, Fault, Json, Query, RawJson, Route, call};
use std::marker::PhantomData;
use wire::Timestamp;
use wire::health::{BotsHealth, Health, HealthDetail, Root, Running, VaultHealth};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Open;
    vec![
        get("/", Open, "Says that this is Parachute", call!(root)),
        get("/api/health", Open, "Whether the server serves, and with what", call!(health)),
        get("/openapi.json", Open, "This document", call!(openapi)),
    ]
}

#[derive(Deserialize, JsonSchema)]
struct HealthQuery {
    /// Ask for more; strangers get the short answer all the same.
    #[serde(default)]
    detailed: bool,
}

async fn root(_: Cx<App>, (): ()) -> Result<Json<Root>, Fault> {
    Ok(Json(Root {
        name: "Parachute Computer".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        status: "running".into(),
    }))
}

async fn health(cx: Cx<App>, Query(query): Query<HealthQuery>) -> Result<Json<Health>, Fault> {
    let known = cx.caller != Caller::Stranger;
    Ok(Json(Health {
        status: "ok".into(),
        timestamp: Timestamp::now().as_millis(),
        version: env!("CARGO_PKG_VERSION").into(),
        commit: option_env!("PARACHUTE_COMMIT").map(str::to_owned),
        detail: match query.detailed && known {
            true => Some(detail(&cx.app).await),
            false => None,
        },
    }))
}

async fn detail(app: &App) -> HealthDetail {
    let vault = app.domain.vault();
    let status = if vault.is_dir() { "ok" } else { "inaccessible" };
    HealthDetail {
        vault: VaultHealth { path: vault.display().to_string(), status: status.into() },
        modules: app.domain.modules().await.modules.into_iter().map(|m| m.state).collect(),
        docker: app.domain.containers().await,
        bots: BotsHealth {
            telegram: Running { running: false },
            discord: Running { running: false },
        },
        uptime: app.since.elapsed().as_secs_f64(),
        problem: app.domain.problem(),
        listeners: app.listeners.clone(),
        agents: app.domain.agents.count(),
    }
}

async fn openapi(cx: Cx<App>, (): ()) -> Result<RawJson<serde_json::Value>, Fault> {
    Ok(RawJson(cx.app.openapi(), PhantomData))
}
