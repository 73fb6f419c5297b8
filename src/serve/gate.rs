//! `Host`, `Origin` and CORS: which web pages may talk to us (DESIGN §6, contract-core §4.6).
//!
//! A page of a stranger reaches a local server in two ways: by a name that resolves to this
//! machine (rebinding, so the `Host` is foreign), or by a cross-site request (so the `Origin`
//! is). Both are refused on every door, preflight or not.

use crate::answer::Peer;
use crate::body::Body;
use crate::fault::Fault;
use crate::{Reply, fault};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use std::net::IpAddr;

/// Origins that may call, as the config lists them.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    allowed: Vec<String>,
    hosts: Vec<String>,
}

const METHODS: HeaderValue =
    HeaderValue::from_static("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");

impl Origins {
    /// Of these, such as `http://localhost:3333`.
    pub fn new(allowed: Vec<String>) -> Origins {
        let host =
            |origin: &String| Some(host_of(origin.split_once("://")?.1).to_ascii_lowercase());
        let hosts = allowed.iter().filter_map(host).collect();
        Origins { allowed, hosts }
    }

    /// Whether pages of this origin may call.
    pub fn allows(&self, origin: &str) -> bool {
        self.allowed.iter().any(|o| o.eq_ignore_ascii_case(origin))
    }

    /// Whether a request may name us so. An address cannot be rebound, a name can: names are
    /// taken only if they are `localhost` or stand in the config's origins.
    fn names_us(&self, host: &str) -> bool {
        let name = host_of(host).to_ascii_lowercase();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost"
            || name.ends_with(".localhost")
            || bare.parse::<IpAddr>().is_ok()
            || self.hosts.contains(&name)
    }
}

/// `example.org:80` → `example.org`, `[::1]:80` → `[::1]`.
fn host_of(authority: &str) -> &str {
    match authority.rfind(':') {
        Some(at) if !authority[at..].contains(']') => &authority[..at],
        _ => authority,
    }
}

/// What the gate says of a request.
pub(crate) enum Passage {
    /// Go on; the answer gets these headers.
    Pass(Option<HeaderValue>),
    /// This is the answer.
    Answer(Box<Reply>),
}

/// Judges `Host` and `Origin`, and answers preflights.
pub(crate) fn judge<B>(origins: &Origins, peer: &Peer, req: &Request<B>) -> Result<Passage, Fault> {
    let headers = req.headers();
    if headers.get_all(header::HOST).iter().nth(1).is_some() {
        return Err(Fault::bad("more than one Host header"));
    }
    let host = match headers.get(header::HOST) {
        Some(host) => host.to_str().map_err(|_| Fault::bad("the Host header is not text"))?,
        None => req.uri().authority().map_or("", |a| a.as_str()),
    };
    // On the Unix socket there is no name to rebind; the file's owner is the guard.
    // A request line with a whole URL names a host, too, and both have to be ours.
    let asked = req.uri().authority().map_or(host, |a| a.as_str());
    let ours = origins.names_us(host) && origins.names_us(asked);
    if matches!(peer, Peer::Tcp(_)) && !ours {
        return Err(Fault::forbidden(format!(
            "host not allowed: {host:?}; use an address or localhost, or add it to cors_origins"
        )));
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return match is_foreign(req) {
            true => Err(Fault::forbidden("asked for by a page of another site")),
            false => Ok(Passage::Pass(None)),
        };
    };
    let text = origin.to_str().unwrap_or_default();
    let same = text.split_once("://").is_some_and(|(_, o)| o.eq_ignore_ascii_case(host));
    let allowed = same || origins.allows(text);
    if req.method() == Method::OPTIONS
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    {
        return Ok(Passage::Answer(Box::new(preflight(headers, allowed.then_some(origin)))));
    }
    if !allowed {
        return Err(Fault::forbidden(format!("origin not allowed: {text:?}; see cors_origins")));
    }
    Ok(Passage::Pass(Some(origin.clone())))
}

/// Whether a browser says that a page of another origin made this request, and it is not a person
/// following a link (Fetch Metadata, W3C). Without an `Origin` such a request cannot be read by
/// that page, but it can do harm. Another port of this machine is another origin, too.
fn is_foreign<B>(req: &Request<B>) -> bool {
    let says = |name: &str| req.headers().get(name).map(HeaderValue::as_bytes);
    let from = says("sec-fetch-site");
    let followed = req.method() == Method::GET
        && says("sec-fetch-mode") == Some(b"navigate")
        && says("sec-fetch-dest") == Some(b"document");
    matches!(from, Some(b"cross-site" | b"same-site")) && !followed
}

fn preflight(asked: &HeaderMap, origin: Option<&HeaderValue>) -> Reply {
    let (status, text) = match origin {
        Some(_) => (StatusCode::OK, "OK"),
        None => (StatusCode::BAD_REQUEST, "Disallowed CORS origin"),
    };
    let mut reply = Reply::new(Body::Full(text.into()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, kind);
    let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    headers.insert(header::VARY, HeaderValue::from_static(vary));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    let yes = HeaderValue::from_static("true");
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if let Some(wanted) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
    }
    reply
}

/// Headers of an answer to a page that may call.
pub(crate) fn stamp(reply: &mut Reply, origin: Option<HeaderValue>) {
    let headers = reply.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    const NOSNIFF: HeaderName = header::X_CONTENT_TYPE_OPTIONS;
    headers.insert(NOSNIFF, HeaderValue::from_static("nosniff"));
    if let Some(origin) = origin {
        let yes = HeaderValue::from_static("true");
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}

/// The answer to a request that did not get through the gate.
pub(crate) fn refuse(fault: fault::Fault) -> Reply {
    let mut reply = fault.reply("gate");
    stamp(&mut reply, None);
    reply
}
