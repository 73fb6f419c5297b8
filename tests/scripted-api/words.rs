//! Text for answers: words that are all different, so that a piece lost, sent twice or cut in
//! the middle of a character shows in a comparison. Makes no JSON.

const ASCII: [&str; 24] = [
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi",
    "psi", "omega",
];

// Two, three and four bytes to a character, a joined emoji, a combining accent, right to left.
const WIDE: [&str; 12] = [
    "θάλασσα",
    "漢字",
    "🌊",
    "наука",
    "👩‍👧‍👦",
    "e\u{301}tude",
    "東京都",
    "שלום",
    "😀🎈",
    "naïve",
    "한국어",
    "ᚠᛇᚻ",
];

/// Appends word number `index`; from the second round on it carries the number of the round.
pub fn push_word(out: &mut String, index: usize, wide: bool) {
    let list: &[&str] = if wide { &WIDE } else { &ASCII };
    out.push_str(list[index % list.len()]);
    let round = index / list.len();
    if round > 0 {
        // Digits by hand: this runs for every token of a load test.
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        let mut rest = round;
        while rest > 0 {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        out.extend(digits[at..].iter().map(|digit| char::from(*digit)));
    }
}

/// `count` words with one space between them.
pub fn words(count: usize, wide: bool) -> String {
    let mut out = String::with_capacity(count * 8);
    for index in 0..count {
        if index > 0 {
            out.push(' ');
        }
        push_word(&mut out, index, wide);
    }
    out
}

/// A text of exactly `bytes` bytes: words, the end filled up with dots.
pub fn filler(bytes: usize, wide: bool) -> String {
    let mut out = String::with_capacity(bytes + 32);
    let mut index = 0;
    while out.len() < bytes {
        if index > 0 {
            out.push(' ');
        }
        push_word(&mut out, index, wide);
        index += 1;
    }
    out.truncate(out.floor_char_boundary(bytes));
    while out.len() < bytes {
        out.push('.');
    }
    out
}

/// The text in pieces as a model sends it: a word with the white space after it.
pub fn pieces(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let space = rest[word..].find(|c: char| !c.is_whitespace()).unwrap_or(rest.len() - word);
        let (piece, after) = rest.split_at(word + space);
        out.push(piece);
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_all_different() {
        for wide in [false, true] {
            let text = words(500, wide);
            let mut seen: Vec<&str> = text.split(' ').collect();
            assert_eq!(seen.len(), 500);
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), 500);
        }
    }

    #[test]
    fn filler_has_the_size_asked_for() {
        for bytes in 0..200 {
            assert_eq!(filler(bytes, false).len(), bytes);
            assert_eq!(filler(bytes, true).len(), bytes);
        }
    }

    #[test]
    fn pieces_join_to_the_text() {
        for text in ["", "one", " lead  and\ttrail \n", "αβ γδ 🌊"] {
            assert_eq!(pieces(text).concat(), text);
        }
        assert_eq!(pieces("one two  three"), ["one ", "two  ", "three"]);
    }
}
