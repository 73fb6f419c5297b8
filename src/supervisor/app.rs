//! The supervisor as its HTTP sees it, and who may ask it: the owner on the Unix socket, and
//! whoever is on this machine. Nobody else, whatever key they have; for those the server stands
//! at its own doors and hands on.

use crate::config::Config;
use crate::logs::Redactor;
use crate::models::Models;
use crate::orders::Orders;
use crate::state::State;
use crate::status::Asked;
use config::token;
use host::Dirs;
use host::logs::Source;
use http::HeaderMap;
use serve::{Access, Busy, Caller, Fault, Origins, Peer, Table};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use wire::Secret;

/// Everything a handler can reach.
pub(crate) struct App {
    pub(crate) state: Arc<State>,
    pub(crate) asked: Asked,
    pub(crate) config: Config,
    pub(crate) orders: Orders,
    pub(crate) models: Models,
    pub(crate) source: Source,
    pub(crate) dirs: Dirs,
    /// The folder of our programs.
    pub(crate) bin: PathBuf,
    pub(crate) since: Instant,
    pub(crate) uid: u32,
    pub(crate) origins: Origins,
    pub(crate) busy: Busy,
    pub(crate) table: Arc<Table<App>>,
}

impl serve::App for App {
    fn admit(&self, peer: &Peer, headers: &HeaderMap, _: Access) -> Result<Caller, Fault> {
        match peer {
            Peer::Unix(uid) if *uid == self.uid => Ok(Caller::Owner),
            peer if peer.is_local(headers) => Ok(Caller::Local),
            _ => Err(Fault::forbidden(
                "the supervisor answers this machine only; from elsewhere ask the server, with a \
                 key",
            )),
        }
    }

    fn origins(&self) -> &Origins {
        &self.origins
    }

    fn busy(&self, begins: bool) {
        self.busy.count(begins);
    }
}

impl App {
    /// The credential for the vendor, looked for anew, and where the vendor is.
    pub(crate) fn credential(&self) -> (config::settings::Loaded, token::Found) {
        let loaded = self.config.load();
        let environment = &self.config.sources().environment;
        let given = environment.get("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let file = loaded.settings.vault_path.join(".parachute").join(".token");
        let found = token::find(&token::Places {
            credentials: given.as_deref(),
            environment,
            configured: loaded.settings.claude_code_oauth_token.as_ref(),
            file: &file,
        });
        (loaded, found)
    }

    /// What no line that leaves may hold: every secret that is known here, and what looks like
    /// one.
    pub(crate) fn redactor(&self) -> Arc<Redactor> {
        let (loaded, found) = self.credential();
        let mut secrets: Vec<Secret> = Vec::new();
        secrets.extend(found.credential.map(|(credential, _)| credential.secret));
        secrets.extend(loaded.settings.api_key);
        secrets.extend(loaded.settings.claude_code_oauth_token);
        let environment = self.config.sources().environment.iter();
        let secret = |name: &str| {
            let ends = ["_KEY", "_TOKEN", "_SECRET", "_PASSWORD"];
            ends.iter().any(|end| name.to_ascii_uppercase().ends_with(end))
        };
        secrets.extend(
            environment
                .filter(|(name, _)| secret(name))
                .map(|(_, value)| Secret::new(value.clone())),
        );
        Arc::new(Redactor::new(&self.dirs.home, secrets))
    }
}
