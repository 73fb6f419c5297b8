//! One question to a vendor's API over HTTP(S): the client, the credential's headers, bounded
//! bodies, and what an answer other than 200 means. It follows no redirect, because a credential
//! must not travel to whom nobody named, and knows nothing of models.

use crate::error::ListError;
use crate::limits::{PAGE_BYTES_MAX, SAID_BYTES_MAX, SAID_CHARS_MAX, SAID_TIME};
use crate::words;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, Response, StatusCode, Url};
use rustls::crypto::{CryptoProvider, ring};
use serde_json::Value;
use std::error::Error;
use std::net::IpAddr;
use wire::Secret;
use wire::agent::{Credential, CredentialKind};

/// What we say we are.
const AGENT: &str = concat!("parachute/", env!("CARGO_PKG_VERSION"));

/// A connection's worth of asking. It is made for one list and dropped with it: the certificates
/// and buffers of a client are most of what an idle program would hold.
pub(crate) struct Asker<'a> {
    client: Client,
    headers: HeaderMap,
    credential: &'a Credential,
    place: String,
}

impl<'a> Asker<'a> {
    /// For questions to `base`.
    pub(crate) async fn new(
        base: &Url,
        credential: &'a Credential,
    ) -> Result<Asker<'a>, ListError> {
        let mut headers = credential_headers(credential)?;
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        let place = base.origin().ascii_serialization();
        Ok(Asker { client: client(base).await?, headers, credential, place })
    }

    /// The same under another name than ours.
    pub(crate) fn calling_itself(mut self, name: &'static str) -> Asker<'a> {
        self.headers.insert(USER_AGENT, HeaderValue::from_static(name));
        self
    }

    /// The body of a 200.
    pub(crate) async fn get(&self, url: Url) -> Result<Vec<u8>, ListError> {
        let sent = self.client.get(url).headers(self.headers.clone()).send().await;
        let answer = sent.map_err(|error| ListError::Unreachable {
            place: self.place.clone(),
            cause: self.shown(&cause(&error)),
        })?;
        match answer.status() {
            StatusCode::OK => self.body(answer).await,
            _ => Err(self.refusal(answer).await),
        }
    }

    /// An answer that is not what was asked for.
    pub(crate) fn garbage(&self, why: &'static str) -> ListError {
        ListError::Garbage { place: self.place.clone(), why }
    }

    async fn body(&self, answer: Response) -> Result<Vec<u8>, ListError> {
        match read(answer, PAGE_BYTES_MAX).await {
            (_, End::Broken) => Err(self.garbage("it breaks off")),
            (_, End::TooLong) => Err(self.garbage("it is too long")),
            (body, End::Whole) => Ok(body),
        }
    }

    async fn refusal(&self, answer: Response) -> ListError {
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok());
        let retry_after_seconds = retry_after.and_then(|after| after.trim().parse().ok());
        let body = tokio::time::timeout(SAID_TIME, read(answer, SAID_BYTES_MAX)).await;
        let said = body.ok().and_then(|(body, _)| self.said(&body));
        match status {
            401 | 403 => ListError::Refused { status, said },
            429 => ListError::TooOften { said, retry_after_seconds },
            _ => ListError::Status { place: self.place.clone(), status, said },
        }
    }

    /// `error.message` of an error's body.
    fn said(&self, body: &[u8]) -> Option<String> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let said = self.shown(body["error"]["message"].as_str()?);
        let said = said.trim_end_matches('.');
        (!said.is_empty()).then(|| said.to_owned())
    }

    fn shown(&self, text: &str) -> String {
        words::line_without(text, self.credential.secret.expose(), SAID_CHARS_MAX)
    }
}

/// How a body ended.
enum End {
    Whole,
    TooLong,
    Broken,
}

/// A body up to a bound. What is beyond it is not taken from the network.
async fn read(mut answer: Response, bytes_max: usize) -> (Vec<u8>, End) {
    let mut body = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(piece)) if body.len() + piece.len() > bytes_max => return (body, End::TooLong),
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Ok(None) => return (body, End::Whole),
            Err(_) => return (body, End::Broken),
        }
    }
}

/// A client for questions to `base`.
pub(crate) async fn client(base: &Url) -> Result<Client, ListError> {
    let place = base.origin().ascii_serialization();
    let base = base.clone();
    // Reading the system's certificates takes its time.
    let built = tokio::task::spawn_blocking(move || build(&base)).await;
    let built = built.expect("building a client does not panic");
    built.map_err(|error| ListError::Unreachable { place, cause: cause(&error) })
}

fn build(base: &Url) -> reqwest::Result<Client> {
    if CryptoProvider::get_default().is_none() {
        // Somebody else may have been quicker, which is as good.
        let _ = ring::default_provider().install_default();
    }
    let builder = || {
        let builder = Client::builder()
            .user_agent(AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false);
        // A proxy has no way to what is on this machine.
        if is_loopback(base) { builder.no_proxy() } else { builder }
    };
    // Roots are the system's, or those of SSL_CERT_FILE and SSL_CERT_DIR. A machine that has none
    // cannot build such a client, and for http:// needs none.
    match builder().build() {
        Err(_) if base.scheme() == "http" => builder().tls_certs_only([]).build(),
        built => built,
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What shows the credential. It takes the place of what a URL's user and password would give.
pub(crate) fn credential_headers(credential: &Credential) -> Result<HeaderMap, ListError> {
    let mut headers = HeaderMap::new();
    let secret = &credential.secret;
    match credential.kind {
        CredentialKind::ApiKey => {
            headers.insert("x-api-key", sensitive(secret)?);
        }
        CredentialKind::AuthToken => {
            headers.insert(AUTHORIZATION, bearer(secret)?);
        }
        CredentialKind::OauthToken => {
            headers.insert(AUTHORIZATION, bearer(secret)?);
            headers.insert("anthropic-beta", HeaderValue::from_static("oauth-2025-04-20"));
        }
    }
    Ok(headers)
}

fn bearer(token: &Secret) -> Result<HeaderValue, ListError> {
    sensitive(&Secret::new(format!("Bearer {}", token.expose())))
}

fn sensitive(secret: &Secret) -> Result<HeaderValue, ListError> {
    let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| {
        let said = "the credential has characters that cannot be sent; put it down anew";
        ListError::NoCredential(said.to_owned())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// What may be told of a request that failed.
pub(crate) trait Sent {
    /// The cause in one line.
    fn told(&self) -> String;
}

impl Sent for reqwest::Error {
    fn told(&self) -> String {
        cause(self)
    }
}

/// The innermost cause, which is the system's or the TLS library's. The outer ones, and the whole
/// error's own text, name the URL.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: Option<&dyn Error> = error.source();
    while let Some(source) = innermost.and_then(Error::source) {
        innermost = Some(source);
    }
    let text = innermost.map_or_else(|| "no connection".to_owned(), ToString::to_string);
    words::line(&text, SAID_CHARS_MAX)
}
