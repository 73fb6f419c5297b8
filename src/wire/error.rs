//! The errors a turn can end with (contract-core §2.9), with what a client may offer.
//! The last eight codes are ours; the app shows an unknown code by its message.

use crate::chat::TypedError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing a client may offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorAction {
    /// A key to press.
    pub key: String,
    /// What to show.
    pub label: String,
    /// `retry`, `settings`, `reauth`, `dismiss` or `new_session`.
    pub action: String,
}

macro_rules! codes {
    ($($variant:ident $name:literal $title:literal $actions:literal $delay:expr;)*) => {
        /// What went wrong with a turn.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum ErrorCode { $($variant),* }

        impl ErrorCode {
            /// The code on the wire.
            pub fn name(self) -> &'static str {
                match self { $(ErrorCode::$variant => $name),* }
            }

            /// Title, actions by their keys, and the delay before a retry in milliseconds.
            fn row(self) -> (&'static str, &'static str, Option<i64>) {
                match self { $(ErrorCode::$variant => ($title, $actions, $delay)),* }
            }
        }
    };
}

codes! {
    InvalidApiKey "invalid_api_key" "API key not accepted" "s" None;
    ExpiredToken "expired_token" "Sign-in expired" "as" None;
    Billing "billing_error" "Billing" "s" None;
    RateLimited "rate_limited" "Rate limit reached" "r" Some(5000);
    Service "service_error" "The model's service failed" "r" Some(2000);
    ServiceUnavailable "service_unavailable" "The model's service is overloaded" "r" Some(2000);
    ContextExceeded "context_exceeded" "The conversation is too long" "n" None;
    Network "network_error" "No connection to the model" "r" Some(1000);
    ToolFailed "tool_execution_failed" "A tool failed" "r" None;
    SessionNotFound "session_not_found" "No such session" "n" None;
    SessionUnavailable "session_unavailable" "Session unavailable" "nr" None;
    Unknown "unknown_error" "The turn failed" "r" None;
    CliMissing "cli_missing" "Claude CLI not found" "s" None;
    CliTooOld "cli_too_old" "Claude CLI too old" "s" None;
    CliFailed "cli_failed" "The Claude CLI stopped" "r" None;
    ModelNotFound "model_not_found" "No such model" "s" None;
    TrustUnavailable "trust_unavailable" "This trust level cannot be had" "s" None;
    AgentLost "agent_lost" "The agent stopped" "r" None;
    LimitReached "limit_reached" "Limit reached" "r" None;
    DiskFull "disk_full" "The disk is full" "r" None;
}

impl ErrorCode {
    /// The event's body. `message` says what is so and what to do.
    pub fn error(self, message: impl Into<String>, session: Option<&str>) -> TypedError {
        let (title, actions, delay) = self.row();
        let actions: Vec<ErrorAction> = actions.chars().filter_map(action).collect();
        TypedError {
            code: self.name().into(),
            title: title.into(),
            message: message.into(),
            can_retry: actions.iter().any(|a| a.action == "retry"),
            actions,
            retry_delay_ms: delay,
            original_error: None,
            session_id: session.map(Into::into),
            message_count: None,
            model: None,
            duration_ms: None,
            usage: None,
        }
    }
}

fn action(key: char) -> Option<ErrorAction> {
    let (key, label, action) = match key {
        'r' => ("r", "Retry", "retry"),
        's' => ("s", "Settings", "settings"),
        'a' => ("r", "Sign in again", "reauth"),
        'n' => ("n", "New session", "new_session"),
        _ => return None,
    };
    Some(ErrorAction { key: key.into(), label: label.into(), action: action.into() })
}
