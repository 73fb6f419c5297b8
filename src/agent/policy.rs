//! What an agent may never do, whatever its mode (contract-core §5.8), and what counts as
//! changing something. Every tool call passes here, through the CLI's own hook, so that no
//! allow rule of a settings file goes round it.
//!
//! A guard against accidents, not a wall: a shell can be asked for anything in a thousand ways.
//! Walls are the trust levels `vault` and `sandboxed`.

mod shell;
#[cfg(test)]
mod tests;

use ignored::{Ignored, RULES_FILE};
use serde_json::{Map, Value};
pub(crate) use shell::only_looks;
use shell::simple_commands;
use std::path::{Component, Path, PathBuf};

/// Where a call is made, and what its owner wants left alone there.
pub(crate) struct Ground<'a> {
    /// The vault, absolute and free of links.
    pub(crate) vault: &'a Path,
    /// Where the CLI works; the same.
    pub(crate) directory: &'a Path,
    /// `.parachuteignore`: files of the vault that no file tool may be told to touch. What a
    /// search finds below a folder is not seen here: the CLI is told of them (`rules`).
    pub(crate) ignored: &'a Ignored,
}

/// Why a call is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// As in `done.permissionDenials`.
    pub(crate) reason: &'static str,
    /// What the model is told.
    pub(crate) message: String,
}

const DENIED_PATHS: [&str; 29] = [
    "**/.env",
    "**/.env.*",
    "**/*.env",
    "**/credentials/**",
    "**/secrets/**",
    "**/*.key",
    "**/*.pem",
    "**/*.p12",
    "**/*.pfx",
    "**/id_rsa",
    "**/id_rsa.*",
    "**/id_ed25519",
    "**/id_ed25519.*",
    "**/.ssh/**",
    "**/api_key*",
    "**/apikey*",
    "**/*_token*",
    "**/*_secret*",
    "**/.git/objects/**",
    "**/.git/refs/**",
    "**/.git/hooks/**",
    "**/node_modules/**",
    "**/.venv/**",
    "**/venv/**",
    "**/__pycache__/**",
    "**/.pytest_cache/**",
    "**/.parachute/**",
    "**/parachute.db",
    "**/parachute.db-*",
];

/// Tools that read, ask or delegate; all else changes something.
const HARMLESS: [&str; 20] = [
    "Read",
    "Glob",
    "Grep",
    "LS",
    "NotebookRead",
    "LSP",
    "WebSearch",
    "WebFetch",
    "Agent",
    "Task",
    "TaskOutput",
    "TodoWrite",
    "ToolSearch",
    "Skill",
    "ListAgents",
    "CronList",
    "TaskStop",
    "EnterPlanMode",
    "AskUserQuestion",
    "ReportFindings",
];

/// Whether calls of this tool are announced in the mode `ask`.
pub(crate) fn changes_something(tool: &str) -> bool {
    !HARMLESS.contains(&tool)
}

/// Fields of a call that hold a shell command, or a file; whatever the tool is called.
const COMMANDS: &str = "command";
const FILES: [&str; 3] = ["file_path", "notebook_path", "path"];
/// Fields in which a search says where to look.
const SEARCHES: [(&str, &str); 2] = [("Glob", "pattern"), ("Grep", "glob")];
/// What is ours in the vault, which commands may not name either.
const OURS: &str = ".parachute";
/// Names that no search may ask for.
const HIDDEN: [&str; 5] = [".parachute", ".token", ".ssh", ".env", ".credentials.json"];

/// The command a call runs, or the file it names, as the call has it.
pub(crate) fn subject(input: &Map<String, Value>) -> Option<String> {
    let names = std::iter::once(COMMANDS).chain(FILES);
    names.filter_map(|n| input.get(n)?.as_str()).next().map(str::to_owned)
}

/// What a grant is measured by: the command, or the file relative to the vault, links followed.
pub(crate) fn measure(
    input: &Map<String, Value>,
    vault: &Path,
    directory: &Path,
) -> Option<String> {
    if let Some(command) = input.get(COMMANDS).and_then(Value::as_str) {
        return Some(command.to_owned());
    }
    let file = FILES.iter().find_map(|n| input.get(*n)?.as_str())?;
    Some(shown(&real(&normal(&directory.join(file))), vault))
}

/// Judges a call.
pub(crate) fn judge(
    tool: &str,
    input: &Map<String, Value>,
    ground: &Ground<'_>,
) -> Result<(), Refusal> {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    if let Some(command) = text(COMMANDS) {
        shell::judge(command)?;
        ground.judge_names(command)?;
    }
    for file in FILES.iter().filter_map(|name| text(name)) {
        ground.judge_path(tool, ground.directory, file)?;
    }
    for (_, name) in SEARCHES.iter().filter(|(search, _)| *search == tool) {
        let parts = text(name).unwrap_or_default();
        if let Some(part) = parts.split(['/', ',', '{', '}']).find(|p| HIDDEN.contains(p)) {
            return Err(off_limits(parts, part));
        }
        let from = ground.directory.join(text("path").unwrap_or_default());
        let below: PathBuf = Path::new(parts).iter().take_while(|part| !is_pattern(part)).collect();
        ground.judge_path(tool, &from, &below.to_string_lossy())?;
    }
    Ok(())
}

impl Ground<'_> {
    /// Judges a file by all the names that it has: as it is said, and with links followed, before
    /// and after `..` is taken away.
    fn judge_path(&self, tool: &str, from: &Path, file: &str) -> Result<(), Refusal> {
        // As the CLI does it.
        let home = file.strip_prefix("~/").zip(std::env::home_dir());
        let said = home.map_or_else(|| from.join(file), |(rest, home)| home.join(rest));
        let named = normal(&said);
        for path in [real(&named), real(&said), named] {
            let shown = shown(&path, self.vault);
            judge_path(file, &shown)?;
            let Ok(inside) = path.strip_prefix(self.vault) else { continue };
            if self.ignored.is_ignored(inside, path.is_dir()) {
                return Err(off_limits(file, RULES_FILE));
            }
            if shown == RULES_FILE && changes_something(tool) {
                // Else what is left alone would be the agent's to say.
                return Err(off_limits(file, "what only the owner changes"));
            }
        }
        Ok(())
    }

    /// Judges the words of a command: none may name what is ours.
    fn judge_names(&self, command: &str) -> Result<(), Refusal> {
        let ours = self.vault.join(OURS);
        for name in shell::names(command) {
            let named = normal(&self.directory.join(&name));
            if named.starts_with(&ours) || real(&named).starts_with(&ours) {
                return Err(off_limits(&name, OURS));
            }
        }
        Ok(())
    }
}

fn is_pattern(part: &std::ffi::OsStr) -> bool {
    part.to_string_lossy().contains(['*', '?', '[', '{', '!'])
}

/// Judges a tool where only these may be used.
pub(crate) fn judge_tool(tool: &str, given: &[String]) -> Result<(), Refusal> {
    let server_of = |of: &String| of.starts_with("mcp__") && !of["mcp__".len()..].contains("__");
    let covers = |of: &String| {
        tool == of
            || server_of(of) && tool.strip_prefix(of.as_str()).is_some_and(|r| r.starts_with("__"))
    };
    if given.iter().any(covers) {
        return Ok(());
    }
    let message = format!("{tool} is none of the tools that this session has");
    Err(Refusal { reason: "tool_not_given", message })
}

fn judge_path(file: &str, shown: &str) -> Result<(), Refusal> {
    // A pattern of what is in a folder means the folder too: a search may start there.
    let matches = |pattern: &&&str| {
        fast_glob::glob_match(pattern, shown)
            || pattern.strip_suffix("/**").is_some_and(|dir| fast_glob::glob_match(dir, shown))
    };
    match DENIED_PATHS.iter().find(matches) {
        None => Ok(()),
        Some(pattern) => Err(off_limits(file, pattern)),
    }
}

fn off_limits(subject: &str, pattern: &str) -> Refusal {
    let message = format!("{subject} is off limits here (it matches {pattern})");
    Refusal { reason: "denied_by_ignore_list", message }
}

/// A path relative to the vault, or without its root.
fn shown(path: &Path, vault: &Path) -> String {
    let shown = path.strip_prefix(vault).unwrap_or(path).to_string_lossy();
    shown.trim_start_matches('/').to_owned()
}

/// Links followed as far as there is anything; the file itself need not exist.
fn real(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let Ok(found) = above.canonicalize() {
            let rest = path.strip_prefix(above).unwrap_or(Path::new(""));
            return if rest.as_os_str().is_empty() { found } else { found.join(rest) };
        }
    }
    path.to_owned()
}

/// `..` and `.` taken away by name: the file need not exist.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

/// Whether a grant such as `Bash(git *)`, `Write(Notes/**)` or `Write` covers a call.
pub(crate) fn covers(pattern: &str, tool: &str, subject: Option<&str>) -> bool {
    match pattern.trim().split_once('(') {
        None => pattern.trim() == tool,
        Some((name, rest)) => {
            let inside = rest.strip_suffix(')').unwrap_or(rest);
            name == tool && subject.is_some_and(|s| covers_subject(inside, tool, s))
        }
    }
}

fn covers_subject(pattern: &str, tool: &str, subject: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    if tool != "Bash" {
        return fast_glob::glob_match(pattern, subject);
    }
    // What is granted is one command; a second one behind `;` or `&&` was not.
    if simple_commands(subject).len() != 1 || subject.contains(['`', '$', '>', '<']) {
        return pattern == subject;
    }
    match pattern.strip_suffix('*') {
        Some(begin) => {
            subject.starts_with(begin.trim_end_matches(':').trim_end()) && {
                let begin = begin.trim_end_matches(':').trim_end();
                subject[begin.len()..].is_empty() || subject[begin.len()..].starts_with(' ')
            }
        }
        None => pattern == subject,
    }
}
