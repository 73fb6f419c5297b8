//! `parachute workspace`: what sessions have in common that work on one thing.

use super::{Kept, Sheet, change};
use crate::args::{KindArgs, NewWorkspaceArgs, WorkspaceAct};
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::reach;
use wire::Trust;
use wire::workspace::{
    AllOrNone, Chosen, NewWorkspace, OneWorkspace, Sandbox, Workspace, WorkspaceChange,
};

impl Kept for Workspace {
    const NOUN: &'static str = "workspace";
    const DOOR: &'static str = "/api/workspaces";
    const FIELD: &'static str = "workspaces";
    const HEADS: &'static [&'static str] = &["SLUG", "TRUST", "MODEL", "NAME"];
    type Whole = OneWorkspace;

    fn row(self) -> Vec<String> {
        let model = self.model.unwrap_or_default();
        vec![self.slug, self.trust.name().to_owned(), model, self.name]
    }

    fn sheet(OneWorkspace { workspace }: OneWorkspace) -> Sheet {
        let of = &workspace.capabilities;
        let limits = workspace.sandbox.as_ref().map(|sandbox| {
            let (memory, cpu, seconds) = (&sandbox.memory, &sandbox.cpu, sandbox.timeout);
            let network = sandbox.network.name();
            format!("memory {memory}, processors {cpu}, {seconds} s a turn, network {network}")
        });
        let facts = vec![
            ("mcps", chosen(&of.mcps)),
            ("skills", chosen(&of.skills)),
            ("agents", chosen(&of.agents)),
            ("plugins", chosen(&of.plugins)),
            ("container", limits.unwrap_or_default()),
        ];
        let begin = vec![
            ("workspace", workspace.slug),
            ("name", workspace.name),
            ("trust", workspace.trust.name().to_owned()),
            ("directory", workspace.working_directory.unwrap_or_default()),
            ("model", workspace.model.unwrap_or_default()),
        ];
        Sheet { facts: [begin, facts].concat(), text: workspace.description }
    }
}

fn chosen(chosen: &Chosen) -> String {
    match chosen {
        Chosen::Word(AllOrNone::All) => "all".into(),
        Chosen::Word(AllOrNone::None) => "none".into(),
        Chosen::Named(names) if names.is_empty() => "none".into(),
        Chosen::Named(names) => names.join(", "),
    }
}

/// Runs the command; answers with the exit status.
pub(crate) async fn run(client: Client, args: &KindArgs<WorkspaceAct>) -> Result<u8, Fail> {
    match &args.act {
        WorkspaceAct::Kept(act) => super::run::<Workspace>(&client, act, args.json).await?,
        WorkspaceAct::Set(set) => {
            let door = super::door::<Workspace>(&set.one.name);
            let whole = super::one::<Workspace>(&client, Ask::get(door.clone())).await?;
            let OneWorkspace { workspace } = client.shape(whole)?;
            let limits = workspace.sandbox.unwrap_or_else(Sandbox::usual);
            let sandbox = Some(Some(Sandbox { network: set.network.into(), ..limits }));
            let ask = Ask::put(door).json(&WorkspaceChange { sandbox, ..Default::default() });
            let said = |now: OneWorkspace| format!("{} changed", now.workspace.slug);
            change::<Workspace, _>(&client, ask, said, args.json).await?;
        }
        WorkspaceAct::Add(new) => {
            let ask = Ask::post(Workspace::DOOR).json(&body(new)?);
            let said = |made: OneWorkspace| format!("{} added", made.workspace.slug);
            change::<Workspace, _>(&client, ask, said, args.json).await?;
        }
    }
    Ok(exit::DONE)
}

fn body(new: &NewWorkspaceArgs) -> Result<NewWorkspace, Fail> {
    let directory = new.dir.as_deref().map(|dir| reach::absolute("--dir", dir)).transpose()?;
    Ok(NewWorkspace {
        name: new.name.clone(),
        default_trust_level: new.trust.map(|level| Trust::from(level).name().to_owned()),
        working_directory: directory,
        model: new.model.clone(),
        sandbox: new.network.map(|n| Sandbox { network: n.into(), ..Sandbox::usual() }),
        ..NewWorkspace::default()
    })
}
