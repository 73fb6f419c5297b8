//! What a person looks for, in the words of SQLite's index: every text is a query, and none is a
//! fault. All words have to be there; `"several words"` in this order; `begin*` is enough of a
//! word. There are no operators: `AND` is a word.

use crate::limits::WORDS_MAX;
use crate::text::spaced;

/// The query for the words table; None: there is no word in it.
pub(crate) fn words(text: &str) -> Option<String> {
    let mut terms = Vec::new();
    let mut rest = text;
    while terms.len() < WORDS_MAX {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { break };
        let (term, after) = match rest.strip_prefix('"') {
            Some(inside) => inside.split_once('"').unwrap_or((inside, "")),
            None => {
                let end = |c: char| c.is_whitespace() || c == '"';
                let end = rest.find(end).unwrap_or(rest.len());
                rest.split_at(end)
            }
        };
        rest = after;
        let phrase = first == '"';
        let begins = match phrase {
            true => rest.strip_prefix('*').inspect(|after| rest = after).is_some(),
            false => term.ends_with('*'),
        };
        terms.extend(one(term, begins));
    }
    (!terms.is_empty()).then(|| terms.join(" "))
}

/// A word or a phrase; None where there is no letter in it.
fn one(term: &str, begins: bool) -> Option<String> {
    // Control characters and quotes part words as spaces do.
    let plain = |c: char| if c.is_control() || c == '"' { ' ' } else { c };
    let term: String = spaced(term).chars().map(plain).collect();
    let star = if begins { "*" } else { "" };
    term.contains(char::is_alphanumeric).then(|| format!("\"{}\"{star}", term.trim()))
}

#[cfg(test)]
mod tests {
    use super::words;
    use proptest::prelude::*;
    use rusqlite::Connection;

    #[test]
    fn words_phrases_and_begins_are_told_apart() {
        for (text, query) in [
            ("ada  lovelace", Some(r#""ada" "lovelace""#)),
            (r#""ada lovelace" x"#, Some(r#""ada lovelace" "x""#)),
            (r#"love* "ada lo"*"#, Some(r#""love*"* "ada lo"*"#)),
            (r#"a"b c"d"#, Some(r#""a" "b c" "d""#)),
            ("AND (NOT) name:x ^y -z", Some(r#""AND" "(NOT)" "name:x" "^y" "-z""#)),
            (r#""open"#, Some(r#""open""#)),
            ("日記*", Some("\"日\u{200b}記\u{200b}*\"*")),
            ("", None),
            ("*** \"\" - \"", None),
        ] {
            assert_eq!(words(text).as_deref(), query, "{text}");
        }
        assert_eq!(words(&"a ".repeat(500)).expect("words").matches('a').count(), super::WORDS_MAX);
    }

    fn asked(query: &str) -> rusqlite::Result<i64> {
        let sql = Connection::open_in_memory()?;
        sql.execute_batch(
            "CREATE VIRTUAL TABLE t USING fts5(a, b, tokenize='unicode61 remove_diacritics 2');
             INSERT INTO t VALUES ('x y', 'z')",
        )?;
        let query = format!("b : \"z\" AND ({{a b}} : ({query}))");
        sql.query_row("SELECT count(*) FROM t WHERE t MATCH ?1", [query], |row| row.get(0))
    }

    proptest! {
        #[test]
        fn no_text_is_a_syntax_error(
            text in "[a-z\"*()^:{}+, \\-\u{0}-\u{20}]{0,40}|\\PC{0,40}\
                |(AND|OR|NOT|NEAR|\"| |\\*){0,9}",
        ) {
            if let Some(query) = words(&text) {
                let found = asked(&query);
                prop_assert!(found.is_ok(), "{:?} {} {:?}", text, query, found);
            }
        }
    }
}
