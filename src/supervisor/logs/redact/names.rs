//! `name=value` and its kin, where the name says that the value is a secret: in environments,
//! headers, JSON (also within JSON), YAML, addresses, arguments and `Debug` output.

use super::{INSTEAD, Span};

/// What a name ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Only some keys open anything.
    Key,
    /// Models count tokens, too.
    Token,
    /// A secret, whatever it looks like.
    Secret,
    /// A header whose whole value is one.
    Header,
}

/// The words that the automaton looks for.
pub(super) const WORDS: &[(&str, Word)] = &[
    ("key", Word::Key),
    ("token", Word::Token),
    ("secret", Word::Secret),
    ("password", Word::Secret),
    ("passwd", Word::Secret),
    ("passphrase", Word::Secret),
    ("credential", Word::Secret),
    ("authorization", Word::Header),
    ("cookie", Word::Header),
];

/// What a name ends in, written together, before `key`.
const BEFORE_KEY: [&str; 14] = [
    "api",
    "auth",
    "access",
    "secret",
    "private",
    "ssh",
    "signing",
    "encryption",
    "master",
    "bot",
    "app",
    "client",
    "service",
    "license",
];

/// Values that say nothing.
const HARMLESS: [&str; 21] = [
    "null",
    "none",
    "nil",
    "undefined",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "set",
    "unset",
    "missing",
    "required",
    "invalid",
    "expired",
    "empty",
    "absent",
    "present",
    "redacted",
    "default",
];

/// Names of ways to authenticate; the secret comes after them.
const SCHEMES: [&str; 6] = ["bearer", "basic", "token", "apikey", "digest", "negotiate"];

/// Bytes of a name looked at.
const NAME_BYTES_MAX: usize = 128;
/// A text of fewer bytes does not look as if it were made by chance.
const RANDOM_BYTES_MIN: usize = 16;
/// Of the value of a `key` that is perhaps none.
const PERHAPS_BYTES_MAX: usize = 512;
/// Words around a value, as in `Some(Secret(…))`.
const WRAPS_MAX: usize = 4;

/// How much a name says about its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    Secret,
    /// A secret if it looks like one.
    Perhaps,
}

/// Judges what comes after a word that stands at `start..end`.
pub(super) fn value(text: &[u8], start: usize, end: usize, word: Word) -> Option<Span> {
    let name = name_start(text, start);
    let mut at = end;
    if word == Word::Secret && text.get(at).is_some_and(|b| b.eq_ignore_ascii_case(&b's')) {
        at += 1;
    }
    let (at, pair) = after_separator(text, name, at)?;
    let says = says(&text[name..start], &text[start..end], word);
    let in_query = name > 0 && matches!(text[name - 1], b'?' | b'&');
    if says == Says::Perhaps {
        // Such names are many, and a long text may be full of them.
        let near = &text[..text.len().min(at + PERHAPS_BYTES_MAX)];
        let (from, to) = extent(near, at, word, in_query)?;
        if !tells(&text[from..to], says, word) {
            return None;
        }
    }
    let (from, to) = extent(text, at, word, in_query)?;
    if pair && !matches!(text[from - 1], b'"' | b'\'') {
        return None;
    }
    tells(&text[from..to], says, word).then_some(Span { start: from, end: to, instead: INSTEAD })
}

/// Whether a field with this name and value is a secret.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    let known = WORDS.iter().find_map(|(text, word)| {
        let bare = name.strip_suffix(['s', 'S']).filter(|_| *word == Word::Secret);
        [Some(name), bare].into_iter().flatten().find_map(|name| {
            let at = name.len().checked_sub(text.len())?;
            let (before, end) = name.as_bytes().split_at(at);
            end.eq_ignore_ascii_case(text.as_bytes()).then(|| (says(before, end, *word), *word))
        })
    });
    known.is_some_and(|(says, word)| tells(value.as_bytes(), says, word))
}

fn says(before: &[u8], written: &[u8], word: Word) -> Says {
    if word != Word::Key {
        return Says::Secret;
    }
    // Of an argument, `--key`.
    let dashes = before.iter().take_while(|b| **b == b'-').count();
    let before = &before[dashes..];
    let Some(last) = before.last() else {
        return Says::Perhaps;
    };
    let camel = (last.is_ascii_lowercase() || last.is_ascii_digit()) && written[0] == b'K';
    let together = BEFORE_KEY.iter().any(|known| ends_in(before, known));
    // `monkey=` is no key.
    if camel || together || b"_-.".contains(last) { Says::Secret } else { Says::Perhaps }
}

fn tells(value: &[u8], says: Says, word: Word) -> bool {
    let is = |known: &&str| value.eq_ignore_ascii_case(known.as_bytes());
    if value.is_empty() || HARMLESS.iter().any(is) || is_redacted(value) {
        return false;
    }
    if value.iter().all(|b| b"*.-".contains(b)) {
        return false;
    }
    let number = value.len() <= 6 && value.iter().all(u8::is_ascii_digit);
    if number && matches!(word, Word::Key | Word::Token) {
        return false;
    }
    says == Says::Secret || looks_random(value)
}

fn is_redacted(value: &[u8]) -> bool {
    value.starts_with(b"[REDACTED")
        || value.starts_with(b"[redacted")
        || value.starts_with(b"REDACTED")
}

/// Whether a run of characters in it looks as if it were made by chance.
pub(super) fn looks_random(value: &[u8]) -> bool {
    let lawful = |b: &u8| b.is_ascii_alphanumeric() || b"+/_=-".contains(b);
    value.split(|b| !lawful(b)).any(|run| {
        run.len() >= RANDOM_BYTES_MIN
            && run.iter().any(u8::is_ascii_digit)
            && run.iter().any(u8::is_ascii_alphabetic)
    })
}

fn name_start(text: &[u8], at: usize) -> usize {
    let lawful = |b: &u8| b.is_ascii_alphanumeric() || b"_-.".contains(b);
    let before = &text[at.saturating_sub(NAME_BYTES_MAX)..at];
    at - before.iter().rev().take_while(|b| lawful(b)).count()
}

fn ends_in(text: &[u8], end: &str) -> bool {
    text.len() >= end.len() && text[text.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
}

/// Where the value begins, and whether name and value have only a comma between them.
fn after_separator(text: &[u8], name: usize, end: usize) -> Option<(usize, bool)> {
    let closed = close_quote(text, end);
    let at = blanks(text, closed.unwrap_or(end));
    let rest = &text[at..];
    let starts = |with: &str| {
        rest.len() >= with.len() && rest[..with.len()].eq_ignore_ascii_case(with.as_bytes())
    };
    let found = match rest {
        [b':', b':', ..] | [b':', b'/', b'/', ..] => return None,
        [b':', b'=', ..] | [b'=', b'>' | b'=', ..] => 2,
        [b':' | b'=', ..] => 1,
        // Pairs, as in `("x-api-key", "…")`.
        [b',', ..] if closed.is_some() => {
            return Some((spaces(text, at + 1), true));
        }
        _ if starts("%3a") || starts("%3d") => 3,
        // `--api-key …`
        [first, ..] if at > end && *first != b'-' && text[name..].starts_with(b"-") => 0,
        _ => return None,
    };
    Some((spaces(text, at + found), false))
}

/// After a quote and the backslashes before it, if they are there.
fn close_quote(text: &[u8], at: usize) -> Option<usize> {
    let at = at + backslashes(&text[at..]);
    matches!(text.get(at), Some(b'"' | b'\'' | b'`')).then_some(at + 1)
}

fn backslashes(text: &[u8]) -> usize {
    text.iter().take_while(|b| **b == b'\\').count()
}

fn blanks(text: &[u8], at: usize) -> usize {
    at + text[at..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count()
}

fn spaces(text: &[u8], at: usize) -> usize {
    at + text[at..].iter().take_while(|b| b.is_ascii_whitespace()).count()
}

/// From where to where a value goes that begins at `at`, without what is around it.
fn extent(text: &[u8], mut at: usize, word: Word, in_query: bool) -> Option<(usize, usize)> {
    for _ in 0..WRAPS_MAX {
        let name = text[at..].iter().take_while(|b| b.is_ascii_alphanumeric() || b"_:".contains(b));
        let open = at + name.count();
        if text.get(open) != Some(&b'(') {
            break;
        }
        at = spaces(text, open + 1);
    }
    let escapes = backslashes(&text[at..]);
    match text.get(at + escapes)? {
        quote @ (b'"' | b'\'' | b'`') => {
            let from = at + escapes + 1;
            Some((from, closing(text, from, *quote, escapes)))
        }
        open @ (b'[' | b'{') if !is_redacted(&text[at..]) => {
            let from = at + escapes + 1;
            Some((from, matching(text, from, *open)))
        }
        _ => bare(text, at, word, in_query),
    }
}

/// Where a quoted value ends: at a quote that is escaped no more than the first.
fn closing(text: &[u8], from: usize, quote: u8, escapes: usize) -> usize {
    let mut before = 0;
    for (at, byte) in text.iter().enumerate().skip(from) {
        match byte {
            b'\\' => before += 1,
            _ if *byte == quote => {
                let ends = if escapes == 0 { before % 2 == 0 } else { before <= escapes };
                if ends {
                    return at - if escapes == 0 { 0 } else { before };
                }
                before = 0;
            }
            _ => before = 0,
        }
    }
    text.len()
}

fn matching(text: &[u8], from: usize, open: u8) -> usize {
    let close = if open == b'[' { b']' } else { b'}' };
    let mut depth = 1;
    for (at, byte) in text.iter().enumerate().skip(from) {
        if *byte == open {
            depth += 1;
        } else if *byte == close {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    text.len()
}

/// A value without quotes goes to the next space, of a header to the end of the line.
fn bare(text: &[u8], from: usize, word: Word, in_query: bool) -> Option<(usize, usize)> {
    let ends = |at: usize| match text[at] {
        b'\n' | b'\r' => true,
        b' ' | b'\t' | b'\x0b' | b'\x0c' => word != Word::Header,
        b'&' | b'#' => in_query,
        b'"' | b'`' | b'\\' => closes(&text[at..]),
        _ => false,
    };
    let run = |from: usize| (from..text.len()).find(|at| ends(*at)).unwrap_or(text.len());
    let mut end = run(from);
    if SCHEMES.iter().any(|scheme| text[from..end].eq_ignore_ascii_case(scheme.as_bytes())) {
        let next = blanks(text, end);
        end = run(next);
    }
    let kept = text[from..end].iter().rev().take_while(|b| b",;.)}]>'".contains(b)).count();
    let end = end - kept;
    (from < end).then_some((from, end))
}

/// Whether a quote, after backslashes, ends what is around the value.
fn closes(text: &[u8]) -> bool {
    let at = backslashes(text);
    matches!(text.get(at), Some(b'"' | b'\'' | b'`'))
        && text.get(at + 1).is_none_or(|b| b.is_ascii_whitespace() || b",}]):;>\\".contains(b))
}
