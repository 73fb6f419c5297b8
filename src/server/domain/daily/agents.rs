//! Daily agents as the app shows them (contract-core §1.15): what their definitions say, what
//! became of their runs, and that one forgets its conversation.

use super::{day, today, tools};
use crate::domain::{Domain, DomainError};
use crate::vault::daily::agents::{self, Definition};
use crate::vault::daily::output::DAILY;
use crate::vault::daily::state::State;
use crate::vault::{Folder, Name};
use wire::daily::{
    AgentDay, AgentDays, AgentReset, AgentRuns, AgentSchedule, DailyAgent, DailyAgentList,
};

impl Domain {
    pub(crate) async fn daily_agents(&self) -> Result<DailyAgentList, DomainError> {
        let runs = self.daily_runs.clone();
        self.in_vault(move |vault| {
            let (found, problems) = agents::all(vault)?;
            let told = |definition| {
                let told = told(vault, definition);
                DailyAgent { running: runs.is_running(&told.name), ..told }
            };
            Ok(DailyAgentList { agents: found.into_iter().map(told).collect(), problems })
        })
        .await
    }

    pub(crate) async fn daily_agent(&self, name: &str) -> Result<DailyAgent, DomainError> {
        let definition = self.daily_definition(name).await?;
        let running = self.daily_runs.is_running(name);
        let told = move |vault: &Folder| Ok::<_, DomainError>(told(vault, definition));
        Ok(DailyAgent { running, ..self.in_vault(told).await? })
    }

    /// What each wrote for a day; today's where none is named.
    pub(crate) async fn daily_days(&self, date: Option<&str>) -> Result<AgentDays, DomainError> {
        let date = date.map(day).transpose()?.unwrap_or_else(today).to_string();
        self.in_vault(move |vault| {
            let of_day = |definition: Definition| {
                let output = definition.output.as_ref().ok();
                let output = output.filter(|output| output.is_there(vault, &date));
                let path = output.map(|output| output.of(&date));
                let path = path.and_then(|path| Some(path.strip_prefix(DAILY).ok()?.to_owned()));
                let told = told(vault, definition);
                AgentDay {
                    name: told.name,
                    display_name: told.display_name,
                    has_output: path.is_some(),
                    output_path: path.map(|path| path.display().to_string()),
                    last_run_at: told.state.last_run_at,
                    last_processed_date: told.state.last_processed_date,
                }
            };
            let agents = agents::all(vault)?.0.into_iter().map(of_day).collect();
            Ok(AgentDays { agents, date: date.clone() })
        })
        .await
    }

    /// Has an agent forget its conversation: its next run begins a new one.
    pub(crate) async fn reset_daily_agent(&self, name: &str) -> Result<AgentReset, DomainError> {
        let definition = self.daily_definition(name).await?;
        if self.daily_runs.is_running(name) {
            return Err(DomainError::Taken(format!("{name} is at work")));
        }
        self.in_vault(move |vault| {
            let mut state = State::read(vault, &definition.name)?;
            state.forget();
            Ok::<_, DomainError>(state.write(vault, &definition.name)?)
        })
        .await?;
        let message = "Its next run begins a new conversation.".into();
        Ok(AgentReset { success: true, name: name.to_owned(), message })
    }

    pub(super) async fn daily_definition(&self, name: &str) -> Result<Definition, DomainError> {
        let wanted = name.to_owned();
        let named = move |vault: &Folder| Ok::<_, DomainError>(agents::named(vault, &wanted)?);
        let missing = || DomainError::Missing(format!("Agent not found: {name}"));
        self.in_vault(named).await?.ok_or_else(missing)
    }

    pub(super) async fn daily_state(&self, agent: &Name) -> Result<State, DomainError> {
        let agent = agent.clone();
        self.in_vault(move |vault| Ok::<_, DomainError>(State::read(vault, &agent)?)).await
    }
}

fn told(vault: &Folder, definition: Definition) -> DailyAgent {
    let mut problems = definition.problems;
    let state = State::read(vault, &definition.name).map(|state| state.runs());
    let state = state.unwrap_or_else(|error| {
        problems.push(error.to_string());
        AgentRuns::default()
    });
    let (given, refused) = tools::given(&definition.tools);
    problems.extend(refused);
    let output = definition.output.map(|output| output.template().to_owned());
    let output_path = output.unwrap_or_else(|said| {
        problems.push(said);
        String::new()
    });
    let (hour, minute) = definition.time;
    DailyAgent {
        name: definition.name.to_string(),
        display_name: definition.display_name,
        description: definition.description,
        schedule: AgentSchedule {
            enabled: definition.enabled,
            time: format!("{hour:02}:{minute:02}"),
        },
        output_path,
        state,
        tools: given,
        running: false,
        problems,
    }
}
