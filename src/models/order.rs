//! A list of models put in order, and the newest of each family marked (contract-core §7.4):
//! families in order of first appearance, each newest first; of equal age the vendor's order.

use crate::family::family;
use crate::page::Record;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use wire::Timestamp;
use wire::supervisor::Model;

/// Puts the vendor's records in order. Of two with one id the first counts.
pub(crate) fn arrange(records: impl IntoIterator<Item = Record>) -> Vec<Model> {
    let mut seen = HashSet::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut families: Vec<Vec<Model>> = Vec::new();
    for record in records {
        if !seen.insert(record.id.clone()) {
            continue;
        }
        let model = model(record);
        let place = *places.entry(model.family.clone()).or_insert(families.len());
        if place == families.len() {
            families.push(Vec::new());
        }
        families[place].push(model);
    }
    for models in &mut families {
        // Stable, so that the vendor's order breaks ties.
        models.sort_by_key(|model| Reverse(model.created_at));
        models[0].is_latest = true;
    }
    families.into_iter().flatten().collect()
}

fn model(record: Record) -> Model {
    let Record { id, display_name, created_at } = record;
    Model {
        family: family(&id),
        display_name: display_name.unwrap_or_else(|| id.clone()),
        created_at: created_at.or_else(|| dated(&id)).unwrap_or_else(|| Timestamp::from_millis(0)),
        is_latest: false,
        id,
    }
}

/// The date in an id, as in `claude-sonnet-4-5-20250929` and `…@20250929`, where gateways append
/// to it, too.
fn dated(id: &str) -> Option<Timestamp> {
    let words = id.split(|c: char| !c.is_ascii_alphanumeric());
    words.rev().filter(|word| word.len() == 8).find_map(|word| {
        let date: u32 = word.parse().ok()?;
        let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
        if !(2000..2100).contains(&year) {
            return None;
        }
        Timestamp::parse(&format!("{year}-{month:02}-{day:02}T00:00:00Z"))
    })
}

/// The newest of each family: what a person is shown who did not ask for all.
pub fn latest(models: &[Model]) -> Vec<Model> {
    models.iter().filter(|model| model.is_latest).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::{arrange, latest};
    use crate::page::Record;
    use proptest::prelude::*;
    use std::collections::HashSet;
    use wire::Timestamp;
    use wire::supervisor::Model;

    fn record(id: &str, created: &str) -> Record {
        let created_at = Timestamp::parse(created);
        Record { id: id.into(), display_name: None, created_at }
    }

    fn ids(models: &[Model]) -> Vec<&str> {
        models.iter().map(|model| model.id.as_str()).collect()
    }

    fn again(models: Vec<Model>) -> Vec<Model> {
        arrange(models.into_iter().map(Record::from))
    }

    #[test]
    fn families_as_they_appear_and_the_newest_first() {
        let models = arrange([
            record("claude-haiku-4-5-20251001", ""),
            record("claude-opus-4-1-20250805", "2025-08-05T00:00:00Z"),
            record("claude-3-haiku-20240307", ""),
            record("claude-opus-5-5", "2026-09-01T00:00:00+00:00"),
            record("claude-opus-5-5", "2027-01-01T00:00:00Z"),
            record("claude-2.1", ""),
            record("claude-2", ""),
        ]);
        assert_eq!(
            ids(&models),
            [
                "claude-haiku-4-5-20251001",
                "claude-3-haiku-20240307",
                "claude-opus-5-5",
                "claude-opus-4-1-20250805",
                "claude-2.1",
                "claude-2",
            ]
        );
        let newest = latest(&models);
        assert_eq!(ids(&newest), ["claude-haiku-4-5-20251001", "claude-opus-5-5", "claude-2.1"]);
        assert_eq!(newest[1].created_at.to_string(), "2026-09-01T00:00:00Z");
    }

    #[test]
    fn an_id_may_hold_the_date() {
        for (id, expected) in [
            ("claude-sonnet-4-5-20250929", "2025-09-29T00:00:00Z"),
            ("anthropic/claude-sonnet-4-5@20250929", "2025-09-29T00:00:00Z"),
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "2025-10-01T00:00:00Z"),
            ("claude-x-20251301", "1970-01-01T00:00:00Z"),
            ("claude-x-99999999", "1970-01-01T00:00:00Z"),
            ("claude-opus-5-5", "1970-01-01T00:00:00Z"),
        ] {
            let models = arrange([record(id, "")]);
            assert_eq!(models[0].created_at.to_string(), expected, "{id}");
        }
    }

    proptest! {
        #[test]
        fn every_family_has_one_newest_and_order_is_a_matter_of_once(
            list in prop::collection::vec(
                ("claude-(opus|haiku|[0-9])-[0-9]{1,2}", 0i64..5),
                0..40,
            ),
        ) {
            let record = |(id, day): (String, i64)| Record {
                id,
                display_name: None,
                created_at: Some(Timestamp::from_millis(day * 86_400_000)),
            };
            let models = arrange(list.into_iter().map(record));
            let families: HashSet<&str> = models.iter().map(|m| m.family.as_str()).collect();
            let newest = latest(&models);
            prop_assert_eq!(newest.len(), families.len());
            for model in &models {
                let first = newest.iter().find(|first| first.family == model.family);
                prop_assert!(first.is_some_and(|first| first.created_at >= model.created_at));
            }
            prop_assert_eq!(&again(models.clone()), &models);
        }
    }
}
