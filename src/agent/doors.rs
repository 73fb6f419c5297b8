//! The agent's own small HTTP API, on its private socket: what the server may ask.

use crate::follow::{Follower, From};
use crate::log::Log;
use crate::orders::{Order, Refused};
use http::StatusCode;
use serve::table::{get, post};
use serve::{Access, App, Caller, Cx, Fault, Json, Live, Origins, Peer, Query, Table, call};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::agent::{
    AgentPending, AgentStatus, EventsQuery, PermissionAnswer, QuestionAnswer, TurnAccepted,
    TurnRequest,
};
use wire::chat::{InjectBody, Success};

/// What the doors reach.
pub(crate) struct Agent {
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) log: Arc<Log>,
    pub(crate) status: Arc<Mutex<AgentStatus>>,
    pub(crate) followers: TaskTracker,
    pub(crate) leaving: CancellationToken,
    pub(crate) origins: Origins,
    pub(crate) uid: u32,
}

impl App for Agent {
    fn admit(&self, peer: &Peer, _: &http::HeaderMap, _: Access) -> Result<Caller, Fault> {
        match peer {
            Peer::Unix(uid) if *uid == self.uid => Ok(Caller::Owner),
            _ => Err(Fault::forbidden("an agent answers its owner only")),
        }
    }
    fn origins(&self) -> &Origins {
        &self.origins
    }
}

pub(crate) fn table() -> Table<Agent> {
    use Access::Key;
    let rows = vec![
        get("/status", Key, "How it goes", call!(status)),
        post("/turns", Key, "Take a turn", call!(take_turn)),
        get("/events", Key, "Replay and follow events", call!(events)),
        post("/abort", Key, "Stop the running turn", call!(abort)),
        post("/inject", Key, "Say something into the running turn", call!(inject)),
        get("/permissions", Key, "Requests that wait", call!(pending)),
        post("/permissions", Key, "Grant or deny one", call!(permission)),
        post("/answers", Key, "Answer a question", call!(answer)),
        post("/leave", Key, "End, if nothing is under way", call!(leave)),
        post("/end", Key, "End, whatever is under way", call!(end)),
    ];
    Table::new("Parachute agent", env!("CARGO_PKG_VERSION"), rows)
}

impl Agent {
    async fn order<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Fault> {
        let leaving = || Fault::unready("this agent is leaving");
        let (answer, answered) = oneshot::channel();
        self.orders.send(order(answer)).await.map_err(|_| leaving())?;
        answered.await.map_err(|_| leaving())
    }
}

impl std::convert::From<Refused> for Fault {
    fn from(refused: Refused) -> Fault {
        let status = match refused {
            Refused::Full => StatusCode::TOO_MANY_REQUESTS,
            Refused::Idle => StatusCode::NOT_FOUND,
            Refused::Log(_) => StatusCode::INSUFFICIENT_STORAGE,
        };
        Fault::new(status, refused.to_string()).because(refused)
    }
}

async fn status(cx: Cx<Agent>, (): ()) -> Result<Json<AgentStatus>, Fault> {
    let mut status = cx.app.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
    status.last_id = cx.app.log.tail().borrow().last_id;
    Ok(Json(status))
}

async fn take_turn(
    cx: Cx<Agent>,
    Json(request): Json<TurnRequest>,
) -> Result<Json<TurnAccepted>, Fault> {
    let request = Box::new(request);
    Ok(Json(cx.app.order(|answer| Order::Turn(request, answer)).await??))
}

async fn events(cx: Cx<Agent>, Query(asked): Query<EventsQuery>) -> Result<Live, Fault> {
    let log = cx.app.log.clone();
    let leaving = cx.app.leaving.clone();
    let (feed, live) = serve::live::open(&cx.limits, &cx.stop);
    let follow = async move {
        let mut reset = None;
        let from = match &asked.turn {
            Some(turn) => match begun(&log, turn, &feed).await {
                Some(mark) => From::Turn(mark),
                None => return,
            },
            None => {
                let after = asked.after.unwrap_or(0);
                let last = log.tail().borrow().last_id;
                // Older than what is kept, or from a log that is no more.
                let lost = after.saturating_add(1) < log.first_id() || after > last;
                reset = lost.then_some(log.first_id());
                let id = if lost { log.first_id() - 1 } else { after };
                From::After { id, stay: asked.stay }
            }
        };
        let follower = Follower::new(log, feed, asked.text, from, leaving);
        if let Some(oldest) = reset {
            follower.tell_reset(oldest).await;
        }
        if let Err(error) = follower.run().await {
            tracing::error!(%error, "the event log cannot be read");
        }
    };
    cx.app.followers.spawn(follow);
    Ok(live)
}

/// Waits until a turn that waits has begun.
async fn begun(log: &Log, turn: &str, feed: &serve::Feed) -> Option<crate::log::Mark> {
    let mut tail = log.tail();
    loop {
        let now = *tail.borrow_and_update();
        if let Some(mark) = log.mark(turn) {
            return Some(mark);
        }
        if now.at_rest {
            return None;
        }
        tokio::select! {
            changed = tail.changed() => changed.ok()?,
            () = feed.gone() => return None,
        }
    }
}

async fn abort(cx: Cx<Agent>, (): ()) -> Result<Json<Success>, Fault> {
    found(cx.app.order(Order::Abort).await?)
}

async fn inject(cx: Cx<Agent>, Json(body): Json<InjectBody>) -> Result<Json<Success>, Fault> {
    cx.app.order(|answer| Order::Inject(body.message, answer)).await??;
    found(true)
}

async fn pending(cx: Cx<Agent>, (): ()) -> Result<Json<AgentPending>, Fault> {
    Ok(Json(AgentPending { pending: cx.app.order(Order::Pending).await? }))
}

async fn permission(
    cx: Cx<Agent>,
    Json(given): Json<PermissionAnswer>,
) -> Result<Json<Success>, Fault> {
    found(cx.app.order(|answer| Order::Permission(given, answer)).await?)
}

async fn answer(cx: Cx<Agent>, Json(given): Json<QuestionAnswer>) -> Result<Json<Success>, Fault> {
    found(cx.app.order(|answer| Order::Answer(given, answer)).await?)
}

async fn leave(cx: Cx<Agent>, (): ()) -> Result<Json<Success>, Fault> {
    match cx.app.order(Order::Leave).await? {
        true => found(true),
        false => Err(Fault::new(StatusCode::CONFLICT, "a turn is under way")),
    }
}

async fn end(cx: Cx<Agent>, (): ()) -> Result<Json<Success>, Fault> {
    found(cx.app.order(Order::End).await?)
}

fn found(found: bool) -> Result<Json<Success>, Fault> {
    if found { Ok(Json(Success { success: true })) } else { Err(Fault::missing("nothing waits")) }
}
