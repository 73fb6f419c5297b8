//! What a turn's agent works with beside its prompt: skills, agents that it can call, plugins,
//! MCP servers, each as far as the workspace chose it. What cannot be had is told, and the turn
//! goes on without.

use super::Domain;
use super::capabilities::{definitions, plugins, skills};
use crate::vault::Folder;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use wire::chat::PromptMetadata;
use wire::workspace::{Capabilities, Chosen, Workspace};
use wire::{Secret, Trust};

/// Where skills are kept as the CLI takes them, below our state folder.
const SKILLS: &str = "skills";

/// See the module.
#[derive(Default)]
pub(super) struct WorkingSet {
    /// Folders of plugins; the vault's skills are one of them.
    pub(super) plugins: Vec<String>,
    pub(super) agents: Map<String, Value>,
    /// A file of MCP servers; there may be secrets in it.
    pub(super) mcp_config: Option<Secret>,
    /// Names of skills and MCP servers.
    skills: Vec<String>,
    mcps: Vec<String>,
    /// What is missing, for people.
    pub(super) problems: Vec<String>,
}

impl WorkingSet {
    /// Has the CLI be told of these MCP servers.
    fn tell_cli(&mut self, servers: Map<String, Value>) {
        self.mcps = servers.keys().cloned().collect();
        if !servers.is_empty() {
            let file = json!({ "mcpServers": servers });
            self.mcp_config = Some(Secret::new(file.to_string()));
        }
    }

    /// Says what there is.
    pub(super) fn tell(&self, metadata: &mut PromptMetadata) {
        metadata.available_agents = self.agents.keys().cloned().collect();
        metadata.available_skills.clone_from(&self.skills);
        metadata.available_mcps.clone_from(&self.mcps);
    }
}

impl Domain {
    pub(super) async fn working_set(
        &self,
        workspace: Option<&Workspace>,
        trust: Trust,
    ) -> WorkingSet {
        let chosen = workspace.map(|w| w.capabilities.clone()).unwrap_or_default();
        let (mcps, kept) = (chosen.mcps.clone(), self.agents.state().join(SKILLS));
        let (places, include) = (self.places(), self.settings.include_user_plugins);
        let more = self.settings.plugin_dirs.clone();
        let gathered = move |vault: &Folder| {
            Ok::<_, super::DomainError>(gather(vault, kept, &places, include, &more, &chosen))
        };
        let (mut set, servers) = match self.in_vault(gathered).await {
            Ok(gathered) => gathered,
            Err(error) => {
                let problems = vec![error.to_string()];
                (WorkingSet { problems, ..WorkingSet::default() }, Map::new())
            }
        };
        let mcps = self.mcps_for_cli(servers, mcps, trust).await;
        set.problems.extend(mcps.problems);
        set.tell_cli(mcps.servers);
        set
    }
}

impl Domain {
    /// The same for a session that is bound to the tools of these MCP servers: those of them
    /// that run on this machine, and nothing else.
    pub(super) async fn bound_set(&self, servers: &[String], trust: Trust) -> WorkingSet {
        let mut set = WorkingSet::default();
        if servers.is_empty() {
            return set;
        }
        let chosen = Chosen::Named(servers.to_vec());
        let mut mcps = self.mcps_for_cli(Map::new(), chosen, trust).await;
        mcps.servers.retain(|name, server| {
            let is_here = server["type"] == "stdio";
            if !is_here {
                set.problems.push(format!("MCP server `{name}` is elsewhere, and left out"));
            }
            is_here
        });
        set.problems.extend(mcps.problems);
        set.tell_cli(mcps.servers);
        set
    }
}

fn gather(
    vault: &Folder,
    kept: PathBuf,
    places: &plugins::Places,
    include_user: bool,
    more: &[PathBuf],
    chosen: &Capabilities,
) -> (WorkingSet, Map<String, Value>) {
    let mut set = WorkingSet::default();
    let mut servers = Map::new();
    let mut dirs = Vec::new();
    match skills::plugin_dir(vault, &kept, &chosen.skills) {
        Ok(None) => {}
        Ok(Some(skills)) => {
            dirs.push(skills.dir);
            set.skills = skills.names;
        }
        Err(error) => set.problems.push(format!("the vault's skills: {error}")),
    }
    match plugins::for_turn(vault, places, include_user, more, &chosen.plugins) {
        Ok(found) => {
            dirs.extend(found.dirs);
            servers = found.servers;
        }
        Err(error) => set.problems.push(format!("plugins: {error}")),
    }
    match definitions::for_cli(vault, &chosen.agents) {
        Ok(agents) => set.agents = agents,
        Err(error) => set.problems.push(format!("agents: {error}")),
    }
    set.plugins = dirs.iter().map(|dir| dir.display().to_string()).collect();
    (set, servers)
}
