//! What is found, and in which order.

use parachute_notes::{Found, Hit, Index, Scope, Wanted};
use proptest::prelude::*;
use std::fs;
use std::sync::OnceLock;
use tempfile::TempDir;

const NOTES: &[(&str, &str)] = &[
    (
        "Brain/entities/people/ada.md",
        "---\npara_id: p/ada\nname: Ada Lovelace\ntags: [Mathematics/Analysis, person]\n\
         aliases: [Countess]\n---\n\nShe wrote the first program for the [[Analytical Engine]].",
    ),
    (
        "Brain/entities/engine.md",
        "---\nname: Analytical Engine\ntags: machine\n---\nA machine by Babbage. Ada wrote of it.",
    ),
    ("Brain/entities/café.md", "# Café Noir\nWo man Übergrößen trägt."),
    ("Brain/entities/nihon.md", "# 日本\n東京は日本の首都です。"),
    (
        "Journal/2024/day.md",
        "---\ntags: [Person]\n---\nMet ada today; see [[p/ada]] and [[countess]].",
    ),
    ("Journal/2025/day.md", "A program, a program, a program. [x](../../Brain/entities/engine.md)"),
    ("bad.md", "---\nname: a: b\n---\nstill found, analytically"),
];

fn index() -> &'static (TempDir, Index) {
    static INDEX: OnceLock<(TempDir, Index)> = OnceLock::new();
    INDEX.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a folder");
        for (path, text) in NOTES {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        let index = Index::new(dir.path().to_owned(), dir.path().join(".state/index.db"));
        index.begin(|| ()).expect("begun");
        let answer = index.reload().expect("looked at");
        assert_eq!((answer.known.entities, answer.known.notes), (4, NOTES.len()));
        assert_eq!(answer.known.warnings.len(), 1);
        assert!(answer.known.warnings[0].starts_with("bad.md:2: "), "{:?}", answer.known.warnings);
        (dir, index)
    })
}

fn wanted(query: &str, scope: Scope) -> Wanted {
    Wanted { query: query.into(), scope, limit: 50, ..Wanted::default() }
}

fn search(wanted: &Wanted) -> Found {
    index().1.search(wanted).expect("searched").known
}

fn names(wanted: &Wanted) -> Vec<String> {
    search(wanted).hits.into_iter().map(|hit| hit.path).collect()
}

fn vault(query: &str) -> Vec<String> {
    names(&wanted(query, Scope::Vault))
}

fn entities(query: &str) -> Vec<String> {
    names(&wanted(query, Scope::Entities))
}

const ADA: &str = "Brain/entities/people/ada.md";
const ENGINE: &str = "Brain/entities/engine.md";
const CAFE: &str = "Brain/entities/café.md";
const NIHON: &str = "Brain/entities/nihon.md";
const OLD: &str = "Journal/2024/day.md";
const NEW: &str = "Journal/2025/day.md";

#[test]
fn a_name_counts_more_than_a_tag_and_that_more_than_a_text() {
    assert_eq!(vault("ada"), [ADA, OLD, ENGINE]);
    assert_eq!(entities("ada"), [ADA, ENGINE]);
    assert_eq!(entities("machine"), [ENGINE]);
    assert_eq!(vault("program"), [NEW, ADA]);
}

#[test]
fn accents_and_case_make_no_difference() {
    for query in ["cafe", "CAFÉ", "cafe\u{301}", "ubergrossen*", "übergrößen", "UBERGRÖSSEN*"]
    {
        let expected: &[&str] = if query.to_lowercase().contains("ss") { &[] } else { &[CAFE] };
        assert_eq!(vault(query), expected, "{query}");
    }
}

#[test]
fn phrases_and_begins_of_words_and_words_without_spaces_are_found() {
    assert_eq!(vault("\"first program\""), [ADA]);
    assert_eq!(vault("\"program first\""), [""; 0]);
    assert_eq!(vault("program first"), [ADA]);
    assert_eq!(vault("analytic*").len(), 3);
    assert_eq!(vault("analytic"), [""; 0]);
    assert_eq!(vault("日本"), [NIHON]);
    assert_eq!(vault("首都"), [NIHON]);
    assert_eq!(vault("都首"), [""; 0]);
    let hit = search(&wanted("首都", Scope::Vault)).hits.remove(0);
    assert_eq!(
        (hit.name.as_str(), hit.snippet.as_str()),
        ("日本", "# 日本\n東京は日本の首都です。")
    );
}

#[test]
fn entities_are_found_by_parts_of_words_as_ever() {
    assert_eq!(entities("gine"), [ENGINE, ADA]);
    assert_eq!(entities("love"), [ADA]);
    assert_eq!(entities("P/AD"), [ADA]);
    assert_eq!(entities("thematics/ana"), [ADA]);
    assert_eq!(entities("größ"), [CAFE]);
    assert_eq!(entities("."), [CAFE, ENGINE, ADA]);
    let hit = search(&wanted("irst progr", Scope::Entities)).hits.remove(0);
    assert!(hit.snippet.contains("first program"), "{hit:?}");
}

#[test]
fn parts_are_found_where_scripts_meet() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("Brain/entities/tower.md");
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let text = "---\npara_id: 塔Tower\nname: 東京Tower案内\n---\n高さは333メートルMetreです。";
    fs::write(path, text).expect("written");
    let index = Index::new(dir.path().to_owned(), dir.path().join(".state/index.db"));
    index.begin(|| ()).expect("begun");
    index.reload().expect("looked at");
    for query in ["京Tow", "wer案", "塔To", "33メー", "ルMe", "treで"] {
        let found = index.search(&wanted(query, Scope::Entities)).expect("searched").known;
        assert_eq!(found.hits.len(), 1, "{query}");
    }
}

#[test]
fn filters_narrow_what_is_found() {
    let with = |change: &dyn Fn(&mut Wanted)| {
        let mut wanted = wanted("", Scope::Vault);
        change(&mut wanted);
        let mut names = names(&wanted);
        names.sort();
        names
    };
    assert_eq!(with(&|w| w.tag = Some("#PERSON".into())), [ADA, OLD]);
    assert_eq!(with(&|w| w.tag = Some("mathematics".into())), [ADA]);
    assert_eq!(with(&|w| w.tag = Some("math".into())), [""; 0]);
    assert_eq!(with(&|w| w.folder = Some("/Journal/".into())), [OLD, NEW]);
    assert_eq!(with(&|w| w.folder = Some("Journal/20".into())), [""; 0]);
    assert_eq!(with(&|w| w.folder = Some("Journal%".into())), [""; 0]);
    assert_eq!(with(&|w| w.since = Some(i64::MAX)), [""; 0]);
    assert_eq!(with(&|w| w.since = Some(0)).len(), NOTES.len());
    let narrow = |w: &mut Wanted| {
        w.query = "ada".into();
        w.folder = Some("Brain".into());
        w.tag = Some("machine".into());
    };
    assert_eq!(with(&narrow), [ENGINE]);
}

#[test]
fn pages_together_are_the_whole() {
    for (query, scope) in [("a", Scope::Entities), ("", Scope::Vault), ("ada", Scope::Entities)] {
        let whole: Vec<Hit> = search(&wanted(query, scope)).hits;
        let mut pages = Vec::new();
        for offset in 0..whole.len() {
            let page = Wanted { limit: 1, offset, ..wanted(query, scope) };
            let found = search(&page);
            assert_eq!(found.more, offset + 1 < whole.len(), "{query} {offset}");
            pages.extend(found.hits);
        }
        assert_eq!(pages, whole, "{query}");
    }
}

#[test]
fn a_note_is_found_by_its_id_its_place_and_its_name() {
    let by_id = |id: &str| index().1.of_id(id).expect("asked").known;
    for id in ["p/ada", ADA, "Brain/entities/people/ada"] {
        assert_eq!(by_id(id).as_deref(), Some(ADA), "{id}");
    }
    assert_eq!(by_id("engine").as_deref(), Some(ENGINE));
    assert_eq!(by_id("Journal/2024/day").as_deref(), Some(OLD));
    assert_eq!(by_id("nihon").as_deref(), Some(NIHON));
    for id in ["", "..", "people/ada", "../../etc/passwd", "%", "p/ada/"] {
        assert_eq!(by_id(id), None, "{id}");
    }
    let by_name = |name: &str| index().1.of_name(name).expect("asked").known;
    assert_eq!(by_name("ada LOVELACE").as_deref(), Some(ADA));
    assert_eq!(by_name("CAFÉ NOIR").as_deref(), Some(CAFE));
    assert_eq!(by_name("day"), None);
}

#[test]
fn links_lead_back_and_tags_are_counted() {
    let back = |path: &str| -> Vec<String> {
        let found = index().1.backlinks(path).expect("asked").known;
        found.hits.into_iter().map(|hit| hit.path).collect()
    };
    assert_eq!(back(ADA), [OLD]);
    assert_eq!(back(ENGINE), [ADA, NEW]);
    assert_eq!(back(OLD), [""; 0]);
    assert_eq!(back("none.md"), [""; 0]);
    let tags = index().1.tags(Scope::Vault).expect("asked").known;
    assert_eq!(tags[0], ("person".to_owned(), 2));
    let tags = index().1.tags(Scope::Entities).expect("asked").known;
    assert!(tags.contains(&("person".to_owned(), 1)), "{tags:?}");
}

proptest! {
    #[test]
    fn no_query_is_an_error(
        query in "\\PC{0,40}|[a-z\"*()^:{}+ \\-\u{0}-\u{20}]{0,30}", is_all in any::<bool>(),
        tag in prop::option::of("\\PC{0,9}"), folder in prop::option::of("\\PC{0,9}"),
    ) {
        let scope = if is_all { Scope::Vault } else { Scope::Entities };
        let wanted = Wanted { tag, folder, ..wanted(&query, scope) };
        prop_assert!(index().1.search(&wanted).is_ok());
        prop_assert!(index().1.of_name(&query).is_ok() && index().1.of_id(&query).is_ok());
    }

    #[test]
    fn every_part_of_an_entity_finds_it(from in 0_usize..60, chars in 1_usize..12) {
        let text = "She wrote the first program for the [[Analytical Engine]].";
        let part: String = text.chars().skip(from).take(chars).collect();
        if !part.trim().is_empty() {
            prop_assert!(entities(&part).iter().any(|path| path == ADA), "{}", part);
        }
    }
}
