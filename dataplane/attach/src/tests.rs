//! Rings and tables between two holders of them, in one process.

use crate::record::{Entry, RECORD_BYTES, Record};
use crate::ring::{RingReader, RingWriter};
use crate::tables::{Opened, SharedTables, open};
use gate::{Breaker, BreakerCause, BreakerKey, BreakerState, OrderEvent, RefRules, Step, TableShape};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use types::{InstrumentId, Qty, Symbol, TickTable, UnixNanos};

const IDENTITY: u128 = 0x1234_5678_9abc_def0_0fed_cba9_8765_4321;

fn entry(n: u64) -> Entry {
    Entry::Step(Step::Settled(OrderEvent::Executed { id: n, execution: n, qty: Qty(7) }))
}

fn symbol() -> Symbol {
    Symbol::new("FUTX").unwrap()
}

/// A ring of four records in a directory of its own, and both ends.
fn ring(dir: &std::path::Path) -> (RingReader, RingWriter) {
    let reader = RingReader::open(&dir.join("ring"), 4, IDENTITY).unwrap();
    let writer = RingWriter::open(reader.grant().unwrap().expect("nobody has it")).unwrap();
    (reader, writer)
}

fn numbers(reader: &mut RingReader) -> (Vec<u64>, u64, u64) {
    let (mut numbers, mut damaged) = (Vec::new(), 0);
    let drained = reader.drain(1_000, |records, bad| {
        numbers.extend(records.iter().map(|record| record.number));
        damaged += bad;
        Ok(())
    });
    let drained = drained.unwrap();
    assert_eq!((drained.taken, drained.damaged), (numbers.len() as u64, damaged));
    (numbers, damaged, drained.lost)
}

#[test]
fn records_come_out_as_they_went_in_and_what_finds_no_room_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (mut reader, mut writer) = ring(dir.path());
    (1..=6).for_each(|n| writer.push(UnixNanos(n), Some(symbol()), entry(n)));
    assert_eq!((writer.lost(), reader.waiting().unwrap(), reader.capacity()), (2, 4, 4));
    let mut all = Vec::new();
    reader
        .drain(1_000, |records, _| {
            all.extend_from_slice(records);
            Ok(())
        })
        .unwrap();
    let want =
        (1..=4).map(|n| Record { number: n, at: UnixNanos(n), symbol: Some(symbol()), entry: entry(n) });
    assert_eq!(all, want.collect::<Vec<_>>());
    assert_eq!(reader.waiting().unwrap(), 0);
    writer.push(UnixNanos(7), None, entry(7));
    assert_eq!(numbers(&mut reader), (vec![5], 0, 2), "a lost record has no number");
}

#[test]
fn a_ring_has_one_writer_and_remembers_what_was_taken_when_both_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (mut reader, mut writer) = ring(dir.path());
    assert!(reader.grant().unwrap().is_none(), "a thread has it");
    (1..=3).for_each(|n| writer.push(UnixNanos(n), None, entry(n)));
    let mut first = true;
    let stopped = reader.drain(1_000, |_, _| {
        if core::mem::take(&mut first) { Err(std::io::Error::other("disk full")) } else { Ok(()) }
    });
    assert!(stopped.is_err());
    drop((reader, writer));
    let mut reader = RingReader::open(&dir.path().join("ring"), 1_024, 1).unwrap();
    assert_eq!(reader.identity(), IDENTITY, "the ring there is, not a new one");
    assert_eq!(numbers(&mut reader).0, [1, 2, 3], "what was not taken is there again");
    let mut writer = RingWriter::open(reader.grant().unwrap().expect("the thread is gone")).unwrap();
    (4..=5).for_each(|n| writer.push(UnixNanos(n), None, entry(n)));
    let mut again = RingReader::open(&dir.path().join("ring"), 4, 1).unwrap();
    again.start_after(4).unwrap();
    assert_eq!(numbers(&mut again).0, [5], "a journal knew of number 4");
}

#[test]
fn a_word_of_this_process_is_one() {
    let words = [(); 2].map(|()| crate::mapping::word_of_this_process().unwrap());
    assert!(words.iter().all(|word| word.load(std::sync::atomic::Ordering::Relaxed) == 1));
    assert!(!std::ptr::eq(words[0], words[1]));
}

#[test]
fn a_ring_keeps_room_for_answers_and_half_of_it_from_refusals() {
    let dir = tempfile::tempdir().unwrap();
    let reader = RingReader::open(&dir.path().join("ring"), 16, IDENTITY).unwrap();
    let mut writer = RingWriter::open(reader.grant().unwrap().unwrap()).unwrap();
    let mut reader = reader;
    (1..=20).for_each(|n| writer.push_refused(UnixNanos(n), None, entry(n)));
    assert!(writer.has_room_for_an_order());
    (9..=12).for_each(|n| {
        assert!(writer.has_room_for_an_order(), "{n}");
        writer.push(UnixNanos(n), None, entry(n));
    });
    assert!(!writer.has_room_for_an_order(), "the last quarter is for answers");
    (13..=16).for_each(|n| writer.push(UnixNanos(n), None, entry(n)));
    assert_eq!(writer.lost(), 0);
    let drained = reader.drain(1_000, |_, _| Ok(())).unwrap();
    assert_eq!((drained.taken, drained.unlogged, drained.lost), (16, 12, 0));
    assert!(writer.has_room_for_an_order());
}

#[test]
fn a_ring_that_was_begun_and_not_ended_is_made_anew_and_one_of_another_size_is_none() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ring.new"), [1; 50]).unwrap();
    let (reader, writer) = ring(dir.path());
    assert!(reader.is_unused().unwrap());
    drop(writer);
    let file = File::options().write(true).open(dir.path().join("ring")).unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(len + 1).unwrap();
    assert!(RingReader::open(&dir.path().join("ring"), 4, 1).is_err());
    assert!(RingWriter::open(reader.grant().unwrap().unwrap()).is_err());
    assert!(reader.grant().unwrap().is_some(), "who could not open it does not keep it");
    std::fs::rename(dir.path().join("ring"), dir.path().join("away")).unwrap();
    std::fs::write(dir.path().join("ring"), []).unwrap();
    assert!(reader.grant().is_err(), "another file has its place");
}

#[test]
fn a_ring_that_is_written_over_or_cut_off_ends_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (mut reader, mut writer) = ring(dir.path());
    (1..=3).for_each(|n| writer.push(UnixNanos(n), None, entry(n)));
    let file = File::options().write(true).open(dir.path().join("ring")).unwrap();
    file.write_all_at(&[0xFF; 8], 4_096 + RECORD_BYTES as u64 + 16).unwrap();
    assert_eq!(numbers(&mut reader), (vec![1, 3], 1, 0));
    // A head beyond all reason, and one that runs backwards.
    file.write_all_at(&u64::MAX.to_le_bytes(), 512).unwrap();
    assert_eq!(numbers(&mut reader).1, 1, "no more than the ring holds, and that in pieces");
    reader.start_after(u64::MAX - 1).unwrap();
    assert_eq!(numbers(&mut reader).1, 1);
    file.write_all_at(&1_u64.to_le_bytes(), 512).unwrap();
    assert_eq!(numbers(&mut reader), (vec![], 0, 0));
    file.set_len(100).unwrap();
    assert!(reader.drain(1_000, |_, _| Ok(())).is_err());
    assert!(RingReader::open(&dir.path().join("ring"), 4, 1).is_err());
    std::fs::write(dir.path().join("other"), vec![1; 9_000]).unwrap();
    assert!(RingReader::open(&dir.path().join("other"), 4, 1).is_err());
}

#[test]
fn tables_are_read_elsewhere_as_they_are_written_and_never_written_there() {
    let shape = TableShape {
        instruments: 3,
        classes: 1,
        accounts: 2,
        strategies: 1,
        dynamics: true,
        fat_finger: true,
        locates: false,
    };
    let mut made = SharedTables::create(&shape, &RefRules::DEFAULT).unwrap();
    let Opened { tables: theirs, names, .. } =
        open(&made.memory, &shape, &RefRules::DEFAULT, made.layout).unwrap();
    assert_eq!((theirs.breakers.get(BreakerKey::Firm), names.find(symbol())), (None, None));
    let trip = Breaker { state: BreakerState::Tripped, cause: BreakerCause::Officer, episode: 3 };
    made.writers.breakers.set(BreakerKey::Firm, trip).unwrap();
    made.names.define(InstrumentId(2), symbol());
    made.names.define(InstrumentId(9), symbol());
    assert_eq!(theirs.breakers.get(BreakerKey::Firm), Some(trip));
    assert_eq!((names.find(symbol()), names.get(InstrumentId(2))), (Some(InstrumentId(2)), Some(symbol())));
    // Another shape, and so another layout.
    let other = TableShape { instruments: 2, ..shape };
    assert!(open(&made.memory, &other, &RefRules::DEFAULT, made.layout).is_err());
    let larger = TableShape { instruments: 300, ..shape };
    assert!(open(&made.memory, &larger, &RefRules::DEFAULT, made.layout).is_err());
    // Nobody maps it for writing, makes it smaller, or writes it through a call.
    let file = File::from(made.memory.try_clone().unwrap());
    assert!(memmap2::MmapOptions::new().map_raw(&file).is_err());
    assert!(file.set_len(0).is_err() && file.write_all_at(&[1], 0).is_err());
    let memory = File::from(rustix::fs::memfd_create("loose", rustix::fs::MemfdFlags::CLOEXEC).unwrap());
    assert!(open(&memory.into(), &shape, &RefRules::DEFAULT, made.layout).is_err(), "memory that may shrink");
}

#[test]
fn tables_of_ticks_survive_their_grant() {
    let rules = control::protocol::GrantRules {
        last_age_max_ns: 1,
        period_ns: 2,
        period_collar_bps: 3,
        tick_tables: vec![vec![(0, 100_000), (1_000_000_000, 10_000_000)]],
        ref_age_max_ns: 4,
        critical_reduce_only: false,
        account_positions: true,
        self_match: "account".to_owned(),
        repeat_ms: 0,
        money: None,
        levels: control::protocol::GrantLevels::default(),
        repeated_executions: None,
        strategy_limits: BTreeMap::from([(3, [1, 2, 3])]),
        account_limits: BTreeMap::new(),
        window_ns: 0,
        strategy_activity: BTreeMap::new(),
        strategy_times_in_force: BTreeMap::new(),
        account_activity: BTreeMap::new(),
        warn_left: gate::WarnShare::DEFAULT.left(),
        audits: false,
        strategy_rate: (1, 1),
        open_orders_max: 1,
        recent_orders: 1,
        daemon_age_max_ns: 0,
    };
    assert_eq!(crate::tables::tick_tables(&rules), Some(vec![TickTable::US_EQUITY]));
    let wrong = control::protocol::GrantRules { tick_tables: vec![vec![(5, -1)]], ..rules };
    assert_eq!(crate::tables::tick_tables(&wrong), None);
}

#[test]
fn what_an_order_breaks_survives_its_record_code_by_code() {
    let codes = std::array::from_fn(|n| if n < 39 { 100 + 1_000 * n as u16 } else { u16::MAX });
    let entry = Entry::Breaks { order: u64::MAX - 7, codes };
    let record = Record { number: 3, at: UnixNanos(u64::MAX), symbol: Some(symbol()), entry };
    let mut bytes = record.to_bytes();
    assert_eq!(Record::from_bytes(&bytes), Some(record));
    assert!(record.entry.is_for_the_log() && record.entry.judged().is_none());
    bytes[20] ^= 1;
    assert_eq!(Record::from_bytes(&bytes), None);
}

proptest! {
    /// Whatever sixteen words are, they are a record that says the same again or none; one bit less of it is none.
    #[test]
    fn a_record_with_a_bit_turned_is_none(
        id: u64, qty: u32, number: u64, at: u64, timed: bool, bit in 0_usize..1_024,
    ) {
        let step = Step::Settled(OrderEvent::Filled { id, qty: Qty(qty) });
        let entry = if timed { Entry::Step(step) } else { Entry::Untimed(step) };
        let record = Record { number, at: UnixNanos(at), symbol: Some(symbol()), entry };
        let mut bytes = record.to_bytes();
        prop_assert_eq!(Record::from_bytes(&bytes), Some(record));
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(Record::from_bytes(&bytes), None);
    }
}
