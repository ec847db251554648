//! What a gateway did, counted.

use gate::{REASON_COUNT, RejectReason};
use std::fmt;

macro_rules! counts {
    ($( $(#[$meta:meta])* $name:ident = $word:literal, )+) => {
        /// What is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum Count { $( $(#[$meta])* $name, )+ }

        impl Count {
            /// The words in the line of counters, in the order of the variants.
            pub const WORDS: &'static [&'static str] = &[ $($word),+ ];
        }
    };
}

counts! {
    /// Orders and replacements that the firm sent.
    OrdersIn = "orders",
    /// Of them, passed on.
    Passed = "passed",
    /// Refused by the gate.
    Refused = "refused",
    /// Refused because the gate cannot judge them.
    Unjudged = "unjudged",
    /// Refused because the venue is away, or the gateway stops.
    Closed = "closed",
    /// Not looked at: the number does not rise, or the token is known. Such a message is one that was sent again.
    Again = "sent_again",
    /// Cancels and modifications passed on.
    Cancels = "cancels",
    /// Cancels of the gateway's own.
    OwnCancels = "own_cancels",
    /// Executions.
    Fills = "fills",
    /// Executions that were told before.
    Repeats = "repeats",
    /// Trades taken back.
    Busts = "busts",
    /// Orders that the venue rejected.
    VenueRejects = "venue_rejects",
    /// Orders that never reached the venue, and were released.
    Released = "released",
    /// Messages of the firm that are none.
    Malformed = "malformed",
    /// Messages of the venue that cannot be read: no order passes from then on.
    Unreadable = "unreadable",
    /// Firms that logged in.
    FirmLogins = "firm_logins",
    /// Firms that were not let in.
    FirmRefused = "firm_refused",
    /// Firms whose connection ended.
    FirmEnds = "firm_ends",
    /// Firms that were hung up on: too slow.
    FirmSlow = "firm_slow",
    /// Firms that were hung up on: silent, half packets, packets that cannot be.
    FirmFaults = "firm_faults",
    /// Logins at the venue.
    VenueLogins = "venue_logins",
    /// Connections to the venue that ended.
    VenueEnds = "venue_ends",
    /// The same by the gateway: silence, half packets, packets that cannot be.
    VenueFaults = "venue_faults",
    /// Modifications that were not passed on: they would make an order larger, or another one.
    BadModifies = "bad_modifies",
    /// Messages of the venue that were kept before.
    Older = "venue_older",
    /// Orders that the venue has and the gate has not: cancelled.
    Strange = "strange_orders",
    /// Cancels that found no venue and no room to wait.
    CancelsLost = "cancels_lost",
    /// Daemons that were attached to anew.
    Reattached = "reattached",
    /// Orders that a halt or a trip had cancelled.
    HaltCancels = "halt_cancels",
    /// Orders that were neither passed on nor answered: too much waits for a full disk.
    Unanswered = "unanswered",
}

/// All counts of one gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    counts: [u64; Count::WORDS.len()],
    /// By reason, in the order of [`RejectReason::ALL`].
    reasons: [u64; REASON_COUNT],
}

impl Default for Counters {
    fn default() -> Self {
        Self { counts: [0; Count::WORDS.len()], reasons: [0; REASON_COUNT] }
    }
}

impl Counters {
    pub(super) fn add(&mut self, count: Count) {
        self.add_all(count, 1);
    }

    pub(super) fn add_all(&mut self, count: Count, more: u64) {
        if let Some(n) = self.counts.get_mut(count as usize) {
            *n = n.saturating_add(more);
        }
    }

    /// An order that the gate refused for `reason`.
    pub(super) fn refuse(&mut self, reason: RejectReason) {
        let reasons = RejectReason::ALL.iter().zip(&mut self.reasons);
        for (_, n) in reasons.filter(|(of, _)| **of == reason) {
            *n = n.saturating_add(1);
        }
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, count: Count) -> u64 {
        self.counts.get(count as usize).copied().unwrap_or_default()
    }
}

impl fmt::Display for Counters {
    /// Those that are not zero, on one line, the gate's reasons last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = Count::WORDS.iter().copied().zip(self.counts);
        let reasons = RejectReason::ALL.iter().map(|reason| reason.slug()).zip(self.reasons);
        let all = counts.chain(reasons).filter(|(_, n)| *n > 0);
        let mut first = true;
        for (word, n) in all {
            let space = if first { "" } else { " " };
            write!(f, "{space}{word}={n}")?;
            first = false;
        }
        if first { f.write_str("nothing yet") } else { Ok(()) }
    }
}
