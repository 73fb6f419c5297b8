//! The logs as they are followed: complete, in order and without repetition, however fast they
//! are written, however often the follower is cut off, and whatever becomes of the journal.

use crate::lab::{Lab, SUPERVISOR};
use crate::overseen::{Events, lines};
use crate::units::{main_pid, middle_and_most, run, tried};
use parachute_tests::{eventually, rss_kib};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Instant;

const LINES: usize = 100_000;
const CUTS: usize = 200;
const FOLLOWERS: usize = 20;
/// How a shell that has written ends, with its slice: journald asks the kernel of which unit a
/// process is that has written, and learns nothing of one that is gone.
const STAY: &str = "exec sleep infinity";
/// What many lines may cost of memory, and it does not grow with their number.
const MORE_KIB_MAX: u64 = 32 * 1024;

/// A unit within the agents' slice that writes so many numbered lines at full speed.
async fn flood(name: &str, count: usize) {
    let script =
        format!("i=0; while [ $i -lt {count} ]; do i=$((i + 1)); echo \"{name} $i\"; done; {STAY}");
    let unit = format!("--unit=parachute-{name}");
    let (slice, arguments) = ("--slice=parachute-agents.slice", ["sh", "-c", &script]);
    let asked = ["--user", "--quiet", "--collect", &unit, slice];
    let (well, said) = tried("systemd-run", &[&asked[..], &arguments[..]].concat()).await;
    assert!(well, "{said}");
}

/// The number of a line of `name`.
fn number(line: &Value, name: &str) -> Option<usize> {
    line["message"].as_str()?.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()
}

/// Reads numbered lines to the last one, and that each is the next.
async fn all(events: &mut Events, name: &str, count: usize) {
    let mut next = 1;
    while next <= count {
        let line = events.next().await.expect("the stream goes on");
        if let Some(number) = number(&line, name) {
            assert_eq!(number, next, "lost, doubled or out of order");
            next += 1;
        }
    }
}

#[tokio::test]
async fn a_hundred_thousand_lines_reach_a_follower_whole_and_in_order() {
    let Some(lab) = Lab::started("").await else { return };
    let who = lab.overseer();
    // One that asks and never reads costs a bounded amount.
    let silent = Events::open(&who, "/supervisor/logs?lines=0", None).await;
    let mut events = follower(&lab, "ready").await;
    let pid = main_pid(SUPERVISOR).await.expect("it runs");
    let before = rss_kib(pid).expect("memory");
    let begun = Instant::now();
    flood("flood", LINES).await;
    all(&mut events, "flood", LINES).await;
    let (took, after) = (begun.elapsed(), rss_kib(pid).expect("memory"));
    println!("{LINES} lines in {took:.1?}; {before} KiB of memory before, {after} KiB after");
    assert!(after < before + MORE_KIB_MAX, "memory is not bounded");
    drop(silent);
}

#[tokio::test]
async fn twenty_follow_at_once() {
    let Some(lab) = Lab::started("").await else { return };
    let count = LINES / FOLLOWERS;
    let mut followers = Vec::new();
    for number in 0..FOLLOWERS {
        let mut events = follower(&lab, &format!("ready{number}")).await;
        followers.push(tokio::spawn(async move { all(&mut events, "many", count).await }));
    }
    let pid = main_pid(SUPERVISOR).await.expect("it runs");
    let before = rss_kib(pid).expect("memory");
    flood("many", count).await;
    for follower in followers {
        follower.await.expect("a follower");
    }
    let after = rss_kib(pid).expect("memory");
    println!("{FOLLOWERS} followers: {before} KiB of memory before {count} lines, {after} after");
    assert!(after < before + MORE_KIB_MAX, "memory is not bounded");
}

/// Somebody who follows from now on, and has seen that it is so.
async fn follower(lab: &Lab, name: &str) -> Events {
    let mut events = Events::open(&lab.overseer(), "/supervisor/logs?lines=0", None).await;
    flood(name, 1).await;
    events.until(|line| number(line, name).is_some()).await;
    events
}

#[tokio::test]
async fn cut_off_two_hundred_times_nothing_is_lost_or_doubled() {
    let Some(lab) = Lab::started("").await else { return };
    let who = lab.overseer();
    let events = follower(&lab, "first").await;
    let mut after = events.last_id.clone();
    drop(events);
    let count = 20_000;
    flood("cut", count).await;
    let (mut next, mut cuts) = (1, 0);
    // From a fixed sequence, so that a failure can be looked at again.
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    while next <= count {
        let mut events = Events::open(&who, "/supervisor/logs", after.as_deref()).await;
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let take = 1 + (random >> 33) as usize % (2 * count / CUTS);
        let mut taken = 0;
        while taken < take && next <= count {
            let line = events.next().await.expect("the stream goes on");
            if let Some(number) = number(&line, "cut") {
                assert_eq!(number, next, "lost, doubled or out of order after {cuts} cuts");
                next += 1;
                taken += 1;
            }
        }
        after = events.last_id.clone();
        cuts += 1;
    }
    println!("{count} lines in {cuts} pieces");
    assert!(cuts >= CUTS / 2, "{cuts}");
    // All that was followed live is the same as what is read at once.
    let whole = lines(&who, "lines=5000&grep=cut%20[0-9]").await;
    let numbers: Vec<usize> = whole.iter().filter_map(|line| number(line, "cut")).collect();
    assert_eq!(numbers, (count - 4999..=count).collect::<Vec<_>>());
}

#[tokio::test]
async fn rotation_and_vacuum_do_not_disturb_a_follower() {
    let Some(lab) = Lab::started("").await else { return };
    let mut events = follower(&lab, "begin").await;
    let count = 30_000;
    for round in 0..3 {
        let name = format!("turn{round}");
        flood(&name, count).await;
        // Files change under those who read them; what is not read yet stays.
        for rotation in 0..3 {
            ring(&format!("{rotation}")).await;
        }
        all(&mut events, &name, count).await;
        // What was read goes away, and with it the place the reader would go on from.
        ring("vacuum").await;
    }
    let after = events.last_id.clone();
    drop(events);
    flood("later", 10).await;
    let mut again = Events::open(&lab.overseer(), "/supervisor/logs", after.as_deref()).await;
    all(&mut again, "later", 10).await;
}

#[tokio::test]
async fn what_is_asked_for_is_what_is_shown() {
    let Some(lab) = Lab::started("").await else { return };
    let mut events = follower(&lab, "early").await;
    let between = wire::Timestamp::now();
    flood("later", 3).await;
    events.until(|line| number(line, "later") == Some(3)).await;
    for (asked, shown) in [
        (format!("since={between}"), [false, true]),
        ("since=15m".into(), [true, true]),
        (format!("until={between}"), [true, false]),
        (format!("since={between}&until={between}"), [false, false]),
        ("boot=0".into(), [true, true]),
        ("grep=ear[l]y%20".into(), [true, false]),
        ("grep=LATER".into(), [false, false]),
        ("priority=info".into(), [true, true]),
        ("priority=warning".into(), [false, false]),
        ("unit=parachute-supervisor".into(), [false, false]),
    ] {
        let lines = lines(&lab.overseer(), &asked).await;
        let has = |name| lines.iter().any(|line| number(line, name).is_some());
        assert_eq!([has("early"), has("later")], shown, "{asked}");
    }
}

/// Has the lab do to the journal, as root, what only root may (scripts/systemd-lab).
async fn ring(name: &str) {
    let bell = PathBuf::from("/run/lab-journal").join(name);
    std::fs::write(&bell, "").expect("rung");
    eventually("the journal is changed", async || (!bell.exists()).then_some(())).await;
}

#[tokio::test]
async fn each_line_comes_once_it_is_written() {
    let Some(lab) = Lab::started("").await else { return };
    let mut events = Events::open(&lab.overseer(), "/supervisor/logs?lines=0", None).await;
    let each = "echo late $i; sleep 0.0$((RANDOM % 9 + 1))";
    let script = format!("for i in $(seq 100); do {each}; done; {STAY}");
    let asked = ["--user", "--quiet", "--collect", "--slice=parachute-agents.slice"];
    run("systemd-run", &[&asked[..], &["bash", "-c", script.as_str()]].concat()).await;
    let mut late = Vec::new();
    for round in 1..=100 {
        let line = events.until(|line| number(line, "late") == Some(round)).await;
        let seen = wire::Timestamp::now().as_micros();
        let written = line["time"].as_str().and_then(wire::Timestamp::parse).expect("a time");
        late.push((seen - written.as_micros()) as f64 / 1e6);
    }
    let (middle, most) = middle_and_most(late);
    println!("from when journald took it: median {middle:.4} s, at most {most:.4} s");
}
