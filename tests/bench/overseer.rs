//! The supervisor under the user's own systemd, which scripts/bench boots for it: lines of the
//! journal beside journalctl itself, how late a line comes, requests beside a bare hyper server,
//! cold start and memory.
#![allow(clippy::disallowed_methods, reason = "the bench starts programs as a person would")]

use crate::load::{LOAD_TIME, load, percentile};
use crate::place::{BARE, Place, memory};
use crate::report::{Part, Report, Rounds, Row, Target};
use memchr::memmem;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const PORT: u16 = 3334;
const UNIT: &str = "parachute-supervisor.service";
const SLICE: &str = "parachute-agents.slice";
/// Lines of the journal that are read, and how often.
const LINES: usize = 100_000;
const READINGS: usize = 7;
/// Lines that are waited for one by one.
const STAMPED: usize = 200;
const FOLLOWERS: usize = 20;
const LOADS: usize = 9;
const COLD_STARTS: usize = 15;
/// For anything to happen.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn measure() -> io::Result<Report> {
    let before = crate::load_average()?;
    let start = vec![cold_starts()?];
    let idle = resident("idle supervisor", Some(6.0), Some((104.0, 54.0)))?;
    let requests = requests().await?;
    let loaded = resident("supervisor after HTTP load", None, None)?;
    let journal = journal()?;
    let [rss, pss] = followed()?;
    let memory = start.into_iter().chain(idle).chain(loaded).chain([rss, pss]).collect();
    let part = |title, beside, rows| Part { title, beside, rows };
    Ok(Report {
        cpus: std::thread::available_parallelism()?.get(),
        load_average: [before, crate::load_average()?],
        parts: vec![
            part("The supervisor's logs", "journalctl", journal),
            part("The supervisor's requests (8 clients)", "bare hyper", requests),
            part("The supervisor's start and memory", "", memory),
        ],
    })
}

fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], PORT))
}

fn systemctl(arguments: &[&str]) -> io::Result<String> {
    let ran = Command::new("systemctl").arg("--user").args(arguments).output()?;
    match ran.status.success() {
        true => Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned()),
        false => Err(io::Error::other(String::from_utf8_lossy(&ran.stderr).into_owned())),
    }
}

/// An answer as it comes; without chunks, for in HTTP/1.0 there are none.
fn get(path: &str, header: &str) -> io::Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: localhost\r\n{header}\r\n")?;
    let mut reader = BufReader::with_capacity(256 * 1024, stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    if !line.contains(" 200 ") {
        return Err(io::Error::other(line));
    }
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line)?;
    }
    Ok(reader)
}

fn cold_starts() -> io::Result<Row> {
    let mut rounds = Rounds::default();
    for _ in 0..COLD_STARTS {
        systemctl(&["stop", UNIT])?;
        let begun = Instant::now();
        let mut answer = get("/supervisor/status", "")?;
        answer.read_exact(&mut [0])?;
        rounds.ours.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Row::new("connect to first byte, nothing running, under systemd", "ms", rounds))
}

fn resident(
    what: &'static str,
    most: Option<f64>,
    was: Option<(f64, f64)>,
) -> io::Result<[Row; 2]> {
    let pid = systemctl(&["show", "--value", "-p", "MainPID", UNIT])?;
    let took = memory(pid.parse().map_err(io::Error::other)?)?;
    let row = |unit, megabytes| {
        let row = Row::new(what, unit, Rounds { ours: vec![megabytes], beside: Vec::new() });
        most.into_iter().fold(row, |row, most| row.aim(Target::AtMost(most)))
    };
    let (rss, pss) = (row("MB RSS", took.rss), row("MB PSS", took.pss));
    Ok(match was {
        Some((loaded_rss, idle_pss)) => [rss.was(loaded_rss), pss.was(idle_pss)],
        None => [rss, pss],
    })
}

async fn requests() -> io::Result<Vec<Row>> {
    let place = Place::new()?;
    let sockets = place.sockets("bare.sock")?;
    let _bare = place.start(&BARE, &sockets)?;
    let mut rows = Vec::new();
    for path in ["/supervisor/status", "/supervisor/config"] {
        let paths = [path.to_owned()];
        let mut rounds = Rounds::default();
        load(address(), &paths, LOAD_TIME).await?;
        for _ in 0..LOADS {
            let ours = load(address(), &paths, LOAD_TIME).await?;
            let bare = load(sockets.address()?, &paths, LOAD_TIME).await?;
            rounds.push(ours.per_second, bare.per_second);
        }
        rows.push(Row::new(path, "requests/s", rounds));
    }
    Ok(rows)
}

/// A unit of the suite that writes so many lines at full speed, and stays: journald asks the
/// kernel of which unit a process is that has written, and learns nothing of one that is gone.
struct Flood(String);

impl Flood {
    fn of(name: &str, script: &str) -> io::Result<Flood> {
        let unit = format!("parachute-{name}.service");
        let script = format!("{script}; exec sleep infinity");
        let run = ["--user", "--quiet", "--collect", "--slice", SLICE, "--unit", &unit];
        let ran = Command::new("systemd-run").args(run).args(["bash", "-c", &script]).status()?;
        if ran.success() { Ok(Flood(unit)) } else { Err(io::Error::other("systemd-run failed")) }
    }

    fn lines(name: &str, count: usize) -> io::Result<Flood> {
        let line = "of a line that is about as long as most are";
        let echo = format!("echo \"{name} $i {line}\"");
        Flood::of(name, &format!("for ((i = 1; i <= {count}; i++)); do {echo}; done"))
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        if let Err(error) = systemctl(&["stop", &self.0]) {
            eprintln!("{} is left behind: {error}", self.0);
        }
    }
}

fn journal() -> io::Result<Vec<Row>> {
    // Where the lines begin.
    let mut first = get("/supervisor/logs?follow=false&lines=1", "")?;
    let mut text = String::new();
    first.read_to_string(&mut text)?;
    let cursor = text.lines().find_map(|line| line.strip_prefix("id: "));
    let cursor = cursor.ok_or_else(|| io::Error::other("an empty journal"))?.to_owned();
    let flood = Flood::lines("flood", LINES)?;
    let mut rounds = Rounds::default();
    ours(&cursor)?;
    straight(&cursor)?;
    for _ in 0..READINGS {
        rounds.push(ours(&cursor)?, straight(&cursor)?);
    }
    drop(flood);
    let speed = Row::new("the journal, read to its end", "lines/s", rounds);
    Ok(vec![speed.aim(Target::PartOf(0.7)), late()?])
}

/// Lines a second through the supervisor.
fn ours(after: &str) -> io::Result<f64> {
    let begun = Instant::now();
    let mut stream = get("/supervisor/logs", &format!("last-event-id: {after}\r\n"))?;
    count(&mut stream, b"\"message\":\"flood ", begun)
}

/// Lines a second as journalctl itself gives them, with the same matches.
fn straight(after: &str) -> io::Result<f64> {
    let begun = Instant::now();
    let mut child = Command::new("journalctl")
        .args(["--user", "-o", "json", "--all", "--no-pager"])
        // The other, --after-cursor, passes over a line where the entry itself does not match.
        .arg(format!("--cursor={after}"))
        .arg(format!("_SYSTEMD_USER_SLICE={SLICE}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut out = child.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?;
    let speed = count(&mut out, b"\"MESSAGE\":\"flood ", begun);
    child.kill()?;
    child.wait()?;
    speed
}

/// Reads until all lines were seen.
fn count(from: &mut impl Read, mark: &[u8], begun: Instant) -> io::Result<f64> {
    let finder = memmem::Finder::new(mark);
    let mut buffer = vec![0; 256 * 1024];
    let (mut kept, mut seen) = (0, 0);
    while seen < LINES {
        let read = from.read(&mut buffer[kept..])?;
        if read == 0 || begun.elapsed() > PATIENCE {
            return Err(io::Error::other(format!("{seen} of {LINES} lines came")));
        }
        let whole = kept + read;
        seen += finder.find_iter(&buffer[..whole]).count();
        // What may be the begin of a mark, which is counted when it is whole.
        kept = whole.min(mark.len() - 1);
        buffer.copy_within(whole - kept..whole, 0);
    }
    Ok(LINES as f64 / begun.elapsed().as_secs_f64())
}

/// How late lines come that say when they were written.
fn late() -> io::Result<Row> {
    let mut stream = get("/supervisor/logs?lines=0", "")?;
    let stamp = "echo stamp $EPOCHREALTIME; sleep 0.0$((RANDOM % 9 + 1))";
    let _flood = Flood::of("stamps", &format!("for i in {{1..{STAMPED}}}; do {stamp}; done"))?;
    let (mut millis, mut line, begun) = (Vec::new(), String::new(), Instant::now());
    while millis.len() < STAMPED {
        line.clear();
        if stream.read_line(&mut line)? == 0 || begun.elapsed() > PATIENCE {
            return Err(io::Error::other(format!("{} stamped lines came", millis.len())));
        }
        // Seconds and microseconds.
        let stamp = line.split_once("\"message\":\"stamp ").and_then(|(_, rest)| rest.get(..17));
        if let Some(written) = stamp.and_then(|stamp| stamp.replace('.', "").parse::<u128>().ok()) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
            millis.push(now.as_micros().saturating_sub(written) as f64 / 1e3);
        }
    }
    let middle = percentile(&mut millis, 50);
    let rounds = Rounds { ours: vec![middle], beside: Vec::new() };
    Ok(Row::new("from a line's writing to its event", "ms p50", rounds).aim(Target::AtMost(50.0)))
}

/// Memory while twenty follow, after a flood that each of them has read.
fn followed() -> io::Result<[Row; 2]> {
    let mut followers = Vec::new();
    for _ in 0..FOLLOWERS {
        let mut stream = get("/supervisor/logs?lines=1", "")?;
        stream.read_exact(&mut [0])?;
        followers.push(std::thread::spawn(move || {
            let end = format!("\"message\":\"wave {} of", LINES / 10);
            let mut line = String::new();
            while !line.contains(&end) && stream.read_line(&mut line).is_ok_and(|read| read > 0) {
                if !line.contains(&end) {
                    line.clear();
                }
            }
            stream
        }));
    }
    let _flood = Flood::lines("wave", LINES / 10)?;
    let streams: Vec<_> = followers.into_iter().filter_map(|f| f.join().ok()).collect();
    let rows = resident("supervisor with 20 followers of its logs", None, None)?;
    drop(streams);
    Ok(rows)
}
