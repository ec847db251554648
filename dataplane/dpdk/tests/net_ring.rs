//! EAL with `net_ring`: what is sent is what is received.

mod common;

use std::time::Duration;

use dpdk::{BURST_MAX, Eal, EalConfig, Mempool, MempoolConfig, Port, PortConfig, TxBatch, TxError, Vdev};

/// Packets a `net_ring` holds: a ring of 1,024 places, one of which stays free.
const RING: usize = 1023;

fn pool(eal: &Eal, name: &str) -> Mempool {
    Mempool::new(eal, &MempoolConfig { mbufs: 4095, ..MempoolConfig::new(name) }).unwrap()
}

/// EAL starts once per process, so this is one test.
#[test]
fn net_ring() {
    let eal = Eal::init(&EalConfig::no_huge(64).vdev(Vdev::parse("net_ring0").unwrap())).unwrap();
    let (rx_pool, tx_pool) = (pool(&eal, "rx"), pool(&eal, "tx"));
    let started =
        Port::configure(&eal, "net_ring0", PortConfig::default(), &rx_pool).unwrap().start().unwrap();
    let (mut rx, mut tx) = (started.rx, started.tx);
    let (rx, tx) = (&mut rx[0], &mut tx[0]);

    // Lengths from the shortest frame to the longest one buffer takes.
    let sent: Vec<Vec<u8>> =
        (0..BURST_MAX).map(|n| common::frame(18 + n * 2030 / (BURST_MAX - 1), n as u32)).collect();
    assert_eq!((sent[0].len(), sent[BURST_MAX - 1].len()), (18, 2048));
    let mut batch = TxBatch::new(&tx_pool);
    sent.iter().for_each(|frame| batch.push(frame).unwrap());
    assert_eq!(batch.push(&sent[0]), Err(TxError::BatchFull));
    assert_eq!(tx_pool.in_use(), BURST_MAX as u32);
    assert_eq!(tx.tx_burst(&mut batch), BURST_MAX);
    assert!(batch.is_empty());

    let received = common::receive(rx, BURST_MAX, Duration::from_secs(1), |_| true);
    assert_eq!(received, sent);
    assert_eq!(tx_pool.in_use(), 0);
    assert!(rx.rx_burst().is_empty());
    let stats = started.port.stats().unwrap();
    assert_eq!((stats.rx_packets, stats.tx_packets), (BURST_MAX as u64, BURST_MAX as u64));

    refused_frames(&mut batch, tx, &tx_pool);
    a_full_queue_keeps_order(&mut batch, tx, rx, &tx_pool);
    a_pool_outlives_its_handles(&eal, tx, rx);
    assert_eq!((rx_pool.in_use(), tx_pool.in_use()), (0, 0));
}

fn refused_frames(batch: &mut TxBatch, tx: &mut dpdk::TxQueue, pool: &Mempool) {
    for size in [0, 13, 2049, 70_000] {
        assert_eq!(tx.send(pool, &vec![0; size]), Err(TxError::FrameSize), "{size} bytes");
    }
    batch.push(&common::frame(64, 1)).unwrap();
    batch.clear();
    assert!(batch.is_empty());
    assert_eq!(pool.in_use(), 0, "nothing refused or cleared is kept");
}

fn a_full_queue_keeps_order(
    batch: &mut TxBatch,
    tx: &mut dpdk::TxQueue,
    rx: &mut dpdk::RxQueue,
    pool: &Mempool,
) {
    let mut next = 0;
    let mut sent = 0;
    while batch.is_empty() {
        while batch.len() < BURST_MAX {
            batch.push(&common::frame(64, next)).unwrap();
            next += 1;
        }
        sent += tx.tx_burst(batch);
    }
    assert_eq!(sent, RING);
    assert_eq!(tx.send(pool, &common::frame(64, 0)), Err(TxError::QueueFull));
    assert_eq!(pool.in_use(), next, "a frame that could not be sent is freed");

    let mut received = common::receive(rx, RING, Duration::from_secs(1), |_| true);
    assert_eq!(tx.tx_burst(batch), 1);
    received.extend(common::receive(rx, 1, Duration::from_secs(1), |_| true));
    assert!(received.into_iter().eq((0..next).map(|n| common::frame(64, n))));
}

/// A frame in flight keeps its memory, though nobody holds the pool it came from.
fn a_pool_outlives_its_handles(eal: &Eal, tx: &mut dpdk::TxQueue, rx: &mut dpdk::RxQueue) {
    let config = MempoolConfig { mbufs: 63, cache: 0, ..MempoolConfig::new("short-lived") };
    let short_lived = Mempool::new(eal, &config).unwrap();
    tx.send(&short_lived, &common::frame(200, 7)).unwrap();
    drop(short_lived);
    // Its memory would be the first to be given out again.
    let next = Mempool::new(eal, &MempoolConfig { name: "next".into(), ..config }).unwrap();
    tx.send(&next, &common::frame(200, 8)).unwrap();
    let received = common::receive(rx, 2, Duration::from_secs(1), |_| true);
    assert_eq!(received, [common::frame(200, 7), common::frame(200, 8)]);
    assert_eq!(next.in_use(), 0);
}
