//! From the file as written to a plan that is valid by construction: checks between keys, ranges, envelopes.

use super::error::{ConfigError, Problem};
use super::schema::{self, Bounds, Config};
use super::tree::{Node, Step, dotted};
use crate::amount::Amount;
use crate::limits::LimitKey;
use crate::names::SymbolName;
use crate::roles::Roles;
use gate::{Envelope, Overlay, Ratio, RiskLimits, TierOverlay};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::Ipv4Addr;
use types::Qty;

/// A whole, checked configuration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// Name, directories, start.
    pub instance: schema::Instance,
    /// What DPDK is started with.
    pub eal: schema::Eal,
    /// The feeds; empty is legal here, since replays read the rest of the file.
    pub feeds: Vec<schema::Feed>,
    /// Which CPU runs what.
    pub placement: schema::Placement,
    /// Ring depths.
    pub link: schema::Link,
    /// Table sizes.
    pub book: schema::Book,
    /// The scorer.
    pub scorer: schema::Scorer,
    /// What the score does.
    pub policy: schema::Policy,
    /// What each tier does to the base limits: [`Plan::policy`]'s `overlay_pct` as the gate takes it.
    pub overlay: Overlay,
    /// Envelopes.
    pub limits: LimitPlan,
    /// Who may do what.
    pub roles: Roles,
    /// Audit log.
    pub audit: schema::Audit,
    /// BLAKE3 of the merged configuration, comments and layout left out; goes into the audit log at every start.
    pub digest: [u8; 32],
}

/// The envelopes of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitPlan {
    /// Of every instrument that has none of its own.
    pub default: Envelope,
    /// Of the others, complete.
    pub by_symbol: BTreeMap<SymbolName, Envelope>,
}

impl LimitPlan {
    /// The configured envelope of one instrument.
    #[must_use]
    pub fn envelope(&self, symbol: SymbolName) -> &Envelope {
        self.by_symbol.get(&symbol).unwrap_or(&self.default)
    }
}

/// The tick sizes that make sense, in units of 1e-9: a millionth to a thousand.
const TICKS: std::ops::RangeInclusive<i128> = 1_000..=1_000 * Amount::SCALE;

/// Groups one port can join.
const GROUPS_MAX: usize = 64;

/// The group of all hosts, which nobody joins.
const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);

/// How many of the last scores the scorer looks back on.
const LOOK_BACK: u32 = 3;

/// Checks what one key alone cannot say. Every error is returned.
pub(crate) fn plan(config: Config, tree: &Node) -> Result<Plan, Vec<ConfigError>> {
    let mut check = Checker { tree, errors: Vec::new() };
    check.equal("schema", config.schema, 1);
    check.instance(&config.instance);
    check.range("eal.memory_mib", config.eal.memory_mib, 16, 1 << 20);
    check.feeds(&config.feed);
    check.placement(&config.placement);
    check.depth("link.receiver_featurizer_events", config.link.receiver_featurizer_events);
    check.depth("link.featurizer_scorer_vectors", config.link.featurizer_scorer_vectors);
    check.depth("link.verdict_records", config.link.verdict_records);
    check.range("book.instruments", config.book.instruments, 1, 65_536);
    check.range("book.orders", config.book.orders, 1_024, 1 << 28);
    check.ticks(&config.book.tick);
    check.range("scorer.lease_ms", config.scorer.lease_ms, 300, 60_000);
    check.range("scorer.batch_rows", config.scorer.batch_rows, 1, 65_536);
    check.range("scorer.batch_wait_us", config.scorer.batch_wait_us, 0, 100_000);
    let overlay = check.policy(&config.policy);
    check.range("audit.segment_mib", config.audit.segment_mib, 1, 1_024);
    let limits = check.limits(&config.limits);
    let (Some(overlay), Some(limits), true) = (overlay, limits, check.errors.is_empty()) else {
        return Err(check.errors);
    };
    let mut canonical = String::new();
    tree.canonical(&mut canonical);
    let Config { instance, eal, feed: feeds, placement, link, book, scorer, policy, roles, audit, .. } =
        config;
    let digest = *blake3::hash(canonical.as_bytes()).as_bytes();
    Ok(Plan {
        instance,
        eal,
        feeds,
        placement,
        link,
        book,
        scorer,
        policy,
        overlay,
        limits,
        roles,
        audit,
        digest,
    })
}

struct Checker<'a> {
    tree: &'a Node,
    errors: Vec<ConfigError>,
}

/// The way to a key written with dots; no part of it holds a dot.
fn way(dots: &str) -> Vec<Step> {
    dots.split('.').map(|key| Step::Key(key.to_owned())).collect()
}

impl Checker<'_> {
    fn refuse(&mut self, path: &[Step], found: impl Display, wanted: impl Display) {
        let problem = Problem::Value { found: found.to_string(), wanted: wanted.to_string(), nearest: None };
        self.errors.push(ConfigError { origin: self.tree.origin_near(path), key: dotted(path), problem });
    }

    fn equal(&mut self, key: &str, found: u32, wanted: u32) {
        if found != wanted {
            self.refuse(&way(key), found, format!("{wanted}, the version this build reads"));
        }
    }

    fn range(&mut self, key: &str, found: u32, least: u32, most: u32) {
        if !(least..=most).contains(&found) {
            self.refuse(&way(key), found, format!("a whole number from {least} to {most}"));
        }
    }

    fn ticks(&mut self, ticks: &BTreeMap<SymbolName, Amount>) {
        for (symbol, tick) in ticks {
            if !TICKS.contains(&tick.raw()) {
                let mut path = way("book.tick");
                path.push(Step::Key(symbol.to_string()));
                self.refuse(&path, tick, "an amount from 0.000001 to 1000");
            }
        }
    }

    fn depth(&mut self, key: &str, found: u32) {
        if !found.is_power_of_two() || !(64..=1 << 24).contains(&found) {
            self.refuse(&way(key), found, "a power of two from 64 to 16777216");
        }
    }

    fn instance(&mut self, instance: &schema::Instance) {
        if instance.state_dir.as_os_str().is_empty() {
            self.refuse(&way("instance.state_dir"), "\"\"", "a directory");
        }
        // sockaddr_un(7): 108 bytes with the final zero; `.new` is appended while the socket is being made.
        let length = instance.socket.as_os_str().len();
        if !(1..=103).contains(&length) {
            let found = format!("a path of {length} bytes");
            self.refuse(
                &way("instance.socket"),
                found,
                "a path of 1 to 103 bytes, the system's limit for sockets",
            );
        }
    }

    fn feeds(&mut self, feeds: &[schema::Feed]) {
        for (index, feed) in feeds.iter().enumerate() {
            let at = |key: &str| vec![Step::Key("feed".into()), Step::Index(index), Step::Key(key.into())];
            let earlier = &feeds[..index];
            if earlier.iter().any(|other| other.name == feed.name) {
                self.refuse(&at("name"), format!("\"{}\" again", feed.name), "a name no other feed has");
            }
            if !feed.line_b.is_empty() && feed.line_b.len() != feed.line_a.len() {
                let found = format!("{} groups", feed.line_b.len());
                self.refuse(
                    &at("line_b"),
                    found,
                    format!("none, or as many as line_a ({})", feed.line_a.len()),
                );
            }
            if feed.vlan.is_some_and(|vlan| !(1..=4_094).contains(&vlan)) {
                let found = feed.vlan.unwrap_or_default();
                self.refuse(&at("vlan"), found, "a VLAN from 1 to 4094, or the key left out");
            }
            if !(100..=600_000).contains(&feed.stale_after_ms) {
                self.refuse(&at("stale_after_ms"), feed.stale_after_ms, "a whole number from 100 to 600000");
            }
            self.groups(feed, &at);
            let mut seen: Vec<_> = earlier.iter().flat_map(|f| f.line_a.iter().chain(&f.line_b)).collect();
            for (line, groups) in [("line_a", &feed.line_a), ("line_b", &feed.line_b)] {
                for (i, group) in groups.iter().enumerate() {
                    let mut path = at(line);
                    path.push(Step::Index(i));
                    if seen.contains(&group) {
                        self.refuse(&path, format!("\"{group}\" again"), "a group that no other line has");
                    }
                    seen.push(group);
                }
            }
        }
    }

    /// Groups that a port cannot join, or more of them than it can.
    fn groups(&mut self, feed: &schema::Feed, at: &impl Fn(&str) -> Vec<Step>) {
        for (line, groups) in [("line_a", &feed.line_a), ("line_b", &feed.line_b)] {
            for (i, group) in groups.iter().enumerate().filter(|(_, group)| group.ip() == ALL_HOSTS) {
                let mut path = at(line);
                path.push(Step::Index(i));
                self.refuse(
                    &path,
                    format!("\"{group}\""),
                    "a group that can be joined: every host is in this one",
                );
            }
        }
        let distinct: BTreeSet<_> = feed.line_a.iter().chain(&feed.line_b).map(|group| group.ip()).collect();
        if distinct.len() > GROUPS_MAX {
            self.refuse(
                &at("line_a"),
                format!("{} different groups on both lines", distinct.len()),
                format!("at most {GROUPS_MAX}: a port cannot join more"),
            );
        }
    }

    fn placement(&mut self, placement: &schema::Placement) {
        let stages = [
            ("placement.receiver_cpu", placement.receiver_cpu.cpu()),
            ("placement.featurizer_cpu", placement.featurizer_cpu.cpu()),
            ("placement.scorer_cpu", placement.scorer_cpu.cpu()),
        ];
        for (i, (key, cpu)) in stages.iter().enumerate() {
            let Some(cpu) = cpu else { continue };
            if let Some((other, _)) = stages[..i].iter().find(|(_, taken)| *taken == Some(*cpu)) {
                self.refuse(&way(key), cpu, format!("a CPU of its own: {other} has this one"));
            }
            if placement.housekeeping_cpus.cpus().contains(cpu) {
                self.refuse(&way(key), cpu, "a CPU that is not among placement.housekeeping_cpus");
            }
        }
    }

    fn policy(&mut self, policy: &schema::Policy) -> Option<Overlay> {
        let (elevated, high, critical) = (&policy.elevated, &policy.high, &policy.critical);
        let enters = [
            ("policy.elevated", elevated.enter, elevated.enter_count, elevated.enter_of),
            ("policy.high", high.enter, high.enter_count, high.enter_of),
            ("policy.critical", critical.enter, critical.enter_count, critical.enter_of),
        ];
        let mut below = 0.0;
        for (section, enter, count, of) in enters {
            if enter <= below || enter > 1.0 {
                let wanted = format!("a score above {below} (the tier below) and at most 1");
                self.refuse(&way(&format!("{section}.enter")), enter, wanted);
            }
            below = enter;
            if of != LOOK_BACK && (count, of) != (1, 1) {
                let wanted =
                    format!("{LOOK_BACK} (so many scores are looked back on), or 1 with enter_count 1");
                self.refuse(&way(&format!("{section}.enter_of")), of, wanted);
            }
            self.range(&format!("{section}.enter_count"), count, 1, of.clamp(1, LOOK_BACK));
        }
        let mut below = 0.0;
        for (section, tier) in [("policy.elevated", elevated), ("policy.high", high)] {
            if !(tier.leave > below && tier.leave < tier.enter) {
                let wanted = format!("a score above {below} and under enter ({})", tier.enter);
                self.refuse(&way(&format!("{section}.leave")), tier.leave, wanted);
            }
            below = tier.leave;
            self.range(&format!("{section}.leave_after_ms"), tier.leave_after_ms, 1_000, 3_600_000);
        }
        self.range("policy.normal.calm_after_s", policy.normal.calm_after_s, 10, 86_400);
        self.widening(&policy.normal.overlay_pct);
        self.range("policy.critical.enter_within_ms", critical.enter_within_ms, 100, 60_000);
        self.range("policy.critical.witnesses", critical.witnesses, 1, 16);
        self.range("policy.slippage.limit_bps", policy.slippage.limit_bps, 0, 10_000);
        let probability = policy.surface.error_probability_max;
        if !(0.0..1.0).contains(&probability) {
            let wanted = "0 (off) or a number below 1".to_owned();
            self.refuse(&way("policy.surface.error_probability_max"), probability, wanted);
        }
        self.overlay(policy)
    }

    /// The scorer opens all limits together, a step at a time.
    fn widening(&mut self, percents: &schema::OverlayPct) {
        let first = percents.values().next().copied().unwrap_or(105);
        for (key, percent) in percents {
            if *percent != first || !(105..=150).contains(percent) || !percent.is_multiple_of(5) {
                let wanted = "the same for every limit named: 105 to 150 percent, in steps of 5";
                self.refuse(
                    &way(&format!("policy.normal.overlay_pct.{key}")),
                    format!("{percent} percent"),
                    wanted,
                );
            }
        }
    }

    fn overlay(&mut self, policy: &schema::Policy) -> Option<Overlay> {
        let rows = [
            ("policy.normal.overlay_pct", &policy.normal.overlay_pct),
            ("policy.elevated.overlay_pct", &policy.elevated.overlay_pct),
            ("policy.high.overlay_pct", &policy.high.overlay_pct),
        ];
        let mut overlays = [TierOverlay::BASE; 3];
        for (overlay, (section, percents)) in overlays.iter_mut().zip(rows) {
            for (key, percent) in percents {
                self.range(&format!("{section}.{key}"), *percent, 1, 10_000);
                if let Some(ratio) = ratio_of_percent(*percent) {
                    *overlay = overlay.with(key.parameter(), ratio);
                }
            }
        }
        match Overlay::new(overlays[0], overlays[1], overlays[2]) {
            Ok(overlay) => Some(overlay),
            Err(error) => {
                let key = LimitKey::ALL.into_iter().find(|k| k.parameter() == error.parameter);
                let key = key.map_or("", LimitKey::as_str);
                let percent = |p: &schema::OverlayPct| {
                    p.iter().find(|(k, _)| k.as_str() == key).map_or(100, |(_, v)| *v)
                };
                let tier = error.tier as usize;
                let path = way(&format!("{}.{key}", rows[tier.min(2)].0));
                let wanted = format!(
                    "at least as tight as the tier below, which has {} percent",
                    percent(rows[tier.min(2) - 1].1)
                );
                self.refuse(&path, format!("{} percent", percent(rows[tier.min(2)].1)), wanted);
                None
            }
        }
    }

    fn limits(&mut self, limits: &schema::Limits) -> Option<LimitPlan> {
        let base = way("limits.default");
        for key in LimitKey::ALL.into_iter().filter(|key| !limits.default.contains_key(key)) {
            let mut path = base.clone();
            path.push(Step::Key(key.to_string()));
            let origin = self.tree.origin_near(&path);
            self.errors.push(ConfigError { origin, key: dotted(&path), problem: Problem::Missing });
        }
        let default = self.envelope(&base, &limits.default, None);
        let mut by_symbol = BTreeMap::new();
        for (symbol, own) in &limits.symbol {
            let mut path = way("limits.symbol");
            path.push(Step::Key(symbol.to_string()));
            if let Some(envelope) = self.envelope(&path, own, default.as_ref()) {
                by_symbol.insert(*symbol, envelope);
            }
        }
        default.map(|default| LimitPlan { default, by_symbol })
    }

    /// The envelope of one table; what it does not name comes from `under`. `None` when anything is wrong, said in
    /// `errors`.
    fn envelope(
        &mut self,
        path: &[Step],
        table: &BTreeMap<LimitKey, Bounds>,
        under: Option<&Envelope>,
    ) -> Option<Envelope> {
        let before = self.errors.len();
        let start = under.map_or([EMPTY; 3], |e| [*e.floor(), *e.base(), *e.cap()]);
        let [mut floor, mut base, mut cap] = start;
        for (key, bounds) in table {
            let mut way = path.to_vec();
            way.push(Step::Key(key.to_string()));
            self.bound(&way, "floor", *key, bounds.floor, &mut floor);
            self.bound(&way, "base", *key, bounds.base, &mut base);
            self.bound(&way, "cap", *key, bounds.cap, &mut cap);
            self.order(&way, *key, bounds);
        }
        if self.errors.len() > before {
            return None;
        }
        Envelope::new(floor, base, cap)
            .map_err(|error| self.refuse(path, error, "floor, base and cap in order"))
            .ok()
    }

    fn bound(&mut self, path: &[Step], which: &str, key: LimitKey, amount: Amount, set: &mut RiskLimits) {
        let outcome = key.to_gate(amount).map_err(|range| range.to_string());
        let outcome = outcome.and_then(|v| set.with(key.parameter(), v).map_err(|e| e.to_string()));
        match outcome {
            Ok(changed) => *set = changed,
            Err(wanted) => {
                let mut path = path.to_vec();
                path.push(Step::Key(which.to_owned()));
                self.refuse(&path, amount, wanted);
            }
        }
    }

    fn order(&mut self, path: &[Step], key: LimitKey, bounds: &Bounds) {
        let up = key.parameter().tightens_upward();
        let ordered = |tight: Amount, loose: Amount| if up { tight >= loose } else { tight <= loose };
        if !ordered(bounds.floor, bounds.base) || !ordered(bounds.base, bounds.cap) {
            let found = format!("floor {}, base {}, cap {}", bounds.floor, bounds.base, bounds.cap);
            let sign = if up { ">=" } else { "<=" };
            self.refuse(
                path,
                found,
                format!("floor {sign} base {sign} cap (floor is the tightest, cap the loosest)"),
            );
        }
    }
}

/// Percent as the gate's fraction, in lowest terms, so that 50 and the gate's own 1/2 are the same.
fn ratio_of_percent(percent: u32) -> Option<Ratio> {
    let (mut a, mut b) = (percent, 100);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    Ratio::new(percent / a, 100 / a)
}

/// The tightest legal set; every field is overwritten before it is used.
const EMPTY: RiskLimits = RiskLimits {
    max_qty: Qty(1),
    max_notional_micros: 1,
    collar_bps: 1,
    passive_min_ticks: u16::MAX as u32,
    max_pos_long: 0,
    max_pos_short: 0,
    order_rate_per_s: 1,
    order_burst: 1,
    margin_bps: u16::MAX as u32,
};
