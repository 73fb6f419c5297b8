//! Holds a value against a schema and notes what does not fit, in the predecessor's words. It
//! reads nothing and changes nothing.

use super::Definitions;
use super::schema::{choices, is_type, literals, property, resolve, types};
use crate::fault::Invalid;
use serde_json::{Map, Value, json};

/// Faults that are told; one that looks for more of them learns nothing.
pub(super) const FAULTS_MAX: usize = 100;
/// Of what was given no more is ever shown, and so no more is kept.
pub(super) const GIVEN_BYTES_MAX: usize = 4096;

/// Judges a whole body or query, as `part` says.
pub(super) fn judged(
    value: Value,
    schema: &Value,
    known: &Definitions,
    part: &str,
) -> Result<Value, Vec<Invalid>> {
    let mut judge = Judge { known, wrong: Vec::new(), text_only: part == "query" };
    judge.value(&value, schema, &mut vec![part.into()]);
    judge.wrong.truncate(FAULTS_MAX);
    if judge.wrong.is_empty() { Ok(value) } else { Err(judge.wrong) }
}

struct Judge<'a> {
    known: &'a Definitions,
    wrong: Vec<Invalid>,
    /// In a query everything was text; the messages say that it could not be read.
    text_only: bool,
}

impl Judge<'_> {
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
pub(super) fn missing(place: Vec<Value>, given: &Value) -> Invalid {
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
