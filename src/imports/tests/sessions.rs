//! What session files of the CLI are about.

use parachute_imports::session::{MESSAGE_BYTES, facts, last_messages, messages};

const OF_THE_CLI: &str = include_str!("exports/session.jsonl");

#[test]
fn trap_t87_tools_are_no_messages_and_the_model_is_in_the_message() {
    let found = facts(OF_THE_CLI.as_bytes()).expect("read");
    // Two of the user (one of them typed at the CLI), two answers, and an error that was shown.
    assert_eq!(found.message_count, 5);
    assert_eq!(found.model.as_deref(), Some("claude-sonnet-5"));
    assert_eq!(found.cwd.as_deref(), Some("/h/my-notes"));
    assert_eq!(found.first_message.as_deref(), Some("Look into a.md"));
    assert_eq!(found.title.as_deref(), Some("Reading a file"));
    let times = [found.created, found.last].map(|at| at.expect("a time").to_string());
    assert_eq!(times, ["2026-11-20T05:39:54.618000Z", "2026-11-20T05:41:00Z"]);
    let told = messages(OF_THE_CLI.as_bytes()).expect("read");
    let told: Vec<(&str, &str)> =
        told.iter().map(|m| (m.role.as_str(), m.content.as_str())).collect();
    assert_eq!(
        told[1..4],
        [("user", "Look into a.md"), ("assistant", "I look."), ("assistant", "It is a file."),]
    );
}

#[test]
fn a_title_is_a_persons_before_the_clis_and_the_last_one_counts() {
    let lines = |lines: &[&str]| facts(lines.join("\n").as_bytes()).expect("read").title;
    let own = r#"{"type":"ai-title","aiTitle":"own"}"#;
    let old = r#"{"type":"summary","summary":"old","leafUuid":"x"}"#;
    let newer = r#"{"type":"summary","summary":"newer","leafUuid":"x"}"#;
    let custom = r#"{"type":"custom-title","customTitle":"mine"}"#;
    assert_eq!(lines(&[]), None);
    assert_eq!(lines(&[own]).as_deref(), Some("own"));
    assert_eq!(lines(&[old, own, newer]).as_deref(), Some("newer"));
    assert_eq!(lines(&[custom, old, own]).as_deref(), Some("mine"));
}

#[test]
fn what_the_predecessor_wrote_twice_is_one_message() {
    let lines = concat!(
        r#"{"type":"user","message":{"content":"hello"},"timestamp":"2026-01-01T10:00:00.000Z"}"#,
        "\n",
        r#"{"type":"assistant","message":{"content":[{"type":"text","text":"hi"}]}}"#,
        "\n",
        r#"{"type":"result","result":"hi"}"#,
        "\n",
        r#"{"type":"result","result":"done","metadata":{"source":"claude_web"}}"#,
    );
    let found = facts(lines.as_bytes()).expect("read");
    assert_eq!((found.message_count, found.source.as_deref()), (3, Some("claude_web")));
    assert_eq!(messages(lines.as_bytes()).expect("read").len(), 3);
}

#[test]
fn of_a_long_conversation_the_end_is_had_and_the_rest_is_counted() {
    let line = |n: usize| format!(r#"{{"type":"user","message":{{"content":"{n:010}"}}}}"#) + "\n";
    let lines: String = (0..100).map(line).collect();
    // Each has ten bytes of text, and what stands around it.
    let one = MESSAGE_BYTES + 10;
    let (told, left_out) = last_messages(lines.as_bytes(), one * 4 - 1).expect("read");
    let told: Vec<&str> = told.iter().map(|message| message.content.as_str()).collect();
    assert_eq!((told, left_out), (vec!["0000000097", "0000000098", "0000000099"], 97));
    let (told, left_out) = last_messages(lines.as_bytes(), one * 100).expect("read");
    assert_eq!((told.len(), left_out), (100, 0));
    let (told, left_out) = last_messages(lines.as_bytes(), one - 1).expect("read");
    assert_eq!((told.len(), left_out), (0, 100), "not even the last has room");
}

#[test]
fn of_many_short_messages_and_of_long_times_no_more_is_kept_either() {
    let line = |at: &str| {
        format!(r#"{{"type":"user","timestamp":"{at}","message":{{"content":"a"}}}}"#) + "\n"
    };
    let (told, left_out) = last_messages(line("").repeat(5000).as_bytes(), 100_000).expect("read");
    assert!(told.len() <= 100_000 / MESSAGE_BYTES && told.len() + left_out == 5000);
    let long = line(&"9".repeat(100_000)) + &line("now");
    let (told, left_out) = last_messages(long.as_bytes(), 100_000).expect("read");
    assert_eq!((told.len(), told[0].timestamp.as_deref(), left_out), (1, Some("now"), 1));
}

#[test]
fn of_names_and_places_no_more_is_kept_than_there_can_be() {
    let long = "x".repeat(100_000);
    let line = |cwd: &str, name: &str| {
        format!(
            r#"{{"type":"assistant","cwd":"/{cwd}","message":{{"model":"{name}","content":"a"}},
                "metadata":{{"source":"{name}"}}}}"#
        )
        .replace('\n', " ")
            + "\n"
    };
    let found = facts((line("a", "b") + &line(&long, &long)).as_bytes()).expect("read");
    let kept = [&found.cwd, &found.model, &found.source].map(|kept| kept.as_deref());
    assert_eq!(kept, [Some("/a"), Some("b"), Some("b")]);
    let found = facts((line(&long, &long) + &line("a", "b")).as_bytes()).expect("read");
    let kept = [&found.cwd, &found.model, &found.source].map(|kept| kept.as_deref());
    assert_eq!(kept, [Some("/a"), Some("b"), Some("b")]);
}
