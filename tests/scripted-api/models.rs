//! The model list: `GET /v1/models` with its paging, one model by id, and `POST
//! /__scripted/models`, which says what the list is from then on and what is wrong with it.
//! Knows no prices.

use percent_encoding::percent_decode_str;
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

/// When a model was made whose maker nobody asked.
const MADE_UP: &str = "2025-01-01T00:00:00Z";

/// What `POST /__scripted/models` asked for; by default nothing, and all is as the options say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Play {
    /// What is wrong with the list.
    pub fault: Option<Fault>,
    /// The models, in place of those of the options.
    models: Option<Vec<Value>>,
    /// Longest page, whatever `limit` says.
    page: Option<usize>,
}

/// What is wrong with `GET /v1/models`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// An error answer.
    Error(ApiError),
    /// No answer, until the client leaves.
    Hang,
    /// The connection ends without one.
    Drop,
    /// 200, and not JSON.
    Garbage,
    /// 200, and JSON that is no list.
    Shape,
    /// The first half of the right answer.
    Half,
    /// 307 to the list of another address.
    Redirect(String),
    /// The same page for ever, and always more after it.
    Circle,
}

impl Play {
    /// Reads the body: `{"fault", "models", "page", "retry_after", "location"}`, each as it is
    /// at the start where it is absent or null. A model is an id, or an object that is listed
    /// as it stands.
    pub(crate) fn read(body: &Value) -> Result<Play, ApiError> {
        let named = |name: &str| body.get(name).filter(|value| !value.is_null());
        let bad = |what: &str| ApiError::new(400, format!("scripted API: {what}"));
        let models = match named("models") {
            None => None,
            Some(Value::Array(models)) => Some(models.iter().map(played).collect()),
            Some(_) => return Err(bad("models is no list")),
        };
        let page = match named("page").map(Value::as_u64) {
            None => None,
            Some(Some(page @ 1..=1000)) => usize::try_from(page).ok(),
            Some(_) => return Err(bad("page is no number from 1 to 1000")),
        };
        let fault = match named("fault") {
            None => None,
            Some(Value::Number(status)) => Some(Fault::named(&status.to_string(), body)?),
            Some(fault) => Some(Fault::named(fault.as_str().unwrap_or_default(), body)?),
        };
        Ok(Play { fault, models, page })
    }

    fn models(&self, options: &Options) -> Vec<Value> {
        self.models.clone().unwrap_or_else(|| of_options(options))
    }
}

impl Fault {
    fn named(name: &str, body: &Value) -> Result<Fault, ApiError> {
        Ok(match name {
            "hang" => Fault::Hang,
            "drop" => Fault::Drop,
            "garbage" => Fault::Garbage,
            "shape" => Fault::Shape,
            "half" => Fault::Half,
            "circle" => Fault::Circle,
            "redirect" => {
                let location = body["location"].as_str().unwrap_or("https://elsewhere.invalid/");
                Fault::Redirect(location.to_owned())
            }
            _ => match name.parse::<u16>() {
                Ok(status @ 400..600) => {
                    let mut error = ApiError::of(status);
                    if let Some(seconds) = body["retry_after"].as_u64() {
                        error.headers.push(("retry-after", seconds.to_string()));
                    }
                    Fault::Error(error)
                }
                _ => return Err(ApiError::new(400, format!("scripted API: no fault '{name}'"))),
            },
        })
    }
}

/// A model as the control door names it.
fn played(named: &Value) -> Value {
    let Some(id) = named.as_str() else {
        return named.clone();
    };
    match LISTED.iter().find(|(listed, ..)| *listed == id) {
        Some((id, name, created)) => model(id, name, created),
        None => model(id, id, MADE_UP),
    }
}

fn model(id: &str, name: &str, created: &str) -> Value {
    json!({"type": "model", "id": id, "display_name": name, "created_at": created})
}

/// All models of these options, newest first as far as anybody cares.
fn of_options(options: &Options) -> Vec<Value> {
    if options.demo {
        // Nothing here may pass for a real model.
        let name = "Scripted demonstration (no real model)";
        return vec![model("scripted-demo", name, "2026-01-01T00:00:00Z")];
    }
    let mut models: Vec<Value> =
        LISTED.iter().map(|(id, name, created)| model(id, name, created)).collect();
    models.extend(options.model.iter().map(|id| model(id, id, MADE_UP)));
    models.extend((0..options.many_models).map(|index| {
        let id = format!("scripted-model-{index:03}");
        model(&id, &format!("Scripted model {index}"), "2024-01-01T00:00:00Z")
    }));
    models
}

/// One model, or the API's 404.
pub(crate) fn one(options: &Options, play: &Play, id: &str) -> Result<Value, ApiError> {
    let found = play.models(options).into_iter().find(|model| model["id"] == *id);
    found.ok_or_else(|| ApiError::new(404, format!("model: {id}")))
}

/// A page: `limit` (1 to 1000, 20 by default), `after_id`, `before_id`.
pub(crate) fn page(options: &Options, play: &Play, query: &str) -> Result<Value, ApiError> {
    let field = |name: &str| {
        let mut fields = query.split('&').filter_map(|field| field.split_once('='));
        let found = fields.find(|(key, value)| *key == name && !value.is_empty());
        found.map(|(_, value)| decoded(value))
    };
    let limit = match field("limit").map_or(Ok(20), |limit| limit.parse::<usize>()) {
        Ok(limit @ 1..=1000) => limit.min(play.page.unwrap_or(limit)),
        Ok(_) => return Err(ApiError::new(400, "limit: must be between 1 and 1000")),
        Err(_) => return Err(ApiError::new(400, "limit: not a number")),
    };
    let models = play.models(options);
    let place = |name: &str| match field(name) {
        None => Ok(None),
        Some(id) => models
            .iter()
            .position(|model| model["id"] == *id)
            .map(Some)
            .ok_or_else(|| ApiError::new(400, format!("{name}: {id} not found"))),
    };
    let circle = play.fault == Some(Fault::Circle);
    let (start, end, more) = match (place("after_id")?, place("before_id")?) {
        (Some(_), Some(_)) => {
            return Err(ApiError::new(400, "only one of after_id and before_id may be set"));
        }
        (None, Some(before)) => {
            let start = before.saturating_sub(limit);
            (start, before, start > 0)
        }
        (after, None) => {
            let start = after.filter(|_| !circle).map_or(0, |index| index + 1);
            let end = models.len().min(start + limit);
            (start, end, circle || end < models.len())
        }
    };
    let page = &models[start..end];
    let id = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
    Ok(json!({
        "data": page, "has_more": more,
        "first_id": id(page.first()), "last_id": id(page.last()),
    }))
}

/// A query's value as a form has it.
fn decoded(value: &str) -> String {
    percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn ids(page: &Value) -> Vec<&str> {
        page["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect()
    }

    fn options(arguments: &[&str]) -> Options {
        Options::parse_from([&["x"], arguments].concat())
    }

    fn plain(options: &Options, query: &str) -> Result<Value, ApiError> {
        page(options, &Play::default(), query)
    }

    #[test]
    fn pages_forwards_and_backwards() {
        let options = options(&["--many-models", "4"]);
        let first = plain(&options, "limit=7").unwrap();
        assert_eq!((ids(&first).len(), &first["has_more"]), (7, &json!(true)));
        let next = plain(&options, "limit=7&after_id=scripted-model-000").unwrap();
        assert_eq!(ids(&next), ["scripted-model-001", "scripted-model-002", "scripted-model-003"]);
        assert_eq!(next["has_more"], json!(false));
        let back = plain(&options, "limit=1&before_id=scripted-model-001").unwrap();
        assert_eq!((ids(&back), &back["has_more"]), (vec!["scripted-model-000"], &json!(true)));
        for bad in ["limit=0", "limit=x", "after_id=no", "after_id=claude-sonnet-5&before_id=x"] {
            assert_eq!(plain(&options, bad).unwrap_err().status, 400, "{bad}");
        }
    }

    #[test]
    fn a_demonstration_lists_nothing_real() {
        let options = options(&["--demo"]);
        assert_eq!(ids(&plain(&options, "").unwrap()), ["scripted-demo"]);
        let error = one(&options, &Play::default(), "claude-sonnet-5").unwrap_err();
        assert_eq!(error.status, 404);
    }

    #[test]
    fn the_list_is_what_it_is_said_to_be() {
        let options = options(&[]);
        let body = json!({"page": 2, "models": [
            "claude-opus-5-5", "anthropic/new one@1", {"id": "bare"}, {"no": "id"}, 7]});
        let play = Play::read(&body).unwrap();
        let first = page(&options, &play, "limit=1000").unwrap();
        assert_eq!(ids(&first), ["claude-opus-5-5", "anthropic/new one@1"]);
        assert_eq!(first["data"][0]["created_at"], "2026-09-01T00:00:00Z");
        assert_eq!(first["data"][1]["display_name"], "anthropic/new one@1");
        let next = page(&options, &play, "after_id=anthropic%2Fnew+one%401&limit=9").unwrap();
        let bare = json!([{"id": "bare"}, {"no": "id"}]);
        assert_eq!((&next["data"], &next["has_more"]), (&bare, &json!(true)));
        assert!(
            one(&options, &play, "bare").is_ok()
                && one(&options, &play, "claude-sonnet-5").is_err()
        );
        assert_eq!(Play::read(&json!({"models": null})), Ok(Play::default()));
    }

    #[test]
    fn a_circle_has_no_end() {
        let play = Play::read(&json!({"fault": "circle", "page": 1})).unwrap();
        for query in ["limit=5", "limit=5&after_id=claude-opus-5-5"] {
            let page = page(&options(&[]), &play, query).unwrap();
            assert_eq!((ids(&page), &page["has_more"]), (vec!["claude-opus-5-5"], &json!(true)));
        }
    }

    #[test]
    fn faults_by_name() {
        let fault = |body: Value| Play::read(&body).map(|play| play.fault);
        assert_eq!(fault(json!({"fault": "hang"})), Ok(Some(Fault::Hang)));
        for status in [json!("429"), json!(429)] {
            let Ok(Some(Fault::Error(error))) = fault(json!({"fault": status, "retry_after": 7}))
            else {
                panic!("{status}")
            };
            assert_eq!((error.status, error.kind.as_str()), (429, "rate_limit_error"));
            assert_eq!(error.headers, [("retry-after", "7".to_owned())]);
        }
        for bad in [
            json!({"fault": "nonsense"}),
            json!({"fault": "200"}),
            json!({"fault": true}),
            json!({"models": "x"}),
            json!({"page": 0}),
            json!({"page": "2"}),
        ] {
            assert_eq!(Play::read(&bad).unwrap_err().status, 400, "{bad}");
        }
    }
}
