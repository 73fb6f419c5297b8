//! What somebody sends, on disk while it is looked at: in the state folder, for its owner alone,
//! and without a name, so that it is gone with the server however that ends.

use super::{Domain, DomainError};
use crate::domain::keys::blocking;
use crate::limits::IMPORT_PIECES_MAX;
use crate::vault::Folder;
use bytes::Bytes;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What is written down as it comes.
pub(crate) struct Spool {
    pieces: mpsc::Sender<Bytes>,
    writing: JoinHandle<io::Result<File>>,
}

impl Domain {
    /// A new one, with nothing in it.
    pub(crate) async fn spool(&self) -> Result<Spool, DomainError> {
        let folder = self.agents.state().join("imports");
        let file = blocking(move || nameless(&folder)).await??;
        let (pieces, mut written) = mpsc::channel::<Bytes>(IMPORT_PIECES_MAX);
        let writing = tokio::task::spawn_blocking(move || {
            let mut file = file;
            while let Some(piece) = written.blocking_recv() {
                file.write_all(&piece)?;
            }
            Ok(file)
        });
        Ok(Spool { pieces, writing })
    }
}

impl Spool {
    /// Adds a piece. False: it cannot be written; [`finish`](Spool::finish) says why.
    pub(crate) async fn add(&self, piece: Bytes) -> bool {
        self.pieces.send(piece).await.is_ok()
    }

    /// The file with all that came.
    pub(crate) async fn finish(self) -> Result<File, DomainError> {
        drop(self.pieces);
        let written = self.writing.await.map_err(|_| DomainError::Broken)?;
        written.map_err(|error| {
            let said = format!("what was sent cannot be kept in the state folder: {error}");
            DomainError::Unusable(said)
        })
    }
}

/// A file of which the name is taken away at once.
fn nameless(folder: &Path) -> Result<File, DomainError> {
    let folder = Folder::made(folder)?;
    let name = format!("{}.part", uuid::Uuid::new_v4().simple());
    let file = folder.create_open(Path::new(&name))?;
    folder.remove(Path::new(&name))?;
    Ok(file)
}
