//! What the vendor of models tells: which models there are, and how much of a subscription is
//! used; and beside it what our own turns came to (contract-core §1.9, §1.10).

use super::{Domain, DomainError};
use crate::limits::{LIMITS_FRESH, USAGE_DAYS};
use models::{DEFAULT_BASE_URL, Vendor};
use serve::fault::chain;
use std::time::Instant;
use wire::Timestamp;
use wire::agent::Credential;
use wire::supervisor::ModelList;
use wire::usage::{DayUse, Limits, TurnSums, UsageReport};

/// What is said where nobody can be asked.
const NO_CREDENTIAL: &str = "no credential for the vendor: set ANTHROPIC_API_KEY or \
                             CLAUDE_CODE_OAUTH_TOKEN, or put a token into .parachute/.token";
const NO_TOKEN: &str = "CLAUDE_CODE_OAUTH_TOKEN not configured (run `claude setup-token`)";

/// The last answer about a subscription.
pub(crate) struct KeptLimits {
    /// Whom it was asked of and what was shown: another one is asked at once.
    asked: (String, Credential),
    at: Instant,
    told: Result<Limits, String>,
}

impl Domain {
    pub(crate) async fn models(
        &self,
        show_all: bool,
        refresh: bool,
    ) -> Result<ModelList, DomainError> {
        let vendor = self.vendor().await.ok_or_else(|| NO_CREDENTIAL.to_owned());
        let shelved = self.shelf.get(vendor, refresh, Timestamp::now()).await;
        let shelved = shelved.map_err(|error| DomainError::Away(error.to_string()))?;
        Ok(shelved.told(show_all, self.settings.default_model.clone()))
    }

    /// Never fails: what cannot be told is said.
    pub(crate) async fn usage(&self) -> UsageReport {
        let (limits, error) = match self.limits().await {
            Ok(limits) => (limits, None),
            Err(said) => (Limits::default(), Some(said)),
        };
        let days = self.days().await.unwrap_or_else(|error| {
            tracing::warn!(error = chain(&error), "what the days came to is unknown");
            Vec::new()
        });
        UsageReport { limits, subscription_type: None, rate_limit_tier: None, error, days }
    }

    /// The subscription's limits; asked for once a minute, by one at a time.
    async fn limits(&self) -> Result<Limits, String> {
        let vendor = self.vendor().await.ok_or_else(|| NO_TOKEN.to_owned())?;
        let asked = (vendor.base_url.clone(), vendor.credential.clone());
        let mut kept = self.limits_kept.lock().await;
        if let Some(kept) = kept.as_ref()
            && kept.asked == asked
            && kept.at.elapsed() < LIMITS_FRESH
        {
            return kept.told.clone();
        }
        let told = vendor.usage().await.map_err(|error| error.to_string());
        if let Err(said) = &told {
            tracing::info!(said, "the vendor does not tell what is used");
        }
        *kept = Some(KeptLimits { asked, at: Instant::now(), told: told.clone() });
        told
    }

    async fn days(&self) -> Result<Vec<DayUse>, DomainError> {
        // The first of them is whole.
        let since = Timestamp::now().plus_seconds(-(USAGE_DAYS - 1) * 24 * 3600);
        let days = self.store().await?.days(since).await?;
        Ok(days.into_iter().map(|(date, sums)| of_day(date, sums)).collect())
    }

    async fn vendor(&self) -> Option<Vendor> {
        let base_url = self.base_url().unwrap_or_else(|| DEFAULT_BASE_URL.to_owned());
        self.credential().await.map(|credential| Vendor { base_url, credential })
    }
}

fn of_day(date: String, sums: TurnSums) -> DayUse {
    DayUse {
        date,
        turns: sums.turns,
        input_tokens: sums.input_tokens,
        output_tokens: sums.output_tokens,
        cache_read_tokens: sums.cache_read_tokens,
        cache_write_tokens: sums.cache_write_tokens,
        cost_usd: sums.cost_usd,
        duration_ms: sums.duration_ms,
    }
}
