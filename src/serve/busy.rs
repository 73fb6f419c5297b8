//! How much of a program's HTTP is under way, to know when it is idle.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Counts requests from their begin until their answer has gone out whole.
pub struct Busy {
    under_way: AtomicUsize,
    last: Mutex<Instant>,
}

impl Default for Busy {
    fn default() -> Busy {
        Busy { under_way: AtomicUsize::new(0), last: Mutex::new(Instant::now()) }
    }
}

impl Busy {
    /// A request begins (`true`) or is over, as [`crate::App::busy`] is told.
    pub fn count(&self, begins: bool) {
        if begins {
            self.under_way.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Instant::now();
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// Since when nothing was asked; None while something is under way.
    pub fn idle_since(&self) -> Option<Instant> {
        let idle = self.under_way.load(Ordering::Relaxed) == 0;
        idle.then(|| *self.last.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
