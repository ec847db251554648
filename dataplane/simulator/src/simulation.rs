//! Plays a scenario: all markets side by side, their events merged into one feed, the firm's orders and the truth
//! beside it.

use wire::itch50::event;

use crate::feed::{Feed, Loss, Packet};
use crate::market::{Cast, FirmOrder, Market, Profile, SECOND, Slice, Truth};

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
        let mut now = *start_ns;
        while now < *end_ns {
            if self.setup.market_open_ns == Some(now) {
                feed.system(now, event::START_OF_MARKET_HOURS);
            }
            now += SECOND;
            let slice = play_slice(&mut markets, now);
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
