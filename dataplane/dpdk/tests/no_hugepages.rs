//! EAL told to use huge pages on a host that has none.

mod common;

use dpdk::{Eal, EalConfig, EalError};

/// EAL starts once per process, so this is one test.
#[test]
fn huge_pages_that_are_not_there_are_named() {
    if EalConfig::for_this_host(1).1.is_none() {
        tests::skip(tests::Need::NoHugePages, "this host has huge pages");
        return;
    }
    let error = Eal::init(&EalConfig::in_memory(64)).unwrap_err();
    assert!(matches!(error, EalError::Init { .. }), "{error}");
    assert!(error.to_string().contains("Cannot get hugepage information"), "{error}");
}
