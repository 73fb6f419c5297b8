//! Entries of a person's days, and the agents that read them (contract-core §1.15, §6.6).

use crate::app::App;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use serve::table::{get, post};
use serve::{Access, Cx, Fault, Json, Query, Route, call};
use wire::daily::{
    AgentDays, AgentReset, AgentRun, AgentTranscript, DailyAgent, DailyAgentList, Entry, EntryList,
    EntryMade, NewEntry, RunAgent,
};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    const ONE: &str = "/api/modules/daily/agents/{name}";
    vec![
        post("/api/daily/entries", Key, "Put an entry down", call!(make)),
        get("/api/daily/entries", Key, "List entries, newest first", call!(list)),
        get("/api/daily/entries/{id}", Key, "Show an entry", call!(show)),
        get("/api/modules/daily/agents", Key, "List daily agents", call!(agents)),
        get("/api/modules/daily/agents/status", Key, "What they wrote for a day", call!(days)),
        get(ONE, Key, "Show a daily agent", call!(agent)),
        post("/api/modules/daily/agents/{name}/run", Key, "Have one read a day", call!(run)),
        post("/api/modules/daily/agents/{name}/reset", Key, "Begin its talk anew", call!(reset)),
        get("/api/modules/daily/agents/{name}/transcript", Key, "What it said", call!(transcript)),
    ]
}

#[derive(Deserialize, JsonSchema)]
struct ListQuery {
    /// At most so many.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 100))]
    limit: u32,
    /// Skip so many newer ones.
    #[serde(default)]
    #[schemars(range(min = 0))]
    offset: u32,
}

fn twenty() -> u32 {
    20
}

#[derive(Deserialize, JsonSchema)]
struct DayQuery {
    /// The day, `YYYY-MM-DD`; today where it is not said.
    date: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct TranscriptQuery {
    /// At most so many messages, the last ones.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
}

fn hundred() -> u32 {
    100
}

async fn make(cx: Cx<App>, Json(new): Json<NewEntry>) -> Result<Json<EntryMade>, Fault> {
    Ok(Json(cx.app.domain.make_entry(new).await?))
}

async fn list(cx: Cx<App>, Query(query): Query<ListQuery>) -> Result<Json<EntryList>, Fault> {
    let (limit, offset) = (query.limit as usize, query.offset as usize);
    Ok(Json(cx.app.domain.entries(limit, offset).await?))
}

async fn show(cx: Cx<App>, (): ()) -> Result<Json<Entry>, Fault> {
    let id = cx.path.get("id");
    let found = cx.app.domain.entry(id.to_owned()).await?;
    found.map(Json).ok_or_else(|| Fault {
        status: StatusCode::NOT_FOUND,
        // The predecessor's form, which is not that of other doors.
        body: json!({ "error": "Entry not found", "id": id }),
        cause: None,
    })
}

async fn agents(cx: Cx<App>, (): ()) -> Result<Json<DailyAgentList>, Fault> {
    Ok(Json(cx.app.domain.daily_agents().await?))
}

async fn days(cx: Cx<App>, Query(query): Query<DayQuery>) -> Result<Json<AgentDays>, Fault> {
    Ok(Json(cx.app.domain.daily_days(query.date.as_deref()).await?))
}

async fn agent(cx: Cx<App>, (): ()) -> Result<Json<DailyAgent>, Fault> {
    Ok(Json(cx.app.domain.daily_agent(cx.path.get("name")).await?))
}

async fn run(cx: Cx<App>, Json(ask): Json<RunAgent>) -> Result<Json<AgentRun>, Fault> {
    Ok(Json(cx.app.domain.run_daily_agent(cx.path.get("name"), ask).await?))
}

async fn reset(cx: Cx<App>, (): ()) -> Result<Json<AgentReset>, Fault> {
    Ok(Json(cx.app.domain.reset_daily_agent(cx.path.get("name")).await?))
}

async fn transcript(
    cx: Cx<App>,
    Query(query): Query<TranscriptQuery>,
) -> Result<Json<AgentTranscript>, Fault> {
    let limit = query.limit as usize;
    Ok(Json(cx.app.domain.daily_transcript(cx.path.get("name"), limit).await?))
}
