//! Models and usage (contract-core §1.9, §1.10).

use crate::app::App;
use serve::table::get;
use serve::{Access, Cx, Fault, Json, Query, Route, call};
use wire::supervisor::{ModelList, ModelsQuery};
use wire::usage::UsageReport;

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/models", Key, "Models of the vendor", call!(models)),
        get("/api/usage", Key, "What is used of limits, and what turns came to", call!(usage)),
    ]
}

async fn models(cx: Cx<App>, Query(query): Query<ModelsQuery>) -> Result<Json<ModelList>, Fault> {
    Ok(Json(cx.app.domain.models(query.show_all, query.refresh).await?))
}

async fn usage(cx: Cx<App>, (): ()) -> Result<Json<UsageReport>, Fault> {
    Ok(Json(cx.app.domain.usage().await))
}
