//! Clients for the vendors' model APIs: the list of models, as the vendor tells it (`Vendor`),
//! sorted into families (contract-core §7.4), and kept for an hour (`Shelf`); what is used of a
//! subscription; and handing another program's requests on with the credential (`Forward`).
//!
//! Where the credential and the address come from is the caller's matter; nobody is asked
//! before the caller asks.

mod ask;
mod disk;
mod error;
mod family;
mod forward;
mod limits;
mod order;
mod page;
mod shelf;
mod usage;
mod vendor;
mod words;

pub use error::ListError;
pub use family::family;
pub use forward::{Forward, ForwardError};
pub use order::latest;
pub use shelf::{Shelf, Shelved};
pub use vendor::{DEFAULT_BASE_URL, Vendor};
