//! Coming over from the predecessor: what a vault holds, kind by kind, and what becomes of it
//! here; and a copy of what may change, kept once before anything does (`copy`).
//!
//! Looking changes nothing. The database is brought up to date where it is opened (`store`),
//! which keeps a copy of its own; every other file is understood as it stands, so that the old
//! program can go back to it.

pub(crate) mod command;
mod copy;

pub(crate) use copy::keep;

use crate::store::{Peek, StoreError, peek};
use crate::vault::{FileError, Folder, definitions, hooks, mcps, plugins, skills, workspaces};
use config::keys::Keys;
use config::settings::Loaded;
use serve::fault::chain;
use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use wire::survey::{Fate, Survey, Surveyed, SurveyedDatabase};

const MODULES: &str = ".modules";
/// Modules that are part of this server (contract-core §6.6).
const OUR_MODULES: [&str; 3] = ["brain", "chat", "daily"];

/// Why nothing can be told of a vault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SurveyError {
    #[error("there is no vault at {0}; name one with VAULT_PATH")]
    NoVault(PathBuf),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the database cannot be read")]
    Store(#[from] StoreError),
}

/// Looks at the vault of these settings, and changes nothing.
pub(crate) fn look(loaded: &Loaded, home: &Path) -> Result<Survey, SurveyError> {
    let path = &loaded.settings.vault_path;
    let none = || SurveyError::NoVault(path.clone());
    let vault = Folder::open(path)?.ok_or_else(none)?;
    let items = [
        config(loaded),
        token(&vault)?,
        keys(path),
        tools(&vault),
        spaces(&vault),
        agents(&vault),
        crafts(&vault),
        bundles(&vault, path, home),
        scripts(&vault),
        modules(&vault),
        bots(&vault),
    ];
    Ok(Survey {
        vault: path.display().to_string(),
        database: database(&loaded.settings.database(), path, home)?,
        items: items.into_iter().flatten().collect(),
        copy: copy::kept(&vault)?.map(|at| path.join(at).display().to_string()),
    })
}

fn database(
    path: &Path,
    vault: &Path,
    home: &Path,
) -> Result<Option<SurveyedDatabase>, SurveyError> {
    let Some(Peek { schema, wanted, is_behind, sessions }) = peek(path)? else { return Ok(None) };
    let known = transcripts(vault, home);
    let has_one = |id: &&String| known.contains(&OsString::from(format!("{id}.jsonl")));
    Ok(Some(SurveyedDatabase {
        path: path.display().to_string(),
        bytes: std::fs::metadata(path).map_or(0, |found| found.len()),
        schema,
        schema_wanted: wanted,
        is_behind,
        sessions: sessions.len() as u64,
        transcripts: sessions.iter().filter(has_one).count() as u64,
    }))
}

/// The names of all transcripts that the CLI has; one folder for each working directory.
fn transcripts(vault: &Path, home: &Path) -> HashSet<OsString> {
    let moved = std::env::var_os("CLAUDE_CONFIG_DIR").map(PathBuf::from);
    let claude = moved.unwrap_or_else(|| home.join(".claude"));
    // What is not there, or closed to us, has none.
    let within = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten();
    let roots = [claude.join("projects"), vault.join(".claude/projects")];
    let projects = roots.into_iter().flat_map(within);
    projects.flat_map(|project| within(project.path())).map(|file| file.file_name()).collect()
}

fn config(loaded: &Loaded) -> Option<Surveyed> {
    loaded.file.exists().then(|| {
        let fate = if loaded.problem.is_some() { Fate::Broken } else { Fate::Used };
        let notes = loaded.problem.iter().chain(&loaded.warnings).cloned().collect();
        Surveyed { notes, ..item("config", ".parachute/config.yaml", 1, fate) }
    })
}

fn token(vault: &Folder) -> Result<Option<Surveyed>, FileError> {
    let path = ".parachute/.token";
    let there = vault.read(Path::new(path))?.is_some_and(|text| !text.trim().is_empty());
    Ok(there.then(|| item("token", path, 1, Fate::Used)))
}

fn keys(vault: &Path) -> Option<Surveyed> {
    let place = ".parachute/server.yaml";
    let path = vault.join(place);
    path.exists().then(|| match Keys::load(&path) {
        Ok(keys) => item("keys", place, keys.list().len(), Fate::Used),
        Err(error) => broken("keys", place, chain(&error)),
    })
}

fn tools(vault: &Folder) -> Option<Surveyed> {
    match mcps::Mcps::read(vault) {
        Ok(servers) => some(item("mcps", mcps::PLACE, servers.all().count(), Fate::Used)),
        Err(error) => Some(broken("mcps", mcps::PLACE, error.to_string())),
    }
}

fn spaces(vault: &Folder) -> Option<Surveyed> {
    match workspaces::all(vault) {
        Ok(all) => {
            let notes = all.iter().filter_map(|(_, read)| Some(read.as_ref().err()?.to_string()));
            let notes = notes.collect();
            let found = item("workspaces", workspaces::PLACE, all.len(), Fate::Used);
            some(Surveyed { notes, ..found })
        }
        Err(error) => Some(broken("workspaces", workspaces::PLACE, error.to_string())),
    }
}

fn agents(vault: &Folder) -> Option<Surveyed> {
    let place = "agents, .parachute/agents";
    match definitions::all(vault) {
        Ok(all) => some(item("agents", place, all.len(), Fate::Used)),
        Err(error) => Some(broken("agents", place, error.to_string())),
    }
}

fn crafts(vault: &Folder) -> Option<Surveyed> {
    let shelf = vault.folder(Path::new(skills::PLACE));
    match shelf.and_then(|shelf| shelf.map_or(Ok(Vec::new()), |shelf| skills::all(&shelf))) {
        Ok(all) => some(item("skills", skills::PLACE, all.len(), Fate::Used)),
        Err(error) => Some(broken("skills", skills::PLACE, error.to_string())),
    }
}

fn bundles(vault: &Folder, at: &Path, home: &Path) -> Option<Surveyed> {
    match plugins::all(vault, at, home) {
        Ok(all) => {
            let ours = all.iter().filter(|plugin| plugin.path.starts_with(at)).count();
            some(item("plugins", plugins::PLACE, ours, Fate::Used))
        }
        Err(error) => Some(broken("plugins", plugins::PLACE, error.to_string())),
    }
}

fn scripts(vault: &Folder) -> Option<Surveyed> {
    let note = "hooks in Python are listed and not run";
    match hooks::names(vault) {
        Ok(names) => {
            let found = item("hooks", hooks::PLACE, names.len(), Fate::Left);
            some(Surveyed { notes: vec![note.into()], ..found })
        }
        Err(error) => Some(broken("hooks", hooks::PLACE, error.to_string())),
    }
}

fn modules(vault: &Folder) -> Option<Surveyed> {
    let listed = match vault.folder(Path::new(MODULES)) {
        Ok(None) => return None,
        Ok(Some(folder)) => folder.list(),
        Err(error) => Err(error),
    };
    match listed {
        Ok(listed) => {
            let folders = listed.into_iter().filter(|entry| entry.is_folder);
            let names: Vec<String> = folders.map(|entry| entry.name).collect();
            let foreign: Vec<&str> = names.iter().map(String::as_str).collect();
            let foreign = foreign.into_iter().filter(|name| !OUR_MODULES.contains(name));
            let foreign: Vec<&str> = foreign.collect();
            let mut notes = vec!["brain, chat and daily are part of this server".to_owned()];
            if !foreign.is_empty() {
                let foreign = foreign.join(", ");
                notes.push(format!("code in Python is not run: {foreign}"));
            }
            some(Surveyed { notes, ..item("modules", MODULES, names.len(), Fate::Left) })
        }
        Err(error) => Some(broken("modules", MODULES, error.to_string())),
    }
}

fn bots(vault: &Folder) -> Option<Surveyed> {
    let place = ".parachute/bots.yaml";
    let said = match vault.read(Path::new(place)) {
        Ok(None) => return None,
        Ok(Some(text)) => notes::front::value(&text),
        Err(error) => return Some(broken("bots", place, error.to_string())),
    };
    Some(match said {
        Ok(platforms) if platforms.is_mapping() || platforms.is_null() => Surveyed {
            notes: vec!["for the connectors, which read it once they are installed".into()],
            ..item("bots", place, platforms.as_mapping().map_or(0, |all| all.len()), Fate::Left)
        },
        // What the parser says may quote a token.
        _ => broken("bots", place, "it is no YAML of names and values".into()),
    })
}

fn item(kind: &str, path: &str, count: usize, fate: Fate) -> Surveyed {
    let (kind, path) = (kind.to_owned(), path.to_owned());
    Surveyed { kind, path, count: count as u64, fate, notes: Vec::new() }
}

fn broken(kind: &str, path: &str, said: String) -> Surveyed {
    Surveyed { notes: vec![said], ..item(kind, path, 0, Fate::Broken) }
}

/// What there is none of is not told.
fn some(found: Surveyed) -> Option<Surveyed> {
    (found.count > 0).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bots_are_counted_and_what_grows_without_bound_is_broken() {
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join(".parachute/bots.yaml");
        std::fs::create_dir(home.path().join(".parachute")).expect("made");
        let vault = Folder::open(home.path()).expect("opened").expect("there");
        let bomb = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(1000));
        for (text, count, fate) in [
            ("", 0, Fate::Left),
            ("telegram: {enabled: true}\ndiscord:\n", 2, Fate::Left),
            ("- telegram\n", 0, Fate::Broken),
            (&bomb, 0, Fate::Broken),
        ] {
            std::fs::write(&file, text).expect("written");
            let found = bots(&vault).expect("found");
            assert_eq!((found.count, found.fate), (count, fate), "{text:.40}");
        }
    }
}
