//! Questions to a desk from outside its thread: what would the gate say of this order now?

use gate::{Explanation, OrderIntent};
use stage::{RingRx, RingTx};
use std::time::{Duration, Instant};
use types::UnixNanos;

/// How long a question waits for its answer. A desk polls thousands of times a second.
const PATIENCE: Duration = Duration::from_secs(1);

/// A question with its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    number: u64,
    intent: OrderIntent,
}

/// The answer to the question of that number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    number: u64,
    explanation: Explanation,
}

/// The asking end. There is one.
pub(crate) struct Asker {
    questions: RingTx<Question>,
    answers: RingRx<Answer>,
    asked: u64,
}

impl Asker {
    pub(crate) const fn new(questions: RingTx<Question>, answers: RingRx<Answer>) -> Self {
        Self { questions, answers, asked: 0 }
    }

    /// Asks and waits. None when the desk does not answer.
    pub(crate) fn ask(&mut self, intent: &OrderIntent) -> Option<Explanation> {
        self.asked += 1;
        if self.questions.send(&[Question { number: self.asked, intent: *intent }]) == 0 {
            return None;
        }
        let asked = Instant::now();
        let mut found = None;
        while found.is_none() && asked.elapsed() < PATIENCE {
            self.answers.drain(usize::MAX, |answers| {
                // An earlier question's answer may have come too late for it.
                let mine = answers.iter().find(|answer| answer.number == self.asked);
                found = mine.map(|answer| answer.explanation).or(found);
            });
            std::thread::sleep(Duration::from_micros(50));
        }
        found
    }
}

/// The desk's end.
pub(crate) struct Answerer {
    pub(crate) questions: RingRx<Question>,
    pub(crate) answers: RingTx<Answer>,
}

impl Answerer {
    /// Answers what was asked; gives how many questions there were.
    pub(crate) fn answer(
        &mut self,
        now: UnixNanos,
        explain: impl Fn(&OrderIntent, UnixNanos) -> Explanation,
    ) -> u32 {
        let Self { questions, answers } = self;
        let answered = questions.drain(usize::MAX, |questions| {
            for question in questions {
                let explanation = explain(&question.intent, now);
                answers.send(&[Answer { number: question.number, explanation }]);
            }
        });
        u32::try_from(answered).unwrap_or(u32::MAX)
    }
}
