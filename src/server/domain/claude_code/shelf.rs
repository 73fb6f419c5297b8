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

/// Facts by folder and session, and the turn of whoever reads what is not known yet: many who
/// ask at once would each read everything.
#[derive(Default)]
pub(crate) struct Shelf {
    known: Mutex<HashMap<String, Kept>>,
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

/// What a file was about when it was so.
struct Kept {
    size: u64,
    modified_us: i64,
    facts: Arc<Facts>,
}

impl Shelf {
    /// What a file is about. None where it is gone or cannot be read: it may be somebody else's.
    pub(super) fn facts(&self, root: &Path, file: &CliFile) -> Option<Arc<Facts>> {
        let name = format!("{}/{}", file.project, file.id);
        let is_so = |kept: &&Kept| kept.size == file.size && kept.modified_us == file.modified_us;
        if let Some(kept) = self.lock().get(&name).filter(is_so) {
            return Some(kept.facts.clone());
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
        let (size, modified_us, facts) = (file.size, file.modified_us, found.clone());
        kept.insert(name, Kept { size, modified_us, facts });
        Some(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Kept>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
