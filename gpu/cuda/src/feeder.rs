//! The host's side of a card: rows go straight to pinned memory, one buffer while the other is scored, and a batch is waited for
//! by looking at one word.

use types::MODEL_FEATURE_COUNT;

use crate::abi::Status;
use crate::health::Fault;
use crate::layout::{BUFFER_COUNT, HEAD_OUTPUTS, Job, NOT_KEPT, Row, Why};

/// A card that takes batches. [`crate::LoadedCard`] is the real one.
pub trait Card {
    /// Rows of a staging buffer, and instruments of the table.
    fn row_capacity(&self) -> usize;
    /// A staging buffer: its rows, and a bit per instrument that is among them. Not to be touched while a batch of that buffer
    /// is under way.
    fn staging(&mut self, buffer: usize) -> (&mut [Row], &mut [u32]);
    /// Starts a batch.
    fn submit(&mut self, job: &Job) -> Status;
    /// Sequence of the last batch whose results are all there.
    fn completed(&self) -> u32;
    /// Asks the driver; slow.
    fn status(&mut self) -> Status;
    /// The result at `place` of a completed batch: staged rows first, then instruments.
    fn result(&self, buffer: usize, place: usize) -> (f32, Why);
    /// Heads of the network.
    fn head_count(&self) -> usize;
    /// What a head says at the same place.
    fn head(&self, buffer: usize, place: usize, head: usize) -> [f32; HEAD_OUTPUTS];
}

/// A row to be staged.
#[derive(Clone, Copy, Debug)]
pub struct StagedRow<'a> {
    /// Place in the table; `None` scores the row and keeps nothing.
    pub instrument: Option<u32>,
    /// Index of its profile.
    pub profile: u16,
    /// Bit i: value i can be used; 0 for a row that must have no score.
    pub valid: u16,
    /// Values in [`types::FeatureId`] order.
    pub values: &'a [f64; MODEL_FEATURE_COUNT],
}

/// A score of the card.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Raw score, a finite number.
    pub raw: f32,
    /// Its reasons.
    pub why: Why,
}

/// Why a row was not staged or a batch not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// More rows than a buffer holds.
    #[error("staging: more than {capacity} rows")]
    Full {
        /// Rows of a buffer.
        capacity: usize,
    },
    /// No row is there to be written over.
    #[error("staging: found no row at place {place}")]
    NotStaged {
        /// The place.
        place: usize,
    },
    /// The card still has the buffer.
    #[error("staging: batch {sequence} is still under way")]
    UnderWay {
        /// The batch that has it.
        sequence: u32,
    },
}

/// Fills staging buffers, submits them, and reads results.
#[derive(Debug)]
pub struct Feeder<C> {
    /// The card: for what is not a batch.
    pub card: C,
    /// Sequence of the last batch.
    sequence: u32,
    /// Buffer being filled.
    buffer: usize,
    row_count: usize,
    /// By buffer: the batch that was last submitted from it.
    submitted: [u32; BUFFER_COUNT],
    /// By instrument: place among the staged rows, plus one.
    place_of: Vec<u32>,
}

impl<C: Card> Feeder<C> {
    /// A feeder of `card`, which has taken no batch yet.
    #[must_use]
    pub fn new(card: C) -> Self {
        let place_of = vec![0; card.row_capacity()];
        Self { card, sequence: 0, buffer: 0, row_count: 0, submitted: [0; BUFFER_COUNT], place_of }
    }

    /// Rows staged for the next batch.
    #[must_use]
    pub const fn row_count(&self) -> usize {
        self.row_count
    }

    /// Writes `row` behind the others. When its instrument is there already, the table keeps the newer one, and both are
    /// scored.
    ///
    /// # Errors
    /// A full buffer, or one that the card has not given back.
    pub fn stage(&mut self, row: &StagedRow<'_>) -> Result<(), FeedError> {
        let capacity = self.card.row_capacity();
        if self.row_count == 0 {
            self.take_buffer()?;
        }
        let place = self.row_count;
        let (rows, changed) = self.card.staging(self.buffer);
        if place >= rows.len() {
            return Err(FeedError::Full { capacity });
        }
        let kept = row.instrument.filter(|i| (*i as usize) < capacity);
        if let Some(instrument) = kept {
            let last = &mut self.place_of[instrument as usize];
            if let Some(earlier) = last.checked_sub(1) {
                rows[earlier as usize].instrument |= NOT_KEPT;
            }
            // Places are below the capacity, which is a u32 on the card.
            *last = u32::try_from(place + 1).unwrap_or(0);
            changed[instrument as usize / 32] |= 1 << (instrument % 32);
        }
        rows[place] = Row {
            values: *row.values,
            instrument: kept.unwrap_or(NOT_KEPT),
            profile: row.profile,
            valid: row.valid,
        };
        self.row_count = place + 1;
        Ok(())
    }

    /// Writes `row` over the one at `place`, which was of the same instrument.
    ///
    /// # Errors
    /// A place where nothing is staged.
    pub fn restage(&mut self, place: usize, row: &StagedRow<'_>) -> Result<(), FeedError> {
        let staged = self.row_count;
        let (rows, _) = self.card.staging(self.buffer);
        let Some(taken) = rows[..staged].get_mut(place) else { return Err(FeedError::NotStaged { place }) };
        // Whose row it is and whether the table keeps it was settled when the place was taken.
        *taken =
            Row { values: *row.values, instrument: taken.instrument, profile: row.profile, valid: row.valid };
        Ok(())
    }

    /// The first `count` rows of a staging buffer, which a batch that failed leaves as they were staged.
    pub fn rows(&mut self, buffer: usize, count: usize) -> &[Row] {
        &self.card.staging(buffer).0[..count]
    }

    /// The buffer that is being filled.
    #[must_use]
    pub const fn buffer(&self) -> usize {
        self.buffer
    }

    /// Begins a batch in the current buffer: the bits of its last one are taken back.
    fn take_buffer(&mut self) -> Result<(), FeedError> {
        let sequence = self.submitted[self.buffer];
        if !reached(self.card.completed(), sequence) {
            return Err(FeedError::UnderWay { sequence });
        }
        self.card.staging(self.buffer).1.fill(0);
        Ok(())
    }

    /// Submits what is staged; with a `universe`, every instrument below it is scored from the table as well. Gives the job,
    /// by which to wait and to read.
    ///
    /// # Errors
    /// What the card says; the batch is dropped then.
    pub fn submit(&mut self, universe: u32) -> Result<Job, Fault> {
        if self.row_count == 0 && self.take_buffer().is_err() {
            return Err(Fault::Deadline);
        }
        self.sequence = self.sequence.wrapping_add(1).max(1);
        let job = Job {
            sequence: self.sequence,
            row_count: u32::try_from(self.row_count).unwrap_or(u32::MAX),
            universe: universe.min(u32::try_from(self.card.row_capacity()).unwrap_or(u32::MAX)),
            buffer: u32::from(self.buffer == 1),
        };
        self.forget();
        match self.card.submit(&job) {
            Status::Ok | Status::Busy => {
                self.submitted[self.buffer] = job.sequence;
                self.buffer = (self.buffer + 1) % BUFFER_COUNT;
                Ok(job)
            }
            status @ (Status::DeviceLost | Status::OutOfMemory | Status::Kernel | Status::Unsupported) => {
                Err(Fault::of(status))
            }
        }
    }

    /// Drops what is staged.
    pub fn forget(&mut self) {
        let (rows, _) = self.card.staging(self.buffer);
        for row in &rows[..self.row_count] {
            if let Some(place) = self.place_of.get_mut((row.instrument & !NOT_KEPT) as usize) {
                *place = 0;
            }
        }
        self.row_count = 0;
    }

    /// Whether the results of `job` are all there.
    #[inline]
    #[must_use]
    pub fn is_complete(&self, job: &Job) -> bool {
        reached(self.card.completed(), job.sequence)
    }

    /// Whether the results of `job` are all there. When time is `expired` and they are not, the driver is asked why.
    ///
    /// # Errors
    /// Time is up: what the driver says, [`Fault::Deadline`] when it says nothing.
    pub fn check(&mut self, job: &Job, expired: bool) -> Result<bool, Fault> {
        if self.is_complete(job) {
            return Ok(true);
        }
        if !expired {
            return Ok(false);
        }
        match self.card.status() {
            Status::Ok if self.is_complete(job) => Ok(true),
            Status::Ok | Status::Busy => Err(Fault::Deadline),
            status @ (Status::DeviceLost | Status::OutOfMemory | Status::Kernel | Status::Unsupported) => {
                Err(Fault::of(status))
            }
        }
    }

    /// The score of staged row `place` in a completed job; `None` when it has none.
    #[inline]
    #[must_use]
    pub fn row(&self, job: &Job, place: usize) -> Option<Scored> {
        self.read(job, place)
    }

    /// The score of `instrument` from the table in a completed job with a universe. Of a staged instrument it means nothing:
    /// ask [`Feeder::row`].
    #[inline]
    #[must_use]
    pub fn instrument(&self, job: &Job, instrument: usize) -> Option<Scored> {
        self.read(job, self.card.row_capacity() + instrument)
    }

    /// What head number `head` says of staged row `place` in a completed job; `None` without that head, or without a score.
    #[must_use]
    pub fn head(&self, job: &Job, place: usize, head: usize) -> Option<[f32; HEAD_OUTPUTS]> {
        self.row(job, place).filter(|_| head < self.card.head_count())?;
        let says = self.card.head(job.buffer as usize, place, head);
        says.iter().all(|v| v.is_finite() && *v >= 0.0).then_some(says)
    }

    fn read(&self, job: &Job, place: usize) -> Option<Scored> {
        let (raw, why) = self.card.result(job.buffer as usize, place);
        // The card checked it; what a broken one wrote must not pass either.
        let sound = why.scored == 1
            && raw.is_finite()
            && why.share.iter().all(|s| s.is_finite())
            && why.feature.iter().all(|f| usize::from(*f) < MODEL_FEATURE_COUNT);
        sound.then_some(Scored { raw, why })
    }
}

/// Whether the card, at `completed`, is past `sequence`; sequences wrap.
const fn reached(completed: u32, sequence: u32) -> bool {
    completed.wrapping_sub(sequence) < 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A card that copies values to results: raw is the first value, a row whose `valid` is 0 has no score.
    #[derive(Debug)]
    struct Copying {
        rows: [Vec<Row>; BUFFER_COUNT],
        changed: [Vec<u32>; BUFFER_COUNT],
        table: Vec<Row>,
        results: [Vec<(f32, Why)>; BUFFER_COUNT],
        completed: u32,
        asleep: bool,
        answer: Status,
    }

    impl Copying {
        fn new(capacity: usize) -> Self {
            Self {
                rows: [vec![Row::default(); capacity], vec![Row::default(); capacity]],
                changed: [vec![0; capacity.div_ceil(32)], vec![0; capacity.div_ceil(32)]],
                table: vec![Row::default(); capacity],
                results: [vec![Default::default(); 2 * capacity], vec![Default::default(); 2 * capacity]],
                completed: 0,
                asleep: false,
                answer: Status::Ok,
            }
        }
    }

    fn scored(row: &Row) -> (f32, Why) {
        #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
        let raw = row.values[0] as f32;
        (raw, Why { scored: u8::from(row.valid != 0), ..Why::default() })
    }

    impl Card for Copying {
        fn row_capacity(&self) -> usize {
            self.table.len()
        }
        fn staging(&mut self, buffer: usize) -> (&mut [Row], &mut [u32]) {
            (&mut self.rows[buffer], &mut self.changed[buffer])
        }
        fn submit(&mut self, job: &Job) -> Status {
            let buffer = job.buffer as usize;
            for (place, row) in self.rows[buffer][..job.row_count as usize].iter().enumerate() {
                self.results[buffer][place] = scored(row);
                if row.instrument & NOT_KEPT == 0 {
                    self.table[row.instrument as usize] = *row;
                }
            }
            for instrument in 0..job.universe as usize {
                if self.changed[buffer][instrument / 32] >> (instrument % 32) & 1 == 0 {
                    self.results[buffer][self.table.len() + instrument] = scored(&self.table[instrument]);
                }
            }
            if !self.asleep {
                self.completed = job.sequence;
            }
            self.answer
        }
        fn completed(&self) -> u32 {
            self.completed
        }
        fn status(&mut self) -> Status {
            Status::Busy
        }
        fn result(&self, buffer: usize, place: usize) -> (f32, Why) {
            self.results[buffer][place]
        }
        fn head_count(&self) -> usize {
            1
        }
        fn head(&self, buffer: usize, place: usize, _: usize) -> [f32; HEAD_OUTPUTS] {
            [-self.results[buffer][place].0; HEAD_OUTPUTS]
        }
    }

    fn staged(instrument: u32, values: &[f64; MODEL_FEATURE_COUNT]) -> StagedRow<'_> {
        StagedRow { instrument: Some(instrument), profile: 0, valid: 1, values }
    }

    #[test]
    fn a_buffer_that_the_card_has_is_not_written_to() {
        let mut feeder = Feeder::new(Copying::new(4));
        feeder.card.asleep = true;
        let values = [1.0; MODEL_FEATURE_COUNT];
        for _ in 0..2 {
            feeder.stage(&staged(0, &values)).unwrap();
            let job = feeder.submit(0).unwrap();
            assert_eq!(feeder.check(&job, true), Err(Fault::Deadline));
        }
        assert_eq!(feeder.stage(&staged(0, &values)), Err(FeedError::UnderWay { sequence: 1 }));
        feeder.card.completed = 1;
        assert_eq!(feeder.stage(&staged(0, &values)), Ok(()));
    }

    #[test]
    fn more_rows_than_a_buffer_holds_are_refused() {
        let (mut feeder, values) = (Feeder::new(Copying::new(2)), [1.0; MODEL_FEATURE_COUNT]);
        for _ in 0..2 {
            feeder.stage(&StagedRow { instrument: None, ..staged(0, &values) }).unwrap();
        }
        assert_eq!(feeder.stage(&staged(0, &values)), Err(FeedError::Full { capacity: 2 }));
    }

    #[test]
    fn a_newer_row_takes_the_place_of_the_one_it_replaces() {
        let mut feeder = Feeder::new(Copying::new(4));
        let [old, other, new] = [1.0, 2.0, 3.0].map(|value| [value; MODEL_FEATURE_COUNT]);
        assert_eq!(feeder.restage(0, &staged(3, &new)), Err(FeedError::NotStaged { place: 0 }));
        feeder.stage(&staged(3, &old)).unwrap();
        feeder.stage(&staged(1, &other)).unwrap();
        feeder.restage(0, &staged(3, &new)).unwrap();
        let job = feeder.submit(4).unwrap();
        assert_eq!(feeder.check(&job, false), Ok(true));
        assert_eq!([0, 1].map(|place| feeder.row(&job, place).map(|s| s.raw)), [Some(3.0), Some(2.0)]);
        assert_eq!(feeder.card.table[3].values, new);
        assert_eq!(feeder.rows(job.buffer as usize, 2)[1].values, other);
        // This card's head says what no head does, and has no second one.
        assert_eq!([0, 1].map(|head| feeder.head(&job, 0, head)), [None; 2]);
    }

    #[test]
    fn a_card_that_refuses_a_batch_is_believed() {
        let mut feeder = Feeder::new(Copying::new(2));
        feeder.card.answer = Status::DeviceLost;
        feeder.stage(&staged(0, &[1.0; MODEL_FEATURE_COUNT])).unwrap();
        assert_eq!(feeder.submit(0), Err(Fault::DeviceLost));
        assert_eq!(feeder.row_count(), 0, "what was staged is dropped");
    }

    #[test]
    fn sequences_wrap() {
        assert!(reached(5, 5) && reached(6, 5) && !reached(4, 5));
        assert!(reached(1, u32::MAX) && !reached(u32::MAX, 1));
    }

    proptest! {
        /// Whatever is staged in whatever order, every row has its own score and the table the newest row of each instrument.
        #[test]
        fn the_table_keeps_the_newest_row_of_each(
            batches in prop::collection::vec(prop::collection::vec((0_u32..6, 0_u32..1_000), 0..8), 1..20),
        ) {
            let mut feeder = Feeder::new(Copying::new(8));
            let mut newest = [None; 8];
            for batch in &batches {
                let mut here = vec![];
                for (instrument, value) in batch {
                    let values = [f64::from(*value); MODEL_FEATURE_COUNT];
                    feeder.stage(&staged(*instrument, &values)).unwrap();
                    newest[*instrument as usize] = Some(*value);
                    here.push(*instrument);
                }
                let job = feeder.submit(8).unwrap();
                assert_eq!(feeder.check(&job, false), Ok(true));
                for (place, (_, value)) in batch.iter().enumerate() {
                    prop_assert_eq!(feeder.row(&job, place).map(|s| f64::from(s.raw)), Some(f64::from(*value)));
                }
                for (instrument, value) in newest.iter().enumerate() {
                    if !here.iter().any(|i| *i as usize == instrument) {
                        let found = feeder.instrument(&job, instrument).map(|s| f64::from(s.raw));
                        prop_assert_eq!(found, value.map(f64::from));
                    }
                }
            }
        }
    }
}
