//! What a person adds to the agent: skills, agent definitions, plugins. Lists and changes them,
//! and says which of them a turn has. What they are on disk is the vault's matter.

pub(crate) mod definitions;
mod installs;
pub(crate) mod plugins;
pub(super) mod redact;
pub(crate) mod skills;
