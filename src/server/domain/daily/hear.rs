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

/// Which turn a stream is listened to for.
pub(super) enum Of<'t> {
    /// The stream is that turn's: what comes before its begin is why there is none.
    Own(&'t str),
    /// Other turns of its session are told, too.
    Session(&'t str),
}

/// Listens to one turn. None: the stream broke off before its end.
pub(super) async fn hear(live: Live, of: Of<'_>) -> Option<End> {
    let mut body = live.reply().into_body();
    let mut heard = Heard::default();
    let (turn, mut is_it) = match of {
        Of::Own(turn) => (turn, true),
        Of::Session(turn) => (turn, false),
    };
    while let Some(Ok(piece)) = body.frame().await {
        let Ok(data) = piece.into_data() else { continue };
        // Streams are made of whole events.
        let Ok(frames) = std::str::from_utf8(&data) else { continue };
        for frame in frames.split_inclusive("\n\n") {
            heard.hear(frame);
            for event in heard.others.split_off(0).iter().filter_map(|event| read(event)) {
                if let ChatEvent::Session { turn_id, .. } = &event {
                    is_it = turn_id == turn;
                    heard.texts.clear();
                }
                if let Some(end) = end(event, &heard.texts).filter(|_| is_it) {
                    return Some(end);
                }
            }
        }
    }
    None
}

/// What is no event is passed over, but not in silence: it may have been the end.
fn read(event: &str) -> Option<ChatEvent> {
    // Of thinking, the text alone is kept.
    if event.starts_with("thinking ") {
        return None;
    }
    let event = serde_json::from_str(event);
    event.map_err(|error| tracing::warn!(%error, "an event of a daily run is not understood")).ok()
}

fn end(event: ChatEvent, texts: &[String]) -> Option<End> {
    match event {
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
