//! Starting other programs: the only way here, and nothing is passed on that is not named.
//!
//! We may hold listening sockets, `NOTIFY_SOCKET` and credentials; a child that inherited them
//! could answer our port or speak for us. So a child gets the environment it was given, three
//! standard streams, and a process group of its own. What it does with them is not our matter.

use crate::{Machine, Native};
use rustix::process::Resource;
use std::ffi::{OsStr, OsString, c_int};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;

/// Highest descriptor looked at where the kernel cannot mark them all in one call.
const DESCRIPTOR_MAX: u64 = 65_536;

/// What a detached child writes to its standard output once it serves.
const READY: &str = "ready";

/// Longest such line read before it is taken for something else, in bytes.
const READY_BYTES_MAX: u64 = 256;

/// Variables by which a manager speaks to one process and no other.
const OURS_ALONE: [&str; 8] = [
    "CREDENTIALS_DIRECTORY",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// Variables of a person's session that every program of theirs may have: to find folders,
/// speak their language and reach the network. No secret is among them, and none of ours.
pub const PERSONAL: [&str; 27] = [
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PATH",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TERM",
    "TMPDIR",
    "EDITOR",
    "XDG_*",
    "DBUS_SESSION_BUS_ADDRESS",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "CLAUDE_CONFIG_DIR",
    "DOCKER_HOST",
];

/// Where programs are looked for if nothing is said.
pub const PATH_OTHERWISE: &str = "/usr/local/bin:/usr/bin:/bin";

/// Where a person's own installers put programs, below the home and elsewhere.
const AT_HOME: [&str; 5] =
    [".local/bin", ".claude/local", ".npm-global/bin", ".bun/bin", "node_modules/.bin"];
const ELSEWHERE: [&str; 2] = ["/usr/local/bin", "/opt/homebrew/bin"];

/// The program of this name: on `PATH`, then where installers put it. None: nowhere.
pub fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| PATH_OTHERWISE.into());
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let at_home = home.iter().flat_map(|home| AT_HOME.iter().map(|dir| home.join(dir)));
    std::env::split_paths(&path)
        .chain(at_home)
        .chain(ELSEWHERE.map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| file.is_absolute() && file.is_file())
}

/// What to tell the processes of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Stop what you are doing (SIGINT).
    Interrupt,
    /// End (SIGTERM).
    Terminate,
    /// Be ended (SIGKILL).
    Kill,
}

/// A command that runs `program` in `dir` with `env` and nothing else of ours: no variable, no
/// descriptor, no terminal's signals. Its streams are null unless the caller sets others, and
/// it is killed when its `Child` is dropped; its own children are not (see [`kill_group`]).
///
/// A `program` without a slash is looked for in the `PATH` that `env` holds.
pub fn command(
    program: &Path,
    dir: &Path,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Command {
    let mut command = bare(program, dir, env);
    command.process_group(0).kill_on_drop(true);
    shed(&mut command);
    command
}

/// The same, for a child that must not outlive us: the kernel kills it when we end, however
/// that happens. On Linux only; elsewhere it is [`command`].
///
/// Trap: Linux means the *thread* that spawned it. Spawn from one that lives as long as the
/// program, never from a blocking task.
pub fn command_bound(
    program: &Path,
    dir: &Path,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Command {
    let mut command = self::command(program, dir, env);
    let parent = std::process::id();
    let bind = move || Native::bind(parent);
    // SAFETY: `bind` makes system calls only; it neither allocates nor takes a lock.
    #[allow(unsafe_code, reason = "no other way to act between fork and exec")]
    unsafe {
        command.pre_exec(bind)
    };
    command
}

/// Starts `program` (an absolute path) in a session of its own, to live on when we end. Its
/// folder is `/`, its input null, its output a pipe on which it says that it is ready, and its
/// errors go to the file `log` (mode 0600, emptied first). We reap it when it ends before us.
///
/// Has to be called within a tokio runtime.
pub fn detached(
    program: &Path,
    args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    log: &Path,
) -> io::Result<Detached> {
    let mut command = bare(program, Path::new("/"), env);
    command.args(args).stdout(Stdio::piped()).stderr(private_file(log)?);
    let leave = || rustix::process::setsid().map(drop).map_err(io::Error::from);
    // SAFETY: `leave` is one system call, and turning its error into an `io::Error` allocates
    // nothing.
    #[allow(unsafe_code, reason = "no other way to act between fork and exec")]
    unsafe {
        command.pre_exec(leave)
    };
    shed(&mut command);
    let mut child = command.spawn()?;
    let pid = child.id().expect("a child that was not awaited has its id");
    let announced = child.stdout.take().map(BufReader::new);
    let (tell, ended) = watch::channel(None);
    tokio::spawn(reap(child, pid, tell));
    Ok(Detached { pid, announced, ended })
}

async fn reap(mut child: Child, pid: u32, tell: watch::Sender<Option<ExitStatus>>) {
    match child.wait().await {
        Ok(status) => {
            tracing::debug!(pid, %status, "a detached child ended");
            tell.send_replace(Some(status));
        }
        Err(error) => tracing::warn!(pid, %error, "could not wait for a detached child"),
    }
}

/// A program in a session of its own, which dropping this does not end. Its process id is also
/// the id of its group, for [`kill_group`].
#[derive(Debug)]
pub struct Detached {
    /// Its process id; meaningless once it ended.
    pub pid: u32,
    announced: Option<BufReader<ChildStdout>>,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Detached {
    /// Waits until the child said [`announce_ready`], then closes the pipe. An error of kind
    /// `TimedOut` says that it did not within `limit`; it runs on then. Others say how it ended,
    /// or what it wrote instead.
    pub async fn wait_ready(&mut self, limit: Duration) -> io::Result<()> {
        let waited = tokio::time::timeout(limit, self.read_ready()).await;
        waited.unwrap_or_else(|_| {
            let said = format!("not ready within {} s", limit.as_secs_f32());
            Err(io::Error::new(io::ErrorKind::TimedOut, said))
        })
    }

    async fn read_ready(&mut self) -> io::Result<()> {
        let Some(output) = self.announced.as_mut() else {
            return Ok(());
        };
        let mut line = Vec::new();
        output.take(READY_BYTES_MAX).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            let said = format!("it ended before it was ready: {}", self.ended().await?);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, said));
        }
        if line.trim_ascii() != READY.as_bytes() {
            let line = String::from_utf8_lossy(&line);
            let said = format!("it said {:?} and not that it is ready", line.trim());
            return Err(io::Error::new(io::ErrorKind::InvalidData, said));
        }
        self.announced = None;
        Ok(())
    }

    /// Waits until the child ended.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        let ended = self.ended.wait_for(Option::is_some).await;
        let lost = || io::Error::other("nobody could wait for it");
        ended.ok().and_then(|status| *status).ok_or_else(lost)
    }
}

/// The child's side of [`Detached::wait_ready`]. Nothing else may be written to standard output
/// before; afterwards nobody reads it.
pub fn announce_ready() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{READY}")?;
    out.flush()
}

/// Signals every process of the group `pid`. One that is gone already is no error; an id that
/// would mean ourselves or everybody (0, 1) is.
pub fn kill_group(pid: u32, signal: Signal) -> io::Result<()> {
    let group = i32::try_from(pid).ok().filter(|raw| *raw > 1);
    let group = group.and_then(rustix::process::Pid::from_raw).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{pid} is no group of a child"))
    })?;
    let signal = match signal {
        Signal::Interrupt => rustix::process::Signal::INT,
        Signal::Terminate => rustix::process::Signal::TERM,
        Signal::Kill => rustix::process::Signal::KILL,
    };
    match rustix::process::kill_process_group(group, signal) {
        Err(rustix::io::Errno::SRCH) => Ok(()),
        done => Ok(done?),
    }
}

/// Those of our own variables that `names` lists and that are set, to be given to a child. A
/// name that ends in `*` stands for all that begin so. What a service manager told this process
/// alone (`NOTIFY_SOCKET` and its kin) is never among them.
pub fn passed_on(names: &[&str]) -> Vec<(OsString, OsString)> {
    let wanted = |name: &OsStr| {
        let listed = |entry: &&str| match entry.strip_suffix('*') {
            Some(start) => name.as_bytes().starts_with(start.as_bytes()),
            None => name == OsStr::new(entry),
        };
        names.iter().any(listed) && !OURS_ALONE.iter().any(|own| name == OsStr::new(own))
    };
    std::env::vars_os().filter(|(name, _)| wanted(name)).collect()
}

#[allow(clippy::disallowed_methods, reason = "this is the place where children are started")]
fn bare(
    program: &Path,
    dir: &Path,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).env_clear().envs(env);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Leaves every descriptor but the standard streams behind at exec. Ours are close-on-exec
/// already; this is for those that came with us or that a library made.
fn shed(command: &mut Command) {
    let open = rustix::process::getrlimit(Resource::Nofile).current;
    let limit = open.unwrap_or(DESCRIPTOR_MAX).min(DESCRIPTOR_MAX);
    let limit = c_int::try_from(limit).expect("bounded above");
    let shed = move || {
        Native::shed(limit);
        Ok(())
    };
    // SAFETY: `shed` makes system calls only; it neither allocates nor takes a lock.
    #[allow(unsafe_code, reason = "no other way to act between fork and exec")]
    unsafe {
        command.pre_exec(shed)
    };
}

/// Marks the descriptors from 3 up to `limit` close-on-exec, one system call each. What is not
/// open answers with an error that says just that.
#[allow(unsafe_code, reason = "descriptors that no value owns have no safe handle")]
pub(crate) fn shed_one_by_one(limit: c_int) {
    for fd in 3..limit {
        // SAFETY: changes a flag of a descriptor number; touches no memory.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Writes a file that only its owner may read.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    private_file(path)?.write_all(bytes)
}

/// Opens a file for its owner alone, emptied.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let file = options.custom_flags(libc::O_NOFOLLOW).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}
