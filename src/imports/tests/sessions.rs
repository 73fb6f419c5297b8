//! What session files of the CLI are about.

use parachute_imports::session::{facts, messages};

const OF_THE_CLI: &str = r#"
{"type":"queue-operation","operation":"dequeue","timestamp":"2026-11-20T05:39:54.618Z","sessionId":"s"}
{"parentUuid":null,"isSidechain":false,"type":"user","message":{"role":"user","content":"<command-name>/clear</command-name>"},"timestamp":"2026-11-20T05:39:54.636Z","cwd":"/h/my-notes"}
{"parentUuid":null,"isSidechain":false,"type":"user","isMeta":true,"message":{"role":"user","content":"Caveat"},"timestamp":"2026-11-20T05:39:54.636Z","cwd":"/h/my-notes"}
{"parentUuid":null,"isSidechain":false,"type":"user","message":{"role":"user","content":"Look into a.md"},"timestamp":"2026-11-20T05:39:55.636Z","cwd":"/h/my-notes/sub","model":"not this"}
{"type":"assistant","message":{"id":"msg_1","role":"assistant","model":"claude-opus-5-5","content":[{"type":"thinking","thinking":"hm"}]},"timestamp":"2026-11-20T05:39:56Z"}
{"type":"assistant","message":{"id":"msg_1","role":"assistant","model":"claude-opus-5-5","content":[{"type":"text","text":"I look."}]},"timestamp":"2026-11-20T05:39:56Z"}
{"type":"assistant","message":{"id":"msg_1","role":"assistant","model":"claude-opus-5-5","content":[{"type":"tool_use","id":"t","name":"Read","input":{}}]},"timestamp":"2026-11-20T05:39:56Z"}
{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"a file"}]}]},"timestamp":"2026-11-20T05:39:57Z"}
{"type":"assistant","isSidechain":true,"message":{"id":"msg_2","role":"assistant","model":"claude-haiku","content":[{"type":"text","text":"aside"}]},"timestamp":"2026-11-20T05:39:58Z"}
{"type":"assistant","message":{"id":"msg_3","role":"assistant","model":"claude-sonnet-5","content":[{"type":"text","text":"It is a file."}]},"timestamp":"2026-11-20T06:39:59+01:00"}
{"type":"assistant","message":{"id":"msg_4","role":"assistant","model":"<synthetic>","content":[{"type":"text","text":"API Error"}]},"timestamp":"2026-11-20T05:40:00Z"}
{"type":"user","isCompactSummary":true,"message":{"role":"user","content":"This session goes on"},"timestamp":"2026-11-20T05:41:00Z"}
{"type":"ai-title","aiTitle":"Reading  a file","sessionId":"s"}
no JSON
{"type":"user","message":"a text"}
{"type":["user"],"timestamp":7,"cwd":{},"message":{"content":7}}
"#;

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
