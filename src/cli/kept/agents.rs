//! `parachute agent`: agent definitions, which are system prompts with a name. Not the agents
//! that run; those are `parachute status`'s.

use super::{Kept, Sheet, change};
use crate::args::{AgentAct, KindArgs};
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::given;
use wire::definition::{AgentDetail, AgentInfo, AgentSource, NewAgent};

impl Kept for AgentInfo {
    const NOUN: &'static str = "agent";
    const DOOR: &'static str = "/api/agents";
    const FIELD: &'static str = "agents";
    const HEADS: &'static [&'static str] = &["NAME", "FROM", "MODEL", "DESCRIPTION"];
    type Whole = AgentDetail;

    fn row(self) -> Vec<String> {
        let (model, about) = (self.model.unwrap_or_default(), self.description.unwrap_or_default());
        vec![self.name, source(self.source).to_owned(), model, about]
    }

    fn sheet(AgentDetail { agent, system_prompt, .. }: AgentDetail) -> Sheet {
        let facts = vec![
            ("agent", agent.name),
            ("about", agent.description.unwrap_or_default()),
            ("type", agent.kind),
            ("from", source(agent.source).to_owned()),
            ("path", agent.path.unwrap_or_default()),
            ("model", agent.model.unwrap_or_default()),
            ("tools", agent.tools.join(", ")),
        ];
        Sheet { facts, text: system_prompt }
    }
}

fn source(source: AgentSource) -> &'static str {
    match source {
        AgentSource::Builtin => "builtin",
        AgentSource::VaultAgents => "vault",
        AgentSource::CustomAgents => "custom",
        AgentSource::Plugin => "plugin",
    }
}

/// Runs the command; answers with the exit status.
pub(crate) async fn run(client: Client, args: &KindArgs<AgentAct>) -> Result<u8, Fail> {
    match &args.act {
        AgentAct::Kept(act) => super::run::<AgentInfo>(&client, act, args.json).await?,
        AgentAct::Add(new) => {
            let prompt = match new.prompt.as_str() {
                "-" => given::piped("the prompt")?,
                text => text.to_owned(),
            };
            if prompt.trim().is_empty() {
                let hint = "as in parachute agent add NAME --prompt \"You review plans.\"";
                return Err(Fail::usage("the prompt is empty", hint));
            }
            let name = new.name.clone();
            let body = NewAgent { name, prompt, description: None, tools: None, model: None };
            let ask = Ask::post(AgentInfo::DOOR).json(&body);
            let said = |made: AgentInfo| format!("{} added", made.name);
            change::<AgentInfo, _>(&client, ask, said, args.json).await?;
        }
    }
    Ok(exit::DONE)
}
