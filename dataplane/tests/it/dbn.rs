//! Databento's files: the events, applied to a naive book, lead to what Databento's own rules for its records lead to.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use dataplane::FeedKind;
use dbn::decode::{DbnMetadata as _, DecodeRecordRef as _, dbn::Decoder};
use dbn::encode::{DbnEncodable, EncodeRecord as _, dbn::Encoder};
use dbn::{
    BidAskPair, MboMsg, Mbp1Msg, Mbp10Msg, RecordHeader, RecordRef, SType, Schema, StatusAction, StatusMsg,
    rtype,
};
use types::{Action, BookEvent, EventFlags, Px, Side};

use crate::common::{Replay, real_data, replay_archive};

/// Resting orders by number: price and quantity.
type Orders = HashMap<u64, (Px, u32)>;

fn data() -> Option<PathBuf> {
    Some(real_data()?.join("dbn"))
}

fn replay(paths: &[&Path]) -> Result<Replay, String> {
    replay_archive(FeedKind::Databento, paths).map_err(|error| error.to_string())
}

/// Hands each record of a file to `see`, read by Databento's library alone.
fn records(path: &Path, mut see: impl FnMut(RecordRef<'_>)) {
    let bytes = std::fs::read(path).unwrap();
    let plain = if bytes.starts_with(b"DBN") { bytes } else { zstd::decode_all(&bytes[..]).unwrap() };
    let mut decoder = Decoder::new(&plain[..]).unwrap();
    assert!(decoder.metadata().version >= 1);
    while let Some(record) = decoder.decode_record_ref().unwrap() {
        see(record);
    }
}

/// What Databento says an order's records do: trades and fills change no book, what follows them does.
fn by_the_book(orders: &mut Orders, m: &MboMsg) {
    match m.action as u8 {
        b'A' | b'M' => _ = orders.insert(m.order_id, (Px(m.price), m.size)),
        b'C' => {
            let Some((_, qty)) = orders.get_mut(&m.order_id) else { return };
            *qty = qty.saturating_sub(m.size);
            if *qty == 0 {
                orders.remove(&m.order_id);
            }
        }
        b'R' => orders.clear(),
        _ => {}
    }
}

fn by_events(orders: &mut Orders, e: &BookEvent) {
    match e.action {
        Action::OrderAdd => assert!(orders.insert(e.order_id, (e.px, e.qty.0)).is_none(), "{e:?}"),
        Action::OrderReplace => {
            orders.remove(&e.order_id);
            orders.insert(e.aux, (e.px, e.qty.0));
        }
        Action::OrderReduce | Action::OrderExecute => {
            let Some((_, qty)) = orders.get_mut(&e.order_id) else { return };
            *qty = qty.checked_sub(e.qty.0).unwrap_or_else(|| panic!("more than there is: {e:?}"));
            if *qty == 0 {
                orders.remove(&e.order_id);
            }
        }
        Action::OrderDelete => _ = orders.remove(&e.order_id).unwrap_or_else(|| panic!("unknown: {e:?}")),
        Action::Clear => orders.clear(),
        _ => {}
    }
}

/// Both books after each record that ends an event, of a file of one instrument.
fn compare_orders(path: &Path) -> Replay {
    let replay = replay(&[path]).unwrap();
    let (mut ours, mut theirs, mut at, mut seq) = (Orders::new(), Orders::new(), 0, 0_u64);
    records(path, |record| {
        seq += 1;
        let Some(m) = record.get::<MboMsg>() else { return };
        by_the_book(&mut theirs, m);
        if !m.flags.is_last() {
            return;
        }
        while replay.events.get(at).is_some_and(|event| event.seq.0 <= seq) {
            by_events(&mut ours, &replay.events[at]);
            at += 1;
        }
        if ours != theirs {
            let differ = |(id, order): (&u64, &(Px, u32))| ours.get(id) != Some(order);
            let first = theirs.iter().find(|(id, order)| differ((id, order)));
            panic!("after record {seq}: {first:?}, {} orders for {}", ours.len(), theirs.len());
        }
    });
    replay
}

fn count(replay: &Replay, letters: &[u8]) -> Vec<u64> {
    letters.iter().map(|letter| replay.stats.by_type[usize::from(*letter)]).collect()
}

#[test]
fn a_day_of_crude_oil_joined_in_mid_session_has_its_records_and_its_orders() {
    let Some(data) = data() else { return };
    let replay = compare_orders(&data.join("CLX5_mbo.dbn"));
    assert_eq!((replay.stats.packets, replay.error.is_none()), (38_212, true));
    assert_eq!(count(&replay, b"ACMTF"), [14_959, 16_252, 2_701, 1_599, 2_701]);
    assert_eq!((replay.stats.bad_fields, replay.symbols.as_slice()), (0, &["CLX5".to_owned()][..]));
    assert_eq!(replay.stats.events, replay.events.len() as u64 + 1, "that it was joined in mid-session");
    assert!(
        replay.events.iter().all(|event| event.action != Action::Clear),
        "and nothing makes the book whole"
    );
    // Each fill of an order that is known is one execution, and no other record takes it off again.
    let filled: u64 = replay.events.iter().filter(|e| e.action == Action::OrderExecute).count() as u64;
    assert!(filled > 2_400, "{filled}");
}

#[test]
fn a_file_that_begins_with_a_snapshot_has_a_live_book_at_once() {
    let Some(data) = data() else { return };
    let replay = compare_orders(&data.join("nautilus_orderbooks_mbo_2024-05-08.dbn.zst"));
    assert_eq!(replay.stats.packets, 13_796);
    let begin: Vec<_> = replay.events.iter().take(3).map(|event| event.action).collect();
    assert_eq!(begin, [Action::Define, Action::Clear, Action::Status]);
    let adds =
        replay.events.iter().filter(|e| e.flags.has(EventFlags::SNAPSHOT) && e.action == Action::OrderAdd);
    assert_eq!(adds.count(), 13_600);
}

/// The ladder that events lead to is the ladder of each record.
fn compare_ladders(path: &Path, levels_of: impl Fn(RecordRef<'_>) -> Option<Vec<[(i64, u32); 2]>>) -> Replay {
    let replay = replay(&[path]).unwrap();
    let (mut book, mut at, mut seq) = (HashMap::new(), 0, 0_u64);
    records(path, |record| {
        seq += 1;
        let Some(levels) = levels_of(record) else { return };
        while replay.events.get(at).is_some_and(|event| event.seq.0 <= seq) {
            let e = &replay.events[at];
            at += 1;
            match (e.action, e.qty.0) {
                (Action::LevelSet, 0) => _ = book.remove(&(e.instrument, e.side, e.px)).expect("a level"),
                (Action::LevelSet, qty) => _ = book.insert((e.instrument, e.side, e.px), qty),
                _ => {}
            }
        }
        let mut shown = Vec::new();
        for level in levels {
            for (side, (px, qty)) in [Side::Bid, Side::Ask].into_iter().zip(level) {
                if px != i64::MAX && qty > 0 {
                    shown.push(((side, Px(px)), qty));
                }
            }
        }
        let instrument = replay.events[at - 1].instrument;
        let ours = book.iter().filter(|((of, ..), _)| *of == instrument);
        shown.sort_unstable_by_key(|((side, px), _)| (side.index(), px.0));
        let mut ours: Vec<_> = ours.map(|((_, side, px), qty)| ((*side, *px), *qty)).collect();
        ours.sort_unstable_by_key(|((side, px), _)| (side.index(), px.0));
        assert_eq!(ours, shown, "after record {seq}");
    });
    replay
}

fn pair(level: &dbn::BidAskPair) -> [(i64, u32); 2] {
    [(level.bid_px, level.bid_sz), (level.ask_px, level.ask_sz)]
}

#[test]
fn the_best_prices_of_a_file_of_levels_are_those_of_its_records() {
    let Some(data) = data() else { return };
    let of = |record: RecordRef<'_>| Some(record.get::<Mbp1Msg>()?.levels.iter().map(pair).collect());
    let replay = compare_ladders(&data.join("futures_mbp-1_2024-07-01.dbn.zst"), of);
    assert_eq!(replay.stats.packets, 2_288);
    let of = |record: RecordRef<'_>| Some(record.get::<Mbp10Msg>()?.levels.iter().map(pair).collect());
    for version in ["v1", "v2", "v3"] {
        let name = format!("dbn_test_data/test_data.mbp-10.{version}.dbn.zst");
        assert_eq!(compare_ladders(&data.join(name), of).stats.packets, 2, "{version}");
    }
}

#[test]
fn every_vector_of_a_schema_with_books_is_read_and_every_other_one_refused_by_name() {
    let Some(data) = data() else { return };
    let mut read = 0;
    for entry in std::fs::read_dir(data.join("dbn_test_data")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let schema = name.split('.').nth(1).unwrap().to_owned();
        let has_books = ["mbo", "mbp-1", "mbp-10", "definition", "status"].contains(&schema.as_str());
        let is_whole = name.starts_with("test_data") && !name.contains(".frag") && !name.contains(".dbz");
        match replay(&[&path]) {
            Ok(replay) => {
                assert!(has_books && is_whole, "{name}");
                assert!(
                    replay.error.is_none() && replay.stats.source.cut.is_none(),
                    "{name}: {:?}",
                    replay.error
                );
                assert!(replay.stats.packets > 0 && replay.stats.bad_fields == 0, "{name}");
                read += 1;
            }
            Err(why) if is_whole => {
                assert!(!has_books && why.contains(&format!("schema {schema}")), "{name}: {why}");
            }
            Err(why) => assert!(why.contains("a DBN file with its metadata"), "{name}: {why}"),
        }
    }
    assert!(read >= 15, "{read}");
}

#[test]
fn a_definition_before_the_records_names_the_instrument_and_its_tick() {
    let Some(data) = data() else { return };
    let definitions = data.join("definition-glbx-es-fut.dbn.zst");
    let mut wanted = Vec::new();
    records(&definitions, |record| {
        wanted.extend(
            record.get::<dbn::InstrumentDefMsg>().map(|d| (d.hd.instrument_id, d.min_price_increment)),
        );
    });
    // Records of levels, of which the first number is made the defined instrument's.
    let levels = data.join("dbn_test_data/test_data.mbp-1.dbn");
    let mut bytes = std::fs::read(&levels).unwrap();
    let mut number = None;
    records(&levels, |record| number = record.get::<Mbp1Msg>().map(|m| m.hd.instrument_id));
    let (from, to) = (number.unwrap().to_le_bytes(), wanted[0].0.to_le_bytes());
    while let Some(at) = bytes.windows(4).position(|window| window == from) {
        bytes[at..at + 4].copy_from_slice(&to);
    }
    let folder = tempfile::tempdir().unwrap();
    let renumbered = folder.path().join("renumbered.dbn");
    std::fs::write(&renumbered, bytes).unwrap();
    let replay = replay(&[&definitions, &renumbered]).unwrap();
    assert_eq!(replay.stats.by_type[usize::from(b'D')], wanted.len() as u64);
    let define = replay.events[0];
    assert_eq!((define.action, define.px), (Action::Define, Px(wanted[0].1)));
    assert!(replay.symbols[0].starts_with("ES"), "{:?}", replay.symbols);
}

#[test]
fn a_file_that_is_cut_or_damaged_gives_what_was_whole_and_says_where_it_ends() {
    let Some(data) = data() else { return };
    let bytes = std::fs::read(data.join("CLX5_mbo.dbn")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.dbn");
    std::fs::write(&path, &bytes[..bytes.len() - 30]).unwrap();
    let replayed = replay(&[&path]).unwrap();
    let offset = bytes.len() - 56;
    let cut = replayed.stats.source.cut.expect("a cut");
    assert!(
        cut.contains(&format!("cut.dbn: offset {offset}: found the end of the file after 26 bytes")),
        "{cut}"
    );
    assert_eq!(replayed.stats.packets, 38_211);
    // A record's length of nothing.
    let mut damaged = bytes.clone();
    damaged[offset] = 0;
    std::fs::write(&path, damaged).unwrap();
    let replayed = replay(&[&path]).unwrap();
    let error = replayed.error.expect("damage").to_string();
    assert!(error.contains("cut.dbn: offset"), "{error}");
    assert_eq!(replayed.stats.packets, 38_211);
}

#[test]
fn a_packed_file_that_is_cut_between_two_records_is_cut_all_the_same() {
    let Some(data) = data() else { return };
    let bytes = std::fs::read(data.join("CLX5_mbo.dbn")).unwrap();
    let metadata = 8 + u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let mut packed = zstd::Encoder::new(Vec::new(), 0).unwrap();
    packed.write_all(&bytes[..metadata + 100 * size_of::<MboMsg>()]).unwrap();
    packed.flush().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.dbn.zst");
    std::fs::write(&path, packed.get_ref()).unwrap();
    let replayed = replay(&[&path]).unwrap();
    assert_eq!((replayed.stats.packets, replayed.error.is_none()), (100, true));
    let cut = replayed.stats.source.cut.expect("a cut");
    assert!(cut.contains("found the end of the file after 0 bytes, wanted a whole record"), "{cut}");
}

/// A file of `records` under `schema`, as Databento's library writes it.
fn written<R: DbnEncodable>(folder: &Path, name: &str, schema: Schema, records: &[R]) -> PathBuf {
    let metadata = dbn::Metadata::builder().dataset("XNAS.ITCH".to_owned()).schema(Some(schema)).start(STAMP);
    let metadata = metadata.stype_in(Some(SType::RawSymbol)).stype_out(SType::InstrumentId).build();
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, &metadata).unwrap().encode_records(records).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

const STAMP: u64 = 1_700_000_000_000_000_000;

#[test]
fn a_trade_whose_event_never_ends_is_told_at_the_end() {
    let trade = MboMsg {
        hd: RecordHeader::new::<MboMsg>(rtype::MBO, 2, 11, STAMP),
        price: 100_000_000_000,
        size: 40,
        action: b'T'.cast_signed(),
        side: b'B'.cast_signed(),
        ts_recv: STAMP,
        ..MboMsg::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let replayed = replay(&[&written(folder.path(), "cut.dbn", Schema::Mbo, &[trade])]).unwrap();
    let last = replayed.events.last().unwrap();
    assert_eq!((last.action, last.qty.0, last.side), (Action::Trade, 40, Side::Ask));
    assert!(last.flags.has(EventFlags::LAST));
}

#[test]
fn levels_are_whole_also_where_a_status_came_first() {
    let status = StatusMsg {
        hd: RecordHeader::new::<StatusMsg>(rtype::STATUS, 2, 11, STAMP),
        ts_recv: STAMP,
        action: StatusAction::Trading as u16,
        ..StatusMsg::default()
    };
    let level = Mbp1Msg {
        hd: RecordHeader::new::<Mbp1Msg>(rtype::MBP_1, 2, 11, STAMP + 1),
        price: 100_000_000_000,
        size: 10,
        action: b'A'.cast_signed(),
        side: b'B'.cast_signed(),
        flags: dbn::FlagSet::new(dbn::flags::LAST),
        ts_recv: STAMP + 1,
        levels: [BidAskPair { bid_px: 100_000_000_000, bid_sz: 10, ..BidAskPair::default() }],
        ..Mbp1Msg::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let statuses = written(folder.path(), "status.dbn", Schema::Status, &[status]);
    let levels = written(folder.path(), "levels.dbn", Schema::Mbp1, &[level]);
    let replayed = replay(&[&statuses, &levels]).unwrap();
    let told: Vec<_> = replayed.events.iter().map(|event| event.action).collect();
    let wanted = [Action::Define, Action::Status, Action::Status, Action::Clear, Action::LevelSet];
    assert_eq!(told, wanted, "the clear ends what the join had doubted");
    assert_eq!((replayed.stats.packets, replayed.stats.last_seq), (2, 2));
}
