//! What is known of the CLI's session files, by what tells that a file is unchanged: reading a
//! thousand of them takes seconds (trap T-89). Bounded, and gone with the server.

use super::CliFile;
use crate::limits::CLI_SESSIONS_MAX;
use crate::vault::{FileError, cli};
use imports::session::{Facts, facts};
use std::collections::HashMap;
use std::io::BufReader;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const BUFFER_BYTES: usize = 64 * 1024;

/// Facts by file, with its length and the time of its last change.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<HashMap<CliFile, Arc<Facts>>>);

impl Shelf {
    /// What a file is about. None where it is gone or cannot be read: it may be somebody else's.
    pub(super) fn facts(&self, root: &Path, file: &CliFile) -> Option<Arc<Facts>> {
        if let Some(facts) = self.lock().get(file) {
            return Some(facts.clone());
        }
        let read = match cli::open(root, file) {
            Ok(opened) => facts(BufReader::with_capacity(BUFFER_BYTES, opened?)),
            Err(FileError::Io { source, .. }) => Err(source),
            Err(_) => return None,
        };
        let found = match read {
            Ok(found) => Arc::new(found),
            Err(error) => {
                tracing::debug!(session = file.id, %error, "a session of the CLI is not read");
                return None;
            }
        };
        let mut kept = self.lock();
        if kept.len() >= CLI_SESSIONS_MAX {
            kept.clear();
        }
        // What it was before it changed is not asked for any more.
        kept.retain(|old, _| old.id != file.id || old.project != file.project);
        kept.insert(file.clone(), found.clone());
        Some(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<CliFile, Arc<Facts>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
