//! The conversation itself, over whatever transport: begin, list the tools, take leave; each
//! step within its time. The SDK's errors are put into words here.

use crate::error::AskError;
use crate::limits::{FAREWELL, Limits, PAGES_MAX, SENTENCE_CHARS_MAX, TOOLS_MAX};
use crate::notes::Notes;
use crate::words::line;
use crate::{Told, Tool};
use rmcp::model::{
    ClientCapabilities, ClientConfig, ErrorData, Implementation, PaginatedRequestParams,
    ProtocolVersion,
};
use rmcp::service::{ClientInitializeError, RunningService};
use rmcp::transport::IntoTransport;
use rmcp::{ClientLifecycleMode, ClientServiceExt, RoleClient, ServiceError};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How a conversation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// With `initialize`, up to revision 2025-11-25.
    Handshake,
    /// With none, from 2026-07-28 on.
    Modern,
}

/// Where a conversation ended.
pub(crate) struct Stopped {
    pub(crate) error: AskError,
    /// Both sides had agreed on a revision.
    pub(crate) had_begun: bool,
}

impl Stopped {
    /// Whether the server would not begin in this way, and might in another.
    pub(crate) fn is_refusal(&self) -> bool {
        let refused = matches!(self.error, AskError::Refused { .. } | AskError::Status(400));
        refused && !self.had_begun
    }
}

/// How much time there is.
pub(crate) struct Clock {
    step: Duration,
    until: Instant,
    whole: Duration,
}

impl Clock {
    pub(crate) fn new(limits: &Limits) -> Clock {
        let until = Instant::now() + limits.whole;
        Clock { step: limits.step, until, whole: limits.whole }
    }

    /// Does one thing, if there is time.
    pub(crate) async fn within<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = T>,
    ) -> Result<T, AskError> {
        let step = Instant::now() + self.step;
        let limit = if step < self.until { self.step } else { self.whole };
        let done = timeout_at(step.min(self.until), work).await;
        done.map_err(|_| AskError::Silent { what, seconds: limit.as_secs() })
    }
}

/// Speaks with whoever is at the other end.
pub(crate) async fn talk<T, E, A>(
    transport: T,
    era: Era,
    clock: &Clock,
    notes: &Notes,
) -> Result<Told, Stopped>
where
    T: IntoTransport<RoleClient, E, A>,
    E: std::error::Error + Send + Sync + 'static,
{
    let stopped =
        |had_begun| move |error| Stopped { error: notes.why().unwrap_or(error), had_begun };
    let beginning = us().serve_with_lifecycle(transport, lifecycle(era));
    let begun =
        clock.within("begin to speak", Box::pin(beginning)).await.map_err(stopped(false))?;
    let mut server = begun.map_err(|error| stopped(false)(not_begun(error, notes)))?;
    let told = clock.within("list its tools", tools(&server, notes)).await.and_then(|told| told);
    // What it has to say to this is of no consequence.
    let _ = timeout(FAREWELL, server.close()).await;
    told.map_err(stopped(true))
}

fn us() -> ClientConfig {
    let name = Implementation::new("parachute", env!("CARGO_PKG_VERSION"));
    ClientConfig::new(ClientCapabilities::default(), name)
        .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
}

fn lifecycle(era: Era) -> ClientLifecycleMode {
    match era {
        Era::Handshake => ClientLifecycleMode::Initialize,
        Era::Modern => {
            ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::LATEST] }
        }
    }
}

async fn tools(
    server: &RunningService<RoleClient, ClientConfig>,
    notes: &Notes,
) -> Result<Told, AskError> {
    let about = server.peer_info();
    let about = about.ok_or_else(|| AskError::Garbage("it says nothing of itself".into()))?;
    let revision = &about.protocol_version;
    if !ProtocolVersion::KNOWN_VERSIONS.contains(revision) {
        return Err(AskError::Revision(line(revision.as_str(), 40)));
    }
    let name = about.server_info.as_ref().map(|info| format!("{} {}", info.name, info.version));
    let mut told = Told {
        server: name.map(|name| line(&name, SENTENCE_CHARS_MAX)),
        revision: revision.to_string(),
        tools: Vec::new(),
    };
    if about.capabilities.tools.is_none() {
        return Ok(told);
    }
    let mut cursor = None;
    for _ in 0..PAGES_MAX {
        let params = PaginatedRequestParams::default().with_cursor(cursor);
        let listed = server.list_tools(Some(params)).await;
        let page = listed.map_err(|error| not_listed(error, notes))?;
        told.tools.extend(page.tools.into_iter().map(|tool| Tool {
            name: tool.name.into_owned(),
            description: tool.description.map(|text| text.into_owned()),
        }));
        if told.tools.len() > TOOLS_MAX {
            break;
        }
        match page.next_cursor {
            None => return Ok(told),
            next => cursor = next,
        }
    }
    Err(AskError::Endless)
}

fn not_begun(error: ClientInitializeError, notes: &Notes) -> AskError {
    match error {
        ClientInitializeError::JsonRpcError(error) => refused(&error),
        ClientInitializeError::NoCompatibleProtocolVersion { server_supported, .. } => {
            let all: Vec<&str> = server_supported.iter().map(ProtocolVersion::as_str).collect();
            AskError::Revision(line(&all.join(", "), SENTENCE_CHARS_MAX))
        }
        ClientInitializeError::ConnectionClosed(_)
        | ClientInitializeError::TransportError { .. } => broken(notes),
        _ => AskError::Garbage("it does not answer what it is asked".into()),
    }
}

fn not_listed(error: ServiceError, notes: &Notes) -> AskError {
    match error {
        ServiceError::McpError(error) => refused(&error),
        ServiceError::TransportSend(_) | ServiceError::TransportClosed => broken(notes),
        _ => AskError::Garbage("its list of tools is none".into()),
    }
}

fn refused(error: &ErrorData) -> AskError {
    AskError::Refused { code: error.code.0, said: line(&error.message, SENTENCE_CHARS_MAX) }
}

fn broken(notes: &Notes) -> AskError {
    notes.why().unwrap_or_else(|| AskError::Ended("before it had answered".into()))
}
