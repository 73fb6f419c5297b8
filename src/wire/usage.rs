//! `/api/usage` (contract-core §1.9): what is used of a subscription's limits, as the vendor says
//! it, and beside it what this server's own turns came to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much of one limit is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitUse {
    /// In percent.
    pub utilization: f64,
    /// When it begins anew.
    pub resets_at: Option<String>,
}

/// What may be used beyond the limits, for money.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExtraUse {
    /// Always true.
    pub is_enabled: bool,
    /// The most in a month, in whole units: the app reads no fractions (trap 94).
    pub monthly_limit: i64,
    /// Used of it.
    pub used_credits: f64,
    /// In percent.
    pub utilization: f64,
}

/// What the vendor says of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Of the last five hours.
    pub five_hour: Option<LimitUse>,
    /// Of the last seven days.
    pub seven_day: Option<LimitUse>,
    /// The same for Sonnet alone.
    pub seven_day_sonnet: Option<LimitUse>,
    /// The same for Opus alone.
    pub seven_day_opus: Option<LimitUse>,
    /// Null unless it is allowed.
    pub extra_usage: Option<ExtraUse>,
}

/// Answer of `GET /api/usage`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UsageReport {
    /// What the vendor says; all null where it says nothing.
    #[serde(flatten)]
    pub limits: Limits,
    /// Always null; the app expects it.
    pub subscription_type: Option<String>,
    /// Always null; the app expects it.
    pub rate_limit_tier: Option<String>,
    /// Why the vendor says nothing.
    pub error: Option<String>,
    /// What this server's turns came to on each of the last 31 days that had any, newest first.
    pub days: Vec<DayUse>,
}

/// What the turns of one day came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DayUse {
    /// As `2026-11-20`, by the clock of this machine.
    pub date: String,
    /// Turns that ended.
    pub turns: i64,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Of the input, read from the vendor's cache.
    pub cache_read_tokens: i64,
    /// Of the input, written to it.
    pub cache_write_tokens: i64,
    /// US dollars, as the CLI reckons them.
    pub cost_usd: f64,
    /// Milliseconds that they took together.
    pub duration_ms: i64,
}

/// What turns came to, a session's or a day's.
///
/// What was stopped or failed counts with what is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TurnSums {
    /// Turns that ended.
    pub turns: i64,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Of the input, read from the vendor's cache.
    pub cache_read_tokens: i64,
    /// Of the input, written to it.
    pub cache_write_tokens: i64,
    /// US dollars, as the CLI reckons them.
    pub cost_usd: f64,
    /// Milliseconds that they took together.
    pub duration_ms: i64,
}
