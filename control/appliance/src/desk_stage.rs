//! The end of the line in a replay: brings what books and scorer say to the desks, in step with the 100 ms grid.

use crate::book_stage::BookNote;
use crate::desk::{Desk, Judgement};
use crate::score_stage::ScoreNote;
use anyhow::Result;
use gpu::ScoreRecord;
use stage::{RingRx, Stage, Work};
use types::UnixNanos;

const CHUNK: usize = 256;

/// Hears what happened at each grid point.
pub(crate) trait DeskObserver {
    /// A quote or definition.
    fn book(&mut self, _note: &BookNote) {}
    /// A score of this grid point.
    fn score(&mut self, _record: &ScoreRecord) {}
    /// What desk number `desk` said to an order.
    fn judged(&mut self, desk: usize, judgement: &Judgement);
    /// The grid point is complete.
    fn grid(&mut self, _ts: UnixNanos, _desks: &[Desk]) {}
}

/// Desks behind the books and, where there is a model, the scorer.
pub(crate) struct DeskStage<O> {
    desks: Vec<Desk>,
    books: RingRx<BookNote>,
    scores: Option<RingRx<ScoreNote>>,
    observer: O,
    scored: Vec<ScoreRecord>,
    finished: bool,
    /// The first error, kept for the driver.
    pub(crate) error: Option<anyhow::Error>,
}

impl<O: DeskObserver> DeskStage<O> {
    pub(crate) fn new(
        desks: Vec<Desk>,
        books: RingRx<BookNote>,
        scores: Option<RingRx<ScoreNote>>,
        observer: O,
    ) -> Self {
        Self { desks, books, scores, observer, scored: Vec::new(), finished: false, error: None }
    }

    /// The observer, when the run is over.
    pub(crate) fn into_observer(self) -> O {
        self.observer
    }

    /// Takes every note of the books that is there; with a scorer, the ends of grid points come from it.
    fn take_books(&mut self) -> Result<usize> {
        let mut notes = [BookNote::Grid(UnixNanos(0)); CHUNK];
        let mut taken = 0;
        loop {
            let n = self.books.recv(&mut notes);
            for note in &notes[..n] {
                self.observer.book(note);
                self.desks.iter_mut().for_each(|desk| desk.note_book(*note));
                if let (None, BookNote::Grid(end)) = (&self.scores, note) {
                    self.advance(*end)?;
                }
            }
            taken += n;
            if n == 0 {
                return Ok(taken);
            }
        }
    }

    fn take_scores(&mut self) -> Result<usize> {
        let mut notes = [ScoreNote::Grid(UnixNanos(0)); CHUNK];
        let Some(scores) = &mut self.scores else { return Ok(0) };
        let n = scores.recv(&mut notes);
        // The books' notes of a grid point were sent before its vectors, and so before anything the scorer says of it.
        self.take_books()?;
        for note in &notes[..n] {
            match note {
                ScoreNote::Limits(limits) => self.desks.iter_mut().for_each(|desk| desk.note_limits(*limits)),
                ScoreNote::Surface(sizes) => self.desks.iter_mut().for_each(|desk| desk.note_surface(*sizes)),
                ScoreNote::Score(record) => self.scored.push(*record),
                ScoreNote::Grid(end) => self.advance(*end)?,
            }
        }
        Ok(n)
    }

    fn advance(&mut self, until: UnixNanos) -> Result<()> {
        for (index, desk) in self.desks.iter_mut().enumerate() {
            desk.advance(until)?;
            desk.take_judgements().iter().for_each(|j| self.observer.judged(index, j));
        }
        self.scored.drain(..).for_each(|record| self.observer.score(&record));
        self.observer.grid(until, &self.desks);
        Ok(())
    }

    fn step(&mut self) -> Result<Work> {
        let ended = self.books.is_abandoned() && self.scores.as_ref().is_none_or(RingRx::is_abandoned);
        let taken = self.take_scores()? + self.take_books()?;
        if taken > 0 {
            return Ok(Work::of(u32::try_from(taken).unwrap_or(u32::MAX)));
        }
        if !ended {
            return Ok(Work::IDLE);
        }
        if !self.finished {
            self.finished = true;
            for (index, desk) in self.desks.iter_mut().enumerate() {
                desk.finish()?;
                desk.take_judgements().iter().for_each(|j| self.observer.judged(index, j));
            }
        }
        Ok(Work::DONE)
    }
}

impl<O: DeskObserver> Stage for DeskStage<O> {
    fn name(&self) -> &'static str {
        "desk"
    }

    fn poll(&mut self, _now: UnixNanos) -> Work {
        if self.error.is_some() {
            return Work::DONE;
        }
        self.step().unwrap_or_else(|error| {
            self.error = Some(error);
            Work::DONE
        })
    }
}
