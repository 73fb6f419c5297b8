//! How the child is, how it ended, and how long it then stays down: what systemd.service(5) says
//! of a service with `Restart=on-failure`, in its words. Nothing is remembered here.

use super::Bounds;
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// The result of a run that ended well, and of none.
pub(super) const SUCCESS: &str = "success";

/// Usage and configuration (sysexits.h), `RestartPreventExitStatus=` of the unit: starting again
/// mends neither.
const FINAL: [i32; 2] = [64, 78];

/// How the child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is none.
    Rest { failed: bool },
    /// It runs and has not yet said that it is ready.
    Starting,
    /// It is ready.
    Running,
    /// It was asked to end, or says that it does.
    Stopping,
    /// It was silent for too long and was told to end at once.
    Aborting,
    /// It was killed.
    Killing,
    /// It crashed, and comes back after a while.
    Pausing,
}

impl Phase {
    /// Active state and sub state.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Phase::Rest { failed: false } => ("inactive", "dead"),
            Phase::Rest { failed: true } => ("failed", "failed"),
            Phase::Starting => ("activating", "start"),
            Phase::Running => ("active", "running"),
            Phase::Stopping => ("deactivating", "stop-sigterm"),
            Phase::Aborting => ("deactivating", "stop-watchdog"),
            Phase::Killing => ("deactivating", "stop-sigkill"),
            Phase::Pausing => ("activating", "auto-restart"),
        }
    }
}

/// The result of a run that ended so, in that phase.
pub(super) fn result(exit: Option<ExitStatus>, phase: Phase) -> &'static str {
    let Some(exit) = exit else { return "resources" };
    let asked = matches!(phase, Phase::Stopping | Phase::Aborting | Phase::Killing);
    match (exit.code(), exit.signal()) {
        (Some(0), _) if phase == Phase::Starting => "protocol",
        (Some(0), _) => SUCCESS,
        (_, Some(signal)) if asked && signal == Signal::TERM.as_raw() => SUCCESS,
        _ if exit.core_dumped() => "core-dump",
        (_, Some(_)) => "signal",
        _ => "exit-code",
    }
}

/// How long it stays down after so many crashes in a row.
pub(super) fn pause(bounds: &Bounds, crashes: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(crashes.saturating_sub(1));
    bounds.pause_min.saturating_mul(doubled).min(bounds.pause_max)
}

/// Whether that end is one after which starting again is of no use.
pub(super) fn is_final(exit: Option<ExitStatus>) -> bool {
    exit.and_then(|exit| exit.code()).is_some_and(|code| FINAL.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_judged_by_what_went_before() {
        let exited = |code: i32| Some(ExitStatus::from_raw(code << 8));
        let signalled = |raw: i32| Some(ExitStatus::from_raw(raw));
        for (exit, phase, expected) in [
            (exited(0), Phase::Running, "success"),
            (exited(0), Phase::Starting, "protocol"),
            (exited(0), Phase::Stopping, "success"),
            (exited(78), Phase::Starting, "exit-code"),
            (exited(1), Phase::Stopping, "exit-code"),
            (signalled(15), Phase::Stopping, "success"),
            (signalled(15), Phase::Running, "signal"),
            (signalled(9), Phase::Killing, "signal"),
            (signalled(11 | 0x80), Phase::Running, "core-dump"),
            (None, Phase::Running, "resources"),
        ] {
            assert_eq!(result(exit, phase), expected, "{exit:?} while {phase:?}");
        }
        assert!(is_final(exited(64)) && is_final(exited(78)));
        assert!(!is_final(exited(73)) && !is_final(signalled(9)) && !is_final(None));
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let bounds = Bounds::default();
        let pauses = (1..=9).map(|crashes| pause(&bounds, crashes).as_millis());
        let expected = [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000];
        assert_eq!(pauses.collect::<Vec<_>>(), expected);
        assert_eq!(pause(&bounds, u32::MAX), bounds.pause_max);
    }
}
