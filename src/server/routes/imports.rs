//! Imports (contract-extended §1.10). Who asks for `text/event-stream` is told how it goes; all
//! others get the contract's answer at the end.

use crate::app::App;
use crate::domain::DomainError;
use crate::domain::imports::{BodyError, Job, Turn, tell_event};
use http::header::ACCEPT;
use schemars::JsonSchema;
use schemars::generate::SchemaGenerator;
use serde::Deserialize;
use serde_json::{Value, json};
use serve::fault::{Invalid, chain};
use serve::table::{get, post};
use serve::{
    Access, Caller, Cx, Events, Fault, FileFlow, Flow, Give, Json, JsonFlow, Query, Reply, Route,
    call,
};
use std::fs::File;
use std::marker::PhantomData;
use tokio::sync::oneshot;
use wire::import::{ContextNotes, ImportAnswer, ImportBody, ImportEvent, ImportSync};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        post("/api/import", Key, "Import an export's conversations as sessions", call!(body)),
        post("/api/import/file", Key, "The same of a file, JSON or ZIP", call!(file)),
        post("/api/import/path", Key, "The same of a file on this machine", call!(path)),
        post("/api/import/sync", Key, "Take up transcripts of Chat without a session", call!(sync)),
        get("/api/import/contexts", Key, "Notes about a person in Chat/contexts", call!(contexts)),
    ]
}

#[derive(Deserialize, JsonSchema)]
struct FileQuery {
    /// Put the sessions away at once.
    #[serde(default = "yes")]
    archived: bool,
}

#[derive(Deserialize, JsonSchema)]
struct PathQuery {
    /// A file of the vault; over the Unix socket any file by its absolute path.
    path: String,
    /// Put the sessions away at once.
    #[serde(default = "yes")]
    archived: bool,
}

#[derive(Deserialize, JsonSchema)]
struct SyncQuery {
    /// Put new sessions away at once.
    #[serde(default = "yes")]
    archived: bool,
    /// Set times and counts of known ones anew.
    #[serde(default)]
    force: bool,
}

fn yes() -> bool {
    true
}

/// The answer, or the way to it.
enum Given {
    Whole(Json<ImportAnswer>),
    Live(Events<ImportEvent>),
}

impl Give for Given {
    fn describe(schemas: &mut SchemaGenerator) -> Option<(&'static str, Value)> {
        // Named in the document all the same.
        let _ = Events::<ImportEvent>::describe(schemas);
        <Json<ImportAnswer> as Give>::describe(schemas)
    }

    fn reply(self) -> Reply {
        match self {
            Given::Whole(answer) => answer.reply(),
            Given::Live(events) => events.reply(),
        }
    }
}

impl From<BodyError> for Fault {
    fn from(error: BodyError) -> Fault {
        let (kind, place, said, bounds) = match error {
            BodyError::Domain(error) => return error.into(),
            BodyError::NotJson(stopped) => {
                let bounds = Some(json!({ "error": stopped.to_string() }));
                ("json_invalid", vec!["body".into()], "JSON decode error", bounds)
            }
            BodyError::NoData => {
                ("missing", vec!["body".into(), "data".into()], "Field required", None)
            }
            BodyError::Archived => {
                let place = vec!["body".into(), "archived".into()];
                ("bool_type", place, "Input should be a valid boolean", None)
            }
        };
        Fault::invalid(vec![Invalid { kind, place, said: said.into(), given: Value::Null, bounds }])
    }
}

async fn body(cx: Cx<App>, JsonFlow(flow, _): JsonFlow<ImportBody>) -> Result<Given, Fault> {
    let (turn, file) = spooled(&cx, flow).await?;
    begin(&cx, Job::of_body(file, turn).await?).await
}

async fn file(cx: Cx<App>, FileFlow { query, file }: FileFlow<FileQuery>) -> Result<Given, Fault> {
    let (turn, file) = spooled(&cx, file).await?;
    begin(&cx, Job::of_file(file, query.archived, turn)).await
}

async fn path(cx: Cx<App>, Query(query): Query<PathQuery>) -> Result<Given, Fault> {
    let turn = cx.app.domain.import_turn()?;
    let is_owner = cx.caller == Caller::Owner;
    let file = cx.app.domain.import_source(query.path, is_owner).await?;
    begin(&cx, Job::of_file(file, query.archived, turn)).await
}

async fn sync(cx: Cx<App>, Query(query): Query<SyncQuery>) -> Result<Json<ImportSync>, Fault> {
    Ok(Json(cx.app.domain.import_sync(query.archived, query.force).await?))
}

async fn contexts(cx: Cx<App>, (): ()) -> Result<Json<ContextNotes>, Fault> {
    Ok(Json(cx.app.domain.import_contexts().await?))
}

/// The right to import, and what is sent, on disk. A sender who is refused is heard to the end,
/// or would not hear why.
async fn spooled(cx: &Cx<App>, mut flow: Flow) -> Result<(Turn, File), Fault> {
    let turn = match cx.app.domain.import_turn() {
        Ok(turn) => turn,
        Err(error) => {
            flow.discard().await;
            return Err(error.into());
        }
    };
    let spool = match cx.app.domain.spool(flow.said()).await {
        Ok(spool) => spool,
        Err(error) => {
            flow.discard().await;
            return Err(error.into());
        }
    };
    while let Some(piece) = flow.next().await? {
        if !spool.add(piece).await {
            flow.discard().await;
            break;
        }
    }
    Ok((turn, spool.finish().await?))
}

/// What an answer would say of it; the rest is for the journal.
fn said(error: DomainError) -> String {
    tracing::warn!(error = chain(&error), "an import failed");
    let detail = Fault::from(error).body["detail"].take();
    detail.as_str().unwrap_or("Internal Server Error").to_owned()
}

/// Does the work whether or not the caller stays.
async fn begin(cx: &Cx<App>, job: Job) -> Result<Given, Fault> {
    let app = cx.app.clone();
    let accepts = cx.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    if accepts.is_some_and(|accepts| accepts.contains("text/event-stream")) {
        let (feed, live) = serve::live::open(&cx.limits, &cx.stop);
        cx.app.domain.agents.spawn(async move {
            app.busy.count(true);
            let event = match app.domain.import(job, Some(&feed)).await {
                Ok(answer) => ImportEvent::ImportDone(answer),
                Err(error) => ImportEvent::ImportError { error: said(error) },
            };
            tell_event(&feed, &event).await;
            app.busy.count(false);
        });
        return Ok(Given::Live(Events(live, PhantomData)));
    }
    let (tell, told) = oneshot::channel();
    cx.app.domain.agents.spawn(async move {
        app.busy.count(true);
        // The caller may have left; the sessions are there all the same.
        let _ = tell.send(app.domain.import(job, None).await);
        app.busy.count(false);
    });
    let answer = told.await.map_err(|_| DomainError::Broken)??;
    Ok(Given::Whole(Json(answer)))
}
