//! Bodies: JSON of a stranger, read only if it cannot grow out of proportion in memory, and the
//! spellings of its fields. Whether they fit is judged elsewhere.

use super::Definitions;
use super::judge::{judged, missing};
use super::schema::resolve;
use crate::fault::Invalid;
use serde_json::{Value, json};

/// Values in one body. In memory each takes ten times the two bytes that it may have there.
pub(super) const VALUES_MAX: usize = 1_000_000;

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
    judged(value, schema, known, "body")
}
/// How many values there are in a text of JSON, at most; found without making any of them.
pub(super) fn values(bytes: &[u8]) -> usize {
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
