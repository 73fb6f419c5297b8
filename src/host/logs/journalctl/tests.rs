//! The words to journalctl. What it answers is tried in `tests/journal.rs`.

use super::*;

fn wanted() -> Wanted {
    let units = ["a.service", "b.socket"].map(str::to_owned).to_vec();
    Wanted { units, agents: true, ..Wanted::default() }
}

#[test]
fn units_and_what_the_manager_says_of_them() {
    let all = matches(&wanted(), None).join(" ");
    assert_eq!(
        all,
        "_SYSTEMD_USER_UNIT=a.service _SYSTEMD_USER_UNIT=b.socket + \
         USER_UNIT=a.service USER_UNIT=b.socket + \
         _SYSTEMD_USER_SLICE=parachute-agents.slice + \
         _SYSTEMD_USER_UNIT=init.scope SYSLOG_IDENTIFIER=systemd"
    );
    let one = Wanted { agents: false, units: vec!["a.service".into()], ..wanted() };
    let one = matches(&one, Some(7)).join(" ");
    assert_eq!(one, "_SYSTEMD_USER_UNIT=a.service _UID=7 + USER_UNIT=a.service _UID=7");
}

#[test]
fn a_session_is_everywhere_and_all_of_its_agent() {
    let session = Wanted { session: Some("s".into()), ..wanted() };
    assert_eq!(
        matches(&session, None).join(" "),
        "_SYSTEMD_USER_UNIT=a.service _SYSTEMD_USER_UNIT=b.socket PARACHUTE_SESSION=s + \
         _SYSTEMD_USER_SLICE=parachute-agents.slice PARACHUTE_SESSION=s + \
         _SYSTEMD_USER_UNIT=parachute-agent@s.service + USER_UNIT=parachute-agent@s.service"
    );
    let turn = Wanted { turn: Some("t".into()), ..session };
    assert_eq!(
        matches(&turn, None).join(" "),
        "_SYSTEMD_USER_UNIT=a.service _SYSTEMD_USER_UNIT=b.socket PARACHUTE_SESSION=s \
         PARACHUTE_TURN=t + \
         _SYSTEMD_USER_SLICE=parachute-agents.slice PARACHUTE_SESSION=s PARACHUTE_TURN=t"
    );
}

#[test]
fn a_place_counts_more_than_a_time() {
    let all = Wanted {
        priority: Some(4),
        boot: Some("-1".into()),
        since_us: Some(1_000_002),
        until_us: Some(3_000_000),
        ..wanted()
    };
    let words = options(&all).join(" ");
    assert_eq!(words, "--priority=4 --boot=-1 --since=@1.000002 --until=@3.000000");
    let words = options(&Wanted { after: Some("t=1".into()), ..all.clone() }).join(" ");
    assert_eq!(words, "--priority=4 --boot=-1 --cursor=t=1 --until=@3.000000");
    assert_eq!(options(&Wanted { backwards: true, ..all })[0], "--reverse");
}

#[test]
fn only_a_boot_is_one() {
    let id = "a3123c7ea4d743aebe7595b1fc6c6881";
    for good in ["0", "-1", "+2", id, &format!("{id}-1"), &format!("{id}+12")] {
        assert!(is_boot(good), "{good}");
    }
    for bad in ["", "-", "12345", "x", "all", "--user", &id[1..], &format!("{id}1"), "é"] {
        assert!(!is_boot(bad), "{bad:?}");
    }
}
