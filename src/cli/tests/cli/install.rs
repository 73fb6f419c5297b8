//! `parachute supervisor install` and `uninstall`, without a service manager: the files.
#![cfg(target_os = "linux")]

use crate::run::{House, Ran, lay};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const FILES: [&str; 4] = [
    "parachute-supervisor.socket",
    "parachute-supervisor.service",
    "parachute-supervisor.socket.d/50-installed.conf",
    "parachute-supervisor.service.d/50-installed.conf",
];

/// A house with the programs in a folder of it, and where units belong there.
struct Home {
    house: House,
    program: PathBuf,
    units: PathBuf,
}

impl Home {
    fn new() -> Home {
        let house = House::lasting();
        let bin = house.path("bin");
        fs::create_dir(&bin).unwrap();
        lay(&bin.join("parachute"));
        for name in ["parachute-server", "parachute-agent", "parachute-supervisor"] {
            symlink("/bin/true", bin.join(name)).unwrap();
        }
        fs::create_dir(house.path("tools")).unwrap();
        symlink("/bin/true", house.path("tools/claude")).unwrap();
        let units = house.path(".config/systemd/user");
        Home { program: bin.join("parachute"), house, units }
    }

    fn command(&self, args: &[&str]) -> Command {
        self.command_of(&self.program, args)
    }

    fn command_of(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = self.house.command_of(program, args);
        let tools = self.house.path("tools");
        command.env("PATH", format!("{}:/usr/bin:/bin", tools.display()));
        command.env_remove("SUPERVISOR_PORT");
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.units.join(file)).unwrap()
    }

    /// scripts/install-units in this home.
    fn install_units(&self, args: &[&str]) -> Ran {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/install-units");
        let bin = self.house.path("bin");
        let args = [&["--bin", bin.to_str().unwrap()], args].concat();
        let ran: Ran = self.command_of(&script, &args).output().unwrap().into();
        assert_eq!(ran.status, Some(0), "{ran:?}");
        ran
    }
}

fn said(ran: &Ran, what: &str) -> usize {
    ran.out.lines().filter(|line| line.starts_with(what)).count()
}

#[test]
fn the_files_are_written_once_and_taken_away_again() {
    let home = Home::new();
    let ran = home.run(&["supervisor", "install"]);
    // Without a manager that is all that can be done.
    assert_eq!((ran.status, said(&ran, "wrote:     /")), (Some(1), 4), "{ran:?}");
    assert!(ran.err.starts_with("parachute: no service manager answers here: the files are there"));
    assert!(ran.err.contains("\n  hint: run this again where one does; `parachute supervisor -f`"));
    let (house, bin) = (home.house.path(""), home.house.path("bin"));
    let (house, bin) = (house.to_str().unwrap().trim_end_matches('/'), bin.to_str().unwrap());
    let service = home.text(FILES[1]);
    assert!(service.contains(&format!("ExecStart=\"{bin}/parachute-supervisor\"\n")), "{service}");
    assert!(home.text(FILES[2]).contains("\nListenStream=127.0.0.1:3334\n"));
    assert_eq!(
        home.text(FILES[3]),
        format!(
            "[Service]\nEnvironment=\"VAULT_PATH={house}/Parachute\"\n\
             Environment=\"STATE_DIRECTORY={house}/.local/state/parachute\"\n\
             Environment=\"PATH={bin}:{house}/tools:{house}/.local/bin:/usr/local/bin:/usr/bin:\
             /bin:/usr/sbin:/sbin\"\n\
             ReadWritePaths=\"-{house}/Parachute/.parachute\"\n\
             ReadWritePaths=\"{house}/.local/state/parachute\"\n"
        )
    );
    for private in ["Parachute/.parachute", ".local/state/parachute"] {
        let mode = fs::metadata(home.house.path(private)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{private}");
    }

    let ran = home.run(&["supervisor", "install"]);
    assert_eq!((said(&ran, "unchanged: /"), said(&ran, "wrote:")), (4, 0), "{ran:?}");

    let ran = home.run(&["supervisor", "uninstall"]);
    assert_eq!((ran.status, said(&ran, "removed:   /")), (Some(0), 4), "{ran:?}");
    assert_eq!(fs::read_dir(&home.units).unwrap().count(), 0);
    assert!(home.house.path("Parachute/.parachute").exists(), "the vault stays");
    let ran = home.run(&["supervisor", "uninstall"]);
    assert_eq!(ran.status, Some(0));
    assert!(ran.out.ends_with("nothing of the supervisor was installed\n"), "{ran:?}");
}

#[test]
fn what_else_the_owner_has_there_stays() {
    let home = Home::new();
    home.run(&["supervisor", "install"]);
    let own = "parachute-supervisor.service.d/60-mine.conf";
    fs::write(home.units.join(own), "[Service]\n").unwrap();
    let wants = home.units.join("default.target.wants");
    fs::create_dir(&wants).unwrap();
    symlink("../parachute-supervisor.socket", wants.join(FILES[0])).unwrap();
    symlink("../parachute.target", wants.join("parachute.target")).unwrap();
    let ran = home.run(&["supervisor", "uninstall"]);
    assert_eq!(said(&ran, "removed:"), 5, "{ran:?}");
    assert!(home.units.join(own).exists());
    assert_eq!(fs::read_dir(&wants).unwrap().count(), 1);
}

#[test]
fn json_lists_the_files() {
    let home = Home::new();
    for (act, did) in [("install", "wrote"), ("install", "unchanged"), ("uninstall", "removed")] {
        let ran = home.run(&["supervisor", act, "--json"]);
        let shown: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(shown["manager"], Value::Null);
        let files = shown["files"].as_array().unwrap();
        assert_eq!(files.len(), 4);
        for (file, name) in files.iter().zip(FILES) {
            assert_eq!(file["did"], did);
            assert_eq!(file["path"], home.units.join(name).to_str().unwrap());
        }
    }
}

#[test]
fn the_script_finds_nothing_to_change() {
    let home = Home::new();
    let vault = home.house.path("my 100% vault");
    let vault = vault.to_str().unwrap();
    let mut command = home.command(&["supervisor", "install", "--vault", vault]);
    let ran: Ran = command.env("SUPERVISOR_PORT", "4444").output().unwrap().into();
    assert_eq!(said(&ran, "wrote:     /"), 4, "{ran:?}");
    let ran = home.install_units(&["--vault", vault]);
    assert_eq!(said(&ran, "unchanged: /"), 4, "{ran:?}");
    for file in FILES {
        let line = format!("unchanged: {}", home.units.join(file).display());
        assert!(ran.out.lines().any(|said| said == line), "{file}: {ran:?}");
    }
}

#[test]
fn it_is_installed_as_the_server_was_and_takes_only_its_own_away() {
    let home = Home::new();
    let vault = home.house.path("my 100% vault");
    let vault = vault.to_str().unwrap();
    home.install_units(&["--vault", vault, "--supervisor-port", "4444"]);
    // A shell that finds no Claude is no reason to take the server's away from it.
    let mut command = home.command(&["supervisor", "install"]);
    let ran: Ran = command.env("PATH", "/nowhere").output().unwrap().into();
    assert_eq!((said(&ran, "unchanged: /"), said(&ran, "wrote:")), (4, 0), "{ran:?}");
    assert!(home.text(FILES[3]).contains("/my 100%% vault/.parachute\"\n"));

    let mut command = home.command(&["supervisor", "install", "--vault", "other"]);
    let ran: Ran = command.env("SUPERVISOR_PORT", "5555").output().unwrap().into();
    assert_eq!((said(&ran, "unchanged: /"), said(&ran, "wrote:")), (2, 2), "{ran:?}");
    assert!(home.text(FILES[2]).contains("\nListenStream=127.0.0.1:5555\n"));
    assert!(home.text(FILES[3]).contains("/other/.parachute\"\n"));
    assert!(home.text("parachute.service.d/50-installed.conf").contains("/my 100%% vault\"\n"));

    home.run(&["supervisor", "uninstall"]);
    assert!(home.units.join("parachute.service").exists(), "the server's stays");
    let left = fs::read_dir(&home.units).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = left.collect();
    assert!(!left.iter().any(|name| name.starts_with("parachute-supervisor")), "{left:?}");
}

#[test]
fn what_the_service_could_not_use_is_refused_before_anything_is_written() {
    let home = Home::new();
    for (args, said) in [
        (&["--vault", "/tmp/vault"][..], "lies in a folder for temporary files"),
        (&["--vault", "a$b"], "cannot stand in a unit file"),
    ] {
        let ran = home.run(&[args, &["supervisor", "install"]].concat());
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(ran.err.contains(said) && ran.err.contains("\n  hint: "), "{ran:?}");
    }
    fs::remove_file(home.house.path("bin/parachute-supervisor")).unwrap();
    let ran = home.run(&["supervisor", "install"]);
    assert_eq!(ran.status, Some(1));
    let said = "parachute: there is no parachute-supervisor beside this program\n  hint: ";
    assert!(ran.err.starts_with(said), "{ran:?}");
    assert!(!home.units.exists());
}
