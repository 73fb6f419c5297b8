//! `/supervisor/*` of the supervisor, for whoever may pass here: a phone with its key, and the
//! app where the ports are not the usual ones (contract-core §8.5, 100). Handed on over its
//! socket as it is, and the answer back.

use crate::app::App;
use http::StatusCode;
use serde_json::json;
use serve::pass::{Passed, Passing, forward};
use serve::table::{get, post, put};
use serve::{Access, Cx, Fault, Give, Json, Route, With, call};

const PATH: &str = "/supervisor/{*path}";
const ABOUT: &str = "Ask the supervisor; its own /openapi.json says what there is";

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get(PATH, Key, ABOUT, call!(get_on)),
        post(PATH, Key, ABOUT, call!(post_on)),
        put(PATH, Key, ABOUT, call!(put_on)),
    ]
}

async fn get_on(cx: Cx<App>, request: Passing) -> Result<Passed, Fault> {
    on(cx, request).await
}

async fn post_on(cx: Cx<App>, request: Passing) -> Result<Passed, Fault> {
    on(cx, request).await
}

async fn put_on(cx: Cx<App>, request: Passing) -> Result<Passed, Fault> {
    on(cx, request).await
}

async fn on(cx: Cx<App>, request: Passing) -> Result<Passed, Fault> {
    let away = "the supervisor does not answer; `parachute supervisor start` starts it";
    let passed = forward(&cx, &cx.app.supervisor, request).await;
    let passed = passed.map_err(|error| Fault::unready(away).because(error))?;
    Ok(passed.unwrap_or_else(stopping))
}

/// An order that ends the server through which it was given, such as a restart.
fn stopping() -> Passed {
    let message = "Under way; the server through which this was asked ends meanwhile";
    let given = Json(json!({ "success": true, "message": message }));
    With { status: StatusCode::ACCEPTED, headers: Vec::new(), given }.reply().into()
}
