//! Names that callers give to what is kept in files: one component of a path, and nothing that
//! a shell, YAML or a file system would take for more.

use std::fmt;
use std::path::Path;

/// Longest name, in bytes; with an ending it still fits a file system.
const NAME_BYTES_MAX: usize = 100;

/// Signs that belong to the letter before them: accents of their own (as macOS writes file
/// names), and what Hebrew, Arabic, the scripts of India and of South-East Asia, and Japanese put
/// there. The library's idea of a letter has most of them, but not all.
const SIGNS: [std::ops::RangeInclusive<char>; 9] = [
    '\u{300}'..='\u{36f}',
    '\u{591}'..='\u{5c7}',
    '\u{64b}'..='\u{65f}',
    '\u{93c}'..='\u{94d}',
    '\u{980}'..='\u{dff}',
    '\u{e31}'..='\u{e4e}',
    '\u{eb1}'..='\u{ece}',
    '\u{102b}'..='\u{103e}',
    '\u{3099}'..='\u{309a}',
];

/// A lawful name: letters and digits of any script, spaces inside, and `- _ . + ( ) & ' ,`; it
/// begins with a letter, a digit or `_`, and does not end in a dot or a space.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(String);

impl Name {
    /// What is wrong with names that are refused, for people.
    pub(crate) const RULE: &'static str = "a name has up to 100 letters, digits, spaces and \
        - _ . + ( ) & ' , and begins with a letter or digit";

    /// Takes a text for a name, if it is one.
    pub(crate) fn parse(text: &str) -> Option<Name> {
        let sign = |c: char| SIGNS.iter().any(|range| range.contains(&c));
        let plain = |c: char| c.is_alphanumeric() || sign(c) || " -_.+()&',".contains(c);
        let begins = text.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let lawful = begins
            && text.len() <= NAME_BYTES_MAX
            && text.chars().all(plain)
            && !text.ends_with(['.', ' ']);
        lawful.then(|| Name(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its file, with this ending (`.md`).
    pub(crate) fn with(&self, ending: &str) -> String {
        format!("{}{ending}", self.0)
    }
}

impl AsRef<Path> for Name {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Name;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    #[test]
    fn a_name_is_one_component_and_no_more() {
        for lawful in [
            "a",
            "My Skill",
            "weekly-review",
            "Überblick",
            "日記",
            "v1.2",
            "_x",
            "O'Neill",
            "U\u{308}berblick",
            "हिन्दी",
            "ไทยนี้",
        ] {
            assert!(Name::parse(lawful).is_some(), "{lawful}");
        }
        let long = "x".repeat(101);
        for bad in [
            "",
            ".",
            "..",
            ".hidden",
            "-rf",
            "a/b",
            "a\\b",
            "a\0",
            "a\nb",
            "a:b",
            " a",
            "a ",
            "a.",
            "a*",
            "~",
            "$HOME",
            "\u{202e}a",
            "a\u{7f}",
            "%2e",
            &long,
        ] {
            assert!(Name::parse(bad).is_none(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_a_name_stays_where_it_is_put(text in "\\PC{0,40}|[./\\\\%a-z~-]{0,12}") {
            if let Some(name) = Name::parse(&text) {
                let parts: Vec<Component> = Path::new(name.as_str()).components().collect();
                prop_assert_eq!(parts, [Component::Normal(text.as_ref())]);
                prop_assert!(!text.starts_with(['.', '-', '~']));
            }
        }
    }
}
