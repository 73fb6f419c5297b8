//! Text as the index's tokenizer wants it. It takes what stands between spaces for a word;
//! several scripts have no spaces, so each letter of those is made a word of its own, and what
//! is looked for a row of such words.

use std::borrow::Cow;

/// Parts words and is not seen; the tokenizer knows it for no letter.
const PART: char = '\u{200b}';

/// Whether words are not parted where this letter is used.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        // Thai, Lao, Myanmar, Khmer
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        // Kana, Han
        | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// A text whose words are all parted, for the index and for what is looked for in it.
pub(crate) fn spaced(text: &str) -> Cow<'_, str> {
    // A byte of zero would end the text for SQLite.
    let plain = |c: char| !is_unspaced(c) && c != PART && c != '\0';
    if text.is_ascii() && !text.contains('\0') || text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        match c {
            PART => {}
            '\0' => out.push(' '),
            c if is_unspaced(c) => out.extend([c, PART]),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The text as it was written.
pub(crate) fn unspaced(mut text: String) -> String {
    if !text.is_ascii() && text.contains(PART) {
        text.retain(|c| c != PART);
    }
    text
}

/// The first characters of a text.
pub(crate) fn first(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(at, _)| &text[..at])
}

/// Whether a text has these words in it, case aside: where in its bytes.
pub(crate) fn position(text: &str, wanted: &str) -> Option<usize> {
    let Some(first) = wanted.bytes().next() else { return Some(0) };
    if !wanted.is_ascii() {
        let lower = text.to_lowercase();
        let at = lower.find(&wanted.to_lowercase())?;
        // Lower case may be longer; near enough to show it.
        return (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    }
    let (bytes, wanted) = (text.as_bytes(), wanted.as_bytes());
    let last = bytes.len().checked_sub(wanted.len())?;
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), bytes)
        .take_while(|at| *at <= last)
        .find(|at| bytes[*at..*at + wanted.len()].eq_ignore_ascii_case(wanted))
}

/// Whether a text is one word, of letters and digits of ASCII alone.
pub(crate) fn is_plain_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Where a text has this plain word, case aside, between what are surely no letters.
pub(crate) fn word_at(text: &str, word: &str) -> Option<usize> {
    let (bytes, word) = (text.as_bytes(), word.as_bytes());
    let first = word.first()?;
    let parts = |byte: Option<&u8>| byte.is_none_or(|b| b.is_ascii() && !b.is_ascii_alphanumeric());
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), bytes)
        .filter(|at| parts(at.checked_sub(1).map(|before| &bytes[before])))
        .filter(|at| parts(bytes.get(at + word.len())))
        .find(|at| bytes[*at..].get(..word.len()).is_some_and(|b| b.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_letter_of_some_scripts_is_a_word() {
        assert!(matches!(spaced("plain é text"), Cow::Borrowed(_)));
        assert_eq!(spaced("a日記b"), "a日\u{200b}記\u{200b}b");
        assert_eq!(spaced("a\0b"), "a b");
    }

    #[test]
    fn case_makes_no_difference() {
        assert_eq!(position("Some WORDS", "words"), Some(5));
        assert_eq!(position("ÄRGER", "ärg"), Some(0));
        assert_eq!(position("x", "xy"), None);
        assert_eq!(position("x", ""), Some(0));
    }

    #[test]
    fn a_word_stands_by_itself() {
        assert_eq!(word_at("start the ART, artful", "art"), Some(10));
        assert_eq!(word_at("art", "Art"), Some(0));
        // A letter, perhaps an accent, or the begin of a longer word.
        for text in ["éart", "arté", "art\u{301}", "artful", "ar", ""] {
            assert_eq!(word_at(text, "art"), None, "{text}");
        }
        for text in ["", "two words", "é", "\"art\"", "art*", "a_b"] {
            assert!(!is_plain_word(text), "{text}");
        }
        assert!(is_plain_word("Art2"));
    }

    proptest! {
        #[test]
        fn spacing_is_taken_back(text in "[a-z日記カนé \u{1}-\u{20}]{0,40}") {
            prop_assert_eq!(unspaced(spaced(&text).into_owned()), text);
        }

        #[test]
        fn what_is_in_a_text_is_found_at_a_character(
            text in "\\PC{0,30}", from in 0_usize..30, chars in 1_usize..9,
        ) {
            let part: String = text.chars().skip(from).take(chars).collect();
            if part.is_ascii() {
                prop_assert!(position(&text.to_ascii_uppercase(), &part).is_some());
            }
            if let Some(at) = position(&text, &part) {
                prop_assert!(text.is_char_boundary(at));
            }
        }
    }
}
