//! `parachute skill`: what tells a model how something is done. Both kinds of file go to the
//! server as an archive: a form of its own for Markdown would lose what stands in its front
//! matter.

use super::{Kept, Sheet, change};
use crate::args::{KindArgs, NewSkillArgs, SkillAct};
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::given;
use std::io::{Cursor, Write};
use wire::skill::{Skill, SkillMade};
use zip::write::{SimpleFileOptions, ZipWriter};

/// What the file of a skill is called in its folder.
const SKILL: &str = "SKILL.md";

impl Kept for Skill {
    const NOUN: &'static str = "skill";
    const DOOR: &'static str = "/api/skills";
    const FIELD: &'static str = "skills";
    const HEADS: &'static [&'static str] = &["NAME", "VERSION", "DESCRIPTION"];
    type Whole = Skill;

    fn row(self) -> Vec<String> {
        vec![self.name, self.version, self.description]
    }

    fn sheet(skill: Skill) -> Sheet {
        let files = skill.files.unwrap_or_default();
        let files: Vec<String> = files.into_iter().map(|file| file.name).collect();
        let facts = vec![
            ("skill", skill.name),
            ("about", skill.description),
            ("version", skill.version),
            ("from", skill.source),
            ("written", skill.modified.to_string()),
            ("tools", skill.allowed_tools.join(", ")),
            ("files", files.join(", ")),
        ];
        Sheet { facts, text: skill.content }
    }
}

/// Runs the command; answers with the exit status.
pub(crate) async fn run(client: Client, args: &KindArgs<SkillAct>) -> Result<u8, Fail> {
    match &args.act {
        SkillAct::Kept(act) => super::run::<Skill>(&client, act, args.json).await?,
        SkillAct::Add(new) => {
            let (name, archive) = archive(new)?;
            let ask = Ask::post(format!("{}/upload", Skill::DOOR)).file(&name, &archive);
            let said = |made: SkillMade| format!("{} added", made.skill.name);
            change::<Skill, _>(&client, ask, said, args.json).await?;
        }
    }
    Ok(exit::DONE)
}

/// The archive and its name.
fn archive(new: &NewSkillArgs) -> Result<(String, Vec<u8>), Fail> {
    let path = new.file.as_path();
    let part =
        |part: Option<&std::ffi::OsStr>| part.and_then(|part| part.to_str()).map(str::to_owned);
    let ending = part(path.extension()).unwrap_or_default().to_ascii_lowercase();
    let (Some(name), Some(stem), "md" | "zip" | "skill") =
        (part(path.file_name()), part(path.file_stem()), ending.as_str())
    else {
        let said = format!("{} is no skill", path.display());
        return Err(Fail::usage(said, "a skill comes as a .md, a .zip or a .skill"));
    };
    if ending != "md" {
        return Ok((name, given::file(path)?));
    }
    if name.eq_ignore_ascii_case(SKILL) {
        let hint = "make an archive of its folder, as in zip -r NAME.zip NAME";
        return Err(Fail::usage(format!("{name} is a part of a skill that is a folder"), hint));
    }
    let text = given::file(path)?;
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let packed = archive
        .start_file(SKILL, SimpleFileOptions::default())
        .and_then(|()| Ok(archive.write_all(&text)?))
        .and_then(|()| archive.finish());
    let lost = |e| Fail::local(format!("cannot pack {}: {e}", path.display()), "make it smaller");
    Ok((format!("{stem}.zip"), packed.map_err(lost)?.into_inner()))
}
