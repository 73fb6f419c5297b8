//! The image that sandboxed agents run in (contract-core §1.13).

use crate::app::App;
use serve::table::post;
use serve::{Access, Cx, Events, Fault, Route, call};
use std::marker::PhantomData;
use wire::sandbox::BuildEvent;

pub(super) fn rows() -> Vec<Route<App>> {
    let about = "Build the image that sandboxed agents run in";
    vec![post("/api/sandbox/build", Access::Key, about, call!(build))]
}

async fn build(cx: Cx<App>, (): ()) -> Result<Events<BuildEvent>, Fault> {
    let (engine, build) = cx.app.domain.can_build().await?;
    let (feed, live) = serve::live::open(&cx.limits, &cx.stop);
    let domain = cx.app.domain.clone();
    let building = async move { domain.build_image(engine, build, &feed).await };
    cx.app.domain.agents.spawn(building);
    Ok(Events(live, PhantomData))
}
