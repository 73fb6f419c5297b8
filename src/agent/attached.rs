//! Files that the model is given to look at: images and PDFs, as blocks of the message.

use crate::limits::{ATTACHED_BYTES_MAX, IMAGE_BYTES_MAX};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use wire::agent::TurnRequest;

/// The message's content: its text alone, or blocks and then the text.
pub(crate) fn content(request: &TurnRequest) -> Value {
    let mut blocks = Vec::new();
    let mut left = ATTACHED_BYTES_MAX;
    for attached in &request.attached {
        let image = attached.media_type.starts_with("image/");
        let most = if image { left.min(IMAGE_BYTES_MAX) } else { left };
        match read(Path::new(&attached.path), Path::new(&request.vault), most) {
            Ok(data) => {
                left -= data.len() as u64;
                let kind = if image { "image" } else { "document" };
                let source = json!({
                    "type": "base64",
                    "media_type": attached.media_type,
                    "data": STANDARD.encode(data),
                });
                blocks.push(json!({ "type": kind, "source": source }));
            }
            // The text names it; the model can read it by its tools.
            Err(error) => tracing::warn!(path = attached.path, %error, "a file is not shown"),
        }
    }
    if blocks.is_empty() {
        return request.message.as_str().into();
    }
    blocks.push(json!({ "type": "text", "text": request.message }));
    blocks.into()
}

fn read(path: &Path, vault: &Path, most: u64) -> io::Result<Vec<u8>> {
    let real = path.canonicalize()?;
    if !real.starts_with(vault.canonicalize()?) {
        return Err(io::Error::other("it is not in the vault"));
    }
    let mut data = Vec::new();
    File::open(real)?.take(most + 1).read_to_end(&mut data)?;
    if data.len() as u64 > most { Err(io::Error::other("it is too large")) } else { Ok(data) }
}
