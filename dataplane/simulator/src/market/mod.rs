//! One instrument's market: agents who meet in a matching book. Nothing here knows a path of prices; what the tape
//! shows is what the agents do to each other, plus the news and activity a scenario's script injects.

mod core;
mod crash;
mod crowd;
mod event;
mod firm;
mod makers;
mod profile;
mod signals;
mod stuffing;
mod time;

use types::Side;

use self::core::{Core, Wake};
pub use self::crash::IcebergPlan;
use self::crash::{Iceberg, ValueTrader};
use self::crowd::{Momentum, Noise, ParentWorker, Takers};
pub use self::event::{MarketEvent, Stamped, TradingState};
pub(crate) use self::firm::FirmPlan;
use self::firm::FirmTrader;
pub use self::firm::{FirmOrder, PlantedOrder, Strategy};
use self::makers::{FIRST_LOOK, Maker};
pub use self::profile::Profile;
pub(crate) use self::stuffing::StuffingPlan;
use self::stuffing::{Flood, Stuffer};
pub(crate) use self::time::{SECOND, nanos};
use crate::book::{Fill, Owner};

/// How often truth is sampled.
const SAMPLE_NS: u64 = SECOND / 4;

/// What a scenario does to a market from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Intervention {
    /// News: the value jumps by this many basis points.
    News {
        /// Size and direction of the jump.
        jump_bps: f64,
    },
    /// News that leaks: the value goes by so much a minute from now on.
    Drift {
        /// Basis points a minute, and which way.
        bps_per_min: f64,
    },
    /// Activity is multiplied by `1 + factor`, fading with this memory.
    Rush {
        /// Extra activity at once.
        factor: f64,
        /// Time constant of its decay.
        memory_s: f64,
    },
    /// The opening auction says what it would do.
    Indicative {
        /// Lots that would match.
        paired: u32,
        /// Lots bid that would not.
        imbalance: u32,
    },
    /// The opening auction prints.
    OpeningCross {
        /// Lots matched.
        lots: u32,
    },
    /// The makers are at least so afraid from now on, whatever the market does.
    Withdraw {
        /// 0 as the market makes them, 1 all of them gone.
        fear: f64,
    },
    /// A volatility pause: nobody trades or quotes for so long, and what rests in the book stays.
    Pause {
        /// How long, seconds.
        for_s: u64,
    },
    /// The pause ends: the auction prints, and trading goes on.
    Reopen {
        /// Lots matched.
        lots: u32,
    },
}

/// One entry of a scenario's script.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cue {
    /// When, nanoseconds since midnight.
    pub at_ns: u64,
    /// What.
    pub what: Intervention,
}

/// What a market is made of beyond its profile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cast {
    pub(crate) iceberg: Option<IcebergPlan>,
    pub(crate) stuffing: Option<StuffingPlan>,
    pub(crate) script: Vec<Cue>,
    pub(crate) firm: Option<FirmPlan>,
    /// Activity at the start, multiplied by this; 1 when ordinary.
    pub(crate) quiet_start: bool,
}

/// One row of truth about a market.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truth {
    /// When, nanoseconds since midnight.
    pub ts_ns: u64,
    /// Which instrument.
    pub instrument: u16,
    /// What it is about.
    pub kind: TruthKind,
}

/// What truth says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TruthKind {
    /// Mid price in ticks.
    Mid(f64),
    /// Spread in ticks.
    SpreadTicks(i64),
    /// Lots bid within ten ticks of the best bid.
    BidDepth(u64),
    /// Lots offered within ten ticks of the best offer.
    AskDepth(u64),
    /// Mean withdrawal of the makers, 0 none to 1 all.
    Withdrawal(f64),
    /// An iceberg seller or buyer starts (planted).
    IcebergStart(Side),
    /// Lots it has sold or bought.
    IcebergTraded(Side, u32),
    /// It has sold or bought everything.
    IcebergDone(Side),
    /// Lowest mid price since a seller started, highest since a buyer did, in ticks; at the moment it was reached.
    Extreme(Side, f64),
    /// Quote stuffing starts (planted): messages a second.
    StuffingStart(u32),
    /// It ends.
    StuffingDone,
    /// A scripted intervention (planted).
    Planted(Intervention),
}

/// How far the iceberg order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not started.
    Waiting,
    /// Being worked.
    Working,
    /// Everything is traded.
    Done,
}

/// A running market.
#[derive(Debug)]
pub(crate) struct Market {
    core: Core,
    makers: Vec<Maker>,
    takers: Takers,
    noise: Noise,
    momentum: Vec<Momentum>,
    value: Vec<ValueTrader>,
    parents: ParentWorker,
    iceberg: Option<Iceberg>,
    stuffer: Option<Stuffer>,
    firm: Option<FirmTrader>,
    script: Vec<Cue>,
    truth: Vec<Truth>,
    orders: Vec<FirmOrder>,
    instrument: u16,
    phase: Phase,
    /// Nobody acts before.
    paused_until: u64,
    withdrawal_told: f64,
    spread_told: i64,
    samples: u64,
    extreme: Option<(f64, u64)>,
}

impl Market {
    /// A market that opens at `start` (nanoseconds since midnight) with an empty book.
    pub(crate) fn new(instrument: u16, profile: Profile, cast: Cast, seed: u64, start: u64) -> Self {
        let mut core = Core::new(instrument, profile, seed, start);
        let makers: Vec<_> = (0..core.profile.makers).map(|id| Maker::new(id, &mut core)).collect();
        let momentum: Vec<_> = (0..3).map(|id| Momentum::new(id, &mut core)).collect();
        let value = {
            let against = cast.iceberg.map_or(Side::Bid, |plan| plan.side.opposite());
            (0..5).map(|id| ValueTrader::new(id, against, &mut core)).collect()
        };
        for id in 0..core.profile.makers {
            let wait = u64::from(core.dice.below(20_000_000));
            core.wake_in(wait, Wake::Maker(id));
        }
        for id in 0..3 {
            core.wake_in(FIRST_LOOK + u64::from(id), Wake::Momentum(id));
        }
        // The crowd waits for the first quotes.
        core.wake_in(FIRST_LOOK, Wake::Noise(false));
        core.wake_in(2 * FIRST_LOOK, Wake::Taker(false));
        core.wake_in(2 * FIRST_LOOK, Wake::Sweep(false));
        core.wake_in(SAMPLE_NS, Wake::Sample);
        let iceberg = cast.iceberg.map(|plan| Iceberg::new(plan, &mut core));
        let stuffer = cast.stuffing.map(|plan| Stuffer::new(plan, &mut core));
        let firm = cast.firm.map(|plan| FirmTrader::new(plan, seed, &mut core));
        for (i, cue) in (0..).zip(&cast.script) {
            core.wake_at(cue.at_ns, Wake::Script(i));
        }
        let parents = ParentWorker::default();
        parents.start(&mut core);
        if cast.quiet_start {
            core.signals.boost(-0.85, 1e9);
        }
        Self {
            core,
            makers,
            takers: Takers,
            noise: Noise,
            momentum,
            value,
            parents,
            iceberg,
            stuffer,
            firm,
            script: cast.script,
            truth: Vec::new(),
            orders: Vec::new(),
            instrument,
            phase: Phase::Waiting,
            paused_until: 0,
            withdrawal_told: 0.0,
            spread_told: 0,
            samples: 0,
            extreme: None,
        }
    }

    /// Plays until `end` (exclusive) and appends what was published, known and ordered before it.
    pub(crate) fn run_until(&mut self, end: u64, out: &mut Slice) {
        while let Some(who) = self.core.next_before(end) {
            if self.core.now < self.paused_until && !goes_on(who) {
                self.core.wake_at(self.paused_until, who);
                continue;
            }
            self.dispatch(who);
            self.tell_owners();
        }
        self.core.drain_before(end, &mut out.events);
        out.truth.append(&mut self.truth);
        out.orders.append(&mut self.orders);
    }

    /// What can be said only at the end.
    pub(crate) fn epilogue(&self) -> Option<Truth> {
        let (extreme, ts_ns) = self.extreme?;
        let side = self.iceberg.as_ref()?.side();
        Some(Truth { ts_ns, instrument: self.instrument, kind: TruthKind::Extreme(side, extreme) })
    }

    /// Another market has moved by `share` of its price, and its makers are so afraid: value follows by `beta` of the one, fear
    /// by as much of the other.
    pub(crate) fn follow(&mut self, share: f64, fear: f64, beta: f64) {
        let ticks = self.core.signals.fundamental() * share * beta;
        self.core.signals.jump(ticks);
        self.core.signals.dread = fear * beta;
    }

    /// Mid price in ticks, and the makers' mean withdrawal.
    pub(crate) fn mood(&self) -> (f64, f64) {
        (self.core.mid(), self.core.signals.withdrawal)
    }

    fn dispatch(&mut self, who: Wake) {
        let core = &mut self.core;
        match who {
            Wake::Maker(id) => self.makers[usize::from(id)].look(core),
            Wake::MakerReaction(id) => self.makers[usize::from(id)].react(core),
            Wake::Taker(now) => self.takers.arrive(core, now),
            Wake::Follower(bought) => self.takers.follow(core, bought),
            Wake::Sweep(now) => self.takers.sweep(core, now),
            Wake::Noise(now) => self.noise.arrive(core, now),
            Wake::NoiseReturn(order) => self.noise.come_back(core, order),
            Wake::Momentum(id) => self.momentum[usize::from(id)].look(core),
            Wake::Value(id) => self.value[usize::from(id)].look(core),
            Wake::Parent => self.parents.act(core),
            Wake::Iceberg => self.work(),
            Wake::Stuff => self.stuff(),
            Wake::Firm => {
                if let Some(firm) = &mut self.firm {
                    self.orders.extend(firm.trade(core));
                }
            }
            Wake::FirmQuote => {
                if let Some(firm) = &mut self.firm {
                    self.orders.extend(firm.quote(core));
                }
            }
            Wake::FirmPlanted(i) => {
                if let Some(firm) = &mut self.firm {
                    self.orders.push(firm.plant(core, usize::from(i)));
                }
            }
            Wake::Script(i) => self.play(usize::from(i)),
            Wake::Sample => self.sample(),
        }
    }

    /// Tells owners of their fills and lets the makers see what changed.
    fn tell_owners(&mut self) {
        let fills = self.core.take_fills();
        for fill in &fills {
            self.notify(fill);
        }
        if self.core.top_changed() || !fills.is_empty() {
            for maker in &mut self.makers {
                maker.alert(&mut self.core);
            }
        }
        let fear: f64 = self.makers.iter().map(Maker::fear).sum();
        #[expect(clippy::cast_precision_loss, reason = "a few makers")]
        let mean = fear / self.makers.len() as f64;
        self.core.signals.withdrawal = mean;
    }

    fn notify(&mut self, fill: &Fill) {
        match fill.resting.owner {
            Owner::Maker(id) => self.makers[usize::from(id)].filled(fill),
            Owner::Value(id) => self.value[usize::from(id)].filled(fill),
            Owner::Iceberg => {
                if let Some(iceberg) = &mut self.iceberg {
                    iceberg.filled(fill);
                }
            }
            Owner::Crowd | Owner::Parent | Owner::Stuffer => {}
        }
    }

    fn work(&mut self) {
        let Some(side) = self.iceberg.as_ref().map(Iceberg::side) else { return };
        if self.phase == Phase::Waiting {
            self.phase = Phase::Working;
            self.tell(TruthKind::IcebergStart(side));
        }
        let Some(iceberg) = &mut self.iceberg else { return };
        iceberg.act(&mut self.core);
        if iceberg.is_done() && self.phase == Phase::Working {
            self.phase = Phase::Done;
            self.tell(TruthKind::IcebergDone(side));
        }
    }

    fn stuff(&mut self) {
        let Some(stuffer) = &mut self.stuffer else { return };
        match stuffer.act(&mut self.core) {
            Some(Flood::Begun(messages_per_s)) => self.tell(TruthKind::StuffingStart(messages_per_s)),
            Some(Flood::Done) => self.tell(TruthKind::StuffingDone),
            None => {}
        }
    }

    fn play(&mut self, cue: usize) {
        let what = self.script[cue].what;
        self.tell(TruthKind::Planted(what));
        match what {
            Intervention::News { jump_bps } => {
                let ticks = self.core.signals.fundamental() * jump_bps * 1e-4;
                self.core.signals.jump(ticks);
            }
            Intervention::Drift { bps_per_min } => {
                self.core.signals.drift = self.core.signals.fundamental() * bps_per_min * 1e-4 / 60.0;
            }
            Intervention::Rush { factor, memory_s } => self.core.signals.boost(factor, memory_s),
            Intervention::Indicative { paired, imbalance } => self.core.indicate(paired, imbalance),
            Intervention::OpeningCross { lots } => self.core.cross(lots, false),
            Intervention::Withdraw { fear } => self.core.signals.dread = fear,
            Intervention::Pause { for_s } => {
                self.paused_until = self.core.now + for_s * SECOND;
                self.core.say_state(TradingState::Paused);
            }
            Intervention::Reopen { lots } => {
                self.core.cross(lots, true);
                self.core.say_state(TradingState::Trading);
            }
        }
    }

    fn tell(&mut self, kind: TruthKind) {
        self.truth.push(Truth { ts_ns: self.core.now, instrument: self.instrument, kind });
    }

    fn sample(&mut self) {
        self.core.wake_in(SAMPLE_NS, Wake::Sample);
        let mid = self.core.mid();
        self.core.signals.sample_mid(mid);
        if let Some(side) = self.iceberg.as_ref().map(Iceberg::side).filter(|_| self.phase != Phase::Waiting)
        {
            let beyond = |extreme| if side == Side::Ask { mid < extreme } else { mid > extreme };
            if self.extreme.is_none_or(|(extreme, _)| beyond(extreme)) {
                self.extreme = Some((mid, self.core.now));
            }
        }
        if let Some(spread) = self.core.spread().filter(|&s| s != self.spread_told) {
            self.spread_told = spread;
            self.tell(TruthKind::SpreadTicks(spread));
        }
        let withdrawal = self.core.signals.withdrawal;
        if (withdrawal - self.withdrawal_told).abs() >= 0.05 {
            self.withdrawal_told = withdrawal;
            self.tell(TruthKind::Withdrawal(withdrawal));
        }
        self.samples += 1;
        if self.samples.is_multiple_of(4) {
            self.tell(TruthKind::Mid(mid));
            self.tell(TruthKind::BidDepth(self.core.book.depth(Side::Bid, 10)));
            self.tell(TruthKind::AskDepth(self.core.book.depth(Side::Ask, 10)));
            if let Some(iceberg) = self.iceberg.as_ref().filter(|_| self.phase == Phase::Working) {
                let traded = TruthKind::IcebergTraded(iceberg.side(), iceberg.lots_done());
                self.tell(traded);
            }
        }
    }
}

/// Who goes on while trading is paused: the script, the truth, and the firm, whose gate is to stop it.
fn goes_on(who: Wake) -> bool {
    matches!(who, Wake::Script(_) | Wake::Sample | Wake::Firm | Wake::FirmQuote | Wake::FirmPlanted(_))
}

/// What a stretch of time brought, over all markets.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    pub(crate) events: Vec<Stamped>,
    pub(crate) truth: Vec<Truth>,
    pub(crate) orders: Vec<FirmOrder>,
}
