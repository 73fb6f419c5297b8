//! The command line as a person types it. Only shapes and help; what each command does is in
//! the module of its name.

mod kept;
mod machine;

pub(crate) use kept::{
    AgentAct, KeptAct, KindArgs, McpAct, ModuleAct, NewMcpArgs, NewSkillArgs, NewWorkspaceArgs,
    One, PluginAct, SandboxAct, SkillAct, TrustArgs, WorkspaceAct,
};
pub(crate) use machine::{
    LogsArgs, MigrateArgs, ModelsArgs, ServerArgs, ServiceAct, SupervisorAct, SupervisorArgs,
    SyncAct,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use wire::SessionId;
use wire::chat::PermissionMode;

/// Talk to Parachute, and look after it
///
/// Parachute is your own agent computer. Its server and its supervisor run under the service
/// manager of this machine; this program talks to both over their sockets.
#[derive(Debug, Parser)]
#[command(name = "parachute", version, after_help = AFTER, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Line {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER: &str = "\
Environment: PARACHUTE_SERVER (as --server), PARACHUTE_SUPERVISOR (where that is), PARACHUTE_KEY \
(the key shown to both), VAULT_PATH (as --vault), NO_COLOR.
Exit status: 0 done, 1 failed, 2 usage, 3 not running, 69 no server, 77 not allowed, 130 aborted.
More in parachute(1), parachute-config(5), parachute-server(8), parachute-supervisor(8).";

const EVERYWHERE: &str = "Options of every command";

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Where the server is: unix:PATH or http://HOST:PORT
    #[arg(long, value_name = "URL", global = true, help_heading = EVERYWHERE)]
    pub(crate) server: Option<String>,
    /// The vault
    #[arg(long, value_name = "PATH", global = true, help_heading = EVERYWHERE)]
    pub(crate) vault: Option<PathBuf>,
    /// Say more on standard error
    #[arg(long, short, global = true, help_heading = EVERYWHERE)]
    pub(crate) verbose: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send a message and show the answer as it comes
    Chat(ChatArgs),
    /// List, show, archive and delete sessions
    Sessions(SessionsArgs),
    /// Find notes of the vault by what they say
    Search(SearchArgs),
    /// Say how everything is: the server, its units, its agents
    Status(Json),
    /// Show what the programs logged, and follow it
    Logs(LogsArgs),
    /// List the models there are
    Models(ModelsArgs),
    /// List, show, make, change and remove workspaces
    #[command(arg_required_else_help = true, mut_subcommands(kept::by_slug))]
    Workspace(KindArgs<WorkspaceAct>),
    /// List, show, make and remove agent definitions
    #[command(arg_required_else_help = true)]
    Agent(KindArgs<AgentAct>),
    /// List, show, take in and remove skills
    #[command(arg_required_else_help = true)]
    Skill(KindArgs<SkillAct>),
    /// List, show, install, update and remove plugins
    #[command(arg_required_else_help = true, mut_subcommands(kept::by_slug))]
    Plugin(KindArgs<PluginAct>),
    /// List, show, put down, try and remove MCP servers
    #[command(arg_required_else_help = true)]
    Mcp(KindArgs<McpAct>),
    /// List, approve and try modules
    #[command(arg_required_else_help = true)]
    Module(KindArgs<ModuleAct>),
    /// Make sessions of what Claude or ChatGPT exported
    Import(ImportArgs),
    /// Build the image of sandboxed agents, and say how it is
    #[command(subcommand, arg_required_else_help = true)]
    Sandbox(SandboxAct),
    /// Trust a folder: agents then run its own hooks and tools
    Trust(TrustArgs),
    /// Say how the folders stand that devices keep the same
    #[command(subcommand, arg_required_else_help = true)]
    Sync(SyncAct),
    /// Run, start, stop or restart the server
    #[command(arg_required_else_help = true)]
    Server(ServerArgs),
    /// Run, install, start, stop or restart the supervisor
    #[command(arg_required_else_help = true)]
    Supervisor(SupervisorArgs),
    /// Show, check and change the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Come over from the Python server: show what its vault holds, and take it over
    Migrate(MigrateArgs),
    /// Make, list and revoke keys for callers from elsewhere
    #[command(subcommand)]
    Keys(KeysCommand),
}

/// For programs instead of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Json {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `chat`.
#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    /// What to say; - or nothing reads it from standard input
    pub(crate) message: Option<String>,
    /// Go on with this session
    #[arg(long, value_name = "ID", value_parser = SessionId::parse)]
    pub(crate) session: Option<SessionId>,
    /// The model, by alias or id
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// How far the agent asks before it acts; the session keeps it
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: Option<Mode>,
    /// Folder to work in, relative to the current one; /vault/… is the vault
    #[arg(long, value_name = "PATH")]
    pub(crate) dir: Option<PathBuf>,
    /// Show the model's thinking, too
    #[arg(long)]
    pub(crate) thinking: bool,
    /// Print each event as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `search`.
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// Words that all have to be there; "several words" in this order; begin* of a word
    #[arg(required = true)]
    pub(crate) query: Vec<String>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    /// Only notes with this tag, or one below it
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// Only notes in this folder of the vault
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<String>,
    /// Only notes changed since then, such as 2026-01-31
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only notes under Brain/entities, and there also by parts of words
    #[arg(long)]
    pub(crate) entities: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// How far an agent asks.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Mode {
    /// Tools run; what the policy forbids is refused
    Auto,
    /// Each call that changes something waits for an answer
    Ask,
    /// Nothing is changed until a plan is granted
    Plan,
}

impl From<Mode> for PermissionMode {
    fn from(mode: Mode) -> PermissionMode {
        match mode {
            Mode::Auto => PermissionMode::Auto,
            Mode::Ask => PermissionMode::Ask,
            Mode::Plan => PermissionMode::Plan,
        }
    }
}

/// `import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// An export: conversations.json, or the .zip with it
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Put the sessions away at once
    #[arg(long)]
    pub(crate) archived: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `sessions`. Options of the list beside an act are refused by whoever acts: clap would refuse
/// the common options with them.
#[derive(Debug, Args)]
pub(crate) struct SessionsArgs {
    #[command(subcommand)]
    pub(crate) act: Option<SessionAct>,
    #[command(flatten)]
    pub(crate) list: ListArgs,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// `sessions` without an act.
#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct ListArgs {
    /// Archived ones, too
    #[arg(long)]
    pub(crate) all: bool,
    /// Only archived ones
    #[arg(long, conflicts_with = "all")]
    pub(crate) archived: bool,
    /// Only those with this in their title
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// At most so many, last used first [default: 20]
    #[arg(long, value_name = "N", value_parser = limit())]
    pub(crate) limit: Option<u16>,
}

fn limit() -> impl clap::builder::TypedValueParser<Value = u16> {
    clap::value_parser!(u16).range(1..=1000)
}

/// What to do with a session.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionAct {
    /// Show a session and its messages
    Show(OneSession),
    /// Delete a session from the list; its transcript stays
    Delete(OneSession),
    /// Put a session away
    Archive(OneSession),
    /// Bring a session back
    Unarchive(OneSession),
}

/// The session meant.
#[derive(Debug, Args)]
pub(crate) struct OneSession {
    /// The session
    #[arg(value_name = "ID", value_parser = SessionId::parse)]
    pub(crate) id: SessionId,
}

/// `config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every key, its value and where that comes from; secrets are masked
    Show(Json),
    /// Print the value of a key
    Get(GetArgs),
    /// Set a key in config.yaml; the server takes it at its next start
    Set(SetArgs),
    /// Say whether the configuration, or a file, is good
    Check(CheckArgs),
}

/// `config get`.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// The key
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `config set`.
#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// The key
    pub(crate) key: String,
    /// Its value
    #[arg(allow_hyphen_values = true)]
    pub(crate) value: String,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `config check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// A file to judge on its own instead
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `keys`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key and print it, this once
    Create(NewKeyArgs),
    /// List the keys; the keys themselves are not known any more
    List(Json),
    /// Take a key away, at once
    Revoke(OneKey),
}

/// `keys create`.
#[derive(Debug, Args)]
pub(crate) struct NewKeyArgs {
    /// What the key is for, such as phone
    pub(crate) label: String,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `keys revoke`.
#[derive(Debug, Args)]
pub(crate) struct OneKey {
    /// The key's id, as `keys list` shows it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_makes_sense() {
        Line::command().debug_assert();
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for line in [
            "parachute sessions --all --archived",
            "parachute sessions --limit 0",
            "parachute sessions show ../x",
            "parachute chat --session=-x hello",
            "parachute chat --mode yolo hello",
            "parachute nonsense",
            "parachute logs --lines 5001",
            "parachute logs --follow --until now",
            "parachute logs --session ../x",
            "parachute logs --priority 8",
            "parachute logs --priority error",
            "parachute supervisor nonsense",
        ] {
            assert!(Line::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn the_common_options_go_anywhere() {
        let line = "parachute status --json --server unix:/x -v --vault /v";
        let line = Line::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(line.common.server.as_deref(), Some("unix:/x"));
        assert!(line.common.verbose);
        assert_eq!(line.common.vault.as_deref(), Some("/v".as_ref()));
    }
}
