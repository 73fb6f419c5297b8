//! The supervisor under the user's own systemd, which scripts/bench boots for it: requests beside
//! a bare hyper server, cold start and memory.
#![allow(clippy::disallowed_methods, reason = "the bench starts programs as a person would")]

use crate::load::{LOAD_TIME, load};
use crate::place::{BARE, Place, memory};
use crate::report::{Part, Report, Rounds, Row, Target};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

const PORT: u16 = 3334;
const UNIT: &str = "parachute-supervisor.service";
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
    let memory = start.into_iter().chain(idle).chain(loaded).collect();
    let part = |title, beside, rows| Part { title, beside, rows };
    Ok(Report {
        cpus: std::thread::available_parallelism()?.get(),
        load_average: [before, crate::load_average()?],
        parts: vec![
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
fn get(path: &str) -> io::Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n")?;
    let mut reader = BufReader::new(stream);
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
        let mut answer = get("/supervisor/status")?;
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
