//! A real browser, Chromium without a window, driven through chromedriver in the W3C's WebDriver
//! protocol, which is plain HTTP. It and its driver end with the value.

use crate::{Caller, eventually};
use base64::Engine;
use http::Method;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// What WebDriver calls a reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one page.
pub struct Browser {
    driver: Child,
    caller: Caller,
    session: String,
    profile: TempDir,
}

impl Browser {
    /// Starts one. None where there is no chromedriver; `scripts/setup --tests` brings it.
    pub async fn start() -> Option<Browser> {
        let mut driver = match Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
        {
            Ok(driver) => driver,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => panic!("chromedriver does not start: {error}"),
        };
        let mut said = BufReader::new(driver.stdout.take().expect("piped")).lines();
        let port = said
            .find_map(|line| {
                let line = line.expect("it speaks");
                let port = line.strip_prefix("ChromeDriver was started successfully on port ")?;
                port.trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("it says its port");
        // It may speak on; nobody would read it, so nobody shall wait for it to be read.
        std::thread::spawn(move || said.for_each(drop));
        let caller = Caller::tcp(([127, 0, 0, 1], port).into());
        let profile = tempfile::tempdir().expect("a folder");
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--hide-scrollbars", "--disable-background-networking",
                format!("--user-data-dir={}", profile.path().display()),
            ] },
        } } });
        let answer = caller.post("/session", &capabilities).await.json();
        let session = answer["value"]["sessionId"].as_str();
        let session = session.unwrap_or_else(|| panic!("no session: {answer}")).to_owned();
        Some(Browser { driver, caller, session, profile })
    }

    async fn tell(&self, method: Method, path: &str, body: Value) -> Value {
        let path = format!("/session/{}{path}", self.session);
        let answer = match method {
            Method::GET => self.caller.get(&path).await,
            method => self.caller.send(method, &path, &body).await,
        };
        let value = answer.json()["value"].clone();
        assert_eq!(answer.status, 200, "{path}: {}", value["message"]);
        value
    }

    /// Opens a page and waits until it is loaded.
    pub async fn open(&self, url: &str) {
        self.tell(Method::POST, "/url", json!({ "url": url })).await;
    }

    /// What a function's body returns in the page.
    pub async fn run(&self, script: &str) -> Value {
        self.run_with(script, json!([])).await
    }

    /// The same with `arguments`.
    pub async fn run_with(&self, script: &str, arguments: Value) -> Value {
        let body = json!({ "script": script, "args": arguments });
        self.tell(Method::POST, "/execute/sync", body).await
    }

    /// What a promise of the page resolves to.
    pub async fn wait_for(&self, promise: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1]; \
             (async () => {{ {promise} }})().then(done, (error) => done(String(error)));"
        );
        let body = json!({ "script": script, "args": [] });
        self.tell(Method::POST, "/execute/async", body).await
    }

    /// Waits until an expression of the page is true.
    pub async fn until(&self, what: &str, expression: &str) {
        let script = format!("return Boolean({expression});");
        eventually(what, async || (self.run(&script).await == true).then_some(())).await;
    }

    /// The text that an element shows.
    pub async fn text(&self, css: &str) -> String {
        let text = self.with(css, Method::GET, "text", Value::Null).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks as a person does: what is not to be seen cannot be clicked.
    pub async fn click(&self, css: &str) {
        // To the middle: at an edge something that stays in place may lie above it.
        let script = "document.querySelector(arguments[0])\
                      .scrollIntoView({ block: 'center', behavior: 'instant' });";
        self.until(css, &format!("document.querySelector(`{css}`)")).await;
        self.run_with(script, json!([css])).await;
        self.with(css, Method::POST, "click", json!({})).await;
    }

    /// Types into an element, in the place of what is in it.
    pub async fn fill(&self, css: &str, text: &str) {
        self.with(css, Method::POST, "clear", json!({})).await;
        self.with(css, Method::POST, "value", json!({ "text": text })).await;
    }

    /// Presses a key in whatever has the focus, by its code in WebDriver.
    pub async fn press(&self, key: &str) {
        let actions = json!([{ "type": "key", "id": "keyboard", "actions": [
            { "type": "keyDown", "value": key }, { "type": "keyUp", "value": key },
        ] }]);
        self.tell(Method::POST, "/actions", json!({ "actions": actions })).await;
    }

    /// Does something with an element. One that the page is making anew is looked for again.
    async fn with(&self, css: &str, method: Method, what: &str, body: Value) -> Value {
        let find = json!({ "using": "css selector", "value": css });
        eventually(&format!("{what} {css}"), async || {
            let path = format!("/session/{}/element", self.session);
            let found = self.caller.post(&path, &find).await;
            let element = found.json()["value"][ELEMENT].as_str()?.to_owned();
            let path = format!("{path}/{element}/{what}");
            let answer = match method {
                Method::GET => self.caller.get(&path).await,
                _ => self.caller.send(method.clone(), &path, &body).await,
            };
            let value = answer.json()["value"].clone();
            let stale = answer.status == 404;
            assert!(stale || answer.status == 200, "{what} {css}: {}", value["message"]);
            (!stale).then_some(value)
        })
        .await
    }

    /// Makes the page so wide and high, in CSS pixels.
    pub async fn resize(&self, width: u32, height: u32) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.command("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Has the page believe that the person wants it `dark` or `light`.
    pub async fn scheme(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    async fn command(&self, name: &str, parameters: Value) {
        let body = json!({ "cmd": name, "params": parameters });
        self.tell(Method::POST, "/goog/cdp/execute", body).await;
    }

    /// Errors and warnings that the page has put on the browser's console since the last look.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.tell(Method::POST, "/se/log", json!({ "type": "browser" })).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let bad = |entry: &&Value| entry["level"] == "SEVERE" || entry["level"] == "WARNING";
        entries.iter().filter(bad).map(|entry| entry["message"].to_string()).collect()
    }

    /// The page as a PNG.
    pub async fn picture(&self) -> Vec<u8> {
        let value = self.tell(Method::GET, "/screenshot", Value::Null).await;
        let text = value.as_str().expect("base64");
        base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.driver);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.driver.wait();
        // The driver does not always take the browser with it, and a page that lives on asks
        // again and again for what was there. It is known by the folder that it alone has.
        let profile = self.profile.path().to_str().expect("text").to_owned();
        while kill_all(&profile) > 0 {
            std::thread::yield_now();
        }
    }
}

/// Ends the processes that were started with this text among their arguments; how many there were.
fn kill_all(argument: &str) -> usize {
    let processes = std::fs::read_dir("/proc").expect("a /proc").flatten();
    let pids = processes.filter_map(|p| p.file_name().to_str()?.parse::<i32>().ok());
    let theirs = pids.filter(|pid| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(argument)
    });
    let theirs: Vec<i32> = theirs.collect();
    for pid in &theirs {
        let pid = rustix::process::Pid::from_raw(*pid).expect("a process");
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    theirs.len()
}
