//! `parachute plugin`: folders of skills, agents and MCP servers, from git repositories.

use super::{Kept, Sheet, ask, change, door};
use crate::args::{KindArgs, One, PluginAct};
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::term::tell;
use std::time::Duration;
use wire::plugin::{NewPlugin, Plugin, PluginCheck, PluginMade, PluginSource};

/// Until the answer begins where the server has to clone: a little more than it allows for that.
const CLONE_MAX: Duration = Duration::from_secs(150);

impl Kept for Plugin {
    const NOUN: &'static str = "plugin";
    const DOOR: &'static str = "/api/plugins";
    const FIELD: &'static str = "plugins";
    const HEADS: &'static [&'static str] = &["SLUG", "VERSION", "FROM", "DESCRIPTION"];
    type Whole = Plugin;

    fn row(self) -> Vec<String> {
        vec![self.slug, self.version, source(self.source).to_owned(), self.description]
    }

    fn sheet(plugin: Plugin) -> Sheet {
        let facts = vec![
            ("plugin", plugin.slug),
            ("name", plugin.name),
            ("about", plugin.description),
            ("version", plugin.version),
            ("commit", plugin.commit.unwrap_or_default()),
            ("author", plugin.author.unwrap_or_default()),
            ("from", source(plugin.source).to_owned()),
            ("url", plugin.source_url.unwrap_or_default()),
            ("installed", plugin.installed_at.map(|at| at.to_string()).unwrap_or_default()),
            ("folder", plugin.path),
            ("skills", plugin.skills.join(", ")),
            ("agents", plugin.agents.join(", ")),
            ("mcps", plugin.mcps.join(", ")),
        ];
        Sheet { facts, text: String::new() }
    }
}

fn source(source: PluginSource) -> &'static str {
    match source {
        PluginSource::Parachute => "vault",
        PluginSource::Cli => "claude",
        PluginSource::User => "by hand",
    }
}

/// Runs the command; answers with the exit status.
pub(crate) async fn run(client: Client, args: &KindArgs<PluginAct>) -> Result<u8, Fail> {
    match &args.act {
        PluginAct::Kept(act) => super::run::<Plugin>(&client, act, args.json).await?,
        PluginAct::Add(new) => {
            let body = NewPlugin { url: new.url.clone(), slug: new.slug.clone() };
            let ask = Ask::post(format!("{}/install", Plugin::DOOR)).json(&body).within(CLONE_MAX);
            change::<Plugin, _>(&client, ask, |made| now(made, "added"), args.json).await?;
        }
        PluginAct::Update(one) => {
            let ask = Ask::post(door::<Plugin>(&one.name) + "/update").within(CLONE_MAX);
            change::<Plugin, _>(&client, ask, |made| now(made, "updated"), args.json).await?;
        }
        PluginAct::Check(one) => check(&client, one, args.json).await?,
    }
    Ok(exit::DONE)
}

fn now(PluginMade { plugin, .. }: PluginMade, done: &str) -> String {
    format!("{} {done}, version {}", plugin.slug, plugin.version)
}

async fn check(client: &Client, one: &One, json: bool) -> Result<(), Fail> {
    let path = door::<Plugin>(&one.name) + "/check-update";
    let answer = ask::<Plugin>(client, Ask::get(path).within(CLONE_MAX)).await?;
    let PluginCheck { slug, up_to_date, behind, .. } = client.shape(answer.clone())?;
    let said = match (up_to_date, behind) {
        (true, _) => format!("{slug} is up to date"),
        (false, Some(behind)) => {
            format!("{slug} is behind by {behind} or more; `parachute plugin update {slug}`")
        }
        (false, None) => format!("{slug} is not up to date; `parachute plugin update {slug}`"),
    };
    Ok(tell(&said, &answer, json)?)
}
