//! `.mcp.json`: the MCP servers of the vault, with its owner's own hand and other programs at it
//! (contract-extended §4.9). Servers stand under `mcpServers`, or at the top. Whoever wants to
//! know reads it anew. What is written keeps the shape, the order and whatever else is there.
//! Knows no more of a server than its name.

use super::{FileError, Folder};
use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Serializer, Value};
use std::path::Path;

/// The file.
pub(crate) const PLACE: &str = ".mcp.json";

/// Under which name the servers may stand.
pub(crate) const WRAPPER: &str = "mcpServers";

/// What is written of one server.
pub(crate) type Config = Map<String, Value>;

/// Why the servers are not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum McpsError {
    #[error(transparent)]
    File(#[from] FileError),
    /// What is in it would be lost if it were written.
    #[error("{PLACE} is not JSON: line {line}, column {column}: {said}")]
    NotJson { line: usize, column: usize, said: String },
    #[error("{PLACE} holds no servers: {0}")]
    Shape(&'static str),
}

/// The file as it is now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mcps {
    whole: Map<String, Value>,
    /// What a line in it is indented with.
    indent: String,
    ends_with_line_feed: bool,
}

impl Mcps {
    /// Reads it. One that is not there is empty.
    pub(crate) fn read(vault: &Folder) -> Result<Mcps, McpsError> {
        Mcps::parse(&vault.read(Path::new(PLACE))?.unwrap_or_default())
    }

    fn parse(text: &str) -> Result<Mcps, McpsError> {
        let whole = match text.trim() {
            "" => Map::new(),
            _ => match serde_json::from_str(text).map_err(not_json)? {
                Value::Object(whole) => whole,
                _ => return Err(McpsError::Shape("it is no object")),
            },
        };
        if whole.get(WRAPPER).is_some_and(|servers| !servers.is_object()) {
            return Err(McpsError::Shape("`mcpServers` in it is no object"));
        }
        let indented = text.lines().find(|line| line.starts_with([' ', '\t']));
        let indent = indented.map(|line| &line[..line.len() - line.trim_start().len()]);
        Ok(Mcps {
            whole,
            indent: indent.unwrap_or("  ").to_owned(),
            ends_with_line_feed: text.ends_with('\n') || text.is_empty(),
        })
    }

    /// All servers, as they stand.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&String, &Config)> {
        let servers = match self.whole.get(WRAPPER) {
            Some(Value::Object(servers)) => servers,
            _ => &self.whole,
        };
        servers.iter().filter_map(|(name, config)| Some((name, config.as_object()?)))
    }

    /// The server of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Config> {
        self.all().find(|(known, _)| *known == name).map(|(_, config)| config)
    }

    /// Puts a server in the place of the one of this name, else at the end.
    pub(crate) fn set(&mut self, name: &str, config: Config) {
        // The shape that every program understands, unless another is in use.
        if self.all().next().is_none() {
            self.whole.entry(WRAPPER).or_insert_with(|| Map::new().into());
        }
        self.servers().insert(name.to_owned(), config.into());
    }

    /// Takes a server out. False: there was none.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.get(name).is_some() && self.servers().shift_remove(name).is_some()
    }

    /// Writes it.
    pub(crate) fn write(&self, vault: &Folder) -> Result<(), FileError> {
        vault.replace(Path::new(PLACE), self.text().as_bytes())
    }

    fn text(&self) -> String {
        let mut bytes = Vec::new();
        let format = PrettyFormatter::with_indent(self.indent.as_bytes());
        let written = self.whole.serialize(&mut Serializer::with_formatter(&mut bytes, format));
        written.expect("what was read as JSON is always JSON");
        bytes.extend(self.ends_with_line_feed.then_some(b'\n'));
        String::from_utf8(bytes).expect("JSON is text")
    }

    fn servers(&mut self) -> &mut Map<String, Value> {
        if self.whole.contains_key(WRAPPER) {
            self.whole[WRAPPER].as_object_mut().expect("looked at when it was read")
        } else {
            &mut self.whole
        }
    }
}

fn not_json(error: serde_json::Error) -> McpsError {
    let (line, column) = (error.line(), error.column());
    let whole = error.to_string();
    let said = whole.split(" at line ").next().unwrap_or_default().to_owned();
    McpsError::NotJson { line, column, said }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde_json::json;

    fn parse(text: &str) -> Mcps {
        Mcps::parse(text).expect("servers")
    }

    fn config(command: &str) -> Config {
        json!({ "command": command }).as_object().expect("an object").clone()
    }

    fn names(mcps: &Mcps) -> Vec<&str> {
        mcps.all().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn both_shapes_keep_their_order_and_what_else_is_there() {
        let text = "{\n    \"$schema\": \"x\",\n    \"mcpServers\": {\n        \"b\": {},\n        \
                    \"a\": {\n            \"more\": 1\n        }\n    },\n    \"z\": {}\n}\n";
        let mut mcps = parse(text);
        assert_eq!(names(&mcps), ["b", "a"]);
        assert_eq!(mcps.text(), text);
        mcps.set("c", config("c"));
        mcps.set("b", config("b"));
        assert_eq!(names(&mcps), ["b", "a", "c"]);
        assert!(mcps.remove("b") && !mcps.remove("b") && !mcps.remove("z"));
        let keys: Vec<&String> = mcps.whole.keys().collect();
        assert_eq!(keys, ["$schema", "mcpServers", "z"]);

        let mut top = parse("{\"note\":\"mine\",\"b\":{\"command\":\"b\"},\"a\":{}}");
        assert_eq!(names(&top), ["b", "a"]);
        top.set("c", config("c"));
        assert!(top.remove("b") && !top.remove("note"));
        let keys: Vec<&String> = top.whole.keys().collect();
        assert_eq!(keys, ["note", "a", "c"]);
        assert!(!top.text().ends_with('\n'));
    }

    #[test]
    fn trap_t69_what_is_added_to_a_wrapped_file_is_in_the_wrapper() {
        for text in ["", " \n", "{}", "{\"mcpServers\":{}}", "{\"version\":1}"] {
            let mut mcps = parse(text);
            mcps.set("a", config("x"));
            assert_eq!(mcps.whole[WRAPPER]["a"], json!({ "command": "x" }), "{text}");
            assert_eq!(names(&parse(&mcps.text())), ["a"], "{text}");
        }
    }

    #[test]
    fn a_file_that_is_none_says_where() {
        for (text, said) in [
            ("{\n  \"a\": {},\n}", "line 3, column 1: trailing comma"),
            ("{\n  // mine\n}", "line 2, column 3"),
            ("{\"a\":", "line 1, column 5"),
            ("[]", "it is no object"),
            ("null", "it is no object"),
            ("{\"mcpServers\":[]}", "`mcpServers` in it is no object"),
            ("{\"mcpServers\":null}", "`mcpServers` in it is no object"),
        ] {
            let error = Mcps::parse(text).expect_err(text).to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        assert!(Mcps::parse(&deep).is_err());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                btree_map("\\PC{0,8}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_round_trip_changes_the_one_server_and_nothing_else(
            fields in btree_map("\\PC{1,8}", any_json(), 0..5),
            servers in btree_map("\\PC{1,8}", any_json(), 0..5),
            is_wrapped in any::<bool>(),
            name in "\\PC{1,8}",
            indent in prop_oneof![Just("  "), Just("\t"), Just("    ")],
        ) {
            let mut whole: Map<String, Value> = fields.into_iter().collect();
            if is_wrapped {
                whole.insert(WRAPPER.into(), servers.into_iter().collect::<Map<_, _>>().into());
            }
            let first = Mcps { whole, indent: indent.into(), ends_with_line_feed: true };
            let text = first.text();
            let mut mcps = parse(&text);
            prop_assert_eq!(&mcps.whole, &first.whole);
            prop_assert_eq!(mcps.text(), text);
            let before: Vec<(String, Config)> =
                mcps.all().map(|(name, config)| (name.clone(), config.clone())).collect();
            prop_assume!(name != WRAPPER);
            mcps.set(&name, config("new"));
            prop_assert_eq!(mcps.get(&name), Some(&config("new")));
            let mut again = parse(&mcps.text());
            prop_assert_eq!(&again.whole, &mcps.whole);
            for (other, config) in before.iter().filter(|(other, _)| *other != name) {
                prop_assert_eq!(again.get(other), Some(config));
            }
            prop_assert!(again.remove(&name));
            prop_assert_eq!(again.get(&name), None);
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,60}|[{}\\[\\]:,\"a-c \n\t0-9\\\\]{0,60}") {
            if let Ok(mut mcps) = Mcps::parse(&text) {
                mcps.set("x", config("x"));
                let again = parse(&mcps.text());
                prop_assert_eq!(again.get("x"), Some(&config("x")));
            }
        }
    }
}
