//! An export of any bytes, as JSON or as an archive: nothing panics, nothing is told that is
//! larger than its bounds allow, and whoever stops listening hears no more.
#![no_main]

use imports::{Bounds, Found, Stopped, export};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use std::ops::ControlFlow;

const SMALL: Bounds =
    Bounds { conversation_bytes_max: 4096, conversations_max: 50, unpacked_bytes_max: 1 << 16 };

fuzz_target!(|bytes: &[u8]| {
    let mut told = 0;
    let ended = export::read_file(Cursor::new(bytes), &SMALL, &mut |found| {
        told += 1;
        if let Found::Conversation(conversation) = found {
            assert!(!conversation.messages.is_empty() && !conversation.original_id.is_empty());
            let said = |text: &str| !text.trim().is_empty() && text.len() <= 4096;
            assert!(conversation.messages.iter().all(|message| said(&message.text)));
        }
        ControlFlow::Continue(())
    });
    assert!(told <= SMALL.conversations_max, "{told}");
    if told > 0 {
        let mut heard = 0;
        let stopped = export::read_file(Cursor::new(bytes), &SMALL, &mut |_| {
            heard += 1;
            ControlFlow::Break(())
        });
        assert!(heard == 1 && matches!(stopped, Err(Stopped::Left)), "{ended:?}");
    }
});
