//! HTTP in the way of revision 2024-11-05: a stream of events that stays open, and a URL, named
//! in its first event, that messages are posted to. The SDK no longer has it; servers still do.

use crate::error::AskError;
use crate::http::{Events, Link};
use futures_util::stream::{StreamExt, empty};
use http::HeaderMap;
use reqwest::Url;
use rmcp::RoleClient;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::Transport;

/// A connection of that kind.
pub(crate) struct Older {
    link: Link,
    events: Events,
    /// Where messages go.
    endpoint: Url,
}

impl Older {
    /// Opens the stream and waits to be told where messages go.
    pub(crate) async fn open(link: Link) -> Result<Older, AskError> {
        let mut events = link.listen(HeaderMap::new()).await?;
        while let Some(Ok(event)) = events.next().await {
            if event.event.as_deref() != Some("endpoint") {
                continue;
            }
            let named = event.data.unwrap_or_default();
            let endpoint = link.url.join(named.trim()).ok();
            // Elsewhere it would be shown a credential that is not meant for it.
            let same = endpoint.filter(|endpoint| endpoint.origin() == link.url.origin());
            let strange = || AskError::Garbage("it wants messages at another address".into());
            let endpoint = same.ok_or_else(strange)?;
            return Ok(Older { link, events, endpoint });
        }
        let said = "its stream does not say where messages go".to_owned();
        Err(link.notes.why().unwrap_or(AskError::Garbage(said)))
    }
}

impl Transport<RoleClient> for Older {
    type Error = AskError;

    fn send(
        &mut self,
        message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<(), AskError>> + Send + 'static {
        let (link, endpoint) = (self.link.clone(), self.endpoint.clone());
        async move {
            let answer = link.post(endpoint, &message, HeaderMap::new()).await?;
            let status = answer.status();
            if status.is_success() {
                return Ok(());
            }
            Err(link.notes.fault(AskError::Status(status.as_u16())))
        }
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        while let Some(Ok(event)) = self.events.next().await {
            let is_message = event.event.as_deref().is_none_or(|kind| kind == "message");
            let data = event.data.unwrap_or_default();
            match serde_json::from_str(&data) {
                Ok(message) if is_message => return Some(message),
                _ => {}
            }
        }
        None
    }

    async fn close(&mut self) -> Result<(), AskError> {
        self.events = empty().boxed();
        Ok(())
    }
}
