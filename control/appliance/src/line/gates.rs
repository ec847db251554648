//! The gates of a desk, each with the writing ends of its tables.

use super::declared::Declared;
use super::desk::{COUNTERS, Desk};
use super::gate_tables::{GateSet, ModelTables, QuoteTable, Readers, SharedMemory};
use super::names::NameTable;
use super::notes::VerdictRecord;
use super::outlet::Outlet;
use super::spec::DeskSpec;
use anyhow::Result;
use control::config::Plan;
use gate::{BreakerWriter, StaticWriter};
use stage::{CounterReader, HopHistogram, counters};

/// All of them, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Gates {
    pub(crate) desks: Vec<Desk>,
    pub(crate) sets: Vec<Tables>,
    pub(crate) counts: Vec<CounterReader>,
    pub(crate) memory: Vec<(String, usize)>,
}

/// The tables of one gate.
pub(crate) struct Tables {
    pub(crate) quotes: QuoteTable,
    pub(crate) model: Option<ModelTables>,
    pub(crate) statics: StaticWriter,
    pub(crate) declared: Declared,
    pub(crate) breakers: BreakerWriter,
    pub(crate) readers: Readers,
    pub(crate) names: NameTable,
    pub(crate) shared: Option<SharedMemory>,
}

/// What measures a gate's publications, and its decisions.
pub(crate) struct GateHops {
    pub(crate) publish: HopHistogram,
    pub(crate) decision: HopHistogram,
}

impl Gates {
    /// Makes one, whose verdicts go to `log`.
    ///
    /// # Errors
    /// Tables that cannot be made in that size, or a route to them that cannot.
    pub(crate) fn add(
        &mut self,
        plan: &Plan,
        spec: DeskSpec,
        log: Outlet<VerdictRecord>,
        hops: Option<GateHops>,
    ) -> Result<()> {
        let DeskSpec { accounts, strategies, listens, names, source, route, shared, .. } = spec;
        let set = GateSet::new(plan, accounts, strategies, listens, shared)?;
        let GateSet { gate, quotes, mut model, statics, declared, breakers, readers, shared, memory } = set;
        let route = match (route, &shared) {
            (Some(make), Some(shared)) => Some(make(shared)?),
            (Some(_), None) => anyhow::bail!("a gateway's order thread reads tables that are not shared"),
            (None, _) => None,
        };
        let mut decision = None;
        if let Some(hops) = hops {
            if let Some(model) = &mut model {
                model.measure(hops.publish);
            }
            decision = Some(hops.decision);
        }
        let (reader, cells) = counters("desk", COUNTERS);
        let desk_readers = readers.clone();
        self.desks.push(Desk { gate, readers: desk_readers, source, route, log, counters: cells, decision });
        self.sets.push(Tables { quotes, model, statics, declared, breakers, readers, names, shared });
        self.counts.push(reader);
        self.memory.extend(memory);
        Ok(())
    }
}
