//! Comparing answers field by field. Knows neither server nor files.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The events of a stream's text.
pub(crate) fn events(text: &str) -> Value {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str::<Value>(data).expect("JSON")).collect()
}

/// A stream as it can be compared although the words of it differ: the order of the events,
/// several texts in a row being one, and the fields of each kind with their JSON types.
pub(crate) fn outline(events: &Value) -> Value {
    let mut order: Vec<String> = Vec::new();
    let mut fields = Map::new();
    for event in events.as_array().expect("events") {
        let kind = event["type"].as_str().expect("a type");
        if kind != "text" || order.last().is_none_or(|last| last != "text") {
            order.push(kind.into());
        }
        let known = fields.entry(kind).or_insert_with(|| json!({}));
        types(event, known);
    }
    json!({ "order": order, "fields": fields })
}

fn types(event: &Value, into: &mut Value) {
    for (name, value) in event.as_object().expect("an object") {
        let type_of = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(n) if n.is_f64() => "float",
            Value::Number(_) => "int",
            Value::String(_) => "string",
            Value::Array(_) => "list",
            Value::Object(_) => {
                let mut inner = into[name].take();
                if !inner.is_object() {
                    inner = json!({});
                }
                // What a tool is called with is the model's affair.
                if name != "input" {
                    types(value, &mut inner);
                }
                into[name] = inner;
                continue;
            }
        };
        into[name] = type_of.into();
    }
}

/// Paths at which two values differ, with both; null for what is not there.
pub(crate) fn compare(
    at: &str,
    theirs: Option<&Value>,
    ours: Option<&Value>,
    volatile: &BTreeSet<&str>,
    out: &mut Vec<(String, String)>,
) {
    let is_volatile = volatile.contains(at);
    match (theirs, ours) {
        (None, None) => {}
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                compare(&format!("{at}.{name}"), a.get(name), b.get(name), volatile, out);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{at}[{index}]"), Some(a), Some(b), volatile, out);
            }
        }
        (Some(a), Some(b)) if a == b || (is_volatile && same_type(a, b)) => {}
        (Some(_), None) if is_volatile => {}
        (a, b) => {
            let show = |v: Option<&Value>| v.map_or("nothing".into(), Value::to_string);
            out.push((at.to_owned(), format!("{} → {}", show(a), show(b))));
        }
    }
}

fn same_type(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}
