//! Skills (contract-extended §1.3).

use crate::app::App;
use serve::table::{delete, get, post};
use serve::{Access, Cx, Fault, Json, Route, Upload, call};
use wire::skill::{NewSkill, Removed, Skill, SkillList, SkillMade};

pub(super) fn rows() -> Vec<Route<App>> {
    use Access::Key;
    vec![
        get("/api/skills", Key, "List skills", call!(list)),
        post("/api/skills", Key, "Make a skill", call!(make)),
        post("/api/skills/upload", Key, "Take in a skill as a ZIP archive", call!(upload)),
        get("/api/skills/{name}", Key, "Show a skill", call!(show)),
        delete("/api/skills/{name}", Key, "Delete a skill", call!(remove)),
    ]
}

async fn list(cx: Cx<App>, (): ()) -> Result<Json<SkillList>, Fault> {
    Ok(Json(SkillList { skills: cx.app.domain.skills().await? }))
}

async fn show(cx: Cx<App>, (): ()) -> Result<Json<Skill>, Fault> {
    Ok(Json(cx.app.domain.skill(cx.path.get("name").to_owned()).await?))
}

async fn make(cx: Cx<App>, Json(new): Json<NewSkill>) -> Result<Json<SkillMade>, Fault> {
    Ok(Json(SkillMade { success: true, skill: cx.app.domain.make_skill(new).await? }))
}

async fn upload(cx: Cx<App>, file: Upload) -> Result<Json<SkillMade>, Fault> {
    let skill = cx.app.domain.take_skill(file.name, file.bytes).await?;
    Ok(Json(SkillMade { success: true, skill }))
}

async fn remove(cx: Cx<App>, (): ()) -> Result<Json<Removed>, Fault> {
    let deleted = cx.app.domain.delete_skill(cx.path.get("name").to_owned()).await?;
    Ok(Json(Removed { success: true, deleted }))
}
