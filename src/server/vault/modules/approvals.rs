//! What the owner approved: `.parachute/module_hashes.json`, which the predecessor reads and
//! writes too (a map from name to hash), and beside it `.parachute/module_digests.json` with the
//! digests that count everything. Neither is put in the place of one that cannot be read.

use super::super::{FileError, Folder};
use super::tree::Tree;
use serde_json::{Map, Value, json};
use std::path::Path;
use wire::Timestamp;

const HASHES: &str = ".parachute/module_hashes.json";
const DIGESTS: &str = ".parachute/module_digests.json";

/// Why it is not known what was approved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApprovalsError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{0} holds no map of names: {1}")]
    Shape(&'static str, String),
}

/// What is said of a module as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// All of it is as it was approved.
    Approved,
    /// Nobody said anything yet.
    New,
    /// It is another than the one that was approved.
    Changed,
    /// Its programs are those that the predecessor approved; of the rest nothing is known.
    ProgramsAlone,
}

/// Both files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Approvals {
    hashes: Map<String, Value>,
    digests: Map<String, Value>,
}

impl Approvals {
    /// Reads them. One that is not there is empty.
    pub(crate) fn read(vault: &Folder) -> Result<Approvals, ApprovalsError> {
        Ok(Approvals { hashes: map(vault, HASHES)?, digests: map(vault, DIGESTS)? })
    }

    /// The hash that is known of a module: under its name, or under its folder's, where the
    /// predecessor's command line put it (trap 87).
    pub(crate) fn hash(&self, name: &str, folder: &str) -> Option<&str> {
        self.hashes.get(name).or_else(|| self.hashes.get(folder))?.as_str()
    }

    /// What is said of a module that is so.
    pub(crate) fn standing(&self, name: &str, folder: &str, tree: &Tree) -> Standing {
        let Some(hash) = self.hash(name, folder) else { return Standing::New };
        if hash != tree.hash {
            return Standing::Changed;
        }
        let kept = self.digests.get(name).filter(|kept| kept["folder"] == folder);
        match kept.and_then(|kept| kept["digest"].as_str()) {
            None => Standing::ProgramsAlone,
            Some(digest) if digest == tree.digest => Standing::Approved,
            Some(_) => Standing::Changed,
        }
    }

    /// Approves a module as it is.
    pub(crate) fn approve(
        mut self,
        vault: &Folder,
        name: &str,
        folder: &str,
        tree: &Tree,
    ) -> Result<(), FileError> {
        let at = Timestamp::now().to_string();
        let kept = json!({ "folder": folder, "digest": tree.digest, "approved_at": at });
        self.digests.insert(name.to_owned(), kept);
        self.hashes.insert(name.to_owned(), tree.hash.clone().into());
        vault.folder_made(Path::new(".parachute"))?;
        // The predecessor's last: without it nothing is approved.
        vault.replace(Path::new(DIGESTS), text(&self.digests).as_bytes())?;
        vault.replace(Path::new(HASHES), text(&self.hashes).as_bytes())
    }
}

fn map(vault: &Folder, place: &'static str) -> Result<Map<String, Value>, ApprovalsError> {
    let text = vault.read(Path::new(place))?.unwrap_or_default();
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_str(&text).map_err(|error| ApprovalsError::Shape(place, error.to_string()))
}

fn text(map: &Map<String, Value>) -> String {
    serde_json::to_string_pretty(map).expect("a map is always JSON")
}
