//! Rules of any bytes, and a path of any words: nothing panics, and what lies in an ignored folder
//! is ignored.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notes::Ignored;
use std::path::Path;

fuzz_target!(|given: (&[u8], &str)| {
    let (rules, path) = given;
    let ignored = Ignored::parse(rules);
    let path = Path::new(path);
    let inside = ignored.is_ignored(path, false);
    let folder = path.parent().is_some_and(|folder| ignored.is_ignored(folder, true));
    assert!(inside || !folder, "{path:?} is in a folder that is ignored");
});
