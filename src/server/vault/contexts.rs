//! Context: folders and notes of the vault that a person chose to have told to the model. Finds
//! them, bounds them, and tells no file twice, whatever ways lead to it (traps 16, 17, 60).
//! Which ones are chosen, and what is said around them, is not known here.

use super::{FileError, Folder, Front, Pattern, absent};
use crate::limits::{
    CONTEXT_PATH_BYTES_MAX, FOLDERS_DEEP_MAX, FOLDERS_WALKED_MAX, PATTERN_NOTES_MAX,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// What a folder has to say, the first that is there.
pub(crate) const FILES: [&str; 2] = ["AGENTS.md", "CLAUDE.md"];
/// Folders that are full of other people's notes.
const PASSED_OVER: [&str; 4] = ["node_modules", "__pycache__", "venv", "build"];
/// Where a text was cut.
const CUT: &str = "\n\n[cut off here: there is no room for more]";
/// Less than this of a text is not worth telling, in characters.
const REST_CHARS_MIN: usize = 100;

/// A path as callers name context: relative to the vault, and nothing hidden in it. Empty is the
/// vault itself; one that ends in `.md` is a note, or a pattern of notes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ContextPath(String);

impl ContextPath {
    /// What is wrong with paths that are refused, for people.
    pub(crate) const RULE: &'static str = "a context is a folder or a note within the vault, \
        named by its path from there, without `..` and without what begins with a dot";

    /// Takes a text for such a path, if it is one.
    pub(crate) fn parse(text: &str) -> Option<ContextPath> {
        if text.len() > CONTEXT_PATH_BYTES_MAX || text.chars().any(char::is_control) {
            return None;
        }
        let mut parts = Vec::new();
        for part in Path::new(text).components() {
            match part {
                Component::Normal(part) => {
                    parts.push(part.to_str().filter(|part| !part.starts_with('.'))?);
                }
                Component::CurDir => {}
                _ => return None,
            }
        }
        Some(ContextPath(parts.join("/")))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Names a note, or several; else a folder.
    pub(crate) fn is_note(&self) -> bool {
        let ending = self.0.len().checked_sub(3).and_then(|at| self.0.get(at..));
        ending.is_some_and(|ending| ending.eq_ignore_ascii_case(".md"))
    }

    fn depth(&self) -> usize {
        if self.0.is_empty() { 0 } else { self.0.split('/').count() }
    }
}

/// Sorts as they are told: the less deep first, then by name. Each once.
pub(crate) fn in_order(mut paths: Vec<ContextPath>) -> Vec<ContextPath> {
    paths.sort_by(|a, b| (a.depth(), a).cmp(&(b.depth(), b)));
    paths.dedup();
    paths
}

/// A folder that has something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContextFolder {
    pub(crate) path: String,
    pub(crate) has_agents_md: bool,
    pub(crate) has_claude_md: bool,
}

/// Every folder of the vault that has something to say, links not followed.
pub(crate) fn folders(vault: &Folder) -> Result<Vec<ContextFolder>, FileError> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    let mut walked = 0;
    while let Some(path) = open.pop() {
        walked += 1;
        if walked > FOLDERS_WALKED_MAX {
            tracing::warn!(FOLDERS_WALKED_MAX, "the vault has more folders than are looked at");
            break;
        }
        let Some(name) = path.to_str().map(str::to_owned) else { continue };
        let here = if path.as_os_str().is_empty() { Path::new(".") } else { &path };
        // One that nobody may read, or that is gone meanwhile, has nothing to say.
        let Ok(entries) = vault.dir().read_dir(here) else { continue };
        let mut has = [false, false];
        for entry in entries.flatten() {
            let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else {
                continue;
            };
            if let Some(at) = FILES.iter().position(|file| *file == name) {
                has[at] = !kind.is_dir();
            } else if kind.is_dir()
                && !name.starts_with('.')
                && !PASSED_OVER.contains(&name.as_str())
                && path.components().count() < FOLDERS_DEEP_MAX
            {
                open.push(path.join(name));
            }
        }
        let [has_agents_md, has_claude_md] = has;
        if has_agents_md || has_claude_md {
            found.push(ContextFolder { path: name, has_agents_md, has_claude_md });
        }
    }
    found.sort_by_cached_key(|folder| {
        (Path::new(&folder.path).components().count(), folder.path.clone())
    });
    Ok(found)
}

/// Whether a context is where its path says, as far as it is there: links that lead out of the
/// vault, or to what is hidden in it, are refused.
pub(crate) fn is_in_reach(vault: &Folder, context: &ContextPath) -> bool {
    let path = Path::new(".").join(context.as_str());
    for there in path.ancestors().filter(|path| !path.as_os_str().is_empty()) {
        match vault.dir().canonicalize(there) {
            Ok(real) => return !is_hidden(&real),
            Err(error) if absent(&error) => {}
            Err(_) => return false,
        }
    }
    true
}

/// What was told so far.
#[derive(Default)]
pub(crate) struct Told {
    /// Characters of each file, by where it really is.
    files: BTreeMap<PathBuf, usize>,
    /// Those that were asked for as context.
    listed: BTreeSet<PathBuf>,
}

/// A file that is told whatever is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct First {
    /// None: it was told before.
    pub(crate) text: Option<String>,
    /// Something of it is missing.
    pub(crate) is_cut: bool,
}

/// A file on the way to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Telling {
    /// Its path from the vault.
    pub(crate) path: String,
    /// The context that it belongs to, as it was asked for.
    pub(crate) asked: ContextPath,
    /// What is told of it now; None: it was told before, or cannot be.
    pub(crate) text: Option<String>,
    /// Characters of it that are told, now or before.
    pub(crate) chars: usize,
    /// It is there, and a file that can be read.
    pub(crate) exists: bool,
}

/// What was gathered.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) files: Vec<Telling>,
    /// Something was cut or left out.
    pub(crate) truncated: bool,
    /// Why something cannot be told.
    pub(crate) problems: Vec<String>,
}

impl Told {
    /// A file that is told whatever is chosen. None: it is not there, or empty. The text comes
    /// without space around it, and cut to `chars_max`.
    pub(crate) fn first(
        &mut self,
        vault: &Folder,
        path: &Path,
        chars_max: usize,
    ) -> Result<Option<First>, FileError> {
        let Some((real, text)) = read_visible(vault, path)? else { return Ok(None) };
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if self.files.contains_key(&real) {
            return Ok(Some(First { text: None, is_cut: false }));
        }
        let (text, is_cut) = cut(text, chars_max);
        self.files.insert(real, text.chars().count());
        Ok(Some(First { text: Some(text), is_cut }))
    }

    /// What these contexts have to say, in their order, within so many characters.
    pub(crate) fn gather(
        &mut self,
        vault: &Folder,
        contexts: &[ContextPath],
        chars_max: usize,
    ) -> Gathered {
        let mut out = Gathered::default();
        let mut left = chars_max;
        for asked in contexts {
            for path in candidates(vault, asked, &mut out) {
                self.add(vault, asked, path, &mut left, &mut out);
            }
        }
        out
    }

    fn add(
        &mut self,
        vault: &Folder,
        asked: &ContextPath,
        path: String,
        left: &mut usize,
        out: &mut Gathered,
    ) {
        let mut telling =
            Telling { path, asked: asked.clone(), text: None, chars: 0, exists: false };
        match read_visible(vault, Path::new(&telling.path)) {
            Ok(None) => {}
            Err(error) => out.problems.push(error.to_string()),
            Ok(Some((real, _))) if self.listed.contains(&real) => return,
            Ok(Some((real, text))) => {
                telling.exists = true;
                self.listed.insert(real.clone());
                let known = self.files.get(&real).copied();
                let text = if asked.is_note() { without_front(&text) } else { text };
                let text = text.trim();
                if let Some(chars) = known {
                    telling.chars = chars;
                } else if *left <= REST_CHARS_MIN && text.chars().count() > *left {
                    out.truncated = true;
                    return;
                } else {
                    let (text, is_cut) = cut(text, *left);
                    telling.chars = text.chars().count();
                    out.truncated |= is_cut;
                    *left = if is_cut { 0 } else { *left - telling.chars };
                    self.files.insert(real, telling.chars);
                    telling.text = Some(text);
                }
            }
        }
        out.files.push(telling);
    }
}

/// Paths of the files that a context may mean.
fn candidates(vault: &Folder, asked: &ContextPath, out: &mut Gathered) -> Vec<String> {
    if !asked.is_note() {
        let of = |file: &str| match asked.as_str() {
            "" => file.to_owned(),
            folder => format!("{folder}/{file}"),
        };
        let there = |path: &String| vault.dir().symlink_metadata(path).is_ok();
        let first = FILES.map(of).into_iter().find(there);
        return vec![first.unwrap_or_else(|| of(FILES[1]))];
    }
    let literal = vault.dir().symlink_metadata(asked.as_str()).is_ok();
    let Some(at) = asked.as_str().find(['*', '?', '[', '{']).filter(|_| !literal) else {
        return vec![asked.as_str().to_owned()];
    };
    // Everything before the folder in which the pattern begins is as it stands.
    let base = asked.as_str()[..at].rsplit_once('/').map_or("", |(base, _)| base);
    let Some(pattern) = Pattern::parse(asked.as_str()) else { return Vec::new() };
    let mut notes = notes_below(vault, base);
    notes.retain(|note| pattern.has(note));
    notes.sort();
    if notes.len() > PATTERN_NOTES_MAX {
        notes.truncate(PATTERN_NOTES_MAX);
        out.truncated = true;
    }
    notes
}

/// All visible notes below a folder, links not followed.
fn notes_below(vault: &Folder, base: &str) -> Vec<String> {
    let mut notes = Vec::new();
    let mut open = vec![base.to_owned()];
    let mut walked = 0;
    while let Some(folder) = open.pop() {
        walked += 1;
        if walked > FOLDERS_WALKED_MAX {
            break;
        }
        let here = if folder.is_empty() { "." } else { &folder };
        let Ok(entries) = vault.dir().read_dir(here) else { continue };
        for entry in entries.flatten() {
            let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else {
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if kind.is_dir() && path.split('/').count() <= FOLDERS_DEEP_MAX {
                open.push(path);
            } else if kind.is_file() && path.ends_with(".md") {
                notes.push(path);
            }
        }
    }
    notes
}

/// A file by whatever path, and where it really is. Nothing hidden is read, and nothing outside:
/// what a link leads to is judged by where it ends, and is then read without following any.
fn read_visible(vault: &Folder, path: &Path) -> Result<Option<(PathBuf, String)>, FileError> {
    let real = match vault.dir().canonicalize(path) {
        Ok(real) => real,
        Err(error) if absent(&error) => return Ok(None),
        Err(error) => return Err(FileError::of(path)(error)),
    };
    if is_hidden(&real) {
        return Err(FileError::Link(path.to_owned()));
    }
    Ok(vault.read_unlinked(&real)?.map(|text| (real, text)))
}

/// Whether something of a real path begins with a dot.
fn is_hidden(real: &Path) -> bool {
    real.components().any(|part| match part {
        Component::Normal(part) => part.as_encoded_bytes().starts_with(b"."),
        Component::CurDir => false,
        _ => true,
    })
}

fn without_front(text: &str) -> String {
    // A note with broken front matter is told as it stands.
    Front::read(text).map_or_else(|_| text.to_owned(), |front| front.body)
}

/// At most so many characters of a text, and whether some are missing.
fn cut(text: &str, chars_max: usize) -> (String, bool) {
    match text.char_indices().nth(chars_max) {
        None => (text.to_owned(), false),
        Some((at, _)) => (format!("{}{CUT}", text[..at].trim_end()), true),
    }
}

#[cfg(test)]
mod tests;
