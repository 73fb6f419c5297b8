//! Building the image: the recipe, the Claude CLI and, where there are any, packages go to the
//! engine as one archive; what it says on the way comes back line by line.

use crate::{Engine, EngineError, IMAGE, RECIPE_LABEL};
use bollard::models::BuildInfo;
use bollard::query_parameters::BuildImageOptions;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// How the image is made.
pub const RECIPE: &str = include_str!("recipe.Dockerfile");
/// The name of the recipe in the archive.
const RECIPE_FILE: &str = "Dockerfile";
/// Pieces of the archive that wait for the engine, and their size.
const PIECES_MAX: usize = 4;
const PIECE_BYTES: usize = 1 << 20;
/// A line of what the engine says; the rest of it is dropped.
const LINE_CHARS_MAX: usize = 2000;

/// What an image is built of.
#[derive(Clone, Debug, Default)]
pub struct Build {
    /// The Claude CLI, a program for Linux.
    pub claude: PathBuf,
    /// A base image other than the recipe's.
    pub base: Option<String>,
    /// A folder of Debian packages, for machines without a network.
    pub packages: Option<PathBuf>,
}

/// What is said while an image is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// How far it is.
    Progress(String),
    /// Why it failed; the last.
    Failed(String),
}

/// Tells images of one recipe from those of another.
pub fn recipe_digest() -> String {
    let sum = Sha256::digest(RECIPE.as_bytes());
    sum.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl Engine {
    /// Builds the image, and says how it goes. The stream's end without [`Line::Failed`] means
    /// that it is there. Dropping it ends the building.
    pub fn build(&self, build: &Build) -> impl Stream<Item = Line> + Send + 'static {
        let arguments = build.base.iter().map(|base| ("BASE".to_owned(), base.clone()));
        let labels = HashMap::from([(RECIPE_LABEL.to_owned(), recipe_digest())]);
        let options = BuildImageOptions {
            dockerfile: RECIPE_FILE.into(),
            t: Some(IMAGE.into()),
            rm: true,
            forcerm: true,
            buildargs: Some(arguments.collect()),
            labels: Some(labels),
            ..Default::default()
        };
        let pieces = context(build.clone());
        let body = bollard::body_try_stream(pieces);
        let docker = self.docker.clone();
        let (say, said) = mpsc::channel(PIECES_MAX);
        tokio::spawn(async move {
            let mut told = docker.build_image(options, None, Some(body));
            loop {
                let line = tokio::select! {
                    line = told.next() => line,
                    () = say.closed() => return,
                };
                let Some(line) = line else { return };
                for line in lines(line.map_err(EngineError::of)) {
                    if say.send(line).await.is_err() {
                        return;
                    }
                }
            }
        });
        stream::unfold(said, async |mut said| Some((said.recv().await?, said)))
    }
}

fn lines(told: Result<BuildInfo, EngineError>) -> Vec<Line> {
    let info = match told {
        Ok(info) => info,
        Err(error) => return vec![Line::Failed(error.to_string())],
    };
    let progress = info.stream.into_iter().chain(info.status).flat_map(|text| {
        let whole = text.lines().map(|line| line.trim_end().chars().take(LINE_CHARS_MAX));
        whole.map(String::from_iter).filter(|line| !line.is_empty()).collect::<Vec<_>>()
    });
    let progress = progress.map(Line::Progress);
    let failed = info.error_detail.and_then(|detail| detail.message).map(Line::Failed);
    progress.chain(failed).collect()
}

/// The archive, made while it is sent: the CLI alone has some hundred megabytes.
pub fn context(build: Build) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (put, mut taken) = mpsc::channel(PIECES_MAX);
    tokio::task::spawn_blocking(move || {
        let pieces = Pieces { put: put.clone(), piece: Vec::with_capacity(PIECE_BYTES) };
        if let Err(error) = archive(&build, pieces) {
            // Nobody may want it any more.
            let _ = put.blocking_send(Err(error));
        }
    });
    stream::poll_fn(move |cx| taken.poll_recv(cx))
}

fn archive(build: &Build, pieces: Pieces) -> io::Result<()> {
    let mut archive = tar::Builder::new(pieces);
    put(&mut archive, RECIPE_FILE, RECIPE.len() as u64, 0o644, RECIPE.as_bytes())?;
    let claude = std::fs::File::open(&build.claude)?;
    put(&mut archive, "claude", claude.metadata()?.len(), 0o755, claude)?;
    let mut folder = tar::Header::new_gnu();
    folder.set_entry_type(tar::EntryType::Directory);
    folder.set_mode(0o755);
    folder.set_size(0);
    archive.append_data(&mut folder, "packages/", io::empty())?;
    for package in packages(build.packages.as_deref())? {
        let name = package.file_name().unwrap_or_default().to_string_lossy();
        let file = std::fs::File::open(&package)?;
        put(&mut archive, &format!("packages/{name}"), file.metadata()?.len(), 0o644, file)?;
    }
    archive.into_inner()?.flush()
}

fn packages(folder: Option<&Path>) -> io::Result<Vec<PathBuf>> {
    let Some(folder) = folder.filter(|folder| folder.is_dir()) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|ending| ending == "deb") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn put(
    archive: &mut tar::Builder<Pieces>,
    name: &str,
    bytes: u64,
    mode: u32,
    from: impl io::Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(mode);
    // The same archive for the same files: the engine then need not build a step again.
    header.set_mtime(0);
    archive.append_data(&mut header, name, io::Read::take(from, bytes))
}

/// Hands what is written on in pieces.
struct Pieces {
    put: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE_BYTES - self.piece.len();
        let taken = bytes.len().min(room);
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        let sent = self.put.blocking_send(Ok(piece.into()));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
