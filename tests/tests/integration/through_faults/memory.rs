//! The record of an instrument's live limits in the memory of a daemon, to leave it as a writer does that dies in the middle.
//!
//! The tables lie in one shared mapping, which nobody but the daemon can write to; its own memory can be, by whoever may trace it. The names of
//! instruments come first, a word each. A record of live limits is two slots of a cache line, the newest and the one before: a sequence, odd
//! while it is being written, then seven words. Of the first the lower half is the largest quantity, and bits 52 to 55 of the last are the tier.

use std::fs::File;
use std::os::unix::fs::FileExt;

const LINE: usize = 64;
/// Both slots.
const RECORD: usize = 2 * LINE;
/// The tier that every instrument is in here.
const TIER_HIGH: u64 = 2;

/// Where the record lies.
pub(super) struct LimitsOf {
    memory: File,
    /// The address of its newest slot.
    at: u64,
}

impl LimitsOf {
    /// The record of `symbol` in a daemon in which every instrument is held to `qty` in tier High.
    pub(super) fn find(pid: u32, symbol: &str, qty: u64) -> Self {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        let tables = |line: &&str| line.contains("memfd:portcullis-tables") && line.contains(" rw-s ");
        let mut found = maps.lines().filter(tables).map(|line| line.split_once(' ').unwrap().0);
        let (from, to) = found.next().expect("the tables").split_once('-').unwrap();
        assert!(found.next().is_none(), "one mapping of them");
        let [from, to] = [from, to].map(|address| u64::from_str_radix(address, 16).unwrap());
        let memory = File::options().read(true).write(true).open(format!("/proc/{pid}/mem")).unwrap();
        // The mapping was made larger than what was laid out in it; behind the end of the file nothing can be read.
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        let length = read_what_is_there(&memory, from, &mut bytes);
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let name = types::Symbol::new(symbol).unwrap().to_word();
        let instrument = (0..length / 8).position(|n| word(n * 8) == name).expect("its name");
        let whole = |at: usize| {
            let (sequence, tier) = (word(at), (word(at + 7 * 8) >> 52) & 15);
            sequence != 0 && sequence % 2 == 0 && word(at + 8) & 0xFFFF_FFFF == qty && tier == TIER_HIGH
        };
        let mut records = (0..=length - RECORD).step_by(LINE).filter(|at| whole(*at) && whole(at + LINE));
        let first = records.next().expect("a record of limits in tier High");
        Self { memory, at: from + (first + instrument * RECORD) as u64 }
    }

    fn word(&self, at: u64) -> u64 {
        let mut bytes = [0; 8];
        self.memory.read_exact_at(&mut bytes, self.at + at).unwrap();
        u64::from_le_bytes(bytes)
    }

    fn set_word(&self, at: u64, word: u64) {
        self.memory.write_all_at(&word.to_le_bytes(), self.at + at).unwrap();
    }

    /// Whether the newest slot is half written.
    pub(super) fn is_torn(&self) -> bool {
        self.word(0) % 2 == 1
    }

    /// Leaves the newest slot half written: marked, and with quantities that nobody granted.
    pub(super) fn tear(&self) {
        self.set_word(0, self.word(0) | 1);
        self.set_word(8, self.word(8) | 0xFFFF_FFFF);
    }

    /// What the record before the newest says is the largest quantity.
    pub(super) fn set_spare_qty(&self, qty: u64) {
        let at = LINE as u64 + 8;
        self.set_word(at, (self.word(at) & !0xFFFF_FFFF) | qty);
    }
}

/// Reads pages until one is not there; how many bytes were.
fn read_what_is_there(memory: &File, from: u64, bytes: &mut [u8]) -> usize {
    let mut at = 0;
    for page in bytes.chunks_mut(4_096) {
        match memory.read_at(page, from + at as u64) {
            Ok(length) if length == page.len() => at += length,
            _ => break,
        }
    }
    at
}
