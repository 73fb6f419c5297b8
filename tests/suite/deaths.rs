//! Each way in which the server can end badly: the supervisor says which, in words, within a
//! second, and itself never falters.

use crate::lab::{Lab, SERVICE, SUPERVISOR};
use crate::overseen::{Events, unit};
use crate::units::{main_pid, systemctl, tried};
use http::Method;
use parachute_tests::{Caller, eventually};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(1);

/// Reads events until the server's last bad end is another than before; how it was told, and how
/// long after the manager noticed it.
async fn told(events: &mut Events, before: &Value) -> (Value, Duration) {
    let status = events.until(|status| unit(status, SERVICE)["last_exit"] != *before).await;
    let exit = unit(&status, SERVICE)["last_exit"].clone();
    let at = exit["at"].as_str().and_then(wire::Timestamp::parse).expect("a time");
    let late = wire::Timestamp::now().as_millis() - at.as_millis();
    (exit, Duration::from_millis(u64::try_from(late).unwrap_or(0)))
}

async fn running(who: &Caller) -> Value {
    eventually("the server runs", async || {
        let status = who.get("/supervisor/status").await.json();
        (status["main_server_healthy"] == true).then_some(status)
    })
    .await
}

#[tokio::test]
async fn each_death_is_told_in_words_within_a_second() {
    let Some(lab) = Lab::started("").await else { return };
    let who = lab.overseer();
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let mut last = unit(&running(&who).await, SERVICE)["last_exit"].clone();
    let ours = main_pid(SUPERVISOR).await;
    let mut events = Events::open(&who, "/supervisor/events", None).await;
    events.next().await.expect("the status at once");

    let deaths = [
        (
            "",
            "SEGV",
            // Rust takes the first for a full stack, and lets the fault happen again.
            2,
            &["killed by SIGSEGV"][..],
        ),
        ("", "KILL", 1, &["killed by SIGKILL"][..]),
        (
            "[Service]\nWatchdogSec=2\nEnvironment=PARACHUTE_FAULT=event-loop\n",
            "USR1",
            1,
            &["killed by the watchdog after 2 s of silence"][..],
        ),
        // Where control groups are of the first version systemd cannot tell why.
        (
            "[Service]\nMemoryMax=64M\nMemorySwapMax=0\nEnvironment=PARACHUTE_FAULT=memory\n",
            "USR1",
            1,
            &[
                "out of memory: it used more than its 64 MiB",
                "killed by SIGKILL, perhaps for more memory than its 64 MiB",
            ][..],
        ),
    ];
    for (lines, signal, times, words) in deaths {
        lab.drop_in(SERVICE, lines).await;
        systemctl(&["restart", SERVICE]).await;
        running(&who).await;
        for _ in 0..times {
            systemctl(&["kill", "--kill-whom=main", "-s", signal, SERVICE]).await;
        }
        let (exit, late) = told(&mut events, &last).await;
        println!("{exit} told after {late:.0?}");
        assert!(words.iter().any(|words| exit["words"] == *words), "{exit}");
        assert!(late < WITHIN);
        last = exit;
        let status = running(&who).await;
        assert!(unit(&status, SERVICE)["restarts"].as_u64() >= Some(1), "it came back by itself");
    }

    // A configuration with which it cannot start, told with its reason, and it stays down.
    lab.drop_in(SERVICE, "").await;
    lab.drop_in("parachute.socket", "[Socket]\nListenStream=0.0.0.0:3399\n").await;
    systemctl(&["stop", SERVICE, "parachute.socket"]).await;
    tried("systemctl", &["--user", "start", "parachute.socket"]).await;
    tried("systemctl", &["--user", "start", SERVICE]).await;
    let (exit, late) = told(&mut events, &last).await;
    println!("{exit} told after {late:.0?}");
    assert_eq!(exit["code"], 78);
    let words = exit["words"].as_str().expect("words");
    assert!(
        words.starts_with("exit status 78: ") && words.contains("parachute keys create"),
        "{words}"
    );
    assert!(late < WITHIN);
    let failed = async || {
        let status = who.get("/supervisor/status").await.json();
        (status["main_server_status"] == "failed").then_some(status)
    };
    let status = eventually("it stays down", failed).await;
    assert_eq!(status["main_server_words"], format!("Failed: {words}"));
    // Whoever knocks hears why, and is no reason to try it again and again.
    for _ in 0..20 {
        let answer = lab.local().get("/api/health").await;
        assert_eq!(answer.status, 503);
        let detail = answer.json()["detail"].clone();
        assert!(detail.as_str().expect("words").contains("parachute keys create"), "{detail}");
    }
    let status = eventually("it is down again", failed).await;
    assert_eq!(unit(&status, "parachute.socket")["active"], "active");
    let answer = who.post("/supervisor/server/restart", &json!({})).await;
    assert_eq!(answer.status, 500);
    let answer = answer.json();
    println!("{answer:#}");
    assert!(answer["detail"].as_str().expect("words").contains("exit status 78"));
    assert!(!answer["job"]["log"].as_array().expect("lines").is_empty());
    assert_eq!(main_pid(SUPERVISOR).await, ours, "the supervisor is the same all the while");
}

/// What happened while nobody watched stands in the journal.
#[tokio::test]
async fn a_supervisor_that_comes_later_knows_the_last_bad_end() {
    let Some(lab) = Lab::started("").await else { return };
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let before = main_pid(SERVICE).await;
    for _ in 0..2 {
        systemctl(&["kill", "--kill-whom=main", "-s", "SEGV", SERVICE]).await;
    }
    eventually("another server", async || {
        let now = main_pid(SERVICE).await;
        (now.is_some() && now != before).then_some(())
    })
    .await;
    assert_eq!(main_pid(SUPERVISOR).await, None, "nobody watched");
    let exit = eventually("the end is known", async || {
        let status = lab.overseer().get("/supervisor/status").await.json();
        let exit = unit(&status, SERVICE)["last_exit"].clone();
        exit.is_object().then_some(exit)
    })
    .await;
    assert_eq!((&exit["words"], &exit["signal"]), (&json!("killed by SIGSEGV"), &json!(11)));
}

/// Each change of state is pushed, and how soon is printed.
#[tokio::test]
async fn changes_are_pushed() {
    let Some(lab) = Lab::started("").await else { return };
    let who = lab.overseer();
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let mut events = Events::open(&who, "/supervisor/events", None).await;
    events.until(|status| status["main_server_status"] == "running").await;
    let mut late = Vec::new();
    for _ in 0..10 {
        for (verb, state) in [("stop", "stopped"), ("start", "running")] {
            systemctl(&[verb, SERVICE]).await;
            let begun = Instant::now();
            events.until(|status| status["main_server_status"] == state).await;
            late.push(begun.elapsed().as_secs_f64());
        }
    }
    let (middle, most) = crate::units::middle_and_most(late);
    println!("pushed after systemctl returned: median {middle:.3} s, at most {most:.3} s");
    let answer = who.open(Method::GET, "/supervisor/events", None).await.expect("a stream");
    assert_eq!(answer.headers()["content-type"], "text/event-stream; charset=utf-8");
}
