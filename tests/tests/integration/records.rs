//! The records of a capture that the simulator wrote, where they stand in its bytes: to cut it, or to change what it says.

/// Length of a record's head: seconds, nanoseconds, bytes kept, bytes there were.
pub(crate) const HEAD_BYTES: usize = 16;

/// One record: when it was captured, where its head begins, and how many bytes follow the head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) ts_ns: u64,
    pub(crate) at: usize,
    pub(crate) length: usize,
}

/// Every record of a capture in nanoseconds.
pub(crate) fn records(capture: &[u8]) -> Vec<Record> {
    let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 0xa1b2_3c4d, "a capture in nanoseconds");
    let (mut at, mut found) = (24, Vec::new());
    while at < capture.len() {
        let ts_ns = u64::from(word(at)) * 1_000_000_000 + u64::from(word(at + 4));
        let length = word(at + 8) as usize;
        found.push(Record { ts_ns, at, length });
        at += HEAD_BYTES + length;
    }
    found
}
