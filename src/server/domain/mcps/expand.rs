//! Variables in a configuration: `${NAME}` and `$NAME` stand for what the server's own
//! environment has under that name, `${NAME:-otherwise}` for something else where it has nothing
//! (as the CLI reads the same file). What has no value stays as it is written. What was put in
//! is not looked at again.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use wire::Secret;

/// Puts values in the places of variables, and remembers which.
pub(crate) struct Expander<'a> {
    environment: &'a BTreeMap<String, String>,
    /// The values: each may be a secret.
    pub(crate) used: Vec<Secret>,
    /// The names that have none.
    unset: BTreeSet<String>,
}

/// What stands between two plain pieces of text.
struct Variable<'t> {
    name: &'t str,
    otherwise: Option<&'t str>,
    /// What comes after it.
    rest: &'t str,
}

impl<'a> Expander<'a> {
    pub(crate) fn new(environment: &'a BTreeMap<String, String>) -> Expander<'a> {
        Expander { environment, used: Vec::new(), unset: BTreeSet::new() }
    }

    /// The same configuration with values; names of fields are no places for variables.
    pub(crate) fn config(&mut self, config: &Map<String, Value>) -> Map<String, Value> {
        config.iter().map(|(name, value)| (name.clone(), self.value(value))).collect()
    }

    /// A sentence about the variables that have no value, if there are such.
    pub(crate) fn without_value(&self) -> Option<String> {
        let names: Vec<String> = self.unset.iter().map(|name| format!("`{name}`")).collect();
        (!names.is_empty()).then(|| format!("there is no value for {}", names.join(", ")))
    }

    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => self.config(fields).into(),
            _ => value.clone(),
        }
    }

    fn text(&mut self, text: &str) -> String {
        let (mut out, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let here = &rest[at..];
            let Some(variable) = variable(here) else {
                out.push('$');
                rest = &here[1..];
                continue;
            };
            let written = &here[..here.len() - variable.rest.len()];
            match self.environment.get(variable.name).map(String::as_str) {
                Some(value) if !value.is_empty() || variable.otherwise.is_none() => {
                    self.used.push(Secret::new(value.to_owned()));
                    out.push_str(value);
                }
                _ => match variable.otherwise {
                    Some(otherwise) => out.push_str(otherwise),
                    None => {
                        self.unset.insert(variable.name.to_owned());
                        out.push_str(written);
                    }
                },
            }
            rest = variable.rest;
        }
        out.push_str(rest);
        out
    }
}

/// The variable that a text begins with.
fn variable(text: &str) -> Option<Variable<'_>> {
    let after = text.strip_prefix('$')?;
    let Some(inside) = after.strip_prefix('{') else {
        let (name, rest) = name(after)?;
        return Some(Variable { name, otherwise: None, rest });
    };
    let (name, after) = name(inside)?;
    if let Some(rest) = after.strip_prefix('}') {
        return Some(Variable { name, otherwise: None, rest });
    }
    let (otherwise, rest) = after.strip_prefix(":-")?.split_once('}')?;
    Some(Variable { name, otherwise: Some(otherwise), rest })
}

/// The name of a variable that a text begins with, and what comes after it.
fn name(text: &str) -> Option<(&str, &str)> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins.then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn environment() -> BTreeMap<String, String> {
        let pairs = [("A", "1"), ("LONG_NAME", "$A ${A}"), ("EMPTY", ""), ("_X9", "x")];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn variables_stand_for_their_values() {
        let environment = environment();
        for (text, is, unset) in [
            ("${A}", "1", ""),
            ("$A", "1", ""),
            ("$A$A-${A}b$_X9", "11-1bx", ""),
            ("Bearer ${LONG_NAME}", "Bearer $A ${A}", ""),
            ("[$EMPTY]", "[]", ""),
            ("${B}/$B/$AB", "${B}/$B/$AB", "AB B"),
            ("${B:-or}${A:-or}${EMPTY:-or}${EMPTY:-}", "or1or", ""),
            ("$", "$", ""),
            ("$$A ${} ${A ${A-b} $5 ${a b}", "$1 ${} ${A ${A-b} $5 ${a b}", ""),
            ("ü$ü", "ü$ü", ""),
        ] {
            let mut expander = Expander::new(&environment);
            assert_eq!(expander.text(text), is, "{text}");
            let names: Vec<String> = expander.unset.into_iter().collect();
            assert_eq!(names.join(" "), unset, "{text}");
        }
        let mut expander = Expander::new(&environment);
        let config = json!({ "$A": ["${A}", { "x": "$A", "n": 1 }] });
        let expanded = expander.config(config.as_object().expect("an object"));
        assert_eq!(Value::Object(expanded), json!({ "$A": ["1", { "x": "1", "n": 1 }] }));
        assert_eq!(expander.used.len(), 2);
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,40}|[${}A:_a-c-]{0,40}") {
            let environment = environment();
            Expander::new(&environment).text(&text);
            let nothing = BTreeMap::new();
            let mut expander = Expander::new(&nothing);
            let same = expander.text(&text);
            prop_assert!(same == text || text.contains(":-"), "{same}");
        }
    }
}
