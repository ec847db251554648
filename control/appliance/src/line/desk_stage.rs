//! The order desk as a stage of the line. Live it judges what its source brings, by what the tables hold now; in simulated time
//! it first puts in force what books and scorer said, in step with the 100 ms grid.

use super::desk::Desk;
use super::explain::Answerer;
use super::notes::{BookNote, Defined, ModelNote};
use super::schedule::Schedule;
use stage::{RingRx, Stage, Work, WorkStatus};
use types::{Nanos, UnixNanos};

const CHUNK: usize = 256;

/// Follows the line on a screen, in simulated time.
pub(crate) trait DeskObserver {
    /// A quote or definition.
    fn book(&mut self, _note: &BookNote) {}
    /// The grid point is complete.
    fn grid(&mut self, _ts: UnixNanos, _desks: &[Desk]) {}
}

impl DeskObserver for () {}

/// How a desk knows what is in force.
pub(crate) enum InForce {
    /// The stages before it write its tables, and name the instruments.
    Now { names: RingRx<Defined>, questions: Answerer },
    /// The stages before it say what is in force from when.
    Scheduled(Scheduled),
}

/// What a desk of simulated time hears, and each gate's tables.
pub(crate) struct Scheduled {
    pub(crate) books: RingRx<BookNote>,
    /// None without a scorer: the ends of grid points come from the books then.
    pub(crate) scores: Option<RingRx<ModelNote>>,
    pub(crate) schedules: Vec<Schedule>,
    pub(crate) finished: bool,
}

/// Gates side by side, all of the same market.
pub(crate) struct DeskStage<O> {
    desks: Vec<Desk>,
    in_force: InForce,
    observer: O,
}

impl<O: DeskObserver> DeskStage<O> {
    pub(crate) const fn new(desks: Vec<Desk>, in_force: InForce, observer: O) -> Self {
        Self { desks, in_force, observer }
    }

    /// The observer, to be given its rings.
    pub(crate) const fn observer_mut(&mut self) -> &mut O {
        &mut self.observer
    }

    /// Ends the measuring, and gives the observer back.
    pub(crate) fn finish(mut self, now: UnixNanos) -> O {
        for desk in &mut self.desks {
            if let Some(decision) = &mut desk.decision {
                decision.swap(now);
            }
        }
        if let InForce::Scheduled(scheduled) = &mut self.in_force {
            let models = scheduled.schedules.iter_mut().filter_map(|schedule| schedule.model.as_mut());
            models.for_each(|model| model.finish(now));
        }
        self.observer
    }

    fn flush(&mut self) -> bool {
        let mut told = true;
        for desk in &mut self.desks {
            told &= desk.log.flush();
        }
        told
    }

    fn poll_live(&mut self, now: UnixNanos) -> Work {
        let Self { desks, in_force: InForce::Now { names, questions }, .. } = self else { return Work::DONE };
        let mut worked = 0;
        names.drain(usize::MAX, |new| {
            new.iter().for_each(|defined| desks.iter_mut().for_each(|desk| desk.define(*defined)));
        });
        for desk in desks.iter_mut() {
            desk.market_moved(now);
            worked += desk.work(now.plus(Nanos(1)));
        }
        if let Some(desk) = desks.first() {
            worked += questions.answer(now, |intent, now| desk.explain(intent, now));
        }
        Work::of(worked)
    }

    fn poll_scheduled(&mut self) -> Work {
        let Self { desks, in_force: InForce::Scheduled(scheduled), observer } = self else {
            return Work::DONE;
        };
        let ended = scheduled.has_ended();
        let mut line = Heard { desks, scheduled, observer };
        let taken = line.take_scores() + line.take_books();
        if taken > 0 {
            return Work::of(u32::try_from(taken).unwrap_or(u32::MAX));
        }
        if !ended {
            return Work::IDLE;
        }
        if !core::mem::replace(&mut line.scheduled.finished, true) {
            line.work_off(UnixNanos(u64::MAX));
            return Work { items: 0, status: WorkStatus::Busy };
        }
        desks.iter_mut().for_each(|desk| desk.log.close());
        Work::DONE
    }
}

impl Scheduled {
    fn has_ended(&self) -> bool {
        self.books.is_abandoned() && self.scores.as_ref().is_none_or(RingRx::is_abandoned)
    }
}

/// One poll in simulated time.
struct Heard<'a, O> {
    desks: &'a mut [Desk],
    scheduled: &'a mut Scheduled,
    observer: &'a mut O,
}

impl<O: DeskObserver> Heard<'_, O> {
    /// Takes every note of the books that is there; with a scorer, the ends of grid points come from it.
    fn take_books(&mut self) -> usize {
        let mut notes = [BookNote::Grid(UnixNanos(0)); CHUNK];
        let mut taken = 0;
        loop {
            let n = self.scheduled.books.recv(&mut notes);
            for note in &notes[..n] {
                self.observer.book(note);
                self.scheduled.schedules.iter_mut().for_each(|schedule| schedule.note_book(*note));
                if let (None, BookNote::Grid(end)) = (&self.scheduled.scores, note) {
                    self.advance(*end);
                }
            }
            taken += n;
            if n == 0 {
                return taken;
            }
        }
    }

    fn take_scores(&mut self) -> usize {
        let mut notes = [ModelNote::Grid(UnixNanos(0)); CHUNK];
        let Some(scores) = &mut self.scheduled.scores else { return 0 };
        let n = scores.recv(&mut notes);
        // The books' notes of a grid point were sent before its vectors, and so before anything the scorer says of it.
        self.take_books();
        for note in &notes[..n] {
            match note {
                ModelNote::Limits(_) | ModelNote::FatFinger(_) => {
                    self.scheduled.schedules.iter_mut().for_each(|schedule| schedule.note_model(*note));
                }
                ModelNote::Grid(end) => self.advance(*end),
            }
        }
        n
    }

    fn advance(&mut self, until: UnixNanos) {
        self.work_off(until);
        self.observer.grid(until, self.desks);
    }

    fn work_off(&mut self, until: UnixNanos) {
        for (schedule, desk) in self.scheduled.schedules.iter_mut().zip(self.desks.iter_mut()) {
            schedule.advance(until, desk);
            desk.log.flush();
        }
    }
}

impl<O: DeskObserver> Stage for DeskStage<O> {
    fn name(&self) -> &'static str {
        "desk"
    }

    fn poll(&mut self, now: UnixNanos) -> Work {
        if !self.flush() {
            return Work { items: 0, status: WorkStatus::Busy };
        }
        match self.in_force {
            InForce::Now { .. } => self.poll_live(now),
            InForce::Scheduled(_) => self.poll_scheduled(),
        }
    }
}
