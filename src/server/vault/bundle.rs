//! Skills of a turn, put together as the folder that the CLI takes for a plugin. Its name is the
//! digest of what is in it, so two turns with the same skills share one, and none is ever changed
//! while somebody reads it. Which skills those are is not decided here.

use super::skills::{Found, SKILL};
use super::{FileError, Folder, Front};
use crate::limits::{
    ARCHIVE_DEPTH_MAX, TURN_SKILLS_BYTES_MAX, TURN_SKILLS_FILES_MAX, TURN_SKILLS_SECONDS_MAX,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What the CLI calls the plugin: its skills are `vault:NAME`.
const NAME: &str = "vault";

/// Of a skill's text, so much is told as what it is for.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// Longest name of a folder made here, in bytes.
const KEBAB_BYTES_MAX: usize = 80;

/// Everything that will be in the folder, by its path there.
struct Bundle {
    files: BTreeMap<PathBuf, (Vec<u8>, bool)>,
    bytes: usize,
}

/// Puts these skills, found on this shelf, together in a folder of `kept`, and says what it is
/// called. What does not fit is left out, and the log says so.
pub(crate) fn keep(shelf: &Folder, found: &[Found], kept: &Folder) -> Result<String, FileError> {
    let bundle = gather(shelf, found)?;
    let name = bundle.digest();
    if let Some(there) = kept.folder(Path::new(&name))? {
        there.touch()?;
    } else {
        let place = kept.unfinished()?;
        let put = bundle.put(kept, &place, &name);
        kept.remove_folder(&place)?;
        put?;
    }
    kept.sweep(TURN_SKILLS_SECONDS_MAX, |other| other != name)?;
    Ok(name)
}

fn gather(shelf: &Folder, found: &[Found]) -> Result<Bundle, FileError> {
    let mut bundle = Bundle { files: BTreeMap::new(), bytes: 0 };
    let manifest =
        json!({ "name": NAME, "version": "1.0.0", "description": "Skills of the vault" });
    bundle.add(".claude-plugin/plugin.json".into(), manifest.to_string().into_bytes(), false);
    let mut names = BTreeSet::new();
    for found in found {
        let mut name = kebab(found.stem());
        let mut number = 2;
        while !names.insert(name.clone()) {
            name = format!("{}-{number}", kebab(found.stem()));
            number += 1;
        }
        let top = Path::new("skills").join(name);
        // Written anew: what only we can read (front matter that is no YAML) others can then. And
        // the CLI passes over a skill that does not say what it is for.
        let mut front = Front { fields: found.front.fields.clone(), ..Front::default() };
        front.body.clone_from(&found.front.body);
        if found.skill.description.is_empty() {
            front.fields.insert("description".into(), first_words(found).into());
        }
        if !bundle.add(top.join(SKILL), front.write().into_bytes(), false) {
            tracing::warn!(skill = found.skill.name, "a skill does not fit into the turn");
            continue;
        }
        if let Some(folder) = shelf.folder(Path::new(&found.entry))? {
            bundle.add_folder(&folder, &top, found, 0)?;
        }
    }
    Ok(bundle)
}

impl Bundle {
    /// False: it does not fit.
    fn add(&mut self, path: PathBuf, bytes: Vec<u8>, may_run: bool) -> bool {
        let fits = self.bytes + bytes.len() <= TURN_SKILLS_BYTES_MAX
            && self.files.len() < TURN_SKILLS_FILES_MAX;
        if fits {
            self.bytes += bytes.len();
            self.files.insert(path, (bytes, may_run));
        }
        fits
    }

    /// What stands beside a skill's text, links that lead out left out.
    fn add_folder(
        &mut self,
        from: &Folder,
        to: &Path,
        found: &Found,
        depth: usize,
    ) -> Result<(), FileError> {
        for entry in from.list()? {
            let (name, path) = (Path::new(&entry.name), to.join(&entry.name));
            let is_main = depth == 0 && entry.name.eq_ignore_ascii_case(SKILL);
            if is_main || (depth == 0 && entry.name == found.main) {
                continue;
            }
            if entry.is_folder {
                let inner = from.folder(name)?.filter(|_| depth < ARCHIVE_DEPTH_MAX);
                if let Some(inner) = inner {
                    self.add_folder(&inner, &path, found, depth + 1)?;
                }
                continue;
            }
            let room = TURN_SKILLS_BYTES_MAX - self.bytes;
            let fits = match from.bytes(name, room as u64) {
                Ok(Some((bytes, may_run))) => self.add(path, bytes, may_run),
                Ok(None) => true,
                Err(FileError::TooLong(_)) => false,
                Err(error) => return Err(error),
            };
            if !fits {
                let (skill, file) = (&found.skill.name, &entry.name);
                tracing::warn!(skill, file, "a file of a skill does not fit into the turn");
            }
        }
        Ok(())
    }

    fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for (path, (bytes, may_run)) in &self.files {
            let path = path.as_os_str().as_encoded_bytes();
            // Each part with its length, so that no two bundles read the same.
            digest.update((path.len() as u64).to_le_bytes());
            digest.update(path);
            digest.update([u8::from(*may_run)]);
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        }
        digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Writes all of it beside where it belongs, then puts it there in one step. Somebody else
    /// may have put the same there meanwhile.
    fn put(&self, kept: &Folder, place: &Path, name: &str) -> Result<(), FileError> {
        let unfinished = kept.folder_made(place)?;
        let new = unfinished.folder_made(Path::new("new"))?;
        for (path, (bytes, may_run)) in &self.files {
            new.folder_made(path.parent().unwrap_or(Path::new(".")))?;
            new.create_as(path, bytes, if *may_run { 0o700 } else { 0o600 })?;
        }
        match unfinished.rename(Path::new("new"), kept, Path::new(name)) {
            Err(FileError::Taken(_)) => Ok(()),
            done => done,
        }
    }
}

/// What a skill is for that does not say so: how its text begins, else its name.
fn first_words(found: &Found) -> String {
    let line = found.front.body.lines().map(|line| line.trim_start_matches('#').trim());
    let words: String = line.take(20).find(|line| !line.is_empty()).unwrap_or("").into();
    let words: String = words.chars().take(DESCRIPTION_CHARS_MAX).collect();
    if words.is_empty() { found.skill.name.clone() } else { words }
}

/// A name as skills are called in a plugin: `Weekly Review` is `weekly-review`. Of other letters
/// than ASCII's the CLI makes dashes, and two names one; they are left out, and a number is put
/// where that makes two the same.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if kebab.len() >= KEBAB_BYTES_MAX {
            break;
        }
        match c {
            c if c.is_ascii_alphanumeric() => kebab.push(c),
            '-' | '_' | ' ' if !kebab.is_empty() && !kebab.ends_with('-') => kebab.push('-'),
            _ => {}
        }
    }
    match kebab.trim_end_matches('-') {
        "" => "skill".into(),
        kebab => kebab.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::kebab;

    #[test]
    fn a_name_becomes_one_folder() {
        for (name, is) in [
            ("Weekly Review", "weekly-review"),
            ("a__b--c d", "a-b-c-d"),
            ("--x--", "x"),
            ("v1.2 (new)", "v12-new"),
            ("Überblick", "berblick"),
            ("日記", "skill"),
            ("+", "skill"),
        ] {
            assert_eq!(kebab(name), is, "{name}");
        }
        assert!(kebab(&"x".repeat(1000)).len() < 100);
    }
}
