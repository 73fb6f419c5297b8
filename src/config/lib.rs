//! What the owner keeps under `vault/.parachute`: the settings (`config.yaml`, `.env`,
//! environment), the keys of callers (`server.yaml`), the model's credential (`.token`).
//!
//! A crate of its own because server, supervisor and command line must read and write these
//! files by the same code, and none of them may link the others. Files are read leniently,
//! rewritten atomically, keep what we do not know, and are never replaced by defaults because
//! they could not be read. It decides nothing about requests.

mod file;
pub mod keys;
mod mapping;
pub mod settings;
pub mod token;
