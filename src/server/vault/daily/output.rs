//! Where a daily agent writes: a Markdown file below `Daily`, named by a text in which `{name}`
//! and `{date}` stand for what they say and every other brace for itself (trap T-60). Never
//! hidden, never among what the person wrote, and never over a file that is not the agent's.

use super::super::{FileError, Folder, Front, Name};
use std::path::{Path, PathBuf};

/// The folder of all of it.
pub(crate) const DAILY: &str = "Daily";

/// Folders in it that are the person's own.
const OF_PERSON: [&str; 3] = ["journals", "entries", "chat-log"];

/// Longest part of a path.
const PART_BYTES_MAX: usize = 120;

/// Outputs of a day beside what is not the agent's.
const NUMBERS_MAX: u32 = 9;

/// Where an agent writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// From the vault, with `{date}` in it.
    template: String,
}

impl Output {
    /// Takes what a definition says. An error is for people.
    pub(crate) fn parse(said: Option<&str>, name: &Name) -> Result<Output, String> {
        let usual = || format!("{DAILY}/{{name}}/{{date}}.md");
        let template = said.map_or_else(usual, str::to_owned).replace("{name}", name.as_str());
        let output = Output { template };
        let path = output.of("2026-01-01");
        let parts: Vec<&str> = path.to_str().unwrap_or_default().split('/').collect();
        let lawful = |part: &&str| {
            let ends = part.starts_with(['.', ' ']) || part.ends_with(['.', ' ']);
            let fits = (1..=PART_BYTES_MAX).contains(&part.len());
            fits && !ends && !part.contains(|c: char| c.is_control() || c == '\\')
        };
        let below = parts.len() >= 2 && parts[0] == DAILY && parts.iter().all(lawful);
        if !below || !path.to_str().is_some_and(|path| path.ends_with(".md")) {
            return Err(format!("its output is no Markdown file below {DAILY}, or a hidden one"));
        }
        // In any case: not every disk tells them apart.
        if OF_PERSON.iter().any(|own| parts[1].eq_ignore_ascii_case(own)) {
            return Err(format!("its output is in {DAILY}/{}, where your own notes are", parts[1]));
        }
        Ok(output)
    }

    /// The text that it is made of.
    pub(crate) fn template(&self) -> &str {
        &self.template
    }

    /// The file of a day, from the vault.
    pub(crate) fn of(&self, date: &str) -> PathBuf {
        PathBuf::from(self.template.replace("{date}", date))
    }

    /// Whether there is one.
    pub(crate) fn is_there(&self, vault: &Folder, date: &str) -> bool {
        vault.dir().metadata(self.of(date)).is_ok_and(|found| found.is_file())
    }
}

/// Writes an agent's output: `front` says whose it is. What is there already and is not the
/// agent's stays, and the output has a number behind its name. Gives where it is.
pub(crate) fn write(
    vault: &Folder,
    path: &Path,
    agent: &str,
    front: &Front,
) -> Result<PathBuf, FileError> {
    let own = |text: &str| Front::read_forgiving(text).text("agent").as_deref() == Some(agent);
    let folder = vault.folder_made_unlinked(path.parent().unwrap_or(Path::new(DAILY)))?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    for number in 1..=NUMBERS_MAX {
        let numbered = path.with_file_name(format!("{stem}-{number}.md"));
        let path = if number == 1 { path } else { &numbered };
        let name = Path::new(path.file_name().unwrap_or_default());
        match folder.read_unlinked(name) {
            Ok(Some(text)) if !text.trim().is_empty() && !own(&text) => continue,
            // Whatever it is, no agent wrote it.
            Err(FileError::Link(_) | FileError::NotText(_) | FileError::TooLong(_)) => continue,
            read => read?,
        };
        folder.replace(name, front.write().as_bytes())?;
        return Ok(path.to_owned());
    }
    Err(FileError::Taken(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    fn parse(said: &str) -> Result<Output, String> {
        Output::parse(Some(said), &Name::parse("poet").expect("a name"))
    }

    #[test]
    fn trap_t60_other_braces_stand_for_themselves() {
        let output = parse("Daily/{name}s/{mood}-{date}-{}.md").expect("a path");
        let path = output.of("2026-11-20");
        assert_eq!(path.to_str(), Some("Daily/poets/{mood}-2026-11-20-{}.md"));
    }

    #[test]
    fn an_output_is_below_daily_and_nobody_elses() {
        for bad in [
            "",
            "/etc/x.md",
            "../x.md",
            "x.md",
            "Daily",
            "Daily/x.txt",
            "Daily/../x.md",
            "Daily/./x.md",
            "Daily//x.md",
            "Daily/.agents/x.md",
            "Daily/x/.md",
            "Daily/a\nb/x.md",
            "Daily/journals/{date}.md",
            "Daily/Journals/{date}.md",
            "Daily/entries/x.md",
            "Chat/x.md",
            ".claude/agents/x.md",
            "Daily/x\\..\\y.md",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_not_the_agents_is_left_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let vault = Folder::open(dir.path()).expect("read").expect("a vault");
        let path = Path::new("Daily/poet/x.md");
        let mut front = Front { body: "one".into(), ..Front::default() };
        front.fields.insert("agent".into(), "poet".into());
        write(&vault, path, "poet", &front).expect("new");
        front.body = "two".into();
        write(&vault, path, "poet", &front).expect("its own");
        std::fs::write(dir.path().join(path), "my own words").expect("written");
        for _ in 0..2 {
            let second = write(&vault, path, "poet", &front).expect("beside it");
            assert_eq!(second.to_str(), Some("Daily/poet/x-2.md"));
        }
        let third = write(&vault, path, "other", &front).expect("beside both");
        assert_eq!(third.to_str(), Some("Daily/poet/x-3.md"));
        for number in 4..=9 {
            let other = dir.path().join(format!("Daily/poet/x-{number}.md"));
            std::fs::write(other, [0xff]).expect("written");
        }
        let none = write(&vault, path, "another", &front);
        assert!(matches!(none, Err(FileError::Taken(_))));
        let kept = std::fs::read_to_string(dir.path().join(path)).expect("there");
        assert_eq!(kept, "my own words");
    }

    #[test]
    fn an_output_is_not_planted_where_a_link_leads() {
        let dir = tempfile::tempdir().expect("a folder");
        let vault = Folder::open(dir.path()).expect("read").expect("a vault");
        std::fs::create_dir_all(dir.path().join("Daily")).expect("made");
        std::fs::create_dir_all(dir.path().join("Chat/in")).expect("made");
        std::os::unix::fs::symlink("../Chat", dir.path().join("Daily/x")).expect("linked");
        let front = Front { body: "planted".into(), ..Front::default() };
        for path in ["Daily/x/CLAUDE.md", "Daily/x/in/CLAUDE.md", "Daily/x/new/CLAUDE.md"] {
            let written = write(&vault, Path::new(path), "poet", &front);
            assert!(matches!(written, Err(FileError::Link(_))), "{path}: {written:?}");
        }
        let kept = std::fs::read_dir(dir.path().join("Chat")).expect("listed").count();
        assert_eq!(kept, 1);
        assert!(!dir.path().join("Chat/in/CLAUDE.md").exists());
    }

    proptest! {
        #[test]
        fn no_output_leads_elsewhere(said in "(Daily/)?[a-z{}./\\\\~-]{0,24}(\\.md)?") {
            if let Ok(output) = parse(&said) {
                let path = output.of("2026-11-20");
                let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
                prop_assert!(plain && path.starts_with(DAILY) && path != Path::new(DAILY));
            }
        }
    }
}
