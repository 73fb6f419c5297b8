//! What a daily agent may use (trap T-18). The predecessor's five tools are no tools here: what
//! four of them read is told with the message, and what the fifth wrote is the agent's answer,
//! which the server writes. So an agent needs none of the CLI's own tools, and has none but those
//! for reading that its definition names, and MCP tools in the same way.
//!
//! A definition is a note in the vault, which a confined agent could write: one that names tools
//! is run within the vault and no further, whoever wrote it.

use crate::store::SessionRow;
use serde_json::{Map, Value, json};

/// The predecessor's tools.
pub(super) const JOURNAL: &str = "read_journal";
pub(super) const CHAT_LOG: &str = "read_chat_log";
pub(super) const RECENT_JOURNALS: &str = "read_recent_journals";
pub(super) const RECENT_SESSIONS: &str = "read_recent_sessions";
const OUTPUT: &str = "write_output";

/// Tools of the CLI that only read files.
const GIVEN: [&str; 4] = ["Read", "Glob", "Grep", "LS"];

/// Where a session says in its metadata whose it is, and what it may use.
const OF_AGENT: &str = "daily_agent";

/// The tools that a definition names: those that are given, and what is said of the others.
pub(super) fn given(named: &[String]) -> (Vec<String>, Vec<String>) {
    let told = [JOURNAL, CHAT_LOG, RECENT_JOURNALS, RECENT_SESSIONS, OUTPUT];
    let others = named.iter().filter(|tool| !told.contains(&tool.as_str()));
    let (given, refused): (Vec<&String>, Vec<&String>) =
        others.partition(|tool| GIVEN.contains(&tool.as_str()) || server_of(tool).is_some());
    let said = refused.iter().map(|tool| {
        let tool: String = tool.chars().filter(|c| !c.is_control()).take(80).collect();
        format!("the tool `{tool}` is not given to daily agents")
    });
    (given.into_iter().cloned().collect(), said.collect())
}

/// The MCP server of a tool, `mcp__server` or `mcp__server__tool`.
fn server_of(tool: &str) -> Option<&str> {
    let rest = tool.strip_prefix("mcp__")?;
    let server = rest.split_once("__").map_or(rest, |(server, _)| server);
    (!server.is_empty()).then_some(server)
}

/// MCP servers of these tools.
pub(in crate::domain) fn servers(tools: &[String]) -> Vec<String> {
    let mut servers: Vec<String> =
        tools.iter().filter_map(|tool| server_of(tool)).map(str::to_owned).collect();
    servers.sort();
    servers.dedup();
    servers
}

/// The tools that a session is bound to, if it is a daily agent's. What cannot be read are none.
pub(in crate::domain) fn tools_of(row: Option<&SessionRow>) -> Option<Vec<String>> {
    let of_agent = row?.metadata.as_ref()?.get(OF_AGENT)?;
    let tools = of_agent.get("tools").and_then(Value::as_array);
    let texts = tools.into_iter().flatten().filter_map(Value::as_str);
    Some(texts.map(str::to_owned).collect())
}

/// Whether a session is this agent's.
pub(super) fn is_of(row: &SessionRow, agent: &str) -> bool {
    let of_agent = row.metadata.as_ref().and_then(|metadata| metadata.get(OF_AGENT));
    of_agent.is_some_and(|of_agent| of_agent["name"] == agent)
}

/// Whether a person speaks in it.
pub(super) fn is_of_people(row: &SessionRow) -> bool {
    tools_of(Some(row)).is_none()
}

/// Binds a session to an agent and its tools.
pub(super) fn bind(metadata: &mut Map<String, Value>, agent: &str, tools: &[String]) {
    metadata.insert(OF_AGENT.into(), json!({ "name": agent, "tools": tools }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Timestamp;

    #[test]
    fn trap_t18_tools_that_act_are_not_given() {
        let named = ["read_journal", "write_output", "Read", "Bash", "Write", "mcp__notes__list"];
        let (tools, said) = given(&named.map(String::from));
        assert_eq!(tools, ["Read", "mcp__notes__list"]);
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!(servers(&tools), ["notes"]);
        assert!(given(&["mcp__".into(), "read".into(), "*".into()]).0.is_empty());
    }

    #[test]
    fn a_session_that_says_nothing_lawful_is_bound_to_nothing() {
        let mut row = SessionRow::new("s", Timestamp::now());
        assert_eq!(tools_of(Some(&row)), None);
        for tools in [json!(null), json!("Bash"), json!({}), json!([1, null])] {
            let metadata = json!({ "daily_agent": { "name": "x", "tools": tools } });
            row.metadata = metadata.as_object().cloned();
            assert_eq!(tools_of(Some(&row)), Some(Vec::new()));
        }
        let mut metadata = Map::new();
        bind(&mut metadata, "poet", &["Read".into()]);
        row.metadata = Some(metadata);
        assert_eq!(tools_of(Some(&row)), Some(vec!["Read".into()]));
        assert!(is_of(&row, "poet") && !is_of(&row, "other"));
    }
}
