//! The installed unit files: systemd finds nothing to say about them, their sandbox is no weaker
//! than it was measured to be, and taking them away leaves nothing.

use crate::lab::{Lab, SERVICE, units_folder};
use crate::units::{run, tried};

/// `systemd-analyze security` of the server, 0 (safe) to 10; a unit with nothing has 9.8.
const EXPOSURE_MAX: f64 = 1.7;

#[tokio::test]
async fn the_units_are_right_and_hardened() {
    let Some(_lab) = Lab::open("").await else {
        return;
    };
    let entries = std::fs::read_dir(units_folder()).expect("a folder");
    let paths = entries.flatten().map(|entry| entry.path());
    let units: Vec<String> = paths
        .filter(|path| path.is_file())
        .map(|path| path.to_str().expect("UTF-8").to_owned())
        .collect();
    assert!(units.len() >= 4, "{units:?}");
    let asked: Vec<&str> =
        ["--user", "verify"].into_iter().chain(units.iter().map(String::as_str)).collect();
    // It ends well in spite of what it finds; what it prints counts.
    let (_, said) = tried("systemd-analyze", &asked).await;
    let found = said.lines().filter(|line| !line.contains("kernel does not support IPv6"));
    assert_eq!(found.collect::<Vec<_>>(), [""; 0]);
    let security = ["--user", "--no-pager", "security", SERVICE];
    let said = run("systemd-analyze", &security).await;
    let score = said.lines().find(|line| line.contains("Overall exposure"));
    let score = score.expect("a score").trim();
    println!("{score}");
    let mut numbers = score.split_whitespace().filter_map(|w| w.parse::<f64>().ok());
    let score = numbers.next().expect("a number");
    assert!(score <= EXPOSURE_MAX, "weaker than the {EXPOSURE_MAX} it was");
}
