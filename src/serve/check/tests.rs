//! What is told of bodies and queries that do not fit, and that none is too strange.

use super::body::{VALUES_MAX, values};
use super::judge::{FAULTS_MAX, GIVEN_BYTES_MAX};
use super::{Definitions, body, query};
use proptest::prelude::*;
use serde_json::{Value, json};

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
