//! The quotas of clients: words that they read, of limits that several share, and a file beside the journals that says what each may hold.
//!
//! A process may go on by the words of a daemon that is gone, and what it left open may be worth as much as it was given. The file is on
//! disk before a word is raised, so that it never says less than anybody holds; the next daemon counts it for every client until it knows
//! what that uses, and for a process that it finds running until that is gone.

use super::division::{Division, Part, Standing};
use crate::line::levels::{clients_of, groups_of};
use control::backend::QuotaView;
use control::config::Plan;
use control::names::{Name, Scope};
use control::{QuotaFile, SealError};
use gate::{QUOTA_LIMITS, QuotaRow, QuotaWriter, Quotas as Rows, UNDIVIDED};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use types::{Nanos, UnixNanos};

/// Periods for which words hold without being renewed.
const LEASE_PERIODS: u64 = 5;

/// The keys of the limits that are divided, in the order of their words.
pub(super) const KEYS: [&str; QUOTA_LIMITS] =
    ["max_gross", "max_net", "max_instrument", "credit", "max_loss"];

/// What a client uses of each limit of a group.
pub(super) type Used = [Option<u64>; QUOTA_LIMITS];

/// A client's words.
struct Holder {
    writer: QuotaWriter,
    first: u32,
    /// In the order of its grant.
    groups: Vec<Scope>,
}

/// A limit and whose it is.
struct Divided {
    clients: Vec<Name>,
    division: Division,
}

/// The most that each client held of each limit of a group.
#[derive(Default, Serialize, Deserialize)]
struct Kept(BTreeMap<Name, BTreeMap<String, [u64; QUOTA_LIMITS]>>);

impl Kept {
    fn get(&self, client: &Name, scope: &Scope, limit: usize) -> Option<u64> {
        self.0.get(client)?.get(&scope.to_string())?.get(limit).copied()
    }
}

/// All of them.
pub(super) struct Quotas {
    holders: BTreeMap<Name, Holder>,
    divided: BTreeMap<(Scope, usize), Divided>,
    file: QuotaFile,
    period: Nanos,
    due: UnixNanos,
    /// Who was told that nothing is left for it.
    told: BTreeSet<(Scope, usize, Name)>,
    /// Why the file cannot be written, as it was last told.
    failing: Option<String>,
}

impl Quotas {
    /// Those of `plan`, where it has a limit that several clients share. Nobody is given anything yet, and each counts for what it was
    /// given before: processes `run` by the words of another daemon. Gives what is to be told.
    pub(super) fn new(
        plan: &Plan,
        rows: &'static [QuotaRow],
        path: PathBuf,
        runs: &BTreeSet<Name>,
    ) -> (Option<Self>, Option<String>) {
        let divided = divided(plan);
        if divided.is_empty() {
            return (None, None);
        }
        let file = QuotaFile::at(path);
        let (kept, wrong) = match file.read::<Kept>() {
            Ok(kept) => (kept.unwrap_or_default(), None),
            Err(error) => (Kept::default(), Some(error.to_string())),
        };
        let mut quotas = Self {
            holders: holders(plan, rows, &divided),
            divided,
            file,
            period: Nanos(u64::from(plan.orders.quota_ms) * 1_000_000),
            due: UnixNanos(0),
            told: BTreeSet::new(),
            failing: None,
        };
        let is_unknown =
            |client: &Name| !kept.0.contains_key(client) && (wrong.is_some() || runs.contains(client));
        for ((scope, limit), Divided { clients, division }) in &mut quotas.divided {
            let (whole, equal) = (division.limit, division.equal());
            for (client, part) in clients.iter().zip(&mut division.parts) {
                // Of one that runs and is not in the file it may be all; else it was never given more than its equal part.
                let never = || if is_unknown(client) { whole } else { equal };
                part.held =
                    kept.get(client, scope, *limit).filter(|held| *held != UNDIVIDED).unwrap_or_else(never);
            }
        }
        let unknown: Vec<_> =
            quotas.holders.keys().filter(|client| is_unknown(client)).map(Name::to_string).collect();
        let told = (!unknown.is_empty()).then(|| {
            let why = wrong.unwrap_or_else(|| format!("{} does not say", quotas.file.path().display()));
            format!(
                "warning: what {} may hold of shared limits is not known ({why}): nobody else is given anything of them until that is known",
                unknown.join(", ")
            )
        });
        (Some(quotas), told)
    }

    /// Where the words of a client begin; none of one that shares nothing.
    pub(super) fn first_row(&self, client: &Name) -> Option<u32> {
        self.holders.get(client).map(|holder| holder.first)
    }

    /// The clients that share something.
    pub(super) fn clients(&self) -> Vec<Name> {
        self.holders.keys().cloned().collect()
    }

    /// Whether it is time to divide anew.
    pub(super) fn is_due(&self, now: UnixNanos) -> bool {
        now >= self.due
    }

    /// How a client stands, and what it uses of each group.
    pub(super) fn note(&mut self, client: &Name, standing: Standing, used: impl Fn(&Scope) -> Used) {
        let mut used = once_a_scope(used);
        for (scope, limit, division, at) in divisions_of(&mut self.divided, client) {
            division.note(at, standing, used(scope)[limit]);
        }
    }

    /// Works out the next division, and lowers words; whose rings are to be read to their ends.
    pub(super) fn lower(&mut self, now: UnixNanos) -> BTreeSet<Name> {
        self.due = UnixNanos(now.0.saturating_add(self.period.0));
        let mut lowered = BTreeSet::new();
        for Divided { clients, division } in self.divided.values_mut() {
            division.plan();
            lowered.extend(division.lower().into_iter().filter_map(|at| clients.get(at).cloned()));
        }
        lowered.iter().for_each(|client| self.write(client));
        lowered
    }

    /// All that a client did by higher words was taken; none where nobody knows what that comes to.
    pub(super) fn seen(&mut self, client: &Name, used: impl Fn(&Scope) -> Used) {
        let mut used = once_a_scope(used);
        for (scope, limit, division, at) in divisions_of(&mut self.divided, client) {
            division.seen(at, used(scope)[limit]);
        }
    }

    /// Gives what is left, once the file says so; renews what everybody has. Gives what is to be told.
    pub(super) fn raise(&mut self, now: UnixNanos) -> Vec<String> {
        let before: Vec<Vec<Part>> = self.divided.values().map(|of| of.division.parts.clone()).collect();
        let mut raised = BTreeSet::new();
        for Divided { clients, division } in self.divided.values_mut() {
            raised.extend(division.raise().into_iter().filter_map(|at| clients.get(at).cloned()));
        }
        let failed = if raised.is_empty() { None } else { self.keep().err() };
        if failed.is_some() {
            // The next daemon would not know of it.
            for (divided, before) in self.divided.values_mut().zip(before) {
                divided.division.parts = before;
            }
        } else {
            raised.iter().for_each(|client| self.write(client));
        }
        let end = UnixNanos(now.0.saturating_add(self.period.0.saturating_mul(LEASE_PERIODS)));
        self.holders.values_mut().for_each(|holder| holder.writer.renew(end));
        self.told(failed.map(|error| error.to_string()))
    }

    /// What is new to tell.
    fn told(&mut self, failed: Option<String>) -> Vec<String> {
        let mut said = Vec::new();
        if failed != self.failing {
            said.push(match &failed {
                Some(why) => format!("warning: no quota is raised: {why}"),
                None => format!("quotas are raised again: {} is written", self.file.path().display()),
            });
            self.failing = failed;
        }
        let mut now = BTreeSet::new();
        for ((scope, limit), Divided { clients, division }) in &self.divided {
            let at_end = (0..).zip(clients).filter(|(at, _)| division.is_at_its_end(*at));
            now.extend(at_end.map(|(_, client)| (scope.clone(), *limit, client.clone())));
        }
        said.extend(now.difference(&self.told).map(|(scope, limit, client)| {
            format!(
                "warning: {client} is at its quota of {} of {scope}, and nothing is left for it",
                KEYS[*limit]
            )
        }));
        self.told = now;
        said
    }

    /// Writes the words of a client as they are to be.
    fn write(&mut self, client: &Name) {
        let Some(holder) = self.holders.get_mut(client) else { return };
        for (scope, limit, division, at) in divisions_of(&mut self.divided, client) {
            if let Some(group) = holder.groups.iter().position(|group| group == scope) {
                holder.writer.set(group, limit, division.parts[at].word);
            }
        }
        holder.writer.publish();
    }

    fn keep(&self) -> Result<(), SealError> {
        let mut kept = Kept::default();
        for ((scope, limit), Divided { clients, division }) in &self.divided {
            for (client, part) in clients.iter().zip(&division.parts) {
                let groups = kept.0.entry(client.clone()).or_default();
                groups.entry(scope.to_string()).or_insert([UNDIVIDED; QUOTA_LIMITS])[*limit] = part.held;
            }
        }
        self.file.write(&kept)
    }

    /// What everybody has of what is divided.
    pub(super) fn views(&self) -> Vec<QuotaView> {
        let of = |((scope, limit), divided): (&(Scope, usize), &Divided)| {
            let views = divided.clients.iter().zip(&divided.division.parts).map(|(client, part)| QuotaView {
                client: client.clone(),
                scope: scope.clone(),
                limit: KEYS[*limit],
                quota: part.held,
                used: part.used,
            });
            views.collect::<Vec<_>>()
        };
        self.divided.iter().flat_map(of).collect()
    }
}

/// Everything that a client shares, and its place there.
fn divisions_of<'a>(
    divided: &'a mut BTreeMap<(Scope, usize), Divided>,
    client: &'a Name,
) -> impl Iterator<Item = (&'a Scope, usize, &'a mut Division, usize)> {
    divided.iter_mut().filter_map(move |((scope, limit), Divided { clients, division })| {
        let at = clients.iter().position(|of| of == client)?;
        Some((scope, *limit, division, at))
    })
}

/// `used`, which walks all that is held, once for the limits of a scope, which come one after the other.
fn once_a_scope(used: impl Fn(&Scope) -> Used) -> impl FnMut(&Scope) -> Used {
    let mut last: Option<(Scope, Used)> = None;
    move |scope| match &last {
        Some((of, known)) if of == scope => *known,
        Some(_) | None => {
            let found = used(scope);
            last = Some((scope.clone(), found));
            found
        }
    }
}

/// Whether a limit of `plan` is shared by several clients.
pub(super) fn has_divided(plan: &Plan) -> bool {
    !divided(plan).is_empty()
}

/// The limits that several clients share.
fn divided(plan: &Plan) -> BTreeMap<(Scope, usize), Divided> {
    let (scopes, groups, _) = groups_of(plan, plan.scopes.strategies.keys());
    let mut divided = BTreeMap::new();
    for (scope, group) in scopes.into_iter().zip(groups) {
        let clients: Vec<Name> = clients_of(plan, &scope).cloned().collect();
        for (limit, most) in group.divisible().into_iter().enumerate() {
            if clients.len() > 1 && most != UNDIVIDED {
                let division = Division::new(most, clients.len());
                divided.insert((scope.clone(), limit), Divided { clients: clients.clone(), division });
            }
        }
    }
    divided
}

/// The words of every client that shares something: nothing of what is shared, and no word of what is not.
fn holders(
    plan: &Plan,
    rows: &'static [QuotaRow],
    divided: &BTreeMap<(Scope, usize), Divided>,
) -> BTreeMap<Name, Holder> {
    let (mut holders, mut first) = (BTreeMap::new(), 0);
    for (name, client) in &plan.clients {
        let strategies: BTreeSet<&Name> = client.strategies.iter().collect();
        let (groups, _, _) = groups_of(plan, strategies.into_iter());
        let shares = |scope: &Scope, limit| divided.contains_key(&(scope.clone(), limit));
        if !groups.iter().any(|scope| (0..QUOTA_LIMITS).any(|limit| shares(scope, limit))) {
            continue;
        }
        // There are rows for as many names as there can be; a client without any has its grant refused, and no more than that.
        let Some(own) = Rows::of(rows, first, groups.len()) else { continue };
        let mut writer = QuotaWriter::new(own);
        for (group, scope) in groups.iter().enumerate() {
            for limit in (0..QUOTA_LIMITS).filter(|limit| !shares(scope, *limit)) {
                writer.set(group, limit, UNDIVIDED);
            }
        }
        let at = u32::try_from(first).unwrap_or(u32::MAX);
        first += 1 + groups.len();
        holders.insert(name.clone(), Holder { writer, first: at, groups });
    }
    holders
}

#[cfg(test)]
#[path = "quotas_tests.rs"]
mod tests;
