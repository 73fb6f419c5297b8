//! Words of others, made fit to be shown, as far as all who show any do so alike.

/// Whether a character is a control character, or one that turns or hides the text around it.
pub fn is_hidden(c: char) -> bool {
    let turns = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}');
    c.is_control() || turns || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The first so many characters, and an ellipsis if there are more.
pub fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
