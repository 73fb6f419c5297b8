//! `parachute chat`: one turn, from the message to its last event, with a person beside it who
//! may answer what the agent asks, and stop it. The turn itself runs elsewhere: leaving early,
//! or a broken connection, does not end it.

mod ask;
mod phrase;
mod show;
mod typed;

use crate::args::ChatArgs;
use crate::client::{Ask as Request, Client};
use crate::fail::{Fail, exit};
use crate::feed::{self, Feed, News};
use crate::{given, reach, term};
use ask::{Ask, Step};
use serde::Deserialize;
use serde_json::Value;
use show::{Look, Screen};
use std::collections::VecDeque;
use std::io::{IsTerminal, Stderr, Stdout, stderr, stdin, stdout};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::sleep;
use typed::Typed;
use wire::chat::ChatBody;
use wire::{ChatEvent, SessionId};

/// Most requests of the agent kept for a person; the server keeps 100.
const ASKS_MAX: usize = 100;
/// How often an answer or an abort is sent where no server takes it.
const POSTS_MAX: u32 = 8;

/// Runs one turn; answers with the exit status.
pub(crate) async fn run(client: Client, args: &ChatArgs, verbose: bool) -> Result<u8, Fail> {
    let body = body(args)?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let post = Request::post("/api/chat?text=delta").json(&body);
    let opened = tokio::select! {
        opened = client.stream(post) => opened?,
        _ = interrupt.recv() => return leave_early(&client, args.session.as_ref()).await,
    };
    let look = Look {
        json: args.json,
        thinking: args.thinking,
        terminal: stdout().is_terminal(),
        columns: term::err_width(),
        ink: term::Ink::err(),
    };
    let mut turn = Turn {
        session: None,
        turn_id: None,
        screen: Screen::new(stdout(), stderr(), look),
        asks: VecDeque::new(),
        typed: term::can_ask().then(Typed::start),
        posts: JoinSet::new(),
        stopping: false,
        verbose,
        look,
        client,
    };
    let feed = Feed::new(turn.client.clone(), opened, Fail::Unheard);
    let ended = turn.follow(feed, &mut interrupt).await;
    // Told also where the answer could not be written to its end.
    let closed = turn.screen.end_line();
    let named = match &turn.session {
        Some(session) => turn.screen.aside(&format!("session {session}")),
        None => Ok(()),
    };
    let status = ended?;
    closed.and(named)?;
    Ok(status)
}

fn body(args: &ChatArgs) -> Result<ChatBody, Fail> {
    let directory = match &args.dir {
        Some(dir) => Some(reach::absolute("--dir", dir)?),
        None => None,
    };
    Ok(ChatBody {
        message: message(args)?,
        session_id: args.session.as_ref().map(ToString::to_string),
        model: args.model.clone(),
        model_is_chosen: args.model.is_some(),
        permission_mode: args.mode.map(Into::into),
        working_directory: directory,
        ..ChatBody::default()
    })
}

fn message(args: &ChatArgs) -> Result<String, Fail> {
    let hint = "as in parachute chat \"What is new?\", or pipe the text into it";
    let text = match args.message.as_deref() {
        Some("-") => given::piped("the message")?,
        Some(text) => text.to_owned(),
        None if stdin().is_terminal() => return Err(Fail::usage("there is no message", hint)),
        None => given::piped("the message")?,
    };
    if text.trim().is_empty() {
        return Err(Fail::usage("the message is empty", hint));
    }
    Ok(text)
}

/// Ctrl-C before the server answered: a turn that it took up nevertheless is stopped where its
/// session is known.
async fn leave_early(client: &Client, session: Option<&SessionId>) -> Result<u8, Fail> {
    if let Some(session) = session {
        client.ask::<Value>(Request::post(format!("/api/chat/{session}/abort"))).await?;
    }
    Ok(exit::ABORTED)
}

/// All that every event has.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    name: String,
}

/// A turn that is under way.
struct Turn {
    client: Client,
    session: Option<SessionId>,
    turn_id: Option<String>,
    screen: Screen<Stdout, Stderr>,
    /// What waits for the person; the first is being asked.
    asks: VecDeque<Ask>,
    /// None where nobody can be asked.
    typed: Option<Typed>,
    /// Answers and aborts on their way.
    posts: JoinSet<Result<(), Fail>>,
    stopping: bool,
    verbose: bool,
    look: Look,
}

impl Turn {
    /// Takes events, lines and signals until the turn ends or the person leaves.
    async fn follow(&mut self, mut feed: Feed, interrupt: &mut Signal) -> Result<u8, Fail> {
        loop {
            tokio::select! {
                news = feed.next() => match news? {
                    News::Event(event) => {
                        let named = self.session.is_some();
                        if let Some(status) = self.take(&event.data)? {
                            return Ok(status);
                        }
                        if let (false, Some(session)) = (named, &self.session) {
                            let path = format!("/api/chat/{session}/stream?text=delta");
                            feed.goes_on_by(Request::get(path));
                        }
                    }
                    News::Broken(cause) => self.broken(&cause)?,
                    News::Ended => self.broken("the server ended the stream")?,
                },
                _ = interrupt.recv() => {
                    if self.stopping || self.session.is_none() {
                        return Ok(exit::ABORTED);
                    }
                    self.stop()?;
                }
                line = line(&mut self.typed) => self.answer(line)?,
                Some(posted) = self.posts.join_next() => self.posted(posted)?,
            }
        }
    }

    fn broken(&mut self, cause: &str) -> Result<(), Fail> {
        if self.verbose {
            self.screen.aside(&format!("{cause}; connecting again"))?;
        }
        Ok(())
    }

    /// Takes an event; answers with the exit status if it was the last. That is told by its type
    /// alone: an event of a later server, with fields unknown here, still ends the turn.
    fn take(&mut self, data: &str) -> Result<Option<u8>, Fail> {
        match serde_json::from_str::<ChatEvent>(data) {
            Ok(event) => {
                self.begin(&event)?;
                self.screen.event(&event, data)?;
                self.asked(&event)?;
            }
            Err(_) => self.screen.unknown(data)?,
        }
        let kind = serde_json::from_str::<Kind>(data);
        Ok(kind.ok().and_then(|kind| show::exit_of(&kind.name)))
    }

    /// Learns the session and the turn.
    fn begin(&mut self, event: &ChatEvent) -> Result<(), Fail> {
        let ChatEvent::Session { session_id, turn_id, .. } = event else {
            return Ok(());
        };
        if self.turn_id.as_ref().is_some_and(|own| own != turn_id) {
            let said = "the session is at a later turn already, and its log begins after ours";
            return Err(Fail::Unheard(said.into()));
        }
        self.turn_id = Some(turn_id.clone());
        if let Some(Ok(id)) = session_id.as_deref().map(SessionId::parse) {
            self.session = Some(id);
        }
        Ok(())
    }

    /// Keeps what the agent asks, and drops what has been settled.
    fn asked(&mut self, event: &ChatEvent) -> Result<(), Fail> {
        match event {
            ChatEvent::PermissionRequest(request) => {
                self.keep(Some(Ask::Permission(request.clone())))
            }
            ChatEvent::UserQuestion { request_id, questions, .. } => {
                self.keep(Ask::questions(request_id, questions))
            }
            ChatEvent::PermissionDenied { request_id: Some(id), .. } => self.settled(id),
            ChatEvent::ToolResult { tool_use_id, .. } => self.settled(tool_use_id),
            _ => Ok(()),
        }
    }

    fn keep(&mut self, ask: Option<Ask>) -> Result<(), Fail> {
        let Some(ask) = ask else { return Ok(()) };
        if self.typed.is_none() || self.asks.len() >= ASKS_MAX {
            return Ok(self.screen.aside(&format!("  ? {}", ask.line()))?);
        }
        self.asks.push_back(ask);
        if self.asks.len() == 1 { self.prompt() } else { Ok(()) }
    }

    fn settled(&mut self, id: &str) -> Result<(), Fail> {
        let Some(at) = self.asks.iter().position(|ask| ask.is(id)) else {
            return Ok(());
        };
        self.asks.remove(at);
        if at > 0 {
            return Ok(());
        }
        self.screen.ask("\n")?;
        self.screen.aside("  that is settled already")?;
        self.prompt()
    }

    /// Shows the first of what waits and has a line read for it. What was typed before it was
    /// shown is forgotten: it was no answer to this.
    fn prompt(&mut self) -> Result<(), Fail> {
        if let (Some(ask), Some(typed)) = (self.asks.front(), &mut self.typed) {
            term::forget_typed();
            self.screen.ask(&ask.prompt(self.look.ink))?;
            typed.want();
        }
        Ok(())
    }

    /// Takes what the person typed.
    fn answer(&mut self, line: Option<String>) -> Result<(), Fail> {
        let Some(line) = line else {
            // The end of input: nobody is there to be asked any more.
            self.typed = None;
            let said: Vec<String> = self.asks.drain(..).map(|ask| ask.line()).collect();
            return Ok(said.iter().try_for_each(|l| self.screen.aside(&format!("  ? {l}")))?);
        };
        let Some(ask) = self.asks.front_mut() else {
            return Ok(());
        };
        match ask.take(&line) {
            Step::Again(hint) => {
                self.screen.ask(&format!("  {hint}: "))?;
                if let Some(typed) = &mut self.typed {
                    typed.want();
                }
                return Ok(());
            }
            Step::Next => {}
            Step::Tell { path, body } => {
                self.asks.pop_front();
                self.post(path, &body);
            }
        }
        self.prompt()
    }

    fn stop(&mut self) -> Result<(), Fail> {
        self.stopping = true;
        self.asks.clear();
        self.post("abort", &Value::Null);
        self.screen.ask("\n")?;
        Ok(self.screen.aside("stopping the turn; Ctrl-C again leaves it to itself")?)
    }

    fn post(&mut self, path: &str, body: &Value) {
        let Some(session) = &self.session else { return };
        let request = Request::post(format!("/api/chat/{session}/{path}"));
        let request = if body.is_null() { request } else { request.json(body) };
        self.posts.spawn(deliver(self.client.clone(), request));
    }

    fn posted(
        &mut self,
        ended: Result<Result<(), Fail>, tokio::task::JoinError>,
    ) -> Result<(), Fail> {
        match ended {
            Ok(Err(fail)) => Ok(self.screen.aside(&format!("  ! {fail}"))?),
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }
}

/// The next typed line; never, where nobody types.
async fn line(typed: &mut Option<Typed>) -> Option<String> {
    match typed {
        Some(typed) => typed.line().await,
        None => std::future::pending().await,
    }
}

/// Sends what is safe to send twice, over a restart of the server.
async fn deliver(client: Client, request: Request) -> Result<(), Fail> {
    let mut tries = 0;
    loop {
        match client.ask::<Value>(request.clone()).await {
            Ok(_) => return Ok(()),
            Err(Fail::NoServer { .. } | Fail::Lost { .. }) if tries < POSTS_MAX => {
                sleep(feed::wait(tries)).await;
                tries += 1;
            }
            // Settled in another way meanwhile; the events say how.
            Err(Fail::Refused { status: 404, .. }) => return Ok(()),
            Err(fail) => return Err(fail),
        }
    }
}
