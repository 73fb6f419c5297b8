//! All doors of the supervisor: unwrap, one call, wrap. Every door has the same guard, which is
//! in `app`.

mod orders;

use crate::app::App;
use crate::{config, console, events, logs, status, suite};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serve::table::{get, put};
use serve::{
    Access, Asset, Cx, Download, Events, Fault, Json, Query, RawJson, Route, Table, With, call,
};
use std::marker::PhantomData;
use wire::supervisor::{
    ConfigAnswer, ConfigChange, ConfigChanged, LogLine, ModelList, ModelsQuery, SupervisorStatus,
};

/// The route table.
pub(crate) fn table() -> Table<App> {
    use Access::LocalOrKey as Here;
    let mut rows: Vec<Route<App>> = vec![
        get("/", Here, "The web console", call!(console)),
        get("/console/{file}", Here, "A file of the web console", call!(console_file)),
        get("/supervisor/status", Here, "How the suite is", call!(status)),
        get("/supervisor/events", Here, "The same, whenever it changes", call!(events)),
        get("/supervisor/logs", Here, "Replay and follow the logs", call!(follow_logs)),
        get("/supervisor/logs/export", Here, "The logs as a file", call!(export_logs)),
        get("/supervisor/config", Here, "The configuration", call!(config)),
        put("/supervisor/config", Here, "Change the configuration", call!(change_config)),
        get("/supervisor/config/schema", Here, "What the configuration may say", call!(schema)),
        get("/supervisor/models", Here, "Models of the vendor", call!(models)),
        get("/openapi.json", Here, "This document", call!(openapi)),
    ];
    rows.extend(orders::rows());
    Table::new("Parachute Supervisor", env!("CARGO_PKG_VERSION"), rows)
}

async fn console(cx: Cx<App>, (): ()) -> Result<With<Asset>, Fault> {
    console::file("", &cx.headers)
}

async fn console_file(cx: Cx<App>, (): ()) -> Result<With<Asset>, Fault> {
    match cx.path.get("file") {
        "" => Err(Fault::missing("Not Found")),
        name => console::file(name, &cx.headers),
    }
}

async fn status(cx: Cx<App>, (): ()) -> Result<Json<SupervisorStatus>, Fault> {
    Ok(Json(status::status(&cx.app).await))
}

async fn events(cx: Cx<App>, (): ()) -> Result<Events<SupervisorStatus>, Fault> {
    Ok(Events(events::stream(cx.app, &cx.limits, &cx.stop), PhantomData))
}

async fn follow_logs(
    cx: Cx<App>,
    Query(query): Query<logs::LogsQuery>,
) -> Result<Events<LogLine>, Fault> {
    let after = text(&cx.headers, "last-event-id")?;
    let (source, redactor) = (&cx.app.source, cx.app.redactor());
    let live = logs::follow(source, redactor, query, after, &cx.limits, &cx.stop, suite::is_ours)?;
    Ok(Events(live, PhantomData))
}

async fn export_logs(
    cx: Cx<App>,
    Query(query): Query<logs::ExportQuery>,
) -> Result<Download, Fault> {
    let (source, redactor) = (&cx.app.source, cx.app.redactor());
    logs::export(source, redactor, query, &cx.limits, &cx.stop, suite::is_ours).map(Download)
}

async fn config(cx: Cx<App>, (): ()) -> Result<With<Json<ConfigAnswer>>, Fault> {
    let answer = cx.app.config.show(&cx.app.redactor());
    let headers = tag(&answer.etag);
    Ok(With { status: StatusCode::OK, headers, given: Json(answer) })
}

async fn change_config(
    cx: Cx<App>,
    Json(body): Json<ConfigChange>,
) -> Result<With<Json<ConfigChanged>>, Fault> {
    let only_if = text(&cx.headers, "if-match")?;
    let config::Outcome { status, answer } = config::change(&cx.app, body, only_if).await?;
    let headers = tag(&answer.etag);
    Ok(With { status, headers, given: Json(answer) })
}

async fn schema(_: Cx<App>, (): ()) -> Result<Json<serde_json::Value>, Fault> {
    Ok(Json(::config::settings::schema()))
}

async fn models(cx: Cx<App>, Query(query): Query<ModelsQuery>) -> Result<Json<ModelList>, Fault> {
    cx.app.models.list(&cx.app, query.show_all, query.refresh).await.map(Json)
}

async fn openapi(cx: Cx<App>, (): ()) -> Result<RawJson<serde_json::Value>, Fault> {
    Ok(RawJson(cx.app.table.openapi(), PhantomData))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Fault> {
    let unfit = |_| Fault::bad(format!("the header {name} is not text"));
    headers.get(name).map(|value| value.to_str().map_err(unfit)).transpose()
}

fn tag(etag: &str) -> Vec<(http::HeaderName, HeaderValue)> {
    let value = HeaderValue::from_str(&format!("\"{etag}\"")).ok();
    value.into_iter().map(|value| (header::ETAG, value)).collect()
}
