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
