//! An order process that is attached while the machine goes wrong.

use super::HIGH;
use crate::on_a_wire::PATIENCE;
use crate::order_process::Process;
use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

/// The process, and the last id that it used.
pub(super) struct Attached {
    process: RefCell<Process>,
    id: Cell<u64>,
}

impl Attached {
    pub(super) fn start(socket: &Path, env: &[(&str, &OsStr)]) -> Self {
        Self { process: RefCell::new(Process::start(socket, env)), id: Cell::new(0) }
    }

    /// What an order of `qty` is told: nothing when it is let out, after which the venue takes it back.
    fn refusal(&self, qty: u64) -> Option<String> {
        let id = self.id.get() + 1;
        self.id.set(id);
        let mut process = self.process.borrow_mut();
        // Each at a price of its own, so that none is taken for another once more.
        let answer = process.ask(&format!("buy {id} FUTX {qty} 49{}.{:02} s a", 84 + id / 100 % 2, id % 100));
        if answer.ends_with("true") {
            assert!(qty <= HIGH, "too wide: {qty}: {answer}");
            assert_eq!(process.ask(&format!("cancelled {id}")), "Done");
            return None;
        }
        Some(answer.split(' ').nth(1).expect("a reason").to_owned())
    }

    /// What it lets out, for some seconds the same: the largest order, and what refuses the next larger one.
    pub(super) fn seen(&self) -> String {
        let look = || match self.refusal(HIGH) {
            None => format!("{HIGH}, then {}", self.refusal(HIGH + 1).expect("what is too large is refused")),
            Some(slug) => format!("0, then {slug}"),
        };
        let (seen, end) = (look(), Instant::now() + Duration::from_secs(2));
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(200));
            assert_eq!(look(), seen);
        }
        seen
    }

    /// Waits until every order is refused for `slug`.
    pub(super) fn until_refused(&self, slug: &str) {
        let end = Instant::now() + PATIENCE;
        while self.refusal(1).as_deref() != Some(slug) {
            assert!(Instant::now() < end, "waited in vain for {slug}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
