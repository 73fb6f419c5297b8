//! What walls cost, beside none: how late a turn's events are at the levels `sandboxed` and
//! `vault`, with the scripted CLI; and what of the machine's memory a live session holds that does
//! nothing, with the real CLI ($CLAUDE) and a scripted vendor.
//!
//! It builds the sandbox's image anew, of the base `parachute-base`, and so wants an engine of its
//! own, which scripts/bench boots for it.
#![allow(clippy::disallowed_methods, reason = "the bench starts programs as a person would")]

use crate::load::percentile;
use crate::place::{OURS, Place, memory};
use crate::report::{Part, Report, Rounds, Row};
use crate::turns::{Speech, ask_at, other, post};
use http_body_util::BodyExt;
use serde_json::json;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BASE: &str = "parachute-base";
/// The first of them warms up and is not counted.
const ROUNDS: usize = 10;
const BEGIN: Speech = Speech { tokens: 10, delay_us: 0 };
const GO_ON: Speech = Speech { tokens: 200, delay_us: 5000 };
const LEVELS: [&str; 3] = ["sandboxed", "vault", "full"];
/// Sessions of each level that live at once.
const LIVE: usize = 8;
/// For the CLI to have done what it does after its first turn.
const SETTLED: Duration = Duration::from_secs(10);

pub(crate) async fn measure() -> io::Result<Report> {
    let before = crate::load_average()?;
    let mut parts = late().await?;
    parts.push(held().await?);
    let cpus = std::thread::available_parallelism()?.get();
    Ok(Report { cpus, load_average: [before, crate::load_average()?], parts })
}

/// Has the server build the image, of the CLI that it knows.
async fn build(to: SocketAddr) -> io::Result<()> {
    let said = post(to, "/api/sandbox/build", String::new()).await?;
    let said = said.collect().await.map_err(other)?.to_bytes();
    let said = String::from_utf8_lossy(&said);
    if said.contains("\"build_complete\"") { Ok(()) } else { Err(io::Error::other(said)) }
}

/// What one level took, round by round.
type Took = [Vec<f64>; 5];

async fn late() -> io::Result<Vec<Part>> {
    let place = Place::new()?.with("SANDBOX_BASE", BASE);
    let sockets = place.sockets("server.sock")?;
    let _server = place.start(&OURS, &sockets)?;
    let to = sockets.address()?;
    build(to).await?;
    let mut all: [Took; 3] = Default::default();
    let milliseconds = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e3;
    for round in 0..ROUNDS {
        for (level, took) in LEVELS.iter().zip(&mut all) {
            let new = ask_at(level, to, None, BEGIN).await?;
            let mut next = ask_at(level, to, Some(&new.session), GO_ON).await?;
            let values = [
                milliseconds(new.asked, new.begun),
                milliseconds(new.asked, new.first),
                milliseconds(next.asked, next.begun),
                milliseconds(next.asked, next.first),
                percentile(&mut next.delays, 50),
            ];
            if round > 0 {
                took.iter_mut().zip(values).for_each(|(all, value)| all.push(value));
            }
        }
    }
    let [sandboxed, vault, full] = all;
    let part = |title, walled: Took| {
        let names = [
            ("a new session's first event", "ms"),
            ("a new session's first token", "ms"),
            ("a live session's first event", "ms"),
            ("a live session's first token", "ms"),
            ("delay of an event at 200 tokens/s", "p50 us"),
        ];
        let rounds = walled.into_iter().zip(full.clone());
        let rows = names
            .into_iter()
            .zip(rounds)
            .map(|((what, unit), (ours, beside))| Row::new(what, unit, Rounds { ours, beside }));
        Part { title, beside: "full", rows: rows.collect() }
    };
    Ok(vec![part("Trust level sandboxed", sandboxed), part("Trust level vault", vault)])
}

/// The vendor's stand-in; ended when it is dropped.
struct Vendor(Child);

impl Vendor {
    fn start(program: &Path) -> io::Result<(Vendor, String)> {
        let mut command = Command::new(program);
        command.args(["--port", "0"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let out = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let vendor = Vendor(child);
        let mut url = String::new();
        BufReader::new(out).read_line(&mut url)?;
        Ok((vendor, url.trim().to_owned()))
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn held() -> io::Result<Part> {
    let claude = std::env::var_os("CLAUDE").map(PathBuf::from);
    let claude = claude.ok_or_else(|| io::Error::other("$CLAUDE does not say where the CLI is"))?;
    let place = Place::new()?.with("SANDBOX_BASE", BASE).with("CLAUDE_PATH", claude);
    let (_vendor, url) = Vendor::start(&place.program("scripted-api"))?;
    let place = place.with("ANTHROPIC_BASE_URL", url);
    let sockets = place.sockets("server.sock")?;
    let _server = place.start(&OURS, &sockets)?;
    let to = sockets.address()?;
    build(to).await?;
    let mut rows = Vec::new();
    let mut plain = None;
    for level in ["full", "vault", "sandboxed"] {
        for _ in 0..LIVE {
            let body = json!({ "message": "[[scripted:say]]", "trustLevel": level });
            let said = post(to, "/api/chat", body.to_string()).await?;
            let said = said.collect().await.map_err(other)?.to_bytes();
            if memchr::memmem::find(&said, b"\"type\":\"done\"").is_none() {
                return Err(io::Error::other(String::from_utf8_lossy(&said).into_owned()));
            }
        }
        tokio::time::sleep(SETTLED).await;
        let cost = Cost::of(&place)?;
        rows.extend(cost.rows(level, plain.get_or_insert(cost)));
        place.end_agents()?;
    }
    Ok(Part { title: "Memory of a live, idle session (8 at once)", beside: "full", rows })
}

/// What a session holds, in MB.
#[derive(Clone, Copy, Default)]
struct Cost {
    agent: f64,
    cli: f64,
    /// The engine's process beside each container: not ours, so that what it shares is unknown.
    shim: f64,
    /// As the kernel charges it to the container, with files that it read.
    group: f64,
}

impl Cost {
    /// Of all that live here, the part of one.
    fn of(place: &Place) -> io::Result<Cost> {
        // Not those of its processes that build walls.
        let is_agent = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).any(|word| word == b"--session")
        };
        let agents: Vec<u32> = place.agents()?.into_iter().filter(is_agent).collect();
        let listed = Command::new("docker")
            .args(["ps", "-q", "--no-trunc", "--filter", "label=io.openparachute.session"])
            .output()?;
        let containers = String::from_utf8_lossy(&listed.stdout).into_owned();
        let containers: Vec<&str> = containers.lines().collect();
        let mut all = Cost::default();
        let mut groups = Vec::new();
        for pid in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = pid.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let (line, within) = (read("cmdline"), read("cgroup"));
            let (line, within) = (String::from_utf8_lossy(&line), String::from_utf8_lossy(&within));
            let has = |text: &str| containers.iter().any(|id| text.contains(id));
            if agents.contains(&pid) {
                all.agent += held_by(pid);
            } else if has(&within) || descends(pid, &agents) {
                all.cli += held_by(pid);
                groups.extend(group(&within));
            } else if has(&line) && line.contains("shim") {
                all.shim += resident(pid, "VmRSS:");
            }
        }
        groups.sort();
        groups.dedup();
        for group in groups.iter().filter(|_| !containers.is_empty()) {
            let bytes = fs::read_to_string(group)?.trim().parse::<f64>().map_err(other)?;
            all.group += bytes / 1e6;
        }
        let live = agents.len() as f64;
        let Cost { agent, cli, shim, group } = all;
        Ok(Cost { agent: agent / live, cli: cli / live, shim: shim / live, group: group / live })
    }

    fn whole(&self) -> f64 {
        self.agent + self.cli + self.shim
    }

    fn rows(&self, level: &'static str, plain: &Cost) -> Vec<Row> {
        let row = |unit, ours: f64, beside: Option<f64>| {
            let (ours, beside) = (vec![ours], beside.into_iter().collect());
            Row::new(level, unit, Rounds { ours, beside })
        };
        let mut rows = vec![
            row("MB of its agent, PSS", self.agent, Some(plain.agent)),
            row("MB of its CLI, PSS", self.cli, Some(plain.cli)),
        ];
        if self.shim > 0.0 {
            rows.push(row("MB of the engine's shim, RSS", self.shim, None));
            rows.push(row("MB charged to its container", self.group, None));
        }
        rows.push(row("sessions to a GB", 1e3 / self.whole(), Some(1e3 / plain.whole())));
        rows
    }
}

/// What a process holds, in MB, with its part of what it shares; without that where nobody may
/// look into it, as into the one that builds an agent's walls.
fn held_by(pid: u32) -> f64 {
    memory(pid).map_or_else(|_| resident(pid, "RssAnon:"), |memory| memory.pss)
}

/// So much of what is resident of a process, in MB; 0 of one that is gone.
fn resident(pid: u32, which: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let rss = status.lines().find_map(|line| line.strip_prefix(which));
    let kib = rss.and_then(|rss| rss.trim().split(' ').next()?.parse::<f64>().ok());
    kib.unwrap_or_default() * 1024.0 / 1e6
}

/// Whether a process was begun by one of these, or by what they began.
fn descends(pid: u32, from: &[u32]) -> bool {
    let mut at = pid;
    while at > 1 {
        let stat = fs::read_to_string(format!("/proc/{at}/stat")).unwrap_or_default();
        // After the name, which may have anything in it: the state, then the parent.
        let parent =
            stat.rsplit_once(')').and_then(|(_, rest)| rest.split(' ').nth(2)?.parse().ok());
        at = parent.unwrap_or_default();
        if from.contains(&at) {
            return true;
        }
    }
    false
}

/// The kernel's file with what is charged to a group, by a process's list of groups.
fn group(within: &str) -> Option<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let named = |name: &str| {
        let mut lines = within.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        lines.find(|(controllers, _)| controllers.split(',').any(|c| c == name)).map(|(_, g)| g)
    };
    let below = |group: &str| group.trim_start_matches('/').to_owned();
    let old = named("memory")
        .map(|group| root.join("memory").join(below(group)).join("memory.usage_in_bytes"));
    let new = named("").map(|group| root.join(below(group)).join("memory.current"));
    old.into_iter().chain(new).find(|file| file.exists())
}
