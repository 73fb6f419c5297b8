//! What a schema says, as schemars writes it: which types, which choices, which properties.

use super::Definitions;
use serde_json::Value;

pub(super) fn resolve<'a>(schema: &'a Value, known: &'a Definitions) -> &'a Value {
    let name = schema.get("$ref").and_then(Value::as_str);
    match name.and_then(|n| n.rsplit('/').next()).and_then(|n| known.get(n)) {
        Some(found) => resolve(found, known),
        None => schema,
    }
}

pub(super) fn property<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema.get("properties")?.get(name)
}

pub(super) fn types(schema: &Value) -> Option<Vec<&str>> {
    match schema.get("type")? {
        Value::String(one) => Some(vec![one]),
        Value::Array(many) => Some(many.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

pub(super) fn choices(schema: &Value) -> Option<&[Value]> {
    if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
        return Some(any);
    }
    let one = schema.get("oneOf").and_then(Value::as_array)?;
    // An enum whose values are documented one by one is a list of literals.
    one.iter().any(|s| s.get("const").is_none() && s.get("enum").is_none()).then_some(one)
}

pub(super) fn literals(schema: &Value) -> Option<Vec<&Value>> {
    if let Some(only) = schema.get("const") {
        return Some(vec![only]);
    }
    if let Some(listed) = schema.get("enum").and_then(Value::as_array) {
        return Some(listed.iter().collect());
    }
    let one = schema.get("oneOf").and_then(Value::as_array)?;
    Some(one.iter().filter_map(literals).flatten().collect())
}

pub(super) fn is_type(value: &Value, name: &str) -> bool {
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
