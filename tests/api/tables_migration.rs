//! What the app reads of sessions of an older place of the vault (contract-core §1.15,
//! contract-extended §1.15), with what is promised beside it.

use crate::dart::Dart::{Bool, Date, Int, List, Map, Str};
use crate::dart::{Field, need, null};

pub(crate) const SCAN: &[Field] = &[
    need("currentVaultRoot", Str),
    need(
        "needsMigration",
        List(&[
            need("sessionId", Str),
            need("title", Str),
            need("oldVaultRoot", Str),
            null("workingDirectory", Str),
            need("transcriptExists", Bool),
            null("transcriptPath", Str),
            need("createdAt", Date),
        ]),
    ),
    need("alreadyCurrent", Int),
    need("noVaultRoot", Int),
    need("total", Int),
];

pub(crate) const ALL: &[Field] = &[
    need("migrated", Int),
    need("failed", Int),
    need("total", Int),
    need("success", Bool),
    null("error", Str),
];

pub(crate) const ONE: &[Field] = &[
    need("success", Bool),
    need("migrated", Bool),
    need("transcriptCopied", Bool),
    need("session", Map(&[need("id", Str), null("vaultRoot", Str)])),
];
