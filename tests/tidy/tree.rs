//! The source tree as the rules see it: files with their text, members with what they depend
//! on. Reads only as much TOML as our manifests are written in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the tree").to_owned()
}

/// Every file below `folder` that is not built, hidden or recorded.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" || name == "golden" {
            continue;
        }
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Path as we name it in a fault, and text, of the files with one of these endings.
pub(crate) fn read(folders: &[&str], endings: &[&str]) -> Vec<(String, String)> {
    let top = top();
    let mut found = Vec::new();
    for folder in folders.iter().map(|folder| top.join(folder)).filter(|folder| folder.is_dir()) {
        files(&folder, &mut found);
    }
    found.sort();
    let shown = |path: &Path| {
        let inner = path.strip_prefix(&top).expect("below the top");
        inner.to_string_lossy().into_owned()
    };
    let wanted = |path: &PathBuf| {
        let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        endings.is_empty() || endings.contains(&ending.as_str())
    };
    let read = |path: PathBuf| Some((shown(&path), fs::read_to_string(&path).ok()?));
    found.into_iter().filter(wanted).filter_map(read).collect()
}

pub(crate) fn sources() -> Vec<(String, String)> {
    let sources = read(&["src", "tests"], &["rs"]);
    assert!(sources.len() > 20, "the tree is not where it was");
    sources
}

pub(crate) fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// A manifest's tables, their lines without comments.
pub(crate) fn tables(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name = header.to_owned();
        } else if line.contains('=') {
            tables.entry(name.clone()).or_default().push(line.to_owned());
        }
    }
    tables
}

/// A dependency's name and whether its version is the workspace's.
pub(crate) fn dependency(line: &str) -> (String, bool) {
    let (name, value) = line.split_once('=').expect("a line with a value");
    match name.trim().strip_suffix(".workspace") {
        Some(name) => (name.to_owned(), true),
        None => {
            let shared = value.contains("workspace = true") || value.contains("path =");
            (name.trim().to_owned(), shared)
        }
    }
}

/// A member of the workspace.
pub(crate) struct Member {
    pub folder: String,
    /// Table, name, and whether the version is the workspace's.
    pub dependencies: Vec<(String, String, bool)>,
}

pub(crate) fn members() -> Vec<Member> {
    let manifests = read(&["src", "tests"], &["toml"]);
    let manifests = manifests.into_iter().filter(|(path, _)| path.ends_with("/Cargo.toml"));
    // The fuzz targets are a workspace of their own, with versions of their own.
    let manifests = manifests.filter(|(_, text)| !text.contains("\n[workspace]\n"));
    let member = |(path, text): (String, String)| {
        let mut dependencies = Vec::new();
        for (table, lines) in tables(&text) {
            if table.ends_with("dependencies") {
                for line in &lines {
                    let (name, shared) = dependency(line);
                    dependencies.push((table.clone(), name, shared));
                }
            }
        }
        Member { folder: path.trim_end_matches("/Cargo.toml").to_owned(), dependencies }
    };
    manifests.map(member).collect()
}

/// The folder of the member that a file belongs to: the innermost, as members may lie in one
/// another.
pub(crate) fn owner<'a>(members: &'a [Member], path: &str) -> Option<&'a str> {
    let holds =
        |folder: &&str| path.strip_prefix(*folder).is_some_and(|rest| rest.starts_with('/'));
    let folders = members.iter().map(|member| member.folder.as_str());
    folders.filter(holds).max_by_key(|folder| folder.len())
}
