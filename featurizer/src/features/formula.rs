//! The features' formulas: the table of which formula makes which feature, then the formulas as pure functions, golden
//! values beside them.
//!
//! Quantities are integers and prices are integers in 1e-9; floats appear only in the result. `None` means that the value does
//! not exist (a side is empty, a denominator is zero), never zero.

use types::{BookLevel, FeatureId, FeatureVector};

use super::memory::FlowValues;
use super::standing::Standing;
use super::window::{LONG, Quotes, SHORT, Sums};
use crate::view::{Bbo, Book};

/// What is read of a book to which something happened since the last grid point.
pub(crate) struct BookView<'a> {
    /// The book.
    pub(crate) book: &'a Book<'a>,
    /// Its best bids, best first: as many as [`PRESSURE_LEVELS`] where the book has them.
    pub(crate) bids: &'a [BookLevel],
    /// Its best offers, likewise.
    pub(crate) asks: &'a [BookLevel],
}

impl BookView<'_> {
    fn bbo(&self) -> &Bbo {
        self.book.bbo()
    }

    /// The pressure of the first `n` levels.
    fn pressure(&self, n: usize) -> Option<f64> {
        let first = |levels: &'_ [BookLevel]| levels.len().min(n);
        book_pressure(&self.bids[..first(self.bids)], &self.asks[..first(self.asks)])
    }
}

/// What is read of a live book at a grid point at which it or a window changed.
pub(crate) struct WindowView<'a> {
    /// What the windows hold.
    pub(crate) sums: &'a Sums,
    /// The quotes of the step that ends here.
    pub(crate) step: Quotes,
    /// Sum of the best quantities.
    pub(crate) touch: u64,
    /// Recovery after the last large trade.
    pub(crate) resilience: Option<f64>,
}

impl WindowView<'_> {
    /// The order flow of the step that ends here, where the quotes changed in it.
    pub(crate) fn step_flow(step: &Quotes) -> Option<f64> {
        normalised_flow(step.flow, step.depth, u64::from(step.count))
    }

    /// The order flow of a window.
    fn flow(&self, flow: i64, depth: u64, quotes: u64) -> Option<f64> {
        // A window without a quote change has no flow; the depth it would be measured in is the present one.
        if quotes == 0 { (self.touch > 0).then_some(0.0) } else { normalised_flow(flow, depth, quotes) }
    }
}

/// Whether `count` observed returns speak for a window of `steps`: half of it is the least.
const fn covered(count: u16, steps: usize) -> bool {
    count as usize * 2 >= steps
}

/// Makes a function for each kind of view, and the compiler's proof that every feature has a formula.
macro_rules! formulas {
    ($($(#[$doc:meta])* fn $fill:ident($view:ident: $View:ty) { $($id:ident => $formula:expr,)+ })+) => {
        $(
            $(#[$doc])*
            pub(crate) fn $fill($view: &$View, vector: &mut FeatureVector) {
                $(put(vector, FeatureId::$id, $formula);)+
            }
        )+

        const _: fn(FeatureId) = |id| match id {
            $($(FeatureId::$id => (),)+)+
        };
    };
}

formulas! {
    /// Sets the features that only an event can change.
    fn read_book(view: BookView<'_>) {
        SpreadBps => spread_bps(view.bbo()),
        QueueImbalance => queue_imbalance(view.bbo().bid.qty, view.bbo().ask.qty),
        BookPressure5 => view.pressure(5),
        BookPressure10 => view.pressure(10),
        MicropriceOffset => microprice_offset(view.bbo()),
        TopDepth => top_depth(view.bbo().bid.qty, view.bbo().ask.qty),
    }

    /// Sets the features that the passing of time changes too.
    fn read_windows(view: WindowView<'_>) {
        Ofi100Ms => view.flow(view.step.flow, view.step.depth, u64::from(view.step.count)),
        Ofi1S => view.flow(view.sums.flow, view.sums.depth, view.sums.quotes),
        Rv1S => covered(view.sums.short_count, SHORT).then(|| view.sums.volatility_short()),
        Rv1M => covered(view.sums.long_count, LONG).then(|| view.sums.volatility_long()),
        TradeToOrder => trade_to_order(view.sums.trades, view.sums.orders),
        CancelRatio => cancel_ratio(view.sums.cancels, view.sums.orders),
        Resilience => view.resilience,
    }

    /// Sets the features that remember order flow. Time changes them too, but makes no vector of its own for them: they are as of
    /// the vector that something else made.
    fn read_memory(view: FlowValues) {
        FlowMean1S => view.means.map(|means| means[0]),
        FlowMean5S => view.means.map(|means| means[1]),
        FlowMean30S => view.means.map(|means| means[2]),
        SellingExcess => view.excess.map(|sides| sides.sum[0]),
        BuyingExcess => view.excess.map(|sides| sides.sum[1]),
        SellingRun => view.excess.map(|sides| sides.run_s[0]),
        BuyingRun => view.excess.map(|sides| sides.run_s[1]),
        SellingCampaign => view.campaign.map(|sides| sides.sum[0]),
        BuyingCampaign => view.campaign.map(|sides| sides.sum[1]),
        SellingCampaignRun => view.campaign.map(|sides| sides.run_s[0]),
        BuyingCampaignRun => view.campaign.map(|sides| sides.run_s[1]),
    }

    /// Sets the features that hold the present against what is usual, as of the vector likewise.
    fn read_standing(view: Standing) {
        SpreadInUsual => view.spread,
        DepthInUsual => view.depth,
        OrdersInUsual => view.orders,
        Move10S => view.moves[0],
        Move2M => view.moves[1],
    }
}

/// Sets a value, or takes its valid bit away.
#[inline]
fn put(vector: &mut FeatureVector, id: FeatureId, value: Option<f64>) {
    // What is not a number is refused by `set`, which then clears the bit.
    vector.set(id, value.unwrap_or(f64::NAN));
}

/// Levels a pressure can look at.
pub const PRESSURE_LEVELS: usize = 10;

/// `exp(-0.5 k)` for level k: the weight of a level in the book pressure.
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

/// Fewest order messages a trade-to-order ratio says anything about.
pub const ORDERS_MIN: u64 = 20;

#[expect(clippy::cast_precision_loss, reason = "statistics; exact values stay integers")]
fn f(x: u64) -> f64 {
    x as f64
}

/// Whether both sides exist and the bid is below the offer: what a spread needs.
#[must_use]
pub fn is_open(bbo: &Bbo) -> bool {
    bbo.is_two_sided() && bbo.bid.px < bbo.ask.px
}

/// Spread over mid in basis points: `1e4 (P_a - P_b) / m`. None when locked, crossed, one-sided or when the mid
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

/// The bid's share of the best queues, `q_b / (q_b + q_a)` in [0, 1] (Stoikov 2018, "The micro-price").
#[must_use]
pub fn queue_share(bid_qty: u64, ask_qty: u64) -> Option<f64> {
    let sum = bid_qty + ask_qty;
    (sum > 0).then(|| f(bid_qty) / f(sum))
}

/// Signed imbalance of the best queues, `(q_b - q_a) / (q_b + q_a)` in [-1, 1] (Gould and Bonart 2016, "Queue
/// imbalance as a one-tick-ahead price predictor").
#[must_use]
pub fn queue_imbalance(bid_qty: u64, ask_qty: u64) -> Option<f64> {
    let sum = bid_qty + ask_qty;
    (sum > 0).then(|| (f(bid_qty) - f(ask_qty)) / f(sum))
}

/// Level-weighted book pressure `B / (B + A)` with weights `exp(-0.5 k)`; levels best first, those beyond
/// [`PRESSURE_LEVELS`] are ignored.
#[must_use]
pub fn book_pressure(bids: &[BookLevel], asks: &[BookLevel]) -> Option<f64> {
    let weigh = |levels: &[BookLevel]| -> f64 {
        levels.iter().zip(PRESSURE_WEIGHTS).map(|(level, weight)| weight * f(level.qty)).sum()
    };
    let (b, a) = (weigh(bids), weigh(asks));
    (b + a > 0.0).then(|| b / (b + a))
}

/// Weighted mid less mid, in spreads: `(weighted_mid - m) / s`. The prices cancel, `q_b / (q_b + q_a) - 1/2` is left, and that is
/// how it is computed: without cancellation error. None when the spread is not positive.
#[must_use]
pub fn microprice_offset(bbo: &Bbo) -> Option<f64> {
    if is_open(bbo) { queue_share(bbo.bid.qty, bbo.ask.qty).map(|share| share - 0.5) } else { None }
}

/// `ln(q_b + q_a)` of the best queues.
#[must_use]
pub fn top_depth(bid_qty: u64, ask_qty: u64) -> Option<f64> {
    let sum = bid_qty + ask_qty;
    (sum > 0).then(|| f(sum).ln())
}

/// Order flow e_n between two consecutive states of the best quotes (Cont, Kukanov and Stoikov 2014, "The price impact of
/// order book events", eq. 10).
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
/// the `quotes` states seen in the window, `depth` being the sum of their `q_b + q_a`.
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

/// Trades per order message (add, cancel, modify); None below [`ORDERS_MIN`].
#[must_use]
pub fn trade_to_order(trades: u64, orders: u64) -> Option<f64> {
    (orders >= ORDERS_MIN).then(|| f(trades) / f(orders))
}

/// Share of cancels in the order messages.
#[must_use]
pub fn cancel_ratio(cancels: u64, orders: u64) -> Option<f64> {
    (orders > 0).then(|| f(cancels) / f(orders))
}

/// Share of a deficit `pre - post` that `now` has made good, in [0, 1]; 1 when there was no deficit.
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

    // Golden values: computed apart from this code, with numpy.
    #[test]
    fn touch_features_match_the_golden_book() {
        let b = bbo(("100.00", 500), ("100.01", 200));
        near(queue_share(500, 200), 0.714_285_714_285_714_3);
        near(queue_imbalance(500, 200), 0.428_571_428_571_428_55);
        near(spread_bps(&b), 0.999_950_002_499_875);
        // The weighted mid (P_a q_b + P_b q_a) / (q_b + q_a), less the mid, in spreads.
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
