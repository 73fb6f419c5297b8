//! Building the image of the sandbox (contract-core §1.13).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An event of `POST /api/sandbox/build`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BuildEvent {
    /// How far it is.
    BuildProgress {
        /// A line of the engine.
        line: String,
    },
    /// The image is there.
    BuildComplete {},
    /// It is not, and nothing more comes.
    BuildError {
        /// Why.
        error: String,
    },
}
