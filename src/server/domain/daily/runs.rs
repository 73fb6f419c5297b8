//! Which runs are under way, so that there is one at a time of each agent, and whoever asks for
//! a second one is told of the first. Knows nothing of what a run does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use wire::daily::AgentRun;

/// Runs that are under way, by agent: one at a time of each.
#[derive(Clone, Default)]
pub(crate) struct Runs(Arc<Mutex<HashMap<String, watch::Receiver<AgentRun>>>>);

/// The place of a run among them, for as long as it is under way.
pub(super) struct Place {
    runs: Runs,
    agent: String,
    pub(super) tell: watch::Sender<AgentRun>,
}

impl Runs {
    /// Takes the agent's place; the run that has it, where there is one.
    pub(super) fn take(
        &self,
        agent: &str,
        run: AgentRun,
    ) -> Result<Place, watch::Receiver<AgentRun>> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(under_way) = runs.get(agent) {
            return Err(under_way.clone());
        }
        let (tell, told) = watch::channel(run);
        runs.insert(agent.to_owned(), told);
        Ok(Place { runs: self.clone(), agent: agent.to_owned(), tell })
    }

    /// Whether the agent is at work.
    pub(super) fn is_running(&self, agent: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(agent)
    }
}

impl Place {
    /// Says how it ended, if it did. Those who come from now on begin another.
    pub(super) fn tell(self, run: Option<AgentRun>) {
        if let Some(run) = run {
            self.tell.send_replace(run);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.runs.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.agent);
    }
}
