//! What a stream says where a turn could not begin, or its agent did not speak.

use super::DomainError;
use crate::agents::{Piped, StartError};
use crate::store::StoreError;
use serve::fault::chain;
use wire::ChatEvent;
use wire::chat::TypedError;
use wire::error::ErrorCode;

pub(super) fn warning(id: &str, code: &str, title: &str, message: String) -> ChatEvent {
    let (code, title, session_id) = (code.into(), title.into(), Some(id.to_owned()));
    ChatEvent::Warning { code, title, message, details: None, session_id }
}

pub(super) fn plain_error(error: &str) -> ChatEvent {
    ChatEvent::Error { error: error.into(), session_id: None }
}

pub(super) fn domain_error(error: &DomainError, session: Option<&str>) -> ChatEvent {
    if let DomainError::Store(store) = error {
        return store_error(store, session.unwrap_or_default());
    }
    tracing::error!(error = chain(error), "a turn could not begin");
    let code = match error {
        DomainError::NoStore(_) => ErrorCode::DiskFull,
        _ => ErrorCode::Unknown,
    };
    let mut out = code.error(format!("The turn could not begin: {error}."), session);
    if code == ErrorCode::DiskFull {
        out.title = "The vault cannot be written".into();
    }
    ChatEvent::TypedError(Box::new(out))
}

pub(super) fn store_error(error: &StoreError, session: &str) -> ChatEvent {
    tracing::error!(session, error = chain(error), "a turn could not be noted");
    let session = Some(session).filter(|s| !s.is_empty());
    let error = match error {
        StoreError::Full { .. } | StoreError::ReadOnly { .. } => {
            let message = format!("The turn could not begin: {error}.");
            let mut out = ErrorCode::DiskFull.error(message, session);
            if matches!(error, StoreError::ReadOnly { .. }) {
                out.title = "The vault cannot be written".into();
            }
            out
        }
        error => ErrorCode::Unknown.error(format!("The turn could not begin: {error}."), session),
    };
    ChatEvent::TypedError(Box::new(error))
}

/// What is said where an agent did not speak.
pub(super) fn unspoken(piped: Piped, session: &str) -> Option<ChatEvent> {
    let error = match piped {
        Piped::Whole => return None,
        Piped::Refused(status) => refused(status, session),
        Piped::NoAgent(error) => no_agent(&error, session),
        Piped::Deleted => ErrorCode::SessionNotFound
            .error("The session was deleted before this turn began.", Some(session)),
        Piped::Lost => ErrorCode::AgentLost.error(
            "The session's agent ended again and again. See its log, then try again.",
            Some(session),
        ),
    };
    Some(ChatEvent::TypedError(Box::new(error)))
}

fn refused(status: http::StatusCode, session: &str) -> TypedError {
    let (code, message) = match status.as_u16() {
        429 => (ErrorCode::RateLimited, "Too many messages wait in this session already."),
        507 => (ErrorCode::DiskFull, "The turn's events cannot be kept. Free some space."),
        _ => (
            ErrorCode::AgentLost,
            "The session's agent does not understand this server; it may be of another version. \
             Try again when it has left.",
        ),
    };
    code.error(message, Some(session))
}

fn no_agent(error: &StartError, session: &str) -> TypedError {
    let said = chain(error);
    tracing::error!(session, error = said, "no agent");
    let message = format!("The session's agent did not start: {error}.");
    let mut out = ErrorCode::AgentLost.error(message, Some(session));
    out.original_error = Some(said);
    out
}
