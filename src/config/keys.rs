//! The keys of callers and who has to show one: `vault/.parachute/server.yaml` (contract-core
//! §4.2, §4.4). Keys are kept as SHA-256 hashes; a new one is shown once. A file that cannot be
//! understood lets nobody in from elsewhere, and is never written over.
//!
//! It does not say who is local and which doors need a key; that is admission's business.

mod book;
#[cfg(test)]
mod tests;

use crate::file::{self, Stamp};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use book::Book;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;
use wire::auth::{AuthMode, KeyInfo};
use wire::{Secret, Timestamp};

/// How often the times of use are written, at most.
const USES_WRITTEN_EVERY: Duration = Duration::from_secs(60);
/// Longest text that is hashed to see whether it is a key, in bytes.
const PRESENTED_BYTES_MAX: usize = 512;
/// Longest label, in characters.
const LABEL_CHARS_MAX: usize = 100;
/// Most keys there can be.
const KEYS_MAX: usize = 1000;

/// Id of a key, such as `k_0aZ…`. It is no part of the key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why keys could not be read or changed. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file is not one of ours any more; nobody from elsewhere is let in.
    #[error("{} is not understood: {reason}; mend it, or move it aside", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong, without anything secret.
        reason: String,
    },
    /// It cannot be read; nobody from elsewhere is let in.
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// It cannot be written.
    #[error("{} cannot be written: {why}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// A label that is empty or too long.
    #[error("a label has 1 to {LABEL_CHARS_MAX} characters")]
    Label,
    /// There are as many keys as there can be.
    #[error("there are {KEYS_MAX} keys; revoke one first")]
    TooMany,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// The keys in force. Another program may change the file at any time; it is read again when it
/// looks different.
pub struct Keys {
    path: PathBuf,
    default_mode: AuthMode,
    state: Mutex<State>,
}

struct State {
    stamp: Option<Stamp>,
    /// Err: why the file is not understood.
    book: Result<Book, String>,
    /// The mode that the file said when it was last understood.
    last_mode: Option<AuthMode>,
    /// When keys were used since the file was last written.
    used: BTreeMap<String, Timestamp>,
    written: Instant,
}

impl Keys {
    /// Reads the file; none is no keys. Blocks.
    pub fn load(path: &Path) -> Result<Keys, KeysError> {
        let (book, stamp) = read(path)?;
        Ok(Keys::new(path, Ok(book), stamp))
    }

    /// Keys of a file that could not be loaded: none fits and the mode is `remote`, until the
    /// file changes into one that is understood.
    pub fn broken(path: &Path, reason: &KeysError) -> Keys {
        Keys::new(path, Err(reason.to_string()), Stamp::of(path))
    }

    fn new(path: &Path, book: Result<Book, String>, stamp: Option<Stamp>) -> Keys {
        let last_mode = book.as_ref().ok().and_then(|book| book.mode);
        let used = BTreeMap::new();
        let state = State { stamp, book, last_mode, used, written: Instant::now() };
        Keys { path: path.to_owned(), default_mode: AuthMode::Remote, state: Mutex::new(state) }
    }

    /// The mode where the file does not say one; `remote` if this is not called.
    pub fn with_default_mode(mut self, mode: AuthMode) -> Keys {
        self.default_mode = mode;
        self
    }

    /// Who has to show a key.
    pub fn mode(&self) -> AuthMode {
        let state = self.fresh();
        match &state.book {
            Ok(book) => book.mode.unwrap_or(self.default_mode),
            // As it was before the file broke: a typing mistake must not open anything.
            Err(_) => state.last_mode.unwrap_or(AuthMode::Remote),
        }
    }

    /// Why the file is not understood, if it is not.
    pub fn problem(&self) -> Option<String> {
        self.fresh().book.as_ref().err().cloned()
    }

    /// Whether there is no key that could fit.
    pub fn is_empty(&self) -> bool {
        self.fresh().book.as_ref().map_or(true, |book| book.keys.is_empty())
    }

    /// The keys, oldest first, without what is secret.
    pub fn list(&self) -> Vec<KeyInfo> {
        let state = self.fresh();
        let keys = state.book.iter().flat_map(|book| &book.keys);
        keys.map(|key| {
            let mut info = key.info.clone();
            info.last_used_at = info.last_used_at.max(state.used.get(&info.id).copied());
            info
        })
        .collect()
    }

    /// The key that a caller presents, if it is one. Notes the time of use, in memory only.
    pub fn check(&self, presented: &str) -> Option<KeyId> {
        if presented.is_empty() || presented.len() > PRESENTED_BYTES_MAX {
            return None;
        }
        let plain = hash(presented.as_bytes());
        // The app sends some of its calls with the key still in its own wrapping (trap 99).
        let wrapped = unwrapped(presented).map_or(plain, |key| hash(&key));
        let mut state = self.fresh();
        // All keys are compared, each in constant time: how long it takes tells nothing.
        let mut fits = None;
        for key in &state.book.as_ref().ok()?.keys {
            if bool::from(key.hash.ct_eq(&plain) | key.hash.ct_eq(&wrapped)) {
                fits = Some(key.info.id.clone());
            }
        }
        let id = fits?;
        state.used.insert(id.clone(), Timestamp::now());
        Some(KeyId(id))
    }

    /// Makes a key. The secret is nowhere else: show it once. Blocks.
    pub fn create(&self, label: &str) -> Result<(KeyInfo, Secret), KeysError> {
        if label.is_empty() || label.chars().count() > LABEL_CHARS_MAX {
            return Err(KeysError::Label);
        }
        let secret = Secret::new(format!("para_{}", random::<32>()?));
        let info = KeyInfo {
            id: format!("k_{}", random::<9>()?),
            label: label.to_owned(),
            created_at: Timestamp::now(),
            last_used_at: None,
        };
        let hashed = hash(secret.expose().as_bytes());
        self.change(|book| match book.keys.len() < KEYS_MAX {
            true => {
                book.add(&info, hashed);
                Ok(())
            }
            false => Err(KeysError::TooMany),
        })??;
        Ok((info, secret))
    }

    /// Takes a key away, at once. False if there is none of this id. Blocks.
    pub fn revoke(&self, id: &str) -> Result<bool, KeysError> {
        self.change(|book| book.remove(id))
    }

    /// Says who has to show a key, in the file. Blocks.
    pub fn set_mode(&self, mode: AuthMode) -> Result<(), KeysError> {
        self.change(|book| book.set_mode(mode))
    }

    /// Writes when keys were used, if that is due: once a minute at most (trap 13). To be called
    /// now and then, off the request's path. True if something was written. Blocks.
    pub fn flush(&self) -> Result<bool, KeysError> {
        self.flush_at(Instant::now())
    }

    fn flush_at(&self, now: Instant) -> Result<bool, KeysError> {
        let mut state = self.lock();
        if now.saturating_duration_since(state.written) < USES_WRITTEN_EVERY {
            return Ok(false);
        }
        // Even if it fails: once a minute is also how often it is tried.
        state.written = now;
        drop(state);
        self.close()
    }

    /// Writes when keys were used, due or not. True if something was written. Blocks.
    pub fn close(&self) -> Result<bool, KeysError> {
        let nothing = self.lock().used.is_empty();
        if nothing {
            return Ok(false);
        }
        self.change(|_| ()).map(|()| true)
    }

    /// Changes the file as it is now on disk, under the lock that other programs take too.
    fn change<T>(&self, edit: impl FnOnce(&mut Book) -> T) -> Result<T, KeysError> {
        let unwritable = |why| KeysError::Unwritable { path: self.path.clone(), why };
        file::make_folder(&self.path).map_err(unwritable)?;
        let lock = self.path.with_file_name(".server.lock");
        let lock = file::Lock::take(&lock).map_err(unwritable)?;
        let (mut book, stamp) = read(&self.path)?;
        let answer = edit(&mut book);
        let used = self.lock().used.clone();
        book.note_uses(&used);
        let text = book.changed_text().map_err(io::Error::other).map_err(unwritable)?;
        let stamp = match text {
            Some(text) => {
                lock.replace(&self.path, text.as_bytes(), file::Mode::Private)
                    .map_err(unwritable)?;
                Stamp::of(&self.path)
            }
            None => stamp,
        };
        let mut state = self.lock();
        // What was used meanwhile waits for the next time.
        state.used.retain(|id, at| used.get(id) != Some(at));
        state.stamp = stamp;
        state.last_mode = book.mode;
        state.book = Ok(book);
        Ok(answer)
    }

    /// The state, read again if the file looks different from when it was read.
    fn fresh(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        let stamp = Stamp::of(&self.path);
        if stamp != state.stamp {
            match read(&self.path) {
                Ok((book, stamp)) => {
                    state.last_mode = book.mode;
                    (state.book, state.stamp) = (Ok(book), stamp);
                }
                Err(error) => {
                    tracing::error!(%error, "no key opens a door until the file is mended");
                    (state.book, state.stamp) = (Err(error.to_string()), stamp);
                }
            }
        }
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is one assignment: there is no half-made one to fear.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> Result<(Book, Option<Stamp>), KeysError> {
    let found = file::read_stamped(path)
        .map_err(|why| KeysError::Unreadable { path: path.to_owned(), why })?;
    let (text, stamp) = match found {
        Some((text, stamp)) => (text, Some(stamp)),
        None => (String::new(), None),
    };
    let book =
        Book::parse(text).map_err(|reason| KeysError::Broken { path: path.to_owned(), reason })?;
    Ok((book, stamp))
}

/// Whether this is the secret that was shown. It takes as long for a near miss as for any other
/// text of that length: hashes are compared, and whole.
pub fn same(secret: &Secret, shown: &str) -> bool {
    let fits = shown.len() <= PRESENTED_BYTES_MAX && !secret.expose().is_empty();
    let shown = if fits { shown } else { "" };
    bool::from(hash(secret.expose().as_bytes()).ct_eq(&hash(shown.as_bytes()))) && fits
}

fn hash(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// What is inside base64, if it is a key.
fn unwrapped(text: &str) -> Option<Vec<u8>> {
    [STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|base64| base64.decode(text).ok())
        .filter(|inside| inside.starts_with(b"para_"))
}

/// So many random bytes, in base64 that is safe in a URL.
fn random<const BYTES: usize>() -> Result<String, KeysError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(KeysError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
