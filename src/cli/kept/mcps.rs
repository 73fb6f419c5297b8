//! `parachute mcp`: servers that give the model tools. The answers hold no secrets; what a
//! variable stands for, and whether a server may be had at all, is the server's matter.

use super::{Kept, Sheet, ask, change, door};
use crate::args::{KindArgs, McpAct, NewMcpArgs, One};
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::table::Table;
use crate::term::{Ink, print, print_json, tell, width};
use serde_json::{Value, json};
use wire::mcp::{McpSaved, McpServer, McpTested, McpTools, McpVerdict, NewMcp};

impl Kept for McpServer {
    const NOUN: &'static str = "mcp";
    const DOOR: &'static str = "/api/mcps";
    const FIELD: &'static str = "servers";
    const HEADS: &'static [&'static str] = &["NAME", "TYPE", "STATE", "COMMAND"];
    type Whole = McpServer;

    fn row(self) -> Vec<String> {
        let state = match (self.validation_errors.is_empty(), self.builtin) {
            (false, _) => "wrong",
            (true, true) => "builtin",
            (true, false) => "",
        };
        vec![self.name, self.display_type, state.to_owned(), self.display_command]
    }

    fn sheet(server: McpServer) -> Sheet {
        let of = |field: &str| server.config.get(field);
        let names = |field| {
            let names = of(field).and_then(Value::as_object).into_iter().flatten();
            names.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let trust = of("trust_level").and_then(Value::as_str).unwrap_or_default().to_owned();
        let facts = vec![
            ("trust", trust),
            ("env", names("env")),
            ("headers", names("headers")),
            ("wrong", server.validation_errors.join("; ")),
        ];
        let begin = vec![
            ("mcp", server.name),
            ("type", server.display_type),
            ("command", server.display_command),
        ];
        Sheet { facts: [begin, facts].concat(), text: String::new() }
    }
}

/// Runs the command; answers with the exit status.
pub(crate) async fn run(client: Client, args: &KindArgs<McpAct>) -> Result<u8, Fail> {
    match &args.act {
        McpAct::Kept(act) => super::run::<McpServer>(&client, act, args.json).await?,
        McpAct::Add(new) => add(&client, new, args.json).await?,
        McpAct::Test(one) => return test(&client, one, args.json).await,
        McpAct::Tools(one) => return tools(&client, one, args.json).await,
    }
    Ok(exit::DONE)
}

/// What is there is not replaced: the door would, secrets and all.
async fn add(client: &Client, new: &NewMcpArgs, json: bool) -> Result<(), Fail> {
    let name = &new.name;
    match client.ask::<Value>(Ask::get(door::<McpServer>(name))).await {
        Ok(_) => {
            let hint = "choose another name, or remove that one first with `parachute mcp remove`";
            return Err(Fail::local(format!("there is an MCP server {name:?} already"), hint));
        }
        Err(Fail::Refused { status: 404, .. }) => {}
        Err(fail) => return Err(fail),
    }
    let config = match (&new.url, new.command.split_first()) {
        (_, Some((command, args))) => json!({ "command": command, "args": args }),
        (url, None) => json!({ "type": "http", "url": url }),
    };
    let config = config.as_object().cloned();
    let ask = Ask::post(McpServer::DOOR).json(&NewMcp {
        name: name.clone(),
        config,
        fields: serde_json::Map::new(),
    });
    let said = |saved: McpSaved| format!("{} added", saved.server.name);
    change::<McpServer, _>(client, ask, said, json).await
}

async fn test(client: &Client, one: &One, json: bool) -> Result<u8, Fail> {
    let answer =
        ask::<McpServer>(client, Ask::post(door::<McpServer>(&one.name) + "/test")).await?;
    let tested: McpTested = client.shape(answer.clone())?;
    if !json && tested.status == McpVerdict::Error {
        return Err(failed(&tested.name, tested.error, tested.hint));
    }
    tell(&format!("{}: {}", tested.name, tested.message.unwrap_or_default()), &answer, json)?;
    Ok(status(tested.status == McpVerdict::Ok))
}

async fn tools(client: &Client, one: &One, json: bool) -> Result<u8, Fail> {
    let answer =
        ask::<McpServer>(client, Ask::get(door::<McpServer>(&one.name) + "/tools")).await?;
    if json {
        print_json(&answer)?;
        return Ok(status(answer["error"].is_null()));
    }
    let found: McpTools = client.shape(answer)?;
    if found.error.is_some() {
        return Err(failed(&found.name, found.error, found.hint));
    }
    let mut table = Table::new(&["NAME", "DESCRIPTION"]);
    for tool in found.tools {
        table.row(vec![tool.name, tool.description.unwrap_or_default()]);
    }
    print(&table.show(width(), Ink::out()))?;
    Ok(exit::DONE)
}

fn status(good: bool) -> u8 {
    if good { exit::DONE } else { exit::FAILED }
}

fn failed(name: &str, error: Option<String>, hint: Option<String>) -> Fail {
    let error = error.unwrap_or_else(|| "it does not answer".into());
    Fail::Local { what: format!("{name}: {error}"), hint }
}
