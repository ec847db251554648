//! What every scoring backend gives: raw scores with their reasons.

use types::{FeatureVector, InstrumentId, Symbol};

use crate::heads::Head;
use crate::model::RawScore;
use crate::network::Increments;

/// A backend that scores feature vectors.
///
/// Every backend holds to the same contract, so that it can be swapped at boot: [`Scorer::score`] gives `None` for a
/// vector whose book is not live, that marks a grid's end, whose instrument was never defined, or with fewer than half
/// of the features valid; a score is always finite; a backend that fails gives `None` for the whole batch and counts
/// it, so that the limits fall to the static ones.
pub trait Scorer {
    /// Name of the backend, for logs and metrics.
    fn name(&self) -> &'static str;

    /// Says which symbol `instrument` is, so that its own profile is used from now on.
    fn define(&mut self, instrument: InstrumentId, symbol: Symbol);

    /// Scores `rows`, one result each in `out`.
    ///
    /// # Panics
    /// When `out` is not as long as `rows`: a caller's error that would leave rows silently unscored.
    fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]);

    /// What `head` says of a vector that has a score; `None` when the model has no such head.
    fn increments(&self, _head: Head, _row: &FeatureVector) -> Option<Increments> {
        None
    }

    /// Batches that failed since construction.
    fn failures(&self) -> u64 {
        0
    }
}

/// A scorer that takes rows as they arrive, so that little is left to do when a batch ends.
///
/// A batch: [`stage`](Self::stage) for every row, [`start`](Self::start), [`is_ready`](Self::is_ready) until it says so,
/// [`result`](Self::result). While a started batch is under way the rows of the next one may be staged; it is not started
/// before the first is ready. The rows of a batch bear the instrument numbers of [`Scorer`]'s contract, which holds here too.
pub trait StagedScorer: Scorer {
    /// Takes `row` at `place` of the batch that is being collected. Places are given out from 0; one that is taken already is
    /// written over, by a newer row of the same instrument. A place beyond the next one, or beyond the instruments that the
    /// scorer was built for, is refused: it has no result.
    fn stage(&mut self, place: usize, row: &FeatureVector);

    /// Ends the batch that is being collected and begins to score what is not scored yet.
    fn start(&mut self);

    /// Whether the results of the batch started last are there. Never blocks, and says yes in bounded time: a backend that
    /// hangs is given up.
    fn is_ready(&mut self) -> bool;

    /// The result at `place` of the batch started last, which is ready; until the next is started.
    fn result(&self, place: usize) -> Option<RawScore>;

    /// What `head` says at `place` of the same batch; `None` where there is no score, or the model has no such head.
    fn head(&self, head: Head, place: usize) -> Option<Increments>;
}

impl<S: StagedScorer + ?Sized> StagedScorer for Box<S> {
    fn stage(&mut self, place: usize, row: &FeatureVector) {
        (**self).stage(place, row);
    }

    fn start(&mut self) {
        (**self).start();
    }

    fn is_ready(&mut self) -> bool {
        (**self).is_ready()
    }

    fn result(&self, place: usize) -> Option<RawScore> {
        (**self).result(place)
    }

    fn head(&self, head: Head, place: usize) -> Option<Increments> {
        (**self).head(head, place)
    }
}

impl<S: Scorer + ?Sized> Scorer for Box<S> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        (**self).define(instrument, symbol);
    }

    fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
        (**self).score(rows, out);
    }

    fn increments(&self, head: Head, row: &FeatureVector) -> Option<Increments> {
        (**self).increments(head, row)
    }

    fn failures(&self) -> u64 {
        (**self).failures()
    }
}

/// Whether a vector may be scored at all: from a live book and no marker.
#[inline]
pub(crate) fn is_scorable(row: &FeatureVector) -> bool {
    row.grid_end == 0 && row.book_state == types::BookState::Live.to_u8()
}
