//! A session file of any bytes: nothing panics, and no fact is about more than is in it; of the end
//! no more is kept than there is room for.
#![no_main]

use imports::session;
use libfuzzer_sys::fuzz_target;

const BYTES_MAX: usize = 1000;

fuzz_target!(|bytes: &[u8]| {
    let facts = session::facts(bytes).expect("bytes can be read");
    let messages = session::messages(bytes).expect("bytes can be read");
    let lines = bytes.split(|byte| *byte == b'\n').count();
    assert!(facts.message_count <= lines && messages.len() <= lines);
    assert!(messages.iter().all(|message| !message.content.is_empty()));
    let (last, left_out) = session::last_messages(bytes, BYTES_MAX).expect("bytes can be read");
    assert!(last.len() * session::MESSAGE_BYTES <= BYTES_MAX);
    assert!(last.iter().map(|message| message.content.len()).sum::<usize>() <= BYTES_MAX);
    // What was left out may be said again, and is then counted again.
    assert!((messages.len()..=lines).contains(&(last.len() + left_out)));
    if let (Some(first), Some(last)) = (facts.created, facts.last) {
        assert!(first <= last);
    }
});
