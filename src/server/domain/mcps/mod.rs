//! MCP servers: listed, put down, taken away, tried (contract-extended §1.2), and put together
//! for a turn. `.mcp.json` is read anew for every question, so that an edit by hand counts at
//! once (trap 59). Answers show what is written, never what a variable stands for (trap T-14).

mod config;
mod expand;
mod restore;
mod turn;

pub(crate) use turn::ForCli;

use super::{Domain, DomainError};
use crate::limits::{MCPS_ASKED_MAX, MCPS_MAX};
use crate::vault::mcps::{Config, Mcps, McpsError, WRAPPER};
use crate::vault::{Folder, Name};
use config::{Kind, is_of_answers, is_shown, level, problems, scalar, told};
use expand::Expander;
use mcp::{Limits, Place, Program, Report, Way};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;
use tokio::sync::Semaphore;
use wire::mcp::{McpServer, McpTested, McpTool, McpTools, McpVerdict, NewMcp};
use wire::workspace::Chosen;
use wire::{Secret, Trust};

/// What has to be done one after the other, or not too often at once.
pub(crate) struct Turns {
    /// Changes of the file.
    changing: tokio::sync::Mutex<()>,
    /// Servers that are asked.
    asking: Semaphore,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns { changing: tokio::sync::Mutex::default(), asking: Semaphore::new(MCPS_ASKED_MAX) }
    }
}

/// Why a server was not put down.
#[derive(Debug, thiserror::Error)]
pub(crate) enum McpError {
    /// Neither shape of the body has a configuration in it.
    #[error("Field required")]
    NoConfig,
    /// What is wrong, and with which of the fields.
    #[error("{1}")]
    Invalid(&'static str, String),
    #[error(transparent)]
    Domain(#[from] DomainError),
}

impl From<McpsError> for DomainError {
    fn from(error: McpsError) -> DomainError {
        match error {
            McpsError::File(error) => error.into(),
            error => DomainError::Unusable(error.to_string()),
        }
    }
}

impl From<McpsError> for McpError {
    fn from(error: McpsError) -> McpError {
        DomainError::from(error).into()
    }
}

type Environment = BTreeMap<String, String>;

impl Domain {
    pub(crate) async fn mcps(&self) -> Result<Vec<McpServer>, DomainError> {
        let environment = self.sources.environment.clone();
        let all = move |vault: &Folder| {
            let file = Mcps::read(vault)?;
            let all = file.all().map(|(name, config)| as_told(name, config, &environment));
            Ok::<_, DomainError>(all.collect())
        };
        self.in_vault(all).await
    }

    pub(crate) async fn mcp(&self, name: String) -> Result<McpServer, DomainError> {
        let environment = self.sources.environment.clone();
        let one = move |vault: &Folder| Ok(as_told(&name, &stored(vault, &name)?, &environment));
        self.in_vault(one).await
    }

    /// Puts a server down, new or in the place of the one of its name.
    pub(crate) async fn save_mcp(&self, new: NewMcp) -> Result<McpServer, McpError> {
        let environment = self.sources.environment.clone();
        let _one = self.mcp_turns.changing.lock().await;
        let saved = self.in_vault(move |vault| save(vault, new, &environment)).await?;
        tracing::info!(server = saved.name, "an MCP server was put down");
        Ok(saved)
    }

    pub(crate) async fn delete_mcp(&self, name: String) -> Result<String, DomainError> {
        let _one = self.mcp_turns.changing.lock().await;
        let deleted = move |vault: &Folder| {
            let mut file = Mcps::read(vault)?;
            if !file.remove(&name) {
                return Err(missing(&name));
            }
            file.write(vault)?;
            Ok(name)
        };
        let name = self.in_vault(deleted).await?;
        tracing::info!(server = name, "an MCP server was deleted");
        Ok(name)
    }

    /// Whether a server can be spoken with.
    pub(crate) async fn test_mcp(&self, name: String) -> Result<McpTested, DomainError> {
        let report = self.ask_mcp(&name).await?;
        let mut tested = McpTested {
            name,
            builtin: false,
            status: McpVerdict::Ok,
            message: None,
            error: None,
            hint: None,
            http_status: report.http_status,
            tools_count: None,
            tools_count_app: None,
            protocol_version: None,
        };
        match report.outcome {
            Ok(told) => {
                let count = told.tools.len();
                let server = told.server.as_deref().unwrap_or("the server");
                let message = format!("{server} speaks MCP {}; its tools: {count}", told.revision);
                tested.message = Some(message);
                (tested.tools_count, tested.tools_count_app) = (Some(count), Some(count));
                tested.protocol_version = Some(told.revision);
            }
            Err(failed) => {
                tested.status = McpVerdict::Error;
                (tested.error, tested.hint) = (Some(failed.said), failed.hint);
            }
        }
        Ok(tested)
    }

    /// The tools of a server.
    pub(crate) async fn mcp_tools(&self, name: String) -> Result<McpTools, DomainError> {
        let report = self.ask_mcp(&name).await?;
        let (tools, error, hint, protocol_version) = match report.outcome {
            Ok(told) => (told.tools, None, None, Some(told.revision)),
            Err(failed) => (Vec::new(), Some(failed.said), failed.hint, None),
        };
        let tools_count = protocol_version.as_ref().map(|_| tools.len());
        let tool = |tool: mcp::Tool| McpTool { name: tool.name, description: tool.description };
        let tools = tools.into_iter().map(tool).collect();
        Ok(McpTools { name, tools, error, hint, tools_count, protocol_version })
    }

    /// The servers of a turn. A file that cannot be read is a problem of the turn and no more.
    pub(crate) async fn mcps_for_cli(
        &self,
        of_plugins: Map<String, Value>,
        chosen: Chosen,
        trust: Trust,
    ) -> ForCli {
        let environment = self.sources.environment.clone();
        let put_together = move |vault: &Folder| {
            let file = Mcps::read(vault);
            let of_vault = file.iter().flat_map(Mcps::all);
            let mut turn = turn::for_cli(of_vault, &of_plugins, &environment, &chosen, trust);
            turn.problems.splice(0..0, file.err().map(|error| error.to_string()));
            Ok::<_, DomainError>(turn)
        };
        self.in_vault(put_together).await.unwrap_or_else(|error| ForCli {
            problems: vec![error.to_string()],
            ..ForCli::default()
        })
    }

    async fn ask_mcp(&self, name: &str) -> Result<Report, DomainError> {
        let wanted = name.to_owned();
        let config = self.in_vault(move |vault| stored(vault, &wanted)).await?;
        let mut limits = Limits::default();
        let begun = Instant::now();
        let place = tokio::time::timeout(limits.whole, self.mcp_turns.asking.acquire()).await;
        let Ok(Ok(_place)) = place else {
            return Ok(failed("others are being asked; try again in a moment", None));
        };
        limits.whole = limits.whole.saturating_sub(begun.elapsed());
        let mut expander = Expander::new(&self.sources.environment);
        let expanded = expander.config(&config);
        let unset = expander.without_value();
        let wrong = problems(&expanded);
        if !wrong.is_empty() {
            return Ok(failed(&wrong.join("; "), unset));
        }
        let secrets = secrets_of(&expanded, expander.used);
        let way = way(&expanded, self.vault());
        let mut report = Box::pin(mcp::ask(&way, &secrets, &limits)).await;
        if let Err(failed) = &mut report.outcome {
            let hints: Vec<String> = unset.into_iter().chain(failed.hint.take()).collect();
            failed.hint = (!hints.is_empty()).then(|| hints.join("\n"));
        }
        Ok(report)
    }
}

fn failed(said: &str, hint: Option<String>) -> Report {
    let outcome = Err(mcp::Failed { said: said.to_owned(), hint });
    Report { outcome, http_status: None }
}

fn stored(vault: &Folder, name: &str) -> Result<Config, DomainError> {
    Mcps::read(vault)?.get(name).cloned().ok_or_else(|| missing(name))
}

fn as_told(name: &str, config: &Config, environment: &Environment) -> McpServer {
    told(name, config, &Expander::new(environment).config(config))
}

fn save(vault: &Folder, new: NewMcp, environment: &Environment) -> Result<McpServer, McpError> {
    let NewMcp { name, config, fields } = new;
    let mut config = config.unwrap_or(fields);
    config.retain(|name, _| !is_of_answers(name));
    if config.is_empty() {
        return Err(McpError::NoConfig);
    }
    let mut file = Mcps::read(vault)?;
    let kept = file.get(&name).cloned();
    if kept.is_none() && (Name::parse(&name).is_none() || name == WRAPPER) {
        return Err(McpError::Invalid("name", Name::RULE.to_owned()));
    }
    if kept.is_none() && file.all().count() >= MCPS_MAX {
        return Err(DomainError::Bad(format!("there are {MCPS_MAX} MCP servers already")).into());
    }
    if !restore::restore(&mut config, kept.as_ref()) {
        let said = "[REDACTED] stands where nothing is kept; give the value itself, or ${NAME}";
        return Err(McpError::Invalid("config", said.to_owned()));
    }
    // What no answer shows cannot have come back.
    for (name, value) in kept.into_iter().flatten().filter(|(name, _)| !is_shown(name)) {
        config.entry(name).or_insert(value);
    }
    let mut expander = Expander::new(environment);
    let mut wrong = problems(&expander.config(&config));
    // A value that is still to come may make it right.
    if expander.without_value().is_some() && !matches!(Kind::of(&config), Kind::Other(_)) {
        wrong.clear();
    }
    if level(&config).is_none() {
        wrong.push("its `trust_level` is not known here".to_owned());
    }
    if !wrong.is_empty() {
        return Err(McpError::Invalid("config", wrong.join("; ")));
    }
    file.set(&name, config);
    file.write(vault).map_err(DomainError::from)?;
    let saved = file.get(&name).map(|config| as_told(&name, config, environment));
    Ok(saved.ok_or_else(|| missing(&name))?)
}

/// How a server is reached, as it is configured, with nothing wrong with it.
fn way(config: &Config, vault: &Path) -> Way {
    let text = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let pairs = |name: &str| {
        let pairs = config.get(name).and_then(Value::as_object).into_iter().flatten();
        let pair =
            |(name, value): (&String, &Value)| Some((name.clone(), Secret::new(scalar(value)?)));
        pairs.filter_map(pair).collect()
    };
    match Kind::of(config) {
        Kind::Stdio => {
            let args = config.get("args").and_then(Value::as_array).into_iter().flatten();
            Way::Program(Program {
                command: text("command"),
                args: args.filter_map(scalar).collect(),
                env: pairs("env"),
                dir: vault.to_owned(),
            })
        }
        kind => Way::Place(Place {
            url: text("url"),
            headers: pairs("headers"),
            older: kind == Kind::Sse,
        }),
    }
}

/// What must not be told: what variables stand for, and whatever is in these two.
fn secrets_of(expanded: &Config, mut used: Vec<Secret>) -> Vec<Secret> {
    for name in ["env", "headers"] {
        let pairs = expanded.get(name).and_then(Value::as_object).into_iter().flatten();
        used.extend(pairs.filter_map(|(_, value)| scalar(value).map(Secret::new)));
    }
    used
}

fn missing(name: &str) -> DomainError {
    DomainError::Missing(format!("MCP server '{name}' not found"))
}
