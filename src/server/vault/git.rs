//! What we ask of git: a clone, and which commit is newest. Nothing of what is cloned is run: no
//! hook, filter, submodule or helper, no setting of anybody; and what git may fetch, for how long
//! and how much of it is bounded while it runs. Which repository it is, is decided elsewhere.

use super::repo::Repo;
use crate::limits::{
    GIT_ASK_LIMIT, GIT_AT_ONCE_MAX, GIT_CLONE_LIMIT, GIT_LOOK, GIT_SAID_BYTES_MAX,
    PLUGIN_BYTES_MAX, PLUGIN_FILES_MAX,
};
use host::child::{self, Signal};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;
use tokio::sync::Semaphore;
use tokio::time::{Instant, interval, sleep_until, timeout_at};

/// No more of them at once, whoever asks.
static AT_ONCE: Semaphore = Semaphore::const_new(GIT_AT_ONCE_MAX);

/// Variables of the person's that git has: to find keys for SSH, and the way out. Their settings
/// it does not read, which could name programs to run.
const PASSED: [&str; 16] = [
    "HOME",
    "USER",
    "LOGNAME",
    "PATH",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "XDG_RUNTIME_DIR",
];

/// And those that are ours to say: nobody is asked for anything.
const SAID: [(&str, &str); 6] = [
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("LC_ALL", "C"),
];

/// Settings of every call.
const SETTINGS: [&str; 10] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "credential.helper=",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "transfer.fsckObjects=true",
];

/// Why git did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    #[error("there is no git on this machine; install it, then try again")]
    None,
    #[error("git cannot be started")]
    Start(#[source] io::Error),
    #[error("git took longer than {} seconds", .0.as_secs())]
    Slow(Duration),
    #[error("the repository is larger than {max} MiB, or has more than {PLUGIN_FILES_MAX} files",
        max = PLUGIN_BYTES_MAX >> 20)]
    Large,
    #[error("git says: {0}")]
    Refused(String),
    #[error("git says nothing that could be a commit")]
    NoCommit,
}

/// What was cloned.
#[derive(Debug)]
pub(crate) struct Cloned {
    /// Its commit.
    pub(crate) commit: String,
    /// The branch that it is the newest of.
    pub(crate) branch: String,
}

/// Clones the newest commit of a branch, or of the repository's own, into a folder that is not
/// there yet.
pub(crate) async fn clone(
    repo: &Repo,
    branch: Option<&str>,
    into: &Path,
) -> Result<Cloned, GitError> {
    let mut args: Vec<OsString> = ["clone", "--quiet", "--depth=1", "--single-branch", "--no-tags"]
        .map(OsString::from)
        .to_vec();
    args.extend(["--no-recurse-submodules", "--template="].map(OsString::from));
    args.extend(branch.map(|branch| OsString::from(format!("--branch={branch}"))));
    args.extend([OsString::from("--"), repo.url().into(), into.into()]);
    run(repo, &args, GIT_CLONE_LIMIT, Some(into)).await?;
    let at = |words: &[&str]| {
        let there = [OsString::from("-C"), into.into()];
        there.into_iter().chain(words.iter().map(OsString::from)).collect::<Vec<_>>()
    };
    let commit = run(repo, &at(&["rev-parse", "HEAD"]), GIT_ASK_LIMIT, None).await?;
    let branch = at(&["symbolic-ref", "--short", "HEAD"]);
    let branch = run(repo, &branch, GIT_ASK_LIMIT, None).await?;
    let commit = commit_of(&commit).ok_or(GitError::NoCommit)?;
    Ok(Cloned { commit, branch: branch.trim().to_owned() })
}

/// The newest commit of a branch; of the repository's own where none is named.
pub(crate) async fn newest(repo: &Repo, branch: Option<&str>) -> Result<String, GitError> {
    let wanted = branch.map_or("HEAD".into(), |branch| format!("refs/heads/{branch}"));
    let args = ["ls-remote", "--exit-code", "--", repo.url(), &wanted].map(OsString::from);
    let said = run(repo, &args, GIT_ASK_LIMIT, None).await?;
    said.split_whitespace().next().and_then(commit_of).ok_or(GitError::NoCommit)
}

fn commit_of(text: &str) -> Option<String> {
    let text = text.trim();
    let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
    (hex && matches!(text.len(), 40 | 64)).then(|| text.to_owned())
}

/// Runs git, and ends it and all it started when it takes too long, or fills `watched`.
async fn run(
    repo: &Repo,
    args: &[OsString],
    limit: Duration,
    watched: Option<&Path>,
) -> Result<String, GitError> {
    let _one = AT_ONCE.acquire().await.map_err(|_| GitError::None)?;
    let ours = SAID.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let allowed = [(OsString::from("GIT_ALLOW_PROTOCOL"), OsString::from(repo.protocol()))];
    let env = child::passed_on(&PASSED).into_iter().chain(ours).chain(allowed);
    let mut command = child::command_bound(Path::new("git"), Path::new("/"), env);
    command.args(SETTINGS.iter().flat_map(|setting| [OsStr::new("-c"), OsStr::new(setting)]));
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut started = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => GitError::None,
        _ => GitError::Start(error),
    })?;
    let pipes = (started.stdout.take(), started.stderr.take());
    let mut group = Group { pid: started.id(), child: started };
    let (out, told) = (tokio::spawn(heard(pipes.0)), tokio::spawn(heard(pipes.1)));
    let until = Instant::now() + limit;
    let mut look = interval(GIT_LOOK);
    let status = loop {
        tokio::select! {
            ended = group.child.wait() => break ended.map_err(GitError::Start)?,
            () = sleep_until(until) => return Err(GitError::Slow(limit)),
            _ = look.tick() => {
                if let Some(folder) = watched && overfull(folder.to_owned()).await {
                    return Err(GitError::Large);
                }
            }
        }
    };
    group.pid = None;
    // Something that it left behind may hold the pipes.
    let both = timeout_at(until, async { (out.await, told.await) }).await;
    let (Ok(out), Ok(told)) = both.map_err(|_| GitError::Slow(limit))? else {
        return Err(GitError::NoCommit);
    };
    if status.success() { Ok(out) } else { Err(GitError::Refused(reason(&told))) }
}

/// A child and what it has started itself (ssh, a helper for HTTP): none of it outlives this.
struct Group {
    pid: Option<u32>,
    child: Child,
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(pid) = self.pid else { return };
        if let Err(error) = child::kill_group(pid, Signal::Kill) {
            tracing::warn!(pid, %error, "git could not be ended");
        }
    }
}

/// All that a pipe says, and of that as much as is kept.
async fn heard(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        let read = (&mut pipe).take(GIT_SAID_BYTES_MAX).read_to_end(&mut kept).await;
        // A pipe that is full would stop the one who writes.
        let rest = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
        if let Err(error) = read.and(rest.map(|_| 0)) {
            tracing::debug!(%error, "what git said is not known to its end");
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// What of git's words says why, fit to be shown: its last one, and what somebody else said
/// before that (ssh, the other end).
fn reason(told: &str) -> String {
    let lines: Vec<&str> = told.lines().filter(|line| !line.starts_with("Cloning ")).collect();
    let fatal = lines.iter().rposition(|line| line.starts_with("fatal: "));
    let last = fatal.unwrap_or(lines.len().saturating_sub(1));
    let said = lines.iter().take(last + 1).skip(last.saturating_sub(1));
    let said: Vec<&str> = said.map(|line| line.trim_start_matches("fatal: ")).collect();
    let said: String = said.join("; ").chars().filter(|c| !c.is_control()).take(300).collect();
    if said.is_empty() { "it failed without a word".into() } else { said }
}

async fn overfull(folder: PathBuf) -> bool {
    let full = tokio::task::spawn_blocking(move || !fits(&folder));
    full.await.unwrap_or(true)
}

/// Whether what is in a folder that grows is still within the bounds. A file that went meanwhile
/// is none.
fn fits(folder: &Path) -> bool {
    let (mut bytes, mut files, mut folders) = (0, 0, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(found) = entry.metadata() else { continue };
            bytes += found.len();
            files += 1;
            if found.is_dir() {
                folders.push(entry.path());
            }
            if bytes > PLUGIN_BYTES_MAX || files > PLUGIN_FILES_MAX {
                return false;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_one_line_without_anything_odd() {
        let told = "Cloning into '/x'...\nremote: hello\nfatal: not \x1b[31mfound\nmore\n";
        assert_eq!(reason(told), "remote: hello; not [31mfound");
        assert_eq!(reason("Cloning into '/x'...\nfatal: no\n"), "no");
        assert_eq!(reason(""), "it failed without a word");
        assert_eq!(reason(&"x".repeat(1000)).len(), 300);
    }

    /// Has git run these words of a shell, as what it starts itself would.
    async fn doing(
        words: &str,
        limit: Duration,
        watched: Option<&Path>,
    ) -> Result<String, GitError> {
        let repo = Repo::parse("https://example.org/x", false).expect("an address");
        let args = ["-c", &format!("alias.x=!{words}"), "x"].map(OsString::from);
        run(&repo, &args, limit, watched).await
    }

    /// Waits until a process has ended; one that has and was not waited for yet is a zombie.
    fn has_ended(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        let state = stat.map(|stat| stat.rsplit(") ").next().unwrap_or_default().to_owned());
        state.is_err() || state.is_ok_and(|state| state.starts_with('Z'))
    }

    #[tokio::test]
    async fn trap_t76_what_takes_too_long_is_ended_with_all_it_started() {
        let top = tempfile::tempdir().expect("a folder");
        let (pid, begun) = (top.path().join("pid"), top.path().join("begun"));
        let words = format!(
            "sh -c 'echo $$ >{pid}; mv {pid} {begun}; exec sleep 600'; true",
            pid = pid.display(),
            begun = begun.display()
        );
        let mut limit = Duration::from_millis(200);
        while !begun.exists() {
            let ended = doing(&words, limit, None).await;
            assert!(matches!(ended, Err(GitError::Slow(_))), "{ended:?}");
            limit *= 2;
        }
        let pid = std::fs::read_to_string(begun).expect("a process");
        let patience = Instant::now() + Duration::from_secs(20);
        while !has_ended(&pid) {
            assert!(Instant::now() < patience, "{pid} runs on");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_fills_the_disk_is_ended_while_it_does() {
        let top = tempfile::tempdir().expect("a folder");
        let file = top.path().join("deep/file");
        let words = format!(
            "mkdir -p {folder}; truncate -s {size} {file}; exec sleep 600",
            folder = top.path().join("deep").display(),
            size = PLUGIN_BYTES_MAX + 1,
            file = file.display()
        );
        let ended = doing(&words, Duration::from_secs(60), Some(top.path())).await;
        assert!(matches!(ended, Err(GitError::Large)), "{ended:?}");
    }

    #[tokio::test]
    async fn git_is_told_nothing_of_ours_and_speaks_one_protocol() {
        let env = doing("env", Duration::from_secs(60), None).await.expect("an environment");
        let allowed: Vec<&str> = PASSED.into_iter().chain(SAID.map(|(name, _)| name)).collect();
        for line in env.lines() {
            let name = line.split('=').next().unwrap_or_default();
            let of_git = ["GIT_ALLOW_PROTOCOL", "GIT_CONFIG_PARAMETERS", "GIT_EXEC_PATH"];
            let of_shell = ["PWD", "OLDPWD", "SHLVL", "_", "GIT_PREFIX"];
            let known = allowed.contains(&name) || of_git.contains(&name);
            assert!(known || of_shell.contains(&name), "{line}");
        }
        assert!(env.lines().any(|line| line == "GIT_ALLOW_PROTOCOL=https"), "{env}");
        let refused = doing("echo fatal: no >&2; exit 1", Duration::from_secs(60), None).await;
        assert!(matches!(refused, Err(GitError::Refused(why)) if why == "no"));
    }

    #[test]
    fn a_commit_is_hexadecimal_and_whole() {
        assert!(commit_of(&"a1".repeat(20)).is_some());
        assert!(commit_of(&"a1".repeat(32)).is_some());
        for bad in ["", "HEAD", "--upload-pack=x", &"a".repeat(39), &"g".repeat(40)] {
            assert_eq!(commit_of(bad), None, "{bad}");
        }
    }
}
