//! The folder `Daily`: entries, and agents that read a day and write about it (contract-core
//! §6.6, contract-extended §4.1). Files of a person's own hand, so that all is read that can be,
//! and what cannot be is named. What is done with them is decided above.

pub(crate) mod agents;
pub(crate) mod entries;
pub(crate) mod output;
pub(crate) mod state;
