//! One page of the vendor's list, taken apart: `{"data": [{id, display_name, created_at}],
//! "has_more", "last_id"}`. A record that is no model is passed over and counted; only what is
//! no page at all is an error. Asks nobody.

use crate::limits::{ID_CHARS_MAX, NAME_CHARS_MAX};
use crate::words;
use serde_json::Value;
use wire::Timestamp;
use wire::supervisor::Model;

/// A model as the vendor tells it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) display_name: Option<String>,
    pub(crate) created_at: Option<Timestamp>,
}

/// One page.
#[derive(Debug, PartialEq)]
pub(crate) struct Page {
    pub(crate) records: Vec<Record>,
    /// How many were passed over.
    pub(crate) skipped: usize,
    /// The id after which the next page begins; None: this was the last.
    pub(crate) next: Option<String>,
}

impl Page {
    /// Reads a body. An error says what it is instead.
    pub(crate) fn read(body: &[u8]) -> Result<Page, &'static str> {
        let page: Value = serde_json::from_slice(body).map_err(|_| "it is not JSON")?;
        let Some(data) = page["data"].as_array() else {
            return Err("it has no list under `data`");
        };
        let records: Vec<Record> = data.iter().filter_map(Record::read).collect();
        let next = match page["has_more"].as_bool() {
            Some(true) => {
                let last = page["last_id"].as_str().filter(|id| is_id(id));
                Some(last.ok_or("it has more, and does not say after what")?.to_owned())
            }
            _ => None,
        };
        Ok(Page { skipped: data.len() - records.len(), records, next })
    }
}

impl Record {
    fn read(record: &Value) -> Option<Record> {
        let id = record["id"].as_str().filter(|id| is_id(id))?.to_owned();
        let name = record["display_name"].as_str().map(|name| words::line(name, NAME_CHARS_MAX));
        let created_at = record["created_at"].as_str().and_then(Timestamp::parse);
        Some(Record { id, display_name: name.filter(|name| !name.is_empty()), created_at })
    }
}

impl From<Model> for Record {
    fn from(model: Model) -> Record {
        Record {
            id: model.id,
            display_name: Some(model.display_name),
            created_at: Some(model.created_at),
        }
    }
}

/// Whether a text can be an id: it goes into URLs, logs and config files.
pub(crate) fn is_id(id: &str) -> bool {
    !id.is_empty() && id.chars().count() <= ID_CHARS_MAX && words::line(id, ID_CHARS_MAX) == id
}

#[cfg(test)]
mod tests {
    use super::Page;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn bad_records_are_passed_over_and_counted() {
        let body = json!({"data": [
            {"id": "claude-opus-5-5", "display_name": "Opus\u{7}", "created_at": "2026-09-01"},
            {"id": "bare"},
            {"id": "odd", "display_name": 7, "created_at": 12},
            {"id": ""}, {"id": " "}, {"id": "a\nb"}, {"id": "x".repeat(201)}, {"id": 7},
            {"name": "none"}, "text", null, [],
        ]});
        let page = Page::read(body.to_string().as_bytes()).unwrap();
        assert_eq!((page.skipped, page.next), (9, None));
        let [opus, bare, odd] = &page.records[..] else { panic!("{:?}", page.records) };
        assert_eq!(opus.display_name.as_deref(), Some("Opus"));
        assert!(opus.created_at.is_some());
        assert_eq!((bare.id.as_str(), &bare.display_name), ("bare", &None));
        assert_eq!((odd.created_at, &odd.display_name), (None, &None));
    }

    #[test]
    fn the_next_page_begins_after_the_last_id() {
        let read = |page: serde_json::Value| Page::read(page.to_string().as_bytes());
        let next = |page| read(page).map(|page| page.next);
        assert_eq!(next(json!({"data": [], "has_more": false, "last_id": "x"})), Ok(None));
        assert_eq!(next(json!({"data": [], "has_more": "yes", "last_id": "x"})), Ok(None));
        assert_eq!(
            next(json!({"data": [], "has_more": true, "last_id": "x"})),
            Ok(Some("x".to_owned()))
        );
        for last in [json!(null), json!(""), json!(3), json!("a\tb")] {
            assert!(next(json!({"data": [], "has_more": true, "last_id": last})).is_err());
        }
    }

    #[test]
    fn what_is_no_page_is_said() {
        for body in ["", "<html>", "{\"data\": [{\"id\": \"x\"", "[]", "7", "null", "{}"] {
            assert!(Page::read(body.as_bytes()).is_err(), "{body}");
        }
        assert!(Page::read(br#"{"data": {"id": "x"}}"#).is_err());
        assert!(Page::read(b"{\"data\": [\"\xff\"]}").is_err());
    }

    proptest! {
        #[test]
        fn no_body_is_too_strange(
            id in any::<String>(), name in any::<String>(), created in any::<String>(),
            cut in 0usize..400,
        ) {
            let body = json!({"data": [{"id": id, "display_name": name, "created_at": created}],
                "has_more": true, "last_id": id}).to_string();
            let whole = Page::read(body.as_bytes());
            if let Ok(page) = whole {
                prop_assert_eq!(page.records.len() + page.skipped, 1);
            }
            let half = &body.as_bytes()[..cut.min(body.len() - 1)];
            prop_assert!(Page::read(half).is_err());
        }
    }
}
