//! EAL with a device no driver knows.

use dpdk::{Eal, EalConfig, EalError, Vdev};

/// EAL starts once per process, so this is one test.
#[test]
fn a_device_that_does_not_come_up_is_named_with_what_dpdk_said() {
    let nope = Vdev::af_packet(0, "nope").unwrap();
    let error = Eal::init(&EalConfig::no_huge(64).vdev(nope)).unwrap_err();
    assert!(matches!(&error, EalError::NoSuchInterface { interface, .. } if interface == "nope"), "{error}");

    // The mistake above was found before EAL started, so EAL can still be started.
    let config = EalConfig::no_huge(64).vdev(Vdev::new("net_nope0").unwrap());
    let error = Eal::init(&config).unwrap_err();
    assert!(matches!(error, EalError::Init { errno: 19, .. } | EalError::NoPort { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("failed to parse device \"net_nope0\""), "{text}");
    assert!(
        matches!(Eal::init(&config), Err(EalError::AlreadyStarted)),
        "a half-started EAL is not started again"
    );
}
