//! From the file as written to a plan that is valid by construction: checks between keys, ranges, envelopes.

use super::check::{Checker, way};
use super::envelopes::LimitPlan;
use super::error::ConfigError;
use super::gateway::Gateway;
use super::instruments::InstrumentPlan;
use super::locates::LocatePlan;
use super::net::FeedSource;
use super::ops::Ops;
use super::restricted::RestrictedPlan;
use super::schema::{self, Config};
use super::scopes::DeclaredScopes;
use super::ticks::TickPlan;
use super::tree::{Node, Step};
use super::warn::WarnPlan;
use crate::names::Name;
use crate::roles::Roles;
use gate::{Overlay, ProfitRules};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use types::FeedKind;

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
    /// Tick sizes.
    pub ticks: TickPlan,
    /// What prices mean in money.
    pub instruments: InstrumentPlan,
    /// Checks beyond one strategy.
    pub gate: schema::Gate,
    /// The scorer.
    pub scorer: schema::Scorer,
    /// What the score does.
    pub policy: super::schema_policy::Policy,
    /// What each tier does to the base limits: [`Plan::policy`]'s `overlay_pct` as the gate takes it.
    pub overlay: Overlay,
    /// Envelopes.
    pub limits: LimitPlan,
    /// Who may do what.
    pub roles: Roles,
    /// Audit log.
    pub audit: schema::Audit,
    /// The accounts, strategies and desks there are.
    pub scopes: DeclaredScopes,
    /// How profit and loss are counted.
    pub profit: ProfitRules,
    /// The order processes there are.
    pub clients: BTreeMap<Name, schema::Client>,
    /// Above which share of a limit an order is flagged.
    pub warn: WarnPlan,
    /// The restricted list, as it is at the start.
    pub restricted: RestrictedPlan,
    /// The list of locates, as it is at the start.
    pub locates: LocatePlan,
    /// The gateways there are.
    pub gateways: Vec<Gateway>,
    /// What they share with the daemon.
    pub orders: schema::Orders,
    /// What the appliance tells, to whom, and what takes two people.
    pub ops: Ops,
    /// BLAKE3 of the merged configuration, comments and layout left out; goes into the audit log at every start.
    pub digest: [u8; 32],
}

/// Accounts and strategies there can be at most: the gate keeps counters for each beside every instrument.
const NAMES_MAX: usize = 64;

/// Groups one port can join.
const GROUPS_MAX: usize = 64;

/// Servers that one feed may ask for what was lost.
const SERVERS_MAX: usize = 4;

/// The group of all hosts, which nobody joins.
const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);

/// Checks what one key alone cannot say. Every error is returned.
pub(crate) fn plan(config: Config, tree: &Node) -> Result<Plan, Vec<ConfigError>> {
    let mut check = Checker { tree, errors: Vec::new() };
    check.equal("schema", config.schema, 1);
    check.instance(&config.instance);
    check.range("eal.memory_mib", config.eal.memory_mib, 16, 1 << 20);
    check.line(&config);
    let ticks = check.ticks(&config);
    let instruments = check.instruments(&config);
    check.scorer(&config.scorer);
    let overlay = check.policy(&config.policy);
    check.audit(&config.audit);
    let scopes = check.scopes(&config);
    let profit = check.profit(&config.firm);
    let restricted = check.restricted(&config.restricted, &scopes);
    let locates = check.locates(&config.locates, &scopes, &profit);
    check.clients(&config);
    check.ops(&config);
    check.gateways(&config.gateway, &config.client, (&config.placement, &config.feed));
    let limits = check.limits(&config.limits);
    let warn = check.warn(config.limits.warn_at);
    let (Some(overlay), Some(limits), true) = (overlay, limits, check.errors.is_empty()) else {
        return Err(check.errors);
    };
    let ops = config.ops();
    let Config {
        instance,
        eal,
        feed: feeds,
        placement,
        link,
        book,
        gate,
        scorer,
        policy,
        mut roles,
        audit,
        client,
        gateway: gateways,
        orders,
        ..
    } = config;
    roles.order = client.values().map(|client| client.user.clone()).collect();
    Ok(Plan {
        instance,
        eal,
        feeds,
        placement,
        link,
        book,
        ticks,
        instruments,
        gate,
        scorer,
        policy,
        overlay,
        limits,
        warn,
        roles,
        audit,
        scopes,
        restricted,
        locates,
        profit,
        clients: client,
        gateways,
        orders,
        ops,
        digest: digest_of(tree),
    })
}

/// BLAKE3 of what was merged.
fn digest_of(tree: &Node) -> [u8; 32] {
    let mut canonical = String::new();
    tree.canonical(&mut canonical);
    *blake3::hash(canonical.as_bytes()).as_bytes()
}

impl Checker<'_> {
    fn rings(&mut self, config: &Config) {
        self.depth("link.receiver_featurizer_events", config.link.receiver_featurizer_events);
        self.depth("link.featurizer_scorer_vectors", config.link.featurizer_scorer_vectors);
        self.depth("orders.ring_records", config.orders.ring_records);
        self.range("orders.quota_ms", config.orders.quota_ms, 100, 60_000);
    }

    fn scorer(&mut self, scorer: &schema::Scorer) {
        self.range("scorer.lease_ms", scorer.lease_ms, 300, 60_000);
        self.range("scorer.batch_rows", scorer.batch_rows, 1, 65_536);
        self.range("scorer.batch_wait_us", scorer.batch_wait_us, 0, 100_000);
    }

    /// What brings market data, where it runs, and how much of it there is room for.
    fn line(&mut self, config: &Config) {
        self.feeds(&config.feed);
        self.apart(&config.feed, &config.book, &config.gateway);
        self.placement(&config.placement, &config.feed);
        self.rings(config);
        self.range("book.instruments", config.book.instruments, 1, 32_768);
        self.range("book.orders", config.book.orders, 1_024, 1 << 28);
    }

    fn audit(&mut self, audit: &schema::Audit) {
        self.range("audit.segment_mib", audit.segment_mib, 1, 1_024);
        self.range("audit.anchor_records", audit.anchor_records, 1, 1_000_000);
        self.range("audit.anchor_minutes", audit.anchor_minutes, 1, 1_440);
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
            let at = |key: &str| Step::into_row("feed", index, key).to_vec();
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
            self.bounds(feed, &at);
            self.recovery(feed, &at);
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

    /// Numbers of a feed outside what they may be.
    fn bounds(&mut self, feed: &schema::Feed, at: &impl Fn(&str) -> Vec<Step>) {
        let bounds = [
            ("stale_after_ms", feed.stale_after_ms, 100..=600_000),
            ("jump_max", Some(feed.jump_max), 16..=1_000_000),
            ("confirm_packets", Some(feed.confirm_packets), 2..=64),
            ("recovery_ms", Some(feed.recovery_ms), 50..=60_000),
            ("recovery_messages", Some(feed.recovery_messages), 1..=10_000_000),
        ];
        for (key, given, range) in bounds {
            if let Some(found) = given.filter(|found| !range.contains(found)) {
                let wanted = format!("a whole number from {} to {}", range.start(), range.end());
                self.refuse(&at(key), found, wanted);
            }
        }
    }

    /// Servers that can be asked by nobody, or more of them than are.
    fn recovery(&mut self, feed: &schema::Feed, at: &impl Fn(&str) -> Vec<Step>) {
        if feed.recovery.is_empty() {
            return;
        }
        let found = format!("{} servers", feed.recovery.len());
        if feed.recovery.len() > SERVERS_MAX {
            self.refuse(&at("recovery"), &found, format!("at most {SERVERS_MAX}"));
        }
        if !feed.kind.has_requests() {
            let with = FeedKind::ALL.iter().filter(|kind| kind.has_requests()).map(|kind| kind.as_str());
            let wanted = format!("none: only {} has requests", with.collect::<Vec<_>>().join(", "));
            self.refuse(&at("recovery"), &found, wanted);
        }
        if matches!(feed.source, FeedSource::File(_)) {
            self.refuse(&at("recovery"), &found, "none for a file: what it lacks is of another day");
        }
        for (i, server) in feed.recovery.iter().enumerate() {
            if feed.recovery[..i].contains(server) {
                let mut path = at("recovery");
                path.push(Step::Index(i));
                self.refuse(&path, format!("\"{server}\" again"), "each server once");
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

    fn placement(&mut self, placement: &schema::Placement, feeds: &[schema::Feed]) {
        let stages = [
            ("placement.receiver_cpu", placement.receiver_cpu.cpu()),
            ("placement.featurizer_cpu", placement.featurizer_cpu.cpu()),
            ("placement.scorer_cpu", placement.scorer_cpu.cpu()),
            ("placement.desk_cpu", placement.desk_cpu.cpu()),
        ];
        let mut taken: Vec<(String, u16)> = Vec::new();
        let mut place = |path: &[Step], name: String, cpu: Option<u16>| {
            let Some(cpu) = cpu else { return };
            if let Some((other, _)) = taken.iter().find(|(_, taken)| *taken == cpu) {
                self.refuse(path, cpu, format!("a CPU of its own: {other} has this one"));
            }
            if placement.housekeeping_cpus.cpus().contains(&cpu) {
                self.refuse(path, cpu, "a CPU that is not among placement.housekeeping_cpus");
            }
            taken.push((name, cpu));
        };
        // Where every receiver has a CPU of its own, nobody runs on that of `[placement]`.
        let inherits = |feed: &schema::Feed| feed.cpu.is_none();
        let receiver_is_used = feeds.is_empty() || feeds.iter().any(inherits);
        for (key, cpu) in stages.into_iter().skip(usize::from(!receiver_is_used)) {
            place(&way(key), key.to_owned(), cpu);
        }
        let first = feeds.iter().position(inherits);
        for (index, feed) in feeds.iter().enumerate().filter(|(index, _)| Some(*index) != first) {
            let path = Step::into_row("feed", index, "cpu");
            let cpu = feed.cpu.unwrap_or(placement.receiver_cpu);
            place(&path, format!("feed {}", feed.name), cpu.cpu());
        }
    }

    /// Strategies and accounts of order processes are declared, and each is one process's: nobody else counts into its limits.
    fn clients(&mut self, config: &Config) {
        for (name, client) in &config.client {
            let place = |key: &str| {
                let mut path = way("client");
                path.extend([Step::Key(name.to_string()), Step::Key(key.to_owned())]);
                path
            };
            let others = || config.client.iter().filter(|(other, _)| *other < name).map(|(_, client)| client);
            let mut check = |(table, key): (&str, &str),
                             is_declared: &dyn Fn(&Name) -> bool,
                             of: fn(&schema::Client) -> &[Name]| {
                for owned in of(client) {
                    let wanted = if !is_declared(owned) {
                        format!("{key} that are declared ([{table}.{owned}])")
                    } else if others().any(|other| of(other).contains(owned)) {
                        format!("{key} of no other client")
                    } else {
                        continue;
                    };
                    self.refuse(&place(key), format!("\"{owned}\""), wanted);
                }
                if of(client).is_empty() {
                    self.refuse(&place(key), "none", "at least one");
                }
            };
            check(("strategy", "strategies"), &|name| config.strategy.contains_key(name), |c| &c.strategies);
            check(("account", "accounts"), &|name| config.account.contains_key(name), |c| &c.accounts);
        }
    }

    fn scopes(&mut self, config: &Config) -> DeclaredScopes {
        for (table, count) in [("account", config.account.len()), ("strategy", config.strategy.len())] {
            if count > NAMES_MAX {
                self.refuse(&way(table), format!("{count} tables"), format!("at most {NAMES_MAX}"));
            }
        }
        self.declared(config)
    }
}
