//! The title of a session after its first exchange. At once a session has the first line of its
//! message (contract-core §5.5); when that says little, here is a better one: the message without
//! greeting, code, addresses and what a client put around it, or, where nothing is left of that,
//! the answer's first heading or sentence.
//!
//! No model is asked, and nothing is understood: these are rules about marks and a list of words
//! that are mostly English. Another language loses nothing, it only gains less. A message that is
//! clean keeps the title that it has.

use wire::session::as_title;

/// Of a message and of an answer, so much is looked at.
const CHARS_MAX: usize = 16 * 1024;
/// A greeting may name somebody in so many words.
const NAME_WORDS_MAX: usize = 2;
/// Greetings before one sentence.
const GREETINGS_MAX: usize = 4;

/// What is said before anything is said; longer ones first.
const GREETINGS: [&str; 16] = [
    "good morning",
    "good afternoon",
    "good evening",
    "good day",
    "greetings",
    "guten morgen",
    "guten tag",
    "hello",
    "hallo",
    "howdy",
    "bonjour",
    "hola",
    "dear",
    "hey",
    "hi",
    "yo",
];
/// After a greeting without a comma, what follows is a sentence if it begins like one: "hello
/// can you" greets, "hello world" does not.
const SENTENCES_BEGIN: [&str; 30] = [
    "a", "are", "can", "could", "do", "does", "help", "here", "how", "i", "i'd", "i'm", "i've",
    "is", "let's", "my", "please", "the", "there", "this", "we", "we're", "what", "when", "where",
    "which", "who", "why", "will", "would",
];
/// Words of which a line may be made that says nothing.
const EMPTY_WORDS: [&str; 34] = [
    "a", "again", "all", "anybody", "anyone", "can", "claude", "everyone", "folks", "help",
    "hello", "hey", "hi", "how", "is", "it", "me", "need", "now", "ok", "okay", "please", "quick",
    "some", "sir", "team", "test", "testing", "thank", "thanks", "there", "this", "you", "your",
];
/// What an answer to nothing asks back.
const ASKED_BACK: [&str; 4] = ["help you", "assist you", "can i help", "can i assist"];

/// The better title, if there is one to be had. Not longer than any title, never blank.
pub(crate) fn of_exchange(message: &str, answer: &str) -> Option<String> {
    let of_message = lines(message).into_iter().map(|(line, _)| line);
    let told = of_message.map(|line| ungreeted(&line).to_owned()).find(|line| says_something(line));
    told.or_else(|| of_answer(answer)).map(|line| as_title(&line)).filter(|t| !t.is_empty())
}

/// The first heading of an answer, else its first sentence.
fn of_answer(answer: &str) -> Option<String> {
    let lines = lines(answer);
    let says = |line: &str| says_something(line) && !asks_back(line);
    let heading = lines.iter().find(|(line, heading)| *heading && says(line));
    let sentence = || lines.iter().flat_map(|(line, _)| sentences(line)).find(|s| says(s));
    let found = heading.map(|(line, _)| line.as_str()).or_else(sentence)?;
    Some(ungreeted(found).trim_end_matches(['.', ':']).to_owned())
}

fn asks_back(line: &str) -> bool {
    let line = line.to_lowercase();
    ASKED_BACK.iter().any(|words| line.contains(words))
}

/// Lines that a person wrote, cleaned of marks, none of them blank; whether each is a heading.
fn lines(text: &str) -> Vec<(String, bool)> {
    let end = text.char_indices().nth(CHARS_MAX).map_or(text.len(), |(at, _)| at);
    let mut rest = &text[..end];
    let mut out = Vec::new();
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        let line = line.trim();
        if let Some(behind) = behind_fence(line, after).or_else(|| behind_tag(line, after)) {
            rest = behind;
            continue;
        }
        let (bare, heading) = unmarked(line);
        let bare = plain(bare);
        if !bare.is_empty() {
            out.push((bare, heading));
        }
    }
    out
}

/// What comes after the code that begins with this line. A fence that is never closed goes on to
/// the end.
fn behind_fence<'t>(line: &str, after: &'t str) -> Option<&'t str> {
    let fence = ["```", "~~~"].into_iter().find(|fence| line.starts_with(fence))?;
    let mut rest = after;
    while !rest.is_empty() {
        let (next, behind) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = behind;
        if next.trim_start().starts_with(fence) {
            break;
        }
    }
    Some(rest)
}

/// What comes after a block such as `<group_context>…</group_context>` that begins with this line;
/// clients put those before a message. A tag that is never closed is text.
fn behind_tag<'t>(line: &str, after: &'t str) -> Option<&'t str> {
    let inner = line.strip_prefix('<')?;
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-'))?;
    let name = inner.get(..end).filter(|name| !name.is_empty())?;
    let close = format!("</{name}>");
    if line.contains(&close) {
        return line.ends_with(&close).then_some(after);
    }
    after.split_once(&close).map(|(_, behind)| behind)
}

/// A line without what marks it as a heading or an item; whether it is a heading. A quoted line
/// is somebody else's.
fn unmarked(line: &str) -> (&str, bool) {
    if line.starts_with('>') {
        return ("", false);
    }
    let heading = line.trim_start_matches('#');
    if heading.len() < line.len() && heading.starts_with(' ') {
        return (heading.trim().trim_end_matches('#').trim_end(), true);
    }
    let item = ["- ", "* ", "+ "].into_iter().find_map(|mark| line.strip_prefix(mark));
    (item.unwrap_or(line).trim(), false)
}

/// A line without emphasis, addresses and links' marks, with one space between words.
fn plain(line: &str) -> String {
    let unlinked = unlinked(line);
    let words = unlinked.split_whitespace().map(without_address);
    let joined = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let joined = joined.replace("**", "").replace("__", "").replace('`', "");
    joined.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned()
}

/// `[words](address)` becomes its words, `![picture](address)` nothing.
fn unlinked(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('[') {
        let link = rest[at + 1..].split_once("](").and_then(|(words, after)| {
            let (_, behind) = after.split_once(')')?;
            (!words.contains(['[', ']'])).then_some((words, behind))
        });
        let Some((words, behind)) = link else {
            out.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
            continue;
        };
        match rest[..at].strip_suffix('!') {
            Some(before) => out.push_str(before),
            None => {
                out.push_str(&rest[..at]);
                out.push_str(words);
            }
        }
        rest = behind;
    }
    out + rest
}

/// An address is told by its host; a word that is none stays.
fn without_address(word: &str) -> &str {
    let Some(at) = ["https://", "http://"].into_iter().find_map(|s| Some(word.find(s)? + s.len()))
    else {
        return word;
    };
    let rest = &word[at..];
    let end = rest.find(['/', '?', '#', ')', '>', ']', '"', ',', ';']).unwrap_or(rest.len());
    let host = rest[..end].trim_end_matches('.');
    // A name and a password are nobody's title.
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    host.strip_prefix("www.").unwrap_or(host)
}

/// A line without the greetings that it begins with.
fn ungreeted(mut line: &str) -> &str {
    for _ in 0..GREETINGS_MAX {
        match behind_greeting(line) {
            Some(behind) => line = behind,
            None => break,
        }
    }
    line
}

fn behind_greeting(line: &str) -> Option<&str> {
    let greets = |greeting: &&str| {
        let begins = line.get(..greeting.len()).is_some_and(|l| l.eq_ignore_ascii_case(greeting));
        begins && !line[greeting.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '-')
    };
    let after = &line[GREETINGS.iter().find(|g| greets(g))?.len()..];
    let is_name = |text: &str| {
        let plain = |c: char| c.is_alphabetic() || c.is_whitespace() || matches!(c, '-' | '\'');
        text.chars().all(plain) && text.split_whitespace().count() <= NAME_WORDS_MAX
    };
    let named = after.find([',', '!', '.', ':', ';', '–', '—']);
    if let Some(at) = named.filter(|at| is_name(&after[..*at])) {
        return Some(after[at..].trim_start_matches(|c: char| !c.is_alphanumeric()));
    }
    let after = after.trim_start();
    let first = after.split_whitespace().next().unwrap_or_default();
    if first.eq_ignore_ascii_case("there") {
        return Some(after[first.len()..].trim_start());
    }
    let goes_on = SENTENCES_BEGIN.iter().any(|word| first.eq_ignore_ascii_case(word));
    (first.is_empty() || goes_on).then_some(after)
}

/// Whether somebody who reads only this knows what it is about.
fn says_something(line: &str) -> bool {
    let words: Vec<String> = line
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    match &words[..] {
        [] => false,
        [_] if is_name_of_file(line) => false,
        words => words.iter().any(|word| {
            !EMPTY_WORDS.contains(&word.as_str()) && !GREETINGS.contains(&word.as_str())
        }),
    }
}

/// A lone word with a path or an ending, as files, hosts and commands have.
fn is_name_of_file(line: &str) -> bool {
    let word = line.trim().trim_end_matches(['.', '!', '?', ',']);
    let ending = word.rsplit_once('.').is_some_and(|(before, ending)| {
        let short = (1..=8).contains(&ending.len());
        !before.is_empty() && short && ending.chars().all(|c| c.is_ascii_alphanumeric())
    });
    ending || word.starts_with(['/', '~', '@']) || word.contains('/')
}

/// The sentences of a line.
fn sentences(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let ends = |(at, c): (usize, char)| {
            let behind = &rest[at + c.len_utf8()..];
            let over = behind.is_empty() || behind.starts_with(char::is_whitespace);
            match c {
                '。' | '！' | '？' => Some(at + c.len_utf8()),
                '.' | '!' | '?' if over => Some(at + 1),
                _ => None,
            }
        };
        let end = rest.char_indices().find_map(ends).unwrap_or(rest.len());
        let (sentence, behind) = rest.split_at(end);
        rest = behind.trim_start();
        Some(sentence).filter(|s| !s.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn title(message: &str, answer: &str, expected: &str) {
        assert_eq!(of_exchange(message, answer).as_deref(), Some(expected), "{message:?}");
    }

    #[test]
    fn a_message_is_told_without_what_is_around_it() {
        title("Fix the login", "x", "Fix the login");
        title("Hello!\n\nFix the login", "x", "Fix the login");
        title("Hi Claude, can you fix the login?", "x", "can you fix the login?");
        title("hey there can you fix it?", "x", "can you fix it?");
        title("Good morning! Hello, what now", "x", "what now");
        title(
            "```rust\nfn main() {}\n```\nWhy does this not compile?",
            "x",
            "Why does this not compile?",
        );
        title("# Plan of the week\nrest", "x", "Plan of the week");
        title("- **bold** `code` item", "x", "bold code item");
        title("> they wrote\n\nAnswer this mail", "x", "Answer this mail");
        title("<group_context>\nold talk\n</group_context>\nWhat is new?", "x", "What is new?");
        title("Sum up https://www.example.com/a/b?utm=1 for me", "x", "Sum up example.com for me");
        title("Read [the news](https://n.example/1) aloud", "x", "Read the news aloud");
        title("see ![shot](a.png) above", "x", "see above");
        title("Log in at https://me:secret@host.example/x now", "x", "Log in at host.example now");
        title("日本語のタイトル", "x", "日本語のタイトル");
    }

    #[test]
    fn what_only_looks_like_a_greeting_stays() {
        title("Hello world in Rust", "x", "Hello world in Rust");
        title("Hi-fi systems compared", "x", "Hi-fi systems compared");
        title("hello {\"n\":1}", "x", "hello {\"n\":1}");
        title("hi 2.5 is slow", "x", "hi 2.5 is slow");
        title("History of Rome", "x", "History of Rome");
        title("Dear diary is a film", "x", "Dear diary is a film");
        title("a < b and c > d, why?", "x", "a < b and c > d, why?");
        title("<b>never closed", "x", "<b>never closed");
    }

    #[test]
    fn a_message_that_says_nothing_takes_the_answers_words() {
        for nothing in [
            "hi",
            "Hello there!",
            "help",
            "please help me",
            "notes.md",
            "src/main.rs",
            "/review",
            "https://example.com/a/b",
            "```\ncode\n```",
            "👋",
            "<x>\na\n</x>",
        ] {
            title(nothing, "Sure.\n\n## Two ways home\nFirst …", "Two ways home");
            title(
                nothing,
                "The file lists three trips. It is short.",
                "The file lists three trips",
            );
        }
        assert_eq!(of_exchange("hi", "Hello! How can I help you today?"), None);
        assert_eq!(of_exchange("hi", ""), None);
    }

    proptest! {
        #[test]
        fn whatever_is_said_it_is_a_title_or_none(message: String, answer: String) {
            if let Some(title) = of_exchange(&message, &answer) {
                prop_assert!(!title.trim().is_empty() && title.chars().count() <= 63);
                prop_assert!(!title.contains(char::is_control));
            }
        }

        #[test]
        fn marks_of_all_kinds_never_panic(
            text in "([#>*`~<\\[\\](/!.:)]|hi|http://|\\PC|\n| ){0,60}",
        ) {
            let _ = of_exchange(&text, &text);
        }

        #[test]
        fn a_clean_line_keeps_its_title(words in prop::collection::vec("[b-z]{4,9}", 2..20)) {
            let line = format!("Tell {}", words.join(" "));
            prop_assert_eq!(of_exchange(&line, "x"), Some(as_title(&line)));
            prop_assert_eq!(of_exchange(&format!("Hello,\n\n{line}"), "x"), Some(as_title(&line)));
        }
    }
}
