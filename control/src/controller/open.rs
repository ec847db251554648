//! Starting: take the state directory, read what outlives the process, put it in force, record the start.

use super::ahead::Words;
use super::few::few;
use super::front::Front;
use super::keep::{NEVER, entry};
use super::limits_ahead::LimitsAhead;
use super::lists;
use super::lists_ahead::Lists;
use super::plane::{Clock, Controller, Inner};
use super::reconciliations::Reconciliations;
use super::refusals::Refusals;
use super::system::system_actor;
use super::trail::Trail;
use crate::audit::{
    Actor, Anchor, AnchorFile, AuditError, AuditKey, AuditLog, Event, TornLine, VerifyOptions, history,
    read_anchors, verify,
};
use crate::backend::Backend;
use crate::config::{ClientMode, Plan};
use crate::names::Scope;
use crate::roles::UserDatabase;
use crate::stamp::Stamp;
use crate::state::{
    Cause, Comparison, Found, LatchFile, LimitBook, ProposalBook, SealError, Standing, StandingLimits,
    StandingTiers, StateDir, StateDirError, TierBook, reconcile, reconcile_limits,
};
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

/// Why the control plane cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The state directory cannot be had.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The audit log cannot be continued.
    #[error(
        "{source}; the appliance does not start on an audit log it cannot continue: move {} away, keep it as evidence, \
         and start again (it comes up halted then)",
        dir.display()
    )]
    Audit {
        /// The log's directory.
        dir: PathBuf,
        /// Why.
        source: AuditError,
    },
    /// The head of the new audit log cannot be noted outside it.
    #[error("audit.anchor_file: {source}")]
    Anchor {
        /// Why.
        source: AuditError,
    },
    /// The latches or limits cannot be written.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// `init` found state.
    #[error("nothing was made: {} is there already, and init is for a state directory that was never used", path.display())]
    Used {
        /// What was found.
        path: PathBuf,
    },
    /// `init` was run by somebody else than the directory's owner.
    #[error("nothing was made: {} belongs to uid {owner}; run init as that user", path.display())]
    NotOwner {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
}

impl OpenError {
    /// Whether a person has to do something before another start can end otherwise.
    #[must_use]
    pub const fn needs_a_person(&self) -> bool {
        match self {
            Self::Audit { source, .. } => {
                matches!(
                    source,
                    AuditError::Broken { .. } | AuditError::KeyMissing { .. } | AuditError::BadKey { .. }
                )
            }
            Self::Used { .. } | Self::NotOwner { .. } => true,
            Self::StateDir(StateDirError::NotOurs { .. } | StateDirError::Exposed { .. }) => true,
            Self::StateDir(_) | Self::Anchor { .. } | Self::Seal(_) => false,
        }
    }
}

/// Where everything lies.
struct Places {
    audit: PathBuf,
    key: PathBuf,
    anchors: Option<PathBuf>,
}

impl Places {
    fn of(plan: &Plan) -> Self {
        let given = |path: &Path| Some(path.to_owned()).filter(|path| !path.as_os_str().is_empty());
        let dir = &plan.instance.state_dir;
        Self {
            audit: dir.join("audit"),
            key: given(&plan.audit.key_file).unwrap_or_else(|| dir.join("audit.key")),
            anchors: given(&plan.audit.anchor_file),
        }
    }

    fn log(&self, plan: &Plan) -> Result<(AuditLog, Option<TornLine>), OpenError> {
        let segment_bytes_max = u64::from(plan.audit.segment_mib) << 20;
        AuditLog::open(&self.audit, &self.key, segment_bytes_max).map_err(|source| self.broken(source))
    }

    /// Tries to write wherever a start does: into the state directory and the audit log's, and beside a key that is still to be
    /// made.
    fn try_to_write(&self, state_dir: &Path) -> Result<(), OpenError> {
        let fail = |source| OpenError::StateDir(StateDirError::Io { path: state_dir.to_owned(), source });
        try_to_write(state_dir).map_err(fail)?;
        let denied = |dir: &Path| {
            let dir = dir.to_owned();
            move |source| self.broken(AuditError::io(&dir, "cannot be written")(source))
        };
        try_to_write(&self.audit).map_err(denied(&self.audit))?;
        let beside = self.key.parent().filter(|_| !self.key.exists());
        beside.map_or(Ok(()), |dir| try_to_write(dir).map_err(denied(dir)))
    }

    fn anchor_file(&self, plan: &Plan) -> AnchorFile {
        let (records, minutes) = (plan.audit.anchor_records, plan.audit.anchor_minutes);
        AnchorFile::new(self.anchors.clone(), records.into(), u64::from(minutes) * 60_000_000_000)
    }

    /// What `init` would write over, or into another chain's.
    fn used(&self, state_dir: &Path) -> Option<PathBuf> {
        let ours = [state_dir.join("latch.sealed"), state_dir.join("limits.sealed"), self.audit.clone()];
        let used = ours.into_iter().find(|used| fs::symlink_metadata(used).is_ok());
        // An empty file of anchors may be what a medium that can only be appended to begins with.
        let noted = |path: &&PathBuf| fs::metadata(path).is_ok_and(|found| found.len() > 0);
        used.or_else(|| self.anchors.as_ref().filter(noted).cloned())
    }

    fn broken(&self, source: AuditError) -> OpenError {
        OpenError::Audit { dir: self.audit.clone(), source }
    }
}

impl Controller {
    /// Takes the state directory of `plan`, restores latches and officers' limits into `backend`, and records the start.
    /// When this returns, everything latched before is in force again; breakers without a latch are the backend's to arm.
    ///
    /// State on disk that is damaged, missing or at odds with the audit log does not keep the appliance from starting: it
    /// starts halted, and a risk_admin ends that with `resume`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(plan: &Plan, backend: Arc<dyn Backend>, clock: Clock) -> Result<Self, OpenError> {
        let places = Places::of(plan);
        let dir = StateDir::take(&plan.instance.state_dir)?;
        let started = Stamp(clock());
        let (log, torn) = places.log(plan)?;
        let key = Some(log.key());
        let (mut latch, latch_found) = LatchFile::open(dir.path(), key);
        let (mut limits, limits_found) = LimitBook::open(dir.path(), key, plan.limits.clone());
        let (proposals, void) = ProposalBook::open(dir.path(), key, started);
        let mut judgement =
            judge(&places, (&mut latch, &latch_found), (&mut limits, &limits_found), log.records())?;
        judgement.damage.extend(anchored(&places, key));
        let tiers = TierBook::open(dir.path(), key, judgement.tiers);
        if !judgement.damage.is_empty() {
            latch.halt_for_damage(&few_of(&judgement.damage), started);
        }
        if plan.instance.start_halted {
            latch.set_halt(Cause::Boot, started, "portcullis", "instance.start_halted is set", "");
        }
        let trail = Trail::new(log, places.anchor_file(plan));
        let mut inner = Inner { dir, latch, limits, proposals, trail, retried: NEVER };
        let mut unwritten = None;
        if inner.latch.halt().is_none_or(|halt| halt.cause != Cause::Latch) {
            // A damaged or missing file stays as it is until a person has decided. What a full disk refuses is in force and owed: an
            // appliance that does not start protects nobody.
            unwritten = inner.persist_latch(started).and_then(|()| inner.persist_limits(started)).err();
        }
        let own_uid = rustix::process::geteuid().as_raw();
        let mut warnings = warnings(plan, &inner.latch, torn.as_ref());
        warnings.extend(judgement.notes);
        warnings.extend(void.map(|why| format!("proposals that waited for a second person are void: {why}")));
        warnings.extend(
            unwritten
                .map(|error| format!("what is in force could not be written, and is tried again: {error}")),
        );
        warnings.extend(record_start(plan, &mut inner, started, own_uid, &judgement.found, &warnings));
        let controller = Self {
            instance: plan.instance.name.to_string(),
            build: env!("CARGO_PKG_VERSION").to_owned(),
            roles: plan.roles.clone(),
            scopes: plan.scopes.clone(),
            clients: plan.clients.clone(),
            own_uid,
            backend,
            clock,
            started,
            warnings,
            front: Front::new(inner),
            refusals: Mutex::new(Refusals::default()),
            words: Words::default(),
            limits_ahead: LimitsAhead::default(),
            lists: Lists::new(plan),
            warn_bps: plan.warn.bps,
            tiers,
            anchor_path: places.anchors,
            four_eyes: plan.ops.four_eyes.clone(),
            reconciliations: Reconciliations::new(plan, started),
            events: OnceLock::new(),
        };
        controller.restore();
        Ok(controller)
    }

    /// Makes the state directory of `plan`: empty latches and limits, the key and the first record of the audit log. For a
    /// directory that was never used, once; from then on a start that finds any of it missing comes up halted.
    ///
    /// # Errors
    /// [`OpenError`], when there is state already or it cannot be written.
    pub fn init(plan: &Plan, now: Stamp) -> Result<(), OpenError> {
        let places = Places::of(plan);
        let path = &plan.instance.state_dir;
        let own_uid = rustix::process::geteuid().as_raw();
        if let Ok(found) = fs::metadata(path)
            && found.uid() != own_uid
        {
            return Err(OpenError::NotOwner { path: path.clone(), owner: found.uid() });
        }
        if let Some(path) = places.used(path) {
            return Err(OpenError::Used { path });
        }
        let dir = StateDir::take(path)?;
        let (mut log, _) = places.log(plan)?;
        let key = log.key().clone();
        let (mut latch, _) = LatchFile::open(dir.path(), Some(&key));
        let (mut limits, _) = LimitBook::open(dir.path(), Some(&key), plan.limits.clone());
        let users = UserDatabase::of_host().unwrap_or_default();
        let actor = Actor { user: users.user_name(own_uid), ..system_actor(own_uid) };
        let after = json!({ "build": env!("CARGO_PKG_VERSION"), "tiers": StandingTiers::none() });
        let made = entry("init", plan.instance.name.as_str(), after, "done");
        log.append(now, &actor, &made).map_err(|source| places.broken(source))?;
        let mut anchors = places.anchor_file(plan);
        anchors.begin();
        let head = Anchor { at: now, seq: log.records(), head: log.head().to_owned() };
        anchors.note(&head, &key).map_err(|source| OpenError::Anchor { source })?;
        limits.persist(now)?;
        TierBook::begin(dir.path(), Some(&key))?;
        // Last: as long as this is missing, a start comes up halted.
        latch.persist(now, log.records())?;
        Ok(())
    }

    /// Tries what a start would: reads all state, proves the end of the audit log, tries to write. Changes nothing. What it
    /// returns would be said or meant at a start, a halt among it.
    ///
    /// # Errors
    /// [`OpenError`], when a start would fail.
    pub fn check(plan: &Plan) -> Result<Vec<String>, OpenError> {
        let places = Places::of(plan);
        let dir = &plan.instance.state_dir;
        let mut said = Vec::new();
        match StateDir::look(dir) {
            Err(error @ StateDirError::InUse { .. }) => said.push(format!("{error}; a start now would fail")),
            outcome => outcome?,
        }
        places.try_to_write(dir)?;
        let key = AuditKey::read(&places.key).map_err(|source| places.broken(source))?;
        let records = AuditLog::check(&places.audit, &places.key, key.as_ref())
            .map_err(|source| places.broken(source))?;
        let (mut latch, latch_found) = LatchFile::open(dir, key.as_ref());
        let (mut limits, limits_found) = LimitBook::open(dir, key.as_ref(), plan.limits.clone());
        let mut judgement =
            judge(&places, (&mut latch, &latch_found), (&mut limits, &limits_found), records)?;
        judgement.damage.extend(anchored(&places, key.as_ref()));
        said.extend(judgement.damage.into_iter().map(|why| format!("a start would come up halted: {why}")));
        said.extend(judgement.notes);
        said.extend(TierBook::open(dir, key.as_ref(), judgement.tiers).1);
        said.extend(unknown_names(plan));
        said.extend(in_audit_mode(plan));
        Ok(said)
    }

    /// Puts everything latched in force. A scope that does not exist yet is introduced when it does.
    fn restore(&self) {
        let inner = self.lock();
        let scopes = inner.latch.scopes_after(None).map(|(scope, _)| scope.clone()).chain([Scope::Firm]);
        for scope in scopes {
            // A backend that knows a scope and cannot set it has no armed breaker for it either: the gate treats a breaker
            // that was never set as tripped.
            drop(self.push_breaker(&inner, &scope));
        }
        let backend = &self.backend;
        // As for a breaker: what cannot be restricted has no row either.
        drop(self.lists.restore(backend.as_ref()));
        for symbol in inner.limits.changed_symbols().filter(|s| backend.knows(&Scope::Instrument(*s))) {
            drop(self.push_limits(&inner, symbol));
        }
    }
}

/// Compares what was found with itself and with the audit log of `records` records. What it finds amiss is a reason to halt.
fn judge(
    places: &Places,
    (latch, latch_found): (&mut LatchFile, &Found),
    (limits, limits_found): (&mut LimitBook, &Found),
    records: u64,
) -> Result<Comparison, OpenError> {
    let dir = places.audit.parent().unwrap_or(Path::new(".")).display();
    let mut damage = Vec::new();
    if (latch_found, limits_found, records) == (&Found::Missing, &Found::Missing, 0) {
        damage.push(format!(
            "{dir} holds no state: at first use run `portcullis init`, else see whether its disk is mounted"
        ));
        return Ok(Comparison { damage, ..Comparison::default() });
    }
    for (name, found) in [("latch.sealed", latch_found), ("limits.sealed", limits_found)] {
        match found {
            Found::Whole => {}
            Found::Missing => damage.push(format!("{dir}/{name} is missing")),
            Found::Damaged(why) => damage.push(why.clone()),
        }
    }
    if records == 0 {
        damage
            .push(format!("{} is missing or empty, and the files beside it are not", places.audit.display()));
    } else if latch.audit_records() > records {
        damage.push(format!(
            "the audit log has {records} records, and had {} when the latches were written: it was cut off",
            latch.audit_records()
        ));
    }
    let (mut standing, mut set, mut tiers) =
        (Standing::default(), StandingLimits::default(), StandingTiers::default());
    let take = |event: Event| {
        standing.take(&event);
        set.take(&event);
        tiers.take(&event);
    };
    history(&places.audit, take).map_err(|source| places.broken(source))?;
    let mut compared = reconcile(latch, &standing, *latch_found == Found::Whole);
    let (looser, restored) = reconcile_limits(limits, &set, limits_found);
    damage.extend(compared.damage.into_iter().chain(looser));
    compared.notes.extend(restored);
    Ok(Comparison { damage, tiers, ..compared })
}

/// What the anchor file has against the log, when the configuration names one. That it is missing, or has no anchor in it, is as bad
/// as a disagreement: who cuts the log off takes it away.
fn anchored(places: &Places, key: Option<&AuditKey>) -> Option<String> {
    let path = places.anchors.as_ref()?;
    let anchors = match read_anchors(path, key) {
        Ok(anchors) => anchors,
        Err(error @ AuditError::Unanchored { .. }) => {
            return Some(format!("the anchors of the audit log are missing: {error}"));
        }
        Err(error) => return Some(format!("the anchors of the audit log cannot be believed: {error}")),
    };
    let options = VerifyOptions { partial: true, key: key.cloned(), anchors, ..VerifyOptions::default() };
    match verify(&places.audit, &options) {
        Ok(reply) => reply.broken.map(|at| format!("{}:{}: {}", at.file, at.line, at.problem)),
        Err(error) => Some(error.to_string()),
    }
}

/// Makes a file in `dir` and removes it again; where there is no such directory, in the one it would be made in.
fn try_to_write(dir: &Path) -> io::Result<()> {
    let is_there = |dir: &&Path| !fs::symlink_metadata(dir).is_err_and(|e| e.kind() == ErrorKind::NotFound);
    let here = Path::new(".");
    let named = |dir: &Path| if dir.as_os_str().is_empty() { here.to_owned() } else { dir.to_owned() };
    let found = dir.ancestors().find(is_there).map_or_else(|| here.to_owned(), named);
    let path = found.join(format!(".check-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)
}

fn unknown_names(plan: &Plan) -> Vec<String> {
    match UserDatabase::of_host() {
        Ok(users) => {
            let unknown = plan.roles.unknown_names(&users).into_iter();
            unknown
                .map(|principal| {
                    format!(
                        "[roles] names {principal}, which this host does not know: it gives nobody a role"
                    )
                })
                .collect()
        }
        Err(e) => vec![format!("[roles] by name give nobody a role: {e}")],
    }
}

/// What is to be said of clients in audit mode.
fn in_audit_mode(plan: &Plan) -> impl Iterator<Item = String> {
    let audits = plan.clients.iter().filter(|(_, client)| client.mode == ClientMode::Audit);
    audits.map(|(name, _)| {
        format!("client {name} is in audit mode: no limit stops its orders, only halts of a person")
    })
}

fn warnings(plan: &Plan, latch: &LatchFile, torn: Option<&TornLine>) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(halt) = latch.halt() {
        let out = match halt.cause {
            Cause::Latch => {
                "a risk_admin ends this with `portcullisctl resume`, having made sure of breakers and limits"
            }
            Cause::Officer | Cause::Model | Cause::Boot | Cause::Executions => {
                "`portcullisctl resume` ends it"
            }
        };
        warnings.push(format!("halted since {}: {} ({out})", halt.since, halt.reason));
    }
    if let Some(torn) = torn {
        let (bytes, kept) = (torn.bytes, torn.kept.display());
        warnings.push(format!("the audit log's last line was torn: its {bytes} bytes are kept in {kept}"));
    }
    warnings.extend(unknown_names(plan));
    warnings.extend(in_audit_mode(plan));
    warnings
}

/// What a record says of things of which there may be one for each instrument: the first few, and how many more there are.
fn few_of(said: &[String]) -> String {
    const FEW: usize = 5;
    const CHARS_MAX: usize = 600;
    let cut = |text: &String| text.chars().take(CHARS_MAX).collect::<String>();
    few(said.iter().map(cut), FEW, " of the kind (the daemon's log has all)").join("; ")
}

/// Records what was found without a record, then the start. Where that cannot be written it is owed, the firm is halted, and what is
/// given says why.
fn record_start(
    plan: &Plan,
    inner: &mut Inner,
    started: Stamp,
    own_uid: u32,
    found: &std::collections::BTreeSet<Scope>,
    warnings: &[String],
) -> Option<String> {
    let actor = system_actor(own_uid);
    let found = found
        .iter()
        .map(|scope| entry("latch.found", &scope.to_string(), json!(inner.latch.of(scope)), "done"));
    let mut entries: Vec<_> = found.collect();
    let after = json!({
        "build": env!("CARGO_PKG_VERSION"),
        "config": blake3::Hash::from_bytes(plan.digest).to_hex().as_str(),
        "halt": inner.latch.halt(),
        "breakers": inner.latch.entries().count(),
        "warnings": few_of(warnings),
        "restricted": lists::restricted_word(&plan.restricted),
        "locates": lists::locates_word(&plan.locates),
    });
    let start = entry("start", plan.instance.name.as_str(), after, "done");
    entries.push(start);
    let error = inner.trail.append_or_owe(started, &actor, entries).err()?;
    let reason = format!("the start could not be recorded in the audit log: {error}");
    inner.latch.set_halt(Cause::Boot, started, "portcullis", &reason, "");
    // Whatever it says to that is owed, too.
    let _ = inner.persist_latch(started);
    Some(format!("{reason}; everything is halted until a person resumes"))
}
