//! Conditions of a request (RFC 9110 §13): whether what is there is what the client believes is
//! there. Tags are told without their quotes; ours are all strong. Times are no conditions here:
//! a file can change twice within one.

use http::{HeaderMap, HeaderName, header};

/// What a client wants of the tag of what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// `If-Match`.
    matches: Option<Tags>,
    /// `If-None-Match`.
    none: Option<Tags>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    /// `*`: whatever it is.
    Any,
    /// Tags, and whether each is a strong one.
    These(Vec<(String, bool)>),
}

impl Condition {
    /// What the headers say.
    pub fn of(headers: &HeaderMap) -> Condition {
        Condition {
            matches: tags(headers, &header::IF_MATCH),
            none: tags(headers, &header::IF_NONE_MATCH),
        }
    }

    /// Whether a change may be made to what has this tag; None: there is nothing.
    pub fn lets_change(&self, tag: Option<&str>) -> bool {
        let matches = self.matches.as_ref().is_none_or(|wanted| match (wanted, tag) {
            (Tags::Any, tag) => tag.is_some(),
            (Tags::These(tags), Some(tag)) => tags.iter().any(|(t, strong)| *strong && t == tag),
            (Tags::These(_), None) => false,
        });
        matches && !self.none.as_ref().is_some_and(|none| tag.is_some_and(|tag| none.has(tag)))
    }

    /// Whether the client has what has this tag already, and need not be sent it.
    pub fn has(&self, tag: &str) -> bool {
        self.none.as_ref().is_some_and(|none| none.has(tag))
    }
}

impl Tags {
    fn has(&self, tag: &str) -> bool {
        match self {
            Tags::Any => true,
            Tags::These(tags) => tags.iter().any(|(t, _)| t == tag),
        }
    }
}

/// The tags of a header. One that cannot be read is a tag that nothing has.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<Tags> {
    let mut found = Vec::new();
    for value in headers.get_all(name) {
        for tag in value.to_str().unwrap_or_default().split(',') {
            let tag = tag.trim();
            if tag == "*" {
                return Some(Tags::Any);
            }
            let (tag, strong) = tag.strip_prefix("W/").map_or((tag, true), |tag| (tag, false));
            found.push((tag.trim_matches('"').to_owned(), strong));
        }
    }
    (!found.is_empty()).then_some(Tags::These(found))
}

#[cfg(test)]
mod tests {
    use super::Condition;
    use http::{HeaderMap, HeaderName, HeaderValue};

    fn of(pairs: &[(&'static str, &'static str)]) -> Condition {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Condition::of(&pairs.collect::<HeaderMap>())
    }

    #[test]
    fn a_change_is_let_only_where_the_client_knows_what_is_there() {
        for (condition, tag, lets) in [
            (of(&[]), None, true),
            (of(&[]), Some("a"), true),
            (of(&[("if-match", "\"a\"")]), Some("a"), true),
            (of(&[("if-match", "\"b\", \"a\"")]), Some("a"), true),
            (of(&[("if-match", "\"b\"")]), Some("a"), false),
            (of(&[("if-match", "W/\"a\"")]), Some("a"), false),
            (of(&[("if-match", "\"a\"")]), None, false),
            (of(&[("if-match", "")]), Some("a"), false),
            (of(&[("if-match", "*")]), Some("a"), true),
            (of(&[("if-match", "*")]), None, false),
            (of(&[("if-none-match", "*")]), Some("a"), false),
            (of(&[("if-none-match", "*")]), None, true),
            (of(&[("if-none-match", "\"a\"")]), Some("b"), true),
        ] {
            assert_eq!(condition.lets_change(tag), lets, "{condition:?} {tag:?}");
        }
        assert!(of(&[("if-none-match", "W/\"a\"")]).has("a"));
        assert!(!of(&[("if-none-match", "\"b\"")]).has("a"));
        assert!(!of(&[]).has("a"));
    }
}
