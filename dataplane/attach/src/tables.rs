//! The tables that the daemon writes and order processes read: a gate's, and the names of instruments beside them.

use crate::clock::DaemonClock;
use crate::mapping::Mapping;
use control::protocol::{GrantRules, GrantShape};
use gate::{GateTables, Memory as _, QUOTA_ROWS, QuotaRow, RefRules, TableError, TableShape, TableWriters};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use types::{InstrumentId, Nanos, Px, Symbol, TickStep, TickTable};

/// The name of each instrument by its number, as the feed gives them; 0 where there is none yet.
#[derive(Clone, Copy, Debug)]
pub struct InstrumentNames(&'static [AtomicU64]);

impl InstrumentNames {
    /// The number of `symbol`, once the feed has named it. Walks the list: for the start of day, not for each order.
    #[must_use]
    pub fn find(&self, symbol: Symbol) -> Option<InstrumentId> {
        let word = symbol.to_word();
        let at = self.0.iter().position(|name| name.load(Ordering::Acquire) == word)?;
        u32::try_from(at).ok().filter(|_| word != 0).map(InstrumentId)
    }

    /// The name of an instrument.
    #[must_use]
    pub fn get(&self, instrument: InstrumentId) -> Option<Symbol> {
        let word = self.0.get(instrument.index())?.load(Ordering::Acquire);
        (word != 0).then(|| Symbol::from_word(word))
    }

    /// Writes the name of an instrument; the daemon does. One beyond the list has no name, and no row of any table.
    pub fn define(&self, instrument: InstrumentId, symbol: Symbol) {
        if let Some(name) = self.0.get(instrument.index()) {
            name.store(symbol.to_word(), Ordering::Release);
        }
    }
}

/// Bytes that no table needs more of for an instrument of one class.
const BYTES_PER_ROW: usize = 4_096;

/// Bytes for what there is once.
const BYTES_ONCE: usize = 1 << 20;

/// Tables in shared memory, for their writer.
#[derive(Debug)]
pub struct SharedTables {
    /// Who writes them.
    pub writers: TableWriters,
    /// The daemon's own view.
    pub tables: GateTables,
    /// The names of instruments.
    pub names: InstrumentNames,
    /// The daemon's clock.
    pub clock: DaemonClock,
    /// What clients may use of divided limits.
    pub quotas: &'static [QuotaRow],
    /// The number that both sides must get when they lay the tables out.
    pub layout: u64,
    /// The memory, for readers elsewhere.
    pub memory: OwnedFd,
}

impl SharedTables {
    /// Makes the tables of `shape`.
    ///
    /// # Errors
    /// What the system says, and a shape that is none.
    pub fn create(shape: &TableShape, rules: &RefRules<'_>) -> io::Result<Self> {
        let rows = shape.instruments.saturating_mul(shape.classes.max(1));
        let bytes = rows.saturating_mul(BYTES_PER_ROW).saturating_add(BYTES_ONCE);
        let (mut mapping, file) = Mapping::create("portcullis-tables", bytes)?;
        let told = |error: TableError| io::Error::new(io::ErrorKind::OutOfMemory, error.to_string());
        let names = InstrumentNames(mapping.rows(shape.instruments).map_err(|e| told(e.into()))?);
        let clock = DaemonClock::of(mapping.rows(DaemonClock::WORDS).map_err(|e| told(e.into()))?)?;
        let quotas = mapping.rows(QUOTA_ROWS).map_err(|e| told(e.into()))?;
        let (writers, tables) = GateTables::create_in(&mut mapping, shape, rules).map_err(told)?;
        let layout = mapping.layout();
        Ok(Self { writers, tables, names, clock, quotas, layout, memory: mapping.seal(file)? })
    }
}

/// What an order process finds in memory that the daemon writes.
pub(crate) struct Opened {
    pub(crate) tables: GateTables,
    pub(crate) names: InstrumentNames,
    pub(crate) clock: DaemonClock,
    pub(crate) quotas: &'static [QuotaRow],
}

/// Lays out the tables of `shape` in it.
pub(crate) fn open(
    memory: &OwnedFd,
    shape: &TableShape,
    rules: &RefRules<'_>,
    layout: u64,
) -> io::Result<Opened> {
    let mut mapping = Mapping::open(memory)?;
    let told = |error: TableError| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
    let names = InstrumentNames(mapping.rows(shape.instruments).map_err(|e| told(e.into()))?);
    let clock = DaemonClock::of(mapping.rows(DaemonClock::WORDS).map_err(|e| told(e.into()))?)?;
    let quotas = mapping.rows(QUOTA_ROWS).map_err(|e| told(e.into()))?;
    let tables = GateTables::attach(&mut mapping, shape, rules).map_err(told)?;
    if mapping.layout() != layout {
        let what = format!(
            "tables of layout {layout:x}, wanted {:x}: the daemon is another build",
            mapping.layout()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(Opened { tables, names, clock, quotas })
}

/// The shape as it is granted.
#[must_use]
pub fn shape_of(shape: GrantShape) -> TableShape {
    let GrantShape { instruments, classes, accounts, strategies, dynamics, fat_finger, locates } = shape;
    TableShape {
        instruments: instruments as usize,
        classes: classes.into(),
        accounts,
        strategies,
        dynamics,
        fat_finger,
        locates,
    }
}

/// The tables of ticks as they are granted; none when one of them is none.
pub(crate) fn tick_tables(rules: &GrantRules) -> Option<Vec<TickTable>> {
    let table = |steps: &Vec<(i64, i64)>| {
        let steps: Vec<_> =
            steps.iter().map(|(from, tick)| TickStep { from: Px(*from), tick: Px(*tick) }).collect();
        TickTable::new(&steps).ok()
    };
    rules.tick_tables.iter().map(table).collect()
}

/// What an order process needs of the rules of reference prices. How references are made is their writer's.
pub(crate) fn ref_rules<'a>(rules: &GrantRules, tick_tables: &'a [TickTable]) -> RefRules<'a> {
    RefRules {
        mid_spread_max_bps: RefRules::DEFAULT.mid_spread_max_bps,
        last_age_max: Nanos(rules.last_age_max_ns),
        period: Nanos(rules.period_ns),
        period_collar_bps: rules.period_collar_bps,
        tick_tables,
    }
}
