//! How the Flutter app parses an answer: field names and Dart types, judged as Dart would. It
//! knows no server; the tables of what the app reads stand beside the tests that use them.

use serde_json::{Map, Value};
use wire::Timestamp;

/// What a field is cast to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dart {
    /// `as String`.
    Str,
    /// `as int`: throws on a number written with a decimal point.
    Int,
    /// `as num`.
    Num,
    /// `as bool`.
    Bool,
    /// `DateTime.parse(… as String)`.
    Date,
    /// A Map whose fields are not looked at.
    AnyMap,
    /// A List whose items are not looked at.
    AnyList,
    /// A List of Strings.
    Strings,
    /// A Map with these fields.
    Map(&'static [Field]),
    /// A List of Maps with these fields.
    List(&'static [Field]),
    /// Exactly this text.
    Is(&'static str),
    /// One of these texts.
    OneOf(&'static [&'static str]),
}

/// A field of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) dart: Dart,
    /// `T?`: null is fine.
    pub(crate) nullable: bool,
    /// The contract lets the key be absent.
    pub(crate) optional: bool,
}

/// Has to be there and is not null.
pub(crate) const fn need(name: &'static str, dart: Dart) -> Field {
    Field { name, dart, nullable: false, optional: false }
}

/// Has to be there; may be null.
pub(crate) const fn null(name: &'static str, dart: Dart) -> Field {
    Field { name, dart, nullable: true, optional: false }
}

/// May be absent, but is not null.
pub(crate) const fn may(name: &'static str, dart: Dart) -> Field {
    Field { name, dart, nullable: false, optional: true }
}

/// Everything about an answer on which the app would throw, or that the contract promises.
pub(crate) fn faults(answer: &Value, fields: &[Field]) -> Vec<String> {
    let mut out = Vec::new();
    match answer.as_object() {
        Some(map) => judge_map("$", map, fields, &mut out),
        None => out.push(format!("$ is no Map: {answer}")),
    }
    out
}

fn judge_map(at: &str, map: &Map<String, Value>, fields: &[Field], out: &mut Vec<String>) {
    for field in fields {
        let at = format!("{at}.{}", field.name);
        match map.get(field.name) {
            None if field.optional => {}
            None => out.push(format!("{at} is missing")),
            Some(Value::Null) if field.nullable => {}
            Some(value) => judge(&at, value, field.dart, out),
        }
    }
}

fn judge(at: &str, value: &Value, dart: Dart, out: &mut Vec<String>) {
    let fits = match dart {
        Dart::Str => value.is_string(),
        Dart::Int => value.is_i64() || value.is_u64(),
        Dart::Num => value.is_number(),
        Dart::Bool => value.is_boolean(),
        Dart::Date => value.as_str().is_some_and(|text| Timestamp::parse(text).is_some()),
        Dart::Is(text) => value == text,
        Dart::OneOf(texts) => value.as_str().is_some_and(|text| texts.contains(&text)),
        Dart::AnyMap => value.is_object(),
        Dart::AnyList => value.is_array(),
        Dart::Strings => value.as_array().is_some_and(|l| l.iter().all(Value::is_string)),
        Dart::Map(fields) => match value.as_object() {
            Some(map) => return judge_map(at, map, fields, out),
            None => false,
        },
        Dart::List(fields) => match value.as_array() {
            Some(list) => {
                for (index, item) in list.iter().enumerate() {
                    judge(&format!("{at}[{index}]"), item, Dart::Map(fields), out);
                }
                true
            }
            None => false,
        },
    };
    if !fits {
        out.push(format!("{at} is no {dart:?}: {value}"));
    }
}

/// A value on which the app's cast would throw.
fn wrong(dart: Dart) -> Value {
    match dart {
        Dart::Int => Value::from(1.0),
        Dart::Date => Value::from("yesterday"),
        Dart::Is(_) | Dart::OneOf(_) => Value::from("something else"),
        Dart::Strings => serde_json::json!([1]),
        Dart::List(_) => serde_json::json!(["text"]),
        Dart::AnyList => serde_json::json!({}),
        _ => serde_json::json!([[]]),
    }
}

/// Spoils a good answer in every way the tables know, one at a time, and says which spoilt
/// answers would have passed: a table that finds nothing guards nothing.
pub(crate) fn unguarded(good: &Value, fields: &'static [Field]) -> Vec<String> {
    let mut out = Vec::new();
    spoil(good, &mut vec![], fields, &mut |path, spoilt| {
        if faults(spoilt, fields).is_empty() {
            out.push(path.to_owned());
        }
    });
    out
}

type Step = (&'static str, Option<usize>);

fn spoil(
    good: &Value,
    path: &mut Vec<Step>,
    fields: &'static [Field],
    show: &mut dyn FnMut(&str, &Value),
) {
    for field in fields {
        let here = reach(&mut good.clone(), path).get(field.name).cloned();
        let Some(here) = here else { continue };
        let name = format!("{path:?}.{}", field.name);
        if !field.optional {
            let mut spoilt = good.clone();
            let map = reach(&mut spoilt, path).as_object_mut().expect("a map");
            map.remove(field.name);
            show(&format!("{name} missing"), &spoilt);
        }
        let mut spoilt = good.clone();
        reach(&mut spoilt, path)[field.name] = wrong(field.dart);
        show(&format!("{name} mistyped"), &spoilt);
        if !field.nullable {
            let mut spoilt = good.clone();
            reach(&mut spoilt, path)[field.name] = Value::Null;
            show(&format!("{name} null"), &spoilt);
        }
        match (field.dart, &here) {
            (Dart::Map(inner), Value::Object(_)) => {
                path.push((field.name, None));
                spoil(good, path, inner, show);
                path.pop();
            }
            (Dart::List(inner), Value::Array(list)) if !list.is_empty() => {
                path.push((field.name, Some(list.len() - 1)));
                spoil(good, path, inner, show);
                path.pop();
            }
            _ => {}
        }
    }
}

fn reach<'v>(mut value: &'v mut Value, path: &[Step]) -> &'v mut Value {
    for (name, index) in path {
        value = &mut value[*name];
        if let Some(index) = index {
            value = &mut value[*index];
        }
    }
    value
}

#[test]
fn an_int_with_a_decimal_point_is_no_int_and_a_null_no_string() {
    const T: &[Field] = &[need("n", Dart::Int), null("s", Dart::Str), may("o", Dart::Bool)];
    let judged = |text: &str| faults(&serde_json::from_str(text).expect("JSON"), T).len();
    assert_eq!(judged(r#"{"n":1,"s":null}"#), 0);
    assert_eq!(judged(r#"{"n":1.0,"s":"x","o":true}"#), 1);
    assert_eq!(judged(r#"{"n":null,"o":null}"#), 3);
}
