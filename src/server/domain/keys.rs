//! Callers' keys: listing, making, revoking, and who has to show one.

use super::{Domain, DomainError};
use config::keys::KeysError;
use serve::Caller;
use wire::auth::{AuthMode, AuthSettings, KeyInfo, KeyList, MadeKey};

/// Why a change to the keys did not come about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("Key not found: {0}")]
    Unknown(String),
    #[error("Invalid auth mode: {0}. Must be 'always', 'remote', or 'disabled'")]
    Mode(String),
    #[error(transparent)]
    File(#[from] KeysError),
    #[error(transparent)]
    Domain(#[from] DomainError),
}

impl Domain {
    pub(crate) fn list_keys(&self) -> KeyList {
        KeyList { keys: self.keys.list(), auth_mode: self.keys.mode() }
    }

    pub(crate) async fn make_key(&self, label: String) -> Result<MadeKey, KeyError> {
        let keys = self.keys.clone();
        let made = blocking(move || keys.create(&label)).await??;
        let (KeyInfo { id, label, created_at, .. }, key) = made;
        tracing::info!(key = id, "a key was made");
        Ok(MadeKey { id, label, key, created_at })
    }

    pub(crate) async fn revoke_key(&self, id: String, by: &Caller) -> Result<String, KeyError> {
        let keys = self.keys.clone();
        let wanted = id.clone();
        if !blocking(move || keys.revoke(&wanted)).await?? {
            return Err(KeyError::Unknown(id));
        }
        tracing::info!(key = id, ?by, "a key was revoked");
        Ok(id)
    }

    pub(crate) fn auth_settings(&self) -> AuthSettings {
        AuthSettings { require_auth: self.keys.mode(), key_count: self.keys.list().len() }
    }

    pub(crate) async fn set_auth_mode(&self, name: &str) -> Result<AuthSettings, KeyError> {
        let mode = AuthMode::parse(name).ok_or_else(|| KeyError::Mode(name.to_owned()))?;
        let keys = self.keys.clone();
        blocking(move || keys.set_mode(mode)).await??;
        tracing::info!(mode = mode.name(), "the auth mode was changed");
        Ok(self.auth_settings())
    }
}

/// Runs what blocks off the event loop.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, DomainError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| DomainError::Broken)
}
