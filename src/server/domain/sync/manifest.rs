//! What there is below a root: every file by its hash, and what was deleted. A file that rested
//! since it was read last is not read again. What is known and no longer there is taken for
//! deleted, but only if the whole root could be seen: a disk that is not mounted deletes nothing.

use super::{Root, bad, is_binary, is_known, said, seconds, stored, text_of};
use crate::domain::files::FilesError;
use crate::domain::{Domain, keys};
use crate::limits::{SYNC_PATTERN_BYTES_MAX, SYNC_VANISHED_MAX};
use crate::store::sync::{KnownFile, News};
use crate::vault::Pattern;
use crate::vault::files::Vault;
use crate::vault::sync::{Visit, Walked, is_there, walk};
use notes::Ignored;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, PoisonError};
use wire::Timestamp;
use wire::sync::{Changes, Manifest, SyncFile, Tombstone};

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct ManifestAsk {
    pub(crate) root: String,
    pub(crate) pattern: String,
    pub(crate) include_binary: bool,
    /// The files of one day alone, whatever the pattern.
    pub(crate) date: Option<String>,
    /// Times instead of hashes.
    pub(crate) quick: bool,
}

impl Domain {
    pub(super) async fn manifest(&self, ask: ManifestAsk) -> Result<Manifest, FilesError> {
        let wanted = Wanted::of(&ask)?;
        let root = self.sync_root(&ask.root).await?;
        let store = self.sync_store().await?;
        let known = store.below(root.key.clone()).await.map_err(stored)?;
        let ignored = self.ignored().await?;
        let look = Look { root: root.clone(), wanted, ignored, known, quick: ask.quick };
        let looked = self.in_files(move |vault| look.go(vault)).await?;
        let news = looked.news;
        let indices = looked.indices;
        let mut files = looked.files;
        let (versions, version) = store.note(news, None).await.map_err(stored)?;
        for (file, version) in indices.into_iter().zip(versions) {
            if let Some(file) = file.and_then(|file: usize| files.get_mut(file)) {
                file.version = Some(version);
            }
        }
        if looked.is_there {
            store.root(root.key.clone()).await.map_err(stored)?;
        }
        let buried = store.buried(root.key.clone()).await.map_err(stored)?;
        let wanted = looked.wanted;
        // Off the event loop: these may be many.
        let told = keys::blocking(move || {
            files.sort_by(|a, b| a.path.cmp(&b.path));
            let mut deleted = tombstones(&buried, &root, &wanted);
            let is_there =
                |gone: &Tombstone| files.binary_search_by(|f| f.path.cmp(&gone.path)).is_ok();
            deleted.retain(|gone| !is_there(gone));
            (files, deleted)
        });
        let (files, deleted) = told.await?;
        let generated_at = Timestamp::now();
        let problems = looked.problems;
        Ok(Manifest { root: ask.root, files, generated_at, version, deleted, problems })
    }

    /// What was changed after a time, by the clock of the disk.
    pub(crate) async fn sync_changes(
        self: &Arc<Self>,
        ask: ManifestAsk,
        since: f64,
    ) -> Result<Changes, FilesError> {
        let quick = ManifestAsk { quick: true, ..ask };
        let Manifest { root, mut files, generated_at, mut deleted, .. } =
            self.sync_manifest(quick).await?;
        files.retain(|file| file.modified > since);
        deleted.retain(|gone| gone.deleted_at.as_micros() as f64 / 1e6 > since);
        Ok(Changes { root, files, since, generated_at, deleted })
    }

    /// The owner's rules of what is left alone.
    pub(super) async fn ignored(&self) -> Result<Ignored, FilesError> {
        let vault = self.vault().to_owned();
        let read = keys::blocking(move || Ignored::read(&vault)).await?;
        // Nothing is sent away because the rules could not be read.
        let ignored = read.map_err(|error| bad(error.to_string()))?;
        let warnings: Vec<String> = ignored.warnings().iter().map(ToString::to_string).collect();
        let mut warned = self.sync.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if *warned != warnings {
            for warning in &warnings {
                tracing::warn!(%warning, "a rule is passed over");
            }
            *warned = warnings;
        }
        Ok(ignored)
    }
}

/// Which files are told.
#[derive(Clone, Debug)]
struct Wanted {
    pattern: Pattern,
    date: Option<String>,
    include_binary: bool,
}

impl Wanted {
    fn of(ask: &ManifestAsk) -> Result<Wanted, FilesError> {
        let pattern = &ask.pattern;
        let leads_out = pattern.starts_with('/') || pattern.split('/').any(|part| part == "..");
        if pattern.is_empty() || pattern.len() > SYNC_PATTERN_BYTES_MAX || leads_out {
            let said = "a pattern is relative, such as *.md, and has up to 256 bytes";
            return Err(bad(said.into()));
        }
        // What elsewhere turns a pattern round is not taken for a name's begin.
        let parsed = Some(pattern).filter(|pattern| !pattern.starts_with('!'));
        let parsed = parsed.and_then(|pattern| Pattern::parse(&format!("**/{pattern}")));
        let pattern = parsed.ok_or_else(|| bad(format!("{pattern:?} is no pattern")))?;
        if ask.date.as_deref().is_some_and(|date| !is_date(date)) {
            return Err(bad("a date is YYYY-MM-DD".into()));
        }
        let (date, include_binary) = (ask.date.clone(), ask.include_binary);
        Ok(Wanted { pattern, date, include_binary })
    }

    fn has(&self, path: &str) -> bool {
        if !self.include_binary && is_binary(Path::new(path)) {
            return false;
        }
        match &self.date {
            Some(date) => is_of_day(path, date),
            None => self.pattern.has(path),
        }
    }
}

/// The files of a day (contract-extended §5.1).
fn is_of_day(path: &str, date: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    let ending = name.strip_prefix(date);
    match folder {
        "journals" | "reflections" => ending == Some(".md"),
        "chat-log" => matches!(ending, Some(".md" | ".json")),
        _ => match folder.strip_prefix("assets/") {
            Some(day) if day == date => true,
            Some(month) => date.get(..7) == Some(month) && ending.is_some(),
            None => false,
        },
    }
}

fn is_date(text: &str) -> bool {
    let form =
        |(at, c): (usize, char)| if at == 4 || at == 7 { c == '-' } else { c.is_ascii_digit() };
    text.len() == 10
        && text.char_indices().all(form)
        && Timestamp::parse(&format!("{text}T00:00:00Z")).is_some()
}

/// A look at all files of a root.
struct Look {
    root: Root,
    wanted: Wanted,
    ignored: Ignored,
    known: Vec<KnownFile>,
    quick: bool,
}

struct Looked {
    wanted: Wanted,
    files: Vec<SyncFile>,
    news: Vec<News>,
    /// For each of the news, which of the files it is of.
    indices: Vec<Option<usize>>,
    is_there: bool,
    problems: Vec<String>,
}

impl Look {
    fn go(self, vault: &Vault) -> Result<Looked, FilesError> {
        let Look { root, wanted, ignored, known, quick } = self;
        let by_path: HashMap<&str, &KnownFile> =
            known.iter().map(|known| (known.path.as_str(), known)).collect();
        let (mut files, mut news, mut indices) = (Vec::new(), Vec::new(), Vec::new());
        let mut there: HashSet<String> = HashSet::new();
        let mut visit = |visit: Visit<'_>, walked: &mut Walked| {
            let key = root.key_of(Path::new(visit.path));
            let known = by_path.get(key.as_str()).copied();
            let left_alone = ignored.is_ignored(&root.real.join(visit.path), false);
            if !wanted.has(visit.path) || left_alone {
                there.insert(key);
                return Ok(());
            }
            let mut stamp = visit.stamp;
            let (hash, version) = if quick {
                // As the predecessor wrote a time: always with a point.
                (format!("{:?}", seconds(&stamp)), None)
            } else if let Some(known) = is_known(known, &stamp) {
                (known.hash.clone(), Some(known.version))
            } else {
                match visit.hashed() {
                    Ok(Some(hashed)) => {
                        stamp = hashed.stamp;
                        indices.push(Some(files.len()));
                        let only_at = Some(known.map_or(0, |known| known.version));
                        let text = Some(text_of(&hashed));
                        news.push(News { path: key.clone(), text, only_at });
                        (hashed.hash, None)
                    }
                    Ok(None) => return Ok(()),
                    // One that cannot be read is not gone, and does not stop the others. It is
                    // told as it was known last: else somebody could take it for deleted.
                    Err(error) => {
                        tracing::warn!(%error, path = key, "a file cannot be synchronised");
                        walked.problem(visit.path, &said(error));
                        there.insert(key.clone());
                        let Some(known) = known.filter(|known| known.deleted_at.is_none()) else {
                            return Ok(());
                        };
                        (known.hash.clone(), Some(known.version))
                    }
                }
            };
            there.insert(key);
            let (path, modified) = (visit.path.to_owned(), seconds(&stamp));
            files.push(SyncFile { path, hash, size: stamp.size, modified, version });
            Ok(())
        };
        let walked = walk(vault, &root.real, &mut visit)?;
        // A folder on which a disk is mounted is there without the disk, too, and empty.
        let alive = known.iter().filter(|known| known.deleted_at.is_none()).count();
        let vanished = there.is_empty() && alive > SYNC_VANISHED_MAX;
        if vanished {
            tracing::warn!(root = root.key, alive, "all files are gone; is a disk not mounted?");
        }
        let whole = walked.as_ref().is_some_and(|walked| !walked.is_partial);
        if whole && !quick && !vanished {
            let missed = known.iter().filter(|known| !there.contains(&known.path));
            // A walk may miss a name that was given to another file meanwhile.
            for gone in missed.filter(|known| !is_there(vault, &root.path_of(known))) {
                indices.push(None);
                let only_at = Some(gone.version);
                news.push(News { path: gone.path.clone(), text: None, only_at });
            }
        }
        let is_there = walked.is_some();
        let problems = walked.unwrap_or_default().problems;
        Ok(Looked { wanted, files, news, indices, is_there, problems })
    }
}

/// What is known to be deleted, and would be told if it were there.
fn tombstones(known: &[KnownFile], root: &Root, wanted: &Wanted) -> Vec<Tombstone> {
    let of = |known: &KnownFile| {
        let path = known.path.get(root.key.len() + 1..)?;
        Some(Tombstone {
            path: path.to_owned(),
            hash: known.hash.clone(),
            version: known.version,
            deleted_at: Timestamp::from_millis(known.deleted_at?),
        })
    };
    known.iter().filter_map(of).filter(|gone| wanted.has(&gone.path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(pattern: &str) -> ManifestAsk {
        let (root, pattern) = ("Daily".into(), pattern.into());
        ManifestAsk { root, pattern, include_binary: false, date: None, quick: false }
    }

    /// A look at everything, where these were known before.
    fn look(known: &[&str]) -> Look {
        let known = known.iter().map(|name| KnownFile {
            path: format!("/v/{name}"),
            version: 7,
            hash: "of before".into(),
            mark: None,
            deleted_at: None,
        });
        Look {
            root: Root { real: "".into(), key: "/v".into() },
            wanted: Wanted::of(&ask("*")).expect("a pattern"),
            ignored: Ignored::none(),
            known: known.collect(),
            quick: false,
        }
    }

    #[test]
    fn trap_t_82_a_pattern_that_is_none_is_refused_in_words() {
        for pattern in ["", "/", "/etc/*", "../*", "a/../b", "{a", "[", "!*.md", &"x".repeat(300)] {
            assert!(Wanted::of(&ask(pattern)).is_err(), "{pattern}");
        }
        for (pattern, path, has) in [
            ("*.md", "a.md", true),
            ("*.md", "b/c/a..b.md", true),
            ("*.md", "a.txt", false),
            ("*", "x/y.txt", true),
            ("*", "x/y.PNG", false),
            ("journals/*.md", "journals/a.md", true),
            ("journals/*.md", "other/a.md", false),
            ("**/*", ".agents/a.md", true),
        ] {
            assert_eq!(
                Wanted::of(&ask(pattern)).expect(pattern).has(path),
                has,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn a_pattern_of_many_branches_is_judged_like_any_other() {
        let branches = format!("{{{}}}", ",".repeat(21)).repeat(10);
        let wanted = Wanted::of(&ask(&branches)).expect("a pattern");
        assert!(!wanted.has("a/rather/long/path/of/a.md"));
    }

    #[test]
    fn a_file_that_cannot_be_read_stops_no_other_and_is_not_taken_for_deleted() {
        use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
        use std::fs::{Permissions, set_permissions, write};
        use std::os::unix::fs::PermissionsExt;
        let top = tempfile::tempdir().expect("a folder");
        for name in ["a.md", "b.md", "c.md"] {
            write(top.path().join(name), "x").expect("written");
        }
        for name in ["b.md", "c.md"] {
            set_permissions(top.path().join(name), Permissions::from_mode(0o000)).expect("set");
        }
        let look = look(&["c.md"]);
        let vault = Vault::open(top.path(), Path::new("")).expect("opened").expect("there");
        // Root reads everything; its thread gives that up.
        let looked = std::thread::spawn(move || {
            let none = CapabilitySet::empty();
            let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
            set_capabilities(None, sets).expect("given up");
            look.go(&vault).expect("looked")
        });
        let looked = looked.join().expect("no panic");
        let mut told: Vec<(&str, &str)> =
            looked.files.iter().map(|file| (file.path.as_str(), file.hash.as_str())).collect();
        told.sort();
        let x = crate::vault::files::hash(b"x");
        assert_eq!(told, [("a.md", x.as_str()), ("c.md", "of before")]);
        let news: Vec<(&str, bool)> =
            looked.news.iter().map(|news| (news.path.as_str(), news.text.is_some())).collect();
        assert_eq!(news, [("/v/a.md", true)]);
    }

    #[test]
    fn what_a_walk_does_not_tell_is_looked_for_before_it_is_taken_for_deleted() {
        let top = tempfile::tempdir().expect("a folder");
        // A name that a walk passes over is to it as one that it misses.
        let odd = "a\u{7}.md";
        std::fs::write(top.path().join(odd), "x").expect("written");
        std::fs::write(top.path().join("b.md"), "x").expect("written");
        let look = look(&[odd, "gone.md"]);
        let vault = Vault::open(top.path(), Path::new("")).expect("opened").expect("there");
        let looked = look.go(&vault).expect("looked");
        let buried: Vec<&str> = looked
            .news
            .iter()
            .filter(|news| news.text.is_none())
            .map(|news| news.path.as_str())
            .collect();
        assert_eq!(buried, ["/v/gone.md"]);
    }

    #[test]
    fn a_day_has_its_files_and_no_others() {
        for date in ["2026-02-30", "2026-2-1", "today", "2026-13-01", "2026-01-01T", "٢026-01-1"] {
            assert!(!is_date(date), "{date}");
        }
        assert!(is_date("2024-02-29"));
        for (path, is) in [
            ("journals/2026-01-02.md", true),
            ("reflections/2026-01-02.md", true),
            ("chat-log/2026-01-02.json", true),
            ("chat-log/2026-01-02.md", true),
            ("assets/2026-01-02/x.txt", true),
            ("assets/2026-01/2026-01-02_note.txt", true),
            ("assets/2026-01/2026-01-03_note.txt", false),
            ("assets/2026-02/2026-01-02_note.txt", false),
            ("assets/2026-01-02/deeper/x.txt", false),
            ("journals/2026-01-02.json", false),
            ("journals/2026-01-03.md", false),
            ("2026-01-02.md", false),
        ] {
            assert_eq!(is_of_day(path, "2026-01-02"), is, "{path}");
        }
    }
}
