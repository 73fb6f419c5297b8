//! The journal from a place on and as it grows. First what there is, up to two seconds ago, by
//! journalctl's index; then everything that is said, of which what is wanted is picked here.
//!
//! The reason for the second half: journald counts a new entry first and then adds it to the
//! index of each of its fields, one after the other. A journalctl with matches that looks just
//! then takes the journal for read and does not look again until the next entry comes; and with
//! several groups of matches it can pass an entry over for good. Without matches neither
//! happens.
//!
//! And where an entry did not fit into a file any more, journald writes it a second time, into
//! the next one, with the next number; it is told once.

use super::entry::Raw;
use super::journal::{Bell, Heads, Journal};
use super::journalctl::Running;
use super::{AGENT_UNIT, AGENTS_SLICE, Entry, LogError, Wanted};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An entry is in every index so long after it was said, in microseconds.
const SETTLED_US: u64 = 2_000_000;
/// Our own boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What is read of the journal.
pub(super) struct Reading {
    picks: Picks,
    child: Running,
    /// From when on to follow, after what there is.
    then: Option<u64>,
    bell: Option<Arc<Bell>>,
}

/// Picks what is wanted.
struct Picks {
    wanted: Wanted,
    /// Only this user's.
    uid: Option<u32>,
    /// Only of this boot.
    boot: Option<String>,
    /// What came before this, or is it, was told already.
    floor: Option<Place>,
    /// What is younger is left to the second half.
    settled: Option<Moment>,
    /// The first half came to something younger.
    ended: bool,
    /// Cursor of the first entry that came.
    first: Option<String>,
    /// Of the last, or that from which we go on.
    last: String,
    heads: Heads,
    entries: Vec<Entry>,
}

impl Reading {
    pub(super) fn new(journal: &Journal, wanted: &Wanted) -> Result<Reading, LogError> {
        let settled = Moment::ago(SETTLED_US);
        // Of a boot that is over nothing will come.
        let ours = wanted.boot.as_deref().is_none_or(|b| b == "0" || b == settled.boot);
        let follows = wanted.follow && !wanted.backwards && wanted.until_us.is_none() && ours;
        let mut picks = Picks {
            wanted: wanted.clone(),
            uid: None,
            boot: wanted.boot.as_ref().filter(|_| follows).map(|_| settled.boot.clone()),
            floor: wanted.after.as_deref().and_then(Place::of),
            settled: None,
            ended: false,
            first: None,
            last: wanted.after.clone().unwrap_or_default(),
            heads: Heads::default(),
            entries: Vec::new(),
        };
        if !follows {
            let child = Running::looking_back(wanted)?;
            return Ok(Reading { picks, child, then: None, bell: None });
        }
        let bell = journal.bell();
        // Some more than is missing, so that nothing falls between; the floor keeps it back.
        let from_us = settled.wall_us.saturating_sub(SETTLED_US);
        let from_us = match wanted.after {
            Some(_) => from_us,
            None => from_us.max(wanted.since_us.unwrap_or(0)),
        };
        // By the clock that nobody sets: after a jump back the wall's would pass over hours.
        let after =
            picks.floor.as_ref().map(|place| settled.is_before(&place.boot, place.clock_us));
        let at_once = match after {
            Some(young) => young.then_some(from_us),
            None => wanted.since_us.filter(|since_us| *since_us >= settled.wall_us),
        };
        if let Some(since_us) = at_once {
            let child = Running::following(bell.as_deref(), since_us)?;
            let uid = child.shows_others().then(crate::own_uid);
            return Ok(Reading { picks: Picks { uid, ..picks }, child, then: None, bell });
        }
        picks.settled = Some(settled);
        let child = Running::looking_back(wanted)?;
        Ok(Reading { picks, child, then: Some(from_us), bell })
    }

    /// Of a reader backwards: the cursor of the newest entry.
    pub(super) fn newest(&self) -> Option<&str> {
        self.picks.first.as_deref()
    }

    pub(super) async fn next(&mut self) -> Result<Option<&[Entry]>, LogError> {
        self.picks.entries.clear();
        while self.picks.entries.is_empty() {
            let Reading { picks, child, .. } = self;
            if !picks.ended && child.read(|raw| picks.take(raw)).await? {
                continue;
            }
            let Some(since_us) = self.then.take() else {
                return Ok(None);
            };
            self.child = Running::following(self.bell.as_deref(), since_us)?;
            let picks = &mut self.picks;
            picks.uid = self.child.shows_others().then(crate::own_uid);
            picks.floor = Place::of(&picks.last);
            (picks.settled, picks.ended) = (None, false);
        }
        Ok(Some(&self.picks.entries))
    }
}

impl Picks {
    fn take(&mut self, raw: &Raw<'_>) {
        let cursor = std::str::from_utf8(raw.cursor).unwrap_or_default();
        let young = |settled: &Moment| settled.is_before(raw.boot, raw.clock_us());
        self.ended |= self.settled.as_ref().is_some_and(young);
        if self.ended {
            return;
        }
        if !self.wanted.backwards
            && let (Some(floor), Some(place)) = (&self.floor, Place::of(cursor))
        {
            if !place.is_after(floor) {
                return;
            }
            self.floor = None;
        }
        let copy = self.is_copy(cursor);
        self.last.clear();
        self.last.push_str(cursor);
        if copy {
            return;
        }
        if self.first.is_none() {
            self.first = Some(cursor.to_owned());
        }
        let own = self.uid.is_none() || raw.uid() == self.uid;
        let of_boot = self.boot.as_ref().is_none_or(|boot| boot.as_bytes() == raw.boot);
        if own && of_boot && fits(&self.wanted, raw) {
            self.entries.push(raw.entry());
        }
    }

    /// Whether an entry is the same as the one before it, written a second time. Lines that are
    /// alike and were said at once have the same time and sum, too; but no file begins between.
    fn is_copy(&mut self, cursor: &str) -> bool {
        let (Some((_, sum)), Some((_, last))) =
            (cursor.split_once(";b="), self.last.split_once(";b="))
        else {
            return false;
        };
        if sum != last {
            return false;
        }
        let number = |cursor: &str| Some(Place::of(cursor)?.number?.1);
        match (number(cursor), number(&self.last)) {
            (Some(one), Some(other)) if one.abs_diff(other) == 1 => self.heads.has(one.max(other)),
            _ => false,
        }
    }
}

/// Whether an entry is wanted, as `journalctl::matches` says it to journalctl.
fn fits(wanted: &Wanted, raw: &Raw<'_>) -> bool {
    let is = |unit: &[u8], name: &str| unit == name.as_bytes();
    let listed = |unit: &[u8]| wanted.units.iter().any(|known| is(unit, known));
    let of = |id: &Option<String>, said: &[u8]| id.as_ref().is_none_or(|id| is(said, id));
    let told = of(&wanted.session, raw.session()) && of(&wanted.turn, raw.turn);
    let narrowed = wanted.session.is_some() || wanted.turn.is_some();
    let own_agent =
        wanted.own_agent().is_some_and(|unit| is(raw.by, &unit) || is(raw.about, &unit));
    let agents = wanted.agents
        && (is(raw.slice, AGENTS_SLICE)
            || is(raw.by, "init.scope") && raw.about.starts_with(AGENT_UNIT.as_bytes()));
    let unit = own_agent || agents || listed(raw.by) || listed(raw.about) && !narrowed;
    let loud = || wanted.priority.is_none_or(|p| raw.priority().is_some_and(|own| own <= p));
    unit && told && loud()
}

/// A point in time by both clocks.
struct Moment {
    wall_us: u64,
    /// Since the machine began, which was this boot.
    clock_us: u64,
    boot: String,
}

impl Moment {
    fn ago(us: u64) -> Moment {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let clock = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
        let earlier = |now: u128| u64::try_from(now).unwrap_or(u64::MAX).saturating_sub(us);
        let clock = Duration::try_from(clock).unwrap_or_default();
        Moment {
            wall_us: earlier(wall.as_micros()),
            clock_us: earlier(clock.as_micros()),
            boot: boot.trim().replace('-', ""),
        }
    }

    /// Whether something of that boot and time came after this.
    fn is_before(&self, boot: impl AsRef<[u8]>, clock_us: Option<u64>) -> bool {
        boot.as_ref() == self.boot.as_bytes() && clock_us.is_some_and(|us| us > self.clock_us)
    }
}

/// Where an entry stands in the journal, by its cursor.
#[derive(Debug, Default, PartialEq, Eq)]
struct Place {
    /// Who counted it, and its number.
    number: Option<(String, u64)>,
    time_us: Option<u64>,
    /// Which boot it was, and how long since.
    boot: String,
    clock_us: Option<u64>,
}

impl Place {
    fn of(cursor: &str) -> Option<Place> {
        let (mut by, mut number, mut place) = (None, None, Place::default());
        for part in cursor.split(';') {
            let (name, value) = part.split_once('=')?;
            let hex = || u64::from_str_radix(value, 16).ok();
            match name {
                "s" => by = Some(value.to_owned()),
                "i" => number = hex(),
                "b" => value.clone_into(&mut place.boot),
                "m" => place.clock_us = hex(),
                "t" => place.time_us = hex(),
                _ => {}
            }
        }
        place.number = by.zip(number);
        Some(place)
    }

    fn is_after(&self, other: &Place) -> bool {
        match (&self.number, &other.number) {
            (Some((by, number)), Some((same, than))) if by == same => number > than,
            // Another journald has counted: its own entry it cannot be.
            _ => self.time_us >= other.time_us,
        }
    }
}

/// Whether journalctl takes it: parts like `i=1f` with semicolons between, and enough of them.
pub(super) fn is_cursor(text: &str) -> bool {
    let mut names = String::new();
    for part in text.split(';') {
        let (name, value) = part.split_once('=').unwrap_or_default();
        let lengths = match name {
            "s" | "b" => 32..=32,
            "i" | "m" | "t" | "x" => 1..=16,
            _ => return false,
        };
        if !lengths.contains(&value.len()) || !value.bytes().all(|b| b.is_ascii_hexdigit()) {
            return false;
        }
        names.push_str(name);
    }
    let has = |name: char| names.contains(name);
    has('s') && has('i') || has('b') && has('m') || has('t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::entry::{self, Piece};

    fn wanted() -> Wanted {
        Wanted { units: vec!["a.service".into()], agents: true, ..Wanted::default() }
    }

    fn is_told(wanted: &Wanted, fields: &[&str]) -> bool {
        let text = fields.join("\n") + "\n\n";
        match entry::read(text.as_bytes()) {
            Piece::Entry(raw, _) => fits(wanted, &raw),
            Piece::Part => panic!("{text} is no entry"),
        }
    }

    #[test]
    fn what_is_picked_is_what_the_matches_say() {
        let all = wanted();
        let units = Wanted { agents: false, ..wanted() };
        let session = Wanted { session: Some("s".into()), ..wanted() };
        let turn = Wanted { turn: Some("t".into()), ..session.clone() };
        let (a, b) = ("_SYSTEMD_USER_UNIT=a.service", "_SYSTEMD_USER_UNIT=b.service");
        let manager = "_SYSTEMD_USER_UNIT=init.scope";
        let agent = "_SYSTEMD_USER_UNIT=parachute-agent@s.service";
        let slice = "_SYSTEMD_USER_SLICE=parachute-agents.slice";
        let (of_s, of_t) = ("PARACHUTE_SESSION=s", "PARACHUTE_TURN=t");
        for (fields, told) in [
            (&[a][..], [true, true, false, false]),
            (&[b], [false; 4]),
            (&[manager, "USER_UNIT=a.service"], [true, true, false, false]),
            (&[manager, "USER_UNIT=b.service"], [false; 4]),
            (&[manager, "USER_UNIT=parachute-agent@s.service"], [true, false, true, false]),
            (&[manager, "USER_UNIT=parachute-agent@q.service"], [true, false, false, false]),
            (&[agent, slice], [true, false, true, false]),
            (&[a, of_s], [true, true, true, false]),
            (&[agent, slice, of_s, of_t], [true, false, true, true]),
            (&[of_s], [false; 4]),
        ] {
            let now = [&all, &units, &session, &turn].map(|wanted| is_told(wanted, fields));
            assert_eq!(now, told, "{fields:?}");
        }
    }

    #[test]
    fn priorities_are_those_that_are_given() {
        let loud = Wanted { priority: Some(4), ..wanted() };
        let said = |field| is_told(&loud, &["_SYSTEMD_USER_UNIT=a.service", field]);
        let fields = ["PRIORITY=0", "PRIORITY=4", "PRIORITY=5", "PRIORITY=x", "X=1"];
        assert_eq!(fields.map(said), [true, true, false, false, false]);
    }

    #[test]
    fn places_are_in_order_by_number_or_by_time() {
        let place = |cursor: &str| Place::of(cursor).unwrap();
        let after = |a: &str, b: &str| place(a).is_after(&place(b));
        assert!(after("s=a;i=10;t=1", "s=a;i=f;t=2"));
        assert!(!after("s=a;i=f;t=2", "s=a;i=f;t=2"));
        assert!(after("s=a;i=1;t=2", "s=b;i=9;t=1"));
        assert!(!after("s=a;i=1;t=1", "s=b;i=9;t=2"));
        assert_eq!(Place::of("none"), None);
    }

    #[test]
    fn what_is_young_is_so_by_the_clock_that_nobody_sets() {
        let now = Moment { wall_us: 0, clock_us: 100, boot: "b1".into() };
        assert!(now.is_before("b1", Some(101)));
        assert!(!now.is_before("b1", Some(100)) && !now.is_before("b1", None));
        assert!(!now.is_before("b2", Some(101)));
        let place = Place::of("b=b1;m=65;t=0").unwrap();
        assert!(now.is_before(&place.boot, place.clock_us));
    }

    #[test]
    fn only_a_cursor_is_one() {
        let id = "a3123c7ea4d743aebe7595b1fc6c6881";
        let whole = format!("s={id};i=18;b={id};m=2abe2511c;t=660af81c8a6ce;x=8bb2e73559c1fb4e");
        for good in [whole.as_str(), "t=1", &format!("s={id};i=1"), &format!("b={id};m=f")] {
            assert!(is_cursor(good), "{good}");
        }
        let twice = format!("{whole}{whole}");
        for bad in ["", "i=1", "s=1;i=1", "t=", "t=g", "q=1;t=1", "t=1;", "-t=1", " t=1", &twice] {
            assert!(!is_cursor(bad), "{bad:?}");
        }
    }
}
