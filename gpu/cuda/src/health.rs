//! Whether the card is trusted: a fault sends every batch to the CPU at once; the card comes back after a rest and a probation in
//! which its scores are compared with the CPU's and published by nobody. One step per batch; time is an argument: pure.

use crate::abi::Status;

/// What went wrong with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No results in time.
    #[error("no results before the deadline")]
    Deadline,
    /// Results in time, but late again and again.
    #[error("results late in {0} batches in a row")]
    Slow(u32),
    /// Results that are not the CPU's.
    #[error("scores differ from the CPU's")]
    Mismatch,
    /// The card is gone.
    #[error("device lost")]
    DeviceLost,
    /// Its memory is full.
    #[error("out of device memory")]
    OutOfMemory,
    /// A kernel failed.
    #[error("kernel error")]
    Kernel,
}

impl Fault {
    /// The fault that a failed call stands for.
    #[must_use]
    pub const fn of(status: Status) -> Self {
        match status {
            Status::DeviceLost => Self::DeviceLost,
            Status::OutOfMemory => Self::OutOfMemory,
            Status::Ok | Status::Busy => Self::Deadline,
            Status::Kernel | Status::Unsupported => Self::Kernel,
        }
    }

    /// Whether nothing but opening the card anew can help: CUDA's errors stick to the context.
    #[must_use]
    pub const fn ends_context(self) -> bool {
        matches!(self, Self::DeviceLost | Self::OutOfMemory | Self::Kernel)
    }
}

/// Bounds of [`Health`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthConfig {
    /// A batch without results for this long is the CPU's. Far below a grid step, which must also hold the CPU's work.
    pub deadline_ns: u64,
    /// A batch that takes longer is slow.
    pub slow_ns: u64,
    /// So many slow ones in a row are a fault.
    pub slow_count_max: u32,
    /// Rest after the first fault; doubled by each further one.
    pub rest_ns: u64,
    /// The longest rest.
    pub rest_ns_max: u64,
    /// Batches that must be right and in time before the card is trusted again.
    pub probation_batches: u32,
    /// Time trusted after which faults are forgiven: the next rest is the first again.
    pub forgiven_ns: u64,
    /// Times in a row that opening the card anew may fail before it is given up until the next boot.
    pub reopen_count_max: u32,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            deadline_ns: 5_000_000,
            slow_ns: 1_000_000,
            slow_count_max: 3,
            rest_ns: 5_000_000_000,
            rest_ns_max: 600_000_000_000,
            probation_batches: 100,
            forgiven_ns: 3_600_000_000_000,
            reopen_count_max: 5,
        }
    }
}

/// Who scores a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The card; the CPU when it fails.
    Card,
    /// The CPU. The card is given the same batch, to be compared.
    Shadow,
    /// The CPU alone.
    Cpu,
}

/// How far the card is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It scores.
    Trusted,
    /// It scores for comparison.
    Probation,
    /// It is left alone.
    Resting,
    /// It rests, and must be opened anew before it is tried.
    Closed,
    /// It is given up until the next boot.
    Lost,
}

/// A change of state, for an alert: one line, said once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// What caused it; none on the way back.
    pub fault: Option<Fault>,
}

impl core::fmt::Display for Change {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let what = match self.to {
            State::Trusted => "card scores again",
            State::Probation => "card on probation, CPU scores",
            State::Resting => "CPU scores, card rests",
            State::Closed => "CPU scores, card to be opened anew",
            State::Lost => "CPU scores, card given up until the next boot",
        };
        match self.fault {
            Some(fault) => write!(f, "{what}: {fault}"),
            None => f.write_str(what),
        }
    }
}

/// The card's standing.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    config: HealthConfig,
    state: State,
    /// Batches left of a probation.
    left: u32,
    /// When the present rest ends.
    rested_ns: u64,
    /// Length of the next rest.
    rest_ns: u64,
    slow_count: u32,
    /// When the card was trusted last.
    trusted_ns: u64,
    reopen_count: u32,
}

impl Health {
    /// A card that has just passed the library's self-test: on probation, as after a fault.
    #[must_use]
    pub const fn new(config: HealthConfig) -> Self {
        Self {
            config,
            state: State::Probation,
            left: config.probation_batches,
            rested_ns: 0,
            rest_ns: config.rest_ns,
            slow_count: 0,
            trusted_ns: 0,
            reopen_count: 0,
        }
    }

    /// How far the card is trusted.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The bounds.
    #[must_use]
    pub const fn config(&self) -> &HealthConfig {
        &self.config
    }

    /// Who scores the next batch. Called once per batch.
    pub fn route(&mut self, now_ns: u64) -> (Route, Option<Change>) {
        let rested = self.state == State::Resting && now_ns >= self.rested_ns;
        let change = rested.then(|| self.enter(State::Probation, None));
        let route = match self.state {
            State::Trusted => Route::Card,
            State::Probation => Route::Shadow,
            State::Resting | State::Closed | State::Lost => Route::Cpu,
        };
        (route, change)
    }

    /// Whether the card is to be opened anew now, away from the scoring thread; answer with [`Health::reopened`].
    #[must_use]
    pub const fn wants_reopening(&self, now_ns: u64) -> bool {
        matches!(self.state, State::Closed) && now_ns >= self.rested_ns
    }

    /// The answer: whether it opened.
    pub fn reopened(&mut self, opened: bool, now_ns: u64) -> Option<Change> {
        if self.state != State::Closed {
            return None;
        }
        if opened {
            self.reopen_count = 0;
            return Some(self.enter(State::Probation, None));
        }
        self.reopen_count += 1;
        if self.reopen_count >= self.config.reopen_count_max {
            return Some(self.enter(State::Lost, Some(Fault::DeviceLost)));
        }
        self.begin_rest(now_ns);
        None
    }

    /// The card answered a batch after `took_ns`, rightly as far as was compared.
    pub fn answered(&mut self, took_ns: u64, now_ns: u64) -> Option<Change> {
        if took_ns > self.config.slow_ns {
            self.slow_count += 1;
            if self.slow_count >= self.config.slow_count_max {
                return self.failed(Fault::Slow(self.slow_count), now_ns);
            }
            // A slow batch is no proof of health.
            return None;
        }
        self.slow_count = 0;
        match self.state {
            State::Probation => {
                self.left = self.left.saturating_sub(1);
                (self.left == 0).then(|| {
                    self.trusted_ns = now_ns;
                    self.enter(State::Trusted, None)
                })
            }
            State::Trusted => {
                if now_ns.saturating_sub(self.trusted_ns) >= self.config.forgiven_ns {
                    self.rest_ns = self.config.rest_ns;
                }
                None
            }
            State::Resting | State::Closed | State::Lost => None,
        }
    }

    /// The card failed a batch.
    pub fn failed(&mut self, fault: Fault, now_ns: u64) -> Option<Change> {
        match self.state {
            State::Trusted | State::Probation => {
                let to = if fault.ends_context() { State::Closed } else { State::Resting };
                let change = self.enter(to, Some(fault));
                self.begin_rest(now_ns);
                Some(change)
            }
            State::Resting | State::Closed | State::Lost => None,
        }
    }

    fn begin_rest(&mut self, now_ns: u64) {
        self.rested_ns = now_ns.saturating_add(self.rest_ns);
        self.rest_ns = self.rest_ns.saturating_mul(2).min(self.config.rest_ns_max);
    }

    const fn enter(&mut self, to: State, fault: Option<Fault>) -> Change {
        let from = self.state;
        self.state = to;
        self.slow_count = 0;
        if matches!(to, State::Probation) {
            self.left = self.config.probation_batches;
        }
        Change { from, to, fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONFIG: HealthConfig = HealthConfig {
        deadline_ns: 100,
        slow_ns: 10,
        slow_count_max: 3,
        rest_ns: 2,
        rest_ns_max: 16,
        probation_batches: 3,
        forgiven_ns: 5,
        reopen_count_max: 2,
    };

    fn trusted() -> Health {
        let mut health = Health::new(CONFIG);
        while health.state() != State::Trusted {
            assert_eq!(health.route(0).0, Route::Shadow);
            health.answered(1, 0);
        }
        health
    }

    /// How long it takes from `since_ns` until the card scores again, when all goes well and a batch takes a nanosecond.
    fn way_back(health: &mut Health, since_ns: u64) -> u64 {
        for now_ns in since_ns.. {
            match health.route(now_ns).0 {
                Route::Card => return now_ns - since_ns,
                Route::Shadow => drop(health.answered(1, now_ns)),
                Route::Cpu if health.wants_reopening(now_ns) => drop(health.reopened(true, now_ns)),
                Route::Cpu => {}
            }
        }
        unreachable!("the range has no end")
    }

    #[test]
    fn a_card_begins_on_probation() {
        let mut health = Health::new(CONFIG);
        assert_eq!(health.answered(1, 0), None);
        assert_eq!(health.answered(1, 0), None);
        let change = health.answered(1, 0).unwrap();
        assert_eq!((change.from, change.to), (State::Probation, State::Trusted));
        assert_eq!(change.to_string(), "card scores again");
    }

    #[test]
    fn every_fault_sends_the_very_next_batch_to_the_cpu() {
        let faults = [
            Fault::Deadline,
            Fault::Mismatch,
            Fault::DeviceLost,
            Fault::OutOfMemory,
            Fault::Kernel,
            Fault::Slow(3),
        ];
        for fault in faults {
            let mut health = trusted();
            assert_eq!(health.failed(fault, 7).unwrap().fault, Some(fault));
            assert_eq!(health.route(7).0, Route::Cpu, "{fault}");
        }
    }

    #[test]
    fn three_slow_batches_in_a_row_are_a_fault_and_two_are_not() {
        let mut health = trusted();
        for took_ns in [11, 11, 10, 11, 11] {
            assert_eq!(health.answered(took_ns, 0), None);
        }
        let change = health.answered(11, 0).unwrap();
        assert_eq!(change.to_string(), "CPU scores, card rests: results late in 3 batches in a row");
    }

    #[test]
    fn rests_double_and_are_forgiven() {
        let mut health = trusted();
        let (mut rests, mut now_ns) = (vec![], 0);
        for _ in 0..5 {
            health.failed(Fault::Deadline, now_ns);
            rests.push(way_back(&mut health, now_ns));
            now_ns += rests[rests.len() - 1];
        }
        // Rest and probation.
        assert_eq!(rests, [5, 7, 11, 19, 19]);
        health.answered(1, now_ns + CONFIG.forgiven_ns - 2);
        health.failed(Fault::Deadline, now_ns);
        assert_eq!(way_back(&mut health, now_ns), 19, "not yet");
        now_ns += 19;
        health.answered(1, now_ns + CONFIG.forgiven_ns - 1);
        health.failed(Fault::Deadline, now_ns);
        assert_eq!(way_back(&mut health, now_ns), 5);
    }

    #[test]
    fn a_lost_device_is_opened_anew_and_given_up_after_two_failures() {
        let mut health = trusted();
        let change = health.failed(Fault::DeviceLost, 0).unwrap();
        assert_eq!(change.to_string(), "CPU scores, card to be opened anew: device lost");
        let (mut attempts, mut now_ns) = (0, 0);
        while health.state() != State::Lost {
            assert_eq!(health.route(now_ns).0, Route::Cpu);
            if health.wants_reopening(now_ns) {
                attempts += 1;
                health.reopened(false, now_ns);
                assert!(!health.wants_reopening(now_ns), "not again at once");
            }
            now_ns += 1;
        }
        assert_eq!(attempts, CONFIG.reopen_count_max);
        assert_eq!(health.reopened(true, now_ns), None, "until the next boot");
        assert_eq!(health.route(u64::MAX).0, Route::Cpu);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Answer(u64),
        Fail(Fault),
        Reopen(bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        let faults =
            vec![Fault::Deadline, Fault::Mismatch, Fault::DeviceLost, Fault::OutOfMemory, Fault::Kernel];
        prop_oneof![
            6 => (0_u64..20).prop_map(Step::Answer),
            1 => prop::sample::select(faults).prop_map(Step::Fail),
            1 => any::<bool>().prop_map(Step::Reopen),
        ]
    }

    proptest! {
        /// Whatever happens: the card scores only after a whole probation of batches in time, and the CPU the batch after a fault.
        #[test]
        fn no_trust_without_proof(steps in prop::collection::vec(step(), 1..400)) {
            let mut health = Health::new(CONFIG);
            let (mut proofs, mut failed) = (0, false);
            for (step, now_ns) in steps.into_iter().zip(0..) {
                let (route, _) = health.route(now_ns);
                if route == Route::Card {
                    prop_assert!(proofs >= CONFIG.probation_batches && !failed);
                }
                if failed {
                    prop_assert!(route != Route::Card);
                }
                let before = health.state();
                match step {
                    Step::Answer(took_ns) if route != Route::Cpu => {
                        let change = health.answered(took_ns, now_ns);
                        failed = change.is_some_and(|c| c.fault.is_some());
                        proofs = if failed { 0 } else { proofs + u32::from(took_ns <= CONFIG.slow_ns) };
                    }
                    Step::Fail(fault) => {
                        let change = health.failed(fault, now_ns);
                        prop_assert_eq!(change.is_some(), matches!(before, State::Trusted | State::Probation));
                        (proofs, failed) = (0, true);
                    }
                    Step::Reopen(opened) if health.wants_reopening(now_ns) => {
                        health.reopened(opened, now_ns);
                        failed = false;
                    }
                    Step::Answer(_) | Step::Reopen(_) => failed = false,
                }
                prop_assert!(before != State::Lost || health.state() == State::Lost);
                prop_assert!(health.rested_ns <= now_ns + CONFIG.rest_ns_max);
            }
        }
    }
}
