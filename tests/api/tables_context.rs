//! What the app reads of workspaces, contexts, prompts, models, usage and hooks (contract-core
//! §1.6–§1.12, contract-extended §1.8), with what the contract promises beside it.

use crate::dart::Dart::{List, Map, OneOf, Str};
use crate::dart::{Field, need, null};

const WORKSPACE_FIELDS: &[Field] = &[
    need("name", Str),
    need("slug", Str),
    need("description", Str),
    need("default_trust_level", OneOf(&["trusted", "untrusted"])),
    null("working_directory", Str),
    null("model", Str),
    // Each a word or a list; `dynamic` in the app.
    need("capabilities", Map(&[])),
    null("sandbox", Map(&[need("memory", Str), need("cpu", Str)])),
];

pub(crate) const WORKSPACES: &[Field] = &[need("workspaces", List(WORKSPACE_FIELDS))];
pub(crate) const WORKSPACE: &[Field] = &[need("workspace", Map(WORKSPACE_FIELDS))];
pub(crate) const WORKSPACE_DELETED: &[Field] = &[need("deleted", Str)];
pub(crate) const WORKSPACE_SESSIONS: &[Field] = &[
    need("workspace", Map(WORKSPACE_FIELDS)),
    need("sessions", List(crate::tables::SESSION_FIELDS)),
];
