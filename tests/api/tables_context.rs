//! What the app reads of workspaces, contexts, prompts, models, usage and hooks (contract-core
//! §1.6–§1.12, contract-extended §1.8), with what the contract promises beside it.

use crate::dart::Dart::{Bool, Date, Int, Is, List, Map, Num, OneOf, Str, Strings};
use crate::dart::{Field, may, need, null};

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

pub(crate) const CONTEXT_FOLDERS: &[Field] = &[
    need(
        "folders",
        List(&[
            need("path", Str),
            need("context_file", OneOf(&["AGENTS.md", "CLAUDE.md"])),
            need("has_agents_md", Bool),
            need("has_claude_md", Bool),
            need("display_name", Str),
        ]),
    ),
    need("count", Int),
];

pub(crate) const CHAIN: &[Field] = &[
    need(
        "files",
        List(&[
            need("path", Str),
            need("folder_path", Str),
            need("level", OneOf(&["root", "parent", "direct"])),
            need("tokens", Int),
            need("exists", Bool),
        ]),
    ),
    need("total_tokens", Int),
    need("truncated", Bool),
];

pub(crate) const SESSION_CONTEXTS: &[Field] =
    &[need("session_id", Str), need("folder_paths", Strings), null("chain", Map(CHAIN))];

pub(crate) const PREVIEW: &[Field] = &[
    need("prompt", Str),
    need("promptSource", OneOf(&["claude_code_preset", "agent", "custom"])),
    null("promptSourcePath", Str),
    need("contextFiles", Strings),
    need("contextTokens", Int),
    need("contextTruncated", Bool),
    null("agentName", Str),
    need("availableAgents", Strings),
    need("availableSkills", Strings),
    need("availableMcps", Strings),
    need("basePromptTokens", Int),
    need("totalPromptTokens", Int),
    need("trustMode", Bool),
    null("workingDirectory", Str),
    null("workingDirectoryClaudeMd", Str),
];

pub(crate) const MODULE_PROMPT: &[Field] = &[
    need("module", Str),
    need("path", Str),
    need("exists", Bool),
    null("content", Str),
    need("defaultPrompt", Str),
];

pub(crate) const MODULE_PROMPT_SET: &[Field] =
    &[need("success", Bool), may("path", Str), may("reset", Bool)];

pub(crate) const MODULE_STATS: &[Field] = &[
    need("module", Is("chat")),
    need("fileCount", Int),
    need("totalSize", Int),
    need("hasPrompt", Bool),
];

const LIMIT: &[Field] = &[need("utilization", Num), null("resets_at", Str)];

pub(crate) const USAGE: &[Field] = &[
    null("five_hour", Map(LIMIT)),
    null("seven_day", Map(LIMIT)),
    null("seven_day_sonnet", Map(LIMIT)),
    null("seven_day_opus", Map(LIMIT)),
    null(
        "extra_usage",
        Map(&[
            need("is_enabled", Bool),
            need("monthly_limit", Int),
            need("used_credits", Num),
            need("utilization", Num),
        ]),
    ),
    null("subscription_type", Str),
    null("rate_limit_tier", Str),
    null("error", Str),
    need(
        "days",
        List(&[
            need("date", Date),
            need("turns", Int),
            need("input_tokens", Int),
            need("output_tokens", Int),
            need("cost_usd", Num),
        ]),
    ),
];

pub(crate) const EVERYTHING: &[Field] = &[
    need(
        "agents",
        List(&[
            need("name", Str),
            null("description", Str),
            need("source", OneOf(&["builtin", "vault_agents", "custom_agents"])),
        ]),
    ),
    need("skills", List(&[need("name", Str), need("description", Str), need("version", Str)])),
    need("mcps", List(&[need("name", Str), need("type", Str), need("builtin", Bool)])),
];

pub(crate) const HOOKS: &[Field] = &[
    need(
        "hooks",
        List(&[
            need("name", Str),
            need("path", Str),
            need("events", Strings),
            need("blocking", Bool),
            need("timeout", Num),
            need("enabled", Bool),
            need("description", Str),
        ]),
    ),
    need(
        "health",
        Map(&[
            need("hooks_count", Int),
            need("events_registered", Strings),
            need("recent_errors_count", Int),
        ]),
    ),
];

pub(crate) const HOOK_ERRORS: &[Field] =
    &[need("errors", List(&[need("hook", Str), need("message", Str), need("timestamp", Str)]))];
