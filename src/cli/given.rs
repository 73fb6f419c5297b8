//! What a person gives beside the command line: text on standard input, and files. Bounded, and
//! read whole; what it means is the caller's.

use crate::fail::Fail;
use std::fs::File;
use std::io::{Read, stdin};
use std::path::Path;

/// Longest text read from standard input, in bytes; the server's own limit is lower.
const TEXT_BYTES_MAX: u64 = 4 << 20;
/// Largest file, in bytes; the server's own limit is lower.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Standard input to its end; `what` says what it is for.
pub(crate) fn piped(what: &str) -> Result<String, Fail> {
    let lost = |e| Fail::local(format!("cannot read {what}: {e}"), "give it as an argument");
    let Some(text) = whole(stdin().lock(), TEXT_BYTES_MAX).map_err(lost)? else {
        let said = format!("{what} is longer than {} MiB", TEXT_BYTES_MAX >> 20);
        return Err(Fail::usage(said, "put it into a file of the vault and name that"));
    };
    let unfit =
        |_| Fail::usage(format!("{what} is not UTF-8"), "convert it, for example with iconv");
    String::from_utf8(text).map_err(unfit)
}

/// All that is in a file.
pub(crate) fn file(path: &Path) -> Result<Vec<u8>, Fail> {
    let shown = path.display();
    let lost = |e| Fail::local(format!("cannot read {shown}: {e}"), "name a file that is there");
    let found = File::open(path).and_then(|file| whole(file, FILE_BYTES_MAX)).map_err(lost)?;
    let large = || format!("{shown} is larger than {} MiB", FILE_BYTES_MAX >> 20);
    found.ok_or_else(|| Fail::local(large(), "leave out of it what is not needed"))
}

/// None where there is more than this.
fn whole(from: impl Read, most: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = from.take(most + 1).read_to_end(&mut bytes)?;
    Ok((read as u64 <= most).then_some(bytes))
}
