//! What is done with a text that a device pushes, and with a deletion it asks for: the rules
//! alone, without files, clocks or a database, so that they can be tried by the thousand.
//!
//! Two things must never happen: that a text is lost which its writer was told is there, unless
//! somebody who had seen it replaced or deleted it; and that what was deleted comes back from a
//! device that merely still has it.
//!
//! **With a base** (what the device had from the server before it changed it) this is simple:
//! what is there is replaced only if it is the base; else nothing is done, and the device is told
//! what is there, fetches it, keeps both and pushes again.
//!
//! **Without one**, as the app of today pushes (contract-extended §5.2), the base is what the
//! server last gave to this device or had from it. That is a guess: an answer may be lost on its
//! way, and several devices may have one key. So what is replaced or deleted by it goes aside,
//! where a person finds it who misses it. Where the guess is not what is there, the device
//! cannot have seen it, however new its own text is by its clock. Refusing would not help: the
//! app decides by clocks, would push the same again and never come to an end. So its text is
//! taken, and what was there is kept beside it under a name of the app's own kind
//! (`a.sync-conflict-….md`), which the app then pulls as a new file: both sides have both, and
//! agree. Where every line of what was there is also in the new text, in order, nothing would be
//! lost, and nothing is kept: a journal only grows. A text that was here before is no edit, but
//! one that a device known here still has while its clock runs ahead: it is refused, and the file
//! that is there gets the time of now, so that the app takes it for the newer one, as it is, and
//! pulls it.
//!
//! **A deleted file** comes back only with a text that was never here, which is an edit by
//! somebody who had not heard of the deletion: an edit is worth more. A text that was here
//! before is refused, unless the device says, or the server knows, that it knows of the deletion.
//! **A deletion** of a text that the device has not seen is refused for the same reason.

/// What is known of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Here {
    /// Hash of what is there.
    pub(crate) hash: Option<String>,
    /// Hash of what was deleted, where nothing is there.
    pub(crate) buried: Option<String>,
    /// Whether the text that comes has been here at some time.
    pub(crate) had: bool,
    /// Whether other devices have, or had, a text of it.
    pub(crate) shared: bool,
}

/// What the device knew. An empty hash: that there is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// As it says itself.
    Told(String),
    /// As the server remembers it, if it does.
    Seen(Option<String>),
}

/// What is done with what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is so already.
    Same,
    /// It is done.
    Do,
    /// It is done, and what was there is kept beside it.
    Keep,
    /// It is done, and what was there is kept out of sight: most likely the device had seen it.
    Aside,
    /// It is not done.
    Refuse,
    /// It is not done, and what is there is marked as changed now.
    Stale,
}

/// A text with this hash comes. `grown`: every line of what is there is in it, in order.
pub(crate) fn of_push(
    here: &Here,
    base: &Base,
    hash: &str,
    grown: impl FnOnce() -> bool,
) -> Verdict {
    match (&here.hash, &here.buried) {
        (Some(now), _) if now == hash => Verdict::Same,
        (Some(now), _) => match base {
            Base::Told(base) if base == now => Verdict::Do,
            Base::Told(_) => Verdict::Refuse,
            Base::Seen(Some(seen)) if seen != now && here.had => Verdict::Stale,
            Base::Seen(_) if grown() => Verdict::Do,
            Base::Seen(Some(seen)) if seen == now => Verdict::Aside,
            Base::Seen(_) => Verdict::Keep,
        },
        (None, None) => Verdict::Do,
        (None, Some(buried)) => {
            let knows = match base {
                Base::Told(base) => base == buried,
                Base::Seen(seen) => seen.as_deref() == Some(""),
            };
            if knows || !here.had { Verdict::Do } else { Verdict::Refuse }
        }
    }
}

/// A file is to be deleted. Whoever says nothing, and never had any text of it, means what is
/// there, if nobody else has it either.
pub(crate) fn of_delete(here: &Here, base: &Base) -> Verdict {
    match (&here.hash, base) {
        (None, _) => Verdict::Same,
        (Some(now), Base::Told(base)) if base == now => Verdict::Do,
        (Some(now), Base::Seen(Some(seen))) if seen == now => Verdict::Aside,
        (Some(_), Base::Seen(None)) if !here.shared => Verdict::Aside,
        (Some(_), _) => Verdict::Refuse,
    }
}

/// Whether every line of the old text is in the new one, in the same order.
pub(crate) fn grown(old: &[u8], new: &[u8]) -> bool {
    let mut new = new.split(|byte| *byte == b'\n');
    old.split(|byte| *byte == b'\n').all(|line| new.any(|other| other == line))
}

/// The name under which what was there is kept, beside the file of this name; `at` is a time as
/// it is written everywhere, and the number tells apart what is kept within a second.
pub(crate) fn kept_name(name: &str, at: &str, number: usize) -> String {
    const NAME_BYTES_MAX: usize = 255;
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let (day, time) = at.split_once('T').unwrap_or((at, ""));
    let time = time.split(['.', 'Z']).next().unwrap_or_default();
    let again = if number == 0 { String::new() } else { format!("-{number}") };
    let mark = format!(".sync-conflict-{}-{}-server{again}", digits(day), digits(time));
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && ending.len() <= 16 => (stem, Some(ending)),
        _ => (name, None),
    };
    let ending = ending.map(|ending| format!(".{ending}")).unwrap_or_default();
    let room = NAME_BYTES_MAX.saturating_sub(mark.len() + ending.len());
    let cut = (0..=stem.len().min(room)).rev().find(|at| stem.is_char_boundary(*at));
    format!("{}{mark}{ending}", &stem[..cut.unwrap_or(0)])
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
