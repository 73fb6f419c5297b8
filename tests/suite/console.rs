//! The web console as a person uses it: in a real browser, with a mouse and a keyboard, while the
//! suite runs, breaks and is mended; and whether everybody can use it.

use crate::lab::{Lab, SERVICE, ask};
use crate::units::{main_pid, systemctl};
use parachute_tests::{Browser, Caller, eventually};
use serde_json::{Value, json};
use std::path::PathBuf;

const PAGE: &str = "http://127.0.0.1:3334/";

async fn visit() -> Option<(Lab, Browser)> {
    let lab = Lab::started("log_level: INFO\n").await?;
    let browser = Browser::start().await.expect("chromedriver (scripts/setup --tests)");
    browser.resize(1280, 900).await;
    browser.open(PAGE).await;
    browser
        .until("it is live", "document.querySelector('#connection').dataset.state === 'live'")
        .await;
    Some((lab, browser))
}

/// Waits until an element is in a state.
async fn is(browser: &Browser, css: &str, state: &str) {
    let seen = format!("document.querySelector('{css}').dataset.state === '{state}'");
    browser.until(&format!("{css} is {state}"), &seen).await;
}

async fn state(browser: &Browser, wanted: &str) {
    is(browser, "#server-state", wanted).await;
}

/// Waits until an element shows a text.
async fn shows(browser: &Browser, css: &str, text: &str) {
    let seen = format!("document.querySelector(`{css}`)?.innerText.includes('{text}')");
    browser.until(&format!("{css} shows {text}"), &seen).await;
}

/// Waits until so many lines of the log are shown: `> 0`, `=== 0`.
async fn lines(browser: &Browser, so_many: &str) {
    let seen = format!("document.querySelectorAll('#log-lines .line').length {so_many}");
    browser.until(&seen, &seen).await;
}

/// Confirms what the dialog asks.
async fn confirm(browser: &Browser) {
    browser.click("#confirm-yes").await;
    browser.until("it closes", "!document.querySelector('#confirm').open").await;
}

/// Nothing went wrong in the page itself. What the API refused on purpose, the browser tells, too.
async fn no_complaints(browser: &Browser, refused: &[&str]) {
    let said = browser.complaints().await;
    let known = |line: &&String| !refused.iter().any(|status| line.contains(status));
    let unknown: Vec<&String> = said.iter().filter(known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Keeps what becomes of the server's state from now on.
const WATCH: &str = "window.states = []; \
    const place = document.querySelector('#server-state'); \
    new MutationObserver(() => window.states.push(place.dataset.state)) \
        .observe(place, { attributes: true });";

#[tokio::test]
async fn a_crash_is_seen_live_and_orders_are_given_by_click() {
    let Some((lab, browser)) = visit().await else { return };
    state(&browser, "stopped").await;
    let words = browser.text("#server-words").await;
    assert!(words.to_lowercase().contains("asleep"), "{words}");
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    state(&browser, "running").await;

    // It crashes, and comes back; both without a look at anything but the page.
    browser.run(WATCH).await;
    for _ in 0..2 {
        systemctl(&["kill", "--kill-whom=main", "-s", "SEGV", SERVICE]).await;
    }
    browser.until("it was seen to crash", "window.states.includes('crashed')").await;
    state(&browser, "running").await;
    let row = format!("[data-unit=\"{SERVICE}\"]");
    browser.click(&format!("{row} summary")).await;
    shows(&browser, &row, "killed by SIGSEGV").await;

    let before = main_pid(SERVICE).await;
    browser.click("[data-action=restart]").await;
    browser.click("#confirm-no").await;
    assert_eq!(main_pid(SERVICE).await, before, "nothing was confirmed");
    browser.click("[data-action=restart]").await;
    confirm(&browser).await;
    is(&browser, "#job-outcome", "done").await;
    let now = main_pid(SERVICE).await;
    assert!(now.is_some() && now != before);

    browser.click("[data-action=stop]").await;
    confirm(&browser).await;
    state(&browser, "stopped").await;
    // One order at a time.
    is(&browser, "#job-outcome", "done").await;
    browser.click("[data-action=start]").await;
    confirm(&browser).await;
    state(&browser, "running").await;
    no_complaints(&browser, &[]).await;
}

#[tokio::test]
async fn the_log_is_followed_and_filtered() {
    let Some((lab, browser)) = visit().await else { return };
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    shows(&browser, "#log-lines", "settings are read").await;
    let stream = lab.local().chat("text=delta", &ask("hello", "text", json!({}))).await;
    let session = stream.whole().await.session();
    browser.until("the turn's lines", "document.querySelector('#log-lines .turn')").await;
    browser.click("#log-lines .turn").await;
    let filtered = "document.querySelector('#log-turn').value !== ''";
    browser.until("only that turn", filtered).await;
    let address = browser.run("return location.href").await;
    let address = address.as_str().expect("text");
    assert!(address.contains("turn="), "{address}");
    // The address is enough to come back to it.
    browser.open("about:blank").await;
    browser.open(address).await;
    browser.until("the filter is back", filtered).await;
    lines(&browser, "> 0").await;
    browser.click("#log-clear").await;
    browser.fill("#log-session", &session).await;
    lines(&browser, "> 0").await;
    browser.click("#log-clear").await;
    browser.fill("#log-grep", "no such words anywhere").await;
    lines(&browser, "=== 0").await;
    no_complaints(&browser, &[]).await;
}

#[tokio::test]
async fn the_configuration_is_edited_refused_and_undone() {
    let Some((lab, browser)) = visit().await else { return };
    let file = lab.vault.join(".parachute/config.yaml");
    let says = |text: &str| std::fs::read_to_string(&file).expect("read").contains(text);
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let input = "#config-agents_live_max";
    browser.fill(input, "1000").await;
    browser.click("#config-save").await;
    let fault = "document.querySelector('#config-agents_live_max-error').innerText !== ''";
    browser.until("the fault is shown", fault).await;
    assert!(!says("agents_live_max"));

    browser.fill(input, "12").await;
    browser.click("#config-save").await;
    shows(&browser, "#config-diff", "12").await;
    confirm(&browser).await;
    let written = async || says("agents_live_max: 12").then_some(());
    eventually("it is written", written).await;
    is(&browser, "#job-outcome", "done").await;

    // Stands for any reason for which a server does not come up.
    let refuses = format!("! grep -q 'agents_live_max: 13' {}", file.display());
    lab.drop_in(SERVICE, &format!("[Service]\nExecStartPre=/bin/sh -c \"{refuses}\"\n")).await;
    browser.fill(input, "13").await;
    browser.click("#config-save").await;
    shows(&browser, "#config-diff", "13").await;
    browser.click("#confirm-yes").await;
    shows(&browser, "body", "put back").await;
    shows(&browser, "#config-problem", "agents_live_max").await;
    assert!(says("agents_live_max: 12"));
    no_complaints(&browser, &["409"]).await;
}

#[tokio::test]
async fn a_model_is_picked_and_the_server_restarted() {
    let Some((lab, browser)) = visit().await else { return };
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let before = main_pid(SERVICE).await;
    let row = "[data-model=claude-sonnet-5]";
    browser.click(&format!("{row} button")).await;
    browser.click("#confirm-yes").await;
    let current = format!("document.querySelector('{row}').hasAttribute('aria-current')");
    browser.until("it is in use", &current).await;
    let text = std::fs::read_to_string(lab.vault.join(".parachute/config.yaml")).expect("read");
    assert!(text.contains("default_model: claude-sonnet-5"), "{text}");
    eventually("another server", async || {
        let now = main_pid(SERVICE).await;
        (now.is_some() && now != before).then_some(())
    })
    .await;
    let few = browser.run("return document.querySelectorAll('[data-model]').length").await;
    browser.click("#models-show-all").await;
    let all = format!("document.querySelectorAll('[data-model]').length > {few}");
    browser.until("all of them", &all).await;
    no_complaints(&browser, &[]).await;
}

/// What an established checker finds wrong for people who do not see, or use no mouse.
async fn barriers(browser: &Browser) -> Vec<String> {
    let path = PathBuf::from(std::env::var_os("AXE").expect("scripts/test names axe-core"));
    let axe = std::fs::read_to_string(path).expect("axe-core");
    browser.run(&axe).await;
    let found = browser.wait_for("return (await axe.run()).violations").await;
    let violations = found.as_array().unwrap_or_else(|| panic!("{found}"));
    let told = |violation: &Value| {
        let nodes = violation["nodes"].as_array().expect("nodes");
        let first = nodes.first().map(|node| node["html"].to_string()).unwrap_or_default();
        format!("{}: {} ({} times, first {first})", violation["id"], violation["help"], nodes.len())
    };
    violations.iter().map(told).collect()
}

/// At both widths and in both schemes: nothing is cut off, and nobody is kept out. The pictures
/// are kept where `PICTURES` says.
#[tokio::test]
async fn everybody_can_use_it_at_any_width_in_any_light() {
    let Some((lab, browser)) = visit().await else { return };
    lab.local().chat("text=delta", &ask("hello", "text", json!({}))).await.whole().await;
    state(&browser, "running").await;
    let pictures = std::env::var_os("PICTURES").map(PathBuf::from);
    for scheme in ["light", "dark"] {
        browser.scheme(scheme).await;
        for width in [1280, 360] {
            browser.resize(width, 900).await;
            let wider = "return document.documentElement.scrollWidth > innerWidth";
            assert_eq!(browser.run(wider).await, false, "something is wider than {width}");
            let found = barriers(&browser).await;
            assert!(found.is_empty(), "{scheme}, {width}: {found:#?}");
            if let Some(folder) = &pictures {
                let height = browser.run("return document.documentElement.scrollHeight").await;
                browser.resize(width, height.as_u64().map_or(900, |h| h as u32)).await;
                let file = folder.join(format!("console-{width}-{scheme}.png"));
                std::fs::write(file, browser.picture().await).expect("written");
            }
        }
    }
    browser.resize(1280, 900).await;
    browser.click("[data-action=restart]").await;
    let found = barriers(&browser).await;
    assert!(found.is_empty(), "with the dialog: {found:#?}");
    // By keyboard alone: out of the dialog, and to the first order.
    let before = main_pid(SERVICE).await;
    browser.press("\u{e00c}").await;
    browser.until("Escape closes it", "!document.querySelector('#confirm').open").await;
    assert_eq!(main_pid(SERVICE).await, before);
    no_complaints(&browser, &[]).await;
}

/// The page comes from the supervisor alone, may load nothing else, and tells the browser so.
#[tokio::test]
async fn the_page_is_closed_to_everything_else() {
    let Some(lab) = Lab::started("").await else { return };
    let who: Caller = lab.overseer();
    let page = who.get("/").await;
    let policy = page.headers["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    let text = String::from_utf8(page.body.to_vec()).expect("text");
    for outside in ["=\"http", "=\"//", "style=", "<script>", "onclick"] {
        assert!(!text.contains(outside), "{outside}");
    }
    let tag = page.headers["etag"].to_str().expect("text");
    assert_eq!(who.clone().with("if-none-match", tag).get("/").await.status, 304);
    for gone in ["/console/", "/console/..%2Flib.rs", "/console/nothing.js", "/console/%00"] {
        assert!(matches!(who.get(gone).await.status, 307 | 404), "{gone}");
    }
}
