//! What the doors ask of the session: a turn, a stop, a message into the running turn, an answer
//! of a person. Each order is answered at once and waits for nothing; what a turn then does is
//! not here, and who may order at all is decided by the socket.

use crate::claude::control;
use crate::limits::{INJECTED_MAX, TURNS_WAITING_MAX};
use crate::session::Session;
use tokio::sync::oneshot;
use tokio::time::Instant;
use wire::ChatEvent;
use wire::agent::{PermissionAnswer, QuestionAnswer, TurnAccepted, TurnRequest};
use wire::chat::Pending;

/// What the doors ask of the session; each answers through its channel.
pub(crate) enum Order {
    Turn(Box<TurnRequest>, oneshot::Sender<Result<TurnAccepted, Refused>>),
    Abort(oneshot::Sender<bool>),
    Inject(String, oneshot::Sender<Result<(), Refused>>),
    Permission(PermissionAnswer, oneshot::Sender<bool>),
    Answer(QuestionAnswer, oneshot::Sender<bool>),
    Pending(oneshot::Sender<Vec<Pending>>),
    Leave(oneshot::Sender<bool>),
    /// Stop what runs, drop what waits, and leave.
    End(oneshot::Sender<bool>),
}

/// Why an order was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("too many turns of this session wait already")]
    Full,
    #[error("no turn runs")]
    Idle,
    #[error("the event log cannot be written")]
    Log(#[source] std::io::Error),
}

impl Session {
    /// Carries an order out and answers it.
    pub(crate) fn order(&mut self, order: Order) {
        self.used = Instant::now();
        // Each answer may find nobody waiting for it any more; the order stands all the same.
        match order {
            Order::Turn(request, answer) => drop(answer.send(self.accept(*request))),
            Order::Abort(answer) => drop(answer.send(self.abort())),
            Order::Inject(text, answer) => drop(answer.send(self.inject(text))),
            Order::Permission(given, answer) => drop(answer.send(self.permission(given))),
            Order::Answer(given, answer) => drop(answer.send(self.answer(given))),
            Order::Pending(answer) => drop(answer.send(self.asks.pending())),
            Order::Leave(answer) | Order::End(answer) => drop(answer.send(false)),
        }
    }

    fn accept(&mut self, request: TurnRequest) -> Result<TurnAccepted, Refused> {
        let running = self.turn.as_ref().is_some_and(|t| t.request.turn == request.turn);
        let waits = self.waiting.iter().any(|waiting| waiting.turn == request.turn);
        let begun = self.log.mark(&request.turn).is_some();
        if running || waits || begun {
            // A server that lost our answer, or its own memory, asks again.
            let ended = begun && !running;
            return Ok(TurnAccepted { turn: request.turn, waiting: self.waiting.len(), ended });
        }
        if self.waiting.len() >= TURNS_WAITING_MAX {
            return Err(Refused::Full);
        }
        let before = self.waiting.len() + usize::from(self.turn.is_some());
        let accepted = TurnAccepted { turn: request.turn.clone(), waiting: before, ended: false };
        if before == 0 {
            // Now, so that a disk that is full is told to who asked.
            self.begin(request).map_err(Refused::Log)?;
        } else {
            self.waiting.push_back(request);
            self.log.rest(false);
        }
        Ok(accepted)
    }

    fn abort(&mut self) -> bool {
        let Some(turn) = &mut self.turn else {
            return false;
        };
        turn.aborting = true;
        self.asks.clear();
        self.interrupt();
        true
    }

    fn inject(&mut self, text: String) -> Result<(), Refused> {
        let Some(turn) = self.turn.as_mut().filter(|t| !t.aborting) else {
            return Err(Refused::Idle);
        };
        if turn.owed.len() > INJECTED_MAX {
            return Err(Refused::Full);
        }
        let uuid = uuid::Uuid::new_v4().to_string();
        let told = self
            .claude
            .as_ref()
            .is_some_and(|c| c.tell(control::user(&uuid, &text.as_str().into())));
        if !told {
            return Err(Refused::Full);
        }
        turn.inject(uuid);
        self.say(ChatEvent::UserMessage { content: text, injected: true });
        self.commit();
        Ok(())
    }
}
