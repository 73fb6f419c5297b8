//! Files of the vault (contract-core §1.14, contract-extended §1.9).

use crate::app::App;
use crate::domain::files::{FilesError, OpenFile};
use crate::vault::files::ReachError;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serve::table::{get, put};
use serve::{Access, Condition, Cx, Fault, Json, Query, Route, Sent, Tagged, call};
use wire::files::{FileText, FileWritten, Listing, NewFile};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/ls", Key, "What is in a folder of the vault", call!(list)),
        get("/api/read", Key, "A file's text, or its bytes with raw", call!(read)),
        put("/api/write", Key, "Replace a file's text, or make the file", call!(write)),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    /// From the vault; empty is the vault itself.
    path: Option<String>,
    /// Also what begins with a dot.
    #[serde(default)]
    include_hidden: bool,
}

#[derive(Deserialize, JsonSchema)]
struct ReadQuery {
    /// From the vault.
    path: String,
    /// Its bytes as they are, of any length, instead of JSON; `Range` is understood.
    #[serde(default)]
    raw: bool,
}

async fn list(cx: Cx<App>, Query(query): Query<ListQuery>) -> Result<Json<Listing>, Fault> {
    Ok(Json(cx.app.domain.list_files(query.path, query.include_hidden).await?))
}

async fn read(cx: Cx<App>, Query(query): Query<ReadQuery>) -> Result<Tagged<FileText>, Fault> {
    let condition = Condition::of(&cx.headers);
    if query.raw {
        let OpenFile { file, bytes, tag, name } = cx.app.domain.open_file(query.path).await?;
        return Ok(Tagged::sent(&condition, Sent::new(file, bytes, tag, &name, &cx.headers)));
    }
    let (text, tag) = cx.app.domain.read_file(query.path).await?;
    Ok(Tagged::told(&condition, tag, text))
}

async fn write(cx: Cx<App>, Json(new): Json<NewFile>) -> Result<Tagged<FileWritten>, Fault> {
    let condition = Condition::of(&cx.headers);
    let lets = move |tag: Option<&str>| condition.lets_change(tag);
    let (written, tag) = cx.app.domain.write_file(new, lets).await?;
    Ok(Tagged::Told(tag, written))
}

impl From<FilesError> for Fault {
    fn from(error: FilesError) -> Fault {
        let said = error.to_string();
        match error {
            FilesError::NoFolder | FilesError::NoFile => Fault::missing(said),
            FilesError::Changed => Fault::new(StatusCode::PRECONDITION_FAILED, said),
            FilesError::RawOnly(ReachError::TooLong(_)) => {
                Fault::new(StatusCode::PAYLOAD_TOO_LARGE, said)
            }
            FilesError::RawOnly(_) => Fault::bad(said),
            FilesError::Reach(error) => error.into(),
            FilesError::Domain(error) => error.into(),
        }
    }
}

impl From<ReachError> for Fault {
    fn from(error: ReachError) -> Fault {
        let said = error.to_string();
        match error {
            ReachError::Outside | ReachError::Closed(_) | ReachError::RunsLater(_) => {
                Fault::forbidden(said)
            }
            ReachError::TooLong(_) => Fault::new(StatusCode::PAYLOAD_TOO_LARGE, said),
            ReachError::Odd(_)
            | ReachError::NotFolder
            | ReachError::NotFile
            | ReachError::TooMany(_)
            | ReachError::NotText => Fault::bad(said),
            ReachError::File(error) => error.into(),
        }
    }
}
