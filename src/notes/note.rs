//! A note, understood from its bytes. Whatever is in the file, there is a note: what cannot be
//! read as it was meant is a warning, and its text is found all the same.

use crate::front::{self, by_lines, divide, fields, plain};
use crate::limits::{
    ALIASES_MAX, FRONT_BYTES_MAX, ID_BYTES_MAX, NAME_CHARS_MAX, TAG_CHARS_MAX, TAGS_MAX,
};
use crate::store::ENTITIES;
use crate::{Warning, links, tags};
use serde_yaml::{Mapping, Value};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Note {
    /// Its id, if it gives itself one.
    pub para_id: Option<String>,
    /// What it calls itself, else its first heading, else its file's name.
    pub name: String,
    /// Without `#`, each once: those of its front matter, then those of its text, in their order.
    pub tags: Vec<String>,
    /// Other names it gives itself.
    pub aliases: Vec<String>,
    /// Everything of its front matter.
    pub fields: Mapping,
    /// Its text.
    pub body: String,
    /// Keys of the notes it links to.
    pub links: BTreeSet<String>,
    /// What was passed over.
    pub warnings: Vec<Warning>,
}

impl Note {
    /// Reads a note that lies at this path below the vault.
    #[must_use]
    pub fn read(path: &str, bytes: &[u8]) -> Note {
        let mut warnings = Vec::new();
        let mut warn = |line: Option<usize>, said: String| {
            warnings.push(Warning { path: path.into(), line, said });
        };
        let text = text_of(bytes, &mut warn);
        let (fields, body) = parts(&text, &mut warn);
        let yaml = divide(&text).map_or("", |(yaml, _)| yaml);
        let line_of = |name: &str| {
            let at = yaml.lines().position(|line| line.trim_start().starts_with(name));
            at.map(|index| index + 2)
        };
        let mut list = |names: [&str; 2], chars_max: usize, most: usize| {
            let found = names.into_iter().find_map(|name| Some((name, fields.get(name)?)));
            let Some((name, value)) = found else { return Vec::new() };
            let (texts, problem) = texts_of(value, chars_max, most);
            if let Some(problem) = problem {
                warn(line_of(name), format!("{name}: {problem}"));
            }
            texts
        };
        let mut tags = list(["tags", "tag"], TAG_CHARS_MAX, TAGS_MAX);
        add_tags(&mut tags, tags::tags(&body));
        let aliases = list(["aliases", "alias"], NAME_CHARS_MAX, ALIASES_MAX);
        let own = |name: &str| fields.get(name).and_then(plain).filter(|text| !text.is_empty());
        let para_id = own("para_id").filter(|id| id.len() <= ID_BYTES_MAX);
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let name = own("name").or_else(|| heading(&body)).unwrap_or_else(|| stem.to_owned());
        Note {
            para_id,
            name: name.chars().take(NAME_CHARS_MAX).collect(),
            tags,
            aliases,
            links: links::links(&text, folder),
            body,
            fields,
            warnings,
        }
    }
}

impl Note {
    /// Its id where it lies at this path: its own, else the path without its ending, an entity's
    /// from the folder of the entities on.
    #[must_use]
    pub fn id_at<'n>(&'n self, path: &'n str) -> &'n str {
        let within = path.strip_prefix(ENTITIES).and_then(|rest| rest.strip_prefix('/'));
        let path = within.unwrap_or(path);
        let plain = path.len().checked_sub(".md".len()).and_then(|end| path.get(..end));
        self.para_id.as_deref().unwrap_or(plain.unwrap_or(path))
    }
}

fn text_of<'b>(bytes: &'b [u8], warn: &mut impl FnMut(Option<usize>, String)) -> Cow<'b, str> {
    let text = String::from_utf8_lossy(bytes);
    if let Err(error) = std::str::from_utf8(bytes) {
        let above = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        warn(Some(above + 1), "is not UTF-8 text".into());
    }
    text
}

/// The fields and the text; front matter that is none is part of the text.
fn parts(text: &str, warn: &mut impl FnMut(Option<usize>, String)) -> (Mapping, String) {
    let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
    let whole = || bare.trim().to_owned();
    let Some((yaml, body)) = divide(text) else {
        // A line of dashes above a text is a line; above what looks like a field, it is no end.
        let second = bare.lines().nth(1).unwrap_or_default();
        if bare.starts_with("---") && second.contains(": ") {
            warn(Some(1), "the front matter has no end".into());
        }
        return (Mapping::new(), whole());
    };
    if yaml.len() > FRONT_BYTES_MAX {
        let most = FRONT_BYTES_MAX / 1024;
        warn(Some(1), format!("the front matter is longer than {most} KiB, and is read as text"));
        return (Mapping::new(), whole());
    }
    match fields(yaml) {
        Ok(fields) => (fields, body.trim().to_owned()),
        Err(bad) => {
            // Its first line is the second of the file.
            warn(bad.line.map(|line| line + 1), format!("the front matter: {}", bad.said));
            (by_lines(text).fields, whole())
        }
    }
}

/// The texts of a field, and what is wrong with it.
fn texts_of(value: &Value, chars_max: usize, most: usize) -> (Vec<String>, Option<String>) {
    let given = match value {
        Value::Null => Vec::new(),
        Value::Sequence(items) => items.iter().map(plain).collect(),
        Value::String(_) => front::texts(value).into_iter().map(Some).collect(),
        value => vec![plain(value)],
    };
    let odd = given.iter().filter(|text| text.is_none()).count();
    let mut texts: Vec<String> = Vec::new();
    let mut left_out = 0;
    for text in given.into_iter().flatten() {
        let text = text.trim().trim_start_matches('#');
        let known = texts.iter().any(|known| known == text);
        if text.is_empty() || known {
            continue;
        }
        if texts.len() >= most || text.chars().count() > chars_max {
            left_out += 1;
            continue;
        }
        texts.push(text.to_owned());
    }
    let problem = match (odd, left_out) {
        (0, 0) => None,
        (0, left_out) => Some(format!("{left_out} are too long or too many, and left out")),
        (odd, _) => Some(format!("{odd} are no text, and left out")),
    };
    (texts, problem)
}

/// Adds tags that differ from the others in more than case, as far as there is room.
fn add_tags<'t>(tags: &mut Vec<String>, more: impl Iterator<Item = &'t str>) {
    let mut known: Option<HashSet<String>> = None;
    for tag in more {
        if tags.len() >= TAGS_MAX {
            break;
        }
        let known =
            known.get_or_insert_with(|| tags.iter().map(|tag| tag.to_lowercase()).collect());
        if known.insert(tag.to_lowercase()) {
            tags.push(tag.to_owned());
        }
    }
}

fn heading(body: &str) -> Option<String> {
    let line = body.lines().find_map(|line| line.strip_prefix("# "))?;
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Note {
        Note::read("Brain/entities/p/ada.md", text.as_bytes())
    }

    fn said(note: &Note) -> Vec<String> {
        note.warnings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_note_says_what_it_is() {
        let note = read(
            "---\npara_id: p/ada\nname: Ada\ntags: [math, '#poet', math]\naliases: Countess\n\
             born: 1815\n---\n\n# Lovelace\nSee [[Babbage]].\n",
        );
        assert_eq!(note.para_id.as_deref(), Some("p/ada"));
        assert_eq!(
            (note.name.as_str(), note.tags.as_slice()),
            ("Ada", &["math", "poet"].map(String::from)[..])
        );
        assert_eq!(note.aliases, ["Countess"]);
        assert_eq!(note.fields["born"], 1815);
        assert_eq!(note.body, "# Lovelace\nSee [[Babbage]].");
        assert!(note.links.contains("babbage"));
        assert_eq!(said(&note), Vec::<String>::new());
    }

    #[test]
    fn tags_of_its_text_come_after_those_of_its_front_matter() {
        let note = read("---\ntags: [Math, poet]\n---\n# On #poet\n#math #Engine/Parts `#no`\n");
        assert_eq!(note.tags, ["Math", "poet", "Engine/Parts"]);
        let many: String = (0..500).map(|number| format!("#t{number} ")).collect();
        let note = read(&format!("---\ntags: [first]\n---\n{many}"));
        assert_eq!((note.tags.len(), note.tags[99].as_str()), (TAGS_MAX, "t98"));
        assert_eq!(said(&note), Vec::<String>::new());
    }

    #[test]
    fn what_it_does_not_say_is_taken_from_its_heading_or_its_file() {
        assert_eq!(read("text\n# Countess\n").name, "Countess");
        assert_eq!(read("text\n## No\n#no\n").name, "ada");
        assert_eq!(read("").name, "ada");
        assert_eq!(read("---\nname:\npara_id: ''\n---\n# H\n").name, "H");
        assert_eq!(Note::read("x", b"").name, "x");
    }

    #[test]
    fn trap_88_tags_that_are_no_texts_are_a_warning_with_their_line() {
        for (tags, read_as, warned) in [
            ("tags:", &[][..], None),
            ("tags: [a, null, 7, true]", &["a", "7", "true"], Some("1 are no text")),
            ("tags: {a: 1}", &[], Some("1 are no text")),
            ("tags: a, b c", &["a", "b", "c"], None),
            ("tags: 2024", &["2024"], None),
            ("tags: [[a], b]", &["b"], Some("1 are no text")),
        ] {
            let note = read(&format!("---\nname: x\n{tags}\n---\nbody\n"));
            assert_eq!(note.tags, read_as, "{tags}");
            match warned {
                None => assert_eq!(said(&note), Vec::<String>::new(), "{tags}"),
                Some(part) => {
                    let said = said(&note).join("\n");
                    let at = "Brain/entities/p/ada.md:3: tags: ";
                    assert!(said.starts_with(at) && said.contains(part), "{tags}: {said}");
                }
            }
            assert_eq!(note.body, "body");
        }
    }

    #[test]
    fn front_matter_that_is_none_is_a_warning_and_the_text_is_kept() {
        let note = read("---\nname: Reviews: all\ntags: [a]\n---\nthe text\n");
        assert_eq!(
            (note.name.as_str(), note.tags.as_slice()),
            ("Reviews: all", &["a".to_owned()][..])
        );
        assert!(note.body.contains("the text"));
        assert!(said(&note)[0].starts_with("Brain/entities/p/ada.md:2: the front matter: "));
        let note = read("---\n- a\n- b\n---\nthe text\n");
        assert!(note.body.contains("the text") && note.warnings.len() == 1, "{note:?}");
        let note = read("---\nname: x\nno end\n");
        assert!(note.body.contains("no end") && note.warnings.len() == 1, "{note:?}");
        assert_eq!(said(&read("---\na line, and a text\n")), Vec::<String>::new());
        let note = read(&format!("---\nname: {}\n---\nthe text\n", "x".repeat(70_000)));
        assert!(note.body.contains("the text") && note.warnings.len() == 1);
        let note = Note::read("a.md", b"one\ntwo \xff\xfe\nthree");
        assert_eq!(said(&note), ["a.md:2: is not UTF-8 text"]);
        assert!(note.body.contains("three"));
    }

    #[test]
    fn aliases_of_yaml_do_not_grow_without_bound() {
        let level = |n: usize| format!("a{n}: &a{n} [{}]\n", format!("*a{},", n - 1).repeat(10));
        let bomb: String = (1..9).map(level).collect();
        let note = read(&format!("---\na0: &a0 x\n{bomb}name: Ada\n---\nthe text\n"));
        assert_eq!((note.name.as_str(), note.warnings.len()), ("Ada", 1));
        assert!(note.body.contains("the text"));
    }

    #[test]
    fn what_a_note_has_of_each_is_bounded() {
        let many: String = (0..500).map(|number| format!("t{number}, ")).collect();
        let note = read(&format!("---\ntags: [{many}]\nname: {}\n---\n", "n".repeat(900)));
        assert_eq!((note.tags.len(), note.name.chars().count()), (TAGS_MAX, NAME_CHARS_MAX));
        assert_eq!(note.warnings.len(), 1);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Note::read("a.md", &bytes);
        }

        #[test]
        fn no_front_matter_is_too_strange_and_no_text_is_lost(
            yaml in "[a-z0-9:!&*|>'\"{}\\[\\],.~# \n-]{0,80}|(tags|name|para_id): \\PC{0,30}",
        ) {
            let note = Note::read("a.md", format!("---\n{yaml}\n---\nits own words\n").as_bytes());
            prop_assert!(note.body.contains("its own words"), "{:?}", note);
            prop_assert!(!note.name.is_empty());
        }
    }
}
