//! `/api/workspaces*` (contract-core §1.7): what sessions have in common that work on one thing.
//! On disk a workspace is a file of the user's; this is what its callers see of it.

use crate::Trust;
use crate::session::Session;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// A workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Workspace {
    /// Its name for people.
    pub name: String,
    /// Its only id: `a-z`, `0-9` and `-` inside.
    pub slug: String,
    /// May be empty.
    pub description: String,
    /// In the words the app parses: `trusted`, `untrusted`.
    pub default_trust_level: String,
    /// Where its sessions work that do not say so: relative to the vault, `/vault/…`, absolute.
    pub working_directory: Option<String>,
    /// The model of its sessions, alias or id.
    pub model: Option<String>,
    /// What its sessions may use.
    pub capabilities: Capabilities,
    /// Limits of its container; null: the usual ones.
    pub sandbox: Option<Sandbox>,
    /// The true level (`default_trust_level` can only say two). No session of it has more.
    pub trust: Trust,
}

/// All, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AllOrNone {
    /// All there are.
    All,
    /// Not one.
    None,
}

/// Which ones of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Chosen {
    /// `all` or `none`.
    Word(AllOrNone),
    /// Those of these names.
    Named(#[schemars(inner(length(min = 1, max = 200)))] Vec<String>),
}

impl Chosen {
    /// All.
    pub const ALL: Chosen = Chosen::Word(AllOrNone::All);
    /// None.
    pub const NONE: Chosen = Chosen::Word(AllOrNone::None);

    /// Whether one of this name is among them.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Chosen::Word(word) => *word == AllOrNone::All,
            Chosen::Named(names) => names.iter().any(|named| named == name),
        }
    }
}

impl Default for Chosen {
    fn default() -> Chosen {
        Chosen::ALL
    }
}

/// What a workspace's sessions may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capabilities {
    /// MCP servers.
    pub mcps: Chosen,
    /// Skills.
    pub skills: Chosen,
    /// Agents that can be called.
    pub agents: Chosen,
    /// Plugins, by slug.
    pub plugins: Chosen,
}

/// The same as it is set; what is absent is `all`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NewCapabilities {
    /// MCP servers.
    pub mcps: Chosen,
    /// Skills.
    pub skills: Chosen,
    /// Agents that can be called.
    pub agents: Chosen,
    /// Plugins, by slug.
    pub plugins: NewPlugins,
}

impl From<NewCapabilities> for Capabilities {
    fn from(new: NewCapabilities) -> Capabilities {
        let plugins = match new.plugins {
            NewPlugins::Chosen(chosen) => chosen,
            NewPlugins::Old(old) => old.into(),
        };
        Capabilities { mcps: new.mcps, skills: new.skills, agents: new.agents, plugins }
    }
}

/// Which plugins: as everything else, or in the predecessor's old form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum NewPlugins {
    /// `all`, `none` or names.
    Chosen(Chosen),
    /// `{include_user, dirs}`.
    Old(OldPlugins),
}

impl Default for NewPlugins {
    fn default() -> NewPlugins {
        NewPlugins::Chosen(Chosen::ALL)
    }
}

/// How the predecessor once said which plugins there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OldPlugins {
    /// Those of the user.
    pub include_user: bool,
    /// Those in these folders.
    pub dirs: Vec<String>,
}

impl From<OldPlugins> for Chosen {
    fn from(old: OldPlugins) -> Chosen {
        if old.include_user || !old.dirs.is_empty() { Chosen::ALL } else { Chosen::NONE }
    }
}

/// What a workspace's containers are connected to.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Nothing. The model's API alone is reached, through an endpoint of ours.
    #[default]
    None,
    /// The container engine's own bridge network, and by it whatever this machine reaches: the
    /// Internet, the networks around it, a cloud's metadata, other containers on that bridge, and
    /// what on this machine listens more widely than loopback. What an agent reads there may tell
    /// it what to do, and what it reads in the vault it can send away. There is still no
    /// credential in the container; but whoever the agent lets in can use the model through it
    /// while it lives.
    Full,
}

impl Network {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Network::None => "none",
            Network::Full => "full",
        }
    }
}

/// Limits of a workspace's container, and its network. What is left out is as the predecessor
/// had it; it had no choice of networks, so that there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Sandbox {
    /// As `512m` or `2g`; from 32 MiB.
    #[schemars(length(max = 20))]
    pub memory: String,
    /// Processors, from `0.1` to `64`.
    #[schemars(length(max = 20))]
    pub cpu: String,
    /// Seconds that a turn may take.
    #[schemars(range(min = 1, max = 86_400))]
    pub timeout: u32,
    /// What it is connected to. Only a workspace says so, never a request for a turn.
    pub network: Network,
}

impl Sandbox {
    /// What holds for a workspace that says nothing, and for sessions that are in none: the CLI
    /// alone takes a third of that memory.
    pub fn usual() -> Sandbox {
        Sandbox { memory: "1g".into(), timeout: 3600, ..Sandbox::default() }
    }

    /// `memory` in bytes: a number and `k`, `m` or `g`, 32 MiB to 1 TiB. None if it is not that.
    pub fn memory_bytes(&self) -> Option<u64> {
        let text = self.memory.trim().to_ascii_lowercase();
        let text = text.strip_suffix('b').unwrap_or(&text);
        let (number, shift) = match text.chars().last()? {
            'k' => (&text[..text.len() - 1], 10),
            'm' => (&text[..text.len() - 1], 20),
            'g' => (&text[..text.len() - 1], 30),
            _ => (text, 0),
        };
        let is_number = number.len() <= 13 && number.bytes().all(|b| b.is_ascii_digit());
        let bytes = number.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(1 << shift)?;
        (32 << 20..=1 << 40).contains(&bytes).then_some(bytes)
    }

    /// `cpu` as a number, 0.1 to 64. None if it is not that.
    pub fn cpus(&self) -> Option<f64> {
        let text = self.cpu.trim();
        let is_number = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let cpus = text.parse::<f64>().ok().filter(|_| is_number)?;
        (0.1..=64.0).contains(&cpus).then_some(cpus)
    }
}

impl Default for Sandbox {
    fn default() -> Sandbox {
        let network = Network::None;
        Sandbox { memory: "512m".into(), cpu: "1.0".into(), timeout: 300, network }
    }
}

/// Body of `POST /api/workspaces`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct NewWorkspace {
    /// Its name; the slug is made of it.
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    /// What it is for.
    #[schemars(length(max = 10_000))]
    pub description: Option<String>,
    /// Any of the five names; `trusted` where nothing is said.
    #[schemars(extend("enum" = LEVELS))]
    pub default_trust_level: Option<String>,
    /// As in a workspace.
    #[schemars(length(max = 1000))]
    pub working_directory: Option<String>,
    /// As in a workspace.
    #[schemars(length(max = 200))]
    pub model: Option<String>,
    /// As in a workspace.
    pub capabilities: Option<NewCapabilities>,
    /// As in a workspace.
    pub sandbox: Option<Sandbox>,
}

/// Body of `PUT /api/workspaces/{slug}`. What is absent stays. A null takes away what a
/// workspace can be without (trap 79); it always has a name, a level and capabilities, so there
/// a null changes nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WorkspaceChange {
    /// New name; the slug stays.
    #[schemars(length(min = 1, max = 200))]
    pub name: Option<String>,
    /// New description.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10_000))]
    pub description: Option<Option<String>>,
    /// Any of the five names.
    #[schemars(extend("enum" = LEVELS))]
    pub default_trust_level: Option<String>,
    /// New working directory.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub working_directory: Option<Option<String>>,
    /// New model.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub model: Option<Option<String>>,
    /// All four of them anew.
    pub capabilities: Option<NewCapabilities>,
    /// New limits.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Option<Sandbox>>,
}

/// The names of the levels that are taken, and null.
const LEVELS: [Option<&str>; 6] =
    [Some("trusted"), Some("untrusted"), Some("full"), Some("vault"), Some("sandboxed"), None];

/// Tells a null from what is absent.
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    value: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// Answer of `GET /api/workspaces`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WorkspaceList {
    /// By slug.
    pub workspaces: Vec<Workspace>,
    /// Those whose files cannot be read, and why; absent where all can.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<WorkspaceProblem>,
}

/// A workspace whose file cannot be read. Its sessions are taken for untrusted until it can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkspaceProblem {
    /// Whose.
    pub slug: String,
    /// A sentence.
    pub problem: String,
}

/// Answer of the doors to one workspace.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct OneWorkspace {
    /// As it is now.
    pub workspace: Workspace,
}

/// Answer of `DELETE /api/workspaces/{slug}`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WorkspaceDeleted {
    /// The slug of the one that is gone.
    pub deleted: String,
}

/// Answer of `GET /api/workspaces/{slug}/sessions`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WorkspaceSessions {
    /// The workspace.
    pub workspace: Workspace,
    /// Its sessions, last used first.
    pub sessions: Vec<Session>,
}

#[cfg(test)]
mod tests {
    use super::{Chosen, Network, NewCapabilities, NewPlugins, Sandbox, WorkspaceChange};
    use proptest::prelude::*;

    #[test]
    fn limits_are_what_a_container_engine_takes() {
        let memory =
            |text: &str| Sandbox { memory: text.into(), ..Sandbox::default() }.memory_bytes();
        assert_eq!(memory("512m"), Some(512 << 20));
        assert_eq!(memory("2G"), Some(2 << 30));
        assert_eq!(memory("65536kb"), Some(64 << 20));
        assert_eq!(memory("67108864"), Some(64 << 20));
        for bad in ["", "m", "0m", "31m", "-512m", "1.5g", "2t", "512 m", "99999999999999", "+64m"]
        {
            assert_eq!(memory(bad), None, "{bad:?}");
        }
        let cpus = |text: &str| Sandbox { cpu: text.into(), ..Sandbox::default() }.cpus();
        assert_eq!((cpus("1.0"), cpus("0.1"), cpus("64")), (Some(1.0), Some(0.1), Some(64.0)));
        for bad in ["", ".", "0", "0.09", "64.1", "1e1", "inf", "NaN", "-1", "1.0.0", "1,5"] {
            assert_eq!(cpus(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn there_is_a_network_only_where_it_is_asked_for() {
        let read = |text: &str| serde_json::from_str::<Sandbox>(text).map(|s| s.network);
        assert_eq!(read("{}").ok(), Some(Network::None));
        assert_eq!(read(r#"{"network":"full"}"#).ok(), Some(Network::Full));
        for bad in [r#""bridge""#, r#""Full""#, "true", "null", r#"["full"]"#] {
            assert!(read(&format!(r#"{{"network":{bad}}}"#)).is_err(), "{bad}");
        }
        let usual = Sandbox::usual();
        assert_eq!((usual.memory_bytes(), usual.cpus()), (Some(1 << 30), Some(1.0)));
        assert_eq!(usual.network, Network::None);
    }

    #[test]
    fn a_null_is_told_from_what_is_absent() {
        let read = |text: &str| serde_json::from_str::<WorkspaceChange>(text).expect("a change");
        assert_eq!(read("{}").model, None);
        assert_eq!(read(r#"{"model":null}"#).model, Some(None));
        assert_eq!(read(r#"{"model":"opus"}"#).model, Some(Some("opus".into())));
    }

    #[test]
    fn plugins_may_come_in_the_old_form() {
        let read = |text: &str| serde_json::from_str::<NewCapabilities>(text).expect("a set");
        let plugins = |text: &str| super::Capabilities::from(read(text)).plugins;
        assert_eq!(plugins(r#"{"plugins":{"include_user":true,"dirs":[]}}"#), Chosen::ALL);
        assert_eq!(plugins(r#"{"plugins":{"dirs":["/x"]}}"#), Chosen::ALL);
        assert_eq!(plugins(r#"{"plugins":{"include_user":false}}"#), Chosen::NONE);
        assert_eq!(plugins(r#"{"plugins":["a"]}"#), Chosen::Named(vec!["a".into()]));
        assert_eq!(read("{}").plugins, NewPlugins::default());
    }

    proptest! {
        #[test]
        fn no_limit_is_too_strange(text in "\\PC{0,30}|[0-9.kmgb]{0,20}") {
            let sandbox = Sandbox { memory: text.clone(), cpu: text, ..Sandbox::default() };
            prop_assert!(sandbox.memory_bytes().is_none_or(|bytes| bytes >= 32 << 20));
            prop_assert!(sandbox.cpus().is_none_or(|cpus| (0.1..=64.0).contains(&cpus)));
        }
    }
}
