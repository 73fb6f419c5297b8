//! A configuration that comes back as it was shown: where it says `[REDACTED]`, what is kept
//! stays. Only in the same place, and only if it is plain which secret is meant: one that lands
//! under another name would be shown to somebody it was not meant for.

use crate::domain::capabilities::redact::{REDACTED, shown};
use crate::vault::mcps::Config;
use serde_json::Value;

/// Puts what is kept in the places where it was hidden. False: something hidden is not there.
pub(crate) fn restore(new: &mut Config, kept: Option<&Config>) -> bool {
    let kept = Value::Object(kept.cloned().unwrap_or_default());
    let shown = shown(&kept);
    let mut all = true;
    for (name, value) in new.iter_mut() {
        all &= value_of(value, kept.get(name), shown.get(name));
    }
    all
}

fn value_of(new: &mut Value, kept: Option<&Value>, shown: Option<&Value>) -> bool {
    match new {
        Value::String(text) if text.contains(REDACTED) => {
            let same = kept.filter(|_| shown.and_then(Value::as_str) == Some(text.as_str()));
            same.is_some_and(|kept| {
                *new = kept.clone();
                true
            })
        }
        Value::Object(fields) => fields.iter_mut().fold(true, |all, (name, value)| {
            value_of(value, kept.and_then(|k| k.get(name)), shown.and_then(|s| s.get(name))) && all
        }),
        Value::Array(items) => {
            let empty = Vec::new();
            let kept = kept.and_then(Value::as_array).unwrap_or(&empty);
            let shown = shown.and_then(Value::as_array).unwrap_or(&empty);
            list(items, kept, shown)
        }
        _ => true,
    }
}

/// In a list the same place is one after the same thing: `--token` before its word.
fn list(items: &mut [Value], kept: &[Value], shown: &[Value]) -> bool {
    let came = items.to_vec();
    let mut all = true;
    for (at, item) in items.iter_mut().enumerate() {
        if !came[at].as_str().is_some_and(|text| text.contains(REDACTED)) {
            all &= value_of(item, kept.get(at), shown.get(at));
            continue;
        }
        let before = at.checked_sub(1).map(|before| &came[before]);
        let mut meant = (0..kept.len()).filter(|place| {
            let its_before = place.checked_sub(1).map(|before| &shown[before]);
            shown[*place] == came[at] && its_before == before
        });
        let first = meant.next().map(|place| &kept[place]);
        match first.filter(|first| meant.all(|place| kept[place] == **first)) {
            Some(value) => *item = value.clone(),
            None => all = false,
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn config(value: &Value) -> Config {
        value.as_object().expect("an object").clone()
    }

    fn restored(new: &Value, kept: &Value) -> Option<Value> {
        let mut new = config(new);
        restore(&mut new, Some(&config(kept))).then_some(Value::Object(new))
    }

    #[test]
    fn what_was_hidden_stays_what_it_was() {
        let kept = json!({
            "command": "run", "args": ["--token", "s1", "--key=s2", "-v", "https://u:s3@x/?k=s4"],
            "env": { "A": "s5", "REF": "${A}", "N": 5 }, "headers": { "X": "s6" },
            "oauth": { "clientSecret": "s7-and-more" },
        });
        let mut came = shown(&kept);
        assert_eq!(restored(&came, &kept), Some(kept.clone()));
        came["env"]["B"] = "new".into();
        came["env"].as_object_mut().expect("an object").remove("N");
        came["args"] = json!(["-v", "--key=[REDACTED]", "more", "--token", "[REDACTED]"]);
        let is = json!({
            "command": "run", "args": ["-v", "--key=[REDACTED]", "more", "--token", "s1"],
            "env": { "A": "s5", "REF": "${A}", "B": "new" }, "headers": { "X": "s6" },
            "oauth": { "clientSecret": "s7-and-more" },
        });
        // After another word it is not plain that it is the same.
        assert_eq!(restored(&came, &kept), None);
        came["args"][1] = "--key=other".into();
        let mut is = is;
        is["args"][1] = "--key=other".into();
        assert_eq!(restored(&came, &kept), Some(is));
    }

    #[test]
    fn a_secret_stays_under_its_name() {
        let kept =
            json!({ "env": { "A": "s1", "B": "s2" }, "args": ["--token", "s3", "--key", "s4"] });
        for came in [
            json!({ "env": { "C": "[REDACTED]" } }),
            json!({ "headers": { "A": "[REDACTED]" } }),
            json!({ "env": "[REDACTED]" }),
            json!({ "env": { "A": "x[REDACTED]" } }),
            json!({ "command": "[REDACTED]" }),
            json!({ "args": ["[REDACTED]"] }),
            json!({ "args": ["-v", "[REDACTED]"] }),
            json!({ "more": [{ "deep": "[REDACTED]" }] }),
        ] {
            assert_eq!(restored(&came, &kept), None, "{came}");
        }
        let came = json!({ "args": ["--key", "[REDACTED]", "--token", "[REDACTED]"] });
        let is = json!({ "args": ["--key", "s4", "--token", "s3"] });
        assert_eq!(restored(&came, &kept), Some(is));
    }

    proptest! {
        #[test]
        fn what_is_shown_and_comes_back_changes_nothing(
            names in proptest::collection::vec("[A-Z]{1,6}", 0..4),
            values in proptest::collection::vec("\\PC{0,10}|\\$\\{[A-Z]{1,4}\\}", 4),
            args in proptest::collection::vec("-{0,2}(key|token|x)(=[a-z]{0,3})?|[a-z]{1,5}", 0..5),
        ) {
            let env: Config =
                names.iter().zip(&values).map(|(n, v)| (n.clone(), v.clone().into())).collect();
            let kept = json!({ "command": "x", "args": args, "env": env });
            let came = shown(&kept);
            // It may be said that it is not plain; it is never something else.
            if let Some(back) = restored(&came, &kept) {
                prop_assert_eq!(back, kept);
            }
        }
    }
}
