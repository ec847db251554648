//! EAL with `net_null`: receiving, ownership of buffers, what happens once per process.

use dpdk::{
    BURST_MAX, Eal, EalConfig, EalError, Mempool, MempoolConfig, MempoolError, Port, PortConfig, PortError,
    RxClock, ThreadRegistration, Vdev,
};

fn cpus() -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned()
}

/// EAL starts once per process, so this is one test.
#[test]
fn net_null() {
    let before = cpus();
    let config = EalConfig::no_huge(64).vdev(Vdev::parse("net_null0,size=100").unwrap());
    let eal = Eal::init(&config).unwrap();
    assert_eq!(cpus(), before, "EAL pins the thread that starts it; the mask must be put back");
    assert_eq!(std::thread::spawn(cpus).join().unwrap(), before);
    assert!(matches!(Eal::init(&config), Err(EalError::AlreadyStarted)));
    assert!(dpdk::version().starts_with("DPDK "), "{}", dpdk::version());
    assert_eq!(eal.port_count(), 1);

    let pool = Mempool::new(&eal, &MempoolConfig { mbufs: 2047, ..MempoolConfig::new("null") }).unwrap();
    configuration_errors(&eal, &pool);
    receive(&eal, &pool);
    threads(&eal);
    attach(&eal, &pool);
    assert_eq!(pool.in_use(), 0);
}

fn configuration_errors(eal: &Eal, pool: &Mempool) {
    let named = |name: &str| MempoolConfig { mbufs: 127, cache: 0, ..MempoolConfig::new(name) };
    let error = Mempool::new(eal, &named("null")).unwrap_err();
    assert_eq!(error, MempoolError::Create { name: "null".into(), mbufs: 127, errno: 17 }, "{error}");
    let error =
        Mempool::new(eal, &MempoolConfig { mbufs: u32::MAX, ..named("huge") }).unwrap_err().to_string();
    assert!(error.contains("\"huge\" of 4294967295 buffers"), "{error}");
    let error = Mempool::new(eal, &MempoolConfig { packet_bytes: u16::MAX, ..named("long") }).unwrap_err();
    assert!(matches!(error, MempoolError::Range { .. }), "{error}");

    let error = Port::configure(eal, "net_null7", PortConfig::default(), pool).unwrap_err();
    assert_eq!(error.to_string(), "net_null7: no such port (of 1 there are)");
    let config = PortConfig { rx_descriptors: 2048, ..PortConfig::default() };
    let error = Port::configure(eal, "net_null0", config, pool).unwrap_err();
    assert!(matches!(error, PortError::PoolTooSmall { mbufs: 2047, wanted: 2048, .. }), "{error}");
    let config = PortConfig { rx_queues: 1025, rx_descriptors: 1, ..PortConfig::default() };
    let error = Port::configure(eal, "net_null0", config, pool).unwrap_err().to_string();
    assert!(error.contains("net_null0: more queues wanted than the device has"), "{error}");
}

fn receive(eal: &Eal, pool: &Mempool) {
    let port = Port::configure(eal, "net_null0", PortConfig::default(), pool).unwrap();
    let error = Port::configure(eal, "net_null0", PortConfig::default(), pool).unwrap_err();
    assert_eq!(error, PortError::InUse { device: "net_null0".into() });
    assert_eq!(port.info().driver, "net_null");
    assert_eq!(port.info().rx_clock, RxClock::None);

    let mut started = port.start().unwrap();
    let mut queue = started.rx.pop().unwrap();
    assert!(started.rx.is_empty());
    assert!(started.port.link().unwrap().full_duplex);

    // The queue moves to the thread that polls it, and keeps the port running after the port's handle is gone.
    let stats = started.port.stats().unwrap();
    assert_eq!(stats.rx_packets, 0);
    drop(started);
    let received = std::thread::scope(|scope| {
        let poll = || {
            let _registration = ThreadRegistration::new(eal).unwrap();
            let burst = queue.rx_burst();
            assert_eq!(burst.len(), BURST_MAX);
            assert_eq!(pool.in_use(), BURST_MAX as u32, "the burst owns what it received");
            let bytes: usize = burst.iter().map(|packet| packet.data().len()).sum();
            assert!(burst.iter().all(|packet| packet.timestamp().is_none()));
            drop(burst);
            assert_eq!(pool.in_use(), 0, "dropping the burst gives its buffers back");
            assert_eq!(queue.chained(), 0);
            bytes
        };
        scope.spawn(poll).join().unwrap()
    });
    assert_eq!(received, BURST_MAX * 100);
    for _ in 0..1000 {
        assert_eq!(
            queue.rx_burst().len(),
            BURST_MAX,
            "more packets than the pool has buffers: none may leak"
        );
    }
}

fn threads(eal: &Eal) {
    let registered = || {
        let registration = ThreadRegistration::new(eal).unwrap();
        let lcore = dpdk_sys::pcl_lcore_id();
        drop(registration);
        (lcore, dpdk_sys::pcl_lcore_id())
    };
    assert_eq!(registered(), (0, 0), "the thread that started EAL is its main lcore, and stays so");
    // DPDK has 128 numbers in all: if the guard did not give its own back they would run out.
    for _ in 0..200 {
        let (lcore, after) = std::thread::scope(|scope| scope.spawn(registered).join().unwrap());
        assert!((1..128).contains(&lcore) && after == u32::MAX, "{lcore}, then {after}");
    }
}

fn attach(eal: &Eal, pool: &Mempool) {
    eal.attach(&Vdev::parse("net_ring3").unwrap()).unwrap();
    let port = Port::configure(eal, "net_ring3", PortConfig::default(), pool).unwrap();
    assert_eq!(port.info().driver, "net_ring");
    drop(port);
    let error = eal.attach(&Vdev::new("net_nope0").unwrap()).unwrap_err().to_string();
    assert!(error.starts_with("net_nope0: cannot be attached: -"), "{error}");
    let error = eal.attach(&Vdev::af_packet(0, "nope").unwrap()).unwrap_err();
    assert!(matches!(error, EalError::NoSuchInterface { .. }), "{error}");
}
