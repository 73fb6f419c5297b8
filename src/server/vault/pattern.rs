//! Patterns of paths as callers write them: `*`, `?`, `**`, `[a-z]`, `{a,b}`. A star stays within
//! its folder. Whatever is written, a path is judged in time that grows with its length alone:
//! the branches of braces are walked together, not one after another.

use crate::limits::CONTEXT_PATH_BYTES_MAX;
use globset::{GlobBuilder, GlobSet};

/// A pattern, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(GlobSet);

impl Pattern {
    /// None: it is no pattern, or one too large.
    pub(crate) fn parse(text: &str) -> Option<Pattern> {
        // Braces within braces are taken apart by recursion.
        if text.len() > CONTEXT_PATH_BYTES_MAX {
            return None;
        }
        let mut glob = GlobBuilder::new(text);
        let glob = glob.literal_separator(true).empty_alternates(true).build().ok()?;
        // A set of one: alone it would panic where it is too large.
        GlobSet::builder().add(glob).build().ok().map(Pattern)
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.is_match(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_what_it_says() {
        for (pattern, path, has) in [
            ("*.md", "a.md", true),
            ("*.md", "a/b.md", false),
            ("a/*.md", "a/.b.md", true),
            ("**/*.md", "a/b.md", true),
            ("**/*.md", "b.md", true),
            ("a/**", "a/b/c.md", true),
            ("?.md", "ü.md", false),
            ("*.{md,txt}", "a.txt", true),
            ("a{,b}.md", "a.md", true),
            ("[a-c].md", "b.md", true),
            ("[!a-c].md", "b.md", false),
            ("a?b", "a/b", false),
        ] {
            assert_eq!(Pattern::parse(pattern).expect(pattern).has(path), has, "{pattern} {path}");
        }
    }

    #[test]
    fn braces_within_braces_and_many_beside_each_other_cost_little_or_are_none() {
        let branches = format!("{{{}}}", ",".repeat(21)).repeat(40);
        assert!(!Pattern::parse(&branches).expect("a pattern").has(&"x".repeat(4000)));
        for deep in [64, 128, 255, 100_000] {
            let nested = format!("{}a{}", "{a,".repeat(deep), "}".repeat(deep));
            assert!(Pattern::parse(&nested).is_none_or(|pattern| pattern.has("a")));
        }
        for none in ["{a", "a}", "[", "[z-a]", "\\"] {
            assert!(Pattern::parse(none).is_none(), "{none}");
        }
    }
}
