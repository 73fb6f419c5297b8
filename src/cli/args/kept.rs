//! The part of the command line that is about what the server keeps: workspaces, agents, skills,
//! plugins, MCP servers, the image of the sandbox, and trusted folders.

use super::Json;
use clap::builder::NonEmptyStringValueParser as Said;
use clap::{Args, Command, Subcommand, ValueEnum};
use std::path::PathBuf;
use wire::Trust;
use wire::workspace::Network;

/// What to do with what is there, of whatever kind it is.
#[derive(Debug, Subcommand)]
pub(crate) enum KeptAct {
    /// List all there are
    List,
    /// Show one
    Show(One),
    /// Take one away
    Remove(One),
}

/// The one meant.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// As the list has it in its first column
    #[arg(value_parser = Said::new())]
    pub(crate) name: String,
}

/// `workspace` and the others: what to do with those of a kind.
#[derive(Debug, Args)]
pub(crate) struct KindArgs<Act: Subcommand> {
    #[command(subcommand)]
    pub(crate) act: Act,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Kinds that have names for people are called by their slugs.
pub(crate) fn by_slug(act: Command) -> Command {
    let one = act.get_name() != "add" && act.get_arguments().any(|arg| arg.get_id() == "name");
    if one { act.mut_arg("name", |name| name.value_name("SLUG")) } else { act }
}

/// What to do with workspaces.
#[derive(Debug, Subcommand)]
pub(crate) enum WorkspaceAct {
    #[command(flatten)]
    Kept(KeptAct),
    /// Make one; its slug is made of its name
    Add(NewWorkspaceArgs),
    /// Change one; its sessions follow in their next turn
    Set(WorkspaceSetArgs),
}

/// `workspace add`.
#[derive(Debug, Args)]
pub(crate) struct NewWorkspaceArgs {
    /// Its name
    #[arg(value_parser = Said::new())]
    pub(crate) name: String,
    /// Folder that its sessions work in, relative to the current one; /vault/… is the vault
    #[arg(long, value_name = "PATH")]
    pub(crate) dir: Option<PathBuf>,
    /// How far the hands of its agents reach, at most
    #[arg(long, value_name = "LEVEL")]
    pub(crate) trust: Option<Level>,
    /// The model of its sessions, by alias or id
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// What its containers are connected to
    #[arg(long)]
    pub(crate) network: Option<Connected>,
}

/// `workspace set`.
#[derive(Debug, Args)]
pub(crate) struct WorkspaceSetArgs {
    #[command(flatten)]
    pub(crate) one: One,
    /// What its containers are connected to
    #[arg(long)]
    pub(crate) network: Connected,
}

/// What containers are connected to.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Connected {
    /// Nothing but the model's API
    None,
    /// The engine's bridge network, and all that this machine reaches
    Full,
}

impl From<Connected> for Network {
    fn from(connected: Connected) -> Network {
        match connected {
            Connected::None => Network::None,
            Connected::Full => Network::Full,
        }
    }
}

/// How far an agent's hands reach.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Level {
    /// Agents run as you
    #[value(alias = "trusted")]
    Full,
    /// The same, confined to the vault
    Vault,
    /// In a container
    #[value(alias = "untrusted")]
    Sandboxed,
}

impl From<Level> for Trust {
    fn from(level: Level) -> Trust {
        match level {
            Level::Full => Trust::Full,
            Level::Vault => Trust::Vault,
            Level::Sandboxed => Trust::Sandboxed,
        }
    }
}

/// What to do with agent definitions.
#[derive(Debug, Subcommand)]
pub(crate) enum AgentAct {
    #[command(flatten)]
    Kept(KeptAct),
    /// Make one of a prompt
    Add(NewAgentArgs),
}

/// `agent add`.
#[derive(Debug, Args)]
pub(crate) struct NewAgentArgs {
    /// Its name
    #[arg(value_parser = Said::new())]
    pub(crate) name: String,
    /// Its prompt; - reads it from standard input
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) prompt: String,
}

/// What to do with skills.
#[derive(Debug, Subcommand)]
pub(crate) enum SkillAct {
    #[command(flatten)]
    Kept(KeptAct),
    /// Take one in, under the name of its file
    Add(NewSkillArgs),
}

/// `skill add`.
#[derive(Debug, Args)]
pub(crate) struct NewSkillArgs {
    /// A Markdown file, or a folder with a SKILL.md as a .zip or .skill
    pub(crate) file: PathBuf,
}

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginAct {
    #[command(flatten)]
    Kept(KeptAct),
    /// Install one from its git repository
    Add(NewPluginArgs),
    /// Bring one up to date
    Update(One),
    /// Ask whether there is a newer one
    Check(One),
}

/// `plugin add`.
#[derive(Debug, Args)]
pub(crate) struct NewPluginArgs {
    /// Its repository: https://…, ssh://… or git@HOST:PATH
    #[arg(value_parser = Said::new())]
    pub(crate) url: String,
    /// What to call it here; made of the URL where it is not said
    #[arg(long, value_parser = Said::new())]
    pub(crate) slug: Option<String>,
}

/// What to do with MCP servers.
#[derive(Debug, Subcommand)]
pub(crate) enum McpAct {
    #[command(flatten)]
    Kept(KeptAct),
    /// Put one down: a program, or where it is
    Add(NewMcpArgs),
    /// Try whether one can be spoken with
    Test(One),
    /// List the tools of one
    Tools(One),
}

/// `mcp add`.
#[derive(Debug, Args)]
pub(crate) struct NewMcpArgs {
    /// Its name
    #[arg(value_parser = Said::new())]
    pub(crate) name: String,
    /// Where it is called over HTTP
    #[arg(long, value_parser = Said::new(), required_unless_present = "command")]
    pub(crate) url: Option<String>,
    /// The program that it is, and its arguments
    #[arg(last = true, value_name = "COMMAND", conflicts_with = "url")]
    pub(crate) command: Vec<String>,
}

/// What to do with modules.
#[derive(Debug, Subcommand)]
pub(crate) enum ModuleAct {
    /// List all there are, and say how they stand
    List,
    /// Show one and approve it as it was shown
    Approve(One),
    /// Say what the server is, and which modules have doors
    Status,
    /// Try whether those that come with the server answer
    Test {
        /// This one alone
        name: Option<String>,
    },
}

/// `sandbox`.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum SandboxAct {
    /// Build the image that sandboxed agents run in
    Build(Json),
    /// Say whether there is a container engine, and the image
    Status(Json),
}

/// `trust`.
#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// The folder [default: the current one]; /vault/… is the vault
    pub(crate) dir: Option<PathBuf>,
    /// List the folders that are trusted
    #[arg(long, conflicts_with_all = ["dir", "remove"])]
    pub(crate) list: bool,
    /// Trust this folder no longer
    #[arg(long, value_name = "DIR", conflicts_with = "dir")]
    pub(crate) remove: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) json: Json,
}
