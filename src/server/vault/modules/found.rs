//! Modules that others made: `.modules/<folder>/manifest.yaml` (contract-core §6.1, §6.2). What
//! one says of itself is read, and its folder is counted; nothing of it is run. One that cannot
//! be read is named, and the others are read all the same.

use super::super::{FileError, Folder, Front, Name};
use super::kept::Kept;
use super::tree::{MANIFEST, PROMPT, Tree, prompt_hash};
use crate::limits::{FOLDER_ENTRIES_MAX, MANIFEST_BYTES_MAX, MODULES_BYTES_MAX, MODULES_MAX};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where they are.
pub(crate) const PLACE: &str = ".modules";

/// What a folder holds.
pub(crate) struct Found {
    /// Its name, fit for a sentence.
    pub(crate) folder: String,
    /// The module, or why there is none.
    pub(crate) module: Result<Module, String>,
}

/// A module as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) trust_level: String,
    pub(crate) provides: Vec<String>,
    pub(crate) tree: Tree,
}

/// All folders of modules, in their order; or those of one name, and nothing of others is counted.
pub(crate) fn all(
    vault: &Folder,
    only: Option<&str>,
    kept: &mut Kept,
) -> Result<Vec<Found>, FileError> {
    let Some(place) = vault.folder(Path::new(PLACE))? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in place.dir().entries().map_err(FileError::of(Path::new(PLACE)))? {
        let entry = entry.map_err(FileError::of(Path::new(PLACE)))?;
        let kind = entry.file_type().map_err(FileError::of(Path::new(PLACE)))?;
        if names.len() >= FOLDER_ENTRIES_MAX {
            return Err(FileError::TooMany);
        }
        if !kind.is_file() {
            names.push((entry.file_name(), kind.is_dir()));
        }
    }
    // However many links there are, they keep no module out.
    names.sort_by(|(one, is_folder), (other, is_too)| (is_too, one).cmp(&(is_folder, other)));
    if names.len() > MODULES_MAX {
        tracing::warn!(max = MODULES_MAX, "there are more modules than are looked at");
        names.truncate(MODULES_MAX);
    }
    names.sort();
    let there: BTreeSet<PathBuf> =
        names.iter().map(|(name, _)| Path::new(PLACE).join(name)).collect();
    kept.retain(|module| there.contains(module));
    let mut room = MODULES_BYTES_MAX;
    let read = names.into_iter().filter_map(|(name, is_folder)| {
        let folder = name.to_str().filter(|name| Name::parse(name).is_some());
        let module = match (folder, is_folder) {
            _ if is_nobodys(&name.to_string_lossy()) => return None,
            (None, _) => Err(format!("its folder cannot be called so: {}", Name::RULE)),
            (Some(_), false) => Err("it is a link, and links to modules are not followed".into()),
            (Some(folder), true) => read(vault, folder, only, kept, &mut room)?,
        };
        let shown = name.to_string_lossy().chars().filter(|c| !c.is_control()).take(80).collect();
        Some(Found { folder: shown, module })
    });
    Ok(read.collect())
}

/// What other programs leave behind.
fn is_nobodys(folder: &str) -> bool {
    folder.starts_with('.') || folder.starts_with("__")
}

/// Where the prompt of a module of this folder is, and its text, if that is the one that was
/// counted.
pub(crate) fn prompt(vault: &Folder, folder: &str, counted: &Tree) -> Option<(PathBuf, String)> {
    let hash = counted.prompt.as_deref()?;
    let path = Path::new(PLACE).join(folder).join(PROMPT);
    let text = vault.read(&path).inspect_err(|error| {
        tracing::warn!(%error, "a module's prompt cannot be read");
    });
    let text = text.ok()??;
    if prompt_hash(&text) != hash {
        tracing::warn!(folder, "a module's prompt changed since it was counted, and is not told");
        return None;
    }
    Some((path, text))
}

/// None: it is not the one that is meant.
fn read(
    vault: &Folder,
    folder: &str,
    only: Option<&str>,
    kept: &mut Kept,
    room: &mut u64,
) -> Option<Result<Module, String>> {
    match manifest(vault, folder) {
        Ok((name, _)) if only.is_some_and(|only| only != name) => None,
        Ok((name, manifest)) => Some(module(vault, folder, name, &manifest, kept, room)),
        Err(said) => Some(Err(said)),
    }
}

/// What a module says of itself, and its name.
fn manifest(vault: &Folder, folder: &str) -> Result<(String, Front), String> {
    let at = Path::new(PLACE).join(folder);
    let manifest = vault.bytes(&at.join(MANIFEST), MANIFEST_BYTES_MAX);
    let manifest = match manifest {
        Ok(Some((bytes, _))) => bytes,
        Ok(None) => return Err(format!("there is no {MANIFEST} in it")),
        Err(FileError::TooLong(_)) => {
            return Err(format!("its manifest is longer than {} KiB", MANIFEST_BYTES_MAX >> 10));
        }
        Err(error) => return Err(error.to_string()),
    };
    let manifest = String::from_utf8(manifest).map_err(|_| "its manifest is not UTF-8 text")?;
    let manifest = fields(&manifest)?;
    let name = match manifest.fields.get("name") {
        None => folder.to_owned(),
        Some(_) => manifest.text("name").unwrap_or_default(),
    };
    if Name::parse(&name).is_none() {
        return Err(format!("its manifest gives it no name that it can have: {}", Name::RULE));
    }
    Ok((name, manifest))
}

fn module(
    vault: &Folder,
    folder: &str,
    name: String,
    manifest: &Front,
    kept: &mut Kept,
    room: &mut u64,
) -> Result<Module, String> {
    let text = |name: &str| manifest.text(name);
    Ok(Module {
        name,
        version: text("version").unwrap_or_default(),
        description: text("description").unwrap_or_default(),
        trust_level: text("trust_level").unwrap_or_else(|| "trusted".into()),
        provides: manifest.list("provides"),
        tree: kept.count(vault, &Path::new(PLACE).join(folder), room)?,
    })
}

/// A manifest is read as front matter is: bounded, whatever its aliases stand for.
fn fields(manifest: &str) -> Result<Front, String> {
    let manifest = manifest.trim_start_matches('\u{feff}');
    let manifest = manifest.strip_prefix("---\n").unwrap_or(manifest);
    let front = Front::read(&format!("---\n{manifest}\n---\n"));
    front.map_err(|said| said.replace("the front matter", "its manifest is no YAML"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_one_module_no_other_is_counted() {
        let dir = tempfile::tempdir().expect("a folder");
        for (folder, name) in [("a", "one"), ("b", "two"), ("c", "one")] {
            let at = dir.path().join(PLACE).join(folder);
            std::fs::create_dir_all(&at).expect("made");
            std::fs::write(at.join(MANIFEST), format!("name: {name}\n")).expect("written");
        }
        let vault = Folder::open(dir.path()).expect("read").expect("a vault");
        let mut kept = Kept::default();
        let mut folders = |only| -> Vec<String> {
            let all = all(&vault, only, &mut kept).expect("read");
            all.into_iter().map(|found| found.folder).collect()
        };
        assert_eq!(folders(None), ["a", "b", "c"]);
        assert_eq!(folders(Some("one")), ["a", "c"]);
        assert_eq!(folders(Some("three")), [""; 0]);
    }

    #[test]
    fn a_prompt_is_told_as_it_was_counted_or_not_at_all() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = dir.path().join(PLACE).join("m");
        std::fs::create_dir_all(&at).expect("made");
        let put = |name: &str, text: &str| std::fs::write(at.join(name), text).expect("written");
        put(MANIFEST, "name: m\n");
        put(PROMPT, "\u{feff}Rhyme.");
        let vault = Folder::open(dir.path()).expect("read").expect("a vault");
        let tree = all(&vault, None, &mut Kept::default()).expect("read").remove(0).module;
        let tree = tree.expect("a module").tree;
        let told = || prompt(&vault, "m", &tree).map(|(_, text)| text);
        assert_eq!(told().as_deref(), Some("Rhyme."));
        put(PROMPT, "Do it.");
        assert_eq!(told(), None);
        put(PROMPT, "Rhyme.");
        assert_eq!(told().as_deref(), Some("Rhyme."));
        std::fs::remove_file(at.join(PROMPT)).expect("gone");
        assert_eq!(told(), None);
    }
}
