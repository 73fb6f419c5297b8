//! The route table, read aloud as an OpenAPI 3.1 document.

use crate::table::{Access, Door};
use bytes::Bytes;
use schemars::generate::SchemaGenerator;
use serde_json::{Map, Value, json};

pub(crate) fn document<A>(
    title: &str,
    version: &str,
    doors: &[Door<A>],
    mut schemas: SchemaGenerator,
) -> Bytes {
    let mut given = Vec::with_capacity(doors.len());
    for door in doors {
        given.push((door.route.call.gives)(&mut schemas));
        // For the definitions only; the rest stands in the door.
        (door.route.call.takes)(&mut schemas);
    }
    let schemas = schemas.take_definitions(true);
    let mut paths: Map<String, Value> = Map::new();
    for (door, given) in doors.iter().zip(given) {
        let method = door.route.method.as_str().to_ascii_lowercase();
        let path = paths.entry(door.route.path).or_insert_with(|| json!({}));
        path[method] = operation(door, given, &schemas);
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": title, "version": version },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
        },
    });
    serde_json::to_vec(&document).expect("a document is always JSON").into()
}

fn operation<A>(
    door: &Door<A>,
    given: Option<(&str, Value)>,
    schemas: &Map<String, Value>,
) -> Value {
    let route = &door.route;
    let mut name = route.call.name.rsplit("::");
    let verb = name.next().unwrap_or_default();
    let group = name.next().unwrap_or_default();
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            let name = name.trim_start_matches('*');
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    parameters.extend(door.shape.query.iter().flat_map(|query| of_query(query, schemas)));
    let mut out = json!({
        "operationId": format!("{group}_{verb}"),
        "summary": route.about,
        "x-access": format!("{:?}", route.access),
        "responses": {
            "200": answer(given),
            "4XX": { "description": "What is wrong, under `detail` or `error`." },
        },
    });
    if !parameters.is_empty() {
        out["parameters"] = parameters.into();
    }
    if let Some(body) = &door.shape.body {
        let kind = if door.shape.is_form { "multipart/form-data" } else { "application/json" };
        let content = json!({ kind: { "schema": body } });
        out["requestBody"] = json!({ "required": !door.shape.may_miss, "content": content });
    }
    if route.access != Access::Open {
        out["security"] = json!([{ "key": [] }, { "bearer": [] }]);
    }
    out
}

fn answer(given: Option<(&str, Value)>) -> Value {
    match given {
        Some((kind, schema)) => {
            let content = json!({ kind: { "schema": schema } });
            json!({ "description": "As asked.", "content": content })
        }
        None => json!({ "description": "As asked." }),
    }
}

fn of_query(query: &Value, schemas: &Map<String, Value>) -> Vec<Value> {
    let name = query.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next());
    let schema = name.and_then(|n| schemas.get(n)).unwrap_or(query);
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let fields = schema.get("properties").and_then(Value::as_object);
    let of_field = |(name, schema): (&String, &Value)| {
        let needed = required.iter().any(|r| r == name);
        json!({ "name": name, "in": "query", "required": needed, "schema": schema })
    };
    fields.into_iter().flatten().map(of_field).collect()
}
