//! Two devices that say their base, through the doors: they end equal, and no edit is lost. The
//! rules alone are tried by the thousand rounds where they are.

use crate::sync::{Device, manifest, on_disk};
use parachute_tests::Home;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a device has that says its base.
#[derive(Default)]
struct Shelf {
    files: BTreeMap<String, String>,
    /// What it had from the server last, or gave to it: hash and text.
    bases: BTreeMap<String, (String, String)>,
}

impl Shelf {
    async fn settle(&mut self, device: &Device) {
        let told = manifest(&device.caller, "pattern=*").await;
        let text = |file: &Value, name: &str| file[name].as_str().expect("text").to_owned();
        let files = told["files"].as_array().expect("a list").iter();
        let there: BTreeMap<String, String> =
            files.map(|file| (text(file, "path"), text(file, "hash"))).collect();
        let all: BTreeSet<String> = self.files.keys().chain(there.keys()).cloned().collect();
        for path in all {
            self.settle_one(device, &path, there.get(&path)).await;
        }
    }

    async fn settle_one(&mut self, device: &Device, path: &str, now: Option<&String>) {
        let base = self.bases.get(path).cloned();
        let mine = self.files.get(path).cloned();
        let untouched = mine == base.as_ref().map(|(_, text)| text.clone());
        let current = base.as_ref().map(|(hash, _)| hash) == now;
        match (mine, now) {
            (_, now) if untouched && current => assert_eq!(now.is_some(), base.is_some()),
            (_, Some(_)) if untouched => self.take(device, path).await,
            (_, None) if untouched => {
                self.files.remove(path);
                self.bases.remove(path);
            }
            (None, Some(now)) if current => {
                assert_eq!(device.delete(path, Some(now)).await["deleted"], 1);
                self.bases.remove(path);
            }
            (None, Some(_)) => self.take(device, path).await,
            (Some(text), Some(_)) if !current => {
                self.take(device, path).await;
                let theirs = self.files.insert(path.to_owned(), text).expect("taken");
                let copy = format!("{path}.sync-conflict-{}", theirs.replace(' ', "-"));
                self.files.insert(copy, theirs);
                self.give(device, path).await;
            }
            (Some(_), _) => self.give(device, path).await,
            (None, None) => {
                self.bases.remove(path);
            }
        }
    }

    async fn give(&mut self, device: &Device, path: &str) {
        let text = self.files[path].clone();
        let base = self.bases.get(path).map_or("", |(hash, _)| hash);
        let pushed = device.on(path, &text, base).await;
        let hash = pushed["files"][0]["hash"].as_str().expect("taken").to_owned();
        self.bases.insert(path.to_owned(), (hash, text));
    }

    async fn take(&mut self, device: &Device, path: &str) {
        let pulled = device.pull(&[path]).await;
        let text = |name: &str| pulled["files"][0][name].as_str().expect("text").to_owned();
        self.files.insert(path.to_owned(), text("content"));
        self.bases.insert(path.to_owned(), (text("hash"), text("content")));
    }
}

#[tokio::test]
async fn two_devices_end_equal_through_the_doors_and_no_edit_is_lost() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let devices = [Device::new(&caller, "a"), Device::new(&caller, "b")];
    let mut shelves = [Shelf::default(), Shelf::default()];
    let mut rng = crate::rng::Rng::new(0x5eed_0041);
    let (mut superseded, mut all) = (Vec::new(), Vec::new());
    for round in 0..60 {
        let at = rng.below(2) as usize;
        let shelf = &mut shelves[at];
        let path = format!("note-{}.md", rng.below(4));
        match rng.below(4) {
            0 => superseded.extend(shelf.files.remove(&path)),
            1 => shelf.settle(&devices[at]).await,
            _ => {
                let text = format!("text {round}");
                all.push(text.clone());
                superseded.extend(shelf.files.insert(path, text));
            }
        }
    }
    for _ in 0..4 {
        for (shelf, device) in shelves.iter_mut().zip(&devices) {
            shelf.settle(device).await;
        }
    }
    assert_eq!(shelves[0].files, shelves[1].files);
    for (path, text) in &shelves[0].files {
        assert_eq!(on_disk(&home, path).as_ref(), Some(text), "{path}");
    }
    for text in all {
        let kept = shelves[0].files.values().chain(&superseded).any(|other| *other == text);
        assert!(kept, "lost: {text}");
    }
}
