//! What there is, in short: agents, skills and MCP servers at one door (contract-core §1.12), and
//! the predecessor's hooks (§1.8).

use super::{Domain, DomainError};
use crate::vault::{Folder, hooks};
use wire::capability::{
    AgentCapability, Everything, Hook, HookErrors, HookHealth, HookList, McpCapability,
    SkillCapability,
};

/// Seconds that the predecessor gave a hook that said nothing of it.
const HOOK_TIMEOUT: f64 = 30.0;
const NOT_RUN: &str = "A hook of the Python server; this one does not run it.";

impl Domain {
    pub(crate) async fn everything(&self) -> Result<Everything, DomainError> {
        let agents = self.definitions().await?.into_iter().map(|agent| AgentCapability {
            name: agent.name,
            description: agent.description,
            source: agent.source,
        });
        let skills = self.skills().await?.into_iter().map(|skill| SkillCapability {
            name: skill.name,
            description: skill.description,
            version: skill.version,
        });
        let mcps = self.mcps().await?.into_iter().map(|server| McpCapability {
            name: server.name,
            kind: server.display_type,
            builtin: server.builtin,
        });
        let (agents, skills) = (agents.collect(), skills.collect());
        Ok(Everything { agents, skills, mcps: mcps.collect() })
    }

    pub(crate) async fn hooks(&self) -> Result<HookList, DomainError> {
        let names = |vault: &Folder| Ok::<_, DomainError>(hooks::names(vault)?);
        let names = self.in_vault(names).await?;
        let hooks: Vec<Hook> = names.into_iter().map(not_run).collect();
        let message = (!hooks.is_empty()).then(|| {
            "Hooks written in Python are not run by this server. They are listed so that nobody \
             waits for them."
                .to_owned()
        });
        Ok(HookList { hooks, health: HookHealth::default(), message })
    }

    pub(crate) fn hook_errors(&self) -> HookErrors {
        HookErrors { errors: Vec::new() }
    }
}

fn not_run(name: String) -> Hook {
    Hook {
        path: format!("{}/{name}.py", hooks::PLACE),
        name,
        events: Vec::new(),
        blocking: false,
        timeout: HOOK_TIMEOUT,
        enabled: false,
        description: NOT_RUN.into(),
    }
}
