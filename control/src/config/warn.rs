//! `[limits] warn_at`: above which share of a limit an order is flagged.

use super::check::{Checker, way};
use gate::WarnShare;

/// The whole of a limit.
const WHOLE: u32 = 10_000;

/// Above which share of a limit an order is flagged, by ten-thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarnPlan {
    /// In ten-thousandths of the limit.
    pub bps: u32,
    /// The same as the gate has it, which warns no later.
    pub share: WarnShare,
}

impl WarnPlan {
    /// Of a share from 0.5 to 1; none where it is beyond, or is finer.
    fn of(share: f64) -> Option<Self> {
        let bps =
            (WHOLE / 2..=WHOLE).find(|bps| (share * f64::from(WHOLE) - f64::from(*bps)).abs() < 1e-6)?;
        let left = (WHOLE - bps) << 16;
        Some(Self { bps, share: WarnShare::leaving(left.div_ceil(WHOLE))? })
    }
}

impl Checker<'_> {
    pub(super) fn warn(&mut self, share: f64) -> WarnPlan {
        WarnPlan::of(share).unwrap_or_else(|| {
            let wanted = "a share from 0.5 to 1, by ten-thousandths";
            self.refuse(&way("limits.warn_at"), share, wanted);
            WarnPlan { bps: WHOLE, share: WarnShare::DEFAULT }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_taken_as_it_is_written_and_warns_no_later() {
        let of = |share| WarnPlan::of(share).map(|plan| (plan.bps, plan.share.left()));
        assert_eq!(of(0.875), Some((8_750, 8_192)));
        assert_eq!(of(0.875).map(|(_, left)| left), Some(WarnShare::DEFAULT.left()));
        // 19,660.8 parts.
        assert_eq!(of(0.7), Some((7_000, 19_661)));
        assert_eq!([of(0.5), of(1.0)], [Some((5_000, 1 << 15)), Some((10_000, 0))]);
        for share in [0.4999, 1.0001, 0.0, -0.875, 87.5, 0.87501, f64::NAN, f64::INFINITY] {
            assert_eq!(of(share), None, "{share}");
        }
    }
}
