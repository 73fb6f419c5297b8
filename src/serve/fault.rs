//! The one place where errors become answers. What the client may read and what only the
//! journal may read are two fields; the bodies are the contract's (contract-core §1.0).

use crate::Reply;
use crate::body::Body;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use std::error::Error;

/// An error as the outside may see it, and beside it the cause that only the journal sees.
#[derive(Debug)]
pub struct Fault {
    /// Status of the answer.
    pub status: StatusCode,
    /// Body of the answer.
    pub body: Value,
    /// What really happened.
    pub cause: Option<Box<dyn Error + Send + Sync>>,
}

/// One thing wrong with a request's body or query, in the predecessor's form.
#[derive(Clone, Debug, PartialEq)]
pub struct Invalid {
    /// `missing`, `string_type`, `greater_than_equal`, …
    pub kind: &'static str,
    /// Where: `["body", "message"]`.
    pub place: Vec<Value>,
    /// A sentence.
    pub said: String,
    /// What was given there.
    pub given: Value,
    /// Bounds that it broke.
    pub bounds: Option<Value>,
}

impl Fault {
    /// `{"detail": …}` with this status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Fault {
        Fault { status, body: json!({ "detail": detail.into() }), cause: None }
    }

    /// 400: the request makes no sense here.
    pub fn bad(detail: impl Into<String>) -> Fault {
        Fault::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 403: not from there, or not by you.
    pub fn forbidden(detail: impl Into<String>) -> Fault {
        Fault::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404: there is no such thing.
    pub fn missing(detail: impl Into<String>) -> Fault {
        Fault::new(StatusCode::NOT_FOUND, detail)
    }

    /// 503: not now.
    pub fn unready(detail: impl Into<String>) -> Fault {
        Fault::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// 500: our fault; the client learns nothing of the cause.
    pub fn bug(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Fault {
        Fault {
            cause: Some(cause.into()),
            ..Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }
    }

    /// The same with a cause for the journal.
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Fault {
        self.cause = Some(cause.into());
        self
    }

    /// 401 in the contract's form.
    pub fn unauthorized(message: Option<&str>) -> Fault {
        let mut body = json!({ "error": "Unauthorized" });
        if let Some(message) = message {
            body["message"] = message.into();
        }
        Fault { status: StatusCode::UNAUTHORIZED, body, cause: None }
    }

    /// 422 with everything that is wrong.
    pub fn invalid(wrong: Vec<Invalid>) -> Fault {
        let detail: Vec<Value> = wrong.into_iter().map(Invalid::into_json).collect();
        Fault {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            body: json!({ "detail": detail }),
            cause: None,
        }
    }

    /// The answer; the cause goes to the journal here and nowhere else.
    pub(crate) fn reply(self, route: &str) -> Reply {
        if let Some(cause) = &self.cause {
            let status = self.status.as_u16();
            if self.status.is_server_error() {
                tracing::error!(route, status, cause = chain(&**cause), "request failed");
            } else {
                tracing::info!(route, status, cause = chain(&**cause), "request refused");
            }
        }
        let mut reply = json_reply(self.status, serde_json::to_vec(&self.body));
        if self.status == StatusCode::PAYLOAD_TOO_LARGE {
            let close = HeaderValue::from_static("close");
            reply.headers_mut().insert(header::CONNECTION, close);
        }
        reply
    }
}

impl Invalid {
    fn into_json(self) -> Value {
        let mut out = json!({
            "type": self.kind, "loc": self.place, "msg": self.said, "input": self.given,
        });
        if let Some(bounds) = self.bounds {
            out["ctx"] = bounds;
        }
        out
    }
}

/// An error and all its causes on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

pub(crate) fn json_reply(status: StatusCode, bytes: serde_json::Result<Vec<u8>>) -> Reply {
    let (status, bytes) = match bytes {
        Ok(bytes) => (status, bytes),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            let said = br#"{"detail":"Internal Server Error"}"#.to_vec();
            (StatusCode::INTERNAL_SERVER_ERROR, said)
        }
    };
    let mut reply = Reply::new(Body::Full(bytes.into()));
    *reply.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    reply.headers_mut().insert(header::CONTENT_TYPE, kind);
    reply
}
