//! A session's history as a person reads it: from our own event log where it goes back to the
//! begin, else from the CLI's transcript.

use super::keys::blocking;
use super::{Domain, DomainError};
use crate::agents::{last_id, messages};
use crate::domain::transcript;
use crate::limits::PRIOR_CHARS_MAX;
use wire::session::Message;

impl Domain {
    /// Messages of a session, first to last.
    pub(crate) async fn messages(&self, id: &str) -> Result<Vec<Message>, DomainError> {
        let dir = self.agents.run_dir(id);
        let places = self.transcript_places(id);
        blocking(move || {
            let logged = messages(&dir).map_err(DomainError::History)?;
            if let Some(logged) = logged.as_ref().filter(|l| l.complete) {
                return Ok(logged.messages.clone());
            }
            match transcript::messages(&places).map_err(DomainError::History)? {
                Some(told) => Ok(told),
                None => Ok(logged.map(|l| l.messages).unwrap_or_default()),
            }
        })
        .await?
    }

    /// Newest event of a session's log; 0 without one.
    pub(crate) async fn last_event(&self, id: &str) -> Result<u64, DomainError> {
        let dir = self.agents.run_dir(id);
        blocking(move || last_id(&dir)).await?.map_err(DomainError::History)
    }

    /// The end of a session's conversation in words, for a model that has no memory of it.
    pub(crate) async fn prior_words(&self, id: &str) -> Result<(String, i64), DomainError> {
        let mut left = PRIOR_CHARS_MAX;
        let mut told = Vec::new();
        for message in self.messages(id).await?.into_iter().rev() {
            let words = format!("[{}]: {}", message.role.to_uppercase(), message.content);
            let length = words.chars().count();
            if length > left {
                break;
            }
            left -= length;
            told.push(words);
        }
        told.reverse();
        let count = i64::try_from(told.len()).unwrap_or(i64::MAX);
        Ok((told.join("\n\n---\n\n"), count))
    }
}
