//! Notes about a person, as Claude and ChatGPT keep them and people copy them into
//! `Chat/contexts`: what is in them is counted, nothing more.

use super::{Domain, DomainError};
use crate::limits::CONTEXT_NOTES_MAX;
use crate::vault::{FileError, Folder};
use std::path::Path;
use wire::Timestamp;
use wire::import::{ContextNote, ContextNotes};

const PLACE: &str = "Chat/contexts";

impl Domain {
    pub(crate) async fn import_contexts(&self) -> Result<ContextNotes, DomainError> {
        self.in_vault(|vault| {
            let Some(folder) = vault.folder(Path::new(PLACE))? else {
                return Ok(ContextNotes::default());
            };
            let mut answer = ContextNotes::default();
            let is_note = |name: &str| name.ends_with(".md") && !name.starts_with('.');
            let listed = folder.list()?.into_iter();
            let notes = listed.filter(|found| !found.is_folder && is_note(&found.name));
            for found in notes.take(CONTEXT_NOTES_MAX) {
                let Some(text) = text(&folder, &found.name)? else { continue };
                let note = note(&found.name, &text, found.modified);
                answer.total_facts += note.facts_count;
                answer.total_history_entries += note.history_count;
                answer.files.push(note);
            }
            Ok::<_, DomainError>(answer)
        })
        .await
    }
}

/// One that is too long, or no text, is passed over.
fn text(folder: &Folder, name: &str) -> Result<Option<String>, FileError> {
    match folder.read(Path::new(name)) {
        Err(FileError::TooLong(_) | FileError::NotText(_)) => Ok(None),
        read => read,
    }
}

fn note(name: &str, text: &str, modified: Timestamp) -> ContextNote {
    let mut lines = text.lines();
    let title = lines.by_ref().find_map(|line| line.strip_prefix("# "));
    let title = title.map(str::trim).filter(|title| !title.is_empty());
    let after = if title.is_some() { lines } else { text.lines() };
    let quoted = after.skip_while(|line| line.trim().is_empty());
    let quoted = quoted.map_while(|line| line.trim_start().strip_prefix('>'));
    let description = quoted.map(str::trim).collect::<Vec<_>>().join(" ");
    let (facts, focus, history) =
        (items(text, "Facts"), items(text, "Current Focus"), items(text, "History"));
    ContextNote {
        path: format!("{PLACE}/{name}"),
        name: title.unwrap_or(name.trim_end_matches(".md")).to_owned(),
        description: description.trim().to_owned(),
        facts_count: facts,
        focus_count: focus,
        history_count: history,
        is_native_format: facts + focus + history > 0,
        last_modified: Some(modified),
    }
}

/// How many items are under this heading.
fn items(text: &str, heading: &str) -> u64 {
    let is_heading = |line: &str| line.strip_prefix("## ").is_some_and(|h| h.trim() == heading);
    let after = text.lines().skip_while(|line| !is_heading(line)).skip(1);
    let within = after.take_while(|line| !line.starts_with("# ") && !line.starts_with("## "));
    let is_item = |line: &&str| {
        let item = line.trim_start().strip_prefix("- ").or(line.trim_start().strip_prefix("* "));
        item.is_some_and(|item| !item.trim().is_empty())
    };
    within.filter(is_item).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_note_is_counted_by_its_headings() {
        let text = "# About me\n\n> Who I am\n> and why\n\n## Facts\n- a\n* b\n-\n\n\
            ## Current Focus\n- c\n### within\n- d\n## History\n## Other\n- e\n";
        let found = note("me.md", text, Timestamp::from_millis(0));
        assert_eq!(
            (found.name.as_str(), found.description.as_str()),
            ("About me", "Who I am and why")
        );
        assert_eq!((found.facts_count, found.focus_count, found.history_count), (2, 2, 0));
        assert!(found.is_native_format);
        let plain = note("x.md", "words", Timestamp::from_millis(0));
        assert_eq!((plain.name.as_str(), plain.description.as_str()), ("x", ""));
        assert!(!plain.is_native_format);
    }
}
