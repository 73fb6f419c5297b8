//! What a result of the CLI that is an error means for a person: one of our codes and a sentence
//! that says what to do (contract-core §2.9). The CLI's own names count first, then the vendor's
//! status, then words. What the CLI does not say is `unknown`; nothing is guessed from what a turn
//! said.

use crate::claude::lines::Ended;
use crate::turn::{Turn, session_of};
use wire::agent::CredentialKind;
use wire::chat::TypedError;
use wire::error::ErrorCode;

impl Turn {
    /// The error of a result that is one (contract-core §2.9; the CLI's own names first).
    pub(crate) fn error(&self, ended: &Ended) -> TypedError {
        let said = if ended.text.is_empty() { ended.errors.join("; ") } else { ended.text.clone() };
        let name = self.error.as_deref().unwrap_or_default();
        let oauth = self
            .request
            .claude
            .credential
            .as_ref()
            .is_some_and(|c| matches!(c.kind, CredentialKind::OauthToken));
        let (code, message) = classify(name, ended, &said, self.unauthorized, oauth);
        let session = session_of(&self.request);
        let mut error = code.error(message, Some(&session));
        error.original_error = Some(said).filter(|s| !s.is_empty());
        error
    }
}

fn classify(
    name: &str,
    ended: &Ended,
    said: &str,
    unauthorized: bool,
    oauth: bool,
) -> (ErrorCode, String) {
    let too_long = said.contains("too long") || said.contains("context window");
    match (name, ended.status) {
        _ if unauthorized => not_accepted(oauth),
        ("authentication_failed", _) | (_, Some(401)) => not_accepted(oauth),
        ("billing_error", _) | (_, Some(402)) => (
            ErrorCode::Billing,
            "The vendor refuses for lack of credit. Check the account's billing.".into(),
        ),
        ("model_not_found", _) | (_, Some(404)) => {
            (ErrorCode::ModelNotFound, format!("The vendor has no such model. {said}"))
        }
        ("rate_limit", _) | (_, Some(429)) => (
            ErrorCode::RateLimited,
            "The vendor's rate limit is reached. Wait a little, then try again.".into(),
        ),
        ("overloaded", _) | (_, Some(529)) => (
            ErrorCode::ServiceUnavailable,
            "The vendor's service is overloaded. Try again in a while.".into(),
        ),
        (_, Some(400..=499)) if too_long => (
            ErrorCode::ContextExceeded,
            "The conversation is longer than the model can read. Begin a new session.".into(),
        ),
        ("server_error", Some(_)) | (_, Some(500..=599)) => (
            ErrorCode::Service,
            "The vendor's service failed. Nothing is wrong here; try again.".into(),
        ),
        ("server_error" | "unknown", None) if said.contains("onnect") => (
            ErrorCode::Network,
            "The model's endpoint cannot be reached. Check the network and anthropic_base_url."
                .into(),
        ),
        _ => match ended.subtype.as_str() {
            "error_max_turns" => {
                (ErrorCode::LimitReached, "The turn used up its allowed steps.".into())
            }
            "error_max_budget_usd" => {
                (ErrorCode::LimitReached, "The turn used up its allowed budget.".into())
            }
            _ if said.is_empty() => (
                ErrorCode::Unknown,
                format!("The Claude CLI ended the turn: {}.", ended.subtype.replace('_', " ")),
            ),
            _ => (ErrorCode::Unknown, format!("The Claude CLI ended the turn: {said}")),
        },
    }
}

fn not_accepted(oauth: bool) -> (ErrorCode, String) {
    if oauth {
        let message = "The vendor does not accept the token; it may have expired. Run \
            `claude setup-token` and put the new one into .parachute/.token.";
        (ErrorCode::ExpiredToken, message.into())
    } else {
        let message = "The vendor does not accept the credential, or there is none. Set \
            ANTHROPIC_API_KEY, or put a token into .parachute/.token.";
        (ErrorCode::InvalidApiKey, message.into())
    }
}
