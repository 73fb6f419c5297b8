//! Rows: in and out, listed, searched, changed, deleted; odd ones too.

use super::{all, at, chat, folder, ids, store};
use crate::store::{ListFilter, MetadataEdit, Patch, SessionRow, Store};
use proptest::prelude::*;
use rusqlite::{Connection, params};
use serde_json::json;

#[tokio::test]
async fn the_rows_of_the_golden_samples_come_out_as_they_went_in() {
    let (_folder, path) = folder();
    Store::open(&path).unwrap().close().await;
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            r#"INSERT INTO sessions (id, title, model, message_count, created_at, last_accessed,
                trust_level) VALUES ('00000000-0000-4000-8000-000000000001', 'First session',
                'claude-sonnet-4-5-20250929', 2, '2026-01-01T10:00:00.123456+00:00',
                '2026-01-01T11:00:00+00:00', 'trusted');
            INSERT INTO sessions (id, title, working_directory, message_count, created_at,
                last_accessed, trust_level, metadata) VALUES
                ('00000000-0000-4000-8000-000000000002', 'Second session', '/vault/Projects/x', 4,
                '2026-01-02T10:00:00.123456+00:00', '2026-01-02T11:00:00+00:00', NULL,
                '{"config_overrides": {"system_prompt": "p"}, "pending_initialization": true}');"#,
        )
        .unwrap();
    let store = Store::open(&path).unwrap();
    let rows = store.list_sessions(&all()).await.unwrap();
    let [second, first] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(first.id, "00000000-0000-4000-8000-000000000001");
    assert_eq!((first.module.as_str(), first.source.as_str()), ("chat", "parachute"));
    assert_eq!(first.model.as_deref(), Some("claude-sonnet-4-5-20250929"));
    assert_eq!((first.message_count, first.archived), (2, false));
    assert_eq!(first.created_at.to_string(), "2026-01-01T10:00:00.123456Z");
    assert_eq!(first.last_accessed.to_string(), "2026-01-01T11:00:00Z");
    assert_eq!(first.metadata, None);
    assert_eq!(
        serde_json::to_value(&second.metadata).unwrap(),
        json!({"config_overrides": {"system_prompt": "p"}, "pending_initialization": true})
    );

    let offset = ListFilter { offset: 1, ..all() };
    assert_eq!(ids(&store, &offset).await, [first.id.as_str()]);
    let search = ListFilter { search: Some("second".into()), ..all() };
    assert_eq!(ids(&store, &search).await, [second.id.as_str()]);
    let daily = ListFilter { module: Some("daily".into()), ..all() };
    assert!(ids(&store, &daily).await.is_empty());
    let archived = ListFilter { archived: true, ..all() };
    assert!(ids(&store, &archived).await.is_empty());
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.total, stats.active, stats.archived), (2, 2, 0));
    assert_eq!(stats.by_module.into_iter().collect::<Vec<_>>(), [("chat".to_owned(), 2)]);
    store.close().await;
}

#[tokio::test]
async fn a_row_with_anything_in_it_is_listed() {
    let (_folder, path) = folder();
    Store::open(&path).unwrap().close().await;
    let connection = Connection::open(&path).unwrap();
    for (number, time) in
        ["2026-01-05T10:00:00Z", "2026-01-05 10:00:00", "2026-01-05T10:00:00", "soon", ""]
            .into_iter()
            .enumerate()
    {
        connection
            .execute(
                "INSERT INTO sessions (id, title, module, source, message_count, archived,
                    created_at, last_accessed, metadata)
                    VALUES (?1, x'ff00', 7, 'my-own', 'many', NULL, ?2, ?2, '[1, 2')",
                params![format!("odd-{number}"), time],
            )
            .unwrap();
    }
    drop(connection);
    let store = Store::open(&path).unwrap();
    let mut rows = store.list_sessions(&all()).await.unwrap();
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(rows.len(), 5);
    for row in &rows[..3] {
        assert_eq!(row.created_at.to_string(), "2026-01-05T10:00:00Z");
    }
    for row in &rows[3..] {
        assert_eq!(row.last_accessed.to_string(), "1970-01-01T00:00:00Z");
    }
    let odd = &rows[0];
    assert_eq!((odd.module.as_str(), odd.source.as_str()), ("7", "my-own"));
    assert_eq!((odd.message_count, odd.archived, &odd.metadata), (0, false, &None));
    assert_eq!(store.stats().await.unwrap().active, 5);

    let patch = Patch { title: Some("mended".into()), ..Patch::default() };
    store.patch_session("odd-0", patch).await.unwrap().unwrap();
    store.close().await;
    let kept = super::texts(&path, "SELECT metadata FROM sessions WHERE id = 'odd-0'");
    assert_eq!(kept, ["[1, 2"], "what could not be read is not thrown away");
}

#[tokio::test]
async fn an_inserted_row_comes_back_whole() {
    let store = store();
    let mut row = chat("whole", 1);
    row.title = Some("ünïcode 🪂 \"quoted\"".into());
    row.working_directory = Some("/vault/a".into());
    row.vault_root = Some("/v".into());
    row.model = Some("m".into());
    row.message_count = 7;
    row.archived = true;
    row.last_accessed = at("2026-02-01T00:00:00.5Z");
    row.continued_from = Some("c".into());
    row.agent_type = Some("t".into());
    row.metadata = json!({"b": 1, "a": [null, "x"]}).as_object().cloned();
    row.trust_level = Some("vault".into());
    row.linked_bot_platform = Some("telegram".into());
    row.linked_bot_chat_id = Some("1".into());
    row.linked_bot_chat_type = Some("dm".into());
    row.workspace_id = Some("w".into());
    assert!(store.insert_session(&row).await.unwrap());
    assert_eq!(store.session("whole").await.unwrap().as_ref(), Some(&row));
    assert!(!store.insert_session(&chat("whole", 2)).await.unwrap(), "an id is taken once");
    assert_eq!(store.session("whole").await.unwrap(), Some(row));
    assert_eq!(store.session("other").await.unwrap(), None);
}

#[tokio::test]
async fn archiving_and_touching_move_a_session_to_the_top() {
    let store = store();
    for (id, day) in [("a", 1), ("b", 2), ("c", 3)] {
        store.insert_session(&chat(id, day)).await.unwrap();
    }
    assert_eq!(ids(&store, &all()).await, ["c", "b", "a"]);
    assert!(store.touch("b", at("2026-01-04T00:00:00Z")).await.unwrap());
    assert!(!store.touch("nobody", at("2026-01-04T00:00:00Z")).await.unwrap());
    assert_eq!(ids(&store, &all()).await, ["b", "c", "a"]);
    let put_away = store.set_archived("a", true).await.unwrap().unwrap();
    assert!(put_away.archived && put_away.last_accessed > at("2026-01-04T00:00:00Z"));
    assert_eq!(ids(&store, &ListFilter { archived: true, ..all() }).await, ["a"]);
    assert_eq!(ids(&store, &all()).await, ["b", "c"]);
    assert!(!store.set_archived("a", false).await.unwrap().unwrap().archived);
    assert_eq!(ids(&store, &all()).await, ["a", "b", "c"]);
    assert_eq!(store.set_archived("nobody", true).await.unwrap(), None);
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let store = store();
    let mut row = chat("p", 1);
    row.workspace_id = Some("w".into());
    row.metadata = json!({"keep": 1, "drop": 2}).as_object().cloned();
    store.insert_session(&row).await.unwrap();

    let same = store.patch_session("p", Patch::default()).await.unwrap().unwrap();
    assert_eq!(same, row, "an empty patch does not even touch the last access");

    let patch = Patch {
        title: Some("t".into()),
        workspace_id: Some(None),
        metadata: Some(MetadataEdit::With(Box::new(|map| {
            map.shift_remove("drop");
            map.insert("new".into(), json!(3));
        }))),
        ..Patch::default()
    };
    let now = store.patch_session("p", patch).await.unwrap().unwrap();
    assert_eq!(
        (now.title.as_deref(), &now.workspace_id, now.module.as_str()),
        (Some("t"), &None, "chat")
    );
    assert_eq!(serde_json::to_value(&now.metadata).unwrap(), json!({"keep": 1, "new": 3}));
    assert!(now.last_accessed > row.last_accessed);
}

#[tokio::test]
async fn a_patch_clears_and_sets_every_column_it_may() {
    let store = store();
    let mut row = chat("p", 1);
    row.metadata = json!({"a": 1}).as_object().cloned();
    store.insert_session(&row).await.unwrap();

    let clear = Patch { metadata: Some(MetadataEdit::Whole(None)), ..Patch::default() };
    assert_eq!(store.patch_session("p", clear).await.unwrap().unwrap().metadata, None);
    let look = Patch { metadata: Some(MetadataEdit::With(Box::new(|_| ()))), ..Patch::default() };
    assert_eq!(store.patch_session("p", look).await.unwrap().unwrap().metadata, None);
    let patch = Patch {
        model: Some("m".into()),
        module: Some("daily".into()),
        trust_level: Some("sandboxed".into()),
        workspace_id: Some(Some("v".into())),
        ..Patch::default()
    };
    let now = store.patch_session("p", patch).await.unwrap().unwrap();
    assert_eq!((now.model.as_deref(), now.module.as_str()), (Some("m"), "daily"));
    assert_eq!(
        (now.trust_level.as_deref(), now.workspace_id.as_deref()),
        (Some("sandboxed"), Some("v"))
    );

    let patch = Patch { title: Some("t".into()), ..Patch::default() };
    assert_eq!(store.patch_session("nobody", patch).await.unwrap(), None);
}

#[tokio::test]
async fn deleting_takes_everything_along() {
    let (_folder, path) = folder();
    let store = Store::open(&path).unwrap();
    store.begin_turn(Some(chat("d", 1)), handed("d"), at("2026-01-02T00:00:00Z")).await.unwrap();
    store.begin_turn(Some(chat("e", 1)), handed("e"), at("2026-01-02T00:00:00Z")).await.unwrap();
    store
        .write(|change| {
            change.execute_batch(
                "INSERT INTO session_tags VALUES ('d', 't', ''), ('e', 't', '');
                INSERT INTO session_contexts (session_id, folder_path) VALUES ('d', 'f');
                INSERT INTO turns (session_id, turn, at, outcome) VALUES ('d', 1, '', 'done');",
            )
        })
        .await
        .unwrap();
    assert!(store.delete_session("d").await.unwrap());
    assert!(!store.delete_session("d").await.unwrap());
    assert_eq!(store.handed(None).await.unwrap(), [handed("e")]);
    store.close().await;
    let left = "SELECT session_id FROM session_tags UNION ALL SELECT session_id FROM turns
        UNION ALL SELECT session_id FROM session_contexts UNION ALL SELECT id FROM sessions";
    assert_eq!(super::texts(&path, left), ["e", "NULL", "e"], "of a turn only what it came to");
}

proptest! {
    #[test]
    fn a_row_survives_any_text(title in any::<String>(), id in "[a-z]{1,8}") {
        let connection = crate::store::schema::open_memory().unwrap();
        let mut row = SessionRow::new(id, at("2026-01-01T00:00:00Z"));
        row.title = Some(title.clone());
        row.metadata = json!({ "t": title }).as_object().cloned();
        super::super::sessions::insert(&connection, &row).unwrap();
        let found = super::super::sessions::find(&connection, &row.id).unwrap();
        prop_assert_eq!(found, Some(row));
    }
}

/// A turn of the session that has the same name.
fn handed(name: &str) -> crate::store::Handed {
    crate::store::Handed { turn: name.into(), session_id: name.into(), body: String::new() }
}

#[tokio::test]
async fn sessions_leave_a_workspace_with_the_trust_that_is_said() {
    let store = store();
    for (id, workspace, trust) in
        [("a", "w", None), ("b", "w", Some("trusted")), ("c", "other", Some("trusted"))]
    {
        let mut row = chat(id, 1);
        row.workspace_id = Some(workspace.into());
        row.trust_level = trust.map(str::to_owned);
        row.archived = id == "b";
        store.insert_session(&row).await.unwrap();
    }
    let both = ListFilter { archived_too: true, workspace_id: Some("w".into()), limit: 9, ..all() };
    assert_eq!(ids(&store, &both).await, ["a", "b"]);
    let told = |level: Option<&str>| Some(format!("less than {}", level.unwrap_or("nothing")));
    assert_eq!(store.leave_workspace("w", told).await.unwrap(), 2);
    assert!(ids(&store, &both).await.is_empty());
    let trust = |id: &'static str| {
        let store = store.clone();
        async move { store.session(id).await.unwrap().unwrap().trust_level }
    };
    assert_eq!(trust("a").await.as_deref(), Some("less than nothing"));
    assert_eq!(trust("b").await.as_deref(), Some("less than trusted"));
    assert_eq!(trust("c").await.as_deref(), Some("trusted"));
}
