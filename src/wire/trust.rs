//! How far an agent's hands reach (DESIGN §4). Three levels here; the app knows two names, and
//! the predecessor's files hold both sets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a session's agent runs. Ordered: the later, the stricter.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// The Claude CLI as the user.
    Full,
    /// The same, confined to the vault.
    Vault,
    /// In a container.
    Sandboxed,
}

impl Trust {
    /// The level of a name: ours, the app's (`trusted`, `untrusted`), any case.
    pub fn parse(name: &str) -> Option<Trust> {
        match name.trim().to_ascii_lowercase().as_str() {
            "full" | "trusted" => Some(Trust::Full),
            "vault" => Some(Trust::Vault),
            "sandboxed" | "untrusted" => Some(Trust::Sandboxed),
            _ => None,
        }
    }

    /// Our own name of it.
    pub fn name(self) -> &'static str {
        match self {
            Trust::Full => "full",
            Trust::Vault => "vault",
            Trust::Sandboxed => "sandboxed",
        }
    }

    /// The name the app parses.
    pub fn app_name(self) -> &'static str {
        match self {
            Trust::Full | Trust::Vault => "trusted",
            Trust::Sandboxed => "untrusted",
        }
    }

    /// The name under which it is kept: the predecessor's where it has one.
    pub fn stored_name(self) -> &'static str {
        match self {
            Trust::Vault => "vault",
            other => other.app_name(),
        }
    }
}
