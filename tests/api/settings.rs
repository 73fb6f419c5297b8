//! Settings that cannot be read or do not fit: the server starts all the same, with the last
//! good ones or the defaults, and says what is wrong where a person looks (DESIGN §5).

use parachute_tests::{Home, Server};
use serde_json::{Value, json};

async fn problem(server: &Server) -> Value {
    server.owner().get("/api/health?detailed=true").await.json()["problem"].clone()
}

/// The longest message that a server takes, by trial: 5, or the default.
async fn is_short(server: &Server) -> bool {
    let body = json!({ "message": "123456 @@{\"n\":1}@@" });
    let stream = server.owner().chat("", &body).await.whole().await;
    stream.kinds() == ["error"]
}

#[tokio::test]
async fn a_config_that_does_not_parse_leaves_the_defaults_and_is_told() {
    for broken in ["max_message_length: [", "\t- x", "just words", "- 1\n- 2\n", "a: b: c", "\u{0}"]
    {
        let home = Home::new();
        home.config(broken);
        let server = home.server().await;
        let told = problem(&server).await;
        assert!(told.as_str().is_some_and(|t| t.contains("config.yaml")), "{broken:?}: {told}");
        assert!(!is_short(&server).await);
        let kept = std::fs::read_to_string(home.path("vault/.parachute/config.yaml"));
        assert_eq!(kept.expect("still there"), broken);
    }
}

#[tokio::test]
async fn a_config_that_was_good_before_stays_in_force() {
    let home = Home::new();
    home.config("max_message_length: 5\n");
    let mut server = home.server().await;
    assert_eq!(problem(&server).await, Value::Null);
    assert!(is_short(&server).await);
    home.config("max_message_length: [\n");
    server.restart();
    let told = problem(&server).await;
    assert!(told.as_str().is_some_and(|t| t.contains("last good")), "{told}");
    assert!(is_short(&server).await);
    home.config("max_message_length: 500\n");
    server.restart();
    assert_eq!(problem(&server).await, Value::Null);
    assert!(!is_short(&server).await);
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_named_with_its_line() {
    for wrong in [
        "max_message_length: many",
        "max_message_length: -1",
        "port: 99999999",
        "idle_exit_seconds: soon",
        "host: nowhere at all",
        "agents_live_max: 1.5",
    ] {
        let home = Home::new();
        home.config(&format!("# a comment\n{wrong}\n"));
        let server = home.server().await;
        let told = problem(&server).await;
        let key = wrong.split(':').next().expect("a key");
        let fits = told.as_str().is_some_and(|t| t.contains(key) && t.contains("line 2"));
        assert!(fits, "{wrong}: {told}");
    }
}

#[tokio::test]
async fn the_environment_wins_over_the_file() {
    let mut home = Home::new();
    home.config("max_message_length: 5000\n");
    home.set("MAX_MESSAGE_LENGTH", "5");
    let server = home.server().await;
    assert!(is_short(&server).await);
    let mut home = Home::new();
    home.config("max_message_length: 5\n");
    home.set("MAX_MESSAGE_LENGTH", "much");
    let server = home.server().await;
    // A variable that does not fit is passed over, not obeyed in part.
    assert!(is_short(&server).await);
}

#[tokio::test]
async fn a_database_of_a_later_version_is_left_alone_and_told() {
    let home = Home::new();
    let folder = home.vault().join("Chat");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("sessions.db");
    let db = rusqlite::Connection::open(&file).expect("a database");
    db.execute_batch(
        "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL);
         INSERT INTO schema_version VALUES (9999, 'later');",
    )
    .expect("tables");
    drop(db);
    let before = std::fs::read(&file).expect("a file");
    let server = home.server().await;
    assert!(problem(&server).await.is_string());
    assert_eq!(server.owner().get("/api/chat").await.status, 503);
    let body = json!({ "message": "x @@{\"n\":1}@@" });
    let stream = server.owner().chat("", &body).await.whole().await;
    assert_eq!(stream.kinds(), ["typed_error"]);
    assert_eq!(std::fs::read(&file).expect("a file"), before);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone_and_told() {
    let home = Home::new();
    let folder = home.vault().join("Chat");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("sessions.db");
    let words = "my own notes, which somebody called so\n".repeat(100);
    std::fs::write(&file, &words).expect("written");
    let server = home.server().await;
    assert!(problem(&server).await.is_string());
    assert_eq!(server.owner().get("/api/chat").await.status, 503);
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), words);
}
