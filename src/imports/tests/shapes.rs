//! Exports of each shape, and what is read of them.

use parachute_imports::export::{Archived, envelope, read, read_file};
use parachute_imports::{Bad, Bounds, Conversation, Found, Role, Source, Stopped};
use std::io::Cursor;
use std::ops::ControlFlow;

const CLAUDE: &str = include_str!("exports/claude.json");
const CHATGPT: &str = include_str!("exports/chatgpt.json");

fn found(text: &str) -> (Vec<Found>, Result<(), Stopped>) {
    let mut all = Vec::new();
    let ended = read_file(Cursor::new(text), &Bounds::default(), &mut |found| {
        all.push(found);
        ControlFlow::Continue(())
    });
    (all, ended)
}

fn conversations(text: &str) -> Vec<Conversation> {
    let (all, ended) = found(text);
    ended.expect("read to its end");
    let only = |found| match found {
        Found::Conversation(conversation) => Some(conversation),
        Found::Empty => None,
        Found::Bad(bad) => panic!("{bad:?}"),
    };
    all.into_iter().filter_map(only).collect()
}

fn bad(text: &str) -> Vec<Bad> {
    let (all, ended) = found(text);
    ended.expect("read to its end");
    let only = |found| if let Found::Bad(bad) = found { Some(bad) } else { None };
    all.into_iter().filter_map(only).collect()
}

fn said(conversation: &Conversation) -> Vec<(Role, &str)> {
    conversation.messages.iter().map(|m| (m.role, m.text.as_str())).collect()
}

#[test]
fn an_export_of_claude_is_read_with_its_times_trap_t88() {
    let all = conversations(CLAUDE);
    assert_eq!(all.len(), 2);
    let trip = &all[0];
    assert_eq!((trip.source, trip.title.as_deref()), (Source::Claude, Some("A trip to Łódź")));
    assert_eq!(
        said(trip),
        [
            (Role::User, "How do I get there?"),
            (Role::Assistant, "By train.\nFrom Warsaw it is an hour. 🚆"),
            (Role::User, "Thank you"),
        ]
    );
    let times = [trip.created, trip.updated, trip.messages[0].at, trip.messages[2].at];
    let times = times.map(|at| at.expect("a time").to_string());
    let begin = "2025-03-01T08:00:00.123456Z";
    assert_eq!(times, [begin, "2025-03-01T08:05:00Z", begin, "2025-03-01T08:05:00Z"]);
    assert_eq!((all[1].title.as_deref(), all[1].messages[0].at), (None, None));
}

#[test]
fn an_export_of_chatgpt_is_its_current_branch() {
    let all = conversations(CHATGPT);
    let bread = &all[0];
    assert_eq!((bread.source, bread.title.as_deref()), (Source::ChatGpt, Some("Bread")));
    assert_eq!(bread.original_id, "67c2f000-0000-8000-8000-000000000001");
    assert_eq!(
        said(bread),
        [(Role::User, "How long\ndoes it bake?"), (Role::Assistant, "An hour.")]
    );
    let created = bread.created.expect("a time").to_string();
    assert_eq!(created, "2025-03-01T12:00:00.250000Z");
    // A circle is walked once.
    assert_eq!(said(&all[1]), [(Role::User, "one"), (Role::Assistant, "two")]);
    let lost = CHATGPT.replace(r#""current_node": "tool""#, r#""current_node": "gone""#);
    assert_eq!(conversations(&lost)[0].messages.len(), 3);
}

#[test]
fn each_shape_holds_the_same_conversations() {
    let all = conversations(CLAUDE);
    let one =
        serde_json::from_str::<Vec<serde_json::Value>>(CLAUDE).expect("a list")[0].to_string();
    for text in [
        format!("{{\"conversations\":{CLAUDE}}}"),
        format!("{{\"users\":[{{\"id\":1}}],\"chats\" : {CLAUDE} ,\"more\":null}}"),
        format!("\u{feff} \n{CLAUDE}\n\n"),
    ] {
        assert_eq!(conversations(&text), all);
    }
    assert_eq!(conversations(&one), all[..1]);
    assert_eq!(conversations(&format!("[{one},]")), all[..1]);
    for (old, new) in [("\"uuid\"", "\"id\""), ("\"uuid\"", "\"conversation_id\"")] {
        assert_eq!(conversations(&one.replace(old, new)), all[..1], "{new}");
    }
    let renamed = one.replace("chat_messages", "messages").replace("\"name\"", "\"title\"");
    assert_eq!(conversations(&renamed), all[..1]);
    let both = format!("{{\"chats\":{CHATGPT},\"conversations\":{CLAUDE}}}");
    assert_eq!(conversations(&both).len(), 4);
    for text in ["[]", "{\"conversations\":[]}", " [ ] "] {
        assert_eq!(found(text).0, [], "{text}");
    }
}

#[test]
fn bad_records_are_named_and_the_others_are_read() {
    let good = r#"{"id":"g","messages":[{"role":"user","content":"x"}]}"#;
    let many: String = (0..200).map(|_| "[").chain((0..200).map(|_| "]")).collect();
    let deep = format!(r#"{{"id":"deep","messages":[{{"role":"user","content":{many}}}]}}"#);
    let text = format!(
        r#"[{good}, 7, "text", null, [1], {{"messages":[{{"role":"user","content":"x"}}]}},
            {{"id":"broken","messages":[tru]}}, {{"id":"{}","messages":[]}}, {good}, {deep}]"#,
        "i".repeat(300)
    );
    let (all, ended) = found(&text);
    ended.expect("read to its end");
    assert_eq!(all.iter().filter(|f| matches!(f, Found::Conversation(_))).count(), 2);
    let bad = bad(&text);
    let indexes: Vec<u64> = bad.iter().map(|bad| bad.index).collect();
    assert_eq!(indexes, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!((bad[4].why.as_str(), bad[4].id.as_deref()), ("it has no id", None));
    assert_eq!(bad[5].id.as_deref(), Some("broken"));
    assert!(bad[5].why.starts_with("it cannot be read: "), "{}", bad[5].why);
    assert_eq!(bad[6].why, "its id is too long");
    // What nests too deep says nothing, and does no harm.
    assert_eq!(all.last(), Some(&Found::Empty));
    let typed = r#"[{"id":"d","messages":{"a":1},"mapping":7,"name":[],"created_at":{},
        "updated_at":true,"chat_messages":[1,null,"x",{"role":["user"],"text":"x"},
        {"role":"user","text":{"x":1},"content":["a",{"type":"text","text":3},null,"b"]}]}]"#;
    let all = conversations(typed);
    assert_eq!(said(&all[0]), [(Role::User, "a\n3\nb")]);
    assert_eq!((all[0].created, all[0].title.as_deref()), (None, None));
}

#[test]
fn text_that_is_not_unicode_costs_no_other_conversation() {
    let good = r#"{"id":"g","messages":[{"role":"user","content":"x"}]}"#;
    let half = r#"{"id":"h","messages":[{"role":"user","content":"a \ud83d b"}]}"#;
    let mut text = format!("[{half},{good},").into_bytes();
    text.extend_from_slice(
        b"{\"id\":\"u\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]},",
    );
    text.extend_from_slice(good.as_bytes());
    text.push(b']');
    let mut all = Vec::new();
    let ended = read(&text[..], &Bounds::default(), &mut |found| {
        all.push(found);
        ControlFlow::Continue(())
    });
    ended.expect("read to its end");
    let Found::Conversation(half) = &all[0] else { panic!("{:?}", all[0]) };
    assert_eq!(half.messages[0].text, "a \u{fffd} b");
    let Found::Bad(bad) = &all[2] else { panic!("{:?}", all[2]) };
    assert_eq!((bad.index, bad.id.as_deref()), (2, Some("u")));
    assert!(matches!(all[3], Found::Conversation(_)));
}

#[test]
fn what_is_no_export_says_so() {
    for (text, said) in [
        ("", "the export breaks off after 0 bytes"),
        ("7", "this is no export: it is neither a list of conversations nor an object"),
        ("\"x\"", "this is no export: it is neither a list of conversations nor an object"),
        ("<html>", "the export is no JSON at byte 0: nothing of JSON begins so"),
        ("[1 2]", "the export is no JSON at byte 3: a comma or the end of the list is missing"),
        ("[,]", "the export is no JSON at byte 1: a value is missing"),
        ("{1:2}", "the export is no JSON at byte 1: a name is missing"),
        ("{\"a\" 2}", "the export is no JSON at byte 5: a colon is missing"),
        ("[] x", "the export is no JSON at byte 3: something follows the end"),
        ("{\"conversations\":[{}", "the export breaks off after 20 bytes"),
    ] {
        let ended = found(text).1;
        assert_eq!(ended.expect_err(text).to_string(), said, "{text}");
    }
    // Such an object is one bad record, as anything that has no id.
    assert_eq!(bad("{\"conversations\":{}}").len(), 1);
}

#[test]
fn whoever_is_told_can_stop_and_an_export_has_a_length() {
    let mut told = 0;
    let ended = read(CLAUDE.as_bytes(), &Bounds::default(), &mut |_| {
        told += 1;
        ControlFlow::Break(())
    });
    assert!(matches!(ended, Err(Stopped::Left)) && told == 1);
    let bounds = Bounds { conversations_max: 2, ..Bounds::default() };
    let ended = read(CLAUDE.as_bytes(), &bounds, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(ended, Err(Stopped::Many(2))));
}

#[test]
fn the_body_of_the_apps_import_is_looked_through() {
    let body = br#" {"x":{"data":1},"data":[{"a":"]"}] , "archived" : false}"#;
    let found = envelope(&body[..]).expect("a body");
    let (begin, end) = found.data.expect("data");
    assert_eq!(&body[begin as usize..end as usize], br#"[{"a":"]"}]"#);
    assert_eq!(found.archived, Archived::Said(false));
    for (body, archived) in [
        (&br#"{"data":{}}"#[..], Archived::Unsaid),
        (br#"{"archived":true,"data":{}}"#, Archived::Said(true)),
        (br#"{"archived":"yes"}"#, Archived::Unclear),
        (br#"{"archived":null}"#, Archived::Unclear),
    ] {
        assert_eq!(envelope(body).expect("a body").archived, archived);
    }
    assert_eq!(envelope(&br#"{"archived":true}"#[..]).expect("a body").data, None);
    for body in ["", "[]", "{", "{\"data\":[}", "{\"data\":}", "{} {}", "null", "{\"data\":\"x"] {
        assert!(envelope(body.as_bytes()).is_err(), "{body}");
    }
}
