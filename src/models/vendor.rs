//! A vendor of models and its list: `GET {base}/v1/models`, page after page (contract-core §7.4,
//! where the predecessor showed an OAuth token as if it were a key). Keeps nothing; `Shelf` does.

use crate::ask::Asker;
use crate::error::ListError;
use crate::limits::{LIST_TIME, MODELS_MAX, PAGE_MODELS, PAGES_MAX};
use crate::order::arrange;
use crate::page::Page;
use reqwest::Url;
use std::collections::HashSet;
use std::fmt;
use wire::agent::Credential;
use wire::supervisor::Model;

/// Where the vendor's API is if nobody says otherwise.
pub const DEFAULT_BASE_URL: &str = "https://api.anthropic.com";

/// Whom to ask, and what to show.
#[derive(Clone)]
pub struct Vendor {
    /// As `ANTHROPIC_BASE_URL` has it: `v1/models` comes after it. Else [`DEFAULT_BASE_URL`].
    pub base_url: String,
    /// What it is shown.
    pub credential: Credential,
}

impl Vendor {
    /// All models, in order: families as they first appear, each newest first. Takes at most
    /// ten seconds.
    pub async fn list(&self) -> Result<Vec<Model>, ListError> {
        let base = address(&self.base_url)?;
        match tokio::time::timeout(LIST_TIME, self.pages(&base)).await {
            Ok(listed) => listed,
            Err(_) => Err(ListError::Timeout { place: base.origin().ascii_serialization() }),
        }
    }

    /// The base URL without anything in it that might be secret.
    pub(crate) fn address(&self) -> Result<String, ListError> {
        let mut base = address(&self.base_url)?;
        // Both can be done to every URL with a host.
        let _ = base.set_username("");
        let _ = base.set_password(None);
        Ok(base.into())
    }

    async fn pages(&self, base: &Url) -> Result<Vec<Model>, ListError> {
        let asker = Asker::new(base, &self.credential).await?;
        let mut records = Vec::new();
        let mut skipped = 0;
        let mut places: HashSet<String> = HashSet::new();
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let body = asker.get(page_url(base, after.as_deref())).await?;
            let page = Page::read(&body).map_err(|why| asker.garbage(why))?;
            records.extend(page.records);
            skipped += page.skipped;
            if records.len() > MODELS_MAX {
                return Err(asker.garbage("it has too many models"));
            }
            let Some(next) = page.next else {
                if records.is_empty() && skipped > 0 {
                    return Err(asker.garbage("none of its records is a model"));
                }
                if skipped > 0 {
                    tracing::warn!(skipped, "records of the vendor's list are no models");
                }
                return Ok(arrange(records));
            };
            if !places.insert(next.clone()) {
                return Err(asker.garbage("its pages go round in a circle"));
            }
            after = Some(next);
        }
        Err(asker.garbage("it has too many pages"))
    }
}

/// Shows neither the credential nor the URL's user and password.
impl fmt::Debug for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address().unwrap_or_else(|_| "no URL".to_owned());
        let mut shown = f.debug_struct("Vendor");
        shown.field("base_url", &address).field("credential", &self.credential).finish()
    }
}

/// A base URL, its path without a slash at the end.
pub(crate) fn address(base_url: &str) -> Result<Url, ListError> {
    let mut url = Url::parse(base_url.trim()).map_err(|_| ListError::Address)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ListError::Address);
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

fn page_url(base: &Url, after: Option<&str>) -> Url {
    let mut url = base.clone();
    let path = format!("{}/v1/models", base.path().trim_end_matches('/'));
    url.set_path(&path);
    url.query_pairs_mut().append_pair("limit", PAGE_MODELS);
    if let Some(after) = after {
        url.query_pairs_mut().append_pair("after_id", after);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::{Vendor, address, page_url};
    use wire::Secret;
    use wire::agent::{Credential, CredentialKind};

    fn vendor(base_url: &str) -> Vendor {
        let secret = Secret::new("very-private".into());
        let credential = Credential { kind: CredentialKind::ApiKey, secret };
        Vendor { base_url: base_url.into(), credential }
    }

    #[test]
    fn every_way_to_write_an_address() {
        for (base, page) in [
            ("https://api.anthropic.com", "https://api.anthropic.com/v1/models"),
            (" https://api.anthropic.com/ ", "https://api.anthropic.com/v1/models"),
            ("http://[::1]:8787", "http://[::1]:8787/v1/models"),
            ("https://x.test/gate%20way", "https://x.test/gate%20way/v1/models"),
            ("https://x.test/a/b//?key=1#x", "https://x.test/a/b/v1/models"),
        ] {
            let url = page_url(&address(base).unwrap(), Some("a b&c"));
            assert_eq!(url.as_str(), format!("{page}?limit=1000&after_id=a+b%26c"));
        }
        for base in ["", "x.test", "ftp://x.test", "file:///x", "https://", "unix:/x"] {
            assert!(address(base).is_err(), "{base}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let vendor = vendor("https://user:word@x.test/a?token=t");
        assert_eq!(vendor.address().unwrap(), "https://x.test/a");
        let shown = format!("{vendor:?}");
        for secret in ["very-private", "user", "word", "token"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
