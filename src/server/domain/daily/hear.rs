//! Listens to a turn until it ends: what was said last, or what went wrong.

use http_body_util::BodyExt;
use serve::Live;
use wire::ChatEvent;
use wire::frames::Heard;

/// How a turn ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With this as its last words, by this model.
    Said { text: String, model: Option<String> },
    /// In an error.
    Failed(String),
}

/// Listens to the first turn that a stream tells. None: it broke off before the end of one.
pub(super) async fn hear(live: Live) -> Option<End> {
    let mut body = live.reply().into_body();
    let mut heard = Heard::default();
    while let Some(Ok(piece)) = body.frame().await {
        let Ok(data) = piece.into_data() else { continue };
        // Streams are made of whole events.
        let Ok(frames) = std::str::from_utf8(&data) else { continue };
        for frame in frames.split_inclusive("\n\n") {
            heard.hear(frame);
            let end = heard.others.drain(..).filter_map(|event| end(&event, &heard.texts)).next();
            if end.is_some() {
                return end;
            }
        }
    }
    None
}

fn end(event: &str, texts: &[String]) -> Option<End> {
    match serde_json::from_str(event).ok()? {
        ChatEvent::Done(done) => {
            // What came before a tool call was no answer yet.
            let last = texts.iter().rev().find(|text| !text.trim().is_empty());
            let text = last.map(|text| text.trim().to_owned()).unwrap_or_default();
            Some(End::Said { text, model: done.model })
        }
        ChatEvent::TypedError(error) => Some(End::Failed(error.message)),
        ChatEvent::Error { error, .. } => Some(End::Failed(error)),
        ChatEvent::Aborted { message, .. } => Some(End::Failed(message)),
        ChatEvent::SessionUnavailable { .. } => {
            Some(End::Failed("its session is not to be had".into()))
        }
        _ => None,
    }
}
