//! One container: what it is made of, its streams, its end.

use crate::{Engine, EngineError, IMAGE, Kind, LABEL};
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error;
use bollard::models::{self, ContainerCreateBody, HostConfig, HostConfigLogConfig, MountType};
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, KillContainerOptions, StartContainerOptions,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use tokio::io::AsyncWrite;

/// What stands at a place in the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mount {
    /// What is at this place outside.
    Bind {
        /// Outside.
        from: PathBuf,
        /// Inside.
        to: PathBuf,
        /// Not only to be read.
        writable: bool,
    },
    /// An empty folder that nothing can be put into.
    Nothing(PathBuf),
}

/// How much a container may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory, without any swap.
    pub memory_bytes: u64,
    /// Processors, in thousandths of one.
    pub cpu_millis: u64,
    /// Processes and threads.
    pub tasks: u32,
}

/// What a container is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Nothing.
    Nothing,
    /// The engine's own network, and what can be reached from there.
    Bridge,
}

/// A container to be made.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Whose agent it is.
    pub session: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Variables.
    pub env: Vec<(String, String)>,
    /// Where the program begins.
    pub directory: PathBuf,
    /// User and group outside, whose rights the program has.
    pub user: (u32, u32),
    /// What is there beside the image.
    pub mounts: Vec<Mount>,
    /// What it may use.
    pub limits: Limits,
    /// What it is connected to.
    pub network: Network,
}

/// A piece of what a container says.
#[derive(Debug)]
pub enum Output {
    /// On standard output.
    Out(Bytes),
    /// On standard error.
    Err(Bytes),
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Exit status; 128 and the signal where there was one.
    pub code: i64,
    /// It wanted more memory than it may have.
    pub out_of_memory: bool,
}

type Said = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;

/// A container that was started. It has to be [taken away](Container::remove).
#[derive(Clone)]
pub struct Container {
    engine: Engine,
    id: String,
}

/// What a container says.
pub struct Saying(Said);

/// Where it is written to.
pub type Input = Pin<Box<dyn AsyncWrite + Send>>;

impl Engine {
    /// Makes a container and starts it, with its streams.
    pub async fn start(&self, spec: &Spec) -> Result<(Container, Saying, Input), EngineError> {
        let made = self.docker.create_container(None::<CreateContainerOptions>, self.body(spec));
        let made = made.await.map_err(|error| match error {
            Error::DockerResponseServerError { status_code: 404, .. } => EngineError::NoImage,
            other => EngineError::of(other),
        })?;
        for warning in made.warnings {
            tracing::warn!(warning, "the container engine warns");
        }
        let id = made.id;
        let begun = async {
            self.limited(&id, spec).await?;
            self.attached(&id).await
        };
        match begun.await {
            Ok(AttachContainerResults { output, input }) => {
                Ok((Container { engine: self.clone(), id }, Saying(output), input))
            }
            Err(error) => {
                if let Err(error) = self.remove(&id).await {
                    tracing::warn!(%error, "a container that did not start is left behind");
                }
                Err(error)
            }
        }
    }

    /// That limits hold: an engine that can keep none leaves them out and goes on. It is known by
    /// the memory, which each engine tells in the same words.
    async fn limited(&self, id: &str, spec: &Spec) -> Result<(), EngineError> {
        let found = self.docker.inspect_container(id, None).await.map_err(EngineError::of)?;
        let memory = found.host_config.unwrap_or_default().memory.unwrap_or_default();
        match u64::try_from(memory) {
            Ok(memory) if memory == spec.limits.memory_bytes => Ok(()),
            _ => Err(EngineError::Unlimited),
        }
    }

    async fn attached(&self, id: &str) -> Result<AttachContainerResults, EngineError> {
        let options = AttachContainerOptions {
            stream: true,
            stdin: true,
            stdout: true,
            stderr: true,
            ..Default::default()
        };
        let attached = self.docker.attach_container(id, Some(options)).await;
        let attached = attached.map_err(EngineError::of)?;
        let started = self.docker.start_container(id, None::<StartContainerOptions>).await;
        started.map_err(EngineError::of)?;
        Ok(attached)
    }

    fn body(&self, spec: &Spec) -> ContainerCreateBody {
        let yes = Some(true);
        let (uid, gid) = spec.user;
        let env = spec.env.iter().map(|(name, value)| format!("{name}={value}"));
        ContainerCreateBody {
            image: Some(IMAGE.into()),
            cmd: Some(spec.command.clone()),
            env: Some(env.collect()),
            working_dir: Some(spec.directory.display().to_string()),
            user: Some(format!("{uid}:{gid}")),
            attach_stdin: yes,
            attach_stdout: yes,
            attach_stderr: yes,
            open_stdin: yes,
            // Whoever attached and is gone has closed it.
            stdin_once: yes,
            network_disabled: Some(spec.network == Network::Nothing),
            labels: Some(HashMap::from([(LABEL.to_owned(), spec.session.clone())])),
            host_config: Some(self.host(spec)),
            ..Default::default()
        }
    }

    fn host(&self, spec: &Spec) -> HostConfig {
        // Not as `from:to`: there may be a colon in either.
        let mut mounts = Vec::new();
        let mut memory = HashMap::new();
        for mount in &spec.mounts {
            match mount {
                Mount::Bind { from, to, writable } => {
                    mounts.push(models::Mount {
                        source: Some(from.display().to_string()),
                        target: Some(to.display().to_string()),
                        typ: Some(MountType::BIND),
                        read_only: Some(!writable),
                        ..Default::default()
                    });
                }
                Mount::Nothing(at) => {
                    // The user's: it gets the mode of what is covered, which others may be kept
                    // out of, and what is mounted below it has to be reached. Podman would copy
                    // what is covered.
                    let (uid, gid) = spec.user;
                    let own = match self.kind {
                        Kind::Docker => format!("uid={uid},gid={gid}"),
                        Kind::Podman | Kind::OwnPodman => "notmpcopyup,U".to_owned(),
                    };
                    let how = format!("ro,nosuid,nodev,noexec,size=64k,mode=0555,{own}");
                    memory.insert(at.display().to_string(), how);
                }
            }
        }
        let bytes = i64::try_from(spec.limits.memory_bytes).unwrap_or(i64::MAX);
        let nanos = i64::try_from(spec.limits.cpu_millis * 1_000_000).unwrap_or(i64::MAX);
        let network = match spec.network {
            Network::Nothing => "none",
            Network::Bridge => "bridge",
        };
        let unlogged = HostConfigLogConfig { typ: Some("none".into()), config: None };
        HostConfig {
            mounts: Some(mounts),
            tmpfs: Some(memory),
            memory: Some(bytes),
            memory_swap: Some(bytes),
            nano_cpus: Some(nanos),
            pids_limit: Some(spec.limits.tasks.into()),
            network_mode: Some(network.into()),
            readonly_rootfs: Some(true),
            cap_drop: Some(vec!["ALL".into()]),
            security_opt: Some(vec!["no-new-privileges".into()]),
            // The person is root in there otherwise, and the person's files somebody else's.
            userns_mode: (self.kind == Kind::OwnPodman).then(|| "keep-id".into()),
            ipc_mode: Some("private".into()),
            // What it says is the session's, and in the session's log; the engine would put all
            // of it into a file, or the journal.
            log_config: Some(unlogged),
            init: Some(false),
            auto_remove: Some(false),
            ..Default::default()
        }
    }
}

impl Saying {
    /// What was said next; None: the container has ended, or the engine has.
    pub async fn hear(&mut self) -> Option<Output> {
        loop {
            return match self.0.next().await? {
                Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => {
                    Some(Output::Out(message))
                }
                Ok(LogOutput::StdErr { message }) => Some(Output::Err(message)),
                Ok(LogOutput::StdIn { .. }) => continue,
                Err(error) => {
                    tracing::warn!(%error, "a container's output broke off");
                    None
                }
            };
        }
    }
}

impl Container {
    /// Sends a signal by its name, such as `SIGTERM`, to its first process.
    pub async fn signal(&self, name: &str) -> Result<(), EngineError> {
        let options = KillContainerOptions { signal: name.into() };
        match self.engine.docker.kill_container(&self.id, Some(options)).await {
            // It has ended.
            Ok(()) | Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
            Err(error) => Err(EngineError::of(error)),
        }
    }

    /// The number of its first process outside; None where it has ended.
    pub async fn pid(&self) -> Result<Option<u32>, EngineError> {
        let found = self.engine.docker.inspect_container(&self.id, None).await;
        let state = found.map_err(EngineError::of)?.state.unwrap_or_default();
        Ok(state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0))
    }

    /// How it ended; an error where it runs, or the engine does not.
    pub async fn ended(&self) -> Result<Ended, EngineError> {
        // The streams close a moment before the engine knows the end.
        let mut waited = self.engine.docker.wait_container(&self.id, None);
        let waited = tokio::time::timeout(crate::PING_TIME, waited.next()).await;
        let still = || EngineError::Refused("the container runs on without its streams".into());
        waited.map_err(|_| still())?;
        let found = self.engine.docker.inspect_container(&self.id, None).await;
        let state = found.map_err(EngineError::of)?.state.unwrap_or_default();
        Ok(Ended {
            code: state.exit_code.unwrap_or(-1),
            out_of_memory: state.oom_killed.unwrap_or(false),
        })
    }

    /// Takes it away, running or not.
    pub async fn remove(self) -> Result<(), EngineError> {
        self.engine.remove(&self.id).await
    }
}
