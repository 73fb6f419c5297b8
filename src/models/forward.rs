//! Handing a program's request to the model's API on to the vendor, with the credential that the
//! program does not have. What the program shows instead is dropped, and so is everything that
//! belongs to one connection. The answer comes back as it comes.

use crate::ask::{Sent, client, credential_headers};
use crate::error::ListError;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Client, Method, Url};
use wire::agent::Credential;

/// Below this path is all that is forwarded.
const API: &str = "/v1/";
const BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// Headers that belong to one connection, or that only we may say.
const OURS: [&str; 12] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
];

/// The vendor's API and what it is shown.
pub struct Forward {
    client: Client,
    base: Url,
    shown: HeaderMap,
}

/// Why a request was not handed on.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// It is not for the model's API.
    #[error("{0} is not of the model's API")]
    Elsewhere(String),
    /// The vendor cannot be reached.
    #[error("the model's API cannot be reached: {0}")]
    Unreachable(String),
}

impl Forward {
    /// To `base_url`, as `ANTHROPIC_BASE_URL` has it.
    ///
    /// # Errors
    /// The address is none, or the credential cannot be sent.
    pub async fn new(base_url: &str, credential: &Credential) -> Result<Forward, ListError> {
        let base = crate::vendor::address(base_url)?;
        let shown = credential_headers(credential)?;
        let client = client(&base).await?;
        Ok(Forward { client, base, shown })
    }

    /// Sends a request and gives back the answer, whose body is still to come.
    pub async fn send(
        &self,
        method: Method,
        path_and_query: &str,
        headers: &HeaderMap,
        body: impl Into<Body>,
    ) -> Result<http::Response<Body>, ForwardError> {
        let elsewhere = || ForwardError::Elsewhere(path_and_query.to_owned());
        let path = path_and_query.split('?').next().unwrap_or_default();
        let plain = path.starts_with(API) && !path.split('/').any(|part| part == "..");
        if !plain || path.contains(['%', '\\']) {
            return Err(elsewhere());
        }
        let target = format!("{}{path_and_query}", self.base.as_str().trim_end_matches('/'));
        let target = Url::parse(&target).map_err(|_| elsewhere())?;
        let asked = self.client.request(method, target).headers(self.headers(headers)).body(body);
        let answer = asked.send().await.map_err(|e| ForwardError::Unreachable(e.told()))?;
        let mut answer = http::Response::<Body>::from(answer);
        for name in ["connection", "keep-alive", "transfer-encoding", "set-cookie"] {
            answer.headers_mut().remove(name);
        }
        Ok(answer)
    }

    fn headers(&self, given: &HeaderMap) -> HeaderMap {
        let mut headers = given.clone();
        for name in OURS {
            headers.remove(name);
        }
        for (name, value) in &self.shown {
            // What the program asks for stands beside what the credential needs.
            let beside = headers.get(name).filter(|_| *name == BETA).and_then(|v| v.to_str().ok());
            let needed = value.to_str().unwrap_or_default();
            let both = match beside {
                Some(list) if list.split(',').any(|one| one.trim() == needed) => continue,
                Some(list) => HeaderValue::from_str(&format!("{list},{needed}")).ok(),
                None => None,
            };
            headers.insert(name.clone(), both.unwrap_or_else(|| value.clone()));
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::{Forward, ForwardError};
    use reqwest::header::{HeaderMap, HeaderValue};
    use wire::Secret;
    use wire::agent::{Credential, CredentialKind};

    async fn forward(kind: CredentialKind) -> Forward {
        let credential = Credential { kind, secret: Secret::new("the-secret".into()) };
        Forward::new("http://127.0.0.1:9/gate", &credential).await.expect("an address")
    }

    fn given() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-api-key", "stand-in"),
            ("authorization", "Bearer stand-in"),
            ("anthropic-beta", "a-1,b-2"),
            ("anthropic-version", "2099-01-01"),
            ("host", "127.0.0.1:3336"),
            ("accept", "text/event-stream"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[tokio::test]
    async fn the_credential_takes_the_place_of_what_the_program_shows() {
        let said = |headers: &HeaderMap, name: &str| {
            headers.get(name).map(|v| v.to_str().expect("text").to_owned())
        };
        let headers = forward(CredentialKind::ApiKey).await.headers(&given());
        assert_eq!(said(&headers, "x-api-key").as_deref(), Some("the-secret"));
        assert_eq!(said(&headers, "authorization"), None);
        assert_eq!(said(&headers, "anthropic-beta").as_deref(), Some("a-1,b-2"));
        assert_eq!(said(&headers, "anthropic-version").as_deref(), Some("2099-01-01"));
        assert_eq!(said(&headers, "host"), None);
        let headers = forward(CredentialKind::OauthToken).await.headers(&given());
        assert_eq!(said(&headers, "authorization").as_deref(), Some("Bearer the-secret"));
        assert_eq!(said(&headers, "x-api-key"), None);
        let beta = said(&headers, "anthropic-beta");
        assert_eq!(beta.as_deref(), Some("a-1,b-2,oauth-2025-04-20"));
    }

    #[tokio::test]
    async fn only_the_models_api_is_asked() {
        let forward = forward(CredentialKind::ApiKey).await;
        for path in ["/", "/api/oauth/usage", "/v1", "/v1/../x", "/v1/%2e%2e/x", "//v1/", "x"] {
            let sent =
                forward.send(reqwest::Method::GET, path, &HeaderMap::new(), Vec::new()).await;
            assert!(matches!(sent, Err(ForwardError::Elsewhere(_))), "{path}");
        }
    }
}
