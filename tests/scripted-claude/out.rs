//! stdout: whole lines through a large buffer, and the one line that must be cheap, a text
//! delta. A reader that is gone ends the program, as it ends the real one.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::AsFd;

use serde_json::Value;

const BUFFER_BYTES: usize = 64 << 10;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A fresh random id.
pub(crate) fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// 24 hexadecimal digits, as the ids of messages and tools have.
pub(crate) fn hex() -> String {
    let mut digits = uuid::Uuid::new_v4().simple().to_string();
    digits.truncate(24);
    digits
}

/// The line writer.
pub(crate) struct Out {
    // Not `std::io::Stdout`: that one flushes at every line.
    file: BufWriter<File>,
}

impl Out {
    pub(crate) fn new() -> Self {
        let stdout = std::io::stdout().as_fd().try_clone_to_owned().expect("stdout is open");
        Self { file: BufWriter::with_capacity(BUFFER_BYTES, File::from(stdout)) }
    }

    /// Writes a message as a line, and sends it off.
    pub(crate) fn line(&mut self, message: &Value) {
        gone_on_error(serde_json::to_writer(&mut self.file, message).map_err(Into::into));
        self.raw(b"\n");
        self.flush();
    }

    /// Writes bytes as they are; they go out with the next line or [`Out::flush`].
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        gone_on_error(self.file.write_all(bytes));
    }

    pub(crate) fn flush(&mut self) {
        gone_on_error(self.file.flush());
    }
}

fn gone_on_error(written: std::io::Result<()>) {
    if written.is_err() {
        std::process::exit(1);
    }
}

/// A `content_block_delta` line that is formatted once; each delta puts in a piece and an id.
pub(crate) struct Delta {
    line: Vec<u8>,
    piece_at: usize,
    tail: Vec<u8>,
    id_at: usize,
    serial: u64,
}

impl Delta {
    /// `kind` and `field`: `text_delta`/`text` or `thinking_delta`/`thinking`.
    pub(crate) fn new(kind: &str, index: usize, session: &str, message: &str) -> Self {
        let field = kind.trim_end_matches("_delta");
        let line = format!(
            "{{\"type\":\"stream_event\",\"event\":{{\"type\":\"content_block_delta\",\
             \"index\":{index},\"delta\":{{\"type\":\"{kind}\",\"{field}\":"
        );
        let display = match field {
            "thinking" => ",\"thinking_display\":\"updates\"",
            _ => "",
        };
        // The id's last group counts; the others are this block's own.
        let before = format!(
            "}}}},\"session_id\":\"{session}\",\"parent_tool_use_id\":null,\"uuid\":\"{}",
            &uuid()[..24]
        );
        let tail = format!("{before}000000000000\"{display},\"api_message_id\":\"{message}\"}}\n");
        Self {
            piece_at: line.len(),
            line: line.into_bytes(),
            tail: tail.into_bytes(),
            id_at: before.len(),
            serial: 0,
        }
    }

    /// The line for `piece`.
    pub(crate) fn line(&mut self, piece: &str) -> &[u8] {
        self.serial += 1;
        let mut rest = self.serial;
        for place in self.tail[self.id_at..self.id_at + 12].iter_mut().rev() {
            *place = DIGITS[(rest & 15) as usize];
            rest >>= 4;
        }
        self.line.truncate(self.piece_at);
        serde_json::to_writer(&mut self.line, piece).expect("a string into memory");
        self.line.extend_from_slice(&self.tail);
        &self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_delta_line_is_json_with_an_id_of_its_own() {
        let mut delta = Delta::new("text_delta", 1, "s", "msg_1");
        let mut ids = Vec::new();
        for piece in ["a", "ü \"quoted\"\n", "🌊"] {
            let line: Value = serde_json::from_slice(delta.line(piece)).unwrap();
            assert_eq!(line["event"]["delta"], json!({"type": "text_delta", "text": piece}));
            assert_eq!((&line["event"]["index"], &line["session_id"]), (&json!(1), &json!("s")));
            ids.push(line["uuid"].as_str().unwrap().to_owned());
        }
        assert!(ids.iter().all(|id| uuid::Uuid::parse_str(id).is_ok()), "{ids:?}");
        ids.dedup();
        assert_eq!(ids.len(), 3);
    }
}
