//! The gate of an order process as the daemon follows it: made of the process's own records, in numbers of its own, so that it
//! outlives the process, the daemon, and any numbering of instruments, strategies and accounts.

use super::halt::{Halt, sent_by};
use super::journal::Block;
use super::named::NamedOrder;
use super::quotas::Used;
use super::steps::{DOUBT, counts, is_mere_doubt, time_of};
use anyhow::Result;
use attach::record::{Entry, Record};
use control::names::{Name, Scope};
use gate::{
    AccountId, Exposure, Gate, GateConfig, GateTables, OpenOrder, Private, QUOTA_LIMITS, RefRules, Step,
    StrategyId, TableShape,
};
use std::collections::{BTreeMap, BTreeSet};
use types::{InstrumentId, Symbol, UnixNanos};

/// Names in the order in which they came.
#[derive(Debug, Default)]
struct Numbered<K> {
    names: Vec<K>,
    numbers: BTreeMap<K, usize>,
    most: usize,
}

impl<K: Ord + Clone> Numbered<K> {
    fn with_room_for(most: usize) -> Self {
        Self { names: Vec::new(), numbers: BTreeMap::new(), most }
    }

    /// The number of a name, which is new where it has none; none when there is no more room.
    fn number(&mut self, name: &K) -> Option<usize> {
        if let Some(number) = self.numbers.get(name) {
            return Some(*number);
        }
        let number = self.names.len();
        (number < self.most).then(|| {
            self.names.push(name.clone());
            self.numbers.insert(name.clone(), number);
            number
        })
    }
}

/// What the numbers of the moment are.
pub(super) struct Numbering<'a> {
    pub(super) instrument: &'a dyn Fn(Symbol) -> Option<InstrumentId>,
    pub(super) strategy: &'a dyn Fn(&Name) -> Option<StrategyId>,
    pub(super) account: &'a dyn Fn(&Name) -> Option<AccountId>,
}

/// A process's gate.
pub(super) struct Mirror {
    gate: Gate,
    instruments: Numbered<Symbol>,
    strategies: Numbered<Name>,
    accounts: Numbered<Name>,
    /// What the process's numbers mean.
    strategy_of: BTreeMap<StrategyId, StrategyId>,
    account_of: BTreeMap<AccountId, AccountId>,
    /// All is in doubt already: another doubt changes nothing.
    doubted: bool,
    /// Up to which number the stops of strategies are in their breakers.
    taken: BTreeMap<StrategyId, u32>,
    /// When orders were let out, for people: of those that are open, and of some that are not.
    since: BTreeMap<u64, UnixNanos>,
    /// What becomes of the orders in the scopes that persons have closed.
    pub(super) halts: Vec<Halt>,
    /// What the groups of its gate are.
    pub(super) groups: Vec<Scope>,
}

/// A position that a person sets, in the mirror's own numbers.
pub(super) struct Setting {
    strategy: (u16, Name),
    account: (u16, Name),
    symbol: Symbol,
    position: i64,
}

impl Setting {
    /// What the journal says of it, at record `number`.
    pub(super) fn blocks(self, number: u64, at: UnixNanos) -> [Block; 3] {
        let Self { strategy, account, symbol, position } = self;
        let step = Step::Positioned {
            instrument: InstrumentId(0),
            strategy: StrategyId(strategy.0),
            account: AccountId(account.0),
            position,
        };
        let record = Record { number, at, symbol: Some(symbol), entry: Entry::Step(step) };
        [Block::Strategy(strategy.0, strategy.1), Block::Account(account.0, account.1), Block::Record(record)]
    }
}

/// The largest position that a gate holds, either way.
const POSITION_MAX: i64 = 1 << 60;

/// Times that are remembered beside those of the open orders.
const TIMES_BESIDE: usize = 4_096;

/// Takes a small number where the names of a configuration are counted.
fn small(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

impl Mirror {
    /// A gate that has done nothing, with room for so many of each. `config` says the rest.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn new(config: &GateConfig<'_>, instruments: usize) -> Result<Self> {
        let strategies = config.strategies.len();
        let shape = TableShape {
            // One more than can be named.
            instruments: instruments + 1,
            classes: 1,
            accounts: config.accounts,
            strategies: small(strategies),
            dynamics: false,
            fat_finger: false,
            locates: false,
        };
        let (_, tables) = GateTables::create_in(&mut Private, &shape, &RefRules::DEFAULT)?;
        Ok(Self {
            gate: Gate::new(config, tables)?,
            instruments: Numbered::with_room_for(instruments),
            strategies: Numbered::with_room_for(strategies),
            accounts: Numbered::with_room_for(config.accounts.into()),
            strategy_of: BTreeMap::new(),
            account_of: BTreeMap::new(),
            doubted: false,
            taken: BTreeMap::new(),
            since: BTreeMap::new(),
            halts: Vec::new(),
            groups: Vec::new(),
        })
    }

    /// Follows one block. What cannot be followed puts every position in doubt.
    pub(super) fn take(&mut self, block: &Block) {
        match block {
            Block::Record(record) => {
                if self.take_record(record).is_none() {
                    self.doubt();
                }
            }
            Block::Strategy(number, name) => {
                if let Some(own) = self.strategies.number(name) {
                    self.strategy_of.insert(StrategyId(*number), StrategyId(small(own)));
                }
            }
            Block::Account(number, name) => {
                if let Some(own) = self.accounts.number(name) {
                    self.account_of.insert(AccountId(*number), AccountId(small(own)));
                }
            }
            Block::Lost(_) => self.doubt(),
            Block::Ring(_) | Block::Clean | Block::Taken { .. } => {}
        }
    }

    fn take_record(&mut self, record: &Record) -> Option<()> {
        let mut step = match record.entry {
            Entry::Sent { step, .. } | Entry::Step(step) | Entry::Untimed(step) => step,
            Entry::Refused { .. } | Entry::Breaks { .. } => return Some(()),
        };
        let (instrument, strategy, account) = step.names_mut();
        if let Some(instrument) = instrument {
            let own = self.instruments.number(&record.symbol?)?;
            *instrument = InstrumentId(u32::try_from(own).ok()?);
        }
        if let Some(strategy) = strategy {
            *strategy = *self.strategy_of.get(strategy)?;
        }
        if let Some(account) = account {
            *account = *self.account_of.get(account)?;
        }
        if matches!(step, Step::Positioned { .. }) {
            self.doubted = false;
        }
        if let Step::Sent(sent) | Step::Replaced { sent, .. } = &step {
            self.remember(sent.order.cl_ord_id, sent.at);
        }
        if let Step::StopTaken { strategy, count } = step {
            self.taken.insert(strategy, count);
        }
        if !matches!(record.entry, Entry::Untimed(_)) {
            self.gate.follow_time(record.at);
        }
        if let Step::Settled(event) = step {
            let settled = self.gate.settle(event);
            self.halts.iter_mut().for_each(|halt| halt.settled(event, settled, record.at));
            return Some(());
        }
        self.gate.restore(&step).ok()?;
        if let Some((id, replaced)) = sent_by(&step).filter(|_| !self.halts.is_empty()) {
            self.note_sent(id, replaced);
        }
        Some(())
    }

    /// An order was let out while something is closed: before the word was seen, or in another scope.
    fn note_sent(&mut self, id: u64, replaced: Option<u64>) {
        let open = self.open_orders();
        let order = open.iter().find(|order| order.order.id == id);
        let within: Vec<bool> =
            self.halts.iter().map(|halt| order.is_some_and(|order| order.is_within(&halt.scope))).collect();
        for (halt, is_within) in self.halts.iter_mut().zip(within) {
            halt.sent(id, replaced, is_within);
        }
    }

    /// Strategies that were stopped more often than was taken over, and how often.
    pub(super) fn stops(&self) -> Vec<(Name, u32)> {
        let stops = |(number, name): (u16, &Name)| {
            let (strategy, taken) = (StrategyId(number), self.taken.get(&StrategyId(number)));
            let count = self.gate.repeat_stops(strategy);
            (count != taken.copied().unwrap_or(0)).then(|| (name.clone(), count))
        };
        (0..).zip(&self.strategies.names).filter_map(stops).collect()
    }

    /// Up to which number a strategy's stops were taken over.
    pub(super) fn taken_stops(&self, strategy: &Name) -> u32 {
        let number = self.strategies.numbers.get(strategy).map(|number| StrategyId(small(*number)));
        number.and_then(|number| self.taken.get(&number)).copied().unwrap_or(0)
    }

    /// What the journal says of stops that were taken over, in the process's own number of the strategy; none of one it has not named.
    pub(super) fn stop_taken(
        &self,
        strategy: &Name,
        count: u32,
        (number, at): (u64, UnixNanos),
    ) -> Option<Block> {
        let own = StrategyId(small(*self.strategies.numbers.get(strategy)?));
        let (strategy, _) = self.strategy_of.iter().find(|(_, to)| **to == own)?;
        let entry = Entry::Step(Step::StopTaken { strategy: *strategy, count });
        Some(Block::Record(Record { number, at, symbol: None, entry }))
    }

    /// Remembers when an order was let out, and forgets orders that are long done.
    fn remember(&mut self, id: u64, at: UnixNanos) {
        if self.since.len() >= self.gate.open_order_count().saturating_mul(2) + TIMES_BESIDE {
            let open: BTreeSet<u64> = self.gate.open_orders().map(|order| order.id).collect();
            self.since.retain(|id, _| open.contains(id));
        }
        self.since.insert(id, at);
    }

    /// Makes names known that may not have been used yet.
    pub(super) fn know<'a>(
        &mut self,
        strategies: impl IntoIterator<Item = &'a Name>,
        accounts: impl IntoIterator<Item = &'a Name>,
    ) {
        strategies.into_iter().for_each(|name| _ = self.strategies.number(name));
        accounts.into_iter().for_each(|name| _ = self.accounts.number(name));
    }

    /// The books of gate and venue may differ, and nobody knows where.
    fn doubt(&mut self) {
        if !core::mem::replace(&mut self.doubted, true) {
            // It cannot fail: the step names nothing.
            let _ = self.gate.restore(&DOUBT);
        }
    }

    /// The name behind a number of the process's.
    pub(super) fn strategy(&self, number: StrategyId) -> Option<&Name> {
        self.strategies.names.get(usize::from(self.strategy_of.get(&number)?.0))
    }

    /// As [`Mirror::strategy`].
    pub(super) fn account(&self, number: AccountId) -> Option<&Name> {
        self.accounts.names.get(usize::from(self.account_of.get(&number)?.0))
    }

    /// Orders that are open.
    pub(super) fn open_order_count(&self) -> usize {
        self.gate.open_order_count()
    }

    /// The account, where there is one alone.
    pub(super) fn only_account(&self) -> Option<&Name> {
        self.accounts.names.first().filter(|_| self.accounts.names.len() == 1)
    }

    /// What is held, works or is in doubt, in order of strategy and instrument.
    pub(super) fn held(&self) -> Vec<(&Name, Symbol, Exposure)> {
        let mut held = Vec::new();
        for (strategy, name) in (0..).zip(&self.strategies.names) {
            for (instrument, symbol) in (0..).zip(&self.instruments.names) {
                let found = self.gate.exposure(InstrumentId(instrument), StrategyId(strategy));
                held.extend(
                    found.filter(|held| *held != Exposure::default()).map(|held| (name, *symbol, held)),
                );
            }
        }
        held.sort_unstable_by_key(|(strategy, symbol, _)| (*strategy, *symbol));
        held
    }

    /// What a strategy holds in an instrument, be it that nobody has named them yet.
    pub(super) fn exposure(&self, strategy: &Name, symbol: Symbol) -> Exposure {
        let instrument = self.instruments.numbers.get(&symbol).copied();
        // What was never named is as the place behind all names.
        let instrument = instrument.unwrap_or(self.instruments.most);
        let numbers = u32::try_from(instrument).ok().zip(self.strategies.numbers.get(strategy));
        let held = numbers.and_then(|(instrument, strategy)| {
            self.gate.exposure(InstrumentId(instrument), StrategyId(small(*strategy)))
        });
        held.unwrap_or_default()
    }

    /// Whether anything that it holds, or may hold, is in doubt.
    pub(super) fn in_doubt(&self) -> bool {
        let behind = u32::try_from(self.instruments.most).unwrap_or(u32::MAX);
        let of = |strategy| self.gate.exposure(InstrumentId(behind), strategy).is_some_and(|e| e.in_doubt);
        (0..small(self.strategies.names.len())).any(|strategy| of(StrategyId(strategy)))
            || self.held().iter().any(|(.., held)| held.in_doubt)
    }

    /// What it uses of the limits of a group, valued at the prices of `prices`, whose instruments have other numbers; none where nobody
    /// knows.
    pub(super) fn used(
        &self,
        scope: &Scope,
        (prices, numbers): (&Gate, &BTreeMap<Symbol, InstrumentId>),
        now: UnixNanos,
    ) -> Used {
        let Some(group) = self.groups.iter().position(|of| of == scope) else {
            return [Some(0); QUOTA_LIMITS];
        };
        let number = |own: InstrumentId| numbers.get(self.instruments.names.get(own.index())?).copied();
        self.gate.group_use(small(group), (prices, &number), now)
    }

    /// The open orders; of one that has been replaced and waits for the venue, with the replacement's id.
    pub(super) fn open_orders(&self) -> Vec<NamedOrder<'_>> {
        let mut replacements = BTreeMap::new();
        self.gate.checkpoint(|step| {
            if let Step::Order(kept) = step
                && kept.life == 1
            {
                replacements.insert(kept.link, kept.id);
            }
        });
        let named = |order: OpenOrder| {
            Some(NamedOrder {
                strategy: self.strategies.names.get(usize::from(order.strategy.0))?,
                account: self.accounts.names.get(usize::from(order.account.0))?,
                symbol: *self.instruments.names.get(order.instrument.index())?,
                since: self.since.get(&order.id).copied(),
                replacement: replacements.get(&order.id).copied(),
                order,
            })
        };
        self.gate.open_orders().filter_map(named).collect()
    }

    /// A position that a person sets.
    ///
    /// # Errors
    /// In a sentence, why these books cannot hold it.
    pub(super) fn setting(
        &self,
        strategy: &Name,
        account: &Name,
        symbol: Symbol,
        position: i64,
    ) -> Result<Setting, String> {
        let number = |kind: &str, names: &Numbered<Name>, name: &Name| {
            let found = names.numbers.get(name).map(|number| (small(*number), name.clone()));
            found.ok_or_else(|| format!("the client has no {kind} {name}"))
        };
        if !(-POSITION_MAX..=POSITION_MAX).contains(&position) {
            return Err(format!("a position of {position}, wanted one within 2^60"));
        }
        if !self.instruments.numbers.contains_key(&symbol)
            && self.instruments.names.len() >= self.instruments.most
        {
            return Err("no more instruments than book.instruments have room".to_owned());
        }
        Ok(Setting {
            strategy: number("strategy", &self.strategies, strategy)?,
            account: number("account", &self.accounts, account)?,
            symbol,
            position,
        })
    }

    /// The steps that bring a gate with the numbers of `numbering` to where this one is.
    ///
    /// # Errors
    /// The names, in a sentence, of what is held or works and has no number now.
    pub(super) fn checkpoint(&self, numbering: &Numbering<'_>) -> Result<Vec<Step>, String> {
        let (named, mut doubt) = self.named_steps();
        let (mut steps, mut missing) = (Vec::new(), Vec::new());
        for mut step in named {
            match self.renumber(&mut step, numbering) {
                Ok(()) => steps.push(step),
                // Of what is flat and has no number nothing but the doubt is left.
                Err(_) if is_mere_doubt(&step) => doubt = true,
                Err(name) if counts(&step) && !missing.contains(&name) => missing.push(name),
                // Flat, and nothing works: nothing is lost with it.
                Err(_) => {}
            }
        }
        if doubt {
            // Before the positions that have been set since.
            steps.insert(0, DOUBT);
        }
        if missing.is_empty() { Ok(steps) } else { Err(missing.join(", ")) }
    }

    /// The strategies in which it holds something, or an order of which may still trade.
    pub(super) fn busy_strategies(&self) -> BTreeSet<Name> {
        let mut busy = BTreeSet::new();
        self.gate.checkpoint(|mut step| {
            if counts(&step) && !is_mere_doubt(&step) && !matches!(step, Step::Tallied { .. }) {
                let strategy = step.names_mut().1.and_then(|n| self.strategies.names.get(usize::from(n.0)));
                busy.extend(strategy.cloned());
            }
        });
        busy
    }

    /// Blocks that say what all blocks so far said, for a journal that stands at record `number`.
    pub(super) fn summary(&self, number: u64) -> Vec<Block> {
        let strategies = (0..).zip(self.strategies.names.iter().cloned());
        let accounts = (0..).zip(self.accounts.names.iter().cloned());
        let mut blocks: Vec<_> = strategies.map(|(n, name)| Block::Strategy(n, name)).collect();
        blocks.extend(accounts.map(|(n, name)| Block::Account(n, name)));
        let (steps, doubt) = self.named_steps();
        // The doubt before the positions that have been set since.
        blocks.extend(doubt.then_some(DOUBT).into_iter().chain(steps).map(|mut step| {
            let symbol = step.names_mut().0.and_then(|n| self.instruments.names.get(n.index()).copied());
            Block::Record(Record { number, at: time_of(&step), symbol, entry: Entry::Step(step) })
        }));
        blocks.extend(self.taken.iter().map(|(strategy, count)| {
            let step = Step::StopTaken { strategy: *strategy, count: *count };
            Block::Record(Record { number, at: UnixNanos(0), symbol: None, entry: Entry::Step(step) })
        }));
        // What the process that may still run means by its numbers.
        for (number, to) in &self.strategy_of {
            let name = self.strategies.names.get(usize::from(to.0));
            blocks.extend(name.map(|name| Block::Strategy(number.0, name.clone())));
        }
        for (number, to) in &self.account_of {
            let name = self.accounts.names.get(usize::from(to.0));
            blocks.extend(name.map(|name| Block::Account(number.0, name.clone())));
        }
        blocks
    }

    /// The steps of a checkpoint of what has a name, and whether the others say that everything is in doubt.
    fn named_steps(&self) -> (Vec<Step>, bool) {
        let (mut steps, mut doubt) = (Vec::new(), false);
        self.gate.checkpoint(|mut step| {
            if self.is_nameless(&mut step) {
                doubt |= counts(&step);
            } else {
                steps.push(step);
            }
        });
        (steps, doubt)
    }

    /// Whether a step is of what was never named: what it holds is a doubt about all. The last instrument is none.
    fn is_nameless(&self, step: &mut Step) -> bool {
        let (instrument, strategy, account) = step.names_mut();
        instrument.is_some_and(|n| n.index() >= self.instruments.names.len())
            || strategy.is_some_and(|n| usize::from(n.0) >= self.strategies.names.len())
            || account.is_some_and(|n| usize::from(n.0) >= self.accounts.names.len())
    }

    fn renumber(&self, step: &mut Step, numbering: &Numbering<'_>) -> Result<(), String> {
        let (instrument, strategy, account) = step.names_mut();
        if let Some(instrument) = instrument {
            let symbol = self.instruments.names.get(instrument.index()).ok_or_else(String::new)?;
            *instrument = (numbering.instrument)(*symbol).ok_or_else(|| format!("instrument {symbol}"))?;
        }
        if let Some(strategy) = strategy {
            let name = self.strategies.names.get(usize::from(strategy.0)).ok_or_else(String::new)?;
            *strategy = (numbering.strategy)(name).ok_or_else(|| format!("strategy {name}"))?;
        }
        if let Some(account) = account {
            let name = self.accounts.names.get(usize::from(account.0)).ok_or_else(String::new)?;
            *account = (numbering.account)(name).ok_or_else(|| format!("account {name}"))?;
        }
        Ok(())
    }
}
