//! `parachute models`: the models there are, as the supervisor had them from the vendor. Choosing
//! one is `parachute config set default_model`.

use crate::args::ModelsArgs;
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::table::{Table, ago};
use crate::term::{Ink, line, print, print_json, width};
use serde_json::Value;
use std::time::Duration;
use wire::Timestamp;
use wire::supervisor::ModelList;

/// Until the list begins to come: the vendor may be asked for several pages of it.
const ANSWER_MAX: Duration = Duration::from_secs(90);

/// Runs the command; answers with the exit status.
pub(crate) async fn run(client: Client, args: &ModelsArgs) -> Result<u8, Fail> {
    let path = format!("/supervisor/models?show_all={}&refresh={}", args.all, args.refresh);
    let asked = client.ask::<Value>(Ask::get(path).within(ANSWER_MAX)).await;
    let answer = asked.map_err(hinted)?;
    if args.json.json {
        print_json(&answer)?;
        return Ok(exit::DONE);
    }
    let list: ModelList = client.shape(answer)?;
    print(&as_text(&list, Timestamp::now().as_millis(), width(), Ink::out()))?;
    Ok(exit::DONE)
}

fn hinted(fail: Fail) -> Fail {
    match fail {
        Fail::Refused { status: 503, said, .. } => Fail::local(
            said,
            "parachute-supervisor(8) says with which credential the vendor is asked",
        ),
        fail => fail,
    }
}

fn as_text(list: &ModelList, now: i64, width: Option<usize>, ink: Ink) -> String {
    let mut table = Table::new(&["", "ID", "FAMILY", "DATE", "NAME"]);
    let current = list.current_model.as_deref();
    for model in &list.models {
        let day = model.created_at.to_string();
        table.row(vec![
            if current == Some(&model.id) { "*".into() } else { String::new() },
            model.id.clone(),
            model.family.clone(),
            day.split('T').next().unwrap_or_default().to_owned(),
            model.display_name.clone(),
        ]);
    }
    let mut text = table.show(width, ink);
    let listed = list.models.iter().any(|model| current == Some(&model.id));
    let chosen = match current {
        Some(_) if listed => "* is default_model".to_owned(),
        Some(other) => format!("default_model is {other}"),
        None => "default_model is not set".to_owned(),
    };
    let age = ago(list.cached_at.as_millis(), now);
    text += &format!("\n{}\n", ink.dim(&line(&format!("{chosen}; as the vendor said {age}"))));
    if list.is_stale {
        let why = list.problem.as_deref().unwrap_or("the vendor does not answer");
        let said = line(&format!("this may be out of date: {why}"));
        text += &format!("{}\n", ink.yellow(&said));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn list(current: Value, stale: bool) -> ModelList {
        let model = |id: &str, family: &str, day: &str| {
            json!({"id": id, "display_name": format!("Claude {family}"), "family": family,
                "created_at": format!("{day}T00:00:00Z"), "is_latest": true})
        };
        let models =
            [model("claude-opus-9", "opus", "2026-02-01"), model("claude-3-x", "x", "2024-10-22")];
        let list = json!({"models": models, "count": 2, "show_all": false,
            "current_model": current, "cached_at": "2026-03-01T00:00:00Z", "is_stale": stale,
            "problem": stale.then_some("429\nslow down")});
        serde_json::from_value(list).unwrap()
    }

    fn text(current: Value, stale: bool) -> String {
        let now = Timestamp::parse("2026-03-01T00:05:00Z").unwrap().as_millis();
        as_text(&list(current, stale), now, None, Ink::NONE)
    }

    #[test]
    fn the_model_in_use_is_marked() {
        assert_eq!(
            text("claude-opus-9".into(), false),
            "   ID             FAMILY  DATE        NAME\n\
             *  claude-opus-9  opus    2026-02-01  Claude opus\n\
             \x20  claude-3-x     x       2024-10-22  Claude x\n\
             \n* is default_model; as the vendor said 5 min ago\n"
        );
    }

    #[test]
    fn what_is_not_listed_and_what_is_old_is_said() {
        let shown = text("opus".into(), true);
        assert!(shown.ends_with(
            "\ndefault_model is opus; as the vendor said 5 min ago\n\
             this may be out of date: 429 slow down\n"
        ));
        assert!(text(Value::Null, false).contains("\ndefault_model is not set; "));
    }
}
