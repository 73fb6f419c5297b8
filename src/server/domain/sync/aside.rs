//! Where goes what a device has replaced or deleted though it is only guessed that it had seen
//! it. Which those are, the rules decide.

use super::rules::Here;
use crate::limits::SYNC_ASIDE_BYTES_MAX;
use crate::store::replaced::Replaced;
use crate::vault::FileError;
use crate::vault::files::{ReachError, Spot};

/// What one request puts there.
pub(super) struct Aside {
    to: Replaced,
    /// Bytes that it may still put there.
    room: u64,
}

impl Aside {
    pub(super) fn new(to: Replaced) -> Aside {
        Aside { to, room: SYNC_ASIDE_BYTES_MAX }
    }

    /// Keeps what is there. Where that cannot be done, nothing may be done to it.
    pub(super) fn put(&mut self, spot: &Spot, here: &Here) -> Result<(), ReachError> {
        let (Some(found), Some(hash)) = (spot.open()?, &here.hash) else { return Ok(()) };
        let new = self.to.keep(hash, &spot.name.to_string_lossy(), &found.file, self.room);
        let new = new.map_err(|source| FileError::Io { path: spot.real.clone(), source })?;
        self.room = self.room.saturating_sub(new);
        tracing::debug!(path = %spot.real.display(), hash, "what was there is put aside");
        Ok(())
    }

    /// Makes room where there is too much.
    pub(super) fn sweep(&self) {
        if let Err(error) = self.to.sweep() {
            tracing::warn!(%error, "what was put aside is not swept");
        }
    }
}
