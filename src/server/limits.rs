//! Bounds of the server that are no settings, in one place. HTTP's own are `serve::Limits`.

use std::time::Duration;

/// For an agent to say that it is ready; its last one may first have to leave, which a CLI that
/// does not stop can draw out to 25 s.
pub(crate) const AGENT_START: Duration = Duration::from_secs(40);
/// For those to be told who wait where the server cannot start, and for one of them to ask.
pub(crate) const TURN_AWAY: Duration = Duration::from_secs(2);
pub(crate) const TURN_AWAY_READ: Duration = Duration::from_millis(200);
/// For an agent to stop before it is killed, in seconds.
pub(crate) const AGENT_STOP_SECONDS: u64 = 30;
/// For an agent to say how it is, and to begin an answer.
pub(crate) const AGENT_STATUS: Duration = Duration::from_secs(2);
pub(crate) const AGENT_ANSWER: Duration = Duration::from_secs(10);
/// How often an agent that starts is looked for.
pub(crate) const AGENT_POLL: Duration = Duration::from_millis(10);
/// How often, and how far apart, it is tried again while the last agent is on its way out.
pub(crate) const AGENT_GONE_TRIES: u32 = 300;
pub(crate) const AGENT_GONE_PAUSE: Duration = Duration::from_millis(100);
/// For a turn to be taken by an agent, counted anew whenever one has said something.
pub(crate) const HAND_OVER_LIMIT: Duration = Duration::from_secs(60);
pub(crate) const HAND_OVER_PAUSE: Duration = Duration::from_millis(50);
/// How often an agent is started again for the same broken turn.
pub(crate) const REVIVALS_MAX: u32 = 3;
pub(crate) const REVIVAL_PAUSE: Duration = Duration::from_secs(1);
/// Of an event log that is replayed without its agent: a piece, and how many wait for the client.
pub(crate) const REPLAY_PIECE_BYTES: usize = 64 * 1024;
pub(crate) const REPLAY_PIECES_MAX: usize = 4;
/// Sessions whose turns wait to be handed over again.
pub(crate) const LOST_WAITING_MAX: usize = 256;
/// For what is done for clients to end when the server stops.
pub(crate) const CLOSE_WAIT: Duration = Duration::from_secs(10);
/// For the end of a turn to reach the database before the client is told of it all the same.
pub(crate) const APPLY_WAIT: Duration = Duration::from_secs(5);
/// Answers to `GET /api/chat` kept while they are true.
pub(crate) const LISTS_KEPT_MAX: usize = 8;
/// A file of the vault that is read or written whole on request.
pub(crate) const VAULT_FILE_BYTES_MAX: u64 = 1 << 20;
/// Files and folders in a folder that is listed.
pub(crate) const FOLDER_ENTRIES_MAX: usize = 10_000;
/// What was left unfinished in a folder of the vault is swept after so long.
pub(crate) const UNFINISHED_SECONDS_MAX: i64 = 3600;
/// An archive: itself, what is in it, how many files those are, how deep they lie, and how much
/// larger than the archive they may be once they are more than `ARCHIVE_SMALL_BYTES`.
pub(crate) const ARCHIVE_BYTES_MAX: usize = 16 << 20;
pub(crate) const ARCHIVE_UNPACKED_BYTES_MAX: u64 = 64 << 20;
pub(crate) const ARCHIVE_ENTRIES_MAX: usize = 2000;
pub(crate) const ARCHIVE_DEPTH_MAX: usize = 16;
pub(crate) const ARCHIVE_SMALL_BYTES: u64 = 1 << 20;
pub(crate) const ARCHIVE_RATIO_MAX: u64 = 100;
/// MCP servers, and how many of them are asked at once.
pub(crate) const MCPS_MAX: usize = 500;
pub(crate) const MCPS_ASKED_MAX: usize = 4;
/// Skills that are read from one folder, and their texts together.
pub(crate) const SKILLS_MAX: usize = 1000;
pub(crate) const SKILLS_BYTES_MAX: usize = 32 << 20;
/// Agent definitions that are read from one folder, and the path that names one.
pub(crate) const DEFINITIONS_MAX: usize = 500;
pub(crate) const AGENT_PATH_BYTES_MAX: usize = 1024;
/// Prompts of all the definitions that one turn has.
pub(crate) const TURN_AGENTS_BYTES_MAX: usize = 4 << 20;
/// What the skills of one turn have with them: together, and how many files.
pub(crate) const TURN_SKILLS_BYTES_MAX: usize = 32 << 20;
pub(crate) const TURN_SKILLS_FILES_MAX: usize = 4000;
/// Modules that others made: how many, what one may have in its folder, how deep, and how long
/// what it says of itself may be; and what is read of all of them.
pub(crate) const MODULES_MAX: usize = 200;
pub(crate) const MODULES_BYTES_MAX: u64 = 128 << 20;
pub(crate) const MODULE_FILES_MAX: usize = 2000;
pub(crate) const MODULE_BYTES_MAX: u64 = 32 << 20;
pub(crate) const MODULE_DEPTH_MAX: usize = 16;
pub(crate) const MANIFEST_BYTES_MAX: u64 = 64 << 10;
/// Entries of a person's days, and how many of them one minute may have.
pub(crate) const ENTRIES_MAX: usize = 100_000;
pub(crate) const ENTRIES_OF_A_MINUTE_MAX: u32 = 1000;
/// Daily agents; what one is told of its day, in characters (contract-extended §4.2); and how
/// long somebody who asks for a run waits for its end: the app waits 180 s.
pub(crate) const DAILY_AGENTS_MAX: usize = 200;
pub(crate) const JOURNAL_CHARS_MAX: usize = 40_000;
pub(crate) const CHAT_LOG_CHARS_MAX: usize = 10_000;
pub(crate) const RECENT_JOURNAL_CHARS_MAX: usize = 5000;
pub(crate) const RECENT_LOG_CHARS_MAX: usize = 3000;
pub(crate) const RECENT_DAYS: i64 = 7;
pub(crate) const DAY_SESSIONS_MAX: usize = 30;
pub(crate) const DAILY_RUN_WAIT: Duration = Duration::from_secs(170);
/// How soon a run that was in hand is looked for again, at first and later, and for how long.
pub(crate) const DAILY_RUN_PAUSE: Duration = Duration::from_millis(200);
pub(crate) const DAILY_RUN_PAUSE_MAX: Duration = Duration::from_secs(60);
pub(crate) const DAILY_RUN_MAX: Duration = Duration::from_secs(24 * 3600);
/// A plugin while it is cloned and afterwards, how many files it has, and how deep they lie.
pub(crate) const PLUGIN_BYTES_MAX: u64 = 64 << 20;
pub(crate) const PLUGIN_FILES_MAX: usize = 10_000;
pub(crate) const PLUGIN_DEPTH_MAX: usize = 32;
/// Plugins that are listed, and folders within folders of their skills and agents.
pub(crate) const PLUGINS_MAX: usize = 200;
pub(crate) const PLUGIN_GROUPS_DEEP_MAX: usize = 4;
/// For git to clone, which the app waits 120 s for, and to ask what is newest; how often it is
/// looked at meanwhile, how many may run at once, and of what it says so much is kept.
pub(crate) const GIT_CLONE_LIMIT: Duration = Duration::from_secs(90);
pub(crate) const GIT_ASK_LIMIT: Duration = Duration::from_secs(20);
pub(crate) const GIT_LOOK: Duration = Duration::from_millis(200);
pub(crate) const GIT_AT_ONCE_MAX: usize = 4;
pub(crate) const GIT_SAID_BYTES_MAX: u64 = 64 << 10;
pub(crate) const GIT_URL_BYTES_MAX: usize = 2048;
/// Skills put together for turns that nobody has used for so long are swept.
pub(crate) const TURN_SKILLS_SECONDS_MAX: i64 = 2 * 24 * 3600;
/// Of each prompt file of the vault, a module or a working directory, so much is told, in
/// characters.
pub(crate) const PROMPT_FILE_CHARS_MAX: usize = 256 * 1024;
/// Of all chosen folders, and of all chosen notes (contract-core §5.2: 4 characters a token).
pub(crate) const CONTEXT_FOLDERS_CHARS_MAX: usize = 40_000 * 4;
pub(crate) const CONTEXT_NOTES_CHARS_MAX: usize = 10_000 * 4;
/// Contexts of a session or a request, the path of one, and notes that one pattern finds.
pub(crate) const CONTEXTS_MAX: usize = 100;
pub(crate) const CONTEXT_PATH_BYTES_MAX: usize = 1024;
pub(crate) const PATTERN_NOTES_MAX: usize = 100;
/// Folders that are looked at when the vault is searched, and how deep.
pub(crate) const FOLDERS_WALKED_MAX: usize = 20_000;
pub(crate) const FOLDERS_DEEP_MAX: usize = 32;
/// How long the vendor's word on a subscription's limits counts.
pub(crate) const LIMITS_FRESH: Duration = Duration::from_secs(60);
/// Days of which it is told what their turns came to.
pub(crate) const USAGE_DAYS: i64 = 31;
/// Of earlier messages, told to a model that has no memory of them.
pub(crate) const PRIOR_CHARS_MAX: usize = 40_000;
/// Of an import: mistakes that are told, pieces of a body that wait to be written down, and the
/// time between two signs of progress.
pub(crate) const IMPORT_ERRORS_MAX: usize = 100;
pub(crate) const IMPORT_PIECES_MAX: usize = 16;
pub(crate) const IMPORT_PROGRESS_PAUSE: Duration = Duration::from_millis(250);
/// What the disk of the state folder keeps free, however large an import is.
pub(crate) const IMPORT_LEFT_FREE_BYTES: u64 = 256 << 20;
/// Notes about a person that are looked at for `GET /api/import/contexts`.
pub(crate) const CONTEXT_NOTES_MAX: usize = 1000;
/// Folders and files of the Claude CLI that are looked at, and sessions whose facts are kept.
pub(crate) const CLI_PROJECTS_MAX: usize = 5000;
pub(crate) const CLI_SESSIONS_MAX: usize = 20_000;
/// Of what was said in one of them, so much is shown; its end.
pub(crate) const CLI_SHOWN_BYTES_MAX: usize = 16 << 20;
/// Before a database that could not be opened is tried again.
pub(crate) const REOPEN_PAUSE: Duration = Duration::from_secs(5);
/// Memory above which an agent with all it runs is slowed down, and killed.
pub(crate) const AGENT_MEMORY_HIGH_BYTES: u64 = 6 << 30;
pub(crate) const AGENT_MEMORY_MAX_BYTES: u64 = 8 << 30;
/// Processes and threads of an agent with all it runs.
pub(crate) const AGENT_TASKS_MAX: u64 = 2048;
/// Its share of the processor beside other units (systemd's default is 100).
pub(crate) const AGENT_CPU_WEIGHT: u64 = 80;

/// How long what was found out about the container engine counts.
pub(crate) const ENGINE_KEPT: Duration = Duration::from_secs(60);
/// Processes and threads of a container.
pub(crate) const CONTAINER_TASKS_MAX: u32 = 256;

/// Sessions of an older place of the vault that are looked at, and a transcript that is copied.
pub(crate) const MIGRATED_SESSIONS_MAX: u32 = 10_000;
pub(crate) const TRANSCRIPT_COPIED_BYTES_MAX: u64 = 1 << 30;

/// What a folder may bring along of hooks and tools to be trusted, and how many folders are.
pub(crate) const TRUSTED_FILES_MAX: usize = 2000;
pub(crate) const TRUSTED_BYTES_MAX: u64 = 32 << 20;
pub(crate) const TRUSTED_FOLDERS_MAX: usize = 500;

/// A path that a caller names, a file that is read whole as text, and what is listed of a folder.
pub(crate) const PATH_BYTES_MAX: usize = 4096;
pub(crate) const FILE_TEXT_BYTES_MAX: u64 = 32 << 20;
pub(crate) const FILES_LISTED_MAX: usize = 50_000;
/// Files of a folder that is synchronised; paths of a request; a file that goes to a device, and
/// all that go in one answer; files that are remembered as deleted (of more, the oldest are
/// forgotten when the server opens its memory the next time), and texts of each file.
pub(crate) const SYNC_FILES_MAX: usize = 100_000;
pub(crate) const SYNC_PATHS_MAX: usize = 1000;
pub(crate) const SYNC_FILE_BYTES_MAX: u64 = 96 << 20;
pub(crate) const SYNC_ANSWER_BYTES_MAX: u64 = 96 << 20;
pub(crate) const SYNC_TOMBSTONES_MAX: usize = 50_000;
pub(crate) const SYNC_TEXTS_MAX: usize = 100;
/// Devices of which it is remembered what they have of a file.
pub(crate) const SYNC_SEEN_MAX: usize = 20;
/// Of what was replaced or deleted on a guess: together, how many files, and how long. One request
/// puts no more aside than all of it may be.
pub(crate) const SYNC_ASIDE_BYTES_MAX: u64 = 256 << 20;
pub(crate) const SYNC_ASIDE_FILES_MAX: usize = 1000;
pub(crate) const SYNC_ASIDE_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// A name of a device, and a pattern.
pub(crate) const SYNC_DEVICE_BYTES_MAX: usize = 64;
pub(crate) const SYNC_PATTERN_BYTES_MAX: usize = 256;
/// Of what cannot be told in a manifest, so much is named.
pub(crate) const SYNC_PROBLEMS_MAX: usize = 20;
/// Files that a folder may have lost, all it had, before it is doubted that they were deleted.
pub(crate) const SYNC_VANISHED_MAX: usize = 10;
/// A hash counts only if its file had rested so long before it was read: clocks of file systems
/// tick seldom, and a second change within a tick leaves no mark.
pub(crate) const SYNC_REST_NS: i64 = 3_000_000_000;
/// Larger texts are not compared line by line.
pub(crate) const SYNC_COMPARED_BYTES_MAX: u64 = 4 << 20;

/// Files sent along with a message, and their lengths.
pub(crate) const ATTACHED_MAX: usize = 20;
pub(crate) const ATTACHMENT_BYTES_MAX: usize = 20 << 20;
pub(crate) const ATTACHED_BYTES_MAX: usize = 24 << 20;
/// Of a predecessor's files that are kept as they were: one of them, how many, and how deep.
pub(crate) const COPIED_FILE_BYTES_MAX: u64 = 4 << 20;
pub(crate) const COPIED_FILES_MAX: usize = 5000;
pub(crate) const COPIED_DEEP_MAX: usize = 8;

/// Searches of the notes at once, and terms of an entry that are looked up.
pub(crate) const SEARCHES_MAX: usize = 4;
pub(crate) const SUGGESTED_MAX: usize = 200;
