//! Skills: listed, made, taken in, deleted (contract-extended §1.3), and put together for a turn.

use crate::domain::{Domain, DomainError};
use crate::vault::unpack::unpack;
use crate::vault::{FileError, Folder, Front, Name, bounded, bundle, skills};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use wire::skill::{NewSkill, Skill};
use wire::workspace::Chosen;

impl Domain {
    pub(crate) async fn skills(&self) -> Result<Vec<Skill>, DomainError> {
        self.in_vault(list).await
    }

    pub(crate) async fn skill(&self, name: String) -> Result<Skill, DomainError> {
        let found = move |vault: &Folder| {
            let shelf = vault.folder(Path::new(skills::PLACE))?;
            let found = shelf.map(|shelf| skills::find(&shelf, &name)).transpose()?.flatten();
            found.map(|found| found.skill).ok_or_else(|| missing(&name))
        };
        self.in_vault(found).await
    }

    pub(crate) async fn make_skill(&self, new: NewSkill) -> Result<Skill, DomainError> {
        let made = self.in_vault(move |vault| make(vault, new)).await?;
        tracing::info!(skill = made.name, "a skill was made");
        Ok(made)
    }

    /// Takes in a skill as an archive of this name.
    pub(crate) async fn take_skill(
        &self,
        file: String,
        bytes: Bytes,
    ) -> Result<Skill, DomainError> {
        let taken = self.in_vault(move |vault| take_in(vault, &file, &bytes)).await?;
        tracing::info!(skill = taken.name, "a skill was taken in");
        Ok(taken)
    }

    pub(crate) async fn delete_skill(&self, name: String) -> Result<String, DomainError> {
        let deleted = move |vault: &Folder| {
            let shelf = vault.folder(Path::new(skills::PLACE))?.ok_or_else(|| missing(&name))?;
            let found = skills::find(&shelf, &name)?.ok_or_else(|| missing(&name))?;
            found.remove(&shelf)?;
            Ok::<_, DomainError>(name)
        };
        let name = self.in_vault(deleted).await?;
        tracing::info!(skill = name, "a skill was deleted");
        Ok(name)
    }
}

/// The skills of a turn.
pub(crate) struct TurnSkills {
    /// The folder that they are in.
    pub(crate) dir: PathBuf,
    /// What they are called.
    pub(crate) names: Vec<String>,
}

/// The chosen skills as a folder that the CLI takes as a plugin, in `kept`, which is ours. None
/// where there is no skill to put there.
pub(crate) fn plugin_dir(
    vault: &Folder,
    kept: &Path,
    chosen: &Chosen,
) -> Result<Option<TurnSkills>, DomainError> {
    let Some(shelf) = vault.folder(Path::new(skills::PLACE))? else { return Ok(None) };
    let mut found = skills::all(&shelf)?;
    found.retain(|found| chosen.has(&found.skill.name) || chosen.has(found.stem()));
    if found.is_empty() {
        return Ok(None);
    }
    let folder = Folder::made(kept)?;
    let name = bundle::keep(&shelf, &found, &folder)?;
    let names = found.into_iter().map(|found| found.skill.name).collect();
    Ok(Some(TurnSkills { dir: kept.join(name), names }))
}

/// All skills of the vault.
fn list(vault: &Folder) -> Result<Vec<Skill>, DomainError> {
    let Some(shelf) = vault.folder(Path::new(skills::PLACE))? else { return Ok(Vec::new()) };
    Ok(skills::all(&shelf)?.into_iter().map(|found| found.skill).collect())
}

fn make(vault: &Folder, new: NewSkill) -> Result<Skill, DomainError> {
    let name = Name::parse(&new.name).ok_or_else(|| DomainError::Bad(Name::RULE.into()))?;
    let mut front = Front { body: new.content, ..Front::default() };
    front.fields.insert("name".into(), new.name.into());
    if let Some(description) = new.description {
        front.fields.insert("description".into(), description.into());
    }
    let (file, text) = (name.with(".md"), front.write());
    bounded(Path::new(&file), text.as_bytes())?;
    let shelf = vault.folder_made(Path::new(skills::PLACE))?;
    if skills::find(&shelf, name.as_str())?.is_some() {
        return Err(taken(&name));
    }
    shelf.create(Path::new(&file), text.as_bytes())?;
    let made = skills::find(&shelf, name.as_str())?;
    made.map(|made| made.skill).ok_or_else(|| missing(name.as_str()))
}

/// The archive becomes a folder of its name: whole, and with a skill in it, or not at all.
fn take_in(vault: &Folder, file: &str, bytes: &[u8]) -> Result<Skill, DomainError> {
    let stem = [".skill", ".zip"].into_iter().find_map(|ending| {
        let (stem, end) = file.split_at_checked(file.len().checked_sub(ending.len())?)?;
        end.eq_ignore_ascii_case(ending).then_some(stem)
    });
    let stem =
        stem.ok_or_else(|| DomainError::Bad("the file has to be a .skill or .zip".into()))?;
    let name = Name::parse(stem).ok_or_else(|| DomainError::Bad(Name::RULE.into()))?;
    let shelf = vault.folder_made(Path::new(skills::PLACE))?;
    if skills::find(&shelf, name.as_str())?.is_some() {
        return Err(taken(&name));
    }
    let place = shelf.unfinished()?;
    let unpacked = unpack_in(&shelf, &place, &name, bytes);
    shelf.remove_folder(&place)?;
    unpacked?;
    let made = skills::find(&shelf, name.as_str())?;
    made.map(|made| made.skill).ok_or_else(|| missing(name.as_str()))
}

fn unpack_in(shelf: &Folder, place: &Path, name: &Name, bytes: &[u8]) -> Result<(), DomainError> {
    let unfinished = shelf.folder_made(place)?;
    unpack(bytes, &unfinished.folder_made(name.as_ref())?)?;
    if skills::find(&unfinished, name.as_str())?.is_none() {
        return Err(DomainError::Bad("the archive has no SKILL.md in it".into()));
    }
    unfinished.rename(name.as_ref(), shelf, name.as_ref()).map_err(|error| match error {
        FileError::Taken(_) => taken(name),
        error => error.into(),
    })
}

fn missing(name: &str) -> DomainError {
    DomainError::Missing(format!("Skill '{name}' not found"))
}

fn taken(name: &Name) -> DomainError {
    DomainError::Taken(format!("Skill '{name}' already exists"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::SystemTime;

    struct Scene {
        top: tempfile::TempDir,
    }

    impl Scene {
        fn new() -> Scene {
            let scene = Scene { top: tempfile::tempdir().expect("a folder") };
            fs::create_dir_all(scene.path("vault")).expect("made");
            scene
        }

        fn path(&self, inside: &str) -> PathBuf {
            self.top.path().join(inside)
        }

        fn put(&self, path: &str, text: &str) {
            let path = self.path("vault/.skills").join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }

        fn plugin(&self, chosen: &Chosen) -> Option<PathBuf> {
            let vault = Folder::open(&self.path("vault")).expect("opened").expect("there");
            plugin_dir(&vault, &self.path("state/skills"), chosen)
                .expect("put together")
                .map(|skills| skills.dir)
        }
    }

    /// Files below a folder, and what is in them.
    fn files(top: &Path) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut folders = vec![top.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder").flatten() {
                match entry.file_type().expect("a kind").is_dir() {
                    true => folders.push(entry.path()),
                    false => {
                        let path = entry.path();
                        let name = path.strip_prefix(top).expect("below").display().to_string();
                        found.insert(name, fs::read_to_string(path).expect("text"));
                    }
                }
            }
        }
        found
    }

    #[test]
    fn trap_58_the_chosen_skills_are_a_plugin_that_is_named_by_what_is_in_it() {
        let scene = Scene::new();
        assert_eq!(scene.plugin(&Chosen::ALL), None, "there are none");
        scene.put("My Skill.md", "---\nname: Mine\ndescription: a: b\n---\nText");
        scene.put("folder/index.md", "---\nname: Folder\n---\nMain");
        scene.put("folder/more/run.sh", "#!/bin/sh");
        let runs = fs::Permissions::from_mode(0o755);
        fs::set_permissions(scene.path("vault/.skills/folder/more/run.sh"), runs).expect("set");
        scene.put("folder/SKILL.MD.bak", "kept");
        fs::write(scene.path("secret"), "secret").expect("written");
        symlink(scene.path("secret"), scene.path("vault/.skills/folder/out")).expect("linked");
        let dir = scene.plugin(&Chosen::ALL).expect("a folder");
        let there = files(&dir);
        let manifest = &there[".claude-plugin/plugin.json"];
        let manifest: serde_json::Value = serde_json::from_str(manifest).expect("JSON");
        assert_eq!(manifest["name"], "vault");
        let text = "---\nname: Mine\ndescription: 'a: b'\n---\n\nText\n";
        assert_eq!(there["skills/my-skill/SKILL.md"], text);
        let text = "---\nname: Folder\ndescription: Main\n---\n\nMain\n";
        assert_eq!(there["skills/folder/SKILL.md"], text, "the CLI wants a description");
        assert_eq!(there["skills/folder/SKILL.MD.bak"], "kept");
        assert_eq!(there.len(), 5, "{there:?}");
        let script = fs::metadata(dir.join("skills/folder/more/run.sh")).expect("there");
        assert_eq!(script.permissions().mode() & 0o777, 0o700);
        // The same skills, the same folder; others, another, and the first stays as it is.
        assert_eq!(scene.plugin(&Chosen::ALL), Some(dir.clone()));
        let some = scene.plugin(&Chosen::Named(vec!["Mine".into()])).expect("a folder");
        assert_eq!(files(&some).len(), 2);
        assert_eq!(scene.plugin(&Chosen::Named(vec!["My Skill".into()])), Some(some.clone()));
        scene.put("My Skill.md", "Another text");
        assert_ne!(scene.plugin(&Chosen::ALL), Some(dir.clone()));
        assert_eq!(files(&dir), there);
        assert_eq!(scene.plugin(&Chosen::NONE), None);
        assert_eq!(scene.plugin(&Chosen::Named(vec!["nobody".into()])), None);
    }

    #[test]
    fn trap_57_turns_at_once_share_one_folder_and_old_ones_are_swept() {
        let scene = Scene::new();
        scene.put("a.md", "old");
        let old = scene.plugin(&Chosen::ALL).expect("a folder");
        let dir = fs::File::open(&old).expect("opened");
        scene.put("a.md", "new");
        for index in 0..50 {
            scene.put(&format!("more{index}/SKILL.md"), "text");
        }
        let made: Vec<PathBuf> = std::thread::scope(|scope| {
            let turns: Vec<_> =
                (0..8).map(|_| scope.spawn(|| scene.plugin(&Chosen::ALL))).collect();
            turns.into_iter().map(|turn| turn.join().expect("ended").expect("a folder")).collect()
        });
        assert!(made.iter().all(|dir| *dir == made[0]), "{made:?}");
        assert_eq!(files(&made[0]).len(), 52);
        assert!(old.exists(), "it may be in use");
        dir.set_modified(SystemTime::UNIX_EPOCH).expect("set");
        scene.plugin(&Chosen::ALL).expect("a folder");
        let left: Vec<_> = fs::read_dir(scene.path("state/skills")).expect("there").collect();
        assert_eq!(left.len(), 1, "nothing unfinished, nothing old: {left:?}");
    }
}
