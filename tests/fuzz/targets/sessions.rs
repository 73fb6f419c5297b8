//! A session file of any bytes: nothing panics, and no fact is about more than is in it.
#![no_main]

use imports::session;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let facts = session::facts(bytes).expect("bytes can be read");
    let messages = session::messages(bytes).expect("bytes can be read");
    let lines = bytes.split(|byte| *byte == b'\n').count();
    assert!(facts.message_count <= lines && messages.len() <= lines);
    assert!(messages.iter().all(|message| !message.content.is_empty()));
    if let (Some(first), Some(last)) = (facts.created, facts.last) {
        assert!(first <= last);
    }
});
