//! Which other notes a note names: `[[wiki links]]` and `[Markdown](links.md)`. Whether there is
//! such a note is not asked here: a link is a key, and a note has several that lead to it.

use crate::limits::{LINKS_MAX, TARGET_BYTES_MAX};
use crate::prose::prose;
use percent_encoding::percent_decode_str;
use std::collections::BTreeSet;

/// How a name is written where it is looked up: case and `.md` make no difference.
#[must_use]
pub(crate) fn key(name: &str) -> String {
    let key = name.trim().trim_matches('/').to_lowercase();
    key.strip_suffix(".md").map(str::to_owned).unwrap_or(key)
}

/// All keys that lead to a note: its path and each end of it, and its names.
pub(crate) fn keys<'n>(path: &str, names: impl Iterator<Item = &'n str>) -> BTreeSet<String> {
    let path = key(path);
    let mut keys: BTreeSet<String> = names.map(key).filter(|key| !key.is_empty()).collect();
    keys.extend(path.match_indices('/').map(|(at, _)| path[at + 1..].to_owned()));
    keys.insert(path);
    keys
}

/// The keys of what a text in this folder links to, code left out.
pub(crate) fn links(text: &str, folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in prose(text).filter(|line| line.contains('[')) {
        for target in wiki(line, folder).chain(plain(line, folder)) {
            if found.len() >= LINKS_MAX {
                return found;
            }
            found.insert(target);
        }
    }
    found
}

/// `[[target#part|shown]]`, from the folder of the note where it says `..`.
fn wiki(line: &str, folder: &str) -> impl Iterator<Item = String> {
    line.split("[[").skip(1).filter_map(move |rest| {
        let (inside, _) = rest.split_once("]]")?;
        let target = inside.split(['|', '#', '^']).next().unwrap_or_default();
        // In a table the line is a cell's border.
        let target = target.trim_end_matches('\\').trim();
        let is_relative = target.split('/').any(|part| matches!(part, "." | ".."));
        let key = if is_relative { from(folder, target)? } else { key(target) };
        (!key.is_empty() && key.len() <= TARGET_BYTES_MAX).then_some(key)
    })
}

/// `[shown](target.md)`, from the folder of the note.
fn plain(line: &str, folder: &str) -> impl Iterator<Item = String> {
    line.split("](").skip(1).filter_map(move |rest| {
        let target = match rest.strip_prefix('<') {
            Some(rest) => rest.split('>').next()?,
            None => rest.split([')', ' ']).next()?,
        };
        let target = target.split(['#', '?']).next()?;
        if target.is_empty() || target.len() > TARGET_BYTES_MAX || target.contains(':') {
            return None;
        }
        let target = percent_decode_str(target).decode_utf8().ok()?;
        let is_note = target.len() > 3 && target.to_lowercase().ends_with(".md");
        is_note.then(|| from(folder, &target))?
    })
}

/// A relative path as one of the vault; None where it leads out.
fn from(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = match target.starts_with('/') {
        true => Vec::new(),
        false => folder.split('/').filter(|part| !part.is_empty()).collect(),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(key(&parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<String> {
        links(text, "Projects/Deep").into_iter().collect()
    }

    #[test]
    fn both_kinds_of_links_are_found() {
        let text = "See [[Ada Lovelace]], [[Babbage|Charles]] and ![[Engine#Parts]], [[../Up]].\n\
            [a](note.md) [b](../Other/My%20Note.md#x \"title\") [c](</Top Note.md>)\n\
            [d](https://example.org/x.md) [e](../../../out.md) [f](image.png) [g]() [[]] [[#x]]\n\
            ```\n[[code]]\n```\n| [[cell\\|shown]] |\n";
        let all = [
            "ada lovelace",
            "babbage",
            "cell",
            "engine",
            "projects/deep/note",
            "projects/other/my note",
            "projects/up",
            "top note",
        ];
        assert_eq!(found(text), all);
    }

    #[test]
    fn a_note_has_many_names() {
        let keys = keys("Brain/entities/People/Ada.md", ["Ada Lovelace", "p/ada"].into_iter());
        for name in ["ada", "people/ada", "brain/entities/people/ada", "ada lovelace", "p/ada"] {
            assert!(keys.contains(name), "{name}");
        }
    }

    #[test]
    fn there_are_not_too_many() {
        let text: String = (0..5000).map(|number| format!("[[n{number}]]\n")).collect();
        assert_eq!(found(&text).len(), LINKS_MAX);
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "[\\[\\]()|#<>./a%2 \n`é]{0,80}") {
            for target in links(&text, "a/b") {
                let leads_out = target.split('/').any(|part| part == "..");
                prop_assert!(!target.is_empty() && !leads_out, "{:?}", target);
            }
        }
    }
}
