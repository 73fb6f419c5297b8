//! The rules one by one, and devices by the thousand rounds: those that say their base, and those
//! of today's app, which decide by clocks that go wrong (contract-extended §5.2). A text is its
//! own hash here.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn told(base: &str) -> Base {
    Base::Told(base.into())
}

fn seen(base: Option<&str>) -> Base {
    Base::Seen(base.map(str::to_owned))
}

#[test]
fn traps_t_79_and_t_80_each_case_has_its_verdict() {
    let there = Here { hash: Some("now".into()), ..Here::default() };
    for (base, verdict) in [
        (told("now"), Verdict::Do),
        (told("old"), Verdict::Refuse),
        (told(""), Verdict::Refuse),
        (seen(Some("now")), Verdict::Aside),
        (seen(Some("old")), Verdict::Keep),
        (seen(None), Verdict::Keep),
    ] {
        assert_eq!(of_push(&there, &base, "new", || false), verdict, "{base:?}");
        assert_eq!(of_push(&there, &base, "now", || false), Verdict::Same, "{base:?}");
    }
    assert_eq!(of_push(&there, &seen(None), "new", || true), Verdict::Do);
    let past = Here { had: true, ..there.clone() };
    assert_eq!(of_push(&past, &seen(Some("old")), "old", || true), Verdict::Stale);
    assert_eq!(of_push(&past, &seen(Some("now")), "old", || false), Verdict::Aside);
    assert_eq!(of_push(&past, &seen(Some("now")), "old", || true), Verdict::Do);
    // Of one that is not known it cannot be said that it is behind.
    assert_eq!(of_push(&past, &seen(None), "old", || false), Verdict::Keep);
    let gone = |had| Here { buried: Some("last".into()), had, ..Here::default() };
    for (had, base, verdict) in [
        (true, seen(None), Verdict::Refuse),
        (true, seen(Some("last")), Verdict::Refuse),
        (true, seen(Some("")), Verdict::Do),
        (true, told(""), Verdict::Refuse),
        (true, told("older"), Verdict::Refuse),
        (true, told("last"), Verdict::Do),
        (false, seen(None), Verdict::Do),
        (false, told(""), Verdict::Do),
    ] {
        assert_eq!(of_push(&gone(had), &base, "x", || false), verdict, "{had} {base:?}");
    }
    for (base, verdict) in [
        (told("now"), Verdict::Do),
        (told("old"), Verdict::Refuse),
        (seen(Some("now")), Verdict::Aside),
        (seen(Some("old")), Verdict::Refuse),
        (seen(None), Verdict::Aside),
    ] {
        assert_eq!(of_delete(&there, &base), verdict, "{base:?}");
        assert_eq!(of_delete(&gone(true), &base), Verdict::Same);
    }
    let shared = Here { shared: true, ..there };
    assert_eq!(of_delete(&shared, &seen(None)), Verdict::Refuse);
}

#[test]
fn what_is_kept_is_named_as_the_app_names_it() {
    let at = "2026-11-20T12:34:56.123456Z";
    for (name, number, kept) in [
        ("a.md", 0, "a.sync-conflict-20261120-123456-server.md"),
        ("a.b.md", 2, "a.b.sync-conflict-20261120-123456-server-2.md"),
        ("README", 0, "README.sync-conflict-20261120-123456-server"),
    ] {
        assert_eq!(kept_name(name, at, number), kept);
    }
    let long = kept_name(&format!("{}.md", "ü".repeat(126)), at, 99);
    assert!(long.len() <= 255 && long.ends_with("-server-99.md"), "{long}");
}

#[test]
fn a_text_has_grown_if_all_its_lines_are_there_in_order() {
    for (old, new, is) in [
        ("", "a", false),
        ("a\n", "a\nb\n", true),
        ("a\nb", "a\nx\nb", true),
        ("a\nb", "b\na", false),
        ("a\na", "a", false),
        ("a", "ab", false),
        ("a\r\n", "a\n", false),
    ] {
        assert_eq!(grown(old.as_bytes(), new.as_bytes()), is, "{old:?} {new:?}");
    }
}

/// The server's side: rules, and maps for a disk and a database.
#[derive(Default)]
struct Server {
    files: BTreeMap<String, (String, i64)>,
    buried: BTreeMap<String, String>,
    had: BTreeSet<(String, String)>,
    seen: BTreeMap<(usize, String), String>,
    kept: usize,
    /// What was replaced or deleted on a guess.
    aside: BTreeSet<String>,
    /// Whether it cannot tell the devices apart.
    is_shared: bool,
    /// Whether answers of it are lost, so that it takes a device to have what it has not.
    loses: bool,
}

impl Server {
    fn known(&self, who: usize) -> usize {
        if self.is_shared { 0 } else { who }
    }

    fn here(&self, who: usize, path: &str, text: &str) -> Here {
        let had = self.had.contains(&(path.to_owned(), text.to_owned()));
        let hash = self.files.get(path).map(|(text, _)| text.clone());
        let shared = self.seen.contains_key(&(1 - self.known(who), path.to_owned()));
        Here { hash, buried: self.buried.get(path).cloned(), had, shared }
    }

    fn base(&self, who: usize, path: &str, base: Option<String>) -> Base {
        match base {
            Some(base) => Base::Told(base),
            None => Base::Seen(self.seen.get(&(self.known(who), path.to_owned())).cloned()),
        }
    }

    fn push(&mut self, who: usize, path: &str, text: &str, base: Option<String>, now: i64) -> bool {
        let here = self.here(who, path, text);
        let base = self.base(who, path, base);
        let old = here.hash.clone().unwrap_or_default();
        let verdict = of_push(&here, &base, text, || grown(old.as_bytes(), text.as_bytes()));
        match verdict {
            Verdict::Refuse => return false,
            Verdict::Stale => {
                self.files.insert(path.to_owned(), (old, now));
                return false;
            }
            Verdict::Same => {}
            Verdict::Do | Verdict::Keep | Verdict::Aside => {
                if verdict == Verdict::Aside {
                    self.aside.insert(old.clone());
                }
                if verdict == Verdict::Keep {
                    self.kept += 1;
                    let name = kept_name(path, "2026-11-20T12:34:56Z", self.kept);
                    self.had.insert((name.clone(), old.clone()));
                    self.files.insert(name, (old, now));
                }
                self.files.insert(path.to_owned(), (text.to_owned(), now));
                self.had.insert((path.to_owned(), text.to_owned()));
                self.buried.remove(path);
            }
        }
        self.seen.insert((self.known(who), path.to_owned()), text.to_owned());
        true
    }

    fn pull(&mut self, who: usize, path: &str) -> Option<(String, i64)> {
        let found = self.files.get(path).cloned()?;
        self.seen.insert((self.known(who), path.to_owned()), found.0.clone());
        Some(found)
    }

    fn delete(&mut self, who: usize, path: &str, base: Option<String>) -> bool {
        let base = self.base(who, path, base);
        match of_delete(&self.here(who, path, ""), &base) {
            verdict @ (Verdict::Do | Verdict::Aside) => {
                let (text, _) = self.files.remove(path).expect("it is there");
                if verdict == Verdict::Aside {
                    self.aside.insert(text.clone());
                }
                self.buried.insert(path.to_owned(), text);
            }
            Verdict::Same => {}
            Verdict::Keep | Verdict::Refuse | Verdict::Stale => return false,
        }
        self.seen.insert((self.known(who), path.to_owned()), String::new());
        true
    }
}

/// What must be so in the end.
#[derive(Default)]
struct Witness {
    /// Texts that the server took, or every text there was.
    counted: BTreeSet<String>,
    /// Texts that somebody who had them before him replaced or deleted.
    superseded: BTreeSet<String>,
    /// Deletions that the server took: path and text.
    deleted: BTreeSet<(String, String)>,
}

impl Witness {
    fn judge(&self, server: &Server) {
        let there: Vec<&String> = server.files.values().map(|(text, _)| text).collect();
        for text in &self.counted {
            let mut all = there.iter().copied().chain(&self.superseded).chain(&server.aside);
            let is_kept = all.any(|other| grown(text.as_bytes(), other.as_bytes()));
            assert!(is_kept, "lost: {text:?}");
        }
        // Where it guesses wrong, a device that still has a deleted text may replace a newer one
        // with it, as one that means to.
        let guesses_right = !server.is_shared && !server.loses;
        for (path, text) in self.deleted.iter().filter(|_| guesses_right) {
            let now = server.files.get(path).map(|(text, _)| text);
            assert_ne!(now, Some(text), "{path} has come back");
        }
    }
}

struct Device {
    who: usize,
    /// Says its base; else it is today's app.
    is_new: bool,
    /// How far its clock is ahead, in seconds.
    ahead: i64,
    files: BTreeMap<String, (String, i64)>,
    bases: BTreeMap<String, String>,
    tombstones: BTreeSet<String>,
    steps: Vec<Step>,
    copies: usize,
}

#[derive(Clone, Debug)]
enum Step {
    Push(String),
    Pull(String),
    Both(String),
    Drop(String),
    Delete(String),
}

impl Device {
    fn new(who: usize, is_new: bool, ahead: i64) -> Device {
        let (files, bases, tombstones, steps) = Default::default();
        Device { who, is_new, ahead, files, bases, tombstones, steps, copies: 0 }
    }

    /// Compares with the server as it is now; what follows from it is done later, step by step.
    fn plan(&mut self, server: &Server) {
        let mut steps = Vec::new();
        for (path, (text, at)) in &self.files {
            let base = self.bases.get(path);
            let step = match server.files.get(path) {
                Some((there, _)) if there == text => {
                    self.bases.insert(path.clone(), text.clone());
                    continue;
                }
                Some((there, _)) if self.is_new => match base {
                    Some(base) if base == text => Step::Pull(path.clone()),
                    Some(base) if base == there => Step::Push(path.clone()),
                    _ => Step::Both(path.clone()),
                },
                Some((_, then)) if (at - then).abs() < 60 => Step::Both(path.clone()),
                Some((_, then)) if at > then => Step::Push(path.clone()),
                Some(_) => Step::Pull(path.clone()),
                None if self.is_new && base == Some(text) => Step::Drop(path.clone()),
                None => Step::Push(path.clone()),
            };
            steps.push(step);
        }
        for path in server.files.keys().filter(|path| !self.files.contains_key(*path)) {
            let is_deleted = match self.is_new {
                true => self.bases.contains_key(path),
                false => self.tombstones.contains(path),
            };
            let path = path.clone();
            steps.push(if is_deleted { Step::Delete(path) } else { Step::Pull(path) });
        }
        self.steps = steps;
    }

    fn base(&self, path: &str) -> Option<String> {
        self.is_new.then(|| self.bases.get(path).cloned().unwrap_or_default())
    }

    fn push(&mut self, server: &mut Server, path: &str, now: i64, witness: &mut Witness) {
        let Some((text, _)) = self.files.get(path).cloned() else { return };
        if server.push(self.who, path, &text, self.base(path), now) {
            self.bases.insert(path.to_owned(), text.clone());
            witness.counted.insert(text);
        }
    }

    fn step(&mut self, server: &mut Server, now: i64, witness: &mut Witness) {
        let Some(step) = self.steps.pop() else { return self.plan(server) };
        let touched = |device: &Device, path: &str| {
            device.is_new && device.files.get(path).map(|(text, _)| text) != device.bases.get(path)
        };
        match step {
            Step::Push(path) => self.push(server, &path, now, witness),
            // What was changed since is left for the next time.
            Step::Pull(path) if touched(self, &path) => {}
            Step::Pull(path) => {
                if let Some((text, at)) = server.pull(self.who, &path) {
                    self.files.insert(path.clone(), (text.clone(), at));
                    self.bases.insert(path, text);
                }
            }
            Step::Both(path) => {
                if !self.files.contains_key(&path) {
                    return;
                }
                let Some((theirs, at)) = server.pull(self.who, &path) else { return };
                self.copies += 1;
                let copy = format!("{path}.sync-conflict-{}-{}", self.copies, self.who);
                self.files.insert(copy, (theirs.clone(), at));
                self.bases.insert(path.clone(), theirs);
                self.push(server, &path, now, witness);
            }
            Step::Drop(path) if touched(self, &path) => {}
            Step::Drop(path) => {
                self.files.remove(&path);
                self.bases.remove(&path);
            }
            Step::Delete(path) if self.files.contains_key(&path) => {}
            Step::Delete(path) => {
                let text = server.files.get(&path).map(|(text, _)| text.clone());
                if server.delete(self.who, &path, self.base(&path))
                    && let Some(text) = text
                {
                    witness.deleted.insert((path.clone(), text));
                }
                // An edit that this device had not seen comes back to it.
                self.bases.remove(&path);
                self.tombstones.remove(&path);
            }
        }
    }

    fn act(&mut self, rng: &mut Rng, now: i64, number: usize, witness: &mut Witness) {
        let at = now + self.ahead;
        let pick = rng.below(self.files.len().max(1));
        let chosen =
            self.files.iter().nth(pick).map(|(path, (text, _))| (path.clone(), text.clone()));
        match (rng.below(10), chosen) {
            (0..2, Some((path, text))) => {
                self.files.remove(&path);
                self.tombstones.insert(path);
                witness.superseded.insert(text);
            }
            (2, Some((path, text))) => {
                self.files.remove(&path);
                self.tombstones.insert(path);
                self.files.insert(format!("moved-{number}.md"), (text, at));
            }
            (3..6, Some((path, text))) => {
                let new = format!("{text}\nline {number}");
                witness.superseded.insert(text);
                self.write(path, new, at, witness);
            }
            (6..9, Some((path, text))) => {
                witness.superseded.insert(text);
                self.write(path, format!("text {number}"), at, witness);
            }
            _ => {
                // Both devices hit upon the same names.
                let path = format!("note-{}.md", rng.below(6));
                if let Some((old, _)) = self.files.get(&path) {
                    witness.superseded.insert(old.clone());
                }
                self.write(path, format!("text {number}"), at, witness);
            }
        }
    }

    fn write(&mut self, path: String, text: String, at: i64, witness: &mut Witness) {
        if self.is_new {
            // Such a device loses not even what it has told nobody.
            witness.counted.insert(text.clone());
        }
        self.tombstones.remove(&path);
        self.files.insert(path, (text, at));
    }
}

struct Rng(u64);

impl Rng {
    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

/// A thousand rounds of two devices, and then peace.
fn live(seed: u64, devices: [Device; 2]) -> (Server, [Device; 2]) {
    live_with(Server::default(), seed, devices)
}

fn live_with(mut server: Server, seed: u64, mut devices: [Device; 2]) -> (Server, [Device; 2]) {
    let mut witness = Witness::default();
    let mut rng = Rng(seed | 1);
    let mut now = 0;
    for number in 0..1000 {
        now += rng.below(200) as i64;
        let device = &mut devices[rng.below(2)];
        if server.loses && rng.below(20) == 0 {
            let path = server.files.keys().nth(rng.below(server.files.len().max(1))).cloned();
            server.pull(device.who, &path.unwrap_or_default());
        }
        match rng.below(3) {
            0 => device.act(&mut rng, now, number, &mut witness),
            1 => device.step(&mut server, now, &mut witness),
            // The app pushes what it has just changed without looking.
            _ if !device.is_new => {
                let pick = rng.below(device.files.len().max(1));
                let path = device.files.keys().nth(pick).cloned();
                device.push(&mut server, &path.unwrap_or_default(), now, &mut witness);
            }
            _ => (0..5).for_each(|_| device.step(&mut server, now, &mut witness)),
        }
    }
    for _ in 0..40 {
        for device in &mut devices {
            now += 100;
            device.plan(&server);
            while !device.steps.is_empty() {
                device.step(&mut server, now, &mut witness);
            }
        }
    }
    witness.judge(&server);
    (server, devices)
}

fn texts(files: &BTreeMap<String, (String, i64)>) -> BTreeMap<&String, &String> {
    files.iter().map(|(path, (text, _))| (path, text)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn devices_that_say_their_base_lose_nothing_and_end_equal(seed: u64) {
        let (server, devices) = live(seed, [Device::new(0, true, 0), Device::new(1, true, 900)]);
        prop_assert_eq!(server.kept, 0, "such devices keep both sides themselves");
        for device in &devices {
            prop_assert_eq!(texts(&device.files), texts(&server.files));
        }
    }

    #[test]
    fn devices_of_today_lose_nothing_that_was_taken_and_end_equal(
        seed: u64, ahead in -5000i64..5000,
    ) {
        let (server, devices) =
            live(seed, [Device::new(0, false, ahead), Device::new(1, false, 0)]);
        for device in &devices {
            let mut files = device.files.clone();
            // What was deleted elsewhere such a device cannot be told; it is not taken from it.
            files.retain(|path, _| !server.buried.contains_key(path));
            prop_assert_eq!(texts(&files), texts(&server.files));
        }
    }

    #[test]
    fn devices_of_today_whose_answers_are_lost_lose_nothing_that_was_taken(
        seed: u64, ahead in -5000i64..5000,
    ) {
        for other in [false, true] {
            let server = Server { loses: true, ..Server::default() };
            live_with(server, seed, [Device::new(0, false, ahead), Device::new(1, other, 0)]);
        }
    }

    #[test]
    fn devices_of_today_that_are_one_to_the_server_lose_nothing(
        seed: u64, ahead in -5000i64..5000,
    ) {
        let server = Server { is_shared: true, ..Server::default() };
        let (_, devices) =
            live_with(server, seed, [Device::new(0, false, ahead), Device::new(1, false, 0)]);
        prop_assert_eq!(texts(&devices[0].files), texts(&devices[1].files));
    }

    #[test]
    fn one_of_each_lose_nothing_that_was_taken(seed: u64, ahead in -5000i64..5000) {
        let (server, devices) =
            live(seed, [Device::new(0, true, 0), Device::new(1, false, ahead)]);
        prop_assert_eq!(texts(&devices[0].files), texts(&server.files));
    }
}
