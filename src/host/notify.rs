//! Telling the service manager how we are: ready, busy with this, alive, leaving.
//!
//! Silent where nobody listens (a terminal, a container, launchd). It does not decide when a
//! program is ready or alive, and leaves the environment as it is: changing it is unsafe, and
//! children get none of it anyway (see [`crate::child`]).

use crate::{Machine, Native};
use std::sync::Once;
use std::time::Duration;

/// Longest status sentence passed on, in characters.
const STATUS_CHARS_MAX: usize = 300;

/// Whether programs say so at all on this system; where not, being reachable is being ready.
pub const SPOKEN: bool = <Native as Machine>::SPEAKS;

/// Serving: the store is open and the sockets are held.
pub fn ready() {
    say("READY=1");
}

/// What the program is doing, as one sentence for `systemctl status`. Line breaks and other
/// control characters become spaces (a second line would be a second message to the manager).
pub fn status(sentence: &str) {
    say(&format!("STATUS={}", one_line(sentence)));
}

/// Leaving, on purpose.
pub fn stopping() {
    say("STOPPING=1");
}

/// Alive. To be sent only when progress was seen, every half [`watchdog_period`].
pub fn watchdog() {
    say("WATCHDOG=1");
}

/// Sends the keep-alive for as long as this future is polled, but only while everything counted
/// by `beats` moves (DESIGN §2.3); a count that is `None` is not waited for. Never ends where a
/// manager watches, and at once where none does.
pub async fn keep_alive(mut beats: impl FnMut() -> Vec<Option<u64>>) {
    let Some(period) = watchdog_period() else {
        return;
    };
    let mut tick = tokio::time::interval(period / 4);
    // After a stall, ticks that were missed must not all be taken for progress at once.
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = beats();
    let mut told = tokio::time::Instant::now();
    watchdog();
    loop {
        tick.tick().await;
        let now = beats();
        if last.iter().zip(&now).all(|(then, now)| now.is_none() || then != now) {
            last = now;
            told = tokio::time::Instant::now();
            watchdog();
        } else if told.elapsed() > period / 2 + Duration::from_secs(1) {
            let still: Vec<bool> = last.iter().zip(&now).map(|(then, now)| then == now).collect();
            tracing::error!(?still, "a part of the program does not move; the watchdog is not fed");
        }
    }
}

/// The silence after which the manager kills us (`WatchdogSec=`); `None`: it does not watch.
pub fn watchdog_period() -> Option<Duration> {
    Native::watchdog_period()
}

/// `state` as sd_notify(3) writes it.
fn say(state: &str) {
    static COMPLAINED: Once = Once::new();
    if let Err(error) = Native::tell(state) {
        COMPLAINED.call_once(|| tracing::debug!(%error, state, "the manager does not hear us"));
    }
}

fn one_line(sentence: &str) -> String {
    let tame = |c: char| if c.is_control() { ' ' } else { c };
    sentence.chars().take(STATUS_CHARS_MAX).map(tame).collect()
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_status_is_one_line_and_bounded() {
        assert_eq!(one_line("a\nMAINPID=1"), "a MAINPID=1");
        assert_eq!(one_line(&"é".repeat(999)).chars().count(), 300);
    }
}
