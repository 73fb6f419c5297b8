//! Judges input against the door's own JSON schema, so that what the OpenAPI document says and
//! what is enforced are one statement. What is wrong is told in the predecessor's form (its
//! clients read `detail[].loc` and `msg`), all of it at once.
//!
//! Understood: `type`, `properties`, `required`, `items`, `enum`, `const`, `anyOf`, `oneOf`,
//! `$ref`, lengths, ranges and `pattern`: what schemars writes for the types in `wire`.
//! Not a general validator.

use crate::fault::Invalid;
use serde_json::{Map, Value, json};

type Definitions = Map<String, Value>;

/// Faults that are told; one that looks for more of them learns nothing.
const FAULTS_MAX: usize = 100;
/// Of what was given no more is ever shown, and so no more is kept.
const GIVEN_BYTES_MAX: usize = 4096;
/// Values in one body. In memory each takes ten times the two bytes that it may have there.
const VALUES_MAX: usize = 1_000_000;

/// Reads and judges a JSON body. Each property is also taken under its snake_case or camelCase
/// spelling.
pub fn body(bytes: &[u8], schema: &Value, known: &Definitions) -> Result<Value, Vec<Invalid>> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(vec![missing(vec!["body".into()], &Value::Null)]);
    }
    if values(bytes) > VALUES_MAX {
        return Err(vec![Invalid {
            kind: "value_error",
            place: vec!["body".into()],
            said: format!("The body should have at most {VALUES_MAX} values"),
            given: Value::Null,
            bounds: Some(json!({ "max_values": VALUES_MAX })),
        }]);
    }
    let mut value: Value = serde_json::from_slice(bytes).map_err(|error| {
        let at = offset(bytes, error.line(), error.column());
        vec![Invalid {
            kind: "json_invalid",
            place: vec!["body".into(), at.into()],
            said: "JSON decode error".into(),
            given: json!({}),
            bounds: Some(json!({ "error": plain(&error) })),
        }]
    })?;
    let schema = resolve(schema, known);
    respell(&mut value, schema);
    let mut judge = Judge { known, wrong: Vec::new(), text_only: false };
    judge.value(&value, schema, &mut vec!["body".into()]);
    judge.verdict(value)
}

/// Reads and judges a query. Numbers and booleans are taken from their text.
pub fn query(text: &str, schema: &Value, known: &Definitions) -> Result<Value, Vec<Invalid>> {
    let schema = resolve(schema, known);
    let mut value = Map::new();
    if text.is_empty() && schema.get("required").is_none() {
        return Ok(Value::Object(value));
    }
    let mut judge = Judge { known, wrong: Vec::new(), text_only: true };
    for pair in text.split('&').filter(|p| !p.is_empty()) {
        let (name, given) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, given) = (decoded(name), decoded(given));
        if let Some(wanted) = property(schema, &name) {
            let wanted = resolve(wanted, known);
            if !types(wanted).is_some_and(|types| types.contains(&"array")) {
                value.insert(name, typed(given, wanted, known));
                continue;
            }
            // Said again and again, it is a list.
            let item = wanted.get("items").map_or(&Value::Null, |item| resolve(item, known));
            let list = value.entry(name).or_insert_with(|| json!([]));
            if let Value::Array(list) = list {
                list.push(typed(given, item, known));
            }
        }
    }
    let value = Value::Object(value);
    judge.value(&value, schema, &mut vec!["query".into()]);
    judge.verdict(value)
}

struct Judge<'a> {
    known: &'a Definitions,
    wrong: Vec<Invalid>,
    /// In a query everything was text; the messages say that it could not be read.
    text_only: bool,
}

impl Judge<'_> {
    fn verdict(mut self, value: Value) -> Result<Value, Vec<Invalid>> {
        self.wrong.truncate(FAULTS_MAX);
        if self.wrong.is_empty() { Ok(value) } else { Err(self.wrong) }
    }

    fn is_full(&self) -> bool {
        self.wrong.len() >= FAULTS_MAX
    }

    fn value(&mut self, value: &Value, schema: &Value, place: &mut Vec<Value>) {
        let schema = resolve(schema, self.known);
        if let Some(choices) = choices(schema) {
            return self.choice(value, choices, place);
        }
        if let Some(listed) = literals(schema) {
            return self.literal(value, &listed, place);
        }
        let Some(types) = types(schema) else { return };
        if types.contains(&"null") && value.is_null() {
            return;
        }
        let fits = types.iter().any(|t| is_type(value, t));
        if !fits {
            let wanted = types.iter().find(|t| **t != "null").copied().unwrap_or("null");
            return self.mismatch(value, wanted, place);
        }
        match value {
            Value::String(text) => self.text(text, schema, place),
            Value::Number(_) => self.number(value, schema, place),
            Value::Array(items) => self.items(items, schema, place),
            Value::Object(fields) => self.fields(fields, value, schema, place),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn fields(
        &mut self,
        fields: &Map<String, Value>,
        whole: &Value,
        schema: &Value,
        place: &mut Vec<Value>,
    ) {
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                let mut there = place.clone();
                there.push(name.into());
                self.wrong.push(missing(there, whole));
            }
        }
        for (name, value) in fields {
            if self.is_full() {
                return;
            }
            place.push(name.as_str().into());
            match property(schema, name) {
                Some(wanted) => self.value(value, wanted, place),
                None => self.nul_free(value, place),
            }
            place.pop();
        }
    }

    fn items(&mut self, items: &[Value], schema: &Value, place: &mut Vec<Value>) {
        for (index, item) in items.iter().enumerate() {
            if self.is_full() {
                return;
            }
            place.push(index.into());
            match schema.get("items") {
                Some(wanted) => self.value(item, wanted, place),
                None => self.nul_free(item, place),
            }
            place.pop();
        }
    }

    fn text(&mut self, text: &str, schema: &Value, place: &[Value]) {
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64).map(|n| n as usize);
        let chars = text.chars().count();
        let plural = |n: usize| if n == 1 { "character" } else { "characters" };
        if let Some(min) = bound("minLength").filter(|min| chars < *min) {
            let said = format!("String should have at least {min} {}", plural(min));
            self.push("string_too_short", place, said, text, json!({ "min_length": min }));
        }
        if let Some(max) = bound("maxLength").filter(|max| chars > *max) {
            let said = format!("String should have at most {max} {}", plural(max));
            self.push("string_too_long", place, said, text, json!({ "max_length": max }));
        }
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            let fits = regex_lite::Regex::new(pattern).is_ok_and(|r| r.is_match(text));
            if !fits {
                let said = format!("String should match pattern '{pattern}'");
                let bounds = json!({ "pattern": pattern });
                self.push("string_pattern_mismatch", place, said, text, bounds);
            }
        }
        if text.contains('\0') {
            let said = "String should not contain a NUL character".to_owned();
            self.push("string_nul", place, said, "", json!({}));
        }
    }

    /// What no schema describes still ends up in files and children.
    fn nul_free(&mut self, value: &Value, place: &mut Vec<Value>) {
        match value {
            Value::String(text) => self.text(text, &Value::Null, place),
            Value::Array(items) => self.items(items, &Value::Null, place),
            Value::Object(fields) => self.fields(fields, value, &Value::Null, place),
            _ => {}
        }
    }

    fn number(&mut self, value: &Value, schema: &Value, place: &[Value]) {
        let given = value.as_f64().unwrap_or_default();
        // A number in a query is shown as it was written there.
        let shown = if self.text_only { json!(value.to_string()) } else { value.clone() };
        let bound = |name: &str| schema.get(name).filter(|b| b.is_number());
        if let Some(min) = bound("minimum").filter(|m| given < m.as_f64().unwrap_or(given)) {
            let said = format!("Input should be greater than or equal to {min}");
            self.push("greater_than_equal", place, said, shown.clone(), json!({ "ge": min }));
        }
        if let Some(max) = bound("maximum").filter(|m| given > m.as_f64().unwrap_or(given)) {
            let said = format!("Input should be less than or equal to {max}");
            self.push("less_than_equal", place, said, shown, json!({ "le": max }));
        }
    }

    fn choice(&mut self, value: &Value, choices: &[Value], place: &mut Vec<Value>) {
        let mut first = None;
        for choice in choices {
            let mut trial =
                Judge { known: self.known, wrong: Vec::new(), text_only: self.text_only };
            trial.value(value, choice, place);
            if trial.wrong.is_empty() {
                return;
            }
            first.get_or_insert(trial.wrong);
        }
        self.wrong.extend(first.unwrap_or_default());
    }

    fn literal(&mut self, value: &Value, listed: &[&Value], place: &[Value]) {
        if listed.contains(&value) {
            return;
        }
        let quoted: Vec<String> = listed
            .iter()
            .map(|v| v.as_str().map_or_else(|| v.to_string(), |s| format!("'{s}'")))
            .collect();
        let expected = match quoted.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
            None => String::new(),
        };
        let said = format!("Input should be {expected}");
        self.push("literal_error", place, said, shown(value), json!({ "expected": expected }));
    }

    fn mismatch(&mut self, value: &Value, wanted: &str, place: &[Value]) {
        let unreadable = self.text_only && value.is_string();
        let (kind, said) = match (wanted, unreadable) {
            ("string", _) => ("string_type", "Input should be a valid string"),
            ("integer", true) => (
                "int_parsing",
                "Input should be a valid integer, unable to parse string as an integer",
            ),
            ("integer", false) => ("int_type", "Input should be a valid integer"),
            ("boolean", true) => {
                ("bool_parsing", "Input should be a valid boolean, unable to interpret input")
            }
            ("boolean", false) => ("bool_type", "Input should be a valid boolean"),
            ("number", true) => (
                "float_parsing",
                "Input should be a valid number, unable to parse string as a number",
            ),
            ("number", false) => ("float_type", "Input should be a valid number"),
            ("array", _) => ("list_type", "Input should be a valid list"),
            ("object", _) if place.len() == 1 => (
                "model_attributes_type",
                "Input should be a valid dictionary or object to extract fields from",
            ),
            _ => ("dict_type", "Input should be a valid dictionary"),
        };
        self.wrong.push(Invalid {
            kind,
            place: place.to_vec(),
            said: said.into(),
            given: shown(value),
            bounds: None,
        });
    }

    fn push(
        &mut self,
        kind: &'static str,
        place: &[Value],
        said: String,
        given: impl Into<Value>,
        bounds: Value,
    ) {
        let given = given.into();
        self.wrong.push(Invalid { kind, place: place.to_vec(), said, given, bounds: Some(bounds) });
    }
}

fn missing(place: Vec<Value>, given: &Value) -> Invalid {
    let given = shown(given);
    Invalid { kind: "missing", place, said: "Field required".into(), given, bounds: None }
}

/// What was given, unless it is too much.
fn shown(given: &Value) -> Value {
    if room_left(given, GIVEN_BYTES_MAX).is_some() { given.clone() } else { Value::Null }
}

/// What is left of so many bytes once a value is written there; None if it has no room.
fn room_left(value: &Value, room: usize) -> Option<usize> {
    match value {
        Value::String(text) => room.checked_sub(text.len() + 2),
        Value::Array(items) => {
            items.iter().try_fold(room.checked_sub(2)?, |room, item| room_left(item, room))
        }
        Value::Object(fields) => {
            fields.iter().try_fold(room.checked_sub(2)?, |room, (name, of)| {
                room_left(of, room.checked_sub(name.len() + 3)?)
            })
        }
        _ => room.checked_sub(1),
    }
}

/// How many values there are in a text of JSON, at most; found without making any of them.
fn values(bytes: &[u8]) -> usize {
    let (mut count, mut in_text, mut escaped) = (1, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

fn resolve<'a>(schema: &'a Value, known: &'a Definitions) -> &'a Value {
    let name = schema.get("$ref").and_then(Value::as_str);
    match name.and_then(|n| n.rsplit('/').next()).and_then(|n| known.get(n)) {
        Some(found) => resolve(found, known),
        None => schema,
    }
}

fn property<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema.get("properties")?.get(name)
}

fn types(schema: &Value) -> Option<Vec<&str>> {
    match schema.get("type")? {
        Value::String(one) => Some(vec![one]),
        Value::Array(many) => Some(many.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

fn choices(schema: &Value) -> Option<&[Value]> {
    if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
        return Some(any);
    }
    let one = schema.get("oneOf").and_then(Value::as_array)?;
    // An enum whose values are documented one by one is a list of literals.
    one.iter().any(|s| s.get("const").is_none() && s.get("enum").is_none()).then_some(one)
}

fn literals(schema: &Value) -> Option<Vec<&Value>> {
    if let Some(only) = schema.get("const") {
        return Some(vec![only]);
    }
    if let Some(listed) = schema.get("enum").and_then(Value::as_array) {
        return Some(listed.iter().collect());
    }
    let one = schema.get("oneOf").and_then(Value::as_array)?;
    Some(one.iter().filter_map(literals).flatten().collect())
}

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    }
}

/// A query's text as the schema wants it, where it can be read so.
fn typed(given: String, schema: &Value, known: &Definitions) -> Value {
    let mut wanted = types(schema).unwrap_or_default();
    for choice in choices(schema).unwrap_or_default() {
        wanted.extend(types(resolve(choice, known)).unwrap_or_default());
    }
    if wanted.contains(&"integer")
        && let Ok(number) = given.trim().parse::<i64>()
    {
        return number.into();
    }
    if wanted.contains(&"number")
        && let Ok(number) = given.trim().parse::<f64>()
        && number.is_finite()
    {
        return number.into();
    }
    if wanted.contains(&"boolean") {
        match given.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" | "t" | "y" => return true.into(),
            "false" | "0" | "no" | "off" | "f" | "n" => return false.into(),
            _ => {}
        }
    }
    given.into()
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// `requestId` for `request_id` and the other way round, where only the other spelling came.
fn respell(value: &mut Value, schema: &Value) {
    let (Some(fields), Some(wanted)) =
        (value.as_object_mut(), schema.get("properties").and_then(Value::as_object))
    else {
        return;
    };
    for name in wanted.keys().filter(|n| !n.is_empty()) {
        let other = if name.contains('_') { camel(name) } else { snake(name) };
        if other != *name
            && !fields.contains_key(name)
            && let Some(given) = fields.remove(&other)
        {
            fields.insert(name.clone(), given);
        }
    }
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut chars = part.chars();
        out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    out
}

fn offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let before: usize =
        bytes.split_inclusive(|b| *b == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    // The parser stops inside a word that is none (`nothing`); the fault is the word.
    let mut at = (before + column.saturating_sub(1)).min(bytes.len());
    while at > 0 && bytes[at - 1].is_ascii_alphabetic() {
        at -= 1;
    }
    at
}

fn plain(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Eof => "Unexpected end".into(),
        _ if error.to_string().starts_with("expected") => "Expecting value".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chat() -> (Value, Definitions) {
        let mut schemas = schemars::generate::SchemaSettings::draft2020_12()
            .with(|s| s.definitions_path = "/components/schemas".into())
            .into_generator();
        let schema = schemas.subschema_for::<wire::chat::ChatBody>().to_value();
        (schema, schemas.take_definitions(true))
    }

    fn wrong(text: &str) -> Vec<(&'static str, String)> {
        let (schema, known) = chat();
        let faults = body(text.as_bytes(), &schema, &known).err().unwrap_or_default();
        faults.into_iter().map(|f| (f.kind, json!(f.place).to_string())).collect()
    }

    #[test]
    fn each_fault_has_the_predecessors_name_and_place() {
        assert_eq!(wrong("{}"), [("missing", r#"["body","message"]"#.into())]);
        assert_eq!(wrong(r#"{"message":1}"#), [("string_type", r#"["body","message"]"#.into())]);
        assert_eq!(wrong("[]"), [("model_attributes_type", r#"["body"]"#.into())]);
        assert_eq!(wrong(""), [("missing", r#"["body"]"#.into())]);
        assert_eq!(wrong("not json"), [("json_invalid", r#"["body",0]"#.into())]);
        let two = wrong(r#"{"message":"x","workspaceId":"A b","contexts":[1]}"#);
        assert_eq!(two.len(), 2, "{two:?}");
        let nul = wrong(r#"{"message":"a\u0000b"}"#);
        assert_eq!(nul, [("string_nul", r#"["body","message"]"#.into())]);
        let mode = wrong(r#"{"message":"x","permissionMode":"never"}"#);
        assert_eq!(mode, [("literal_error", r#"["body","permissionMode"]"#.into())]);
    }

    #[test]
    fn of_many_faults_the_first_are_told_and_large_things_are_not_repeated() {
        let many = format!(r#"{{"message":"x","contexts":[{}0]}}"#, "0,".repeat(5000));
        let told = wrong(&many);
        assert_eq!(told.len(), FAULTS_MAX);
        assert_eq!(told[99], ("string_type", r#"["body","contexts",99]"#.into()));
        let (schema, known) = chat();
        let large = format!(r#"{{"contexts":"{}"}}"#, "x".repeat(GIVEN_BYTES_MAX));
        let told = body(large.as_bytes(), &schema, &known).expect_err("two faults");
        assert_eq!(told.len(), 2);
        assert!(told.iter().all(|fault| fault.given.is_null()), "{told:?}");
    }

    #[test]
    fn a_body_of_too_many_values_is_refused_before_they_are_made() {
        let many = |count| format!(r#"{{"message":"x","more":[{}0]}}"#, "0,".repeat(count));
        assert_eq!(wrong(&many(VALUES_MAX)), [("value_error", r#"["body"]"#.into())]);
        assert!(wrong(&many(VALUES_MAX - 10)).is_empty());
        let text = r#"{"a":"[,{\"[,,","b":[1,2]}"#;
        assert_eq!(values(text.as_bytes()), 5);
        assert_eq!(values(r#"["\\",1]"#.as_bytes()), 3);
    }

    #[test]
    fn both_spellings_nulls_and_unknown_fields_are_taken() {
        let (schema, known) = chat();
        let text = br#"{"message":"x","session_id":"a","model":null,"colour":"red"}"#;
        let value = body(text, &schema, &known).expect("lawful");
        let typed: wire::chat::ChatBody = serde_json::from_value(value).expect("typed");
        assert_eq!(typed.session_id.as_deref(), Some("a"));
    }

    proptest! {
        #[test]
        fn no_body_and_no_query_panics(bytes: Vec<u8>, text: String) {
            let (schema, known) = chat();
            let _ = body(&bytes, &schema, &known);
            let _ = query(&text, &schema, &known);
        }
    }
}
