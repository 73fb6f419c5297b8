//! The web console's files, as they are built into the program. No page of ours may load
//! anything from elsewhere, run what stands in the page, or be shown inside another.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serve::{Asset, Fault, With};
use std::hash::{DefaultHasher, Hash, Hasher};

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'",
);
/// Asked for again each time, and not sent again while it is the same.
const FRESH: HeaderValue = HeaderValue::from_static("no-cache");

/// A file of the console; the empty name is the page itself.
///
/// # Errors
/// There is none of this name.
pub(crate) fn file(name: &str, asked: &HeaderMap) -> Result<With<Asset>, Fault> {
    let found = FILES.iter().find(|(known, _)| *known == name);
    let (name, text) = found.ok_or_else(|| Fault::missing("Not Found"))?;
    let mut hash = DefaultHasher::new();
    text.hash(&mut hash);
    let tag = format!("\"{:016x}\"", hash.finish());
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag.as_str());
    let (status, text) = match known {
        true => (StatusCode::NOT_MODIFIED, ""),
        false => (StatusCode::OK, *text),
    };
    let mut headers: Vec<(HeaderName, HeaderValue)> = vec![
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, FRESH),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    headers.extend(HeaderValue::from_str(&tag).ok().map(|tag| (header::ETAG, tag)));
    let given = Asset(kind(name), Bytes::from_static(text.as_bytes()));
    Ok(With { status, headers, given })
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, kind)| kind) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/html; charset=utf-8",
    }
}

macro_rules! files {
    ($($name:literal)+) => {
        const FILES: &[(&str, &str)] = &[
            ("", include_str!("console/index.html")),
            $(($name, include_str!(concat!("console/", $name))),)+
        ];
    };
}
files! {
    "style.css" "main.js" "config.js" "dom.js" "logs.js" "models.js" "net.js" "orders.js"
    "status.js" "units.js"
}
