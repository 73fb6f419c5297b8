//! `parachute-bench`: what part 1 aims at, measured in one run beside a bare hyper server and
//! beside the CLI's own pipe. Plays the service manager for release builds of the real programs,
//! drives the scripted CLI, speaks over loopback only, and leaves nothing behind.
//!
//! It tunes nothing: the settings are the defaults but for the number of agents that may live.

mod asker;
mod bare;
mod brain;
mod load;
mod notes;
mod overseer;
mod place;
mod report;
mod sandbox;
mod sync;
mod turns;

use load::{LOAD_TIME, cold_start, load, percentile};
use place::{BARE, OURS, Place, Program, Sockets};
use report::{Part, Report, Rounds, Row, Target};
use rusqlite::Connection;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use turns::{Heard, Speech, ask, ask_at, straight};

const USAGE: &str = "usage: parachute-bench [--overseer | --sandbox | --brain | --sync] [--json]";
const SESSIONS: u32 = 10_000;
/// Rounds of load, and how long each lasts; the first of each is a warm-up and not counted.
const LOADS: usize = 15;
const COLD_STARTS: usize = 20;
const TURNS: usize = 3;
/// 200 tokens a second, as a fast model speaks.
const STEADY: Speech = Speech { tokens: 800, delay_us: 5000 };
const FLAT_OUT: Speech = Speech { tokens: 500_000, delay_us: 0 };
const SIXTEENTH: Speech = Speech { tokens: FLAT_OUT.tokens / 16, delay_us: 0 };
const SHORT: Speech = Speech { tokens: 40, delay_us: 0 };

/// Runs the program.
#[allow(clippy::print_stdout, reason = "the report is what this program is for")]
pub fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let as_json = |report: Report| serde_json::to_string_pretty(&report).map_err(io::Error::other);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.and_then(|runtime| match asked[..] {
        ["--bare"] => runtime.block_on(bare::serve()).map(|()| String::new()),
        ["--json"] => runtime.block_on(measure()).and_then(as_json),
        [] => runtime.block_on(measure()).map(|report| report.table()),
        ["--brain", "--json"] => runtime.block_on(brain::measure()).and_then(as_json),
        ["--brain"] => runtime.block_on(brain::measure()).map(|report| report.table()),
        ["--sync", "--json"] => runtime.block_on(sync::measure()).and_then(as_json),
        ["--sync"] => runtime.block_on(sync::measure()).map(|report| report.table()),
        ["--overseer", "--json"] => runtime.block_on(overseer::measure()).and_then(as_json),
        ["--overseer"] => runtime.block_on(overseer::measure()).map(|report| report.table()),
        ["--sandbox", "--json"] => runtime.block_on(sandbox::measure()).and_then(as_json),
        ["--sandbox"] => runtime.block_on(sandbox::measure()).map(|report| report.table()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, USAGE)),
    });
    match ended {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("parachute-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The two servers under measurement.
struct Pair {
    ours: Program,
    bare: Program,
    to: SocketAddr,
    to_bare: SocketAddr,
}

async fn measure() -> io::Result<Report> {
    let before = load_average()?;
    let place = Place::new()?;
    let (sockets, bare) = (place.sockets("server.sock")?, place.sockets("bare.sock")?);
    let session = seed(&place, &sockets).await?;
    let mut start = vec![cold_starts(&place, &sockets, &bare)?];
    let pair = Pair {
        ours: place.start(&OURS, &sockets)?,
        bare: place.start(&BARE, &bare)?,
        to: sockets.address()?,
        to_bare: bare.address()?,
    };
    // Awake, and nothing more.
    gets(&pair, &["/api/health".to_owned()], Duration::ZERO).await?;
    start.extend(servers(&pair, "idle server RSS", "idle server PSS", Some(10.0))?);
    let requests = requests(&pair, &session).await?;
    start.extend(servers(&pair, "server after HTTP load RSS", "server after HTTP load PSS", None)?);
    let (rss, pss) = ("idle agent without its CLI, RSS", "idle agent without its CLI, PSS");
    start.extend(agents(&place, rss, pss, Some(5.0))?);
    let events = events(&place, &pair).await?;
    start.extend(servers(&pair, "server after all RSS", "server after all PSS", None)?);
    start.extend(agents(
        &place,
        "largest agent after all, RSS",
        "largest agent after all, PSS",
        None,
    )?);
    let walls = confined(&pair).await?;
    drop(pair);
    Ok(Report {
        cpus: std::thread::available_parallelism()?.get(),
        load_average: [before, load_average()?],
        parts: vec![requests, part("Start and memory", "bare hyper", start), events, walls],
    })
}

fn part(title: &'static str, beside: &'static str, rows: Vec<Row>) -> Part {
    Part { title, beside, rows }
}

fn load_average() -> io::Result<f64> {
    let told = std::fs::read_to_string("/proc/loadavg")?;
    told.split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .ok_or_else(|| io::Error::other(told.clone()))
}

/// A session with a conversation of three turns, and many more without; its id.
async fn seed(place: &Place, sockets: &Sockets) -> io::Result<String> {
    let server = place.start(&OURS, sockets)?;
    let session = ask(sockets.address()?, None, SHORT).await?.session;
    for _ in 0..2 {
        ask(sockets.address()?, Some(&session), SHORT).await?;
    }
    server.stop()?;
    let database = Connection::open(place.path("vault/Chat/sessions.db"));
    let sql = format!(
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {SESSIONS} - 1)
         INSERT INTO sessions (id, title, working_directory, model, message_count, created_at,
             last_accessed, metadata, trust_level)
         SELECT format('00000000-0000-4000-8000-%012d', i), 'What was said on day ' || i,
             '/vault/projects/garden', 'claude-opus-5-5', i % 40,
             strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + i * 60, 'unixepoch'),
             strftime('%Y-%m-%dT%H:%M:%fZ', 1700000030 + i * 60, 'unixepoch'),
             '{{\"agent_type\":\"orchestrator\"}}', 'trusted' FROM n"
    );
    let seeded = database.and_then(|database| database.execute(&sql, []));
    seeded.map_err(io::Error::other)?;
    Ok(session)
}

fn cold_starts(place: &Place, sockets: &Sockets, bare: &Sockets) -> io::Result<Row> {
    let mut rounds = Rounds::default();
    cold_start(place, &OURS, sockets)?;
    cold_start(place, &BARE, bare)?;
    for _ in 0..COLD_STARTS {
        let ours = cold_start(place, &OURS, sockets)?;
        rounds.push(ours, cold_start(place, &BARE, bare)?);
    }
    Ok(Row::new("connect to first byte, nothing running", "ms", rounds).aim(Target::AtMost(15.0)))
}

/// Loads first ours, then the bare server.
async fn gets(pair: &Pair, paths: &[String], time: Duration) -> io::Result<[load::Load; 2]> {
    Ok([load(pair.to, paths, time).await?, load(pair.to_bare, paths, time).await?])
}

async fn requests(pair: &Pair, session: &str) -> io::Result<Part> {
    let one = |path: &str| vec![path.to_owned()];
    // More lists than answers are remembered, so that each is read from the database.
    let lists: Vec<String> = (81..=100).map(|n| format!("/api/chat?limit={n}")).collect();
    let mut rows = Vec::new();
    let [rate, p50, p99] = door(pair, "GET /api/health", &one("/api/health")).await?;
    rows.extend([rate.aim(Target::PartOf(0.8)), p50, p99]);
    let [rate, p50, p99] = door(pair, "GET /api/chat", &one("/api/chat")).await?;
    rows.extend([rate.aim(Target::AtLeast(5000.0)).was(125.0), p50, p99]);
    rows.extend(door(pair, "GET /api/chat, not remembered", &lists).await?);
    let show = one(&format!("/api/chat/{session}"));
    rows.extend(door(pair, "GET /api/chat/{id}", &show).await?);
    let title = "Requests (8 clients, 10,000 sessions)";
    Ok(part(title, "bare hyper", rows))
}

/// Rates and times of an answer, rounds of ours and of the bare server in turn.
async fn door(pair: &Pair, what: &'static str, paths: &[String]) -> io::Result<[Row; 3]> {
    let (mut rates, mut middles, mut worst) =
        (Rounds::default(), Rounds::default(), Rounds::default());
    gets(pair, paths, LOAD_TIME).await?;
    for _ in 0..LOADS {
        let [ours, bare] = gets(pair, paths, LOAD_TIME).await?;
        rates.push(ours.per_second, bare.per_second);
        middles.push(ours.p50, bare.p50);
        worst.push(ours.p99, bare.p99);
    }
    Ok([
        Row::new(what, "requests/s", rates),
        Row::new(what, "p50 us", middles),
        Row::new(what, "p99 us", worst),
    ])
}

fn servers(
    pair: &Pair,
    rss: &'static str,
    pss: &'static str,
    most: Option<f64>,
) -> io::Result<[Row; 2]> {
    let (ours, bare) = (pair.ours.memory()?, pair.bare.memory()?);
    let row = |what, ours, bare| {
        let row = Row::new(what, "MB", Rounds { ours: vec![ours], beside: vec![bare] });
        most.into_iter().fold(row, |row, most| row.aim(Target::AtMost(most)))
    };
    let pss = row(pss, ours.pss, bare.pss);
    Ok([row(rss, ours.rss, bare.rss), most.into_iter().fold(pss, |row, _| row.was(61.0))])
}

/// The largest agent there is; its CLI is another process.
fn agents(
    place: &Place,
    rss: &'static str,
    pss: &'static str,
    most: Option<f64>,
) -> io::Result<[Row; 2]> {
    let mut all = Vec::new();
    for pid in place.agents()? {
        all.push(place::memory(pid)?);
    }
    let largest = all.into_iter().max_by(|a, b| a.rss.total_cmp(&b.rss));
    let largest = largest.ok_or_else(|| io::Error::other("the agents have gone"))?;
    let row = |what, megabytes| {
        let (ours, beside) = (vec![megabytes], Vec::new());
        let row = Row::new(what, "MB", Rounds { ours, beside });
        most.into_iter().fold(row, |row, most| row.aim(Target::AtMost(most)))
    };
    Ok([row(rss, largest.rss), row(pss, largest.pss)])
}

async fn events(place: &Place, pair: &Pair) -> io::Result<Part> {
    // Agents and CLIs are up before anything is measured.
    let mut sessions = Vec::new();
    for _ in 0..16 {
        sessions.push(ask(pair.to, None, SHORT).await?.session);
    }
    let mut rows = steady(place, pair, &sessions[0]).await?;
    rows.extend(flat_out(place, pair, &sessions).await?);
    Ok(part("Events (?text=delta)", "CLI's pipe", rows))
}

/// What confinement adds: `vault` beside `full`, both through the server.
async fn confined(pair: &Pair) -> io::Result<Part> {
    let (mut begins, mut goes_on) = (Rounds::default(), Rounds::default());
    for _ in 0..TURNS {
        let mut milliseconds = [0.0; 2];
        let mut middles = [0.0; 2];
        for (at, trust) in ["vault", "full"].into_iter().enumerate() {
            let new = ask_at(trust, pair.to, None, SHORT).await?;
            milliseconds[at] = (new.first - new.asked).as_secs_f64() * 1e3;
            let session = Some(new.session.as_str());
            let mut delays = ask_at(trust, pair.to, session, STEADY).await?.delays;
            middles[at] = percentile(&mut delays, 50);
        }
        begins.push(milliseconds[0], milliseconds[1]);
        goes_on.push(middles[0], middles[1]);
    }
    let rows = vec![
        Row::new("a new session's first token", "ms", begins),
        Row::new("delay of an event at 200 tokens/s", "p50 us", goes_on),
    ];
    Ok(part("Trust level vault", "full", rows))
}

async fn steady(place: &Place, pair: &Pair, session: &str) -> io::Result<Vec<Row>> {
    let (mut middles, mut worst, mut added) =
        (Rounds::default(), Rounds::default(), Rounds::default());
    for _ in 0..TURNS {
        let mut ours = ask(pair.to, Some(session), STEADY).await?.delays;
        let mut pipe = straight(place, STEADY).await?.delays;
        let (here, there) = (percentile(&mut ours, 50), percentile(&mut pipe, 50));
        middles.push(here, there);
        added.ours.push((here - there) / 1e3);
        worst.push(percentile(&mut ours, 99), percentile(&mut pipe, 99));
    }
    let what = "delay of an event at 200 tokens/s";
    Ok(vec![
        Row::new(what, "p50 us", middles),
        Row::new(what, "p99 us", worst),
        Row::new(what, "p50 ms added", added).aim(Target::AtMost(0.3)),
    ])
}

async fn flat_out(place: &Place, pair: &Pair, sessions: &[String]) -> io::Result<[Row; 2]> {
    let (mut one, mut all) = (Rounds::default(), Rounds::default());
    for _ in 0..TURNS {
        let ours = ask(pair.to, Some(&sessions[0]), FLAT_OUT).await?;
        let pipe = straight(place, FLAT_OUT).await?;
        one.push(rate(&[ours], FLAT_OUT), rate(&[pipe], FLAT_OUT));
        let asked: Vec<_> = sessions
            .iter()
            .map(|session| {
                let (to, session) = (pair.to, session.clone());
                tokio::spawn(async move { ask(to, Some(&session), SIXTEENTH).await })
            })
            .collect();
        let mut heard = Vec::new();
        for asked in asked {
            heard.push(asked.await.map_err(io::Error::other)??);
        }
        all.ours.push(rate(&heard, SIXTEENTH));
    }
    let enough = Target::AtLeast(100_000.0);
    let one = Row::new("flat out, 1 session", "tokens/s", one);
    let all = Row::new("flat out, 16 sessions", "tokens/s", all);
    Ok([one.aim(enough).was(6000.0), all.aim(enough)])
}

/// Tokens a second of all together, from the first request to the last token.
fn rate(heard: &[Heard], each: Speech) -> f64 {
    let asked = heard.iter().map(|h| h.asked).min();
    let last = heard.iter().map(|h| h.last).max();
    let time = asked.zip(last).map_or(0.0, |(asked, last)| (last - asked).as_secs_f64());
    (each.tokens * heard.len() as u64) as f64 / time.max(1e-9)
}
