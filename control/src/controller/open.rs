//! Starting: take the state directory, read what outlives the process, put it in force, record the start.

use super::firm::FirmWord;
use super::{Clock, Controller, Inner};
use crate::audit::{Actor, AuditError, AuditLog, Entry, TornLine};
use crate::backend::Backend;
use crate::config::Plan;
use crate::names::Scope;
use crate::roles::{Directory, Role};
use crate::stamp::Stamp;
use crate::state::{Cause, LatchFile, LimitBook, SealError};
use serde_json::{Value, json};
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Why the control plane cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The state directory cannot be made or locked.
    #[error("state directory {}: {source}", path.display())]
    StateDir {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another daemon has it.
    #[error("state directory {}: another appliance is running on it (its lock is held)", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The audit log cannot be continued.
    #[error(
        "{source}; the appliance does not start on an audit log it cannot continue: move {} away, keep it as evidence, \
         and start again",
        dir.display()
    )]
    Audit {
        /// The log's directory.
        dir: PathBuf,
        /// Why.
        source: AuditError,
    },
    /// The latches cannot be written.
    #[error(transparent)]
    Latch(#[from] SealError),
}

impl Controller {
    /// Takes the state directory of `plan`, restores latches and officers' limits into `backend`, and records the start.
    /// When this returns, everything latched before is in force again; breakers without a latch are the backend's to
    /// open.
    ///
    /// Damage to the latches or limits on disk does not keep the appliance from starting: it starts halted, and a
    /// risk_admin ends that with `resume`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(plan: &Plan, backend: Arc<dyn Backend>, clock: Clock) -> Result<Self, OpenError> {
        let dir = plan.instance.state_dir.as_path();
        let lock = take(dir)?;
        let started = Stamp(clock());
        let audit_dir = dir.join("audit");
        let segment_bytes_max = u64::from(plan.audit.segment_mib) << 20;
        let (mut audit, torn) = AuditLog::open(&audit_dir, segment_bytes_max)
            .map_err(|source| OpenError::Audit { dir: audit_dir.clone(), source })?;
        let mut latch = LatchFile::open(dir, audit.records() > 0, started);
        let (limits, damage) = LimitBook::open(dir, plan.limits.clone());
        if let Some(damage) = damage {
            latch.halt_for_damage(&damage, started);
        }
        if plan.instance.start_halted {
            latch.set_halt(Cause::Boot, started, "portcullis", "instance.start_halted is set", "");
        }
        if latch.halt().is_none_or(|halt| halt.cause != Cause::Latch) {
            // The file has to be there before the first record, or a later start would take it for lost. A damaged one
            // stays as it is until a person has decided.
            latch.persist(started)?;
        }
        let own_uid = rustix::process::geteuid().as_raw();
        let warnings = warnings(plan, &latch, torn.as_ref());
        let actor = system_actor(own_uid);
        let entry = start_entry(plan, &latch, &warnings);
        audit
            .append(started, &actor, &entry)
            .map_err(|source| OpenError::Audit { dir: audit_dir, source })?;
        restore(backend.as_ref(), &latch, &limits);
        Ok(Self {
            instance: plan.instance.name.to_string(),
            build: env!("CARGO_PKG_VERSION").to_owned(),
            roles: plan.roles.clone(),
            own_uid,
            backend,
            clock,
            started,
            warnings,
            inner: Mutex::new(Inner { latch, limits, audit }),
            firm: FirmWord::default(),
            _lock: lock,
        })
    }
}

/// The daemon itself, where no person asked.
pub(super) fn system_actor(own_uid: u32) -> Actor {
    let pid = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
    let gid = rustix::process::getegid().as_raw();
    Actor { uid: own_uid, gid, pid, user: "portcullis".to_owned(), role: Some(Role::RiskAdmin) }
}

fn take(dir: &Path) -> Result<File, OpenError> {
    let fail = |source| OpenError::StateDir { path: dir.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(fail)?;
    let lock = File::create(dir.join("lock")).map_err(fail)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(fail(source)),
    }
}

fn warnings(plan: &Plan, latch: &LatchFile, torn: Option<&TornLine>) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(halt) = latch.halt() {
        let out = match halt.cause {
            Cause::Latch => {
                "a risk_admin ends this with `portcullisctl resume`; breakers tripped before are not known"
            }
            _ => "`portcullisctl resume` ends it",
        };
        warnings.push(format!("halted since {}: {} ({out})", halt.since, halt.reason));
    }
    if let Some(torn) = torn {
        let (bytes, kept) = (torn.bytes, torn.kept.display());
        warnings.push(format!("the audit log's last line was torn: its {bytes} bytes are kept in {kept}"));
    }
    match Directory::of_host() {
        Ok(directory) => warnings.extend(plan.roles.unknown_names(&directory).iter().map(|principal| {
            format!("[roles] names {principal}, which this host does not know: it gives nobody a role")
        })),
        Err(e) => warnings.push(format!("[roles] by name give nobody a role: {e}")),
    }
    warnings
}

fn start_entry(plan: &Plan, latch: &LatchFile, warnings: &[String]) -> Entry {
    Entry {
        action: "start",
        target: plan.instance.name.to_string(),
        before: Value::Null,
        after: json!({
            "build": env!("CARGO_PKG_VERSION"),
            "config": blake3::Hash::from_bytes(plan.digest).to_hex().as_str(),
            "halt": latch.halt(),
            "breakers": latch.entries().count(),
            "warnings": warnings,
        }),
        reason: String::new(),
        ticket: String::new(),
        result: "done".to_owned(),
    }
}

/// Puts everything latched in force. A scope that does not exist yet is introduced when it does.
fn restore(backend: &dyn Backend, latch: &LatchFile, limits: &LimitBook) {
    let scopes = latch.scopes_after(None).map(|(scope, _)| scope.clone()).chain([Scope::Firm]);
    for scope in scopes.filter(|scope| backend.knows(scope)) {
        // A backend that knows a scope and cannot set it has no open breaker for it either: the gate treats a breaker
        // that was never set as tripped.
        drop(backend.set_breaker(&scope, latch.breaker(&scope)));
    }
    for symbol in limits.changed_symbols().filter(|symbol| backend.knows(&Scope::Instrument(*symbol))) {
        drop(backend.set_limits(symbol, &limits.envelope(symbol)));
    }
}
