//! Words of others, made fit to be shown: without what a terminal or a log would act on, without
//! the credential, and not for ever.

use wire::words::{cut, is_hidden};

/// Stands where a credential stood.
const HIDDEN: &str = "[redacted]";

/// How keys of model vendors begin, whoever's they are.
const KEY_PREFIX: &str = "sk-";

/// One line of at most `chars_max` characters.
pub(crate) fn line(text: &str, chars_max: usize) -> String {
    let text: String = text.chars().filter(|c| !is_hidden(*c)).collect();
    cut(text.trim(), chars_max)
}

/// The same of what was said to somebody who had shown `secret`: some endpoints repeat it.
pub(crate) fn line_without(text: &str, secret: &str, chars_max: usize) -> String {
    // In this order: taking characters out, or cutting, may bring a secret about or leave half.
    let text: String = text.chars().filter(|c| !is_hidden(*c)).collect();
    let text = if secret.is_empty() { text } else { text.replace(secret, HIDDEN) };
    let mut shown = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| !is_of_key(c)) {
        match word.strip_suffix(|c: char| !is_of_key(c)) {
            Some(key) if key.starts_with(KEY_PREFIX) => {
                shown.push_str(HIDDEN);
                shown.push_str(&word[key.len()..]);
            }
            None if word.starts_with(KEY_PREFIX) => shown.push_str(HIDDEN),
            _ => shown.push_str(word),
        }
    }
    line(&shown, chars_max)
}

fn is_of_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*' | '.')
}

#[cfg(test)]
mod tests {
    use super::{line, line_without};
    use proptest::prelude::*;

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line(" a\u{1b}[31m\r\nb\u{202e} ", 200), "a[31mb");
        assert_eq!(line("ééé", 2), "éé…");
        assert_eq!(line("éé", 2), "éé");
    }

    #[test]
    fn a_repeated_credential_is_taken_out() {
        let said = "invalid key 'sk-ant-api03-abc' (or \"hunter2\"), see hunt\u{0}er2 and mask-x";
        assert_eq!(
            line_without(said, "hunter2", 200),
            "invalid key '[redacted]' (or \"[redacted]\"), see [redacted] and mask-x"
        );
        assert_eq!(line_without("sk-proj-1***9", "", 200), "[redacted]");
    }

    proptest! {
        #[test]
        fn nothing_brings_it_back(
            before in "\\PC{0,30}",
            secret in "[!-~]{12,60}",
            after in "\\PC{0,30}",
            at in 1usize..11,
            chars_max in 1usize..100,
        ) {
            let broken = format!("{}\u{7}{}", &secret[..at], &secret[at..]);
            for said in [&secret, &broken] {
                let shown = line_without(&format!("{before}{said}{after}"), &secret, chars_max);
                prop_assert!(!shown.contains(&secret), "{shown}");
                prop_assert!(shown.chars().count() <= chars_max + 1);
            }
        }
    }
}
