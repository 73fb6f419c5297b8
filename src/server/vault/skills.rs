//! Skills as they stand on disk: `NAME.md`, or a folder with a `SKILL.md` in it (contract-extended
//! §4.6). A skill is always found by looking through what is there, never by making a path of
//! what a caller said.

use super::{FileError, Folder, Front, Listed};
use crate::limits::{SKILLS_BYTES_MAX, SKILLS_MAX};
use std::path::Path;
use wire::skill::{Skill, SkillFile};

/// What the file of a skill is called in its folder.
pub(crate) const SKILL: &str = "SKILL.md";

/// Where the vault's own skills are.
pub(crate) const PLACE: &str = ".skills";

/// A skill and where it stands.
pub(crate) struct Found {
    /// What is told of it.
    pub(crate) skill: Skill,
    /// Its file or folder, in the folder that was looked through.
    pub(crate) entry: String,
    /// Its Markdown file.
    pub(crate) main: String,
    /// Its fields and its text.
    pub(crate) front: Front,
}

impl Found {
    /// The name of its file without the ending, or of its folder.
    pub(crate) fn stem(&self) -> &str {
        if self.skill.is_directory { &self.entry } else { stem(&self.entry) }
    }

    /// Takes it away.
    pub(crate) fn remove(&self, shelf: &Folder) -> Result<bool, FileError> {
        shelf.remove_folder(Path::new(&self.entry))
    }
}

/// All skills in a folder, by name. One that cannot be read is passed over, and the log says so.
pub(crate) fn all(shelf: &Folder) -> Result<Vec<Found>, FileError> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    for entry in shelf.list()?.into_iter().filter(|entry| !entry.name.starts_with('.')) {
        if found.len() >= SKILLS_MAX || bytes >= SKILLS_BYTES_MAX {
            tracing::warn!(skills = found.len(), bytes, "there are more skills than are read");
            break;
        }
        match read(shelf, &entry) {
            Ok(Some(skill)) => {
                bytes += skill.skill.content.len();
                found.push(skill);
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(skill = entry.name, %error, "a skill cannot be read"),
        }
    }
    found.sort_by_cached_key(|found| (found.skill.name.to_lowercase(), found.entry.clone()));
    Ok(found)
}

/// The same with those in folders that are no skills themselves, under the names of both:
/// `folder:skill`.
pub(crate) fn nested(shelf: &Folder, deep: usize) -> Result<Vec<(String, Found)>, FileError> {
    let mut nested = Vec::new();
    let mut groups = vec![(String::new(), None, deep)];
    while let Some((above, folder, deep)) = groups.pop() {
        let here = folder.as_ref().unwrap_or(shelf);
        let found = all(here)?;
        let entries = here.list()?.into_iter().filter(|entry| !entry.name.starts_with('.'));
        for entry in entries.filter(|entry| entry.is_folder && deep > 0) {
            let is_skill = found.iter().any(|found| found.entry == entry.name);
            let inner = here.folder(Path::new(&entry.name))?.filter(|_| !is_skill);
            groups.extend(
                inner.map(|inner| (format!("{above}{}:", entry.name), Some(inner), deep - 1)),
            );
        }
        let named = found.into_iter().map(|found| (format!("{above}{}", found.stem()), found));
        nested.extend(named);
        if nested.len() >= SKILLS_MAX || groups.len() >= SKILLS_MAX {
            break;
        }
    }
    nested.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(nested)
}

/// The skill of this name: its file's or folder's, else the one it is listed by.
pub(crate) fn find(shelf: &Folder, name: &str) -> Result<Option<Found>, FileError> {
    let mut found = all(shelf)?;
    let by_entry = found.iter().position(|found| !found.skill.is_directory && found.stem() == name);
    let by_entry = by_entry.or_else(|| found.iter().position(|found| found.entry == name));
    let at = by_entry.or_else(|| found.iter().position(|found| found.skill.name == name));
    Ok(at.map(|at| found.swap_remove(at)))
}

fn read(shelf: &Folder, entry: &Listed) -> Result<Option<Found>, FileError> {
    if !entry.is_folder {
        let text = match is_markdown(&entry.name) {
            true => shelf.read(Path::new(&entry.name))?,
            false => None,
        };
        return Ok(text.map(|text| found(entry, entry, &text, None)));
    }
    let Some(folder) = shelf.folder(Path::new(&entry.name))? else { return Ok(None) };
    let files: Vec<Listed> = folder.list()?.into_iter().filter(|file| !file.is_folder).collect();
    let own = format!("{}.md", entry.name);
    // The first of these, in any case: not every disk tells `SKILL.md` and `skill.md` apart.
    let main = [SKILL, "index.md", own.as_str()].into_iter().find_map(|wanted| {
        let exact = files.iter().find(|file| file.name == wanted);
        exact.or_else(|| files.iter().find(|file| same(&file.name, wanted)))
    });
    let Some(main) = main else { return Ok(None) };
    let text = folder.read(Path::new(&main.name))?;
    let all = files.iter().map(|file| SkillFile { name: file.name.clone(), size: file.size });
    Ok(text.map(|text| found(entry, main, &text, Some(all.collect()))))
}

fn found(entry: &Listed, file: &Listed, text: &str, files: Option<Vec<SkillFile>>) -> Found {
    let front = Front::read_forgiving(text);
    let own = if entry.is_folder { entry.name.as_str() } else { stem(&entry.name) };
    let text_of = |name: &str| front.text(name).filter(|text| !text.is_empty());
    let skill = Skill {
        name: text_of("name").unwrap_or_else(|| own.to_owned()),
        directory: Some(own.to_owned()),
        description: text_of("description").unwrap_or_default(),
        content: front.body.clone(),
        size: file.size,
        modified: file.modified,
        version: text_of("version").unwrap_or_else(|| "1.0.0".into()),
        allowed_tools: front.list("allowed-tools"),
        is_directory: entry.is_folder,
        source: "custom".into(),
        files,
    };
    Found { skill, entry: entry.name.clone(), main: file.name.clone(), front }
}

pub(crate) fn is_markdown(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("md"))
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
