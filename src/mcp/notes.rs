//! What a transport sees while the SDK talks over it. The SDK's errors say that a connection
//! ended; these notes say why.

use crate::AskError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Notes of one connection, shared by its parts.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    status: Option<u16>,
    fault: Option<AskError>,
}

impl Notes {
    /// The server answered over HTTP.
    pub(crate) fn answered(&self, status: u16) {
        self.noted().status = Some(status);
    }

    /// Something is wrong. The first thing counts: what follows follows from it.
    pub(crate) fn fault(&self, fault: AskError) -> AskError {
        self.noted().fault.get_or_insert_with(|| fault.clone());
        fault
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.noted().status
    }

    pub(crate) fn why(&self) -> Option<AskError> {
        self.noted().fault.clone()
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
