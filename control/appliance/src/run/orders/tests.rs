//! Journals and mirrors, block by block.

use super::journal::{Block, Cut, Journal};
use super::mirror::{Mirror, Numbering};
use super::{ClosedScopes, Orders, ScopeNumbers};
use crate::line::gate_tables::{GateSet, Listens, STRATEGY, config_of};
use attach::record::{Entry, RECORD_BYTES, Record, words_of};
use attach::ring::RingWriter;
use control::config::Plan;
use control::names::{Name, Scope};
use control::protocol::{HoldingsFilter, PositionSetting};
use gate::{
    AccountId, Decision, Doer, Exposure, FixedScore, Flags, Gate, GateConfig, GateTables, LimitsSource,
    OrderEvent, OrderIntent, OrderType, Private, RefRules, RoundedValue, Sent, Step, StrategyConfig,
    StrategyId, TableShape, TimeInForce, Verdict,
};
use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{Read as _, Seek as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use types::{InstrumentId, Nanos, Px, Qty, Side, Symbol, Tier, UnixNanos};

const STRATEGIES: [StrategyConfig; 2] = [STRATEGY; 2];

/// When the daemon starts.
const TODAY: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

fn config() -> GateConfig<'static> {
    let plan = control::config::load(&[], &[]).unwrap();
    GateConfig {
        strategies: &STRATEGIES,
        accounts: 2,
        window: Nanos(60_000_000_000),
        ..config_of(&plan, 1, &[])
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

/// A buy of ten, let out, under the numbers of the moment.
fn sent(id: u64, text: &str, instrument: u32, strategy: u16) -> Block {
    let order = OrderIntent {
        cl_ord_id: id,
        px: Px(100_000_000_000),
        instrument: InstrumentId(instrument),
        qty: Qty(10),
        strategy: StrategyId(strategy),
        account: AccountId(1),
        side: Side::Bid,
        order_type: OrderType::Limit,
        tif: TimeInForce::Day,
    };
    let step = Step::Sent(Sent {
        order,
        judged_px: 100_000_000_000,
        interval_ns: 1,
        value: RoundedValue(0),
        at: UnixNanos(id),
    });
    let verdict = Verdict {
        limit: 0,
        value: 0,
        score: FixedScore::ZERO,
        version: 0,
        reason: None,
        decision: Decision::Accept,
        tier: Tier::Normal,
        source: LimitsSource::Dynamic,
        flags: Flags::NONE,
    };
    record(id, Some(symbol(text)), Entry::Sent { step, verdict, check: Nanos(0) })
}

fn record(number: u64, symbol: Option<Symbol>, entry: Entry) -> Block {
    Block::Record(Record { number, at: UnixNanos(number), symbol, entry })
}

fn filled(number: u64, id: u64, qty: u32) -> Block {
    let event = OrderEvent::Executed { id, execution: number, qty: Qty(qty) };
    record(number, None, Entry::Step(Step::Settled(event)))
}

/// Two days' blocks: on the second one every number means something else.
fn two_days() -> Vec<Block> {
    vec![
        Block::Ring(7),
        Block::Strategy(5, name("s")),
        Block::Account(1, name("a")),
        sent(1, "FUTX", 3, 5),
        sent(2, "BRVO", 4, 5),
        filled(3, 1, 4),
        filled(4, 2, 10),
        // The daemon begins anew, and numbers otherwise.
        Block::Strategy(0, name("s")),
        Block::Account(1, name("a")),
        sent(5, "BRVO", 3, 0),
    ]
}

fn mirror_of(blocks: &[Block]) -> Mirror {
    let mut mirror = Mirror::new(&config(), 8).unwrap();
    blocks.iter().for_each(|block| mirror.take(block));
    mirror
}

/// What a process is given whose daemon numbers instruments so.
fn given(mirror: &Mirror, instruments: &[&str]) -> Result<Gate, String> {
    let numbering = Numbering {
        instrument: &|asked| {
            let at = instruments.iter().position(|text| symbol(text) == asked)?;
            u32::try_from(at).ok().map(InstrumentId)
        },
        strategy: &|asked| (asked.as_str() == "s").then_some(StrategyId(1)),
        account: &|asked| (asked.as_str() == "a").then_some(AccountId(0)),
    };
    let steps = mirror.checkpoint(&numbering)?;
    let shape = TableShape {
        instruments: 8,
        classes: 1,
        accounts: 2,
        strategies: 2,
        dynamics: false,
        fat_finger: false,
        locates: false,
    };
    let (_, tables) = GateTables::create_in(&mut Private, &shape, &RefRules::DEFAULT).unwrap();
    let mut gate = Gate::new(&config(), tables).unwrap();
    steps.iter().for_each(|step| gate.restore(step).unwrap());
    Ok(gate)
}

/// Position and working buys of strategy `s`.
fn held(gate: &Gate, instrument: u32) -> (i64, u64) {
    let held = gate.exposure(InstrumentId(instrument), StrategyId(1)).unwrap();
    (held.position, held.working_buy)
}

#[test]
fn a_mirror_follows_names_whatever_their_numbers() {
    let mirror = mirror_of(&two_days());
    assert_eq!(mirror.open_order_count(), 2);
    let gate = given(&mirror, &["none", "BRVO", "FUTX"]).unwrap();
    assert_eq!((held(&gate, 0), held(&gate, 1), held(&gate, 2)), ((0, 0), (10, 10), (4, 6)));
    let mut open: Vec<_> = gate.open_orders().map(|order| (order.id, order.account)).collect();
    open.sort_unstable_by_key(|(id, _)| *id);
    assert_eq!(open, [(1, AccountId(0)), (5, AccountId(0))]);
}

#[test]
fn what_is_held_in_an_instrument_without_a_number_is_not_given_away() {
    let mut mirror = mirror_of(&two_days());
    assert_eq!(given(&mirror, &["BRVO"]).unwrap_err(), "instrument FUTX");
    // Flat, and nothing works: it is not missed.
    mirror.take(&filled(6, 1, 6));
    assert_eq!(given(&mirror, &["BRVO"]).unwrap_err(), "instrument FUTX", "ten are held");
    let flat = Step::Positioned {
        instrument: InstrumentId(9),
        strategy: StrategyId(0),
        account: AccountId(1),
        position: 0,
    };
    mirror.take(&record(7, Some(symbol("FUTX")), Entry::Step(flat)));
    assert_eq!(held(&given(&mirror, &["BRVO"]).unwrap(), 0), (10, 10));
}

#[test]
fn what_cannot_be_followed_puts_every_position_in_doubt() {
    let now = UnixNanos(1_000);
    let doubted = |gate: &Gate, instrument| {
        let order = OrderIntent {
            cl_ord_id: 99,
            px: Px(1),
            instrument: InstrumentId(instrument),
            qty: Qty(1),
            strategy: StrategyId(1),
            account: AccountId(0),
            side: Side::Bid,
            order_type: OrderType::Limit,
            tif: TimeInForce::Day,
        };
        gate.explain(&order, now).breaches().any(|breach| breach.reason.slug() == "UNRECONCILED")
    };
    let sound = given(&mirror_of(&two_days()), &["BRVO", "FUTX", "none"]).unwrap();
    assert!(!(0..3).any(|instrument| doubted(&sound, instrument)));
    let nameless = record(6, None, Entry::Step(Step::Settled(OrderEvent::Accepted { id: 1 })));
    for (odd, doubts) in [
        (Block::Lost(3), true),
        // An id that is open, a strategy that nobody declared, and fills of nobody's order.
        (sent(1, "FUTX", 3, 0), true),
        (sent(6, "FUTX", 3, 4), true),
        (filled(6, 77, 1), true),
        (nameless, false),
    ] {
        let mut mirror = mirror_of(&two_days());
        mirror.take(&odd);
        let gate = given(&mirror, &["BRVO", "FUTX", "none"]).unwrap();
        for instrument in 0..3 {
            assert_eq!(doubted(&gate, instrument), doubts, "{odd:?}, instrument {instrument}");
        }
        assert_eq!(held(&gate, 0), (10, 10), "what is known stays");
    }
}

/// What a journal at `path` holds, and what was told.
fn read(path: &Path) -> (Journal, Vec<Block>, Option<Cut>) {
    let mut blocks = Vec::new();
    let (journal, told) = Journal::open(path, |block| blocks.push(block.clone())).unwrap();
    (journal, blocks, told)
}

#[test]
fn a_journal_gives_back_what_was_written_and_knows_where_its_ring_stands() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c1.journal");
    let mut blocks = two_days();
    blocks.push(Block::Lost(12));
    let (mut journal, found, told) = read(&path);
    assert_eq!((found, told), (vec![], None));
    journal.append(&blocks[..4]).unwrap();
    journal.append(&blocks[4..]).unwrap();
    let standing = |journal: &Journal| (journal.ring, journal.number, journal.lost);
    assert_eq!(standing(&journal), (Some(7), 5, 12));
    let (mut journal, found, told) = read(&path);
    assert_eq!((standing(&journal), told), ((Some(7), 5, 12), None));
    assert_eq!(found, blocks);
    assert!(!journal.is_clean);
    journal.end().unwrap();
    assert!(read(&path).0.is_clean);
    journal.append(&[Block::Ring(8)]).unwrap();
    let journal = read(&path).0;
    assert_eq!((standing(&journal), journal.is_clean), ((Some(8), 0, 0), false), "another ring counts anew");
}

#[test]
fn a_journal_that_ends_within_a_block_is_cut_and_one_that_is_damaged_before_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c1.journal");
    read(&path).0.append(&two_days()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for cut in [1, RECORD_BYTES - 1] {
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let (mut journal, found, told) = read(&path);
        assert_eq!(found, two_days()[..9]);
        let found_cut = told.unwrap();
        assert!(
            found_cut.told.contains(&format!("the last {} bytes", RECORD_BYTES - cut)) && !found_cut.doubt
        );
        journal.append(&two_days()[9..]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole, "and goes on where it was cut");
    }
    // A page of zeros, as a power failure leaves it.
    let mut torn = whole.clone();
    torn.resize(whole.len() + 4_096, 0);
    std::fs::write(&path, &torn).unwrap();
    let (_, found, told) = read(&path);
    assert_eq!((found, told.map(|cut| cut.doubt)), (two_days(), Some(true)));
    let mut damaged = whole;
    damaged[3 * RECORD_BYTES + 9] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let refused = Journal::open(&path, |_| {}).unwrap_err();
    assert!(refused.to_string().contains("is damaged at byte 384, and goes on"), "{refused}");
}

#[test]
fn a_summary_says_what_all_blocks_said_and_goes_on_as_they_would() {
    let doubted = [two_days(), vec![Block::Lost(3)]].concat();
    let set = Step::Positioned {
        instrument: InstrumentId(3),
        strategy: StrategyId(0),
        account: AccountId(1),
        position: 25,
    };
    let settled = [doubted.clone(), vec![record(6, Some(symbol("BRVO")), Entry::Step(set))]].concat();
    for blocks in [two_days(), doubted, settled] {
        let long = mirror_of(&blocks);
        let mut short = mirror_of(&long.summary(5));
        let mut long = mirror_of(&blocks);
        // The process goes on in the numbers it was given.
        for block in [filled(7, 5, 10), sent(8, "OSCR", 6, 0), filled(9, 1, 1), filled(4, 2, 10)] {
            long.take(&block);
            short.take(&block);
        }
        let steps = |mirror: &Mirror| {
            let mut steps = Vec::new();
            let gate = given(mirror, &["OSCR", "BRVO", "FUTX"]).unwrap();
            gate.checkpoint(|step| steps.push(step.pack()));
            steps.sort_unstable();
            steps
        };
        assert_eq!(steps(&short), steps(&long));
    }
}

#[test]
fn a_journal_is_replaced_as_a_whole_and_knows_where_its_ring_stands() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c1.journal");
    let mut journal = read(&path).0;
    journal.append(&two_days()).unwrap();
    journal.append(&[Block::Lost(4), Block::Taken { number: 9, lost: 4 }]).unwrap();
    let mut blocks = vec![Block::Ring(7)];
    blocks.extend(mirror_of(&two_days()).summary(9));
    blocks.push(Block::Taken { number: 9, lost: 4 });
    journal.replace(&blocks).unwrap();
    journal.append(&[sent(10, "OSCR", 6, 0)]).unwrap();
    blocks.push(sent(10, "OSCR", 6, 0));
    let (again, found, cut) = read(&path);
    assert_eq!((found, cut), (blocks, None));
    assert_eq!((again.ring, again.number, again.lost), (Some(7), 10, 4));
    assert_eq!(again.len(), journal.len());
}

/// What was done within the window, by its kind, of those who did something.
fn counted(gate: &Gate) -> Vec<(Doer, u8, u64)> {
    let mut did = Vec::new();
    gate.checkpoint(|step| {
        if let Step::Did { doer, kind, sum, .. } = step {
            did.push((doer, kind, sum));
        }
    });
    did
}

#[test]
fn what_was_done_within_the_window_outlives_process_daemon_and_numbering() {
    let mut blocks = two_days();
    let at = UnixNanos(6);
    blocks.push(record(6, None, Entry::Step(Step::CancelSent { id: 5, at })));
    let mirror = mirror_of(&blocks);
    // Three orders of ten, and a cancel; two executions.
    let done = [(1, 30), (2, 4), (3, 1), (4, 2)];
    let of = |doer| done.map(|(kind, sum)| (doer, kind, sum));
    let wanted = [of(Doer::Strategy(StrategyId(1))), of(Doer::Account(AccountId(0)))].concat();
    assert_eq!(counted(&given(&mirror, &["BRVO", "FUTX"]).unwrap()), wanted);
    let again = mirror_of(&mirror.summary(9));
    assert_eq!(counted(&given(&again, &["FUTX", "BRVO"]).unwrap()), wanted);
}

/// The process's clock read far ahead when the venue answered: its gate noted no such time, and its follower does not either.
#[test]
fn a_time_that_nobody_vouches_for_is_not_followed() {
    let told = |blocks: &[Block]| {
        let mut told = None;
        given(&mirror_of(blocks), &["BRVO", "FUTX"]).unwrap().checkpoint(|step| {
            if let Step::Told(at) = step {
                told = Some(at);
            }
        });
        told
    };
    let blocks = two_days();
    let event = Step::Settled(OrderEvent::Accepted { id: 5 });
    let wild = |entry| {
        let record = Record { number: 6, at: UnixNanos(u64::MAX), symbol: None, entry };
        [blocks.clone(), vec![Block::Record(record)]].concat()
    };
    assert_eq!(told(&wild(Entry::Untimed(event))), told(&blocks));
    assert_eq!(told(&wild(Entry::Step(event))), Some(UnixNanos(u64::MAX)));
}

/// A plan with one client, its state and rings in `dir`.
fn plan(dir: &Path) -> Plan {
    let text = format!(
        "[instance]\nstate_dir = {:?}\nsocket = {:?}\n[book]\ninstruments = 8\n[orders]\nring_records = 1024\n\
         [account.a]\n[strategy.s]\n[client.c1]\nuser = \"root\"\nstrategies = [\"s\"]\naccounts = [\"a\"]\n",
        dir.join("state"),
        dir.join("run/control.sock")
    );
    let file = dir.join("p.toml");
    std::fs::write(&file, text).unwrap();
    std::fs::create_dir_all(dir.join("state")).unwrap();
    std::fs::create_dir_all(dir.join("run")).unwrap();
    control::config::load(&[file], &[]).unwrap()
}

fn orders(plan: &Plan) -> (Orders, Vec<String>) {
    let set = GateSet::new(plan, 1, 1, Listens::Nothing, true).unwrap();
    Orders::open(plan, set.shared.unwrap(), TODAY).unwrap()
}

/// What a process of `c1` is given now, as a gate.
fn attach(orders: &mut Orders) -> Result<Vec<Step>, String> {
    let strategies = [(name("s"), StrategyId(0))].into();
    let accounts = [(name("a"), AccountId(0))].into();
    let numbers = ScopeNumbers { strategies: &strategies, accounts: &accounts };
    let (lifeline, _other) = UnixStream::pair().unwrap();
    let lifeline = (lifeline, UnixNanos(77));
    let (_, descriptors) = orders.attach(&name("c1"), lifeline, &numbers, &|_| Some(InstrumentId(1)))?;
    let [_, ring, steps] = <[OwnedFd; 3]>::try_from(descriptors).unwrap();
    // The process lives for as long as it writes one answer, and is gone.
    let mut writer = RingWriter::open(File::from(ring)).unwrap();
    let event = OrderEvent::Rejected { id: 1 };
    writer.push(UnixNanos(1), None, Entry::Step(Step::Settled(event)));
    let mut bytes = Vec::new();
    let mut steps = File::from(steps);
    steps.rewind().unwrap();
    steps.read_to_end(&mut bytes).unwrap();
    let steps =
        bytes.chunks_exact(8 * gate::STEP_WORDS).map(|step| words_of(step).and_then(Step::unpack).unwrap());
    Ok(steps.collect())
}

/// Whether a process is told that everything is in doubt.
fn is_doubted(steps: &[Step]) -> bool {
    matches!(steps.first(), Some(Step::Settled(OrderEvent::Filled { id: 0, .. })))
}

#[test]
fn a_ring_that_is_lost_leaves_a_doubt_unless_all_ended_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path());
    let ring = dir.path().join("run/orders/c1.ring");
    let (mut first, said) = orders(&plan);
    assert_eq!(said, Vec::<String>::new());
    assert!(!is_doubted(&attach(&mut first).unwrap()), "the first start of all");
    drop(first);
    let (mut again, _) = orders(&plan);
    assert!(!is_doubted(&attach(&mut again).unwrap()), "the ring is there");
    again.drain(&ClosedScopes::default(), TODAY);
    again.close();
    drop(again);
    std::fs::remove_file(&ring).unwrap();
    let (mut after_reboot, _) = orders(&plan);
    assert!(!is_doubted(&attach(&mut after_reboot).unwrap()), "all had ended in order");
    drop(after_reboot);
    std::fs::remove_file(&ring).unwrap();
    let (mut robbed, _) = orders(&plan);
    assert!(is_doubted(&attach(&mut robbed).unwrap()), "what was in the ring is not known");
}

#[test]
fn what_one_process_did_to_its_files_stops_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path());
    let ring = dir.path().join("run/orders/c1.ring");
    let (mut first, _) = orders(&plan);
    attach(&mut first).unwrap();
    // Written over while the daemon lives: another ring, and a doubt.
    let file = File::options().write(true).open(&ring).unwrap();
    file.write_all_at(&[0xFF; 128], 4_096).unwrap();
    let (_, said) = first.drain(&ClosedScopes::default(), TODAY);
    assert!(said[0].contains("1 damaged"), "{said:?}");
    file.write_all_at(&u64::MAX.to_le_bytes(), 512).unwrap();
    assert!(
        first.drain(&ClosedScopes::default(), TODAY).1.iter().all(|what| !what.contains("damaged")),
        "it is not read any more"
    );
    assert!(is_doubted(&attach(&mut first).unwrap()));
    drop(first);
    // Cut off while it does not.
    File::options().write(true).open(&ring).unwrap().set_len(0).unwrap();
    let (mut second, said) = orders(&plan);
    assert!(said.iter().any(|what| what.contains("set aside")), "{said:?}");
    assert!(is_doubted(&attach(&mut second).unwrap()));
    drop(second);
    let journal = dir.path().join("state/orders/c1.journal");
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes[9] ^= 1;
    std::fs::write(&journal, bytes).unwrap();
    std::fs::write(dir.path().join("state/orders/gone.journal"), []).unwrap();
    let (mut third, said) = orders(&plan);
    assert!(said[0].contains("gone.journal is no declared client's"), "{said:?}");
    assert!(said[1].contains("c1 cannot attach") && said[1].contains("is damaged at byte 0"), "{said:?}");
    assert!(attach(&mut third).unwrap_err().contains("is damaged"));
    std::fs::set_permissions(dir.path().join("run/orders"), Permissions::from_mode(0o755)).unwrap();
    let set = GateSet::new(&plan, 1, 1, Listens::Nothing, true).unwrap();
    let refused = Orders::open(&plan, set.shared.unwrap(), TODAY).err().unwrap();
    assert!(refused.to_string().contains("found mode 755"), "{refused}");
}

#[test]
fn a_long_journal_is_summarised_and_the_next_start_knows_no_difference() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path());
    let journal = dir.path().join("state/orders/c1.journal");
    let (mut first, _) = orders(&plan);
    for _ in 0..50 {
        attach(&mut first).unwrap();
        first.drain(&ClosedScopes::default(), TODAY);
    }
    let long = std::fs::metadata(&journal).unwrap().len();
    first.processes.get_mut(&name("c1")).unwrap().journal_max = long;
    let steps = attach(&mut first).unwrap();
    first.drain(&ClosedScopes::default(), TODAY);
    let short = std::fs::metadata(&journal).unwrap().len();
    assert!(short < long / 10, "{long} bytes became {short}");
    drop(first);
    let (mut second, said) = orders(&plan);
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(attach(&mut second).unwrap(), steps);
    second.drain(&ClosedScopes::default(), TODAY);
    assert_eq!(second.processes[&name("c1")].counts.damaged, 0, "the ring goes on where it was");
}

#[test]
fn a_strategy_that_changes_hands_is_in_doubt_while_its_old_owner_holds_something() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path());
    let (mut first, _) = orders(&plan);
    let begun = [Block::Strategy(0, name("s")), Block::Account(1, name("a")), sent(1, "FUTX", 1, 0)];
    let old = dir.path().join("state/orders/old.journal");
    read(&old).0.append(&begun).unwrap();
    assert!(!is_doubted(&attach(&mut first).unwrap()));
    drop(first);
    let (mut second, said) = orders(&plan);
    assert!(
        said.iter().any(|what| what.contains("c1: old still holds positions or orders in s")),
        "{said:?}"
    );
    assert!(is_doubted(&attach(&mut second).unwrap()));
    drop(second);
    // What it had is done.
    read(&old)
        .0
        .append(&[record(2, None, Entry::Step(Step::Settled(OrderEvent::Cancelled { id: 1 })))])
        .unwrap();
    let (_, said) = orders(&plan);
    assert!(said.iter().all(|what| !what.contains("still holds")), "{said:?}");
}

#[test]
fn of_more_closed_scopes_than_are_followed_the_last_ones_keep_their_counts() {
    let begun = [Block::Strategy(0, name("s")), Block::Account(1, name("a"))];
    let mut mirror = mirror_of(&[&begun[..], &[sent(1, "FUTX", 1, 0)]].concat());
    let scope = |symbol: String| format!("instrument:{symbol}").parse::<Scope>().unwrap();
    let mut closed: BTreeMap<Scope, UnixNanos> =
        (0..100).map(|n| (scope(format!("A{n}")), UnixNanos(10 + n))).collect();
    closed.insert(scope("FUTX".to_owned()), UnixNanos(50));
    let futx = |mirror: &Mirror| {
        let found = mirror.halts.iter().find(|halt| halt.scope == scope("FUTX".to_owned()));
        found.map(|halt| halt.row(&name("c1"), 0).cancelled)
    };
    mirror.close(&closed);
    mirror.take(&record(200, None, Entry::Step(Step::Settled(OrderEvent::Cancelled { id: 1 }))));
    for _ in 0..3 {
        mirror.close(&closed);
        assert_eq!((futx(&mirror), mirror.halts.len()), (Some(1), 64));
    }
    // Sixty-four that were closed later take its place; where they are open again it is followed anew.
    closed.extend((0..64).map(|n| (scope(format!("B{n}")), UnixNanos(300 + n))));
    mirror.close(&closed);
    assert_eq!((futx(&mirror), mirror.halts.len()), (None, 64));
    closed.retain(|scope, _| scope.to_string() == "instrument:FUTX");
    mirror.close(&closed);
    assert_eq!((futx(&mirror), mirror.halts.len()), (Some(0), 1));
}

#[test]
fn open_orders_are_listed_with_when_they_were_let_out_and_what_replaces_them() {
    let begun = [Block::Strategy(0, name("s")), Block::Account(1, name("a"))];
    let Block::Record(second) = sent(2, "FUTX", 1, 0) else { panic!("a record") };
    let Entry::Sent { step: Step::Sent(sent_second), verdict, check } = second.entry else {
        panic!("an order")
    };
    let step = Step::Replaced { replaced: 1, sent: sent_second };
    let replaced = Block::Record(Record { entry: Entry::Sent { step, verdict, check }, ..second });
    let blocks = [&begun[..], &[sent(1, "FUTX", 1, 0), replaced, sent(3, "OSCR", 2, 0)]].concat();
    let listed = |mirror: &Mirror| {
        let orders = mirror.open_orders();
        let mut all: Vec<_> = orders
            .iter()
            .map(|open| (open.order.id, open.symbol.to_string(), open.since, open.replacement))
            .collect();
        assert!(orders.iter().all(|open| (open.strategy.as_str(), open.account.as_str()) == ("s", "a")));
        all.sort_unstable();
        all
    };
    let mirror = mirror_of(&blocks);
    let (futx, oscr) = ("FUTX".to_owned(), "OSCR".to_owned());
    assert_eq!(
        listed(&mirror),
        [(1, futx.clone(), Some(UnixNanos(1)), Some(2)), (3, oscr.clone(), Some(UnixNanos(3)), None)]
    );
    assert_eq!(mirror.only_account(), Some(&name("a")));
    let held = mirror.held();
    assert_eq!(held.len(), 2);
    assert_eq!((held[0].1, held[0].2.working_buy, held[0].2.in_doubt), (symbol("FUTX"), 10, false));
    // A summary does not say when.
    let short = mirror_of(&mirror.summary(5));
    assert_eq!(listed(&short), [(1, futx, None, Some(2)), (3, oscr, None, None)]);
}

#[test]
fn a_person_sets_what_is_in_doubt_while_no_process_runs_and_it_stays_set() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path());
    let (mut first, _) = orders(&plan);
    attach(&mut first).unwrap();
    drop(first);
    std::fs::remove_file(dir.path().join("run/orders/c1.ring")).unwrap();
    let (mut robbed, _) = orders(&plan);
    let setting = |strategy: &str, position| PositionSetting {
        client: name("c1"),
        strategy: name(strategy),
        account: name("a"),
        symbol: symbol("FUTX").into(),
        position,
    };
    let rows = |orders: &Orders| {
        let rows = orders.positions(&HoldingsFilter::default()).into_iter();
        rows.map(|row| (row.position, row.worst_long, row.in_doubt, row.account)).collect::<Vec<_>>()
    };
    assert!(robbed.sessions()[0].session.in_doubt && rows(&robbed).is_empty());
    let doubted = Exposure { in_doubt: true, ..Exposure::default() };
    assert_eq!(robbed.position(&setting("s", -300)), Ok(doubted));
    let refused = robbed.set_position(&setting("t", -300), UnixNanos(9)).unwrap_err();
    assert_eq!(refused, "the client has no strategy t");
    assert!(robbed.set_position(&setting("s", i64::MAX), UnixNanos(9)).unwrap_err().contains("within 2^60"));
    robbed.set_position(&setting("s", -300), UnixNanos(9)).unwrap();
    let wanted = [(-300, -300, false, Some(name("a")))];
    assert_eq!(rows(&robbed), wanted);
    drop(robbed);
    let (mut again, said) = orders(&plan);
    assert_eq!((rows(&again), said), (wanted.to_vec(), Vec::new()), "it outlives the daemon");
    let steps = attach(&mut again).unwrap();
    assert!(is_doubted(&steps), "the others still are");
    let holds =
        steps.iter().filter(|step| matches!(step, Step::Holds { position: -300, due, .. } if due >> 63 == 0));
    assert_eq!(holds.count(), 1, "{steps:?}");
    again.drain(&ClosedScopes::default(), TODAY);
    // Its process runs: the books are its own.
    let _held = again.processes[&name("c1")].ring.grant().unwrap().unwrap();
    let refused = again.set_position(&setting("s", 5), UnixNanos(10)).unwrap_err();
    assert!(
        refused.contains("c1's process runs") && refused.contains("portcullis_gate_set_position"),
        "{refused}"
    );
    assert_eq!(again.sessions()[0].session.state, "orphaned", "and is not attached here");
    assert_eq!(rows(&again), wanted);
}

#[test]
fn a_client_whose_journal_is_gone_is_in_doubt_until_its_positions_are_set() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path());
    let setting = PositionSetting {
        client: name("c1"),
        strategy: name("s"),
        account: name("a"),
        symbol: symbol("FUTX").into(),
        position: 5_000,
    };
    let (mut first, said) = orders(&plan);
    assert_eq!(said, Vec::<String>::new());
    first.set_position(&setting, TODAY).unwrap();
    first.close();
    drop(first);
    let (journal, rings) = (dir.path().join("state/orders/c1.journal"), dir.path().join("run/orders"));
    for (what, with_ring) in [("gone", true), ("gone", false), ("empty", true), ("empty", false)] {
        if what == "gone" {
            std::fs::remove_file(&journal).unwrap();
        } else {
            File::create(&journal).unwrap();
        }
        if !with_ring {
            std::fs::remove_dir_all(&rings).unwrap();
        }
        let (mut robbed, said) = orders(&plan);
        assert!(said.iter().any(|what| what.contains("c1.journal: missing or empty")), "{what}: {said:?}");
        assert!(robbed.sessions()[0].session.in_doubt, "{what}");
        // It is remembered.
        drop(robbed);
        (robbed, _) = orders(&plan);
        assert!(is_doubted(&attach(&mut robbed).unwrap()), "{what}");
    }
    // All journals, and the list of who had one.
    std::fs::remove_dir_all(dir.path().join("state/orders")).unwrap();
    let (robbed, said) = orders(&plan);
    assert!(robbed.sessions()[0].session.in_doubt && !said.is_empty());
    drop(robbed);
    std::fs::remove_file(dir.path().join("state/clients.sealed")).unwrap();
    std::fs::remove_file(&journal).unwrap();
    let (mut robbed, said) = orders(&plan);
    assert!(said[0].contains("found none beside the journals"), "{said:?}");
    assert!(robbed.sessions()[0].session.in_doubt);
    robbed.set_position(&setting, TODAY).unwrap();
    drop(robbed);
    assert_eq!(orders(&plan).1, Vec::<String>::new());
}

/// What is left of the journal when the power fails: what is on disk for sure.
fn cut_to_what_is_kept(orders: Orders, journal: &Path) {
    let kept = orders.processes[&name("c1")].journal.kept;
    drop(orders);
    File::options().write(true).open(journal).unwrap().set_len(kept).unwrap();
}

#[test]
fn the_power_fails_after_an_orderly_end_and_a_new_begin() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path());
    let (journal, rings) = (dir.path().join("state/orders/c1.journal"), dir.path().join("run/orders"));
    let (mut first, _) = orders(&plan);
    attach(&mut first).unwrap();
    first.close();
    drop(first);
    let (mut second, _) = orders(&plan);
    assert!(!is_doubted(&attach(&mut second).unwrap()), "all had ended in order");
    second.drain(&ClosedScopes::default(), TODAY);
    cut_to_what_is_kept(second, &journal);
    std::fs::remove_dir_all(&rings).unwrap();
    let (mut third, _) = orders(&plan);
    assert!(is_doubted(&attach(&mut third).unwrap()), "its orders are not known");
}

#[test]
fn an_end_that_leaves_records_in_the_ring_takes_them_first() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path());
    let (mut first, _) = orders(&plan);
    attach(&mut first).unwrap();
    let ring = first.processes[&name("c1")].ring.grant().unwrap().unwrap();
    let mut writer = RingWriter::open(ring).unwrap();
    // More than one look takes; the ring has room for a thousand.
    let event = OrderEvent::Accepted { id: 1 };
    (0..1_000).for_each(|n| writer.push(UnixNanos(n), None, Entry::Step(Step::Settled(event))));
    drop(writer);
    assert_eq!(first.close(), Vec::<String>::new());
    assert_eq!(first.processes[&name("c1")].ring.waiting().unwrap(), 0);
    assert!(first.processes[&name("c1")].journal.is_clean);
}

#[test]
fn a_day_on_which_the_clock_was_years_ahead_counts_as_of_now_when_it_is_set_right() {
    const YEAR: u64 = 365 * 86_400_000_000_000;
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path());
    let (first, _) = orders(&plan);
    drop(first);
    let journal = dir.path().join("state/orders/c1.journal");
    let (mut file, _) = Journal::open(&journal, |_| {}).unwrap();
    let wrong = |mut block: Block| {
        if let Block::Record(record) = &mut block {
            record.at = TODAY.plus(Nanos(4 * YEAR));
            if let Entry::Sent { step: Step::Sent(sent), .. } = &mut record.entry {
                sent.at = record.at;
            }
        }
        block
    };
    let blocks = [
        Block::Strategy(5, name("s")),
        Block::Account(1, name("a")),
        wrong(sent(1, "FUTX", 3, 5)),
        wrong(filled(2, 1, 10)),
    ];
    file.append(&blocks).unwrap();
    drop(file);
    let (mut right, said) = orders(&plan);
    assert!(said[0].contains("a clock was wrong"), "{said:?}");
    let steps = attach(&mut right).unwrap();
    assert!(steps.iter().any(|step| matches!(step, Step::Holds { position: 10, .. })), "{steps:?}");
    let mut again = steps.clone();
    assert_eq!(gate::rebase(&mut again, TODAY), 0, "no time is after now");
    let soon = TODAY.plus(Nanos::SECOND).0;
    for step in steps {
        let (Step::Due { due: UnixNanos(due), .. } | Step::Holds { due, .. }) = step else { continue };
        assert!(due <= soon, "{due}");
    }
    drop(right);
    assert_eq!(orders(&plan).1, Vec::<String>::new(), "once");
}
