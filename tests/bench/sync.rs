//! The part about files that are the same on several devices: what there is below a folder of
//! many, read for the first time and known, beside what the system's own tools need to hash and
//! to list the same; and files that come and go in the app's batches, beside the disk alone.
#![allow(clippy::disallowed_methods, reason = "find and sha256sum are run as a person would")]

use crate::asker::{Asker, REST, millis, until_indexed};
use crate::notes::{NOTES, Vocabulary, write};
use crate::place::{Memory, OURS, Place, Program};
use crate::report::{Part, Report, Rounds, Row, Target, one};
use serde_json::json;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The folder that is synchronised, and how often what is known is asked for again.
const ROOT: &str = "Many";
const ROUNDS: usize = 9;
/// So many files come and go, so many at once as the app sends, each about so long.
const FILES: usize = 1000;
const BATCH: usize = 50;
const FILE_BYTES: usize = 2000;
const DAY: &str = "2026-01-02";

/// Measures it.
pub(crate) async fn measure() -> io::Result<Report> {
    let before = crate::load_average()?;
    let place = Place::new()?;
    let root = place.path("vault").join(ROOT);
    write(&root, &Vocabulary::new())?;
    fs::create_dir_all(root.join("journals"))?;
    fs::write(root.join(format!("journals/{DAY}.md")), "# A day\n")?;
    let sockets = place.sockets("sync.sock")?;
    let server = place.start(&OURS, &sockets)?;
    let mut asker = Asker::new(sockets.address()?)?;
    until_indexed(&mut asker)?;
    let at_first = rested(&server).await?;
    let manifests = manifests(&mut asker, &root)?;
    let after_manifests = [server.memory()?, rested(&server).await?];
    let batches = batches(&mut asker, &root, &place.path("beside"))?;
    let after_all = [server.memory()?, rested(&server).await?];
    let memory = |what, memory: Memory| one(what, "MB", memory.rss);
    let rows = vec![
        memory("indexed and rested, RSS", at_first),
        memory("right after the manifests, RSS", after_manifests[0]),
        memory("some seconds later, RSS", after_manifests[1]),
        memory("right after the batches, RSS", after_all[0]),
        memory("at last, some seconds later, RSS", after_all[1]),
    ];
    Ok(Report {
        cpus: std::thread::available_parallelism()?.get(),
        load_average: [before, crate::load_average()?],
        parts: vec![
            Part { title: "Manifest (50,000 files)", beside: "the tool", rows: manifests },
            Part { title: "Batches of 50 files", beside: "the disk", rows: batches },
            Part { title: "Memory of the server", beside: "", rows },
        ],
    })
}

async fn rested(server: &Program) -> io::Result<Memory> {
    tokio::time::sleep(REST).await;
    server.memory()
}

fn path(door: &str, more: &str) -> String {
    format!("/api/sync/{door}?root={ROOT}&pattern=*{more}")
}

/// Asks for files; how long that took in milliseconds, and how many bytes the answer has.
fn ask(asker: &mut Asker, path: &str, files: usize) -> io::Result<(f64, usize)> {
    let begun = Instant::now();
    let answer = asker.ask("GET", path)?;
    let took = millis(begun);
    let found = memchr::memmem::find_iter(answer.as_bytes(), b"\"path\":").count();
    if found != files {
        return Err(io::Error::other(format!("{path}: {found} files and not {files}")));
    }
    Ok((took, answer.len()))
}

/// Runs a tool on all files; milliseconds.
fn tool(root: &Path, args: &[&str]) -> io::Result<f64> {
    let begun = Instant::now();
    let mut find = Command::new("find");
    find.arg(root).args(["-type", "f"]).args(args);
    let ended = find.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    match ended.success() {
        true => Ok(millis(begun)),
        false => Err(io::Error::other(format!("find {args:?} failed: {ended}"))),
    }
}

fn manifests(asker: &mut Asker, root: &Path) -> io::Result<Vec<Row>> {
    let all = NOTES + 1;
    let (hash, list) = (["-exec", "sha256sum", "{}", "+"], ["-printf", "%p %s %T@\n"]);
    let (first, bytes) = ask(asker, &path("manifest", ""), all)?;
    let first = Rounds { ours: vec![first], beside: vec![tool(root, &hash)?] };
    let [mut known, mut quick, mut day, mut rates] = [(); 4].map(|()| Rounds::default());
    for round in 0..=ROUNDS {
        for (rounds, more, files) in [
            (&mut known, String::new(), all),
            (&mut quick, "&quick=true".to_owned(), all),
            (&mut day, format!("&date={DAY}"), 1),
        ] {
            let (ours, _) = ask(asker, &path("manifest", &more), files)?;
            let beside = tool(root, &list)?;
            // The first warms both up.
            if round > 0 {
                rounds.push(ours, beside);
            }
        }
    }
    for (ours, beside) in known.ours.iter().zip(&known.beside) {
        rates.push(1e3 / ours, 1e3 / beside);
    }
    Ok(vec![
        one("its answer", "MB", bytes as f64 / 1e6),
        Row::new("the first: every file read (sha256sum)", "ms", first),
        Row::new("again: every file known (find)", "ms", known),
        Row::new("again: every file known (find)", "per s", rates).aim(Target::PartOf(0.33)),
        Row::new("quick: times alone (find)", "ms", quick),
        Row::new("of one day: one file (find)", "ms", day),
    ])
}

/// Files come, go, and come changed.
fn batches(asker: &mut Asker, root: &Path, beside: &Path) -> io::Result<Vec<Row>> {
    fs::create_dir_all(beside)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    let [mut new, mut pulled, mut changed] = [(); 3].map(|()| Rounds::default());
    for batch in 0..FILES / BATCH {
        new.push(push(asker, batch, "new")?, plain(beside, batch, "new")?);
    }
    for batch in 0..FILES / BATCH {
        pulled.push(pull(asker, batch)?, read(root, batch)?);
    }
    for batch in 0..FILES / BATCH {
        changed.push(push(asker, batch, "changed")?, plain(beside, batch, "changed")?);
    }
    let more = format!("&since={}", since.as_secs_f64());
    let took = (0..ROUNDS).map(|_| Ok(ask(asker, &path("changes", &more), FILES)?.0));
    let changes = Rounds { ours: took.collect::<io::Result<_>>()?, beside: Vec::new() };
    Ok(vec![
        Row::new("push of new files", "ms", new),
        Row::new("pull", "ms", pulled),
        Row::new("push of changed files", "ms", changed),
        Row::new("changes: 1,000 of 51,000 files", "ms", changes),
    ])
}

fn name(number: usize) -> String {
    format!("pushed/{}/file-{number}.md", number % 7)
}

fn text(number: usize, kind: &str) -> String {
    format!("# A {kind} file {number}\n\n{}\n", "some words ".repeat(FILE_BYTES / 11))
}

fn numbers(batch: usize) -> std::ops::Range<usize> {
    batch * BATCH..(batch + 1) * BATCH
}

fn push(asker: &mut Asker, batch: usize, kind: &str) -> io::Result<f64> {
    let files = numbers(batch).map(|n| json!({ "path": name(n), "content": text(n, kind) }));
    let files: Vec<_> = files.collect();
    let body = json!({ "root": ROOT, "files": files }).to_string();
    let begun = Instant::now();
    let answer = asker.post("/api/sync/push", &body)?;
    let took = millis(begun);
    match answer.contains("\"pushed\":50,\"errors\":[]") {
        true => Ok(took),
        false => Err(io::Error::other(answer.to_owned())),
    }
}

fn pull(asker: &mut Asker, batch: usize) -> io::Result<f64> {
    let paths: Vec<String> = numbers(batch).map(name).collect();
    let body = json!({ "root": ROOT, "paths": paths }).to_string();
    let begun = Instant::now();
    let answer = asker.post("/api/sync/pull", &body)?;
    let took = millis(begun);
    match answer.matches("\"content\"").count() == BATCH {
        true => Ok(took),
        false => Err(io::Error::other(answer.to_owned())),
    }
}

/// The same files, each written beside its place, made sure of, and put there.
fn plain(folder: &Path, batch: usize, kind: &str) -> io::Result<f64> {
    let begun = Instant::now();
    for number in numbers(batch) {
        let place: PathBuf = folder.join(format!("{number}.md"));
        let beside = place.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(text(number, kind).as_bytes())?;
        file.sync_all()?;
        fs::rename(beside, place)?;
    }
    Ok(millis(begun))
}

/// The same files, read.
fn read(root: &Path, batch: usize) -> io::Result<f64> {
    let begun = Instant::now();
    for number in numbers(batch) {
        fs::read(root.join(name(number)))?;
    }
    Ok(millis(begun))
}
