//! What a CLI at the trust level `vault` finds: the system to read, the vault and its own folders
//! to write. Not there are the rest of the home, sockets, other people's programs, and of the
//! vault what is ours: keys, tokens and the database. What a later, freer turn would run (hooks,
//! tools, skills) can be read and not be changed.

use crate::limits::OUTLET_PORT;
use engine::Mount;
use host::confine::{Place, Shows, View, WayOut};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use wire::agent::ContainerSetup;

/// The system, as far as there is any of it.
const SYSTEM: [&str; 12] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix",
    "/gnu",
    "/sys/devices/system/cpu",
];
/// What of it is secret, where the person is its administrator.
const SECRETS: [&str; 7] = [
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssh",
];
/// Of the vault: ours.
const OURS: &str = ".parachute";
/// Of the vault: the folder with the database, of which only the other things are shown.
const CHAT: &str = "Chat";
const DATABASE: &str = "sessions.db";
/// Of the vault: what freer turns run or obey, and what says which files are left alone.
const RUN_LATER: [&str; 5] = [".modules", ".skills", "agents", "Daily/.agents", ".parachuteignore"];
/// Of these the hidden folders, which are made before somebody else can make them.
const RUN_LATER_MADE: [&str; 3] = [".modules", ".skills", "Daily/.agents"];
/// The same, of every folder down to where the CLI works.
const RUN_THERE: [&str; 2] = [".claude", ".mcp.json"];
/// Of a repository: what git runs, and what tells it to.
const RUN_BY_GIT: [&str; 2] = ["hooks", "config"];
/// Of a session's folder: the CLI's own.
pub(crate) const CONFIG: &str = "home/.claude";
/// Where the way out stands inside.
pub(crate) const WAY_OUT: &str = "/run/parachute/out.sock";

/// The folders of one session that a confined CLI gets.
pub(crate) struct Own {
    /// Its home, kept as long as the session; sessions of a workspace may have one between them.
    pub(crate) home: PathBuf,
    /// The CLI's own folder with its transcripts, which no two sessions share.
    pub(crate) config: PathBuf,
    /// For what nobody wants to keep.
    pub(crate) tmp: PathBuf,
    stage: PathBuf,
}

impl Own {
    /// The folders below the session's `dir`, made where they are missing.
    pub(crate) fn of(dir: &Path) -> io::Result<Own> {
        Own::with_home(dir, &dir.join("home"))
    }

    /// The same with a home elsewhere.
    pub(crate) fn with_home(dir: &Path, home: &Path) -> io::Result<Own> {
        let dir = dir.canonicalize()?;
        let own = Own {
            home: home.to_owned(),
            config: dir.join(CONFIG),
            tmp: dir.join("tmp"),
            stage: dir.join("stage"),
        };
        for folder in [&own.home, &own.config, &own.tmp, &own.stage] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        Ok(Own { home: own.home.canonicalize()?, ..own })
    }
}

/// The view of a CLI that is the file `program` and works in `directory` of `vault`; both are
/// free of links. It may read what is `given`, and `outlet` is the socket of its way out.
pub(crate) fn of_vault(
    own: &Own,
    vault: &Path,
    directory: &Path,
    program: &Path,
    given: &[PathBuf],
    outlet: &Path,
) -> io::Result<View> {
    let mut places = Places(Vec::new());
    for system in SYSTEM {
        places.add(system, Shows::Readable);
    }
    for secret in SECRETS.iter().filter(|path| Path::new(path).exists()) {
        places.add(secret, Shows::Nothing);
    }
    places.add("/tmp", Shows::From(own.tmp.clone()));
    places.add(&own.home, Shows::Writable);
    places.add(&own.tmp, Shows::Writable);
    places.add(WAY_OUT, Shows::From(outlet.to_owned()));
    places.program(program)?;
    make_hidden(vault)?;
    places.vault(vault)?;
    for path in given {
        places.add(path, Shows::Readable);
    }
    let mut folder = directory;
    loop {
        places.kept(folder)?;
        match folder.parent() {
            Some(parent) if folder != vault => folder = parent,
            _ => break,
        }
    }
    let way_out = Some(WayOut { port: OUTLET_PORT, socket: WAY_OUT.into() });
    let directory = directory.to_owned();
    Ok(View { stage: own.stage.clone(), places: places.0, directory, way_out })
}

/// What stands in a container: the vault under its own path, to be read, but for the folders that
/// may be written; the session's own folders; what is `given`; our program `helper`, and where it
/// stands inside.
pub(crate) fn of_container(
    own: &Own,
    vault: &Path,
    container: &ContainerSetup,
    given: &[PathBuf],
    outlet: &Path,
    helper: (&Path, &str),
) -> io::Result<Vec<Mount>> {
    let bind = |from: &Path, to: &Path, writable: bool| Mount::Bind {
        from: from.to_owned(),
        to: to.to_owned(),
        writable,
    };
    let mut places = Places(Vec::new());
    places.vault(vault)?;
    for folder in &container.writable {
        let folder = Path::new(folder).canonicalize()?;
        if !folder.starts_with(vault) || folder.starts_with(vault.join(OURS)) {
            let said = format!("{} is not of the vault", folder.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, said));
        }
        // What is written is written, whatever else was said of that place.
        places.0.retain(|place| place.at != folder);
        places.add(folder, Shows::From(PathBuf::new()));
    }
    let of_vault = places.0.into_iter().map(|Place { at, shows }| match shows {
        Shows::Nothing => Mount::Nothing(at),
        Shows::Readable | Shows::Writable => bind(&at, &at, false),
        Shows::From(_) => bind(&at, &at, true),
    });
    let mut mounts: Vec<Mount> = of_vault.collect();
    mounts.extend(given.iter().map(|path| bind(path, path, false)));
    mounts.push(bind(&own.home, &own.home, true));
    mounts.push(bind(&own.config, &own.config, true));
    mounts.push(bind(&own.tmp, &own.tmp, true));
    mounts.push(bind(&own.tmp, Path::new("/tmp"), true));
    mounts.push(bind(outlet, Path::new(WAY_OUT), true));
    mounts.push(bind(helper.0, Path::new(helper.1), false));
    Ok(mounts)
}

/// A folder that is not there could not be kept as it is.
fn make_hidden(vault: &Path) -> io::Result<()> {
    for path in RUN_LATER_MADE.map(|name| vault.join(name)) {
        // Below a folder that is missing, or somewhere else, nobody looks.
        let above =
            path.parent().is_some_and(|above| above.canonicalize().is_ok_and(|c| c == above));
        if above
            && let Err(error) = fs::DirBuilder::new().mode(0o700).create(&path)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
    }
    Ok(())
}

struct Places(Vec<Place>);

impl Places {
    fn add(&mut self, at: impl Into<PathBuf>, shows: Shows) {
        self.0.push(Place { at: at.into(), shows });
    }

    /// A program that is not of the system: alone, or with its folder where it is a script that
    /// needs what lies around it.
    fn program(&mut self, program: &Path) -> io::Result<()> {
        if SYSTEM.iter().any(|system| program.starts_with(system)) {
            return Ok(());
        }
        let mut begin = [0; 2];
        let read = io::Read::read(&mut fs::File::open(program)?, &mut begin)?;
        let script = &begin[..read] == b"#!";
        let shown = program.parent().filter(|_| script).unwrap_or(program);
        self.add(shown, Shows::Readable);
        Ok(())
    }

    fn vault(&mut self, vault: &Path) -> io::Result<()> {
        self.add(vault, Shows::Writable);
        if vault.join(OURS).exists() {
            self.add(vault.join(OURS), Shows::Nothing);
        }
        self.fixed(vault, &RUN_LATER);
        let chat = vault.join(CHAT);
        if !chat.is_dir() {
            return Ok(());
        }
        // Put together of its parts: a file of the database that is made later is not there, nor
        // can one be put there for the server to find.
        self.add(&chat, Shows::Nothing);
        for entry in fs::read_dir(&chat)? {
            let entry = entry?;
            let ours = entry.file_name().to_string_lossy().starts_with(DATABASE);
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.add(entry.path(), Shows::Writable);
            } else if kind.is_file() && !ours {
                self.add(entry.path(), Shows::Readable);
            }
        }
        Ok(())
    }

    fn fixed(&mut self, folder: &Path, names: &[&str]) {
        for path in names.iter().map(|name| folder.join(name)) {
            // A link there leads to something else, which is judged where it is.
            if path.canonicalize().is_ok_and(|real| real == path) {
                self.add(path, Shows::Readable);
            }
        }
    }

    /// Of a folder of the vault what must stay as it is.
    fn kept(&mut self, folder: &Path) -> io::Result<()> {
        self.fixed(folder, &RUN_THERE);
        let git = folder.join(".git");
        if git.is_dir() {
            // A place of its own cannot be moved away and another put there.
            self.add(&git, Shows::Writable);
            for name in RUN_BY_GIT.iter().filter(|name| git.join(name).exists()) {
                self.add(git.join(name), Shows::Readable);
            }
        }
        Ok(())
    }
}
