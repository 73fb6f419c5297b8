//! As much of Rust's syntax as the rules need: what is code and what is comment or literal, words,
//! and the heads of a `use` group.

/// Rust text with comments and the insides of literals blanked, lines kept.
pub(crate) fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = comment(rest).or_else(|| literal(rest, &out));
        let length = skipped.unwrap_or(first.len_utf8());
        let (piece, after) = rest.split_at(length);
        match skipped {
            Some(_) => out.extend(piece.chars().map(|c| if c == '\n' { c } else { ' ' })),
            None => out.push_str(piece),
        }
        rest = after;
    }
    out
}

fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    Some(rest.find("*/").map_or(rest.len(), |end| end + 2))
}

fn literal(rest: &str, before: &str) -> Option<usize> {
    let in_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r')).filter(|_| !in_word);
    if let Some(opened) = raw {
        let hashes = opened.len() - opened.trim_start_matches('#').len();
        if opened[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let start = rest.len() - opened.len() + hashes + 1;
            return Some(
                rest[start..].find(&close).map_or(rest.len(), |at| start + at + close.len()),
            );
        }
    }
    if rest.starts_with('"') {
        return Some(ended(rest, '"'));
    }
    // A character, not a lifetime: something, or an escape, and a closing quote.
    let mut chars = rest.strip_prefix('\'')?.chars();
    match chars.next()? {
        '\\' => Some(ended(rest, '\'')),
        one if chars.next() == Some('\'') => Some(2 + one.len_utf8()),
        _ => None,
    }
}

/// The length of a quoted literal with escapes.
fn ended(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

pub(crate) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The first word of each item of a `use` group.
pub(crate) fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut item = String::new();
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(std::mem::take(&mut item)),
            _ if depth == 0 => item.push(c),
            _ => {}
        }
    }
    heads.push(item);
    heads.iter().filter_map(|item| words(item).next()).map(str::to_owned).collect()
}

#[test]
fn comments_and_literals_are_no_code() {
    let text = r##"
        // unsafe
        let a = "unsafe \" unsafe"; /* unsafe */ let b = r#"unsafe " unsafe"#;
        let c = '"'; let d = '\''; fn e<'unsafe_>() {} unsafe { br"unsafe" }
    "##;
    assert_eq!(words(&code(text)).filter(|word| *word == "unsafe").count(), 1);
    assert_eq!(code(text).lines().count(), text.lines().count());
}
