//! Tags within a note's text, as Obsidian and others have them: `#word`, `#nested/word`. What
//! stands in code, in a link or in HTML is none, nor is a number (`#12`). Which of them a note has
//! already is its own business.

use crate::limits::TAG_CHARS_MAX;
use crate::prose::prose;

/// So far is looked for the end of a link, and of HTML: else a text of nothing but begins would
/// be read over and over.
const LINK_BYTES_MAX: usize = 1024;

/// The tags of a text, without `#`, each as often as it stands there.
pub(crate) fn tags(text: &str) -> impl Iterator<Item = &str> {
    // Most texts have none, and are not gone through line by line.
    let has_some = memchr::memchr_iter(b'#', text.as_bytes()).any(|at| tag_at(text, at).is_some());
    let lines = has_some.then(|| prose(text)).into_iter().flatten();
    lines.flat_map(|line| Line { line, at: 0 })
}

/// A line, and how far it was read.
struct Line<'t> {
    line: &'t str,
    at: usize,
}

impl<'t> Iterator for Line<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        loop {
            let rest = &self.line[self.at..];
            let begin = self.at + rest.find(['#', '`', '[', '<', '\\'])?;
            let rest = &self.line[begin..];
            if let Some(tag) = tag_at(self.line, begin) {
                self.at = begin + 1 + tag.len();
                return Some(tag);
            }
            self.at = begin + passed(rest);
        }
    }
}

/// The tag whose `#` is here.
fn tag_at(text: &str, at: usize) -> Option<&str> {
    let rest = text[at..].strip_prefix('#')?;
    // First of all, for it decides most: after a heading's sign comes a space.
    let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    let tag = rest[..end].trim_end_matches('/');
    let is_sign = |c: char| matches!(c, '-' | '_' | '/');
    let says = |c: char| !is_sign(c);
    if tag.starts_with('/') || !tag.contains(says) || tag.chars().count() > TAG_CHARS_MAX {
        return None;
    }
    let is_number = tag.chars().all(|c| c.is_numeric() || c == '/');
    let mut before = text[..at].chars().rev();
    let mut begins = || before.next().is_none_or(char::is_whitespace);
    let is_begin = begins() || text[..at].ends_with('(') && begins();
    (is_begin && !is_number).then_some(tag)
}

/// Whether a tag may have this in it: letters and digits of all scripts with what belongs to
/// them, and pictures, but no punctuation.
fn is_part(c: char) -> bool {
    match c {
        '-' | '_' | '/' => true,
        c if c.is_alphanumeric() => true,
        c if c.is_ascii() || c.is_whitespace() || c.is_control() => false,
        // Joiners are part of words and of pictures.
        '\u{200c}' | '\u{200d}' => true,
        '\u{80}'..='\u{bf}' | '\u{d7}' | '\u{f7}' => false,
        '\u{2000}'..='\u{206f}' | '\u{2e00}'..='\u{2e7f}' => false,
        '\u{3000}'..='\u{3020}' | '\u{3030}' | '\u{30fb}' => false,
        '\u{fe10}'..='\u{fe1f}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ffef}' => false,
        _ => true,
    }
}

/// How many bytes are passed over at a sign with which no tag begins: itself, or all that it
/// begins.
fn passed(rest: &str) -> usize {
    let sign = &rest[1..rest.floor_char_boundary(1 + LINK_BYTES_MAX)];
    let through = |end: &str| sign.find(end).map(|at| 1 + at + end.len());
    let all = match rest.as_bytes()[0] {
        b'\\' => sign.chars().next().map(|c| 1 + c.len_utf8()),
        b'`' => {
            let run = rest.len() - rest.trim_start_matches('`').len();
            return code(rest, run).unwrap_or(run);
        }
        b'[' if sign.starts_with('[') => through("]]"),
        b'[' => {
            // `[shown](target)`
            let shown = sign.find(']').filter(|at| sign[at + 1..].starts_with('('));
            shown.and_then(|at| Some(1 + at + sign[at..].find(')')? + 1))
        }
        b'<' if sign.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!') => {
            through(">")
        }
        _ => None,
    };
    all.unwrap_or(1)
}

/// Where code ends that begins with so many backticks: after as many.
fn code(rest: &str, run: usize) -> Option<usize> {
    let mut at = run;
    loop {
        at += rest[at..].find('`')?;
        let length = rest[at..].len() - rest[at..].trim_start_matches('`').len();
        at += length;
        if length == run {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<&str> {
        tags(text).collect()
    }

    #[test]
    fn words_after_a_sign_are_tags() {
        let text = "#first line, (#second) and #nested/word/ or #in-between_2.\n- #one\t#two#no\n\
                    # Heading #three\n> quoted #four, ##five #\n**#six** #2024-06 #y2k";
        let all = [
            "first",
            "second",
            "nested/word",
            "in-between_2",
            "one",
            "two",
            "three",
            "four",
            "2024-06",
            "y2k",
        ];
        assert_eq!(found(text), all);
        let other = "#Größe #日本語、#x #ελληνικά #हिन्दी #étude #🎉 #cafe\u{301}.";
        let all = ["Größe", "日本語", "ελληνικά", "हिन्दी", "étude", "🎉", "cafe\u{301}"];
        assert_eq!(found(other), all);
    }

    #[test]
    fn what_is_no_tag_is_none() {
        for text in [
            "# Heading\n## x",
            "#1 #42 #2024/01 #- #/ #/a #",
            "C# a#b x/#c",
            "`#a` ``#b ` #c`` \\#d",
            "```\n#a\n```",
            "~~~\n#a\n",
            "[[#a]] [[Note#b|c #d]] [[Note #e]]",
            "[#a](x) [b #c](y \"#d\") [e](#f) ![g](h #i)",
            "https://example.org/#a <https://example.org/x #b> <i style=\"color: #c\">",
            "<!-- #a -->",
            "word(#a)",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
        assert_eq!(found(&format!("#{}", "a".repeat(TAG_CHARS_MAX + 1))), [""; 0]);
    }

    #[test]
    fn what_is_not_closed_hides_nothing() {
        assert_eq!(
            found("` #a [ #b [[ #c < #d <x #e [x] #f [y]( #g"),
            ["a", "b", "c", "d", "e", "f", "g"]
        );
        assert_eq!(found("[x] #a and [y](z)"), ["a"]);
    }

    #[test]
    fn no_sign_is_too_often_there() {
        for sign in ["[", "[[", "[x](", "<a", "`", "`` ` ", "(", "#", "#a", "\\", "é", "#é("] {
            // An end to look for at each of them.
            let text = format!("#a {}", sign.repeat((256 << 10) / sign.len()));
            assert_eq!(tags(&text).next(), Some("a"), "{sign}");
            assert!(tags(&text).count() >= 1, "{sign}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(
            text in "\\PC{0,60}|[#`\\[\\]()<>!~/a1é日 \\\\\n-]{0,60}|(#[a-z/]{0,4}[ `#\n]){0,20}",
        ) {
            for tag in tags(&text) {
                prop_assert!(!tag.is_empty() && tag.chars().count() <= TAG_CHARS_MAX);
                prop_assert!(tag.chars().all(is_part), "{:?}", tag);
                let marked = format!("#{tag}");
                prop_assert!(text.contains(&marked), "{:?}", tag);
            }
        }

        #[test]
        fn a_word_is_found_wherever_it_stands(
            before in "([a-z.,:()*]{1,6} ){0,5}", tag in "[a-z][a-z0-9-]{0,9}",
            after in "[ .,;)!?][a-z ]{0,9}",
        ) {
            let text = format!("{before}#{tag}{after}");
            prop_assert_eq!(found(&text), [tag.as_str()]);
        }
    }
}
