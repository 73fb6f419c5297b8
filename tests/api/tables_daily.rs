//! What the app reads of modules and daily agents (contract-core §1.6, §1.15), with what the
//! contract promises beside it.

use crate::dart::Dart::{AnyList, AnyMap, Bool, Date, Int, Is, List, Map, OneOf, Str, Strings};
use crate::dart::{Field, may, need, null};

pub(crate) const MODULES: &[Field] = &[need(
    "modules",
    List(&[
        need("name", Str),
        need("status", OneOf(&["loaded", "pending_approval", "unsupported", "broken"])),
        need("version", Str),
        need("description", Str),
        need("provides", Strings),
        need("trust_level", Str),
        need("has_router", Bool),
        may("hash", Str),
        may("current_hash", Str),
        may("known_hash", Str),
        may("problem", Str),
        may("digest", Str),
    ]),
)];

pub(crate) const MODULE_APPROVED: &[Field] =
    &[need("approved", Bool), need("name", Str), need("message", Str), need("digest", Str)];

pub(crate) const ENTRY_MADE: &[Field] = &[
    need("id", Str),
    need("path", Str),
    need("created_at", Date),
    need("brain_suggestions", AnyList),
];

pub(crate) const ENTRIES: &[Field] = &[
    need(
        "entries",
        List(&[
            need("id", Str),
            need("created_at", Date),
            need("snippet", Str),
            need("brain_links", AnyList),
        ]),
    ),
    need("count", Int),
    need("offset", Int),
];

pub(crate) const ENTRY: &[Field] = &[
    need("id", Str),
    need("created_at", Date),
    need("content", Str),
    need("metadata", AnyMap),
    need("brain_links", AnyList),
];

pub(crate) const AGENT: &[Field] = &[
    need("name", Str),
    need("displayName", Str),
    need("description", Str),
    need("schedule", Map(&[need("enabled", Bool), need("time", Str)])),
    need("outputPath", Str),
    need(
        "state",
        Map(&[null("lastRunAt", Date), null("lastProcessedDate", Str), need("runCount", Int)]),
    ),
];

pub(crate) const AGENTS: &[Field] = &[need("agents", List(AGENT))];

pub(crate) const AGENT_DAYS: &[Field] = &[
    need("date", Str),
    need(
        "agents",
        List(&[
            need("name", Str),
            need("displayName", Str),
            need("hasOutput", Bool),
            null("outputPath", Str),
            null("lastRunAt", Date),
            null("lastProcessedDate", Str),
        ]),
    ),
];

pub(crate) const AGENT_RUN: &[Field] = &[
    need("status", OneOf(&["completed", "completed_no_output", "skipped", "running", "error"])),
    null("output_path", Str),
    null("error", Str),
    null("journal_date", Str),
    null("output_date", Str),
];

pub(crate) const AGENT_RESET: &[Field] = &[need("success", Bool), need("name", Is("poet"))];

pub(crate) const AGENT_TRANSCRIPT: &[Field] = &[
    need("hasTranscript", Bool),
    null("sessionId", Str),
    need("totalMessages", Int),
    null("message", Str),
    need(
        "messages",
        List(&[
            need("type", Str),
            null("timestamp", Str),
            null("content", Str),
            null("model", Str),
            need(
                "blocks",
                List(&[
                    need("type", Str),
                    may("text", Str),
                    may("name", Str),
                    may("input", Str),
                    may("tool_use_id", Str),
                ]),
            ),
        ]),
    ),
];
