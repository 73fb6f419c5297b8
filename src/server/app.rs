//! The server as its HTTP sees it: the domain, who may pass which door, how busy it is.

use crate::domain::{Domain, DomainError};
use crate::limits::LISTS_KEPT_MAX;
use crate::store::ListFilter;
use bytes::Bytes;
use config::keys::same;
use http::{HeaderMap, header};
use serve::{Access, Busy, Caller, Fault, Origins, Peer, Table};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use wire::auth::AuthMode;
use wire::session::SessionList;

/// Everything a handler can reach.
pub struct App {
    pub(crate) domain: Arc<Domain>,
    pub(crate) lists: Lists,
    pub(crate) origins: Origins,
    /// The supervisor's socket.
    pub(crate) supervisor: PathBuf,
    /// Each listener, and where it came from.
    pub(crate) listeners: Vec<String>,
    pub(crate) since: Instant,
    pub(crate) uid: u32,
    pub(crate) busy: Busy,
    pub(crate) table: Arc<Table<App>>,
}

impl App {
    pub(crate) fn openapi(&self) -> Bytes {
        self.table.openapi()
    }
}

impl serve::App for App {
    fn admit(&self, peer: &Peer, headers: &HeaderMap, access: Access) -> Result<Caller, Fault> {
        let local = match peer {
            Peer::Unix(uid) if *uid == self.uid => return Ok(Caller::Owner),
            peer => peer.is_local(headers),
        };
        let keys = &self.domain.keys;
        let none = || keys.is_empty() && self.domain.settings.api_key.is_none();
        let asked = match access {
            Access::Key => keys.mode() == AuthMode::Always,
            // Else whoever is on this machine could switch `always` off (trap 5).
            Access::FirstOrKey => keys.mode() == AuthMode::Always && !none(),
            Access::Open | Access::LocalOrKey => false,
        };
        if local && !asked {
            return Ok(Caller::Local);
        }
        if let Some(caller) = self.by_key(headers) {
            return Ok(caller);
        }
        if access == Access::Open {
            return Ok(Caller::Stranger);
        }
        if keys.is_empty() && self.domain.settings.api_key.is_some() {
            return Err(Fault::unauthorized(None));
        }
        Err(Fault::unauthorized(Some("Valid API key required")))
    }

    fn origins(&self) -> &Origins {
        &self.origins
    }

    fn busy(&self, begins: bool) {
        self.busy.count(begins);
    }
}

impl App {
    /// The key a caller shows, if it is one: `X-API-Key`, else `Authorization`, with or without
    /// `Bearer` in any case (trap 8).
    fn by_key(&self, headers: &HeaderMap) -> Option<Caller> {
        let shown = headers.get("x-api-key").or_else(|| headers.get(header::AUTHORIZATION))?;
        let shown = shown.to_str().ok()?.trim();
        let bearer = shown.get(..7).is_some_and(|b| b.eq_ignore_ascii_case("bearer "));
        let shown = if bearer { shown[7..].trim() } else { shown };
        let keys = &self.domain.keys;
        if let Some(id) = keys.check(shown) {
            return Some(Caller::Key(id.as_str().to_owned()));
        }
        // The predecessor's single key, which the owner configured: making another one does not
        // take it out of force (trap 9).
        let single = self.domain.settings.api_key.as_ref().filter(|_| keys.problem().is_none())?;
        same(single, shown).then(|| Caller::Key("api_key".into()))
    }
}

/// Answers to `GET /api/chat` that are still true, as they were sent: the app asks for the
/// same list again and again.
#[derive(Default)]
pub(crate) struct Lists(Mutex<Vec<Kept>>);

struct Kept {
    filter: ListFilter,
    generation: u64,
    bytes: Bytes,
}

impl Lists {
    pub(crate) async fn get(
        &self,
        domain: &Domain,
        filter: ListFilter,
    ) -> Result<Bytes, DomainError> {
        let generation = domain.store().await?.generation();
        if let Some(bytes) = self.kept(&filter, generation) {
            return Ok(bytes);
        }
        let sessions = domain.list(filter.clone()).await?;
        let list = serde_json::to_vec(&SessionList { sessions });
        let bytes = Bytes::from(list.expect("a list of sessions is always JSON"));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|k| k.generation == generation && k.filter != filter);
        if kept.len() >= LISTS_KEPT_MAX {
            kept.remove(0);
        }
        kept.push(Kept { filter, generation, bytes: bytes.clone() });
        Ok(bytes)
    }

    fn kept(&self, filter: &ListFilter, generation: u64) -> Option<Bytes> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|k| k.generation == generation && k.filter == *filter);
        found.map(|k| k.bytes.clone())
    }
}
