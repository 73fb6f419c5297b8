//! The part about notes: how long a vault of many takes to be indexed and how much room that
//! needs, how quickly something is found in it, beside SQLite's own index asked directly and
//! beside ripgrep, and how soon a change is found.
#![allow(clippy::disallowed_methods, reason = "ripgrep is run as a person would")]

use crate::asker::{Asker, LOOK_AGAIN, PATIENCE, REST, millis, until_indexed};
use crate::load::{LOAD_TIME, load, percentile};
use crate::notes::{NOTES, Vocabulary, write};
use crate::place::{OURS, Place, Program};
use crate::report::{Part, Report, Rounds, Row, Target, one};
use rusqlite::Connection;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Asked so often, and changed so often.
const ROUNDS: usize = 50;
const CHANGES: usize = 50;
const GREPS: usize = 5;
/// Clients at once, and how often each of them asks in a round.
const CLIENTS: usize = 4;
const ASKED_EACH: usize = 200;
/// What a search is asked for, and how the same is asked of SQLite.
const SEARCH: &str = "/api/brain/search?scope=vault&limit=20&";
const SQL: &str = "SELECT n.para_id, n.name, n.tags, n.path, snippet(words, 3, '', '', '…', 40)
    FROM words CROSS JOIN notes AS n ON n.id = words.rowid
    WHERE words MATCH ?1 ORDER BY words.rank LIMIT 20";
/// A word of five notes.
const RARE: &str = "xylotypograph";

/// One query: how it is called, how it is asked of the server, and of SQLite.
struct Query {
    what: &'static str,
    ours: String,
    theirs: String,
}

/// Measures it.
pub(crate) async fn measure() -> io::Result<Report> {
    let before = crate::load_average()?;
    let place = Place::new()?;
    let small = small(&place).await?;
    let words = Vocabulary::new();
    let bytes = write(&place.path("vault"), &words)?;
    let sockets = place.sockets("brain.sock")?;
    let to = sockets.address()?;
    let server = place.start(&OURS, &sockets)?;
    let index = indexing(&place, to, &server, bytes).await?;
    let database =
        Connection::open(place.path("s/parachute/index.db")).map_err(io::Error::other)?;
    let mut asker = Asker::new(to)?;
    let searches = queries(&words)
        .iter()
        .map(|query| search(&mut asker, &database, query))
        .collect::<io::Result<Vec<_>>>()?;
    let crowd = crowd(to, &place.path("s/parachute/index.db"))?;
    let way = way(&mut asker)?;
    let grep = grep(&mut asker, &place.path("vault"))?;
    let change = changes(&mut asker, &place.path("vault"))?;
    let again = again(&mut asker)?;
    let title = "Notes (50,000, one client)";
    let mut rows = index;
    rows.splice(0..0, small);
    rows.extend(change);
    rows.push(again);
    Ok(Report {
        cpus: std::thread::available_parallelism()?.get(),
        load_average: [before, crate::load_average()?],
        parts: vec![
            Part { title, beside: "idle", rows },
            Part {
                title: "Searches",
                beside: "SQLite",
                rows: searches.into_iter().flatten().chain([crowd, way]).collect(),
            },
            Part { title: "A rare word", beside: "ripgrep", rows: vec![grep] },
        ],
    })
}

/// Memory of an idle server with next to no notes.
async fn small(place: &Place) -> io::Result<Vec<Row>> {
    fs::create_dir_all(place.path("vault/Brain/entities"))?;
    for number in 0..20 {
        fs::write(place.path(&format!("vault/Brain/entities/{number}.md")), "# A note\n\ntext")?;
    }
    let sockets = place.sockets("small.sock")?;
    let server = place.start(&OURS, &sockets)?;
    let mut asker = Asker::new(sockets.address()?)?;
    asker.ask("GET", "/api/health")?;
    until_indexed(&mut asker)?;
    tokio::time::sleep(REST).await;
    let memory = server.memory()?;
    server.stop()?;
    Ok(vec![
        one("idle with 20 notes, RSS", "MB", memory.rss),
        one("idle with 20 notes, PSS", "MB", memory.pss),
    ])
}

/// The first index, what else the server does meanwhile, and what it all takes.
async fn indexing(
    place: &Place,
    to: SocketAddr,
    server: &Program,
    bytes: u64,
) -> io::Result<Vec<Row>> {
    let mut asker = Asker::new(to)?;
    let begun = Instant::now();
    asker.ask("GET", "/api/health")?;
    let health = ["/api/health".to_owned()];
    let busy = load(to, &health, LOAD_TIME).await?;
    until_indexed(&mut asker)?;
    let seconds = begun.elapsed().as_secs_f64();
    let at_once = server.memory()?;
    tokio::time::sleep(REST).await;
    let rested = server.memory()?;
    let idle = load(to, &health, LOAD_TIME).await?;
    let size = fs::metadata(place.path("s/parachute/index.db"))?.len();
    let mut answers = Rounds::default();
    answers.push(busy.p99, idle.p99);
    Ok(vec![
        one("first index", "s", seconds),
        one("first index", "notes/s", NOTES as f64 / seconds),
        one("texts", "MB", bytes as f64 / 1e6),
        one("index", "MB", size as f64 / 1e6),
        Row::new("GET /api/health while it is made", "p99 us", answers),
        one("server right after it, RSS", "MB", at_once.rss),
        one("server some seconds later, RSS", "MB", rested.rss),
    ])
}

fn queries(words: &Vocabulary) -> Vec<Query> {
    let (first, second) = (words.word(1), words.word(4));
    let begin = &words.word(900)[..4];
    let plain =
        |what, word: &str| Query { what, ours: format!("q={word}"), theirs: format!("\"{word}\"") };
    vec![
        plain("a word of nearly every note", words.word(0)),
        plain("a word of many notes", words.word(300)),
        plain("a word of five notes", RARE),
        Query {
            what: "begins of words",
            ours: format!("q={begin}*"),
            theirs: format!("\"{begin}\"*"),
        },
        Query {
            what: "a phrase of frequent words",
            ours: format!("q=%22{first}%20{second}%22"),
            theirs: format!("\"{first} {second}\""),
        },
    ]
}

/// Ours through HTTP beside the same asked of SQLite in this process.
fn search(asker: &mut Asker, database: &Connection, query: &Query) -> io::Result<Vec<Row>> {
    let path = format!("{SEARCH}{}", query.ours);
    let mut directly = database.prepare(SQL).map_err(io::Error::other)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut rates = Rounds::default();
    for round in 0..=ROUNDS {
        let begun = Instant::now();
        let answer = asker.ask("GET", &path)?;
        let here = millis(begun);
        let begun = Instant::now();
        let rows = directly.query_map([&query.theirs], |row| row.get::<_, String>(4));
        let found: Result<Vec<String>, _> = rows.and_then(Iterator::collect);
        let found = found.map_err(io::Error::other)?.len();
        let there = millis(begun);
        if found == 0 || answer.matches("\"para_id\"").count() != found {
            return Err(io::Error::other(format!("{path}: {found} are not found")));
        }
        // The first warms both up.
        if round > 0 {
            ours.push(here);
            theirs.push(there);
            rates.push(1e3 / here, 1e3 / there);
        }
    }
    let mut at = |part| Rounds {
        ours: vec![percentile(&mut ours, part)],
        beside: vec![percentile(&mut theirs, part)],
    };
    let (middle, worst) = (at(50), at(99));
    Ok(vec![
        Row::new(query.what, "p50 ms", middle),
        Row::new(query.what, "p99 ms", worst),
        Row::new(query.what, "searches/s", rates).aim(Target::PartOf(0.7)),
    ])
}

/// A rare word asked for by several at once, beside as many threads that ask SQLite.
fn crowd(to: SocketAddr, database: &Path) -> io::Result<Row> {
    let path = format!("{SEARCH}q={RARE}");
    let ask = || {
        let mut asker = Asker::new(to)?;
        for _ in 0..ASKED_EACH {
            asker.ask("GET", &path)?;
        }
        Ok(())
    };
    let directly = || {
        let database = Connection::open(database).map_err(io::Error::other)?;
        let mut directly = database.prepare(SQL).map_err(io::Error::other)?;
        for _ in 0..ASKED_EACH {
            let rows = directly.query_map([RARE], |row| row.get::<_, String>(4));
            let found: Result<Vec<String>, _> = rows.and_then(Iterator::collect);
            found.map_err(io::Error::other)?;
        }
        Ok(())
    };
    let mut rates = Rounds::default();
    for round in 0..=GREPS {
        let (ours, theirs) = (at_once(&ask)?, at_once(&directly)?);
        if round > 0 {
            rates.push(ours, theirs);
        }
    }
    let what = "a word of five notes, four at once";
    Ok(Row::new(what, "searches/s", rates).aim(Target::PartOf(0.7)))
}

/// How many a second are done, if that many do it.
fn at_once(work: &(impl Fn() -> io::Result<()> + Sync)) -> io::Result<f64> {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(work)).collect();
        for one in all {
            one.join().map_err(|_| io::Error::other("a client panicked"))??;
        }
        io::Result::Ok(())
    })?;
    Ok((CLIENTS * ASKED_EACH) as f64 / begun.elapsed().as_secs_f64())
}

/// What the way alone takes, with nothing to be looked for.
fn way(asker: &mut Asker) -> io::Result<Row> {
    let mut took = Rounds::default();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        asker.ask("GET", "/api/health")?;
        took.ours.push(millis(begun));
    }
    Ok(Row::new("an answer without a search", "p50 ms", took))
}

/// The same word, found by reading everything.
fn grep(asker: &mut Asker, vault: &Path) -> io::Result<Row> {
    let path = format!("/api/brain/search?scope=vault&limit=20&q={RARE}");
    let mut rates = Rounds::default();
    for round in 0..=GREPS {
        let begun = Instant::now();
        let ours = asker.ask("GET", &path)?.matches("\"para_id\"").count();
        let here = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let told = Command::new("rg")
            .args(["--ignore-case", "--files-with-matches", RARE])
            .arg(vault)
            .stdin(Stdio::null())
            .output()?;
        let there = begun.elapsed().as_secs_f64();
        let theirs = told.stdout.iter().filter(|byte| **byte == b'\n').count();
        if ours != theirs || ours == 0 {
            return Err(io::Error::other(format!("{ours} are found, and {theirs} by ripgrep")));
        }
        if round > 0 {
            rates.push(1.0 / here, 1.0 / there);
        }
    }
    Ok(Row::new("searches of all notes", "per s", rates).aim(Target::PartOf(20.0)))
}

/// From a note's last byte to its being found.
fn changes(asker: &mut Asker, vault: &Path) -> io::Result<Vec<Row>> {
    let mut took = Vec::new();
    for round in 0..CHANGES {
        let word = format!("zuletzt{round}");
        let note = vault.join(format!("Notes/{}/changed.md", 1 + round % 9));
        fs::write(note, format!("# Changed\n\nnow {word}"))?;
        let begun = Instant::now();
        let path = format!("/api/brain/search?scope=vault&q={word}");
        while !asker.ask("GET", &path)?.contains("\"para_id\"") {
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::other("a change is not found"));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        took.push(millis(begun));
    }
    let (middle, worst) = (percentile(&mut took, 50), percentile(&mut took, 99));
    Ok(vec![
        one("from a change to its being found", "p50 ms", middle).aim(Target::AtMost(300.0)),
        one("from a change to its being found", "p99 ms", worst),
    ])
}

/// Everything compared, with nothing changed: what each start costs.
fn again(asker: &mut Asker) -> io::Result<Row> {
    let mut took = Rounds::default();
    for _ in 0..5 {
        let begun = Instant::now();
        asker.ask("POST", "/api/brain/reload")?;
        took.ours.push(millis(begun));
    }
    Ok(Row::new("all notes compared, none changed", "ms", took))
}
