//! What an agent may never do, whatever its mode (contract-core §5.8), and what counts as
//! changing something. Every tool call passes here, through the CLI's own hook, so that no
//! allow rule of a settings file goes round it.
//!
//! A guard against accidents, not a wall: a shell can be asked for anything in a thousand ways.
//! Walls are the trust levels `vault` and `sandboxed`.

use serde_json::{Map, Value};
use std::path::{Component, Path, PathBuf};

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

/// Judges a call; `vault` and `directory` are absolute and free of links.
pub(crate) fn judge(
    tool: &str,
    input: &Map<String, Value>,
    vault: &Path,
    directory: &Path,
) -> Result<(), Refusal> {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    if let Some(command) = text(COMMANDS) {
        judge_command(command)?;
    }
    for file in FILES.iter().filter_map(|name| text(name)) {
        let named = normal(&directory.join(file));
        for path in [real(&named), named] {
            judge_path(file, &shown(&path, vault))?;
        }
    }
    for (_, name) in SEARCHES.iter().filter(|(search, _)| *search == tool) {
        let parts = text(name).unwrap_or_default();
        if let Some(part) = parts.split(['/', ',', '{', '}']).find(|p| HIDDEN.contains(p)) {
            return Err(off_limits(parts, part));
        }
    }
    Ok(())
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

fn judge_command(command: &str) -> Result<(), Refusal> {
    let refuse = |what: &str| {
        let message = format!("this command is refused here: {what}");
        Err(Refusal { reason: "dangerous_command", message })
    };
    if command.split_whitespace().collect::<String>().contains(":(){:|:&};:") {
        return refuse("it would start processes without end");
    }
    for words in simple_commands(command) {
        let Some((program, rest)) = words.split_first() else {
            continue;
        };
        let program = program.rsplit('/').next().unwrap_or(program);
        match program {
            "sudo" | "doas" | "pkexec" => return refuse("it asks for another user's rights"),
            "mkfs" => return refuse("it would make a file system"),
            _ if program.starts_with("mkfs.") => return refuse("it would make a file system"),
            "dd" if rest.iter().any(|w| w.starts_with("of=/dev/")) => {
                return refuse("it would write to a device");
            }
            "rm" if recursive(rest) && rest.iter().any(|w| everything(w)) => {
                return refuse("it would delete everything");
            }
            "chmod" | "chown" if recursive(rest) && rest.iter().any(|w| w == "/") => {
                return refuse("it would change the rights of everything");
            }
            _ => {}
        }
        let to_device = |w: &String| {
            w.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&')
                .strip_prefix('>')
                .is_some_and(|to| is_disk(to.trim_start_matches(['>', '|', ' '])))
        };
        let redirected = words.windows(2).any(|w| w[0].ends_with('>') && is_disk(&w[1]));
        if redirected || words.iter().any(to_device) {
            return refuse("it would write to a device");
        }
    }
    Ok(())
}

fn recursive(words: &[String]) -> bool {
    words.iter().any(|w| {
        w == "--recursive" || (w.starts_with('-') && !w.starts_with("--") && w.contains(['r', 'R']))
    })
}

fn everything(word: &str) -> bool {
    let word = word.trim_end_matches('/').trim_end_matches("/*").trim_end_matches("/.");
    matches!(word, "" | "~" | "*" | "$HOME" | "${HOME}" | "/") && word != "*"
}

fn is_disk(target: &str) -> bool {
    let harmless = ["/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/fd/"];
    target.starts_with("/dev/") && !harmless.iter().any(|h| target.starts_with(h))
}

/// The simple commands of a shell line, as words: split at `;`, `&`, `|`, newlines and
/// parentheses outside of quotes; quotes and backslashes taken away; assignments and the words
/// that only wrap another command skipped.
fn simple_commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word = String::new();
    let mut open = false;
    let mut quote = None;
    let mut chars = line.chars().peekable();
    let end_word = |word: &mut String, open: &mut bool, all: &mut Vec<Vec<String>>| {
        if *open || !word.is_empty() {
            all.last_mut().expect("never empty").push(std::mem::take(word));
            *open = false;
        }
    };
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('"') | None, '\\') => word.extend(chars.next()),
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                open = true;
            }
            (None, '&') if word.ends_with('>') || chars.peek() == Some(&'>') => word.push('&'),
            (None, '|') if word.ends_with('>') => word.push('|'),
            (None, ';' | '&' | '|' | '\n' | '(' | ')' | '`' | '{' | '}') => {
                // `${HOME}` is one word.
                if c == '{' && word.ends_with('$') || c == '}' && word.contains("${") {
                    word.push(c);
                    continue;
                }
                end_word(&mut word, &mut open, &mut commands);
                commands.push(Vec::new());
            }
            (None, c) if c.is_whitespace() => end_word(&mut word, &mut open, &mut commands),
            (None, c) => word.push(c),
        }
    }
    end_word(&mut word, &mut open, &mut commands);
    commands.into_iter().map(unwrapped).filter(|c| !c.is_empty()).collect()
}

fn unwrapped(words: Vec<String>) -> Vec<String> {
    const WRAPPERS: [&str; 16] = [
        "command", "exec", "env", "nohup", "nice", "time", "if", "then", "do", "else", "while",
        "xargs", "builtin", "!", "setsid", "stdbuf",
    ];
    let wraps = |w: &String| {
        WRAPPERS.contains(&w.as_str())
            || w.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            })
    };
    let skip = words.iter().take_while(|w| wraps(w)).count();
    words.into_iter().skip(skip).collect()
}

/// Whether a command plainly only looks: one simple command of a short list, nothing the shell
/// would expand into something else.
pub(crate) fn only_looks(command: &str) -> bool {
    const LOOKS: [&str; 12] = [
        "ls", "pwd", "tree", "cat", "head", "tail", "wc", "echo", "date", "whoami", "file", "stat",
    ];
    let plain = !command.contains(['>', '<', '$', '`', '\n', '(', '{']);
    let commands = simple_commands(command);
    plain && !commands.is_empty() && commands.iter().all(|c| LOOKS.contains(&c[0].as_str()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn call(tool: &str, input: Value) -> Result<(), Refusal> {
        let input = input.as_object().expect("an object").clone();
        judge(tool, &input, Path::new("/v"), Path::new("/v/work"))
    }

    #[test]
    fn a_link_does_not_lead_around_and_a_search_does_not_find() {
        let dir = tempfile::tempdir().expect("a folder");
        let vault = dir.path().canonicalize().expect("there");
        std::fs::create_dir(vault.join(".parachute")).expect("made");
        std::os::unix::fs::symlink(vault.join(".parachute"), vault.join("notes")).expect("linked");
        let judged = |tool: &str, input: Value| {
            judge(tool, input.as_object().expect("an object"), &vault, &vault)
        };
        assert!(judged("Read", json!({ "file_path": "notes/.token" })).is_err());
        assert!(judged("Glob", json!({ "pattern": "**/.parachute/*" })).is_err());
        assert!(judged("Grep", json!({ "pattern": "x", "glob": "**/.token" })).is_err());
        assert!(judged("Grep", json!({ "pattern": ".", "path": ".parachute" })).is_err());
        assert!(judged("Grep", json!({ "pattern": ".", "path": "/home/x/.ssh/" })).is_err());
        assert!(judged("Grep", json!({ "pattern": ".token", "path": "." })).is_ok());
        assert!(judged("Read", json!({ "file_path": "sub/.env" })).is_err());
        assert!(judged("Monitor", json!({ "command": "sudo id" })).is_err());
        assert!(changes_something("Monitor"));
        let input = json!({ "file_path": "Notes/../Notes/a.md" });
        let measured = measure(input.as_object().expect("an object"), &vault, &vault);
        assert_eq!(measured.as_deref(), Some("Notes/a.md"));
    }

    #[test]
    fn secrets_and_our_own_folder_are_off_limits() {
        for path in [
            "/v/.parachute/.token",
            "../.parachute/server.yaml",
            "/home/x/.ssh/id_ed25519",
            "/v/work/../.env",
            "/v/a/secrets/b",
            "deploy.pem",
        ] {
            assert!(call("Read", json!({ "file_path": path })).is_err(), "{path}");
        }
        for path in ["/v/Notes/a.md", "a.rs", "/v/work/tokens.md"] {
            assert_eq!(call("Write", json!({ "file_path": path })), Ok(()), "{path}");
        }
    }

    #[test]
    fn dangerous_commands_are_refused_and_look_alikes_are_not() {
        for command in [
            "sudo ls",
            "cd x && sudo rm y",
            "rm -rf /",
            "rm -fr ~",
            "rm -r -f $HOME",
            "/bin/rm -rf /*",
            "env A=1 sudo id",
            ":(){ :|:& };:",
            "mkfs.ext4 /dev/sda",
            "dd if=x of=/dev/sda",
            "echo x > /dev/sda",
            "echo x >/dev/sda",
            "chmod -R 777 /",
            "'su'do id",
        ] {
            assert!(call("Bash", json!({ "command": command })).is_err(), "{command}");
        }
        for command in [
            "rm -rf /tmp/x",
            "rm -rf target/",
            "echo 'sudo make me a sandwich'",
            "ls > /dev/null 2>&1",
            "grep -r pseudo .",
            "dd if=a of=b",
            "rm *",
        ] {
            assert_eq!(call("Bash", json!({ "command": command })), Ok(()), "{command}");
        }
    }

    #[test]
    fn a_grant_covers_one_command_and_no_rider() {
        assert!(covers("Bash(git *)", "Bash", Some("git status")));
        assert!(covers("Bash(git:*)", "Bash", Some("git status")));
        assert!(!covers("Bash(git *)", "Bash", Some("git status; rm x")));
        assert!(!covers("Bash(git *)", "Bash", Some("gitx")));
        assert!(covers("Write", "Write", None));
        assert!(covers("Write(Notes/**)", "Write", Some("Notes/a/b.md")));
        assert!(!covers("Write(Notes/**)", "Edit", Some("Notes/a.md")));
    }

    #[test]
    fn looking_is_told_from_doing() {
        assert!(only_looks("ls -la | head"));
        assert!(!only_looks("ls; touch x"));
        assert!(!only_looks("echo $(rm x)"));
        assert!(!only_looks("echo x > y"));
    }

    proptest! {
        #[test]
        fn no_command_panics(command: String) {
            let _ = judge_command(&command);
            let _ = only_looks(&command);
            let _ = covers("Bash(git *)", "Bash", Some(&command));
        }
    }
}
