//! Many at once: every change stands upon the one before it, so none is lost.

use super::super::{Asked, ChangeError, Changed, change, set, show_file};
use super::changes::{ask, map, names};
use super::edits::file;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;
use std::sync::Barrier;
use std::thread;

const THREADS: usize = 50;
const EACH: usize = 3;

/// A value that no other thread and no other time has, for one of some keys.
fn value(thread: usize, time: usize) -> Value {
    let number = 1 + thread * EACH + time;
    match thread % 8 {
        0 => json!({ "port": number }),
        1 => json!({ "host": format!("10.0.0.{number}") }),
        2 => json!({ "cors_origins": format!("http://{number}.test # {number}") }),
        3 => json!({ "default_model": format!("claude-{number}") }),
        4 => json!({ "idle_exit_seconds": number }),
        5 => json!({ "agent_idle_seconds": number, "claude_path": format!("/bin/{number}") }),
        6 => json!({ "claude_path": format!("~/{number}"), "anthropic_base_url": null }),
        _ => json!({ "anthropic_base_url": format!("https://{number}.test") }),
    }
}

#[test]
fn fifty_at_once_lose_nothing() {
    let first = "# mine\nport: 60000 # first\nunknown: [a]\n\nhost: \"::\"\n";
    let (folder, path) = file(first);
    let start = Barrier::new(THREADS);
    let done: Vec<Changed> = thread::scope(|scope| {
        let one = |thread| {
            let (path, start) = (&path, &start);
            scope.spawn(move || {
                start.wait();
                let times = 0..EACH;
                times.map(|time| ask(path, &value(thread, time)).unwrap()).collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = (0..THREADS).map(one).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(done.len(), THREADS * EACH);

    // No text comes twice, so the changes make one chain from the first text to the last.
    let next: HashMap<&str, &Changed> =
        done.iter().map(|changed| (changed.before.as_ref().unwrap().expose(), changed)).collect();
    let (mut text, mut count) = (first, 0);
    while let Some(changed) = next.get(text) {
        (text, count) = (changed.after.expose(), count + 1);
    }
    assert_eq!(count, THREADS * EACH, "each stands upon another");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);

    let shown = show_file(&path);
    assert!(shown.problem.is_none() && shown.values.len() >= 8, "{shown:?}");
    assert_eq!(shown.tag, done.iter().find(|done| done.after.expose() == text).unwrap().tag);
    for (key, value_now) in &shown.values {
        let last = (0..THREADS).map(|thread| value(thread, EACH - 1));
        let mut values = last.filter_map(|values| values.get(key).cloned());
        assert!(key == "unknown" || values.any(|value| value == *value_now), "{key}: {value_now}");
    }
    assert!(text.starts_with("# mine\n") && text.contains("# first\nunknown: [a]\n\n"), "{text}");
    assert_eq!(names(folder.path()), [".config.lock", "config.yaml"]);
}

#[test]
fn of_fifty_who_saw_the_same_file_one_changes_it() {
    let (_folder, path) = file("port: 60000\n");
    let seen = show_file(&path).tag;
    let start = Barrier::new(THREADS);
    let won: Vec<usize> = thread::scope(|scope| {
        let one = |thread: usize| {
            let (path, seen, start) = (&path, &seen, &start);
            scope.spawn(move || {
                let values = map(&json!({ "port": thread + 1 }));
                let asked = Asked {
                    values: &values,
                    only_if: Some(seen),
                    known_models: &[],
                    dry_run: false,
                };
                start.wait();
                match change(path, &asked) {
                    Ok(_) => Some(thread),
                    Err(ChangeError::Stale { .. }) => None,
                    Err(error) => panic!("{error}"),
                }
            })
        };
        let threads: Vec<_> = (0..THREADS).map(one).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    let [winner] = won[..] else { panic!("{won:?}") };
    assert_eq!(show_file(&path).values["port"], json!(winner + 1));
}

#[test]
fn the_command_line_and_a_change_share_one_lock() {
    let (_folder, path) = file("");
    thread::scope(|scope| {
        for number in 1..=10_u32 {
            let path = &path;
            scope.spawn(move || set(path, "port", &number.to_string()).unwrap());
            scope.spawn(move || ask(path, &json!({ "idle_exit_seconds": number })).unwrap());
        }
    });
    assert_eq!(show_file(&path).values.len(), 2);
}
