//! Containers for agents, through the API that Docker and Podman share: an engine is found, an
//! image built from the recipe that ships with us, a container made, run with its streams
//! attached, and taken away. What runs in it, and what it may reach, is the caller's matter.

mod container;
mod find;
mod image;

pub use container::{Container, Ended, Input, Limits, Mount, Network, Output, Saying, Spec};
pub use find::places;
pub use image::{Build, Line, RECIPE, context, recipe_digest};

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{ListContainersOptions, RemoveContainerOptions};
use std::collections::HashMap;
use std::time::Duration;

/// The image that agents run in.
pub const IMAGE: &str = "parachute-sandbox:latest";
/// On each of our containers: whose agent it is.
pub const LABEL: &str = "io.openparachute.session";
/// On the image: of which recipe it is.
pub const RECIPE_LABEL: &str = "io.openparachute.recipe";
/// For an answer of the engine.
const ANSWER_SECONDS: u64 = 60;
/// For its first one.
const PING_TIME: Duration = Duration::from_secs(5);

/// A container engine that answers.
#[derive(Clone)]
pub struct Engine {
    docker: Docker,
    /// Where it was found, for people.
    place: String,
    kind: Kind,
}

/// Which engine it is, as far as they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Docker,
    Podman,
    /// It runs as the user, in whose name space the user is root.
    OwnPodman,
}

/// Why something could not be done with containers.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is none.
    #[error(
        "no container engine answers ({0}): install Docker or Podman and start it, let this user \
         use it (for Docker the group `docker`), or set DOCKER_HOST"
    )]
    Missing(String),
    /// The image was not built, or was removed.
    #[error(
        "there is no image {IMAGE}: build it in the app's settings, or with \
         `parachute sandbox build`"
    )]
    NoImage,
    /// It makes containers, and lets them use what they like.
    #[error(
        "the container engine does not keep a container's limits: one that runs as you needs \
         control groups of version 2, of which memory is left to you; or use one of the machine"
    )]
    Unlimited,
    /// The engine says no.
    #[error("the container engine refuses: {0}")]
    Refused(String),
    /// It does not answer any more.
    #[error("the container engine went away: {0}")]
    Gone(String),
}

impl EngineError {
    fn of(error: Error) -> EngineError {
        match error {
            Error::DockerResponseServerError { message, .. } => EngineError::Refused(message),
            Error::DockerContainerWaitError { error, .. } => EngineError::Refused(error),
            other => EngineError::Gone(other.to_string()),
        }
    }
}

impl Engine {
    /// The engine that `DOCKER_HOST` names, else the first that answers at one of its usual
    /// places; `env` looks up variables.
    pub async fn find(env: impl Fn(&str) -> Option<String>) -> Result<Engine, EngineError> {
        let mut tried = Vec::new();
        for place in places(&env) {
            match Engine::at(&place).await {
                Ok(engine) => return Ok(engine),
                Err(why) => tried.push(format!("{place}: {why}")),
            }
        }
        Err(EngineError::Missing(match tried.is_empty() {
            true => "no socket of one is there".to_owned(),
            false => tried.join("; "),
        }))
    }

    async fn at(place: &str) -> Result<Engine, String> {
        let docker = find::connect(place, ANSWER_SECONDS).map_err(|e| e.to_string())?;
        let asked = tokio::time::timeout(PING_TIME, docker.negotiate_version()).await;
        let docker = asked.map_err(|_| "no answer".to_owned())?.map_err(|e| e.to_string())?;
        let version = docker.version().await.map_err(|e| e.to_string())?;
        let mut components = version.components.into_iter().flatten();
        let podman = components.any(|part| part.name.to_lowercase().contains("podman"));
        let kind = match podman {
            false => Kind::Docker,
            // It does not say by this API as whom it runs.
            true if find::is_roots(place) => Kind::Podman,
            true => Kind::OwnPodman,
        };
        Ok(Engine { docker, place: place.to_owned(), kind })
    }

    /// Where it was found.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The recipe that the image was built of; None: there is no image.
    pub async fn image(&self) -> Result<Option<String>, EngineError> {
        match self.docker.inspect_image(IMAGE).await {
            Ok(found) => {
                let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
                Ok(Some(labels.get(RECIPE_LABEL).cloned().unwrap_or_default()))
            }
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(EngineError::of(error)),
        }
    }

    /// Removes containers of ours whose session `is_left`; how many there were. They are of
    /// agents that did not live to do it.
    pub async fn sweep(&self, is_left: impl Fn(&str) -> bool) -> Result<usize, EngineError> {
        let filters = HashMap::from([("label".to_owned(), vec![LABEL.to_owned()])]);
        let options =
            ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        let listed = self.docker.list_containers(Some(options)).await.map_err(EngineError::of)?;
        let mut removed = 0;
        for container in listed {
            let session = container.labels.as_ref().and_then(|labels| labels.get(LABEL));
            if let (Some(id), true) = (container.id, session.is_some_and(|s| is_left(s))) {
                self.remove(&id).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Removes a container, running or not. One that is gone is no error.
    async fn remove(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        match self.docker.remove_container(id, Some(options)).await {
            // Gone, or somebody is at it.
            Ok(()) | Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
            Err(error) => Err(EngineError::of(error)),
        }
    }
}
