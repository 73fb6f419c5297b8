//! Judges input against the door's own JSON schema, so that what the OpenAPI document says and
//! what is enforced are one statement. What is wrong is told in the predecessor's form (its
//! clients read `detail[].loc` and `msg`), all of it at once.
//!
//! Understood: `type`, `properties`, `required`, `items`, `enum`, `const`, `anyOf`, `oneOf`,
//! `$ref`, lengths, ranges and `pattern`: what schemars writes for the types in `wire`.
//! Not a general validator.

mod body;
mod judge;
mod query;
mod schema;
#[cfg(test)]
mod tests;

pub use body::body;
pub use query::query;

type Definitions = serde_json::Map<String, serde_json::Value>;
