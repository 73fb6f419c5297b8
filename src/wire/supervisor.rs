//! What the supervisor says: how the suite is, what became of an order, lines of the log, the
//! configuration, the models. Fields of the predecessor keep their names and types
//! (contract-core §7.2); what is beside them is ours. Numbers of the app's `int` fields are whole.

use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Answer of `GET /supervisor/status`, and what each event of `GET /supervisor/events` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SupervisorStatus {
    /// Since the supervisor began; it leaves when idle, so this starts anew now and then.
    pub supervisor_uptime_seconds: u64,
    /// Version of the supervisor.
    pub supervisor_version: String,
    /// Whether the server runs and said so within two seconds.
    pub main_server_healthy: bool,
    /// How the server is.
    pub main_server_status: ServerState,
    /// Since the server began; null while it does not run.
    pub main_server_uptime_seconds: Option<u64>,
    /// Version of the server that runs; null while none does.
    pub main_server_version: Option<String>,
    /// Port on which the server can be reached; null while it cannot.
    pub main_server_port: Option<u16>,
    /// Whether `config.yaml` is in force as it stands, or there is none.
    pub config_loaded: bool,
    /// Who keeps the programs alive.
    pub mode: Mode,
    /// How the server is, as a sentence for a person.
    pub main_server_words: String,
    /// It does not run because nobody asks, and starts at the next connection.
    pub main_server_sleeping: bool,
    /// What is wrong with the configuration, in words; null where nothing is.
    pub config_problem: Option<String>,
    /// Every unit of the suite that is installed, and those that could be.
    pub units: Vec<Unit>,
    /// Agents alive.
    pub agents: Vec<Agent>,
    /// The last orders, newest first.
    pub jobs: Vec<Job>,
}

/// Who keeps the programs alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The user's systemd.
    Systemd,
    /// The user's launchd.
    Launchd,
    /// Nobody but the supervisor itself, whose child the server is.
    Direct,
}

/// How the server is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServerState {
    /// It runs.
    Running,
    /// It does not, and nothing is wrong.
    Stopped,
    /// It ended badly and is about to be started again.
    Crashed,
    /// It starts.
    Starting,
    /// It stops.
    Stopping,
    /// It ended badly and stays down.
    Failed,
}

/// A unit of the suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Unit {
    /// Its name, as `parachute.service`; on macOS, too.
    pub name: String,
    /// What it is, in a few words.
    pub about: String,
    /// `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    pub load: String,
    /// `active`, `activating`, `deactivating`, `inactive`, `failed`, `reloading`.
    pub active: String,
    /// What that means for this kind of unit: `running`, `listening`, `dead`, …
    pub sub: String,
    /// How its last run ended, in the manager's word: `success`, `exit-code`, `oom-kill`, …
    pub result: String,
    /// How it is, as a sentence for a person.
    pub words: String,
    /// Its last bad end, also when it runs again since.
    pub last_exit: Option<Exit>,
    /// How often the manager started it again by itself.
    pub restarts: u32,
    /// Since when it is so.
    pub since: Option<Timestamp>,
    /// Its main process.
    pub pid: Option<u32>,
    /// What it uses now, children included.
    pub memory_bytes: Option<u64>,
    /// Processor time used, children included, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
    /// Addresses on which it is reached: `127.0.0.1:3333`, `/run/…/server.sock`.
    pub listens: Vec<String>,
    /// Whether it begins at login: `enabled`, `disabled`, `static` (begun by another unit), …
    pub enabled: String,
    /// Whether the installed file is the one that belongs to this version.
    pub file: UnitFile,
    /// Files of the owner that change it.
    pub drop_ins: Vec<String>,
    /// What can be asked of it now.
    pub verbs: Vec<Verb>,
}

/// An installed unit file, held against the shipped one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnitFile {
    /// They are the same.
    Same,
    /// It was changed, or comes from another version.
    Differs,
    /// The file changed after the manager read it.
    Stale,
    /// It is not installed.
    Missing,
    /// There are no unit files here.
    None,
}

/// A bad end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exit {
    /// When.
    pub at: Timestamp,
    /// How, for a person: `killed by the watchdog after 30 s`.
    pub words: String,
    /// The manager's word for it.
    pub result: String,
    /// Its exit status, if it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

/// A session's agent that is alive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Agent {
    /// The session.
    pub session: String,
    /// The turn that runs; null while it waits for one.
    pub turn: Option<String>,
    /// Its main process.
    pub pid: Option<u32>,
    /// What it uses now, its CLI and their children included.
    pub memory_bytes: Option<u64>,
    /// Since when it is alive.
    pub since: Option<Timestamp>,
}

/// What can be asked of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Run.
    Start,
    /// Do not run.
    Stop,
    /// Stop and run again, as one job.
    Restart,
    /// Forget a failure.
    ResetFailed,
    /// Begin at login.
    Enable,
    /// Do not begin at login.
    Disable,
}

/// An order and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Job {
    /// Its id, for `GET /supervisor/jobs/{id}`.
    pub id: u64,
    /// The unit.
    pub unit: String,
    /// What was asked.
    pub verb: Verb,
    /// How far it is.
    pub state: JobState,
    /// A sentence.
    pub message: String,
    /// When it was asked for.
    pub at: Timestamp,
    /// How long it took; null while it runs.
    pub took_ms: Option<u64>,
    /// After a failure, the last lines of the unit's log.
    pub log: Vec<String>,
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Under way.
    Running,
    /// It came about.
    Done,
    /// It did not.
    Failed,
}

/// Answer to an order. 200: it came about; 202: it is under way, see the job.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Ordered {
    /// True, or it would be an error's answer.
    pub success: bool,
    /// A sentence.
    pub message: String,
    /// The order.
    pub job: Job,
}

/// One event of `GET /supervisor/logs`; its SSE id is where the log goes on after it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// The line as a person reads it: time, program, message, fields; ends in a line feed.
    pub line: String,
    /// When it was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// The unit that said it, or that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// 0 (emergency) to 7 (debug), as in syslog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// The process that said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The program's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The session it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The turn it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// What was said, without anything before or after.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Its other fields, in lower case and without our prefix.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
}

/// An event of `GET /supervisor/logs` that says why there are no lines.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LogTrouble {
    /// What is wrong and what to do about it.
    pub error: String,
}

/// Answer of `GET /supervisor/config`. The header `ETag` is for `If-Match`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConfigAnswer {
    /// What `config.yaml` says, in its order; secrets are masked.
    pub config: Map<String, Value>,
    /// The file.
    pub file: String,
    /// As the header `ETag` has it.
    pub etag: String,
    /// Why the file is not in force as it stands.
    pub problem: Option<String>,
    /// What was passed over.
    pub warnings: Vec<String>,
    /// Every key, its value in force and who says so.
    pub settings: Vec<Setting>,
}

/// A key of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// Its name.
    pub key: String,
    /// Its value in force; a secret that is set is masked, what is not set is null.
    pub value: Value,
    /// `env`, `.env`, `file` or `default`.
    pub origin: String,
    /// What it means.
    pub about: String,
    /// Whether it can be changed here.
    pub writable: bool,
}

/// Body of `PUT /supervisor/config`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConfigChange {
    /// Keys and their new values; null takes a key out of the file.
    pub values: Map<String, Value>,
    /// Have the server, if it runs, take the change at once.
    #[serde(default = "yes")]
    pub restart: bool,
    /// Only say what would happen.
    #[serde(default)]
    pub dry_run: bool,
}

fn yes() -> bool {
    true
}

/// Answer of `PUT /supervisor/config`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConfigChanged {
    /// Whether the change is in force, or will be at the server's next start.
    pub success: bool,
    /// The keys that were given.
    pub updated_keys: Vec<String>,
    /// Whether the server was restarted with it.
    pub server_restarted: bool,
    /// Whether the server has yet to be restarted for it.
    pub restart_needed: bool,
    /// What changed, key by key.
    pub changes: Vec<Change>,
    /// What the owner should know about it.
    pub warnings: Vec<String>,
    /// The file's, now.
    pub etag: String,
    /// Nothing was done.
    pub dry_run: bool,
    /// The server did not come up with it: what stood before was put back.
    pub rolled_back: bool,
    /// A sentence, where something went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// One key's change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The key.
    pub key: String,
    /// What the file said; null: nothing.
    pub from: Value,
    /// What it says; null: nothing.
    pub to: Value,
}

/// A model of the vendor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Model {
    /// Its id, as `claude-sonnet-4-5-20250929`.
    pub id: String,
    /// Its name for people.
    pub display_name: String,
    /// When the vendor brought it out.
    pub created_at: Timestamp,
    /// `opus`, `sonnet`, `haiku`, …; `unknown` where the id does not say.
    pub family: String,
    /// Whether it is the newest of its family.
    pub is_latest: bool,
}

/// Query of `GET /supervisor/models` and of the server's `GET /api/models`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ModelsQuery {
    /// All, not only the newest of each family.
    pub show_all: bool,
    /// Ask the vendor, however fresh the list is.
    pub refresh: bool,
}

/// Answer of `GET /supervisor/models`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ModelList {
    /// The models: the newest of each family, or all.
    pub models: Vec<Model>,
    /// How many.
    pub count: usize,
    /// As asked.
    pub show_all: bool,
    /// `default_model` of the configuration.
    pub current_model: Option<String>,
    /// When the vendor said so.
    pub cached_at: Timestamp,
    /// The vendor was asked again and did not answer: this may be out of date.
    pub is_stale: bool,
    /// Why it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}
