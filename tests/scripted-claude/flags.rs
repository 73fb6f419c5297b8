//! The command line and environment, as far as this program heeds them. Everything else that
//! the real CLI takes is accepted and passed over.

use std::path::PathBuf;

/// What the caller asked for.
#[derive(Debug, Clone)]
pub(crate) struct Flags {
    pub version: bool,
    pub session_id: Option<String>,
    pub resume: Option<String>,
    pub fork: bool,
    /// `--include-partial-messages`: `stream_event` lines.
    pub partial: bool,
    /// `--permission-prompt-tool stdio`: questions come as `can_use_tool`.
    pub prompts: bool,
    /// `--replay-user-messages`.
    pub replay: bool,
    pub mode: String,
    pub model: String,
    /// `CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS=1`.
    pub states: bool,
    /// `CLAUDE_CODE_MAX_RETRIES`.
    pub retries: u64,
    pub key_source: &'static str,
    pub cwd: PathBuf,
    /// `CLAUDE_CONFIG_DIR`, else `~/.claude`.
    pub config: PathBuf,
}

impl Flags {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Self {
        let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = environment("HOME").unwrap_or_else(|| "/".into());
        let key = environment("ANTHROPIC_API_KEY").is_some();
        let mut flags = Self {
            version: false,
            session_id: None,
            resume: None,
            fork: false,
            partial: false,
            prompts: false,
            replay: false,
            mode: "default".into(),
            model: "claude-opus-5-5".into(),
            states: environment("CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS").is_some_and(|v| v == "1"),
            retries: environment("CLAUDE_CODE_MAX_RETRIES")
                .and_then(|value| value.parse().ok())
                .unwrap_or(10),
            key_source: if key { "ANTHROPIC_API_KEY" } else { "none" },
            // The real path, as the real CLI names its folder after it.
            cwd: std::env::current_dir().and_then(|cwd| cwd.canonicalize()).unwrap_or_default(),
            config: environment("CLAUDE_CONFIG_DIR")
                .map_or_else(|| PathBuf::from(home).join(".claude"), PathBuf::from),
        };
        flags.take(arguments);
        flags
    }

    fn take(&mut self, arguments: impl Iterator<Item = String>) {
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let (name, given) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let mut value =
                || given.clone().or_else(|| arguments.next_if(|next| !next.starts_with("--")));
            match name {
                "--version" | "-v" => self.version = true,
                "--session-id" => self.session_id = value(),
                "--resume" | "-r" => self.resume = value(),
                "--fork-session" => self.fork = true,
                "--include-partial-messages" => self.partial = true,
                "--permission-prompt-tool" => self.prompts = value().is_some_and(|v| v == "stdio"),
                "--replay-user-messages" => self.replay = true,
                "--permission-mode" => self.mode = value().unwrap_or_else(|| self.mode.clone()),
                "--model" => self.model = value().unwrap_or_else(|| self.model.clone()),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_value() {
        let parse = |line: &str| Flags::parse(line.split(' ').map(str::to_owned));
        let flags = parse(
            "--output-format stream-json --session-id=a --permission-prompt-tool stdio \
             --permission-mode plan --include-partial-messages --unknown x --model=m",
        );
        assert_eq!(flags.session_id.as_deref(), Some("a"));
        assert!(flags.prompts && flags.partial && !flags.version);
        assert_eq!((flags.mode.as_str(), flags.model.as_str()), ("plan", "m"));
        assert_eq!(parse("--resume --verbose").resume, None);
    }
}
