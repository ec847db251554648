//! What a kind of crisis is, and what it needs to be planted.

use crate::market::{Cue, Intervention, Profile, SECOND};
use crate::options::ScenarioInfo;
use crate::simulation::Setup;

/// A kind of crisis.
pub(super) struct Kind {
    /// Name, description, and seconds from first to last.
    pub(super) info: ScenarioInfo,
    /// Which instrument it strikes when nobody says.
    pub(super) symbol: &'static str,
    /// How long it is planted, seconds.
    pub(super) lasts_s: u64,
    /// When it begins when nobody says, seconds since midnight.
    pub(super) at_s: u64,
    /// Plants it.
    pub(super) plant: fn(&mut Setup, &Blow),
}

/// How hard and when the first market is struck.
pub(super) struct Blow {
    pub(super) from_ns: u64,
    pub(super) until_ns: u64,
    /// 1 as usual.
    pub(super) size: f64,
}

impl Blow {
    /// The moment so many seconds after the beginning.
    pub(super) const fn after_s(&self, seconds: u64) -> u64 {
        self.from_ns + seconds * SECOND
    }

    /// `lots` of the index future, as many of an instrument whose makers bear more or less.
    pub(super) fn lots(&self, profile: &Profile, lots: f64) -> f64 {
        let future = Profile::index_future();
        let bears = |p: &Profile| p.inventory_max_lots * f64::from(p.makers);
        self.size * lots * bears(profile) / bears(&future)
    }
}

/// An entry of a script.
pub(super) fn cue(at_ns: u64, what: Intervention) -> Cue {
    Cue { at_ns, what }
}
