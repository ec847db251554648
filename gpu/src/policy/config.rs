//! Settings of the way from score to limit, as the configuration file writes them.

use std::collections::BTreeMap;

use gate::{Overlay, OverlayError, Parameter, Ratio, TierOverlay};
use serde::{Deserialize, Serialize};
use types::{Nanos, Tier};

use super::tier::{TierConfig, TierConfigError};
use crate::heads::Head;

/// Everything the policy can be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Spacing of the feature grid.
    pub grid_ns: u64,
    /// For how long a published limit holds; at least three grid points.
    pub lease_ns: u64,
    /// Nanoseconds from the first vector of a live book to its first score, while its windows fill: the first seconds of a
    /// book are all additions, which no calm market resembles. 0 scores at once.
    pub warmup_ns: u64,
    /// Nanoseconds from the first vector of a live book to the first score that may trip its breaker, while its longest window
    /// fills: half a window of an opening is no measure of it.
    pub critical_after_ns: u64,
    /// What holds for an instrument that the model does not know.
    pub uncalibrated: Uncalibrated,
    /// When tiers change.
    pub tier: TierConfig,
    /// What each tier does to the officer's base.
    pub overlay: OverlayConfig,
    /// When the market itself bears the model out.
    pub witness: WitnessConfig,
    /// Limits wider than the base after a long calm.
    pub widen: WidenConfig,
    /// Orders no larger than what the book bears.
    pub slippage: SlippageConfig,
    /// Orders no larger than what is likely meant.
    pub fat_finger: FatFingerConfig,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            grid_ns: 100_000_000,
            lease_ns: 1_000_000_000,
            warmup_ns: 0,
            critical_after_ns: 0,
            uncalibrated: Uncalibrated::default(),
            tier: TierConfig::default(),
            overlay: OverlayConfig::default(),
            witness: WitnessConfig::default(),
            widen: WidenConfig::default(),
            slippage: SlippageConfig::default(),
            fat_finger: FatFingerConfig::default(),
        }
    }
}

/// What holds for an instrument that the model has no profile of, while no channel speaks of more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Uncalibrated {
    /// The officer's base, as if it were Normal.
    Static,
    /// The limits of Elevated, which it never leaves downwards: what is not known is not calm.
    #[default]
    Elevated,
}

impl Uncalibrated {
    /// The lowest tier of such an instrument.
    pub(crate) const fn floor(self) -> Tier {
        match self {
            Self::Static => Tier::Normal,
            Self::Elevated => Tier::Elevated,
        }
    }
}

/// Ratios to the base per tier, by the limit's name; a limit not named stays at the base. Critical has no row: there
/// the floor holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OverlayConfig {
    /// Elevated.
    pub elevated: BTreeMap<String, RatioText>,
    /// High.
    pub high: BTreeMap<String, RatioText>,
}

impl Default for OverlayConfig {
    fn default() -> Self {
        let rows = |tier| {
            let row = Overlay::DEFAULT.row(tier).copied().unwrap_or(TierOverlay::BASE);
            let changed = Parameter::ALL.into_iter().filter(|p| row.ratio(*p) != Ratio::ONE);
            changed.map(|p| (p.name().to_owned(), RatioText(row.ratio(p)))).collect()
        };
        Self { elevated: rows(Tier::Elevated), high: rows(Tier::High) }
    }
}

/// An exact ratio, written `"1/10"` or `"3"`: a decimal would not be exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RatioText(pub Ratio);

impl TryFrom<String> for RatioText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (num, den) = text.split_once('/').unwrap_or((&text, "1"));
        let parse = |s: &str| s.trim().parse::<u32>().ok();
        let ratio = parse(num).zip(parse(den)).and_then(|(num, den)| Ratio::new(num, den));
        ratio.map(Self).ok_or_else(|| format!("found ratio {text:?}, wanted a form like \"1/10\""))
    }
}

impl From<RatioText> for String {
    fn from(RatioText(ratio): RatioText) -> Self {
        if ratio.den() == 1 { ratio.num().to_string() } else { format!("{}/{}", ratio.num(), ratio.den()) }
    }
}

/// Thresholds of the non-ML witnesses, as multiples of the symbol's calm profile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WitnessConfig {
    /// The spread is this many times the usual.
    pub spread_ratio: f64,
    /// The depth at the touch is below this share of the usual.
    pub depth_ratio: f64,
    /// One-second volatility is this many times the usual.
    pub volatility_ratio: f64,
}

impl Default for WitnessConfig {
    fn default() -> Self {
        Self { spread_ratio: 3.0, depth_ratio: 0.25, volatility_ratio: 5.0 }
    }
}

/// How limits open beyond the base, towards the officer's cap, when the market stays calm. Off unless asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WidenConfig {
    /// Whether limits widen at all.
    pub enabled: bool,
    /// Calm (Normal, below the exit of Elevated) before the first step.
    pub calm_ns: u64,
    /// Calm before each further step.
    pub step_ns: u64,
    /// Size of a step, in percent of the base.
    pub step_percent: u32,
    /// Most steps; the cap bounds them anyway.
    pub step_count_max: u8,
}

impl Default for WidenConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            calm_ns: 600_000_000_000,
            step_ns: 60_000_000_000,
            step_percent: 5,
            step_count_max: 10,
        }
    }
}

/// The order size by predicted slippage. Off unless asked for: it needs a model with a slippage network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlippageConfig {
    /// Orders that would cost more than this beyond the touch are too large; 0 lets any size pass.
    pub limit_bps: f32,
}

/// Order sizes by price distance and the probability of an error. Off unless asked for: it needs a model with a fat-finger network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FatFingerConfig {
    /// Orders that are errors with a higher probability than this are too large; 0 lets any size pass.
    pub error_probability_max: f64,
}

/// A policy that could not work.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PolicyConfigError {
    /// The tier table.
    #[error(transparent)]
    Tier(#[from] TierConfigError),
    /// A lease that a healthy scorer could miss.
    #[error("policy: lease_ns is {found}, wanted {least} (three grid points) to {most}")]
    Lease {
        /// Its value.
        found: u64,
        /// Three grid points.
        least: u64,
        /// What a slot can hold.
        most: u64,
    },
    /// An overlay names no limit.
    #[error("policy: overlay.{tier} names {found:?}, wanted one of {wanted}")]
    Parameter {
        /// Which row.
        tier: &'static str,
        /// The name.
        found: String,
        /// All limits.
        wanted: String,
    },
    /// An overlay loosens with the tier.
    #[error("policy: {0}")]
    Overlay(OverlayError),
    /// A witness that always or never speaks.
    #[error("policy: witness.{key} is {found}, wanted {wanted}")]
    Witness {
        /// Name of the setting.
        key: &'static str,
        /// Its value.
        found: f64,
        /// What it may be.
        wanted: &'static str,
    },
    /// A slippage limit outside its range.
    #[error("policy: slippage.limit_bps is {found}, wanted 0 (off) to 10000")]
    Slippage {
        /// Its value.
        found: f32,
    },
    /// A probability outside its range.
    #[error("policy: fat_finger.error_probability_max is {found}, wanted 0 (off) or a number below 1")]
    FatFinger {
        /// Its value.
        found: f64,
    },
    /// A probability without a model that predicts it.
    #[error(
        "policy: fat_finger.error_probability_max is {found}, and the model has no fat-finger network; train one with `portcullis train fat-finger`, or set 0"
    )]
    NoFatFingerHead {
        /// Its value.
        found: f64,
    },
    /// A slippage limit without a model that predicts slippage.
    #[error(
        "policy: slippage.limit_bps is {limit_bps}, and the model has no slippage network; train one with `portcullis train slippage`, or set 0"
    )]
    NoSlippageHead {
        /// The limit.
        limit_bps: f32,
    },
    /// Widening that is not slow.
    #[error("policy: widen.{key} is {found}, wanted {wanted}")]
    Widen {
        /// Name of the setting.
        key: &'static str,
        /// Its value.
        found: u64,
        /// What it may be.
        wanted: &'static str,
    },
}

fn row(tier: &'static str, ratios: &BTreeMap<String, RatioText>) -> Result<TierOverlay, PolicyConfigError> {
    let mut row = TierOverlay::BASE;
    for (name, RatioText(ratio)) in ratios {
        let Some(parameter) = Parameter::ALL.into_iter().find(|p| p.name() == name) else {
            let wanted = Parameter::ALL.map(Parameter::name).join(", ");
            return Err(PolicyConfigError::Parameter { tier, found: name.clone(), wanted });
        };
        row = row.with(parameter, *ratio);
    }
    Ok(row)
}

impl PolicyConfig {
    /// Longest lease and largest number of widening steps that are sensible at all.
    const LEASE_NS_MAX: u64 = gate::Lease::SPAN_MAX.0;

    /// The lease.
    #[must_use]
    pub const fn lease(&self) -> Nanos {
        Nanos(self.lease_ns)
    }

    /// The heads whose word it asks for; the others need not be computed.
    #[must_use]
    pub fn heads(&self) -> Vec<Head> {
        let asked = [
            (Head::Slippage, self.slippage.limit_bps > 0.0),
            (Head::FatFinger, self.fat_finger.error_probability_max > 0.0),
        ];
        asked.into_iter().filter(|(_, is_asked)| *is_asked).map(|(head, _)| head).collect()
    }

    /// Checks everything.
    ///
    /// # Errors
    /// The first setting that cannot work.
    pub fn check(&self) -> Result<(), PolicyConfigError> {
        self.tier.check()?;
        let least = self.grid_ns.max(1).saturating_mul(3);
        if !(least..=Self::LEASE_NS_MAX).contains(&self.lease_ns) {
            return Err(PolicyConfigError::Lease { found: self.lease_ns, least, most: Self::LEASE_NS_MAX });
        }
        let WitnessConfig { spread_ratio, depth_ratio, volatility_ratio } = self.witness;
        for (key, found) in [("spread_ratio", spread_ratio), ("volatility_ratio", volatility_ratio)] {
            if !(found.is_finite() && found > 1.0) {
                return Err(PolicyConfigError::Witness { key, found, wanted: "a number above 1" });
            }
        }
        if !(depth_ratio > 0.0 && depth_ratio < 1.0) {
            let (key, found) = ("depth_ratio", depth_ratio);
            return Err(PolicyConfigError::Witness { key, found, wanted: "a number between 0 and 1" });
        }
        let found = self.slippage.limit_bps;
        if !(0.0..=10_000.0).contains(&found) {
            return Err(PolicyConfigError::Slippage { found });
        }
        let found = self.fat_finger.error_probability_max;
        if !(0.0..1.0).contains(&found) {
            return Err(PolicyConfigError::FatFinger { found });
        }
        self.check_widen()?;
        self.overlays().map(|_| ())
    }

    fn check_widen(&self) -> Result<(), PolicyConfigError> {
        const SECOND: u64 = 1_000_000_000;
        let wrong = |key, found, wanted| Err(PolicyConfigError::Widen { key, found, wanted });
        let WidenConfig { calm_ns, step_ns, step_percent, step_count_max, .. } = self.widen;
        if calm_ns < 10 * SECOND {
            return wrong("calm_ns", calm_ns, "at least 10 s");
        }
        if step_ns < SECOND {
            return wrong("step_ns", step_ns, "at least 1 s");
        }
        if !(1..=25).contains(&step_percent) {
            return wrong("step_percent", u64::from(step_percent), "1 to 25");
        }
        if step_count_max == 0 {
            return wrong("step_count_max", 0, "at least 1");
        }
        Ok(())
    }

    /// The overlay of each widening step, the unwidened first. Widening opens what shrinks under stress; the passive
    /// distance and the margin stay at the base.
    ///
    /// # Errors
    /// A name that is no limit, or a tier looser than the one below it.
    pub(crate) fn overlays(&self) -> Result<Vec<Overlay>, PolicyConfigError> {
        let (elevated, high) = (row("elevated", &self.overlay.elevated)?, row("high", &self.overlay.high)?);
        let steps = if self.widen.enabled { u32::from(self.widen.step_count_max) } else { 0 };
        (0..=steps)
            .map(|step| {
                let ratio = Ratio::new(100 + step * self.widen.step_percent, 100).unwrap_or(Ratio::ONE);
                let wide = Parameter::ALL.into_iter().filter(|p| step > 0 && !p.tightens_upward());
                let normal = wide.fold(TierOverlay::BASE, |row, p| row.with(p, ratio));
                Overlay::new(normal, elevated, high).map_err(PolicyConfigError::Overlay)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_design_table_and_check() {
        let config = PolicyConfig::default();
        config.check().unwrap();
        assert_eq!(config.overlays().unwrap(), [Overlay::DEFAULT]);
        assert_eq!(config.lease_ns, 1_000_000_000);
    }

    #[test]
    fn a_head_is_asked_for_where_its_bound_is_on() {
        let mut config = PolicyConfig::default();
        assert_eq!(config.heads(), []);
        config.fat_finger.error_probability_max = 0.001;
        assert_eq!(config.heads(), [Head::FatFinger]);
        config.slippage.limit_bps = 5.0;
        assert_eq!(config.heads(), [Head::Slippage, Head::FatFinger]);
    }

    #[test]
    fn a_file_is_read_back_as_written() {
        let config = PolicyConfig::default();
        let text = toml::to_string(&config).unwrap();
        assert!(text.contains("max_qty = \"1/10\""), "{text}");
        assert_eq!(toml::from_str::<PolicyConfig>(&text).unwrap(), config);
        assert_eq!(toml::from_str::<PolicyConfig>("").unwrap(), config);
    }

    #[test]
    fn what_cannot_work_is_refused_with_found_and_wanted() {
        let parse = |text: &str| toml::from_str::<PolicyConfig>(text).map_err(|e| e.message().to_owned());
        assert!(parse("leas_ns = 1").unwrap_err().contains("unknown field `leas_ns`"));
        assert!(
            parse("[overlay.high]\nmax_qty = \"x\"").unwrap_err().contains("wanted a form like \"1/10\"")
        );
        let check = |text: &str| parse(text).unwrap().check().unwrap_err().to_string();
        assert!(
            check("lease_ns = 200000000")
                .starts_with("policy: lease_ns is 200000000, wanted 300000000 (three grid points)")
        );
        assert!(
            check("[overlay.high]\nmax_quantity = \"1/2\"")
                .starts_with("policy: overlay.high names \"max_quantity\", wanted one of max_qty,")
        );
        let loose = "[overlay.elevated]\nmax_qty = \"1/20\"";
        assert_eq!(check(loose), "policy: overlay high: max_qty is looser than in the tier below");
        assert_eq!(
            check("[witness]\ndepth_ratio = 2.0"),
            "policy: witness.depth_ratio is 2, wanted a number between 0 and 1"
        );
        assert_eq!(
            check("[slippage]\nlimit_bps = -1.0"),
            "policy: slippage.limit_bps is -1, wanted 0 (off) to 10000"
        );
        assert_eq!(
            check("[slippage]\nlimit_bps = nan").split(',').next(),
            Some("policy: slippage.limit_bps is NaN")
        );
        assert_eq!(
            check("[fat_finger]\nerror_probability_max = 1.0"),
            "policy: fat_finger.error_probability_max is 1, wanted 0 (off) or a number below 1"
        );
        assert_eq!(check("[widen]\nstep_percent = 90"), "policy: widen.step_percent is 90, wanted 1 to 25");
    }

    #[test]
    fn widening_opens_what_shrinks_under_stress_and_nothing_else() {
        let mut config = PolicyConfig::default();
        config.widen.enabled = true;
        let overlays = config.overlays().unwrap();
        assert_eq!(overlays.len(), 11);
        let last = overlays[10].row(Tier::Normal).unwrap();
        assert_eq!(last.ratio(Parameter::MaxQty), Ratio::new(150, 100).unwrap());
        assert_eq!(last.ratio(Parameter::PassiveMin), Ratio::ONE);
        assert_eq!(overlays[10].row(Tier::High), Overlay::DEFAULT.row(Tier::High));
    }
}
