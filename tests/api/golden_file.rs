//! Files under `tests/golden` that say how things stand; UPDATE_GOLDEN=1 writes them anew.

use std::path::PathBuf;

/// The folder of all of them.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/golden"))
}

/// Compares what is with what the file says.
pub(crate) fn same_as_file(name: &str, is: &str) {
    let path = folder().join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, is).expect("the golden file can be written");
    }
    let said = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = said.lines().zip(is.lines()).position(|(a, b)| a != b);
    let place = differs.unwrap_or_else(|| said.lines().count().min(is.lines().count()));
    assert!(
        said == is,
        "tests/golden/{name} differs from line {} on. It says {:?}, and it is {:?}. If that is \
         meant, run the test with UPDATE_GOLDEN=1 and look at the difference.",
        place + 1,
        said.lines().nth(place),
        is.lines().nth(place),
    );
}
