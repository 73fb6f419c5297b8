//! Secrets that are known by how they look, wherever they stand, and folders of people.

use super::names::looks_random;
use super::{INSTEAD, INSTEAD_OF_HOME, INSTEAD_OF_KEY, Span};

/// What begins with something that the automaton finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A key of ours (contract-core §7.3).
    OurKey,
    /// So many letters, digits, `-` and `_` more; within a word, too.
    Anywhere(usize),
    /// The same at the beginning of a word.
    Word(usize),
    /// The same of capitals and digits.
    Capitals(usize),
    /// `xoxb-…` and its family.
    Slack,
    /// `eyJ….….…`
    Jwt,
    /// A private key in its armour.
    Armour,
    /// `Bearer …`
    Bearer,
    /// `Basic …`
    Basic,
    /// `://user:password@`
    Address,
    /// The folder of a person
    Home,
}

/// Their beginnings.
pub(super) const SHAPES: &[(&str, Shape)] = &[
    ("para_", Shape::OurKey),
    ("sk-ant-", Shape::Anywhere(6)),
    ("sk-", Shape::Word(16)),
    ("ghp_", Shape::Word(20)),
    ("gho_", Shape::Word(20)),
    ("ghu_", Shape::Word(20)),
    ("ghs_", Shape::Word(20)),
    ("ghr_", Shape::Word(20)),
    ("github_pat_", Shape::Word(20)),
    ("glpat-", Shape::Word(16)),
    ("hf_", Shape::Word(30)),
    ("npm_", Shape::Word(30)),
    ("AIza", Shape::Word(30)),
    ("xapp-", Shape::Word(10)),
    ("xox", Shape::Slack),
    ("AKIA", Shape::Capitals(12)),
    ("ASIA", Shape::Capitals(12)),
    ("eyJ", Shape::Jwt),
    ("-----BEGIN", Shape::Armour),
    ("bearer", Shape::Bearer),
    ("basic ", Shape::Basic),
    ("://", Shape::Address),
    (":\\/\\/", Shape::Address),
    ("/home/", Shape::Home),
    ("/Users/", Shape::Home),
    ("\\/home\\/", Shape::Home),
    ("\\/Users\\/", Shape::Home),
];

/// Of the keys we make there are 32 characters behind `para_`; of a shortened one, fewer.
const OUR_KEY_BYTES_MIN: usize = 20;
/// Bytes of an address looked at.
const ADDRESS_BYTES_MAX: usize = 1024;
/// A user's name in an address without a password, that may be a token.
const USER_BYTES_MIN: usize = 12;
/// Words after "bearer" that are no token.
const PROSE: [&str; 15] = [
    "token",
    "tokens",
    "auth",
    "authentication",
    "authorization",
    "header",
    "headers",
    "scheme",
    "credential",
    "credentials",
    "key",
    "keys",
    "of",
    "is",
    "and",
];
/// A text of one word of so many bytes may be a line of a key.
const LONE_BYTES: std::ops::RangeInclusive<usize> = 24..=100;

/// Judges what stands at `start..end`.
pub(super) fn judge(text: &[u8], start: usize, end: usize, shape: Shape) -> Option<Span> {
    let exact = SHAPES.iter().any(|(known, _)| known.as_bytes() == &text[start..end]);
    let long = |min: usize| {
        let end = end + text[end..].iter().take_while(|b| is_token(b)).count();
        (exact && end - start >= min + 3).then_some(Span { start, end, instead: INSTEAD })
    };
    let span = |start, end| Span { start, end, instead: INSTEAD };
    match shape {
        Shape::OurKey => {
            let more = text[end..].iter().take_while(|b| is_token(b)).count();
            let found = exact && more >= OUR_KEY_BYTES_MIN;
            found.then_some(Span { start, end: end + more, instead: INSTEAD_OF_KEY })
        }
        Shape::Anywhere(min) => long(min),
        Shape::Word(min) if begins(text, start) => long(min),
        Shape::Capitals(min) if begins(text, start) && exact => {
            let capital = |b: &&u8| b.is_ascii_uppercase() || b.is_ascii_digit();
            let more = text[end..].iter().take_while(capital).count();
            (more >= min).then(|| span(start, end + more))
        }
        Shape::Slack if begins(text, start) && text.get(end + 1) == Some(&b'-') => long(10),
        Shape::Jwt if begins(text, start) && exact => jwt(text, start).map(|end| span(start, end)),
        Shape::Armour if exact => armour(text, end).map(|(start, end)| span(start, end)),
        Shape::Bearer => bearer(text, end).map(|(start, end)| span(start, end)),
        Shape::Basic => basic(text, end).map(|end_of| span(end, end_of)),
        Shape::Address => address(text, end).map(|(start, end)| span(start, end)),
        Shape::Home if exact => home(text, start, end).map(|(start, end)| span(start, end)),
        _ => None,
    }
}

/// The owner's home, if it is not the beginning of another name.
pub(super) fn own_home(text: &[u8], start: usize, end: usize) -> Option<Span> {
    let goes_on = text
        .get(end)
        .is_some_and(|b| is_token(b) || *b == b'.' && text.get(end + 1).is_some_and(is_token));
    let apart = start == 0 || !(is_token(&text[start - 1]) || text[start - 1] == b'.');
    (apart && !goes_on).then_some(Span { start, end, instead: INSTEAD_OF_HOME })
}

/// What no fixed letters announce: tokens of Telegram's and Discord's bots, and a text that is
/// one long word made by chance, such as a line of a key.
pub(super) fn without_prefix(text: &[u8], spans: &mut Vec<Span>) {
    for (at, byte) in text.iter().enumerate() {
        let found = match byte {
            b':' if at > 0 && text[at - 1].is_ascii_digit() => telegram(text, at),
            b'.' if text.get(at + 7) == Some(&b'.') => discord(text, at),
            _ => None,
        };
        spans.extend(found.map(|(start, end)| Span { start, end, instead: INSTEAD }));
    }
    let word = text.trim_ascii();
    let lawful = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
    if LONE_BYTES.contains(&word.len())
        && word.iter().all(lawful)
        && word.iter().any(u8::is_ascii_uppercase)
        && word.iter().any(u8::is_ascii_lowercase)
        && looks_random(word)
    {
        spans.push(Span { start: 0, end: text.len(), instead: INSTEAD });
    }
}

/// `123456789:…`, around its colon.
fn telegram(text: &[u8], colon: usize) -> Option<(usize, usize)> {
    let digits = text[..colon].iter().rev().take(12).take_while(|b| b.is_ascii_digit()).count();
    let more = text[colon + 1..].iter().take_while(|b| is_token(b)).count();
    (digits >= 8 && more >= 35).then_some((colon - digits, colon + 1 + more))
}

/// Three parts, of which the second has six characters, around the first dot.
fn discord(text: &[u8], dot: usize) -> Option<(usize, usize)> {
    let first = text[..dot].iter().rev().take(40).take_while(|b| is_token(b)).count();
    let third = text[dot + 8..].iter().take_while(|b| is_token(b)).count();
    let found = first >= 23 && third >= 27 && text[dot + 1..dot + 7].iter().all(is_token);
    found.then_some((dot - first, dot + 8 + third))
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Whether a word begins here.
fn begins(text: &[u8], at: usize) -> bool {
    at == 0 || !is_token(&text[at - 1])
        // An escaped line feed, tab or the like in JSON is no letter.
        || at >= 2 && text[at - 2] == b'\\' && b"nrt".contains(&text[at - 1])
        // Nor is the end of `%3D`.
        || at >= 3 && text[at - 3] == b'%' && text[at - 2].is_ascii_hexdigit()
}

/// The end of a token of three parts, or of the two that tell something.
fn jwt(text: &[u8], start: usize) -> Option<usize> {
    let part = |from: usize| from + text[from..].iter().take_while(|b| is_token(b)).count();
    let first = part(start);
    let second = part((first + 1).min(text.len()));
    if text.get(first) != Some(&b'.') || first - start < 10 || second - first < 9 {
        return None;
    }
    Some(if text.get(second) == Some(&b'.') { part(second + 1) } else { second })
}

/// What is inside the armour of a private key.
fn armour(text: &[u8], end: usize) -> Option<(usize, usize)> {
    let find = |from: usize, what: &[u8]| {
        text[from..].windows(what.len()).position(|part| part == what).map(|at| from + at)
    };
    let label = find(end, b"-----")?;
    let private = text[end..label].windows(7).any(|part| part == b"PRIVATE");
    let body = label + 5;
    let close = find(body, b"-----END").unwrap_or(text.len());
    (private && label - end < 40 && body < close).then_some((body, close))
}

/// What comes after "bearer", unless it is a word of a sentence.
fn bearer(text: &[u8], end: usize) -> Option<(usize, usize)> {
    let mut from = end;
    while from < text.len() {
        from += match &text[from..] {
            [b' ' | b'\t' | b'+' | b':' | b'=', ..] => 1,
            [b'%', b'2', b'0', ..] => 3,
            _ => break,
        };
    }
    if from == end {
        return None;
    }
    from += text[from..].iter().take_while(|b| b"\\\"'".contains(b)).count();
    let inside = |b: &&u8| !b.is_ascii_whitespace() && !b"\\\"'`,;<>()[]{}".contains(*b);
    let word = &text[from..from + text[from..].iter().take_while(inside).count()];
    let prose = PROSE.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
    (!word.is_empty() && !prose).then_some((from, from + word.len()))
}

/// The end of a user and password in Base64. What does not decode to them is a sentence.
fn basic(text: &[u8], from: usize) -> Option<usize> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let (mut bits, mut held, mut plain) = (0u32, 0, Vec::new());
    let mut end = from;
    while let Some(six) = text.get(end).copied().and_then(value) {
        (bits, held, end) = (bits << 6 | u32::from(six), held + 6, end + 1);
        if held >= 8 {
            held -= 8;
            plain.push((bits >> held) as u8);
        }
    }
    end += text[end..].iter().take_while(|b| **b == b'=').count();
    let plain = std::str::from_utf8(&plain).ok()?;
    (plain.contains(':') && !plain.contains(char::is_control)).then_some(end)
}

/// The password, or all before the `@` of an address that begins at `from`.
fn address(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let run = text[from..].iter().take(ADDRESS_BYTES_MAX);
    let inside = |b: &&u8| !b.is_ascii_whitespace() && !b"\"'`<>".contains(*b);
    let run = &text[from..from + run.take_while(inside).count()];
    let host = run.iter().position(|b| b"/?#\\".contains(b)).unwrap_or(run.len());
    let colon = run[..host].iter().position(|b| *b == b':');
    // A password may hold a `/` that should have been escaped; a port is digits.
    let odd = colon.is_some_and(|at| run[at + 1..host].iter().any(|b| !b.is_ascii_digit()));
    let last = |part: &[u8]| part.iter().rposition(|b| *b == b'@');
    let at = last(&run[..host]).or_else(|| last(run).filter(|_| odd))?;
    let start = colon.filter(|colon| *colon < at).map_or(0, |colon| colon + 1);
    // `ssh://git@…` tells nothing.
    let name = start == 0 && at < USER_BYTES_MIN;
    let open = !name && start < at && !run[start..at].starts_with(b"[REDACTED");
    (open && !run.starts_with(b"[")).then_some((from + start, from + at))
}

/// The name of a person's folder.
fn home(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let apart = start == 0 || !is_token(&text[start - 1]) || text[..start].ends_with(b"/var");
    let inside = |b: &&u8| !b.is_ascii_whitespace() && !b"/\"'`\\:,;()<>|[]{}".contains(*b);
    let name = &text[end..end + text[end..].iter().take_while(inside).count()];
    let one = apart && !name.is_empty() && name != b"Shared";
    one.then_some((end, end + name.len()))
}
