//! The vendor of models as this server knows it: where it is, and what it is shown. Both are
//! looked up anew each time, so that a changed file counts at once.

use super::Domain;
use super::keys::blocking;
use config::token;
use std::path::Path;
use wire::agent::Credential;

impl Domain {
    pub(super) fn base_url(&self) -> Option<String> {
        let set = self.sources.environment.get("ANTHROPIC_BASE_URL").cloned();
        set.filter(|url| !url.is_empty()).or_else(|| self.settings.anthropic_base_url.clone())
    }

    /// The model credential, looked up for each turn so that a new one counts at once.
    pub(super) async fn credential(&self) -> Option<Credential> {
        let environment = self.sources.environment.clone();
        let configured = self.settings.claude_code_oauth_token.clone();
        let file = self.vault().join(".parachute").join(".token");
        let found = blocking(move || {
            let credentials = environment.get("CREDENTIALS_DIRECTORY").cloned();
            token::find(&token::Places {
                credentials: credentials.as_deref().map(Path::new),
                environment: &environment,
                configured: configured.as_ref(),
                file: &file,
            })
        });
        let found = found.await.ok()?;
        for warning in found.warnings {
            tracing::warn!(warning, "looking for the model's credential");
        }
        found.credential.map(|(credential, _)| credential)
    }
}
