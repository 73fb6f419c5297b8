//! What the app reads of each answer (contract-core §1.1–§1.5, §2.2), with what the contract
//! promises beside it. One table for each answer and event.

use crate::dart::Dart::{
    AnyList, AnyMap, Bool, Date, Int, Is, List, Map, Num, OneOf, Str, Strings,
};
use crate::dart::{Field, may, need, null};

pub(crate) const ROOT: &[Field] =
    &[need("name", Is("Parachute Computer")), need("version", Str), need("status", Is("running"))];

pub(crate) const HEALTH: &[Field] =
    &[need("status", Is("ok")), need("timestamp", Int), need("version", Str), may("commit", Str)];

pub(crate) const HEALTH_DETAILED: &[Field] = &[
    need("status", Is("ok")),
    need("timestamp", Int),
    need("version", Str),
    need("vault", Map(&[need("path", Str), need("status", OneOf(&["ok", "inaccessible"]))])),
    need("modules", AnyList),
    need("docker", Map(&[need("available", Bool), need("image", Str), may("image_exists", Bool)])),
    need(
        "bots",
        Map(&[
            need("telegram", Map(&[need("running", Bool)])),
            need("discord", Map(&[need("running", Bool)])),
        ]),
    ),
    need("uptime", Num),
];

pub(crate) const KEYS: &[Field] = &[
    need(
        "keys",
        List(&[
            need("id", Str),
            need("label", Str),
            need("created_at", Date),
            null("last_used_at", Date),
        ]),
    ),
    need("auth_mode", OneOf(&["always", "remote", "disabled"])),
];

pub(crate) const KEY_MADE: &[Field] =
    &[need("id", Str), need("label", Str), need("key", Str), need("created_at", Date)];

pub(crate) const KEY_DELETED: &[Field] = &[need("status", Is("deleted")), need("id", Str)];

pub(crate) const AUTH_SETTINGS: &[Field] =
    &[need("require_auth", OneOf(&["always", "remote", "disabled"])), need("key_count", Int)];

pub(crate) const SESSION_FIELDS: &[Field] = &[
    need("id", Str),
    null("title", Str),
    need("module", Str),
    need("source", Str),
    null("workingDirectory", Str),
    null("vaultRoot", Str),
    null("model", Str),
    need("messageCount", Int),
    need("archived", Bool),
    need("createdAt", Date),
    need("lastAccessed", Date),
    null("continuedFrom", Str),
    null("agentType", Str),
    null("trustLevel", OneOf(&["trusted", "untrusted"])),
    null("linkedBotPlatform", Str),
    null("linkedBotChatId", Str),
    null("linkedBotChatType", Str),
    null("workspaceId", Str),
    null("metadata", AnyMap),
];

pub(crate) const SESSIONS: &[Field] = &[need("sessions", List(SESSION_FIELDS))];

pub(crate) const SESSION_CHANGED: &[Field] =
    &[need("success", Bool), null("session", Map(SESSION_FIELDS))];

pub(crate) const SESSION: &[Field] = &{
    let message = need(
        "messages",
        List(&[
            need("role", OneOf(&["user", "assistant"])),
            need("content", Str),
            null("timestamp", Date),
        ]),
    );
    let mut all = [message; 20];
    let mut at = 0;
    while at < SESSION_FIELDS.len() {
        all[at] = SESSION_FIELDS[at];
        at += 1;
    }
    all
};

pub(crate) const STATS: &[Field] = &[
    need("total", Int),
    need("active", Int),
    need("archived", Int),
    need("by_module", Map(&[need("chat", Int), need("daily", Int), need("build", Int)])),
];

pub(crate) const DELETED: &[Field] = &[need("success", Bool), need("deleted", Str)];

pub(crate) const TRANSCRIPT: &[Field] = &[
    need("sessionId", Str),
    need(
        "events",
        List(&[
            need("type", Str),
            may("subtype", Str),
            may("uuid", Str),
            may("message", AnyMap),
            may("isCompactSummary", Bool),
            may("timestamp", Date),
        ]),
    ),
    null("model", Str),
    null("cwd", Str),
    need("eventCount", Int),
    need("totalEventCount", Int),
    need(
        "segments",
        List(&[
            need("index", Int),
            need("isCompacted", Bool),
            need("messageCount", Int),
            need("eventCount", Int),
            null("startTime", Str),
            null("endTime", Str),
            need("preview", Str),
            need("loaded", Bool),
        ]),
    ),
    need("segmentCount", Int),
    null("loadedSegmentIndex", Int),
];

pub(crate) const STREAM_STATUS: &[Field] = &[need("active", Bool), need("sessionId", Str)];

pub(crate) const ACTIVE_STREAMS: &[Field] =
    &[need("streams", List(&[need("session_id", Str)])), need("count", Int)];

pub(crate) const ABORTED: &[Field] =
    &[need("success", Bool), need("message", Str), need("sessionId", Str)];

pub(crate) const ANSWERED: &[Field] = &[
    need("success", Bool),
    need("message", Str),
    need("session_id", Str),
    need("request_id", Str),
];

pub(crate) const SUCCESS: &[Field] = &[need("success", Bool)];

pub(crate) const PENDING: &[Field] = &[
    need(
        "pending",
        List(&[
            need("id", Str),
            need("tool_name", Str),
            null("file_path", Str),
            need("timestamp", Date),
        ]),
    ),
    need("sessionId", Str),
];

pub(crate) const GRANTED: &[Field] =
    &[need("success", Bool), need("sessionId", Str), need("requestId", Str), null("pattern", Str)];

pub(crate) const DENIED: &[Field] =
    &[need("success", Bool), need("sessionId", Str), need("requestId", Str)];

pub(crate) const DETAIL: &[Field] = &[need("detail", Str)];

pub(crate) const UNAUTHORIZED: &[Field] =
    &[need("error", Is("Unauthorized")), need("message", Str)];

const RESUME: &[Field] = &[
    need("method", OneOf(&["sdk_resume", "new"])),
    need("is_new_session", Bool),
    need("previous_message_count", Int),
    need("sdk_session_available", Bool),
    need("sdkSessionValid", Bool),
    need("sdkResumeAttempted", Bool),
    need("sdkResumeFailed", Bool),
    need("contextInjected", Bool),
    need("messagesInjected", Int),
    need("tokensEstimate", Int),
    need("previousMessageCount", Int),
    need("loadedFromDisk", Bool),
    need("cacheHit", Bool),
];

/// Each event of a stream by its `type`.
pub(crate) const EVENTS: &[(&str, &[Field])] = &[
    (
        "session",
        &[
            null("sessionId", Str),
            null("workingDirectory", Str),
            need("resumeInfo", Map(RESUME)),
            need("sessionResume", Map(RESUME)),
            null("trustLevel", OneOf(&["trusted", "untrusted"])),
            null("title", Str),
        ],
    ),
    ("user_message", &[need("content", Str)]),
    (
        "warning",
        &[
            need("code", Str),
            need("title", Str),
            need("message", Str),
            null("details", Strings),
            null("sessionId", Str),
        ],
    ),
    (
        "prompt_metadata",
        &[
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
            null("workingDirectoryClaudeMd", Str),
        ],
    ),
    ("init", &[need("tools", Strings), null("permissionMode", Str)]),
    ("model", &[need("model", Str)]),
    ("thinking", &[need("content", Str)]),
    ("text", &[need("content", Str), need("delta", Str)]),
    (
        "tool_use",
        &[need("tool", Map(&[need("id", Str), need("name", Str), need("input", AnyMap)]))],
    ),
    ("tool_result", &[need("toolUseId", Str), need("content", Str), need("isError", Bool)]),
    (
        "user_question",
        &[
            need("requestId", Str),
            need("sessionId", Str),
            need(
                "questions",
                List(&[
                    need("question", Str),
                    need("header", Str),
                    need("multiSelect", Bool),
                    need("options", List(&[need("label", Str), need("description", Str)])),
                ]),
            ),
        ],
    ),
    (
        "permission_request",
        &[
            need("requestId", Str),
            need("sessionId", Str),
            need("toolName", Str),
            need("input", AnyMap),
            null("filePath", Str),
            need("timeoutSeconds", Int),
        ],
    ),
    ("permission_denied", &[need("toolName", Str), need("reason", Str), need("message", Str)]),
    (
        "done",
        &[
            need("response", Str),
            need("sessionId", Str),
            null("workingDirectory", Str),
            need("messageCount", Int),
            null("model", Str),
            need("durationMs", Int),
            need("spawned", AnyList),
            null("toolCalls", List(&[need("id", Str), need("name", Str), need("input", AnyMap)])),
            null("permissionDenials", List(&[need("tool_name", Str), need("reason", Str)])),
            null("sessionResume", Map(RESUME)),
            null("title", Str),
        ],
    ),
    ("aborted", &[need("message", Str), null("sessionId", Str), null("partialResponse", Str)]),
    (
        "session_unavailable",
        &[
            need("reason", OneOf(&["sdk_error", "sdk_session_not_found"])),
            need("sessionId", Str),
            need("hasMarkdownHistory", Bool),
            need("messageCount", Int),
            need("message", Str),
        ],
    ),
    ("error", &[need("error", Str), may("sessionId", Str)]),
    (
        "typed_error",
        &[
            need("code", Str),
            need("title", Str),
            need("message", Str),
            need(
                "actions",
                List(&[need("key", Str), need("label", Str), need("action", OneOf(ACTIONS))]),
            ),
            need("canRetry", Bool),
            null("retryDelayMs", Int),
            null("originalError", Str),
            null("sessionId", Str),
        ],
    ),
];

const ACTIONS: &[&str] = &["retry", "settings", "reauth", "dismiss", "new_session"];

/// The app parses the first eight (contract-core §7.2).
pub(crate) const SUPERVISOR_STATUS: &[Field] = &[
    need("supervisor_uptime_seconds", Int),
    need("supervisor_version", Str),
    need("main_server_healthy", Bool),
    need(
        "main_server_status",
        OneOf(&["running", "stopped", "crashed", "starting", "stopping", "failed"]),
    ),
    null("main_server_uptime_seconds", Int),
    null("main_server_version", Str),
    null("main_server_port", Int),
    need("config_loaded", Bool),
    need("mode", OneOf(&["systemd", "launchd", "direct"])),
    need("main_server_words", Str),
    need("main_server_sleeping", Bool),
    null("config_problem", Str),
    need("units", AnyList),
    need("agents", AnyList),
    need("jobs", AnyList),
];

pub(crate) const ORDERED: &[Field] = &[
    need("success", Bool),
    need("message", Str),
    need(
        "job",
        Map(&[
            need("id", Int),
            need("unit", Str),
            need("verb", Str),
            need("state", OneOf(&["running", "done", "failed"])),
            need("message", Str),
            need("at", Date),
            null("took_ms", Int),
            need("log", Strings),
        ]),
    ),
];

pub(crate) const CONFIG: &[Field] = &[
    need("config", AnyMap),
    need("file", Str),
    need("etag", Str),
    null("problem", Str),
    need("warnings", Strings),
    need("settings", AnyList),
];

pub(crate) const CONFIG_CHANGED: &[Field] = &[
    need("success", Bool),
    need("updated_keys", Strings),
    need("server_restarted", Bool),
    need("restart_needed", Bool),
    need("changes", AnyList),
    need("warnings", Strings),
    need("etag", Str),
    need("dry_run", Bool),
    need("rolled_back", Bool),
];

/// The app parses `models` and of each the first five (contract-core §7.2).
pub(crate) const MODELS: &[Field] = &[
    need(
        "models",
        List(&[
            need("id", Str),
            need("display_name", Str),
            need("created_at", Date),
            need("family", Str),
            need("is_latest", Bool),
        ]),
    ),
    need("count", Int),
    need("show_all", Bool),
    null("current_model", Str),
    need("cached_at", Date),
    need("is_stale", Bool),
];

const SKILL_FIELDS: &[Field] = &[
    need("name", Str),
    need("directory", Str),
    need("description", Str),
    need("content", Str),
    need("size", Int),
    need("modified", Date),
    need("version", Str),
    need("allowed_tools", Strings),
    need("is_directory", Bool),
    need("source", Str),
    may("files", List(&[need("name", Str), need("size", Int)])),
];

pub(crate) const SKILL: &[Field] = SKILL_FIELDS;

pub(crate) const SKILLS: &[Field] = &[need("skills", List(SKILL_FIELDS))];

pub(crate) const SKILL_MADE: &[Field] = &[need("success", Bool), need("skill", Map(SKILL_FIELDS))];

const AGENT_FIELDS: &[Field] = &[
    need("name", Str),
    null("description", Str),
    need("type", OneOf(&["chatbot", "doc", "standalone"])),
    null("model", Str),
    null("path", Str),
    need("source", OneOf(&["builtin", "vault_agents", "custom_agents"])),
    need("tools", Strings),
];

/// One definition as it is listed and made.
pub(crate) const AGENT: &[Field] = AGENT_FIELDS;

pub(crate) const AGENTS: &[Field] = &[need("agents", List(AGENT_FIELDS))];

/// What a custom one shows of itself.
pub(crate) const AGENT_DETAIL: &[Field] = &[
    need("name", Str),
    null("description", Str),
    need("type", OneOf(&["chatbot", "doc", "standalone"])),
    null("model", Str),
    null("path", Str),
    need("source", OneOf(&["builtin", "vault_agents", "custom_agents"])),
    need("tools", Strings),
    need("system_prompt", Str),
    null("system_prompt_preview", Str),
];

/// What the others show beside it.
pub(crate) const AGENT_BOUNDS: &[Field] = &[
    need(
        "permissions",
        Map(&[
            need("read", Strings),
            need("write", Strings),
            need("spawn", Strings),
            need("tools", Strings),
            need("approvedMcps", Strings),
        ]),
    ),
    need("constraints", Map(&[need("maxSpawns", Int), need("timeout", Int)])),
    need("spawns", Strings),
];

const PLUGIN_FIELDS: &[Field] = &[
    need("slug", Str),
    need("name", Str),
    need("version", Str),
    need("description", Str),
    null("author", Str),
    need("source", OneOf(&["parachute", "cli", "user"])),
    null("sourceUrl", Str),
    need("path", Str),
    need("skills", Strings),
    need("agents", Strings),
    need("mcps", Strings),
    need("mcpConfigs", AnyMap),
    null("installedAt", Date),
];

pub(crate) const PLUGIN: &[Field] = PLUGIN_FIELDS;

pub(crate) const PLUGINS: &[Field] = &[need("plugins", List(PLUGIN_FIELDS))];

pub(crate) const PLUGIN_MADE: &[Field] =
    &[need("success", Bool), need("plugin", Map(PLUGIN_FIELDS))];

pub(crate) const PLUGIN_CHECK: &[Field] =
    &[need("upToDate", Bool), may("behind", Int), need("slug", Str)];

/// As any skill, but without the name of its folder.
pub(crate) const PLUGIN_SKILL: &[Field] = &[
    need("name", Str),
    need("description", Str),
    need("content", Str),
    need("size", Int),
    need("modified", Date),
    need("version", Str),
    need("allowed_tools", Strings),
    need("is_directory", Bool),
    need("source", Is("plugin")),
    may("files", List(&[need("name", Str), need("size", Int)])),
];

pub(crate) const PLUGIN_AGENT: &[Field] = &[
    need("name", Str),
    null("description", Str),
    need("type", Is("chatbot")),
    null("model", Str),
    need("path", Str),
    need("source", Is("plugin")),
    need("tools", Strings),
    need("system_prompt", Str),
    null("system_prompt_preview", Str),
];

/// A skill, an agent or a plugin that is gone.
pub(crate) const REMOVED: &[Field] = &[need("success", Bool), need("deleted", Str)];
