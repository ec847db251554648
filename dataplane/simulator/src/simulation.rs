//! Plays a scenario: all markets side by side, their events merged into one feed, the firm's orders and the truth
//! beside it.

use types::Symbol;
use wire::itch50::event;

use crate::feed::{Feed, Loss, Packet};
use crate::market::{Cast, FirmOrder, FirmPlan, Market, Profile, SECOND, Slice, Truth};

/// Midnight, New York, of the simulated day: Wednesday 6 May 2026, sixteen years after the flash crash.
pub const MIDNIGHT_UNIX_NS: u64 = 1_778_040_000 * SECOND;

/// How long the line lives before the session's first message, and between the last one and the end.
const LEAD_IN: u64 = 2 * SECOND;

/// A scenario's cast and stage.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// The scenario's name.
    pub(crate) name: &'static str,
    pub(crate) seed: u64,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    /// When market hours begin, where that is after the start.
    pub(crate) market_open_ns: Option<u64>,
    /// When the firm's ordinary orders end, where that is before the end.
    pub(crate) orders_until_ns: Option<u64>,
    pub(crate) markets: Vec<(Profile, Cast)>,
    pub(crate) losses: Vec<Loss>,
    /// The crisis that strikes the first market.
    pub(crate) planted: Option<Planted>,
    /// From which market to the others value and fear go.
    pub(crate) contagion: Option<Contagion>,
}

/// A crisis as it was planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planted {
    /// Its kind: the scenario's name.
    pub kind: &'static str,
    /// The instrument that is struck.
    pub symbol: Symbol,
    /// When it begins and ends, nanoseconds since midnight.
    pub from_ns: u64,
    /// When it ends; what follows is the market's own doing.
    pub until_ns: u64,
    /// Its size, in per cent of the kind's usual one.
    pub size_percent: u64,
}

/// How one market's fall becomes that of others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Contagion {
    /// The market it comes from.
    pub(crate) leader: usize,
    pub(crate) from_ns: u64,
    pub(crate) until_ns: u64,
    /// Share of its move, and of its makers' fear, that reaches the others within a second.
    pub(crate) beta: f64,
}

impl Setup {
    /// Ordinary orders in every instrument, thirty a minute in all, half of them in the first.
    pub(crate) fn hire_firm(&mut self) {
        let from_ns = self.market_open_ns.unwrap_or(self.start_ns) + 5 * SECOND;
        let others = self.markets.len().saturating_sub(1).max(1);
        for (i, (_, cast)) in self.markets.iter_mut().enumerate() {
            let firm: &mut FirmPlan = cast.firm.get_or_insert_default();
            #[expect(clippy::cast_precision_loss, reason = "at most 64")]
            let share = if i == 0 { 15.0 } else { 15.0 / others as f64 };
            firm.orders_per_min = share;
            firm.from_ns = from_ns;
            firm.until_ns = self.orders_until_ns;
        }
    }
}

/// A scenario ready to be played.
#[derive(Clone, Debug)]
pub struct Simulation {
    setup: Setup,
}

/// Who listens to a scenario being played. Each kind comes in order of time, but for the low of a crash, which
/// is known only at the end.
pub trait Listener {
    /// What went wrong in the listener.
    type Error;

    /// A packet arrives.
    ///
    /// # Errors
    /// Ends the play.
    fn packet(&mut self, packet: &Packet) -> std::result::Result<(), Self::Error>;

    /// The firm sends an order.
    ///
    /// # Errors
    /// Ends the play.
    fn order(&mut self, order: &FirmOrder) -> std::result::Result<(), Self::Error>;

    /// Something is true.
    ///
    /// # Errors
    /// Ends the play.
    fn truth(&mut self, truth: &Truth) -> std::result::Result<(), Self::Error>;
}

impl Simulation {
    pub(crate) const fn new(setup: Setup) -> Self {
        Self { setup }
    }

    /// The scenario's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.setup.name
    }

    /// The seed it will be played with.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.setup.seed
    }

    /// The crisis that is planted in it; none in a scenario that is none.
    #[must_use]
    pub const fn planted(&self) -> Option<&Planted> {
        self.setup.planted.as_ref()
    }

    /// The instruments, in the order of their locate codes from 1.
    pub fn profiles(&self) -> impl ExactSizeIterator<Item = &Profile> {
        self.setup.markets.iter().map(|(profile, _)| profile)
    }

    /// First and last simulated moment, nanoseconds since midnight.
    #[must_use]
    pub const fn span_ns(&self) -> (u64, u64) {
        (self.setup.start_ns, self.setup.end_ns)
    }

    /// Plays the whole scenario to `listener` and returns how many messages the venue sent, by ITCH type.
    ///
    /// # Errors
    /// The listener's first.
    pub fn play<L: Listener>(&self, listener: &mut L) -> std::result::Result<[u64; 256], L::Error> {
        let Setup { seed, start_ns, end_ns, markets, losses, .. } = &self.setup;
        let profiles: Vec<_> = self.profiles().cloned().collect();
        let mut feed = Feed::new(MIDNIGHT_UNIX_NS, &profiles, losses, *seed);
        let mut markets: Vec<_> = (0..)
            .zip(markets.clone())
            .map(|(i, (profile, cast))| Market::new(i, profile, cast, *seed, *start_ns))
            .collect();
        feed.start_at(start_ns - LEAD_IN - SECOND);
        feed.quiet_until(start_ns - 1);
        feed.open(*start_ns, self.setup.market_open_ns.is_none());
        let mut packets = Vec::new();
        let mut spread = self.setup.contagion.map(Spread::new);
        let mut now = *start_ns;
        while now < *end_ns {
            if self.setup.market_open_ns == Some(now) {
                feed.system(now, event::START_OF_MARKET_HOURS);
            }
            now += SECOND;
            let slice = play_slice(&mut markets, now);
            if let Some(spread) = &mut spread {
                spread.step(&mut markets, now);
            }
            slice.events.iter().for_each(|e| feed.publish(e));
            feed.quiet_until(now);
            // A packet sent in this second may arrive in the next, none arrives before it is sent.
            feed.drain_before(now, &mut packets);
            deliver(listener, &packets, &slice)?;
            packets.clear();
        }
        feed.quiet_until(now + LEAD_IN);
        feed.close(now + LEAD_IN);
        feed.drain_before(u64::MAX, &mut packets);
        let truth = markets.iter().filter_map(Market::epilogue).collect();
        deliver(listener, &packets, &Slice { truth, ..Slice::default() })?;
        Ok(feed.messages)
    }

    pub(crate) fn losses(&self) -> &[Loss] {
        &self.setup.losses
    }
}

/// A contagion under way.
#[derive(Debug)]
struct Spread {
    contagion: Contagion,
    /// The leader's mid a second ago.
    before: Option<f64>,
}

impl Spread {
    const fn new(contagion: Contagion) -> Self {
        Self { contagion, before: None }
    }

    /// Hands on what the leader did in the second before `now`.
    fn step(&mut self, markets: &mut [Market], now: u64) {
        let Contagion { leader, from_ns, until_ns, beta } = self.contagion;
        let (mid, fear) = markets[leader].mood();
        let before = self.before.replace(mid).unwrap_or(mid);
        if !(from_ns..=until_ns).contains(&now) {
            return;
        }
        let share = mid / before - 1.0;
        let fear = if now + SECOND > until_ns { 0.0 } else { fear };
        for (_, market) in markets.iter_mut().enumerate().filter(|(i, _)| *i != leader) {
            market.follow(share, fear, beta);
        }
    }
}

/// Lets every market play until `end` and merges what they did in order of time.
fn play_slice(markets: &mut [Market], end: u64) -> Slice {
    let mut slice = Slice::default();
    for market in markets {
        market.run_until(end, &mut slice);
    }
    // Stable: what one market did at one time stays in its order, and of two markets the first comes first.
    slice.events.sort_by_key(|e| e.ts_ns);
    slice.orders.sort_by_key(|o| o.ts_ns);
    slice.truth.sort_by_key(|t| t.ts_ns);
    slice
}

fn deliver<L: Listener>(
    listener: &mut L,
    packets: &[Packet],
    slice: &Slice,
) -> std::result::Result<(), L::Error> {
    packets.iter().try_for_each(|p| listener.packet(p))?;
    slice.orders.iter().try_for_each(|o| listener.order(o))?;
    slice.truth.iter().try_for_each(|t| listener.truth(t))
}
