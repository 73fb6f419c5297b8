//! The list of models against a stand-in of the vendor on a socket of this machine: what is
//! asked, what becomes of every kind of answer, and what the shelf keeps of it.
#![allow(clippy::unwrap_used, reason = "a test")]

mod list;
mod shelf;
mod stand;
mod usage;
