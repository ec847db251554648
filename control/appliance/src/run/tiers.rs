//! A change of an instrument's tier: as an event, with what drove it, and on disk for the daemon after this one.

use super::backend::{LiveBackend, failed, lock};
use super::unscored::Unscored;
use crate::line::notes::{ScorerCommand, ScorerNote};
use control::backend::BackendError;
use control::events::{Draft, EventLog};
use control::names::SymbolName;
use control::protocol::{Driver, EventKind, Severity};
use control::stamp::Stamp;
use control::{Controller, TierBook};
use gpu::TierCause;
use stage::Clock;
use types::{Nanos, Tier, UnixNanos};

/// Why a tier changed, in words; none where nothing is known of it.
pub(super) fn why(cause: TierCause, drivers: &[Driver]) -> String {
    match cause {
        TierCause::Stale => "no score comes: its book is not believed, or its vectors are late".to_owned(),
        TierCause::Reset => "a person reset it".to_owned(),
        TierCause::Score | TierCause::Witnesses | TierCause::Uncalibrated | TierCause::Calm => {
            drivers.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        }
    }
}

/// What is told of a change to `tier` and `why`, which the market's time `ts_event` brought and which is heard of `now`.
pub(super) fn tier_event(
    symbol: SymbolName,
    tier: Tier,
    ts_event: UnixNanos,
    why: &str,
    now: UnixNanos,
) -> Draft {
    let severity = match tier {
        Tier::Normal => Severity::Info,
        Tier::Elevated | Tier::High => Severity::Warning,
        Tier::Critical => Severity::Critical,
    };
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    let scope = format!("instrument:{symbol}");
    let draft = Draft::new(Stamp(now), severity, EventKind::Tier, &scope, &format!("tier {tier}{why}"));
    draft.by("model").with("tier", tier).with("ts_event", Stamp(ts_event))
}

/// How long until tiers are tried to be written again.
const RETRY: Nanos = Nanos(500_000_000);

/// The tiers that outlive the daemon.
pub(super) struct Tiers {
    book: TierBook,
    /// A person has reset one since they were last brought to disk: that is not to be done again after a restart.
    reset: bool,
    /// When they were last tried to be written in vain, and that was said.
    failed: Option<UnixNanos>,
}

impl Tiers {
    pub(super) const fn new(book: TierBook) -> Self {
        Self { book, reset: false, failed: None }
    }

    /// The feed has named `symbol`, whose limits stand.
    pub(super) fn begin(&mut self, backend: &LiveBackend, symbol: SymbolName, log: &EventLog) {
        let tier = self.book.begin_in(symbol);
        if tier == Tier::Normal {
            return;
        }
        let now = backend.clock.now();
        log.tell(tier_event(symbol, tier, now, "as before the start", now));
        if let Err(error) = backend.begin_in(symbol, tier) {
            log.say(&format!("warning: {symbol} was in tier {tier} and does not begin in it: {error}"));
        }
    }

    pub(super) fn note(&mut self, symbol: SymbolName, tier: Tier, cause: TierCause) {
        self.book.note(symbol, tier);
        self.reset |= cause == TierCause::Reset;
    }

    /// Brings changes to disk. What fails is tried again after a while, and said once.
    pub(super) fn keep(&mut self, controller: &Controller, now: UnixNanos, log: &EventLog) {
        if self.failed.is_some_and(|at| now.since(at) < RETRY && now >= at) {
            return;
        }
        let reset = std::mem::take(&mut self.reset);
        let failed = controller.keep_tiers(&mut self.book, now, reset).err();
        if let (Some(error), None) = (&failed, self.failed) {
            log.say(&format!("warning: a restart would not know the tiers: {error}"));
        }
        self.failed = failed.map(|_| now);
    }

    /// Brings them to disk at the end of the daemon; what to say of it.
    pub(super) fn end(&mut self, controller: &Controller, now: UnixNanos) -> Option<String> {
        let failed = controller.keep_tiers(&mut self.book, now, true).err();
        failed.map(|error| format!("warning: a restart will not know the tiers: {error}"))
    }
}

impl LiveBackend {
    /// What was reset without a scorer, as one would have told it.
    pub(super) fn unscored_notes(&self) -> Vec<ScorerNote> {
        lock(&self.unscored).as_mut().map_or_else(Vec::new, Unscored::take_notes)
    }

    /// Has `symbol` begin in the tier in which the daemon before this one ended; without a scorer it stays there until a person
    /// resets it.
    ///
    /// # Errors
    /// The scorer does not take commands, or nobody can hold the tier's limits.
    pub(super) fn begin_in(&self, symbol: SymbolName, tier: Tier) -> Result<(), BackendError> {
        let Some(instrument) = self.instrument(symbol) else { return Ok(()) };
        if self.scorer.is_none() {
            let held = lock(&self.unscored)
                .as_mut()
                .is_some_and(|unscored| unscored.begin_in(instrument, tier, self.clock.now()));
            return if held {
                Ok(())
            } else {
                Err(failed("it has no limits yet, or its gate none of a model"))
            };
        }
        let sent = lock(&self.writers).commands.send(&[ScorerCommand::BeginIn { instrument, tier }]);
        if sent == 1 { Ok(()) } else { Err(failed("the scorer does not take commands")) }
    }
}
