//! Sessions of an older place of the vault (contract-core §1.15).

use super::chat::session;
use crate::app::App;
use serve::table::{get, post};
use serve::{Access, Cx, Fault, Json, Route, call};
use wire::migration::{MigrateAll, MigrateOne, Migrated, MigratedAll, MigrationScan};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get(
            "/api/migration/scan",
            Key,
            "List sessions of an older place of the vault",
            call!(scan),
        ),
        post("/api/migration/all", Key, "Bring all of them to the vault in use", call!(all)),
        post("/api/migration/session/{id}", Key, "Bring one of them", call!(one)),
    ]
}

async fn scan(cx: Cx<App>, (): ()) -> Result<Json<MigrationScan>, Fault> {
    Ok(Json(cx.app.domain.scan_places().await?))
}

async fn all(cx: Cx<App>, Json(body): Json<MigrateAll>) -> Result<Json<MigratedAll>, Fault> {
    Ok(Json(cx.app.domain.migrate_all(body.copy_transcripts).await?))
}

async fn one(cx: Cx<App>, Json(body): Json<MigrateOne>) -> Result<Json<Migrated>, Fault> {
    Ok(Json(cx.app.domain.migrate(&session(&cx)?, body.copy_transcript).await?))
}
