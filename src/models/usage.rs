//! What is used of a subscription's limits: `GET {base}/api/oauth/usage` (contract-core §1.9).
//! Read leniently: a limit that cannot be understood is none. Keeps nothing.

use crate::ask::Asker;
use crate::error::ListError;
use crate::limits::LIST_TIME;
use crate::vendor::{Vendor, address};
use crate::words;
use reqwest::Url;
use serde_json::Value;
use wire::agent::CredentialKind;
use wire::usage::{ExtraUse, LimitUse, Limits};

/// As whom this door is asked: it is made for the vendor's own program (contract-core §1.9).
const EXPECTED: &str = "claude-code/2.0.31";

/// A point in time, as the vendor writes it.
const AT_CHARS_MAX: usize = 64;

/// What is said where there is no subscription.
const NO_SUBSCRIPTION: &str = "only a subscription has such limits: CLAUDE_CODE_OAUTH_TOKEN is \
                               not what is in use (run `claude setup-token`)";

impl Vendor {
    /// What is used of the subscription's limits. Takes at most ten seconds.
    pub async fn usage(&self) -> Result<Limits, ListError> {
        if self.credential.kind != CredentialKind::OauthToken {
            return Err(ListError::NoCredential(NO_SUBSCRIPTION.to_owned()));
        }
        let base = address(&self.base_url)?;
        match tokio::time::timeout(LIST_TIME, self.ask_usage(&base)).await {
            Ok(told) => told,
            Err(_) => Err(ListError::Timeout { place: base.origin().ascii_serialization() }),
        }
    }

    async fn ask_usage(&self, base: &Url) -> Result<Limits, ListError> {
        let asker = Asker::new(base, &self.credential).await?.calling_itself(EXPECTED);
        let mut url = base.clone();
        url.set_path(&format!("{}/api/oauth/usage", base.path().trim_end_matches('/')));
        read(&asker.get(url).await?).map_err(|why| asker.garbage(why))
    }
}

/// Reads a body. An error says what it is instead.
fn read(body: &[u8]) -> Result<Limits, &'static str> {
    let told: Value = serde_json::from_slice(body).map_err(|_| "it is not JSON")?;
    if !told.is_object() {
        return Err("it says nothing of limits");
    }
    let limit = |name: &str| {
        let of = &told[name];
        let resets_at = of["resets_at"].as_str().map(|at| words::line(at, AT_CHARS_MAX));
        Some(LimitUse { utilization: of["utilization"].as_f64()?, resets_at })
    };
    let extra = &told["extra_usage"];
    let number = |name: &str| extra[name].as_f64().unwrap_or(0.0);
    let extra_usage = (extra["is_enabled"] == true).then(|| ExtraUse {
        is_enabled: true,
        // What is beyond all numbers becomes the greatest.
        monthly_limit: number("monthly_limit").round() as i64,
        used_credits: number("used_credits"),
        utilization: number("utilization"),
    });
    Ok(Limits {
        five_hour: limit("five_hour"),
        seven_day: limit("seven_day"),
        seven_day_sonnet: limit("seven_day_sonnet"),
        seven_day_opus: limit("seven_day_opus"),
        extra_usage,
    })
}

#[cfg(test)]
mod tests {
    use super::read;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn told(body: &Value) -> wire::usage::Limits {
        read(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn what_is_not_understood_is_none() {
        let limits = told(&json!({
            "five_hour": {"utilization": 12.5, "resets_at": "2026-11-20T12:00:00+00:00"},
            "seven_day": {"utilization": 3, "resets_at": null},
            "seven_day_opus": {"utilization": "much"},
            "seven_day_sonnet": null,
            "iguana_necktie": {"utilization": 1},
        }));
        let five_hour = limits.five_hour.unwrap();
        assert_eq!(five_hour.utilization, 12.5);
        assert_eq!(five_hour.resets_at.as_deref(), Some("2026-11-20T12:00:00+00:00"));
        assert_eq!(limits.seven_day.unwrap().resets_at, None);
        assert_eq!((limits.seven_day_opus, limits.seven_day_sonnet), (None, None));
        assert_eq!(limits.extra_usage, None);
        for body in ["", "null", "[]", "7", "<html>", "{\"five_hour\":"] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_limit_in_money_is_a_whole_number_trap_94() {
        let extra = |extra: Value| told(&json!({ "extra_usage": extra })).extra_usage;
        let given = json!({"is_enabled": true, "monthly_limit": 49.6, "used_credits": 1.25,
            "utilization": 2});
        let given = extra(given).unwrap();
        assert_eq!((given.monthly_limit, given.used_credits, given.utilization), (50, 1.25, 2.0));
        let odd = json!({"is_enabled": true, "monthly_limit": null});
        assert_eq!(extra(odd).unwrap().monthly_limit, 0);
        assert_eq!(extra(json!({"is_enabled": false, "monthly_limit": 5})), None);
    }

    proptest! {
        #[test]
        fn no_body_is_too_strange(text in any::<String>(), number in any::<f64>()) {
            let body = json!({"five_hour": {"utilization": number, "resets_at": text},
                "extra_usage": {"is_enabled": true, "monthly_limit": number}});
            let _ = told(&body);
            let _ = read(text.as_bytes());
        }
    }
}
