//! The vendor's models at our door: which vendor and credential, and which model is in use.

use crate::app::App;
use models::{DEFAULT_BASE_URL, Shelf, Vendor};
use serve::Fault;
use std::path::PathBuf;
use wire::Timestamp;
use wire::supervisor::ModelList;

/// What is said where nobody can be asked.
const NO_CREDENTIAL: &str = "no credential for the vendor: set ANTHROPIC_API_KEY or \
                             CLAUDE_CODE_OAUTH_TOKEN, or put a token into .parachute/.token";

/// The list and its cache.
pub(crate) struct Models(Shelf);

impl Models {
    /// With its cache in this file.
    pub(crate) fn new(file: PathBuf) -> Models {
        Models(Shelf::new(file))
    }

    /// As asked for; also while the server is down.
    pub(crate) async fn list(
        &self,
        app: &App,
        show_all: bool,
        refresh: bool,
    ) -> Result<ModelList, Fault> {
        let (loaded, found) = app.credential();
        let settings = loaded.settings;
        let vendor = found.credential.map(|(credential, _)| Vendor {
            base_url: settings.anthropic_base_url.unwrap_or_else(|| DEFAULT_BASE_URL.to_owned()),
            credential,
        });
        let vendor = vendor.ok_or_else(|| NO_CREDENTIAL.to_owned());
        match self.0.get(vendor, refresh, Timestamp::now()).await {
            Ok(shelved) => Ok(shelved.told(show_all, settings.default_model)),
            Err(error) => Err(Fault::unready(error.to_string()).because(error)),
        }
    }

    /// The ids of the last list, without asking anybody.
    pub(crate) async fn ids(&self) -> Vec<String> {
        let shelved = self.0.get(Err(String::new()), false, Timestamp::now()).await;
        let models = shelved.map(|shelved| shelved.models).unwrap_or_default();
        models.iter().map(|model| model.id.clone()).collect()
    }
}
