//! Slugs: the ids of workspaces. They are names of folders and of containers, so only what is
//! harmless in both is one. `wire::chat` has the same rule as a pattern.

use std::fmt;
use std::path::Path;

/// Longest slug taken, in bytes.
const SLUG_BYTES_MAX: usize = 100;
/// Longest one made of a name; a number may still come after it.
const MADE_BYTES_MAX: usize = 60;

/// `a-z`, `0-9`, and `-` inside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slug(String);

impl Slug {
    /// Takes a text for a slug, if it is one.
    pub(crate) fn parse(text: &str) -> Option<Slug> {
        let lawful = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fits = (1..=SLUG_BYTES_MAX).contains(&text.len());
        let inside = !text.starts_with('-') && !text.ends_with('-');
        (fits && inside && text.bytes().all(lawful)).then(|| Slug(text.to_owned()))
    }

    /// The slug of a name: what is neither letter nor digit becomes one `-`.
    pub(crate) fn of_name(name: &str) -> Slug {
        let mut slug = String::new();
        for c in name.chars().flat_map(char::to_lowercase) {
            match c {
                'a'..='z' | '0'..='9' => slug.push(c),
                _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
                _ => {}
            }
        }
        slug.truncate(MADE_BYTES_MAX);
        match slug.trim_end_matches('-') {
            "" => Slug("workspace".into()),
            slug => Slug(slug.to_owned()),
        }
    }

    /// The same with a number after it, for where it is taken.
    pub(crate) fn numbered(&self, number: u32) -> Slug {
        Slug(format!("{}-{number}", self.0))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<Path> for Slug {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Slug;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    #[test]
    fn a_name_becomes_what_a_folder_can_be_called() {
        for (name, slug) in [
            ("My Work", "my-work"),
            ("  --A__b  ", "a-b"),
            ("Überblick 2", "berblick-2"),
            ("日記", "workspace"),
            ("../../etc", "etc"),
            ("", "workspace"),
        ] {
            assert_eq!(Slug::of_name(name).as_str(), slug, "{name:?}");
        }
        assert_eq!(Slug::of_name(&"x ".repeat(90)).as_str().len(), 59);
        for bad in ["", "-", "-a", "a-", "A", "a_b", "a/b", "..", "a\n", "ä", &"x".repeat(101)] {
            assert!(Slug::parse(bad).is_none(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_slug_is_one_component_and_every_name_has_one(text in "\\PC{0,90}|[a-z0-9./-]{0,12}") {
            let made = Slug::of_name(&text).numbered(u32::MAX);
            prop_assert_eq!(Slug::parse(made.as_str()), Some(made));
            if let Some(slug) = Slug::parse(&text) {
                let parts: Vec<Component> = Path::new(slug.as_str()).components().collect();
                prop_assert_eq!(parts, [Component::Normal(text.as_ref())]);
                prop_assert_eq!(Slug::of_name(&text).as_str().len() <= text.len(), true);
            }
        }
    }
}
