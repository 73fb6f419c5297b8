//! `parachute search`: what is found in the notes of the vault. The server has the index; where
//! it is not finished, that is said.

use crate::args::SearchArgs;
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::term::{Ink, clip, line, print, print_json, width};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::io::Write;
use wire::brain::{BrainFound, BrainHit};

/// Runs the command; answers with the exit status.
pub(crate) async fn run(client: Client, args: &SearchArgs) -> Result<u8, Fail> {
    let answer: Value = client.ask(Ask::get(path(args))).await?;
    if args.json.json {
        print_json(&answer)?;
        return Ok(exit::DONE);
    }
    let found: BrainFound = client.shape(answer)?;
    print(&as_text(&found, width(), Ink::out()))?;
    if found.indexing {
        let said = "parachute: the vault is being gone through; there may be more soon\n";
        std::io::stderr().write_all(said.as_bytes())?;
    }
    Ok(exit::DONE)
}

fn path(args: &SearchArgs) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    // What the shell has divided belongs together.
    let mut path = format!("/api/brain/search?q={}", encoded(&args.query.join(" ")));
    path += if args.entities { "&scope=brain" } else { "&scope=vault" };
    path += &format!("&limit={}", args.limit);
    let given = [("tag", &args.tag), ("folder", &args.folder), ("since", &args.since)];
    for (name, value) in given {
        if let Some(value) = value {
            path += &format!("&{name}={}", encoded(value));
        }
    }
    path
}

fn as_text(found: &BrainFound, width: Option<usize>, ink: Ink) -> String {
    let mut text: String = found.results.iter().map(|hit| one(hit, width, ink)).collect();
    text += &match (found.count, found.more) {
        (0, _) => "nothing is found\n".to_owned(),
        (_, false) => String::new(),
        (count, true) => {
            format!("{}\n", ink.dim(&format!("these are the best {count}; --limit shows more")))
        }
    };
    text
}

/// Its file and its name, and below it what it says.
fn one(hit: &BrainHit, width: Option<usize>, ink: Ink) -> String {
    let tags: String = hit.tags.iter().map(|tag| format!(" #{tag}")).collect();
    let (path, rest) = (line(&hit.relative_path), line(&format!("{}{tags}", hit.name)));
    let mut text = format!("{}  {rest}\n", ink.bold(&path));
    let snippet = line(&hit.snippet);
    if !snippet.is_empty() {
        let most = width.map_or(usize::MAX, |width| width.saturating_sub(4));
        text += &format!("    {}\n", ink.dim(&clip(&snippet, most)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(more: bool) -> BrainFound {
        let hit = json!({"para_id": "p/ada", "name": "Ada\u{1b}[2J", "tags": ["a b", "c"],
            "snippet": "She wrote\nthe first program.", "path": "/v/a.md",
            "relative_path": "Brain/a.md", "modified": "2026-01-01T00:00:00Z"});
        let found = json!({"query": "x", "count": 1, "results": [hit], "more": more,
            "indexing": false});
        serde_json::from_value(found).unwrap()
    }

    #[test]
    fn what_is_found_is_told_with_where_it_is() {
        let text = as_text(&found(false), Some(16), Ink::NONE);
        let mut lines = text.lines();
        let head = lines.next().unwrap();
        assert!(head.starts_with("Brain/a.md  Ada"), "{head}");
        assert!(head.ends_with(" #a b #c") && !head.contains('\u{1b}'), "{head}");
        assert_eq!(lines.next(), Some("    She wrote t…"));
        let more = as_text(&found(true), None, Ink::NONE);
        assert!(more.ends_with(
            "    She wrote the first program.\nthese are the best 1; --limit shows more\n"
        ));
        let none = BrainFound { count: 0, results: Vec::new(), ..found(false) };
        assert_eq!(as_text(&none, None, Ink::NONE), "nothing is found\n");
    }
}
