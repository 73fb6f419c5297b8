//! The MCP servers of a turn: which of those that are there an agent of this level gets, as the
//! CLI wants them told, and what a person should know of those that it does not get.

use super::config::{Kind, level, problems, scalar};
use super::expand::Expander;
use crate::vault::mcps::Config;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use wire::Trust;
use wire::workspace::Chosen;

/// The servers of a turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ForCli {
    /// By name: what the CLI takes as `mcpServers`. There are secrets in it.
    pub(crate) servers: Map<String, Value>,
    /// Sentences for a warning.
    pub(crate) problems: Vec<String>,
}

/// Puts them together. `of_plugins` are those that plugins bring: they have names that are not
/// taken, and since nobody but their authors speaks for them, they are for agents alone that run
/// as the person.
pub(super) fn for_cli<'c>(
    of_vault: impl Iterator<Item = (&'c String, &'c Config)>,
    of_plugins: &'c Map<String, Value>,
    environment: &BTreeMap<String, String>,
    chosen: &Chosen,
    trust: Trust,
) -> ForCli {
    let mut turn = ForCli::default();
    let mut known: Vec<&str> = Vec::new();
    // One whose level nobody knows has the fewest agents, not the most.
    let level = |config| level(config).unwrap_or(Trust::Full);
    let of_vault = of_vault.map(|(name, config)| (name, config, level(config)));
    let of_plugins = of_plugins
        .iter()
        .filter_map(|(name, config)| Some((name, config.as_object()?, Trust::Full)));
    for (name, config, level) in of_vault.chain(of_plugins) {
        if known.contains(&name.as_str()) {
            continue;
        }
        known.push(name);
        if !chosen.has(name) || level < trust {
            continue;
        }
        match server(config, environment, trust) {
            Ok((server, unset)) => {
                turn.problems.extend(unset.map(|unset| format!("MCP server `{name}`: {unset}")));
                turn.servers.insert(name.clone(), server.into());
            }
            Err(said) => turn.problems.push(format!("MCP server `{name}` is left out: {said}")),
        }
    }
    if let Chosen::Named(names) = chosen {
        let missing = names.iter().filter(|name| !known.contains(&name.as_str()));
        turn.problems.extend(missing.map(|name| format!("There is no MCP server `{name}`")));
    }
    turn
}

/// A server as the CLI is told of it, and which of its variables have no value.
fn server(
    config: &Config,
    environment: &BTreeMap<String, String>,
    trust: Trust,
) -> Result<(Config, Option<String>), String> {
    let mut expander = Expander::new(environment);
    let mut config = expander.config(config);
    let mut wrong = problems(&config);
    if !wrong.is_empty() {
        wrong.extend(expander.without_value());
        return Err(wrong.join("; "));
    }
    let kind = Kind::of(&config);
    let command = config.get("command").and_then(Value::as_str).unwrap_or_default();
    // In a container the paths of this machine lead nowhere (trap T-55).
    if kind == Kind::Stdio && trust == Trust::Sandboxed && command.contains('/') {
        return Err("its `command` is a path of this machine, which no container has".to_owned());
    }
    config.retain(|name, _| {
        !name.starts_with('_') && !matches!(name.as_str(), "trust_level" | "auth")
    });
    config.insert("type".into(), kind.word().into());
    for name in ["env", "headers", "args"] {
        match config.get_mut(name) {
            Some(Value::Object(fields)) => fields.values_mut().for_each(as_text),
            Some(Value::Array(items)) => items.iter_mut().for_each(as_text),
            _ => {}
        }
    }
    Ok((config, expander.without_value()))
}

fn as_text(value: &mut Value) {
    if let Some(text) = scalar(value) {
        *value = text.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn put_together(file: &Value, plugins: &Value, chosen: &Chosen, trust: Trust) -> ForCli {
        let object = |value: &Value| value.as_object().expect("an object").clone();
        let servers: Vec<(String, Config)> =
            object(file).iter().map(|(name, config)| (name.clone(), object(config))).collect();
        let servers = servers.iter().map(|(name, config)| (name, config));
        let environment = BTreeMap::from([("TOKEN".to_owned(), "s3cret".to_owned())]);
        for_cli(servers, &object(plugins), &environment, chosen, trust)
    }

    fn names(turn: &ForCli) -> Vec<&str> {
        turn.servers.keys().map(String::as_str).collect()
    }

    #[test]
    fn servers_are_as_the_cli_wants_them() {
        let file = json!({
            "local": {
                "command": "npx", "args": ["-y", 8], "env": { "T": "${TOKEN}", "N": 1, "B": true },
                "trust_level": "trusted", "_builtin": true, "timeout": 5000,
            },
            "remote": {
                "type": "streamable-http", "url": "https://x.test/$TOKEN", "auth": "bearer",
                "headers": { "Authorization": "Bearer ${TOKEN}" },
            },
            "old": { "type": "sse", "url": "http://x.test/sse" },
            "plain": { "url": "http://x.test/" },
        });
        let turn = put_together(&file, &json!({}), &Chosen::ALL, Trust::Full);
        let is = json!({
            "local": {
                "command": "npx", "args": ["-y", "8"],
                "env": { "T": "s3cret", "N": "1", "B": "true" }, "timeout": 5000, "type": "stdio",
            },
            "remote": {
                "type": "http", "url": "https://x.test/s3cret",
                "headers": { "Authorization": "Bearer s3cret" },
            },
            "old": { "type": "sse", "url": "http://x.test/sse" },
            "plain": { "url": "http://x.test/", "type": "http" },
        });
        assert_eq!(Value::Object(turn.servers), is);
        assert_eq!(turn.problems, Vec::<String>::new());
    }

    #[test]
    fn trap_t17_an_agent_gets_what_is_for_its_level_and_no_other_servers_secrets() {
        let file = json!({
            "mine": { "command": "a", "env": { "T": "${TOKEN}" } },
            "odd": { "command": "a", "trust_level": "who knows" },
            "vault": { "command": "b", "trust_level": "vault" },
            "anyone": { "url": "http://x.test", "trust_level": "untrusted" },
            "boxed": { "command": "c", "trust_level": "sandboxed" },
        });
        let plugins = json!({ "plugged": { "command": "p", "trust_level": "untrusted" } });
        let of = |trust| put_together(&file, &plugins, &Chosen::ALL, trust);
        let full = of(Trust::Full);
        assert_eq!(names(&full), ["mine", "odd", "vault", "anyone", "boxed", "plugged"]);
        assert_eq!(names(&of(Trust::Vault)), ["vault", "anyone", "boxed"]);
        let boxed = of(Trust::Sandboxed);
        assert_eq!(names(&boxed), ["anyone", "boxed"]);
        assert!(!Value::Object(boxed.servers).to_string().contains("s3cret"));
    }

    #[test]
    fn trap_t55_a_path_of_this_machine_is_not_sent_into_a_container() {
        let file = json!({
            "path": { "command": "/usr/bin/node", "trust_level": "untrusted" },
            "name": { "command": "node", "trust_level": "untrusted" },
        });
        let turn = put_together(&file, &json!({}), &Chosen::ALL, Trust::Sandboxed);
        assert_eq!(names(&turn), ["name"]);
        assert!(turn.problems[0].contains("`path` is left out"), "{:?}", turn.problems);
        let vault = put_together(&file, &json!({}), &Chosen::ALL, Trust::Vault);
        assert_eq!(names(&vault), ["path", "name"]);
    }

    #[test]
    fn what_is_wrong_or_missing_is_said() {
        let file = json!({
            "broken": { "args": [] }, "ws": { "type": "ws" }, "good": { "command": "${NOT_SET}" },
            "where": { "url": "${NOWHERE}/mcp" },
        });
        let plugins =
            json!({ "good": { "command": "plugin" }, "odd": 1, "more": { "command": "m" } });
        let chosen = ["broken", "good", "more", "where", "nobody"].map(str::to_owned).to_vec();
        let turn = put_together(&file, &plugins, &Chosen::Named(chosen), Trust::Full);
        assert_eq!(names(&turn), ["good", "more"]);
        assert_eq!(turn.servers["good"]["command"], "${NOT_SET}", "the vault's own");
        let said = turn.problems.join("\n");
        assert_eq!(turn.problems.len(), 4, "{said}");
        for part in [
            "`broken` is left out: it has neither",
            "no value for `NOT_SET`",
            "URL; there is no value for `NOWHERE`",
            "no MCP server `nobody`",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let none = put_together(&file, &plugins, &Chosen::NONE, Trust::Full);
        assert_eq!(none, ForCli::default());
    }
}
