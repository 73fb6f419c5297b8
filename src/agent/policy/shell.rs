//! Shell commands as far as the policy looks at them: split into simple ones as a shell would
//! split them, and a few that no agent may run. Expands nothing and runs nothing; what a command
//! builds out of variables is not seen.

use super::Refusal;

/// Judges a command line by the programs in it.
pub(super) fn judge(command: &str) -> Result<(), Refusal> {
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

/// The simple commands of a shell line without assignments and the words that only wrap another
/// command.
pub(super) fn simple_commands(line: &str) -> Vec<Vec<String>> {
    parted(line).into_iter().map(unwrapped).filter(|c| !c.is_empty()).collect()
}

/// The simple commands of a shell line, as words: split at `;`, `&`, `|`, newlines and
/// parentheses outside of quotes; quotes and backslashes taken away.
fn parted(line: &str) -> Vec<Vec<String>> {
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
    commands.retain(|words| !words.is_empty());
    commands
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

/// The words of a command line that can be names of files: not its programs, not what a search is
/// told to leave out, and without the sign of a redirection.
pub(super) fn names(line: &str) -> Vec<String> {
    const LEFT_OUT: [&str; 3] = ["-path", "-ipath", "-wholename"];
    let mut names = Vec::new();
    for command in simple_commands(line) {
        let mut before = "";
        for word in &command {
            let plain = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&');
            let name = if plain.starts_with(['<', '>']) {
                plain.trim_start_matches(['<', '>', '|', '&'])
            } else {
                word
            };
            if !LEFT_OUT.contains(&before) {
                names.push(name.to_owned());
            }
            before = word;
        }
    }
    names
}

/// Whether a command plainly only looks: simple commands of a short list, nothing the shell would
/// expand into something else, and nothing set for them that makes others of them.
pub(crate) fn only_looks(command: &str) -> bool {
    const LOOKS: [&str; 10] =
        ["ls", "pwd", "cat", "head", "tail", "wc", "echo", "date", "whoami", "stat"];
    let plain = !command.contains(['>', '<', '$', '`', '\n', '(', '{']);
    let commands = parted(command);
    plain && !commands.is_empty() && commands.iter().all(|c| LOOKS.contains(&c[0].as_str()))
}
