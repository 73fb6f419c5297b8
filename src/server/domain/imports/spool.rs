//! What somebody sends, on disk while it is looked at: in the state folder, for its owner alone,
//! and without a name, so that it is gone with the server however that ends.

use super::{Domain, DomainError};
use crate::domain::keys::blocking;
use crate::limits::{IMPORT_LEFT_FREE_BYTES, IMPORT_PIECES_MAX};
use crate::vault::{FileError, Folder};
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
    /// A new one, with nothing in it, for so many bytes if the sender says how many come.
    pub(crate) async fn spool(&self, said: Option<u64>) -> Result<Spool, DomainError> {
        let folder = self.agents.state().join("imports");
        let (file, room) = blocking(move || {
            let file = nameless(&folder)?;
            let disk = rustix::fs::fstatvfs(&file).map_err(|e| unkept(e.into()))?;
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            Ok::<_, DomainError>((file, free.saturating_sub(IMPORT_LEFT_FREE_BYTES)))
        })
        .await??;
        Spool::of(file, room, said.unwrap_or_default())
    }
}

impl Spool {
    fn of(mut file: File, mut room: u64, said: u64) -> Result<Spool, DomainError> {
        if said > room {
            return Err(unkept(io::ErrorKind::StorageFull.into()));
        }
        let (pieces, mut written) = mpsc::channel::<Bytes>(IMPORT_PIECES_MAX);
        let writing = tokio::task::spawn_blocking(move || {
            while let Some(piece) = written.blocking_recv() {
                let left = room.checked_sub(piece.len() as u64);
                room = left.ok_or(io::ErrorKind::StorageFull)?;
                file.write_all(&piece)?;
            }
            Ok(file)
        });
        Ok(Spool { pieces, writing })
    }

    /// Adds a piece. False: it cannot be written; [`finish`](Spool::finish) says why.
    pub(crate) async fn add(&self, piece: Bytes) -> bool {
        self.pieces.send(piece).await.is_ok()
    }

    /// The file with all that came.
    pub(crate) async fn finish(self) -> Result<File, DomainError> {
        drop(self.pieces);
        let written = self.writing.await.map_err(|_| DomainError::Broken)?;
        written.map_err(unkept)
    }
}

fn unkept(error: io::Error) -> DomainError {
    FileError::Io { path: "imports".into(), source: error }.into()
}

/// A file of which the name is taken away at once.
fn nameless(folder: &Path) -> Result<File, DomainError> {
    let folder = Folder::made(folder)?;
    let name = format!("{}.part", uuid::Uuid::new_v4().simple());
    let file = folder.create_open(Path::new(&name))?;
    folder.remove(Path::new(&name))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_has_no_room_on_the_disk_is_refused_before_or_while_it_comes() {
        let spool = |said| Spool::of(tempfile::tempfile().expect("a file"), 10, said);
        let is_full = |error| {
            let DomainError::File(FileError::Io { source, .. }) = error else { return false };
            source.kind() == io::ErrorKind::StorageFull
        };
        assert!(spool(11).err().is_some_and(is_full));
        let kept = spool(10).expect("it has room");
        assert!(kept.add(Bytes::from_static(b"0123456789")).await);
        let length = kept.finish().await.expect("kept").metadata().expect("a file").len();
        assert_eq!(length, 10);
        // Whoever does not say how much comes.
        let more = spool(0).expect("it has room");
        while more.add(Bytes::from_static(b"0123456")).await {}
        assert!(more.finish().await.err().is_some_and(is_full));
    }
}
