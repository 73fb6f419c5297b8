//! The lines of a Markdown text that are no code: what stands between fences is left out. No
//! other Markdown is understood here, nor is code that is only indented: so are items of lists.

/// The lines outside of fences (```` ``` ```` and `~~~`).
pub(crate) fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut open: Option<(char, usize)> = None;
    text.lines().filter(move |line| {
        let start = line.trim_start_matches(|c: char| c == '>' || c.is_whitespace());
        let Some(mark) = start.chars().next().filter(|c| matches!(c, '`' | '~')) else {
            return open.is_none();
        };
        let rest = start.trim_start_matches(mark);
        let length = start.len() - rest.len();
        match open {
            // What has its end in the same line is no fence.
            None if length >= 3 && !(mark == '`' && rest.contains('`')) => {
                open = Some((mark, length));
                false
            }
            None => true,
            Some((begun, least)) => {
                if mark == begun && length >= least && rest.trim().is_empty() {
                    open = None;
                }
                false
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::prose;

    #[test]
    fn what_is_between_fences_is_no_prose() {
        let text = "a\n```rust\nno\n~~~\nno\n```\nb\n~~~~\nno\n~~~\nno\n~~~~~ \n```x``` c\n> ```\n\
                    > no\n> ```\n  - d\n``\ne\n```\nno\n``` no\nno";
        let all: Vec<&str> = prose(text).collect();
        assert_eq!(all, ["a", "b", "```x``` c", "  - d", "``", "e"]);
    }
}
