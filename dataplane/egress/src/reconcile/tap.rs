//! What the order thread and the one that reconciles tell each other. The order thread never waits: what finds no room is counted, and it is
//! asked for everything it knows instead.

use super::words::{Execution, Order};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Facts that may wait: a second's at a hundred thousand a second.
pub(super) const FACTS_MAX: usize = 1 << 16;

/// Breaks that may wait for the order thread.
pub(super) const DOUBTS_MAX: usize = 1 << 10;

/// Everything that a gateway knows of its orders and executions.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    /// The venue's session, as a number; names of another one are others.
    pub(crate) session: u64,
    pub(crate) orders: Vec<Order>,
    pub(crate) executions: Vec<Execution>,
}

/// Something that the gate has done.
#[derive(Debug)]
pub(crate) enum Fact {
    Order(Order),
    Executed(Execution),
    Whole(Box<Whole>),
}

/// What both threads see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) lost: AtomicU64,
    pub(super) wants_whole: AtomicBool,
    /// The gateway is connected to its venue and has caught up.
    pub(super) is_gate_up: AtomicBool,
    /// Doubts that stand at the gate.
    pub(super) doubted: AtomicU64,
    pub(super) stop: AtomicBool,
    pub(super) said: Mutex<Vec<String>>,
    pub(super) copies: AtomicU64,
    pub(super) matched: AtomicU64,
    pub(super) breaks: AtomicU64,
}

impl Shared {
    /// Tells a person, with what the gateway tells.
    pub(super) fn say(&self, line: String) {
        // Whole after every statement.
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

/// The order thread's end. Dropping it ends the other thread.
#[derive(Debug)]
pub(crate) struct Tap {
    pub(super) facts: SyncSender<Fact>,
    pub(super) doubts: Receiver<u64>,
    pub(super) shared: Arc<Shared>,
    pub(super) thread: Option<JoinHandle<()>>,
}

/// The other thread's end: facts, and where doubts go.
pub(super) type OtherEnd = (Receiver<Fact>, SyncSender<u64>, Arc<Shared>);

/// Both ends, with room for so many doubts; nobody is at the other one yet.
pub(super) fn pair(doubts_max: usize) -> (Tap, OtherEnd) {
    let (facts, take_facts) = sync_channel(FACTS_MAX);
    let (give_doubts, doubts) = sync_channel(doubts_max);
    let shared = Arc::new(Shared::default());
    let other = (take_facts, give_doubts, Arc::clone(&shared));
    (Tap { facts, doubts, shared, thread: None }, other)
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in it has been printed.
            drop(thread.join());
        }
    }
}

impl Tap {
    /// The gate let an order out.
    pub(crate) fn order(&self, order: Order) {
        self.tell(Fact::Order(order));
    }

    /// The gate has booked an execution, or undone one.
    pub(crate) fn executed(&self, execution: Execution) {
        self.tell(Fact::Executed(execution));
    }

    fn tell(&self, fact: Fact) {
        if self.facts.try_send(fact).is_err() {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            self.shared.wants_whole.store(true, Ordering::Relaxed);
        }
    }

    /// Whether everything is to be told. Not for the order path.
    pub(crate) fn wants_whole(&self) -> bool {
        self.shared.wants_whole.load(Ordering::Relaxed)
    }

    /// Tells everything; it is asked for again where there is no room.
    pub(crate) fn whole(&self, whole: Whole) {
        self.shared.wants_whole.store(false, Ordering::Relaxed);
        if self.facts.try_send(Fact::Whole(Box::new(whole))).is_err() {
            self.shared.wants_whole.store(true, Ordering::Relaxed);
        }
    }

    /// Whether what the venue said by now is at the gate.
    pub(crate) fn be_up(&self, is_up: bool) {
        self.shared.is_gate_up.store(is_up, Ordering::Relaxed);
    }

    /// The order at the gate about which the copies say something else; 0 of one that the gate does not know.
    pub(crate) fn doubt(&self) -> Option<u64> {
        self.doubts.try_recv().ok()
    }

    /// The last doubt stands at the gate.
    pub(crate) fn doubted(&self) {
        self.shared.doubted.fetch_add(1, Ordering::Release);
    }

    /// What a person should know, since the last call.
    pub(crate) fn take_said(&self) -> Vec<String> {
        let mut said = self.shared.said.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *said)
    }

    /// Copies that came, what was found to agree, breaks, and facts that found no room.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 4] {
        let Shared { copies, matched, breaks, lost, .. } = &*self.shared;
        [
            ("copies_taken", copies),
            ("copies_matched", matched),
            ("copy_breaks", breaks),
            ("copy_facts_lost", lost),
        ]
        .map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }
}
