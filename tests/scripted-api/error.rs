//! An answer that is an error, in the shape and words of the real API. Sends nothing.

use serde_json::{Value, json};

/// A refusal: status, `error.type`, `error.message` and headers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// The API's name for it, such as `overloaded_error`.
    pub kind: String,
    /// What the client reads.
    pub message: String,
    /// Headers beside the usual ones.
    pub headers: Vec<(&'static str, String)>,
}

const KINDS: [(u16, &str, &str); 9] = [
    (400, "invalid_request_error", "scripted error"),
    (401, "authentication_error", "invalid x-api-key"),
    (403, "permission_error", "Your account does not have permission to use this resource."),
    (404, "not_found_error", "Not found"),
    (413, "request_too_large", "Request exceeds the maximum size"),
    (
        429,
        "rate_limit_error",
        "This request would exceed your account's rate limit. Please try again later.",
    ),
    (500, "api_error", "Internal server error"),
    (504, "timeout_error", "scripted error"),
    (529, "overloaded_error", "Overloaded"),
];

impl ApiError {
    /// The error of a status in the API's own words.
    pub(crate) fn of(status: u16) -> Self {
        let known = KINDS.iter().find(|(code, _, _)| *code == status);
        let (kind, message) = known.map_or(("api_error", "scripted error"), |(_, k, m)| (*k, *m));
        Self { status, kind: kind.into(), message: message.into(), headers: Vec::new() }
    }

    /// The same in other words.
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::of(status) }
    }

    /// The error of a kind, as a stream names it; an unknown kind is a 500.
    pub(crate) fn of_kind(kind: &str) -> Self {
        let status =
            KINDS.iter().find(|(_, name, _)| *name == kind).map_or(500, |(code, ..)| *code);
        Self { kind: kind.into(), ..Self::of(status) }
    }

    /// The body that goes with it.
    pub(crate) fn body(&self, request_id: &str) -> Value {
        json!({
            "type": "error",
            "error": {"type": self.kind, "message": self.message},
            "request_id": request_id,
        })
    }
}
