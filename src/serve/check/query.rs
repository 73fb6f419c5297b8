//! Queries: text that is read as what the schema wants there. Whether it fits is judged elsewhere.

use super::Definitions;
use super::judge::judged;
use super::schema::{choices, property, resolve, types};
use crate::fault::Invalid;
use serde_json::{Map, Value, json};

/// Reads and judges a query. Numbers and booleans are taken from their text.
pub fn query(text: &str, schema: &Value, known: &Definitions) -> Result<Value, Vec<Invalid>> {
    let schema = resolve(schema, known);
    let mut value = Map::new();
    if text.is_empty() && schema.get("required").is_none() {
        return Ok(Value::Object(value));
    }
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
    judged(Value::Object(value), schema, known, "query")
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
