//! The model list: `GET /v1/models` with its paging, and one model by id. Knows no prices.

use serde_json::{Value, json};

use crate::Options;
use crate::error::ApiError;

const LISTED: [(&str, &str, &str); 6] = [
    ("claude-opus-5-5", "Claude Opus 5.5", "2026-09-01T00:00:00Z"),
    ("claude-opus-4-8", "Claude Opus 4.8", "2026-05-28T00:00:00Z"),
    ("claude-sonnet-5", "Claude Sonnet 5", "2026-06-30T00:00:00Z"),
    ("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "2025-10-15T00:00:00Z"),
    ("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "2025-09-29T00:00:00Z"),
    ("claude-opus-4-1-20250805", "Claude Opus 4.1", "2025-08-05T00:00:00Z"),
];

/// All models of these options, newest first as far as anybody cares.
pub(crate) fn all(options: &Options) -> Vec<Value> {
    let model = |id: &str, name: &str, created: &str| {
        json!({
            "type": "model", "id": id, "display_name": name, "created_at": created,
        })
    };
    if options.demo {
        // Nothing here may pass for a real model.
        let name = "Scripted demonstration (no real model)";
        return vec![model("scripted-demo", name, "2026-01-01T00:00:00Z")];
    }
    let mut models: Vec<Value> =
        LISTED.iter().map(|(id, name, created)| model(id, name, created)).collect();
    models.extend(options.model.iter().map(|id| model(id, id, "2025-01-01T00:00:00Z")));
    models.extend((0..options.many_models).map(|index| {
        let id = format!("scripted-model-{index:03}");
        model(&id, &format!("Scripted model {index}"), "2024-01-01T00:00:00Z")
    }));
    models
}

/// One model, or the API's 404.
pub(crate) fn one(options: &Options, id: &str) -> Result<Value, ApiError> {
    let found = all(options).into_iter().find(|model| model["id"] == *id);
    found.ok_or_else(|| ApiError::new(404, format!("model: {id}")))
}

/// A page: `limit` (1 to 1000, 20 by default), `after_id`, `before_id`. Ids need no decoding.
pub(crate) fn page(options: &Options, query: &str) -> Result<Value, ApiError> {
    let field = |name: &str| {
        let mut fields = query.split('&').filter_map(|field| field.split_once('='));
        fields.find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value)
    };
    let limit = match field("limit").map_or(Ok(20), str::parse::<usize>) {
        Ok(limit @ 1..=1000) => limit,
        Ok(_) => return Err(ApiError::new(400, "limit: must be between 1 and 1000")),
        Err(_) => return Err(ApiError::new(400, "limit: not a number")),
    };
    let models = all(options);
    let place = |name: &str| match field(name) {
        None => Ok(None),
        Some(id) => models
            .iter()
            .position(|model| model["id"] == *id)
            .map(Some)
            .ok_or_else(|| ApiError::new(400, format!("{name}: {id} not found"))),
    };
    let (start, end, more) = match (place("after_id")?, place("before_id")?) {
        (Some(_), Some(_)) => {
            return Err(ApiError::new(400, "only one of after_id and before_id may be set"));
        }
        (None, Some(before)) => {
            let start = before.saturating_sub(limit);
            (start, before, start > 0)
        }
        (after, None) => {
            let start = after.map_or(0, |index| index + 1);
            let end = models.len().min(start + limit);
            (start, end, end < models.len())
        }
    };
    let page = &models[start..end];
    let id = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
    Ok(json!({
        "data": page, "has_more": more,
        "first_id": id(page.first()), "last_id": id(page.last()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn ids(page: &Value) -> Vec<&str> {
        page["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect()
    }

    #[test]
    fn pages_forwards_and_backwards() {
        let options = Options::parse_from(["x", "--many-models", "4"]);
        let first = page(&options, "limit=7").unwrap();
        assert_eq!((ids(&first).len(), &first["has_more"]), (7, &json!(true)));
        let next = page(&options, "limit=7&after_id=scripted-model-000").unwrap();
        assert_eq!(ids(&next), ["scripted-model-001", "scripted-model-002", "scripted-model-003"]);
        assert_eq!(next["has_more"], json!(false));
        let back = page(&options, "limit=1&before_id=scripted-model-001").unwrap();
        assert_eq!((ids(&back), &back["has_more"]), (vec!["scripted-model-000"], &json!(true)));
        for bad in ["limit=0", "limit=x", "after_id=no", "after_id=claude-sonnet-5&before_id=x"] {
            assert_eq!(page(&options, bad).unwrap_err().status, 400, "{bad}");
        }
    }

    #[test]
    fn a_demonstration_lists_nothing_real() {
        let options = Options::parse_from(["x", "--demo"]);
        assert_eq!(ids(&page(&options, "").unwrap()), ["scripted-demo"]);
        assert_eq!(one(&options, "claude-sonnet-5").unwrap_err().status, 404);
    }
}
