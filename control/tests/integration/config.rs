//! The configuration as an operator meets it: defaults, layers, and errors that say where, what and what instead.

use control::config::{
    self, ClientMode, ConfigErrors, CpuChoice, EalMemory, FeedSource, GatewayProtocol, Igmp, OnDaemonLoss,
    OnDisconnect, Plan, ScorerBackend, TickChoice,
};
use control::limits::LimitKey;
use gate::{Overlay, RefRules};
use proptest::prelude::*;
use std::path::PathBuf;
use types::{FeedKind, Nanos, Px, Symbol, TickTable, TickTableId};

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn load(text: &str) -> Result<Plan, ConfigErrors> {
    let (_dir, path) = file(text);
    config::load(&[path], &[])
}

/// The errors of `text`, the directory of the file taken off.
fn errors(text: &str) -> Vec<String> {
    let (dir, path) = file(text);
    let prefix = format!("{}/", dir.path().display());
    match config::load(&[path], &[]) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(ConfigErrors(all)) => all.iter().map(|e| e.to_string().replace(&prefix, "")).collect(),
    }
}

fn set(arguments: &[&str]) -> Result<Plan, ConfigErrors> {
    config::load(&[], &arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>())
}

#[test]
fn the_built_in_file_is_a_valid_plan_and_holds_the_designs_numbers() {
    let plan = config::load(&[], &[]).unwrap();
    assert!(plan.feeds.is_empty() && plan.scorer.enabled && !plan.instance.start_halted);
    assert_eq!((plan.eal.memory, plan.eal.memory_mib), (EalMemory::Auto, 256));
    assert_eq!(plan.placement.receiver_cpu, CpuChoice::Any);
    assert_eq!((plan.scorer.backend, plan.scorer.lease_ms), (ScorerBackend::Cpu, 1000));
    assert_eq!(plan.book.instruments, 16_384);
    assert_eq!(plan.overlay, Overlay::DEFAULT, "the file says in percent what the gate has built in");
    let (e, h, c) = (&plan.policy.elevated, &plan.policy.high, &plan.policy.critical);
    assert_eq!((e.enter, e.enter_count, e.enter_of, e.leave, e.leave_after_ms), (0.05, 2, 3, 0.03, 10_000));
    assert_eq!((h.enter, h.enter_count, h.enter_of, h.leave, h.leave_after_ms), (0.30, 1, 1, 0.20, 30_000));
    assert_eq!((c.enter, c.enter_count, c.enter_of, c.enter_within_ms, c.witnesses), (0.80, 2, 3, 300, 2));
    assert_eq!(LimitKey::MaxQty.of(plan.limits.default.base()).to_string(), "500");
    assert_eq!(plan.roles, control::roles::Roles::default());
    let (reference, built_in) = (&plan.policy.reference, RefRules::DEFAULT);
    assert_eq!(reference.mid_spread_max_bps, built_in.mid_spread_max_bps);
    assert_eq!(u64::from(reference.last_age_max_s) * Nanos::SECOND.0, built_in.last_age_max.0);
    assert_eq!(u64::from(reference.period_s) * Nanos::SECOND.0, built_in.period.0);
    assert_eq!(reference.period_collar_bps, built_in.period_collar_bps);
    assert_eq!((&plan.ticks.tables[..], plan.ticks.by_symbol.len()), (&TickTable::BUILT_IN[..], 0));
}

#[test]
fn the_examples_in_the_comments_of_the_built_in_file_work() {
    let mut example = String::new();
    for line in config::DEFAULT_TOML.lines().filter_map(|line| line.strip_prefix("#   ")) {
        let starts = [
            "[",
            "name",
            "kind",
            "source",
            "line_",
            "igmp",
            "vlan",
            "stale_after_ms",
            "user",
            "strategies",
            "accounts",
            "on_daemon_loss",
            "mode",
            "max_qty",
            "tick_table",
            "lse_b",
            "FUTX",
            "VOD",
            "client",
            "protocol",
            "listen",
            "venue",
            "strategy",
            "account",
            "cpu",
            "id =",
            "on_disconnect",
            "store_dir",
            "firm_",
        ];
        if starts.iter().any(|s| line.starts_with(s)) {
            example.push_str(line);
            example.push('\n');
        }
    }
    let plan = load(&example).unwrap();
    assert_eq!((plan.feeds.len(), plan.limits.by_symbol.len()), (1, 1), "{example}");
    assert_eq!((plan.gateways.len(), plan.clients.len()), (1, 1), "{example}");
    let feed = &plan.feeds[0];
    assert_eq!(feed.line_b[0].to_string(), "233.49.196.111:26477");
    assert_eq!((feed.igmp, feed.igmp_address.to_string()), (Igmp::V3, "10.20.0.9".to_owned()));
    assert_eq!((feed.vlan, feed.stale_after_ms), (Some(101), Some(3_000)));
    let ticks = &plan.ticks;
    let lse = TickTableId::of(TickTable::BUILT_IN.len());
    assert_eq!(
        (ticks.of_feed(FeedKind::Itch50), ticks.of_feed(FeedKind::Deep)),
        (lse, TickTableId::US_EQUITY)
    );
    let named = ["FUTX", "VOD"].map(|name| ticks.by_symbol[&Symbol::new(name).unwrap()]);
    assert_eq!(named, [TickChoice::Uniform(Px(250_000_000)), TickChoice::Table(lse)]);
    let table = &ticks.tables[lse.index().unwrap()];
    assert_eq!(
        (table.steps().len(), table.at(Px(150_000_000)), table.top()),
        (3, Px(1_000_000), Px(2_000_000))
    );
    assert_eq!(LimitKey::MaxQty.of(plan.limits.envelope("ZVZZT".parse().unwrap()).base()).to_string(), "100");
}

#[test]
fn every_key_of_the_built_in_file_is_explained() {
    let mut explained = false;
    for (number, line) in config::DEFAULT_TOML.lines().enumerate() {
        if line.starts_with('#') {
            explained = true;
        } else if line.is_empty() {
            explained = false;
        } else if line.starts_with('[') {
            // A section's comment stands above it and covers the keys below until an empty line.
        } else {
            assert!(explained, "line {}: `{line}` has no comment above it", number + 1);
        }
    }
}

#[test]
fn slips_are_errors_with_the_line_and_what_was_meant() {
    for (text, wanted) in [
        (
            "[scorer]\nlease_mss = 500",
            "p.toml:2: scorer.lease_mss: no such key; did you mean `lease_ms`? (keys here: enabled, model_dir, backend, cuda_library, lease_ms, batch_rows, batch_wait_us)",
        ),
        (
            "[scorer]\nbackend = \"cdua\"",
            "p.toml:2: scorer.backend: found \"cdua\", wanted one of \"cpu\", \"candle\", \"reference\", \"cuda\"; did you mean `cuda`?",
        ),
        (
            "[scorr]\nlease_ms = 500",
            "p.toml:1: scorr: no such key; did you mean `scorer`? (keys here: schema, instance, eal, feed, placement, link, book, gate, scorer, policy, limits, roles, audit, account, strategy, desk, trader, client, gateway, orders, firm, instruments, instrument, fx, restricted, locates, log, sink, metrics, four_eyes)",
        ),
        ("scorer = 3", "p.toml:1: scorer: found integer `3`, wanted a table"),
        (
            "\n\n[book]\norders = \"many\"",
            "p.toml:4: book.orders: found string \"many\", wanted a whole number from 0 to 4294967295",
        ),
        (
            "[book]\norders = -1",
            "p.toml:2: book.orders: found integer `-1`, wanted a whole number from 0 to 4294967295",
        ),
        (
            "[book]\norders = 12",
            "p.toml:2: book.orders: found 12, wanted a whole number from 1024 to 268435456",
        ),
        (
            "[book.tick]\nFUTX = \"0.0000001\"",
            "p.toml:2: book.tick.FUTX: found 0.0000001, wanted an amount from 0.000001 to 1000",
        ),
        (
            "[orders]\nring_records = 1000",
            "p.toml:2: orders.ring_records: found 1000, wanted a power of two from 64 to 16777216",
        ),
        (
            "\n[link]\nverdict_records = 65536",
            "p.toml:3: link.verdict_records: no such key any more: verdicts go through the ring of the order process that they are of, whose depth is orders.ring_records",
        ),
        (
            "[eal]\npci = [\"0000:3b:00.0\", \"3b:00.1\"]",
            "p.toml:2: eal.pci[1]: found string \"3b:00.1\", wanted a PCI address and driver options, such as \"0000:3b:00.0\" or \"0000:81:00.0,rx_vec_en=1\"",
        ),
        (
            "[placement]\nreceiver_cpu = \"fast\"",
            "p.toml:2: placement.receiver_cpu: found string \"fast\", wanted \"any\" or a CPU number from 0 to 1023",
        ),
    ] {
        assert_eq!(errors(text), [wanted], "{text}");
    }
}

#[test]
fn slips_in_ticks_and_reference_prices_are_errors_with_the_line_and_what_was_meant() {
    for (text, wanted) in [
        (
            "[book.tick]\nVOD = \"lse\"",
            "p.toml:2: book.tick.VOD: found \"lse\", wanted an amount, or a table that is declared under [book.tick_table] as lse",
        ),
        (
            "[book.tick]\nVOD = 0.25",
            "p.toml:2: book.tick.VOD: found floating point `0.25`, wanted an amount, such as \"0.25\", or the name of a table under [book.tick_table]",
        ),
        ("[book.tick_table]\nlse = []", "p.toml:2: book.tick_table.lse: found 0 steps, wanted 1 to 20 steps"),
        (
            "[book.tick_table]\nlse = [[\"0\", \"0.01\"], [\"1.01\", \"0.02\"]]",
            "p.toml:2: book.tick_table.lse: found [0, 0.01], [1.01, 0.02], wanted step 2 from a multiple of its tick and of the tick before it on",
        ),
        (
            "[book.tick_table]\nlse = [[0, \"0.01\"], [5, 2000]]",
            "p.toml:2: book.tick_table.lse[1]: found [5, 2000], wanted a price up to 100000000 and a tick from 0.000001 to 1000",
        ),
        (
            "[book.tick_table]\n\"0.5\" = [[0, \"0.01\"]]",
            "p.toml:2: book.tick_table.\"0.5\": found \"0.5\", wanted a name that cannot be read as an amount",
        ),
        (
            "[policy.reference]\nperiod_collar_bps = 10001",
            "p.toml:2: policy.reference.period_collar_bps: found 10001, wanted a whole number from 0 to 10000",
        ),
    ] {
        assert_eq!(errors(text), [wanted], "{text}");
    }
}

#[test]
fn slips_in_limits_and_policy_are_errors_with_the_line_and_what_was_meant() {
    for (text, wanted) in [
        (
            "[limits.default]\nmax_qyt = { floor = 1, base = 1, cap = 1 }",
            "p.toml:2: limits.default.max_qyt: found \"max_qyt\", wanted one of \"max_qty\", \"max_notional\", \"collar_bps\", \"passive_min_ticks\", \"max_pos_long\", \"max_pos_short\", \"order_rate_per_s\", \"order_burst\", \"margin_bps\"; did you mean `max_qty`?",
        ),
        (
            "[limits.symbol.ZVZZT]\nmax_qty = { floor = 1, base = 2.5, cap = 3 }",
            "p.toml:2: limits.symbol.ZVZZT.max_qty.base: found floating point `2.5`, wanted a number from 0 to 999999999999999999 with at most nine decimals, written as a whole number or as a string such as \"250000.50\"",
        ),
        (
            "[limits.symbol.ZVZZT]\nmax_qty = { floor = 1, base = \"2.5\", cap = 3 }",
            "p.toml:2: limits.symbol.ZVZZT.max_qty.base: found 2.50, wanted a whole number from 1 to 4294967295 shares",
        ),
        (
            "[limits.symbol.TOOLONGNAME]\nmax_qty = { floor = 1, base = 2, cap = 3 }",
            "p.toml:1: limits.symbol.TOOLONGNAME: found string \"TOOLONGNAME\", wanted a symbol of 1 to 8 printable ASCII characters",
        ),
        (
            "[limits.default]\nmax_qty = { floor = 1, base = 2000, cap = 1000 }",
            "p.toml:2: limits.default.max_qty: found floor 1, base 2000, cap 1000, wanted floor <= base <= cap (floor is the tightest, cap the loosest)",
        ),
        (
            "[limits.default]\npassive_min_ticks = { floor = 0, base = 1, cap = 5 }",
            "p.toml:2: limits.default.passive_min_ticks: found floor 0, base 1, cap 5, wanted floor >= base >= cap (floor is the tightest, cap the loosest)",
        ),
        (
            "[policy.high]\nenter = 0.04\nleave = 0.035",
            "p.toml:2: policy.high.enter: found 0.04, wanted a score above 0.05 (the tier below) and at most 1",
        ),
        (
            "[policy.elevated]\nenter_of = 5",
            "p.toml:2: policy.elevated.enter_of: found 5, wanted 3 (so many scores are looked back on), or 1 with enter_count 1",
        ),
        (
            "[policy.high]\nleave = 0.03",
            "p.toml:2: policy.high.leave: found 0.03, wanted a score above 0.03 and under enter (0.3)",
        ),
        (
            "[policy.normal.overlay_pct]\nmax_qty = 107",
            "p.toml:2: policy.normal.overlay_pct.max_qty: found 107 percent, wanted the same for every limit named: 105 to 150 percent, in steps of 5",
        ),
        (
            "[scorer]\nlease_ms = 200",
            "p.toml:2: scorer.lease_ms: found 200, wanted a whole number from 300 to 60000",
        ),
        (
            "[policy.high.overlay_pct]\nmax_qty = 60",
            "p.toml:2: policy.high.overlay_pct.max_qty: found 60 percent, wanted at least as tight as the tier below, which has 50 percent",
        ),
        (
            "[roles]\ntrader = [\"a b\"]",
            "p.toml:2: roles.trader[0]: found string \"a b\", wanted a user name, \"@group\", \"uid:1001\" or \"gid:2001\"",
        ),
    ] {
        assert_eq!(errors(text), [wanted], "{text}");
    }
}

#[test]
fn slips_in_a_feed_are_errors_with_the_line_and_what_was_meant() {
    for (text, wanted) in [
        (
            "[[feed]]\nname = \"x\"\nsource = \"file:a\"",
            "p.toml:1: feed[0].kind: missing, and it has no default",
        ),
        (
            "[[feed]]\nname = \"x\"\nkind = \"deep\"\nsource = \"file:a\"\nigpm = \"v2\"",
            "p.toml:5: feed[0].igpm: no such key; did you mean `igmp`? (keys here: name, kind, source, line_a, line_b, igmp, igmp_address, vlan, tick_table, stale_after_ms, jump_max, confirm_packets, recovery, recovery_ms, recovery_messages, cpu, instruments, orders, suffix)",
        ),
        (
            "[[feed]]\nname = \"x\"\nkind = \"lobster\"\nsource = \"file:a\"",
            "p.toml:3: feed[0].kind: found \"lobster\", wanted one of \"itch50\", \"deep\", \"tops\", \"mdp3\", \"mdp3-mbo\", \"pitch\"",
        ),
        (
            "[[feed]]\nname = \"x\"\nkind = \"deep\"\nsource = \"file:a\"\nigmp = \"v1\"",
            "p.toml:5: feed[0].igmp: found \"v1\", wanted one of \"off\", \"v2\", \"v3\"; did you mean `v2`?",
        ),
        (
            "[[feed]]\nname = \"x\"\nkind = \"deep\"\nsource = \"file:a\"\nigmp_address = \"233.0.0.1\"",
            "p.toml:5: feed[0].igmp_address: found string \"233.0.0.1\", wanted an IPv4 address of one host such as \"10.20.0.9\", or \"0.0.0.0\" for none",
        ),
        (
            "[[feed]]\nname = \"x\"\nkind = \"deep\"\nsource = \"file:a\"\nvlan = 4095",
            "p.toml:5: feed[0].vlan: found 4095, wanted a VLAN from 1 to 4094, or the key left out",
        ),
        (
            "[[feed]]\nname = \"x\"\nkind = \"deep\"\nsource = \"file:a\"\nstale_after_ms = 10",
            "p.toml:5: feed[0].stale_after_ms: found 10, wanted a whole number from 100 to 600000",
        ),
        (
            "[[feed]]\nname = \"x\"\nkind = \"deep\"\nsource = \"file:a\"\nline_a = [\"224.0.0.1:5\"]",
            "p.toml:5: feed[0].line_a[0]: found \"224.0.0.1:5\", wanted a group that can be joined: every host is in this one",
        ),
        ("schema = 2", "p.toml:1: schema: found 2, wanted 1, the version this build reads"),
        ("[instance]\nname = 2026-01-01", "p.toml:2: found 2026-01-01, wanted no date: no key takes one"),
        ("[instance\nname = \"x\"", "p.toml:1: not TOML: unclosed table, expected `]`"),
    ] {
        assert_eq!(errors(text), [wanted], "{text}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once_in_the_order_of_the_checks() {
    let found = errors(
        r#"
        [instance]
        nam = "x"
        [eal]
        memory = "huge"
        memory_mib = "lots"
        pci = ["a", "b"]
        [[feed]]
        kind = "itch5"
        source = "eth0"
        [[feed]]
        name = "ok"
        kind = "deep"
        source = "file:x"
        line_a = ["10.0.0.1:1", "233.0.0.1:2", "239.0.0.1"]
        [scorer]
        lease_ms = true
        "#,
    );
    let keys = |text: &str| found.iter().filter(|e| e.contains(text)).count();
    for key in
        ["instance.nam:", "eal.memory:", "eal.memory_mib:", "eal.pci[0]:", "eal.pci[1]:", "scorer.lease_ms:"]
    {
        assert_eq!(keys(key), 1, "{key} in {found:#?}");
    }
    for key in [
        "feed[0].name: missing",
        "feed[0].kind:",
        "feed[0].source:",
        "feed[1].line_a[0]:",
        "feed[1].line_a[2]:",
    ] {
        assert_eq!(keys(key), 1, "{key} in {found:#?}");
    }
    assert_eq!(found.len(), 11, "{found:#?}");
}

#[test]
fn faults_between_keys_are_all_said_too() {
    let found = errors(
        r#"
        [placement]
        receiver_cpu = 2
        featurizer_cpu = 2
        scorer_cpu = 1
        desk_cpu = 2
        housekeeping_cpus = "0-1"
        [[feed]]
        name = "a"
        kind = "itch50"
        source = "net_pcap0,rx_pcap=a.pcap"
        line_a = ["233.54.12.111:26477", "233.54.12.111:26478"]
        line_b = ["233.54.12.111:26477"]
        [[feed]]
        name = "a"
        kind = "deep"
        source = "file:x"
        jump_max = 15
        confirm_packets = 1
        recovery = ["udp:10.30.0.1:26500", "udp:10.30.0.1:26500"]
        recovery_ms = 49
        recovery_messages = 0
        [book]
        instruments = 0
        "#,
    );
    let all = found.join("\n");
    for part in [
        "placement.featurizer_cpu: found 2, wanted a CPU of its own: placement.receiver_cpu has this one",
        "placement.desk_cpu: found 2, wanted a CPU of its own: placement.receiver_cpu has this one",
        "placement.scorer_cpu: found 1, wanted a CPU that is not among placement.housekeeping_cpus",
        "feed[0].line_b: found 1 groups, wanted none, or as many as line_a (2)",
        "feed[0].line_b[0]: found \"233.54.12.111:26477\" again",
        "feed[1].name: found \"a\" again",
        "feed[1].jump_max: found 15, wanted a whole number from 16 to 1000000",
        "feed[1].confirm_packets: found 1, wanted a whole number from 2 to 64",
        "feed[1].recovery: found 2 servers, wanted none: only itch50 has requests",
        "feed[1].recovery: found 2 servers, wanted none for a file: what it lacks is of another day",
        "feed[1].recovery[1]: found \"udp:10.30.0.1:26500\" again, wanted each server once",
        "feed[1].recovery_ms: found 49, wanted a whole number from 50 to 60000",
        "feed[1].recovery_messages: found 0, wanted a whole number from 1 to 10000000",
        "feed[1].cpu: found 2, wanted a CPU of its own: placement.receiver_cpu has this one",
        "book.instruments: found 0",
    ] {
        assert!(all.contains(part), "{part}\n{all}");
    }
    assert_eq!(found.len(), 15, "{all}");
}

#[test]
fn later_layers_win_key_by_key_and_lists_are_replaced() {
    let (_d1, first) = file("[scorer]\nlease_ms = 350\nbackend = \"cuda\"\n[eal]\nvdev = [\"net_null0\"]");
    let (_d2, second) = file("[scorer]\nlease_ms = 400\n[eal]\nvdev = [\"net_ring0\"]");
    let plan = config::load(&[first, second], &["scorer.lease_ms=500".to_owned()]).unwrap();
    assert_eq!((plan.scorer.lease_ms, plan.scorer.backend), (500, ScorerBackend::Cuda));
    assert_eq!(plan.eal.vdev.iter().map(config::Vdev::as_str).collect::<Vec<_>>(), ["net_ring0"]);
}

#[test]
fn a_key_by_its_former_name_is_the_same_key() {
    let probability = |set: &[&str], text: &str| {
        let (_dir, path) = file(text);
        let set: Vec<String> = set.iter().map(ToString::to_string).collect();
        config::load(&[path], &set).map(|plan| plan.policy.fat_finger.error_probability_max)
    };
    let former = "[policy.surface]\nerror_probability_max = 0.001";
    assert_eq!(probability(&[], former).unwrap(), 0.001);
    assert_eq!(probability(&["policy.surface.error_probability_max=0.02"], former).unwrap(), 0.02);
    assert_eq!(probability(&["policy.fat_finger.error_probability_max=0.03"], former).unwrap(), 0.03);
    let both = format!("{former}\n[policy.fat_finger]\nerror_probability_max = 0.002");
    let errors = probability(&[], &both).unwrap_err().to_string();
    assert!(errors.contains("policy.surface") && !errors.contains('\n'), "{errors}");
    let wrong = probability(&[], "[policy.surface]\nerror_probability_max = 2.0").unwrap_err().to_string();
    assert!(wrong.contains("policy.fat_finger.error_probability_max: found 2"), "{wrong}");
}

#[test]
fn set_takes_toml_or_a_bare_word_and_reaches_into_lists() {
    let plan = set(&[
        "scorer.backend=cuda",
        "instance.name = \"mdr1\"",
        "placement.receiver_cpu=4",
        "placement.housekeeping_cpus=0-1",
        "limits.symbol.\"BRK.A\".max_qty={ floor = 1, base = 2, cap = 3 }",
        "feed=[{ name = \"a\", kind = \"itch50\", source = \"file:x\" }]",
        "feed.0.source=net_pcap0,rx_pcap=day.pcap",
    ])
    .unwrap();
    assert_eq!(plan.scorer.backend, ScorerBackend::Cuda);
    assert_eq!(plan.instance.name.as_str(), "mdr1");
    assert_eq!(plan.placement.receiver_cpu.cpu(), Some(4));
    assert_eq!(plan.placement.housekeeping_cpus.cpus(), [0, 1]);
    assert_eq!(LimitKey::MaxQty.of(plan.limits.envelope("BRK.A".parse().unwrap()).base()).to_string(), "2");
    assert_eq!(plan.feeds[0].kind, FeedKind::Itch50);
    assert!(matches!(&plan.feeds[0].source, FeedSource::Vdev(v) if v.name() == "net_pcap0"));
}

#[test]
fn a_bad_set_names_itself() {
    let text = |arguments: &[&str]| set(arguments).unwrap_err().to_string();
    assert_eq!(
        text(&["scorer.lease_ms"]),
        "--set scorer.lease_ms: found \"scorer.lease_ms\", wanted KEY=VALUE, for example scorer.lease_ms=500"
    );
    assert_eq!(
        text(&["scorer.lease_ms=fast"]),
        "--set scorer.lease_ms=fast: scorer.lease_ms: found string \"fast\", wanted a whole number from 0 to 4294967295"
    );
    assert!(text(&["feed.0.name=x"]).contains("found index `0`, wanted a file that fills this list first"));
    assert!(text(&["a b=1"]).starts_with("--set a b=1: not TOML"), "{}", text(&["a b=1"]));
    // The smuggled second line is a value, not a second key.
    assert!(text(&["scorer.lease_ms=1\nscorer.enabled=false"]).contains("scorer.lease_ms: found string"));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = config::load(&[PathBuf::from("/does/not/exist.toml")], &[]).unwrap_err().to_string();
    assert!(error.starts_with("/does/not/exist.toml: cannot be read: No such file"), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("binary.toml");
    std::fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    let error = config::load(&[path], &[]).unwrap_err().to_string();
    assert!(error.contains("binary.toml: cannot be read:"), "{error}");
}

#[test]
fn the_digest_follows_the_meaning_and_not_the_layout() {
    let digest = |text: &str| load(text).unwrap().digest;
    assert_eq!(digest("[scorer]\nlease_ms = 500"), digest("# why\nscorer.lease_ms    = 500\n\n"));
    assert_ne!(digest("[scorer]\nlease_ms = 500"), digest("[scorer]\nlease_ms = 501"));
    assert_eq!(digest(""), digest(config::DEFAULT_TOML), "saying the defaults changes nothing");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any one line of the manual replaced by anything: never a panic, and an error names this file.
    #[test]
    fn damaged_files_are_refused_in_words(line in 0..config::DEFAULT_TOML.lines().count(), junk in "\\PC{0,24}") {
        let text: Vec<&str> = config::DEFAULT_TOML.lines().enumerate().map(|(i, l)| if i == line { junk.as_str() } else { l }).collect();
        let (_dir, path) = file(&text.join("\n"));
        if let Err(ConfigErrors(all)) = config::load(&[path], &[]) {
            prop_assert!(!all.is_empty());
            for error in all {
                prop_assert!(error.origin.source.ends_with("p.toml"), "{}", error);
            }
        }
    }
}

#[test]
fn more_groups_than_a_port_can_join_are_an_error() {
    let lines = |count: usize| {
        let groups: Vec<String> =
            (0..count).map(|n| format!("\"239.0.{}.{}:5000\"", n / 200, n % 200)).collect();
        format!(
            "[[feed]]\nname = \"x\"\nkind = \"deep\"\nsource = \"0000:3b:00.0\"\nline_a = [{}]",
            groups.join(", ")
        )
    };
    assert!(load(&lines(64)).is_ok());
    assert_eq!(
        errors(&lines(65)),
        [
            "p.toml:5: feed[0].line_a: found 65 different groups on both lines, wanted at most 64: a port cannot join more"
        ]
    );
}

#[test]
fn an_order_process_owns_declared_strategies_and_accounts_that_no_other_owns() {
    let good = "[account.A]\n[account.B]\n[strategy.s]\n[strategy.t]\n\
                [client.one]\nuser = \"uid:7\"\nstrategies = [\"s\"]\naccounts = [\"A\"]\n\
                [client.two]\nuser = \"@desk\"\nstrategies = [\"t\"]\naccounts = [\"B\"]\non_daemon_loss = \"static\"\n";
    let plan = load(good).unwrap();
    assert_eq!(plan.roles.order.len(), 2, "whose processes may attach");
    let loss = |name: &str| plan.clients[&name.parse().unwrap()].on_daemon_loss;
    assert_eq!((loss("one"), loss("two")), (OnDaemonLoss::Halt, OnDaemonLoss::Static));
    let mode = |text: &str| load(text).map(|plan| plan.clients[&"two".parse().unwrap()].mode);
    let audits = |word: &str| format!("{good}mode = \"{word}\"\n");
    assert_eq!(mode(good).unwrap(), ClientMode::Enforce, "nobody who did not ask for it");
    assert_eq!(mode(&audits("audit")).unwrap(), ClientMode::Audit);
    for word in ["shadow", "off", ""] {
        assert!(mode(&audits(word)).is_err(), "{word}");
    }
    let bad = good.replace("[\"t\"]", "[\"s\", \"u\"]").replace("[\"B\"]", "[]");
    assert_eq!(
        errors(&bad),
        [
            "p.toml:11: client.two.strategies: found \"s\", wanted strategies of no other client",
            "p.toml:11: client.two.strategies: found \"u\", wanted strategies that are declared ([strategy.u])",
            "p.toml:12: client.two.accounts: found none, wanted at least one",
        ]
    );
    let bad = good.replace("[\"B\"]", "[\"A\", \"C\"]");
    assert_eq!(
        errors(&bad),
        [
            "p.toml:12: client.two.accounts: found \"A\", wanted accounts of no other client",
            "p.toml:12: client.two.accounts: found \"C\", wanted accounts that are declared ([account.C])",
        ]
    );
}

/// Two clients, and the tables of gateways behind them.
fn gateways(tables: &str) -> String {
    format!(
        "[account.A]\n[account.B]\n[strategy.s]\n[strategy.t]\n\
         [client.one]\nuser = \"mm\"\nstrategies = [\"s\"]\naccounts = [\"A\"]\n\
         [client.two]\nuser = \"mm\"\nstrategies = [\"t\"]\naccounts = [\"B\"]\n{tables}"
    )
}

const SOUP: &str = "[gateway.soup]\nfirm_username = \"desk1\"\nfirm_password_file = \"f\"\nvenue_username = \"ACME01\"\n\
                    venue_password_file = \"v\"\n";

fn gateway(name: &str, client: &str, listen: &str, strategy: &str, account: &str) -> String {
    format!(
        "[[gateway]]\nname = \"{name}\"\nclient = \"{client}\"\nprotocol = \"ouch-5.0\"\nlisten = \"{listen}\"\n\
         venue = \"10.0.0.1:6001\"\nstrategy = \"{strategy}\"\naccount = \"{account}\"\n"
    )
}

#[test]
fn gateways_trade_what_is_their_clients_and_share_nothing() {
    let one = gateway("g1", "one", "127.0.0.1:5001", "s", "A") + SOUP;
    let two = gateway("g2", "two", "127.0.0.1:5002", "t", "B") + "on_disconnect = \"keep\"\ncpu = 3\n" + SOUP;
    let plan = load(&gateways(&format!("{one}{two}"))).unwrap();
    let [g1, g2] = &plan.gateways[..] else { panic!("{:?}", plan.gateways) };
    assert_eq!((g1.protocol, g1.on_disconnect), (GatewayProtocol::Ouch50, OnDisconnect::Cancel));
    assert_eq!((g2.cpu, g2.on_disconnect), (CpuChoice::Cpu(3), OnDisconnect::Keep));
    assert_eq!(g2.soup.as_ref().unwrap().venue_username, "ACME01");

    let again = gateway("g1", "one", "127.0.0.1:5001", "t", "A") + &SOUP.replace("desk1", "desk one");
    let lost = gateway("g3", "three", "10.0.0.1:6001", "s", "A");
    assert_eq!(
        errors(&gateways(&format!("{one}{again}{lost}"))),
        [
            "p.toml:27: gateway[1].name: found \"g1\" again, wanted a name no other gateway has",
            "p.toml:28: gateway[1].client: found \"one\" again, wanted a client no other gateway is: a client is one thread",
            "p.toml:30: gateway[1].listen: found \"127.0.0.1:5001\" again, wanted an address and port that no other gateway listens on",
            "p.toml:32: gateway[1].strategy: found \"t\", wanted one of the client's ([client.one])",
            "p.toml:35: gateway[1].soup.firm_username: found \"desk one\", wanted a user name of 1 to 6 letters and digits",
            "p.toml:44: gateway[2].venue: found \"10.0.0.1:6001\", wanted another address and port than `listen`",
            "p.toml:41: gateway[2].client: found \"three\", wanted a client that is declared ([client.three])",
            "p.toml:39: gateway[2].soup: found nothing, wanted a table [gateway.soup]: this protocol logs in over SoupBinTCP",
        ]
    );
    let other = one.replace("ouch-5.0", "ouch-5");
    assert_eq!(
        errors(&gateways(&other)),
        [
            "p.toml:16: gateway[0].protocol: found \"ouch-5\", wanted one of \"ouch-5.0\", \"ouch-4.2\", \"fix-4.2\", \"fix-4.4\", \"fixt-1.1\""
        ]
    );
}

#[test]
fn orders_of_another_mpid_count_to_what_is_the_clients_too() {
    let tables = |mpids: &str, protocol: &str| {
        let one = gateway("g1", "one", "127.0.0.1:5001", "s", "A").replace("ouch-5.0", protocol);
        let more = "strategies = [\"s\", \"u\"]\naccounts = [\"A\", \"C\"]";
        let all = gateways(&format!("{one}{mpids}{SOUP}"));
        format!("[account.C]\n[strategy.u]\n{all}").replace("strategies = [\"s\"]\naccounts = [\"A\"]", more)
    };
    let mpid = |id: &str, strategy: &str, account: &str| {
        format!("[[gateway.mpid]]\nid = \"{id}\"\nstrategy = \"{strategy}\"\naccount = \"{account}\"\n")
    };
    let plan = load(&tables(&(mpid("ACMQ", "u", "C") + &mpid("ACM2", "u", "A")), "ouch-4.2")).unwrap();
    let [first, second] = &plan.gateways[0].mpid[..] else { panic!("{:?}", plan.gateways) };
    assert_eq!((first.id.as_str(), first.strategy.as_str(), second.account.as_str()), ("ACMQ", "u", "A"));

    let bad = mpid("acmq", "t", "A") + &mpid("ACM2", "u", "B") + &mpid("ACM2", "u", "A");
    let found = errors(&tables(&bad, "ouch-5.0"));
    for part in [
        "gateway[0].mpid[0].id: found \"acmq\", wanted an MPID of 4 capital letters and digits",
        "gateway[0].mpid[0].strategy: found \"t\", wanted one of the client's ([client.one])",
        "gateway[0].mpid[1].account: found \"B\", wanted one of the client's ([client.one])",
        "gateway[0].mpid[2].id: found \"ACM2\" again, wanted an MPID that the gateway has once",
    ] {
        assert!(found.iter().any(|error| error.contains(part)), "{part}: {found:?}");
    }
    let of_fix = errors(&tables(&mpid("ACMQ", "u", "C"), "fix-4.4"));
    assert!(
        of_fix.iter().any(|error| error.contains("wanted none: orders of FIX have no MPID")),
        "{of_fix:?}"
    );
    let many: String = (0..64).map(|n| mpid(&format!("AC{n:02}"), "u", "C")).collect();
    let found = errors(&tables(&many, "ouch-5.0"));
    assert!(found.iter().any(|error| error.contains("found 64 of them, wanted at most 63")), "{found:?}");
}

#[test]
fn a_gateway_of_the_daemons_own_has_a_cpu_that_nothing_else_of_it_has() {
    let cpus = |first: &str, second: &str| {
        let one = gateway("g1", "one", "127.0.0.1:5001", "s", "A") + first + SOUP;
        let two = gateway("g2", "two", "127.0.0.1:5002", "t", "B") + second + SOUP;
        format!(
            "[placement]\ndesk_cpu = 5\nhousekeeping_cpus = \"0-1\"\n{}",
            gateways(&format!("{one}{two}"))
        )
    };
    let own = |cpu: &str| format!("in_daemon = true\ncpu = {cpu}\n");
    let plan = load(&cpus(&own("6"), &own("\"any\""))).unwrap();
    assert_eq!((plan.gateways[0].cpu, plan.gateways[0].in_daemon), (CpuChoice::Cpu(6), true));
    // A process of its own may be anywhere: it is not the daemon's to place.
    assert!(load(&cpus("cpu = 5\n", "cpu = 5\n")).is_ok_and(|plan| !plan.gateways[0].in_daemon));
    for (first, second, at) in [("5", "7", "gateway[0]"), ("1", "7", "gateway[0]"), ("6", "6", "gateway[1]")]
    {
        let found = errors(&cpus(&own(first), &own(second)));
        let wanted = "wanted a CPU that no stage, no housekeeping and no other gateway of the daemon's has";
        assert!(found.len() == 1 && found[0].contains(at) && found[0].contains(wanted), "{found:?}");
    }
}

#[test]
fn a_gateway_of_fix_says_who_speaks_and_in_which_tags() {
    let (_, rest) = config::DEFAULT_TOML.split_once("#     [gateway.fix]\n").unwrap();
    let lines = rest.lines().map_while(|line| line.strip_prefix("#     "));
    let example: String = lines.fold("[gateway.fix]\n".to_owned(), |all, line| all + line + "\n");
    let one = gateway("g1", "one", "127.0.0.1:5001", "s", "A").replace("ouch-5.0", "fix-4.4");
    let plan = load(&gateways(&format!("{one}{example}"))).unwrap();
    let fix = plan.gateways[0].fix.as_ref().unwrap();
    assert_eq!(plan.gateways[0].protocol, GatewayProtocol::Fix44);
    assert_eq!((fix.firm.as_str(), fix.gateway_to_venue.as_str()), ("DESK1", "ACME01"));
    assert_eq!((fix.heartbeat_s, fix.reset_at_venue, fix.alert_tag, fix.tier_tag), (30, false, 8_011, 0));
    let copy = fix.drop_copy.as_ref().unwrap();
    assert_eq!((copy.receiver.as_str(), copy.listen.port()), ("BACKOFFICE", 5_002));
    let second = "[gateway.fix.drop_copy]\nlisten = \"127.0.0.1:5001\"\nreceiver = \"\"\ngateway_to_receiver = \"P\"\n";
    let (first, _) = example.split_once("[gateway.fix.drop_copy]").unwrap();
    assert_eq!(
        errors(&gateways(&format!("{one}{first}{second}"))).len(),
        2,
        "{:?}",
        errors(&gateways(&format!("{one}{first}{second}")))
    );

    let wrong = "[gateway.fix]\nfirm = \"\"\ngateway_to_firm = \"P=Q\"\nvenue = \"V\"\ngateway_to_venue = \"U\"\n\
                 heartbeat_s = 0\nalert_tag = 58\nscore_tag = 8012\ntier_tag = 8012\n";
    assert_eq!(
        errors(&gateways(&format!("{one}{SOUP}{wrong}"))),
        [
            "p.toml:21: gateway[0].soup: found a table, wanted none: this protocol has no SoupBinTCP",
            "p.toml:27: gateway[0].fix.firm: found \"\", wanted a CompID of 1 to 32 visible characters, none of them =",
            "p.toml:28: gateway[0].fix.gateway_to_firm: found \"P=Q\", wanted a CompID of 1 to 32 visible characters, none of them =",
            "p.toml:31: gateway[0].fix.heartbeat_s: found 0, wanted 1 to 3600 seconds",
            "p.toml:32: gateway[0].fix.alert_tag: found 58, wanted a tag of its own from 5000 to 39999",
            "p.toml:34: gateway[0].fix.tier_tag: found 8012, wanted a tag of its own from 5000 to 39999",
        ]
    );
    assert_eq!(
        errors(&gateways(&one)),
        [
            "p.toml:13: gateway[0].fix: found nothing, wanted a table [gateway.fix]: who speaks on both sessions"
        ]
    );
}
