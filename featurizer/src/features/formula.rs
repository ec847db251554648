//! The features' formulas as pure functions, golden values beside them (DOMAIN.md 3.1 to 3.7).
//!
//! Quantities are integers and prices are integers in 1e-9; floats appear only in the result. `None` means that the value does
//! not exist (a side is empty, a denominator is zero), never zero.

use types::BookLevel;

use crate::Bbo;

/// Levels a pressure can look at.
pub const PRESSURE_LEVELS: usize = 10;

/// `exp(-0.5 k)` for level k: the weight of a level in the book pressure (DOMAIN.md 3.2).
pub const PRESSURE_WEIGHTS: [f64; PRESSURE_LEVELS] = [
    1.0,
    0.606_530_659_712_633_4,
    0.367_879_441_171_442_33,
    0.223_130_160_148_429_82,
    0.135_335_283_236_612_7,
    0.082_084_998_623_898_8,
    0.049_787_068_367_863_944,
    0.030_197_383_422_318_5,
    0.018_315_638_888_734_18,
    0.011_108_996_538_242_306,
];

/// Fewest order messages a trade-to-order ratio says anything about (DOMAIN.md 3.7).
pub const ORDERS_MIN: u64 = 20;

#[expect(clippy::cast_precision_loss, reason = "statistics; exact values stay integers")]
fn f(x: u64) -> f64 {
    x as f64
}

/// Whether both sides exist and the bid is below the offer: what a spread needs (DOMAIN.md 3.1).
#[must_use]
pub fn is_open(bbo: &Bbo) -> bool {
    bbo.is_two_sided() && bbo.bid.px < bbo.ask.px
}

/// Spread over mid in basis points: `1e4 (P_a - P_b) / m` (DOMAIN.md 3.1). None when locked, crossed, one-sided or when the mid
/// is not positive.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "statistics; exact values stay integers")]
pub fn spread_bps(bbo: &Bbo) -> Option<f64> {
    if !is_open(bbo) {
        return None;
    }
    let (bid, ask) = (bbo.bid.px.0, bbo.ask.px.0);
    let sum = bid + ask;
    (sum > 0).then(|| (ask - bid) as f64 / sum as f64 * 2e4)
}

/// The bid's share of the best queues, `q_b / (q_b + q_a)` in [0, 1] (DOMAIN.md 3.2, I).
#[must_use]
pub fn queue_share(bid_qty: u64, ask_qty: u64) -> Option<f64> {
    let sum = bid_qty + ask_qty;
    (sum > 0).then(|| f(bid_qty) / f(sum))
}

/// Signed imbalance of the best queues, `(q_b - q_a) / (q_b + q_a)` in [-1, 1] (DOMAIN.md 3.2, rho).
#[must_use]
pub fn queue_imbalance(bid_qty: u64, ask_qty: u64) -> Option<f64> {
    let sum = bid_qty + ask_qty;
    (sum > 0).then(|| (f(bid_qty) - f(ask_qty)) / f(sum))
}

/// Level-weighted book pressure `B / (B + A)` with weights `exp(-0.5 k)` (DOMAIN.md 3.2); levels best first, those beyond
/// [`PRESSURE_LEVELS`] are ignored.
#[must_use]
pub fn book_pressure(bids: &[BookLevel], asks: &[BookLevel]) -> Option<f64> {
    let weigh = |levels: &[BookLevel]| -> f64 {
        levels.iter().zip(PRESSURE_WEIGHTS).map(|(level, weight)| weight * f(level.qty)).sum()
    };
    let (b, a) = (weigh(bids), weigh(asks));
    (b + a > 0.0).then(|| b / (b + a))
}

/// Weighted mid `(P_a q_b + P_b q_a) / (q_b + q_a)` in units of currency (DOMAIN.md 3.4).
#[must_use]
pub fn weighted_mid(bbo: &Bbo) -> Option<f64> {
    let (b, a) = (&bbo.bid, &bbo.ask);
    let sum = b.qty + a.qty;
    (bbo.is_two_sided() && sum > 0).then(|| (a.px.to_f64() * f(b.qty) + b.px.to_f64() * f(a.qty)) / f(sum))
}

/// Weighted mid less mid, in spreads: `(weighted_mid - m) / s`. The prices cancel, `q_b / (q_b + q_a) - 1/2` is left, and that is
/// how it is computed: without cancellation error. None when the spread is not positive.
#[must_use]
pub fn microprice_offset(bbo: &Bbo) -> Option<f64> {
    if is_open(bbo) { queue_share(bbo.bid.qty, bbo.ask.qty).map(|share| share - 0.5) } else { None }
}

/// `ln(q_b + q_a)` of the best queues (DOMAIN.md 3.14).
#[must_use]
pub fn top_depth(bid_qty: u64, ask_qty: u64) -> Option<f64> {
    let sum = bid_qty + ask_qty;
    (sum > 0).then(|| f(sum).ln())
}

/// Order flow e_n between two consecutive states of the best quotes (DOMAIN.md 3.3; Cont, Kukanov and Stoikov 2014, eq. 10).
/// A missing bid counts as a quantity of zero at a price below every price, a missing offer as one above.
#[must_use]
pub fn order_flow(before: &Bbo, after: &Bbo) -> i64 {
    let (b0, b1) = (&before.bid, &after.bid);
    // Px::NONE compares above every price, which suits the offer; the bid needs the opposite.
    let key = |level: &BookLevel| if level.px.is_some() { level.px.0 } else { i64::MIN };
    let mut e = 0_i64;
    if key(b1) >= key(b0) {
        e += b1.qty.cast_signed();
    }
    if key(b1) <= key(b0) {
        e -= b0.qty.cast_signed();
    }
    let (a0, a1) = (&before.ask, &after.ask);
    if a1.px <= a0.px {
        e -= a1.qty.cast_signed();
    }
    if a1.px >= a0.px {
        e += a0.qty.cast_signed();
    }
    e
}

/// Order flow over a window in units of the mean best depth: `OFI / D_bar`, where `D_bar` is the mean of `(q_b + q_a) / 2` over
/// the `quotes` states seen in the window, `depth` being the sum of their `q_b + q_a` (DOMAIN.md 3.3).
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "statistics; exact values stay integers")]
pub fn normalised_flow(flow: i64, depth: u64, quotes: u64) -> Option<f64> {
    (quotes > 0 && depth > 0).then(|| flow as f64 * 2.0 * f(quotes) / f(depth))
}

/// Log return between two mids; both must be positive.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "statistics; exact values stay integers")]
pub fn log_return(before: i64, after: i64) -> Option<f64> {
    // ln(1 + x) keeps the digits that the quotient of two near prices loses.
    (before > 0 && after > 0).then(|| ((after - before) as f64 / before as f64).ln_1p())
}

/// Realized variance: the sum of squared returns (DOMAIN.md 3.6, RV).
#[must_use]
pub fn realized_variance(returns: &[f64]) -> f64 {
    returns.iter().map(|r| r * r).sum()
}

/// Realized volatility in basis points, not annualized: `1e4 sqrt(RV)`.
#[must_use]
pub fn realized_volatility_bps(returns: &[f64]) -> f64 {
    realized_variance(returns).sqrt() * 1e4
}

/// Trades per order message (add, cancel, modify); None below [`ORDERS_MIN`] order messages (DOMAIN.md 3.7, e = 0).
#[must_use]
pub fn trade_to_order(trades: u64, orders: u64) -> Option<f64> {
    (orders >= ORDERS_MIN).then(|| f(trades) / f(orders))
}

/// Share of cancels in the order messages (DOMAIN.md 3.7).
#[must_use]
pub fn cancel_ratio(cancels: u64, orders: u64) -> Option<f64> {
    (orders > 0).then(|| f(cancels) / f(orders))
}

/// Share of a deficit `pre - post` that `now` has made good, in [0, 1]; 1 when there was no deficit (DOMAIN.md 3.5, 1 - x(h)).
#[must_use]
pub fn recovered_share(pre: f64, post: u64, now: u64) -> f64 {
    let deficit = pre - f(post);
    if deficit > 0.0 { ((f(now) - f(post)) / deficit).clamp(0.0, 1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Px;

    fn level(px: &str, qty: u64) -> BookLevel {
        BookLevel { px: px.parse().unwrap(), qty, order_count: 1 }
    }

    fn bbo(bid: (&str, u64), ask: (&str, u64)) -> Bbo {
        Bbo { bid: level(bid.0, bid.1), ask: level(ask.0, ask.1) }
    }

    fn near(found: Option<f64>, wanted: f64) {
        let found = found.expect("a value");
        assert!((found - wanted).abs() <= 1e-10 * wanted.abs().max(1.0), "{found} for {wanted}");
    }

    // Golden values: computed apart from this code (numpy) and quoted in DOMAIN.md 3.
    #[test]
    fn touch_features_match_the_golden_book() {
        let b = bbo(("100.00", 500), ("100.01", 200));
        near(queue_share(500, 200), 0.714_285_714_285_714_3);
        near(queue_imbalance(500, 200), 0.428_571_428_571_428_55);
        near(spread_bps(&b), 0.999_950_002_499_875);
        near(weighted_mid(&b), 100.007_142_857_142_86);
        near(microprice_offset(&b), (100.007_142_857_142_86 - 100.005) / 0.01);
        near(top_depth(500, 200), 700_f64.ln());
    }

    #[test]
    fn book_pressure_matches_the_golden_book() {
        let bids: Vec<_> = [500, 400, 300, 200, 100].map(|q| level("1", q)).into();
        let asks: Vec<_> = [200, 300, 400, 500, 600].map(|q| level("1", q)).into();
        near(book_pressure(&bids, &asks), 0.557_947_623_8);
        assert_eq!(book_pressure(&bids, &[]), Some(1.0));
        assert_eq!(book_pressure(&[], &[]), None);
    }

    #[test]
    fn pressure_weights_are_powers_of_a_root() {
        for (k, weight) in PRESSURE_WEIGHTS.iter().enumerate() {
            near(Some(*weight), (-0.5 * k as f64).exp());
        }
    }

    #[test]
    fn order_flow_matches_the_golden_sequence() {
        let states = [
            bbo(("100.00", 500), ("100.01", 200)),
            bbo(("100.00", 700), ("100.01", 200)),
            bbo(("100.00", 700), ("100.01", 50)),
            bbo(("100.01", 100), ("100.02", 300)),
            bbo(("100.00", 650), ("100.01", 80)),
        ];
        let e: Vec<i64> = states.windows(2).map(|w| order_flow(&w[0], &w[1])).collect();
        assert_eq!(e, [200, 150, 150, -180]);
        assert_eq!(e.iter().sum::<i64>(), 320);
    }

    #[test]
    fn a_side_that_comes_or_goes_flows_whole() {
        let two = bbo(("100.00", 500), ("100.01", 200));
        let no_bid = Bbo { bid: BookLevel::NONE, ..two };
        let no_ask = Bbo { ask: BookLevel::NONE, ..two };
        assert_eq!(order_flow(&two, &no_bid), -500);
        assert_eq!(order_flow(&no_bid, &two), 500);
        assert_eq!(order_flow(&two, &no_ask), 200);
        assert_eq!(order_flow(&no_ask, &two), -200);
        assert_eq!(order_flow(&Bbo::NONE, &Bbo::NONE), 0);
    }

    #[test]
    fn normalised_flow_is_flow_over_mean_depth() {
        // Two states with 700 and 900 at the touch: mean of the halves is 400.
        near(normalised_flow(320, 1_600, 2), 0.8);
        assert_eq!(normalised_flow(5, 0, 2), None);
        assert_eq!(normalised_flow(5, 10, 0), None);
    }

    #[test]
    fn realized_variance_matches_the_golden_returns() {
        let r = [0.0010, -0.0005, 0.0008, -0.0012, 0.0100, -0.0007, 0.0003, -0.0009, 0.0006, -0.0004];
        assert!((realized_variance(&r) - 1.0524e-4).abs() < 1e-18);
        near(Some(realized_volatility_bps(&r)), 1.0524e-4_f64.sqrt() * 1e4);
    }

    #[test]
    fn returns_of_near_prices_keep_their_digits() {
        near(log_return(100, 110), 1.1_f64.ln());
        let tiny = log_return(1_000_000_000_000, 1_000_000_000_001).unwrap();
        assert!((tiny - 1e-12).abs() < 1e-24);
        assert_eq!(log_return(0, 5), None);
        assert_eq!(log_return(5, -5), None);
    }

    #[test]
    fn activity_ratios_need_their_denominators() {
        assert_eq!(trade_to_order(5, 19), None);
        near(trade_to_order(5, 20), 0.25);
        assert_eq!(cancel_ratio(0, 0), None);
        near(cancel_ratio(3, 4), 0.75);
    }

    #[test]
    fn locked_and_crossed_quotes_have_no_spread() {
        for (bid, ask) in [("100.01", "100.01"), ("100.02", "100.01")] {
            let b = bbo((bid, 5), (ask, 5));
            assert_eq!((spread_bps(&b), microprice_offset(&b)), (None, None));
        }
        let b = Bbo { bid: level("-1.00", 1), ask: BookLevel { px: Px(0), ..level("0", 1) } };
        assert_eq!(spread_bps(&b), None, "a mid below zero");
    }

    #[test]
    fn recovery_is_a_share() {
        near(Some(recovered_share(1_000.0, 200, 600)), 0.5);
        near(Some(recovered_share(1_000.0, 200, 100)), 0.0);
        near(Some(recovered_share(1_000.0, 200, 5_000)), 1.0);
        near(Some(recovered_share(100.0, 200, 0)), 1.0);
    }
}
