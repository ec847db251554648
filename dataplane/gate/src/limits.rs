//! The numbers an officer approves: what one strategy class may do in one instrument, and the envelope around it.

use types::Qty;

/// One limit of [`RiskLimits`]. Errors, reports and overlays name limits by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Parameter {
    /// [`RiskLimits::max_qty`].
    MaxQty = 0,
    /// [`RiskLimits::max_notional_micros`].
    MaxNotional = 1,
    /// [`RiskLimits::collar_bps`].
    Collar = 2,
    /// [`RiskLimits::passive_min_ticks`].
    PassiveMin = 3,
    /// [`RiskLimits::max_pos_long`].
    MaxPosLong = 4,
    /// [`RiskLimits::max_pos_short`].
    MaxPosShort = 5,
    /// [`RiskLimits::order_rate_per_s`].
    OrderRate = 6,
    /// [`RiskLimits::order_burst`].
    OrderBurst = 7,
    /// [`RiskLimits::margin_bps`].
    Margin = 8,
}

/// How many parameters there are.
pub const PARAMETER_COUNT: usize = 9;

/// Largest position limit: 48 bits, the room it has in a slot (2.8e14 shares).
const POS_MAX: i64 = (1 << 48) - 1;

/// Largest order rate of one strategy in one instrument. A slot holds the interval between orders in whole nanoseconds,
/// and up to here the interval gives back the exact rate.
pub const RATE_MAX: u32 = 20_000;

impl Parameter {
    /// Every parameter, in the order of the fields.
    pub const ALL: [Self; PARAMETER_COUNT] = [
        Self::MaxQty,
        Self::MaxNotional,
        Self::Collar,
        Self::PassiveMin,
        Self::MaxPosLong,
        Self::MaxPosShort,
        Self::OrderRate,
        Self::OrderBurst,
        Self::Margin,
    ];

    /// The field's name, as configuration files, reports and errors write it; the unit is its last part.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaxQty => "max_qty",
            Self::MaxNotional => "max_notional_micros",
            Self::Collar => "collar_bps",
            Self::PassiveMin => "passive_min_ticks",
            Self::MaxPosLong => "max_pos_long",
            Self::MaxPosShort => "max_pos_short",
            Self::OrderRate => "order_rate_per_s",
            Self::OrderBurst => "order_burst",
            Self::Margin => "margin_bps",
        }
    }

    /// Whether a larger number binds harder: true for the passive distance and the margin multiplier, which grow under
    /// stress; false for all the others, which shrink.
    #[must_use]
    pub const fn tightens_upward(self) -> bool {
        matches!(self, Self::PassiveMin | Self::Margin)
    }

    /// Whether `a` binds at least as hard as `b`.
    #[must_use]
    pub const fn at_least_as_tight(self, a: i64, b: i64) -> bool {
        if self.tightens_upward() { a >= b } else { a <= b }
    }

    /// Smallest and largest legal value. The largest is what a slot has room for; the smallest keeps a limit from being
    /// a halt in disguise (a halt is a breaker, with a cause and a person), except that a position limit of 0 is legal:
    /// it is how "close only on this side" is written.
    #[must_use]
    pub const fn bounds(self) -> (i64, i64) {
        match self {
            Self::MaxQty => (1, u32::MAX as i64),
            Self::MaxNotional => (1, i64::MAX),
            Self::Collar | Self::OrderBurst => (1, u16::MAX as i64),
            Self::PassiveMin => (0, u16::MAX as i64),
            Self::MaxPosLong | Self::MaxPosShort => (0, POS_MAX),
            Self::OrderRate => (1, RATE_MAX as i64),
            Self::Margin => (10_000, u16::MAX as i64),
        }
    }
}

impl core::fmt::Display for Parameter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// What one strategy class may do in one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RiskLimits {
    /// Largest quantity of one order.
    pub max_qty: Qty,
    /// Largest value of one order (price × quantity), in millionths of the currency.
    pub max_notional_micros: i64,
    /// Farthest an order's price may lie from the reference price, either way, in basis points of the reference.
    pub collar_bps: u32,
    /// Fewest ticks between a passive order and the opposite best price. 0 and 1 never bind, since an order that does
    /// not cross is at least one tick away.
    pub passive_min_ticks: u32,
    /// Largest long position of one strategy, counting every working buy as filled.
    pub max_pos_long: i64,
    /// Largest short position of one strategy as a positive number, counting every working sell as filled.
    pub max_pos_short: i64,
    /// Orders per second of one strategy in the instrument, sustained.
    pub order_rate_per_s: u32,
    /// Orders of one strategy in the instrument at once, on top of the sustained rate.
    pub order_burst: u32,
    /// Margin multiplier in basis points, 10,000 is once: what counts of a position against the credit of those who hold it
    /// ([`crate::ExposureLimits::credit_micros`]).
    pub margin_bps: u32,
}

impl RiskLimits {
    /// The value of one parameter.
    #[must_use]
    pub const fn get(&self, parameter: Parameter) -> i64 {
        match parameter {
            Parameter::MaxQty => self.max_qty.0 as i64,
            Parameter::MaxNotional => self.max_notional_micros,
            Parameter::Collar => self.collar_bps as i64,
            Parameter::PassiveMin => self.passive_min_ticks as i64,
            Parameter::MaxPosLong => self.max_pos_long,
            Parameter::MaxPosShort => self.max_pos_short,
            Parameter::OrderRate => self.order_rate_per_s as i64,
            Parameter::OrderBurst => self.order_burst as i64,
            Parameter::Margin => self.margin_bps as i64,
        }
    }

    /// The same limits with one parameter changed.
    ///
    /// # Errors
    /// [`OutOfBounds`] when `value` lies outside [`Parameter::bounds`].
    pub const fn with(mut self, parameter: Parameter, value: i64) -> Result<Self, OutOfBounds> {
        let (least, most) = parameter.bounds();
        if value < least || value > most {
            return Err(OutOfBounds { parameter, value, least, most });
        }
        self.put(parameter, value);
        Ok(self)
    }

    /// Stores a value that lies within the parameter's bounds.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the bounds fit the fields")]
    const fn put(&mut self, parameter: Parameter, value: i64) {
        match parameter {
            Parameter::MaxQty => self.max_qty = Qty(value as u32),
            Parameter::MaxNotional => self.max_notional_micros = value,
            Parameter::Collar => self.collar_bps = value as u32,
            Parameter::PassiveMin => self.passive_min_ticks = value as u32,
            Parameter::MaxPosLong => self.max_pos_long = value,
            Parameter::MaxPosShort => self.max_pos_short = value,
            Parameter::OrderRate => self.order_rate_per_s = value as u32,
            Parameter::OrderBurst => self.order_burst = value as u32,
            Parameter::Margin => self.margin_bps = value as u32,
        }
    }

    /// Checks every parameter against its bounds.
    ///
    /// # Errors
    /// [`OutOfBounds`], naming the first parameter that is outside.
    pub const fn validate(&self) -> Result<(), OutOfBounds> {
        let mut i = 0;
        while i < PARAMETER_COUNT {
            let parameter = Parameter::ALL[i];
            let (least, most) = parameter.bounds();
            let value = self.get(parameter);
            if value < least || value > most {
                return Err(OutOfBounds { parameter, value, least, most });
            }
            i += 1;
        }
        Ok(())
    }

    /// The tighter of the two, limit by limit.
    #[must_use]
    pub const fn tighter(&self, other: &Self) -> Self {
        let (mut out, mut i) = (*self, 0);
        while i < PARAMETER_COUNT {
            let p = Parameter::ALL[i];
            if p.at_least_as_tight(other.get(p), self.get(p)) {
                out.put(p, other.get(p));
            }
            i += 1;
        }
        out
    }

    /// The parameter, if any, in which `self` binds less than `other`.
    #[must_use]
    pub const fn first_looser_than(&self, other: &Self) -> Option<Parameter> {
        let mut i = 0;
        while i < PARAMETER_COUNT {
            let parameter = Parameter::ALL[i];
            if !parameter.at_least_as_tight(self.get(parameter), other.get(parameter)) {
                return Some(parameter);
            }
            i += 1;
        }
        None
    }
}

/// A limit outside what the gate can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBounds {
    /// Which limit.
    pub parameter: Parameter,
    /// What was found.
    pub value: i64,
    /// Smallest legal value.
    pub least: i64,
    /// Largest legal value.
    pub most: i64,
}

impl core::fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { parameter, value, least, most } = self;
        write!(f, "{parameter} is {value}, must be {least} to {most}")
    }
}

impl core::error::Error for OutOfBounds {}

/// Which of the three sets of an [`Envelope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitSet {
    /// The tightest the model may go.
    Floor,
    /// What holds without a model.
    Base,
    /// The widest anything may go.
    Cap,
}

impl core::fmt::Display for LimitSet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(match self {
            Self::Floor => "floor",
            Self::Base => "base",
            Self::Cap => "cap",
        })
    }
}

/// Why three sets of limits are no envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeError {
    /// A limit is outside its bounds.
    OutOfBounds {
        /// In which set.
        set: LimitSet,
        /// Which limit, and its bounds.
        source: OutOfBounds,
    },
    /// A set that must be the tighter one is looser than the next.
    Disordered {
        /// In which limit.
        parameter: Parameter,
        /// The set that must be at least as tight …
        tighter: LimitSet,
        /// … its value …
        tighter_value: i64,
        /// … as this set …
        wider: LimitSet,
        /// … whose value is this.
        wider_value: i64,
    },
}

impl core::fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OutOfBounds { set, source } => write!(f, "{set}: {source}"),
            Self::Disordered { parameter, tighter, tighter_value, wider, wider_value } => {
                let sign = if parameter.tightens_upward() { ">=" } else { "<=" };
                write!(f, "{parameter}: {tighter} is {tighter_value}, must be {sign} {wider} ({wider_value})")
            }
        }
    }
}

impl core::error::Error for EnvelopeError {}

/// The officer's word on one (instrument, strategy class): the model moves each limit only between floor and cap.
///
/// Invariant: every limit is within its bounds, and floor is at least as tight as base, base as cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Envelope {
    floor: RiskLimits,
    base: RiskLimits,
    cap: RiskLimits,
}

impl Envelope {
    /// The envelope of these three sets.
    ///
    /// # Errors
    /// [`EnvelopeError`], naming the first limit that is out of bounds or out of order.
    pub const fn new(floor: RiskLimits, base: RiskLimits, cap: RiskLimits) -> Result<Self, EnvelopeError> {
        if let Err(source) = floor.validate() {
            return Err(EnvelopeError::OutOfBounds { set: LimitSet::Floor, source });
        }
        if let Err(source) = base.validate() {
            return Err(EnvelopeError::OutOfBounds { set: LimitSet::Base, source });
        }
        if let Err(source) = cap.validate() {
            return Err(EnvelopeError::OutOfBounds { set: LimitSet::Cap, source });
        }
        if let Some(parameter) = floor.first_looser_than(&base) {
            return Err(EnvelopeError::Disordered {
                parameter,
                tighter: LimitSet::Floor,
                tighter_value: floor.get(parameter),
                wider: LimitSet::Base,
                wider_value: base.get(parameter),
            });
        }
        if let Some(parameter) = base.first_looser_than(&cap) {
            return Err(EnvelopeError::Disordered {
                parameter,
                tighter: LimitSet::Base,
                tighter_value: base.get(parameter),
                wider: LimitSet::Cap,
                wider_value: cap.get(parameter),
            });
        }
        Ok(Self { floor, base, cap })
    }

    /// An envelope in which the model can move nothing.
    ///
    /// # Errors
    /// [`EnvelopeError::OutOfBounds`].
    pub const fn fixed(limits: RiskLimits) -> Result<Self, EnvelopeError> {
        Self::new(limits, limits, limits)
    }

    /// The tightest the model may go.
    #[must_use]
    pub const fn floor(&self) -> &RiskLimits {
        &self.floor
    }

    /// What holds without a model.
    #[must_use]
    pub const fn base(&self) -> &RiskLimits {
        &self.base
    }

    /// The widest anything may go.
    #[must_use]
    pub const fn cap(&self) -> &RiskLimits {
        &self.cap
    }

    /// The widest set inside the envelope that is no wider than `proposal` where the envelope allows it: each limit
    /// clamped between floor and cap.
    #[must_use]
    pub const fn clamp(&self, proposal: &RiskLimits) -> Effective {
        let mut out = self.cap;
        let mut i = 0;
        while i < PARAMETER_COUNT {
            let p = Parameter::ALL[i];
            out.put(p, self.clamp_one(p, proposal.get(p)));
            i += 1;
        }
        Effective(out)
    }

    /// One limit clamped between floor and cap.
    pub(crate) const fn clamp_one(&self, p: Parameter, value: i64) -> i64 {
        if !p.at_least_as_tight(value, self.cap.get(p)) {
            self.cap.get(p)
        } else if !p.at_least_as_tight(self.floor.get(p), value) {
            self.floor.get(p)
        } else {
            value
        }
    }
}

/// Limits that lie inside some envelope. Only an [`Envelope`] makes them, so a table that takes nothing else cannot be
/// handed a limit no officer approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Effective(RiskLimits);

impl Effective {
    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &RiskLimits {
        &self.0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const BASE: RiskLimits = RiskLimits {
        max_qty: Qty(500),
        max_notional_micros: 1_000_000_000_000,
        collar_bps: 500,
        passive_min_ticks: 1,
        max_pos_long: 5_000,
        max_pos_short: 5_000,
        order_rate_per_s: 100,
        order_burst: 20,
        margin_bps: 10_000,
    };

    #[test]
    fn an_envelope_out_of_order_names_the_limit_and_both_values() {
        let loose_floor = RiskLimits { collar_bps: 600, ..BASE };
        let error = Envelope::new(loose_floor, BASE, BASE).unwrap_err();
        assert_eq!(error.to_string(), "collar_bps: floor is 600, must be <= base (500)");
        let loose_floor = RiskLimits { passive_min_ticks: 0, ..BASE };
        let error = Envelope::new(loose_floor, BASE, BASE).unwrap_err();
        assert_eq!(error.to_string(), "passive_min_ticks: floor is 0, must be >= base (1)");
        let tight_cap = RiskLimits { max_qty: Qty(499), ..BASE };
        let error = Envelope::new(BASE, BASE, tight_cap).unwrap_err();
        assert_eq!(error.to_string(), "max_qty: base is 500, must be <= cap (499)");
    }

    #[test]
    fn each_bound_is_enforced_in_each_set() {
        for p in Parameter::ALL {
            let (least, most) = p.bounds();
            assert!(BASE.with(p, least).is_ok() && BASE.with(p, most).is_ok(), "{p}");
            assert!(BASE.with(p, least - 1).is_err(), "{p}");
            if let Some(above) = most.checked_add(1) {
                assert_eq!(BASE.with(p, above), Err(OutOfBounds { parameter: p, value: above, least, most }));
            }
        }
        let bad = RiskLimits { margin_bps: 9_999, ..BASE };
        assert_eq!(
            Envelope::new(bad, BASE, BASE).unwrap_err().to_string(),
            "floor: margin_bps is 9999, must be 10000 to 65535"
        );
        assert!(Envelope::new(BASE, bad, BASE).is_err() && Envelope::new(BASE, BASE, bad).is_err());
    }

    #[test]
    fn clamping_holds_a_proposal_between_floor_and_cap_in_the_direction_of_each_limit() {
        let floor = RiskLimits { max_qty: Qty(10), passive_min_ticks: 9, ..BASE };
        let cap = RiskLimits { max_qty: Qty(800), passive_min_ticks: 0, ..BASE };
        let envelope = Envelope::new(floor, BASE, cap).unwrap();
        let wild = RiskLimits { max_qty: Qty(9_000), passive_min_ticks: 200, ..BASE };
        let held = envelope.clamp(&wild);
        assert_eq!((held.limits().max_qty, held.limits().passive_min_ticks), (Qty(800), 9));
        let tight = RiskLimits { max_qty: Qty(1), ..BASE };
        assert_eq!(envelope.clamp(&tight).limits().max_qty, Qty(10));
        assert_eq!(envelope.clamp(&BASE).limits(), &BASE);
    }
}
