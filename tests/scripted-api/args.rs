//! A scenario's arguments, read with their defaults. What is of the wrong type counts as absent.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::error::ApiError;

/// What stands in the braces of a directive.
pub(crate) type Args = Map<String, Value>;

/// More pieces than any test wants, fewer than would hurt.
const COUNT_MAX: usize = 4_000_000;

pub(crate) fn text<'a>(args: &'a Args, name: &str, default: &'a str) -> &'a str {
    args.get(name).and_then(Value::as_str).unwrap_or(default)
}

pub(crate) fn flag(args: &Args, name: &str) -> bool {
    args.get(name).and_then(Value::as_bool).unwrap_or(false)
}

pub(crate) fn count(args: &Args, name: &str, default: usize) -> usize {
    let count = args.get(name).and_then(Value::as_u64);
    count.map_or(default, |count| usize::try_from(count).map_or(COUNT_MAX, |n| n.min(COUNT_MAX)))
}

pub(crate) fn seconds(args: &Args, name: &str, default: f64) -> Result<Duration, ApiError> {
    let seconds = args.get(name).and_then(Value::as_f64).unwrap_or(default);
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| ApiError::new(400, format!("scripted API: {name} is no time: {seconds}")))
}
