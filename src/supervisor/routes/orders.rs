//! Doors at which something is ordered of the manager, and at which one learns what became of
//! it. A unit that is not of the suite is turned away here, before the manager hears of it.

use crate::app::App;
use crate::config::failed;
use crate::orders::{Target, order};
use http::StatusCode;
use serve::table::{get, post};
use serve::{Access, Cx, Fault, Json, Route, With, call};
use wire::supervisor::{Job, JobState, Ordered, Verb};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::LocalOrKey as Here;
    vec![
        post("/supervisor/server/start", Here, "Start the server", call!(start)),
        post("/supervisor/server/stop", Here, "Stop the server, for good", call!(stop)),
        post("/supervisor/server/restart", Here, "Restart the server", call!(restart)),
        post("/supervisor/units/{unit}/{verb}", Here, "Order something of a unit", call!(of_unit)),
        get("/supervisor/jobs/{id}", Here, "What became of an order", call!(job)),
    ]
}

type Answer = Result<With<Json<Ordered>>, Fault>;

async fn start(cx: Cx<App>, (): ()) -> Answer {
    ordered(cx, Target::Server, Verb::Start).await
}

async fn stop(cx: Cx<App>, (): ()) -> Answer {
    ordered(cx, Target::Server, Verb::Stop).await
}

async fn restart(cx: Cx<App>, (): ()) -> Answer {
    ordered(cx, Target::Server, Verb::Restart).await
}

async fn of_unit(cx: Cx<App>, (): ()) -> Answer {
    let (unit, verb) = (cx.path.get("unit"), cx.path.get("verb"));
    let none = || Fault::missing(format!("there is no unit {unit:?} of Parachute"));
    let member = cx.app.state.members().iter().find(|member| member.unit == unit);
    let unit = member.ok_or_else(none)?.unit;
    let verb = match verb {
        "start" => Verb::Start,
        "stop" => Verb::Stop,
        "restart" => Verb::Restart,
        "reset-failed" => Verb::ResetFailed,
        "enable" => Verb::Enable,
        "disable" => Verb::Disable,
        other => return Err(Fault::missing(format!("a unit cannot be asked to {other:?}"))),
    };
    ordered(cx, Target::Unit(unit), verb).await
}

async fn ordered(cx: Cx<App>, target: Target, verb: Verb) -> Answer {
    let job = order(&cx.app, target, verb).await?;
    let status = match job.state {
        JobState::Done => StatusCode::OK,
        JobState::Running => StatusCode::ACCEPTED,
        JobState::Failed => return Err(failed(&job.message, &job)),
    };
    let given = Json(Ordered { success: true, message: job.message.clone(), job });
    Ok(With { status, headers: Vec::new(), given })
}

async fn job(cx: Cx<App>, (): ()) -> Result<Json<Job>, Fault> {
    let id = cx.path.get("id").parse().ok();
    let job = id.and_then(|id| cx.app.orders.get(id));
    job.map(Json).ok_or_else(|| Fault::missing("there is no such order, or it is forgotten"))
}
