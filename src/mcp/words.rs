//! Words of others, made fit to be shown: without what a terminal or a log would act on, without
//! the secrets they were given, and not for ever.

use wire::Secret;
use wire::words::{cut, is_hidden};

/// Stands where a secret stood.
const HIDDEN: &str = "[REDACTED]";

/// Shorter texts are no secrets, and would be found everywhere.
const SECRET_BYTES_MIN: usize = 6;

/// One line of at most `chars_max` characters, from the beginning.
pub(crate) fn line(text: &str, chars_max: usize) -> String {
    let text: String = text.chars().map(|c| if c == '\n' { ' ' } else { c }).collect();
    cut(plain(&text).trim(), chars_max)
}

/// Lines of at most `chars_max` characters, the last ones.
pub(crate) fn tail(text: &str, chars_max: usize) -> String {
    let text = plain(text);
    let text = text.trim();
    let over = text.chars().count().saturating_sub(chars_max);
    match text.char_indices().nth(over) {
        Some((start, _)) if over > 0 => format!("…{}", &text[start..]),
        _ => text.to_owned(),
    }
}

/// The same text without these secrets in it.
pub(crate) fn without(text: &str, secrets: &[Secret]) -> String {
    // Taking characters out may bring a secret about, so that comes first.
    let mut text = plain(text);
    for secret in secrets {
        let whole = secret.expose();
        // What comes after `Bearer`, too.
        let last = whole.rsplit(' ').next().unwrap_or(whole);
        for part in [whole, last] {
            if part.len() >= SECRET_BYTES_MIN {
                text = text.replace(part, HIDDEN);
            }
        }
    }
    text
}

/// Without colours of a terminal, control characters but line feeds, and characters that turn or
/// hide the text around them.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' && chars.peek() == Some(&'[') {
            let ends = |c: &char| ('@'..='~').contains(c) && *c != '[';
            chars.by_ref().find(ends);
        } else if c == '\n' || !is_hidden(c) {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{line, tail, without};
    use proptest::prelude::*;
    use wire::Secret;

    #[test]
    fn words_are_plain_and_short() {
        assert_eq!(line(" \u{1b}[31mred\u{1b}[0m\r\nb\u{202e} ", 200), "red b");
        assert_eq!(line("ééé", 2), "éé…");
        assert_eq!(tail("one\ntwo\nthree", 5), "…three");
        assert_eq!(tail("\none\n", 5), "one");
    }

    #[test]
    fn secrets_are_taken_out_with_and_without_their_scheme() {
        let secrets = [Secret::new("Bearer abc-def-0".into()), Secret::new("true".into())];
        let said = "it is true: abc-\u{7}def-0 (Bearer abc-def-0)";
        assert_eq!(without(said, &secrets), "it is true: [REDACTED] ([REDACTED])");
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(
            text in "\\PC{0,80}|[\u{1b}\\[0-9m;a-z\n]{0,40}",
            max in 1usize..60,
        ) {
            let shown = line(&text, max);
            let plain = !shown.contains(['\n', '\u{1b}']);
            prop_assert!(plain && shown.chars().count() <= max + 1);
            let shown = tail(&text, max);
            let plain = !shown.contains('\u{1b}');
            prop_assert!(plain && shown.chars().count() <= max + 1);
        }

        #[test]
        fn nothing_brings_a_secret_back(
            before in "\\PC{0,20}", secret in "[!-~]{6,40}", after in "\\PC{0,20}", at in 1usize..5,
        ) {
            let broken = format!("{}\u{7}{}", &secret[..at], &secret[at..]);
            for said in [&secret, &broken] {
                let secrets = [Secret::new(secret.clone())];
                let shown = without(&format!("{before}{said}{after}"), &secrets);
                prop_assert!(!shown.contains(&secret), "{shown}");
            }
        }
    }
}
