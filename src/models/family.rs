//! A model's family, from its id. Ids of the vendor so far: `claude-3-5-sonnet-20241022`,
//! `claude-sonnet-4-5-20250929`, `claude-opus-5-5`, `claude-instant-1.2`, `claude-2.1`; gateways
//! put prefixes and suffixes around them. (The predecessor took the second word, and so had a
//! family `3`.) What other vendors' ids say is a guess, and never an error.

/// Where the id does not say.
const UNKNOWN: &str = "unknown";

/// Words of an id that name a variant and no family.
const VARIANTS: [&str; 5] = ["latest", "preview", "beta", "default", "thinking"];

/// The family: `sonnet`, `opus`, …, for other vendors the id's first word (`gpt`), else
/// `unknown`. In small letters, never empty.
pub fn family(id: &str) -> String {
    let id = id.to_lowercase();
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    let all = words(&id);
    if let Some(at) = all.iter().rposition(|word| is_claude(word)) {
        let named = all[at + 1..].iter().find(|word| is_name(word));
        return named.cloned().unwrap_or_else(|| UNKNOWN.to_owned());
    }
    let own = words(own_part(&id));
    own.iter().find(|word| has_letter(word)).map_or_else(|| UNKNOWN.to_owned(), |word| stem(word))
}

/// `claude`, also with a number at its end.
fn is_claude(word: &str) -> bool {
    word.trim_end_matches(|c: char| c.is_ascii_digit()) == "claude"
}

fn is_name(word: &str) -> bool {
    word.chars().all(char::is_alphabetic) && word.len() > 1 && !VARIANTS.contains(&word)
}

fn has_letter(word: &str) -> bool {
    word.chars().any(char::is_alphabetic)
}

/// Without the vendors and regions before it: `meta-llama/llama-3` → `llama-3`,
/// `us.amazon.nova-pro-v1:0` → `nova-pro-v1:0`.
fn own_part(id: &str) -> &str {
    let mut own = id.rsplit('/').find(|part| has_letter(part)).unwrap_or(id);
    while let Some((before, after)) = own.split_once('.') {
        if !before.chars().all(char::is_alphabetic) || !has_letter(after) {
            break;
        }
        own = after;
    }
    own
}

/// A word without the number at its end, unless next to nothing is left: `llama3` → `llama`,
/// `o3` → `o3`.
fn stem(word: &str) -> String {
    let stem: String = word.chars().take_while(|c| c.is_alphabetic()).collect();
    if stem.chars().count() > 1 { stem } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::family;
    use proptest::prelude::*;

    #[test]
    fn every_naming_scheme_so_far() {
        for (id, expected) in [
            ("claude-3-5-sonnet-20241022", "sonnet"),
            ("claude-3-5-sonnet-latest", "sonnet"),
            ("claude-3-opus-latest", "opus"),
            ("claude-3-haiku-20240307", "haiku"),
            ("claude-sonnet-4-5-20250929", "sonnet"),
            ("claude-sonnet-4-5", "sonnet"),
            ("claude-opus-5-5", "opus"),
            ("claude-mythos-5", "mythos"),
            ("claude-mythos-preview", "mythos"),
            ("claude-instant-1.2", "instant"),
            ("claude-2.1", "unknown"),
            ("claude-2", "unknown"),
            ("claude-v2", "unknown"),
            ("claude", "unknown"),
            ("claude-latest", "unknown"),
            ("Claude-Opus-5-5", "opus"),
            ("anthropic/claude-sonnet-4-5@20250929", "sonnet"),
            ("claude-3-5-sonnet-v2@20241022", "sonnet"),
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "haiku"),
            ("anthropic.claude-v2:1", "unknown"),
            ("anthropic/claude-3.7-sonnet:thinking", "sonnet"),
            ("arn:aws:bedrock:x::foundation-model/anthropic.claude-opus-4-1-v1:0", "opus"),
            ("claude_opus_5", "opus"),
            ("gpt-4o", "gpt"),
            ("openai/gpt-4o", "gpt"),
            ("o3-mini", "o3"),
            ("llama3:8b", "llama"),
            ("meta-llama/Llama-3-70b", "llama"),
            ("gemini-2.5-pro", "gemini"),
            ("qwen2.5-coder", "qwen"),
            ("us.amazon.nova-pro-v1:0", "nova"),
            ("scripted-model-003", "scripted"),
            ("20250929", "unknown"),
            ("-./@:", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(family(id), expected, "{id}");
        }
    }

    proptest! {
        #[test]
        fn never_empty(id in any::<String>()) {
            prop_assert!(!family(&id).is_empty());
        }

        #[test]
        fn a_word_among_the_numbers_is_the_family(
            before in "(|[a-z]{2,9}/|us\\.[a-z]{2,9}\\.)",
            version in "(|-[0-9]{1,2}|-[0-9]-[0-9])",
            name in "(opus|sonnet|haiku|fable|mythos|instant)",
            after in "(|-[0-9]{1,2}(-[0-9]){0,2})(|[-@]20[0-9]{6})(|-latest)(|-v[0-9]:[0-9])",
        ) {
            let id = format!("{before}claude{version}-{name}{after}");
            prop_assert_eq!(family(&id), name, "{}", id);
        }
    }
}
