//! Which modules there are and how they stand (contract-core §6). Three come with the server and
//! are approved with it; what others made has to be approved by the owner, new or changed
//! (traps 84 and T-20), and is never run: its prompt is told in its chats, and that is all.

use crate::domain::{Domain, DomainError};
use crate::limits::PROMPT_FILE_CHARS_MAX;
use crate::vault::modules::approvals::{Approvals, ApprovalsError, Standing};
use crate::vault::modules::found::{self, Found, Module as Foreign, PLACE};
use crate::vault::modules::kept::Kept;
use crate::vault::{FileError, Folder};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use wire::module::{Module, ModuleApproved, ModuleList, ModuleState, ModuleStatus};

/// Modules that come with the server: name, description, interfaces, doors.
const OWN: [(&str, &str, &[&str], bool); 3] = [
    ("brain", "Knowledge graph entity management", &["BrainInterface"], true),
    ("chat", "Streaming chat with Claude Agent SDK", &[], false),
    ("daily", "Daily journal entries and agent framework", &[], true),
];

/// Digits of a hash that are told.
const TOLD: usize = 12;

/// A module of the vault and what is said of it.
struct Judged {
    folder: String,
    module: Result<Known, String>,
}

struct Known {
    module: Foreign,
    /// None: what was approved cannot be read.
    standing: Option<Standing>,
    /// The hash that was approved, as far as it is told.
    hash: Option<String>,
}

impl From<ApprovalsError> for DomainError {
    fn from(error: ApprovalsError) -> DomainError {
        match error {
            ApprovalsError::File(error) => error.into(),
            error => DomainError::Unusable(error.to_string()),
        }
    }
}

impl Domain {
    pub(crate) async fn modules(&self) -> ModuleList {
        // One at a time, even where nobody waits for the answer any more.
        let mut kept = self.modules_kept.clone().lock_owned().await;
        let look = move |vault: &Folder| Ok::<_, DomainError>(judged(vault, None, &mut kept)?);
        let looked = self.in_vault(look).await;
        let mut modules: Vec<Module> = OWN.map(own).into();
        let error = match looked {
            Ok((judged, error)) => {
                modules.extend(judged.into_iter().map(told));
                error
            }
            Err(error) => Some(error.to_string()),
        };
        ModuleList { modules, error }
    }

    /// Approves a module as it is now, if that is what was looked at.
    pub(crate) async fn approve_module(
        &self,
        name: String,
        looked_at: Option<String>,
    ) -> Result<ModuleApproved, DomainError> {
        let mut kept = self.modules_kept.clone().lock_owned().await;
        let approve = move |vault: &Folder| {
            // What is approved is what stands there, and not what once did.
            *kept = Kept::default();
            approve(vault, name, looked_at.as_deref(), &mut kept)
        };
        let approved = self.in_vault(approve).await?;
        let ModuleApproved { name, digest, .. } = &approved;
        tracing::info!(module = name, digest, "a module was approved");
        Ok(approved)
    }
}

fn approve(
    vault: &Folder,
    name: String,
    looked_at: Option<&str>,
    kept: &mut Kept,
) -> Result<ModuleApproved, DomainError> {
    let missing = || DomainError::Missing(format!("Module '{name}' is not pending approval"));
    let approvals = Approvals::read(vault)?;
    let all = judged(vault, None, kept)?.0;
    // By its name, else by its folder's, as the predecessor's command line did.
    let one = all.iter().find(|one| one.is_called(&name));
    let one = one.or_else(|| all.iter().find(|one| one.folder == name)).ok_or_else(missing)?;
    let known = one.module.as_ref().map_err(|problem| DomainError::Unusable(problem.clone()))?;
    let (module, tree) = (&known.module, &known.module.tree);
    if looked_at.is_some_and(|digest| digest != tree.digest) {
        let digest = &tree.digest;
        return Err(DomainError::Unusable(format!(
            "Module '{name}' is not the one that was looked at: its digest is {digest} by now. \
             Look at it again, then approve it"
        )));
    }
    if known.standing == Some(Standing::Approved) {
        return Err(missing());
    }
    approvals.approve(vault, &module.name, &one.folder, tree)?;
    let message = match tree.programs {
        0 => "It is in use from now on.".to_owned(),
        _ => format!("It is approved. {NOT_RUN}"),
    };
    Ok(ModuleApproved { approved: true, digest: tree.digest.clone(), name, message })
}

impl Judged {
    fn is_called(&self, name: &str) -> bool {
        self.module.as_ref().is_ok_and(|known| known.module.name == name)
    }
}

const NOT_RUN: &str = "Its Python programs are not run by this server; its prompt and data are \
                       used as they are.";

/// The prompt of an approved module of this name, and where it is. Blocks while others count.
pub(in crate::domain) fn prompt(
    vault: &Folder,
    name: &str,
    kept: &Mutex<Kept>,
) -> Option<(String, String)> {
    let all = judged(vault, Some(name), &mut kept.blocking_lock());
    let all = all.map_err(|error| tracing::warn!(%error, "modules cannot be read"));
    let one = all.ok()?.0.into_iter().find(|one| one.is_called(name))?;
    let known = one.module.ok().filter(|known| known.standing == Some(Standing::Approved))?;
    let (path, text) = found::prompt(vault, &one.folder, &known.module.tree)?;
    let text: String = text.trim().chars().take(PROMPT_FILE_CHARS_MAX).collect();
    (!text.is_empty()).then(|| (path.display().to_string(), text))
}

/// The vault's modules, or those of one name, but for those that the server has itself; and what
/// is wrong with what was approved, which is then nothing.
fn judged(
    vault: &Folder,
    only: Option<&str>,
    kept: &mut Kept,
) -> Result<(Vec<Judged>, Option<String>), FileError> {
    let (approvals, error) = match Approvals::read(vault) {
        Ok(approvals) => (Some(approvals), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let mut judged: Vec<Judged> = Vec::new();
    for Found { folder, module } in found::all(vault, only, kept)? {
        if module.as_ref().is_ok_and(|module| OWN.iter().any(|own| own.0 == module.name)) {
            tracing::debug!(folder, "the server has this module itself");
            continue;
        }
        let module = module.and_then(|module| {
            // Trap 87: one name, one approval.
            if let Some(Judged { folder, .. }) = judged.iter().find(|j| j.is_called(&module.name)) {
                return Err(format!("{PLACE}/{folder} has the name `{}`, too", module.name));
            }
            let (name, approved) = (&module.name, approvals.as_ref());
            let standing = approved.map(|approved| approved.standing(name, &folder, &module.tree));
            let hash = approved.and_then(|approved| approved.hash(name, &folder));
            let hash = hash.map(|hash| hash.chars().take(TOLD).collect());
            Ok(Known { module, standing, hash })
        });
        judged.push(Judged { folder, module });
    }
    Ok((judged, error))
}

fn own((name, description, provides, has_router): (&str, &str, &[&str], bool)) -> Module {
    let version = env!("CARGO_PKG_VERSION");
    let hash = Sha256::digest(format!("parachute {version} {name}"));
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Module {
        state: ModuleState {
            hash: Some(hash[..TOLD].to_owned()),
            ..state(name, ModuleStatus::Loaded, None)
        },
        version: version.into(),
        description: description.into(),
        provides: provides.iter().map(|name| (*name).to_owned()).collect(),
        trust_level: "trusted".into(),
        has_router,
        path: None,
        digest: None,
    }
}

fn state(name: &str, status: ModuleStatus, problem: Option<String>) -> ModuleState {
    let name = name.to_owned();
    ModuleState { name, status, hash: None, current_hash: None, known_hash: None, problem }
}

fn told(judged: Judged) -> Module {
    let path = Some(format!("{PLACE}/{}", judged.folder));
    let known = match judged.module {
        Ok(known) => known,
        Err(problem) => {
            return Module {
                state: state(&judged.folder, ModuleStatus::Broken, Some(problem)),
                version: String::new(),
                description: String::new(),
                provides: Vec::new(),
                trust_level: "trusted".into(),
                has_router: false,
                path,
                digest: None,
            };
        }
    };
    let (state, module) = (standing_told(&known), known.module);
    Module {
        state,
        version: module.version,
        description: module.description,
        provides: module.provides,
        trust_level: module.trust_level,
        has_router: false,
        path,
        digest: Some(module.tree.digest),
    }
}

fn standing_told(known: &Known) -> ModuleState {
    let module = &known.module;
    let hash = Some(module.tree.hash[..TOLD].to_owned());
    let waits = |problem: &str| ModuleState {
        current_hash: hash.clone(),
        known_hash: known.hash.clone(),
        ..state(&module.name, ModuleStatus::PendingApproval, Some(problem.into()))
    };
    match known.standing {
        None => waits("What was approved cannot be read."),
        Some(Standing::New) => waits("It is new. Look at it, then approve it."),
        Some(Standing::Changed) => {
            waits("It changed since it was approved. Look at it, then approve it again.")
        }
        Some(Standing::ProgramsAlone) => waits(
            "Only its Python programs were approved, and its prompt and data count, too. Look at \
             it, then approve it again.",
        ),
        Some(Standing::Approved) => {
            let (status, problem) = match module.tree.programs {
                0 => (ModuleStatus::Loaded, None),
                _ => (ModuleStatus::Unsupported, Some(NOT_RUN.to_owned())),
            };
            ModuleState { hash, ..state(&module.name, status, problem) }
        }
    }
}
