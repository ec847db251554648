//! What a firm was told of its orders.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What became of one order, as its firm was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The venue took it.
    pub(crate) is_accepted: bool,
    /// It was rejected, by the gate or by the venue, for this reason (OUCH 5.0, appendix C).
    pub(crate) rejected: Option<u16>,
    /// How much of it traded.
    pub(crate) filled: u32,
    /// Price times quantity of that, in 1e-9.
    pub(crate) paid: i128,
    /// How much of it was taken back.
    pub(crate) cancelled: u32,
}

/// What a firm was told, order by order; and what went wrong on the way, which nothing should.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) answers: Vec<Answer>,
    pub(crate) trouble: Option<String>,
}

/// The same, for whoever reports it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(Arc<Mutex<Told>>);

impl Answers {
    /// Of so many orders.
    pub(crate) fn of(orders: usize) -> Self {
        let told = Told { answers: vec![Answer::default(); orders], trouble: None };
        Self(Arc::new(Mutex::new(told)))
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of each order.
    pub(crate) fn all(&self) -> Vec<Answer> {
        self.told().answers.clone()
    }

    /// What went wrong.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.told().trouble.clone()
    }
}
