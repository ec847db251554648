//! What the featurizer hands out: vectors, quotes, and a look at every applied event.

use stage::RingTx;
use types::{BookEvent, FeatureVector, InstrumentId, TopOfBook};

use crate::apply::Effect;
use crate::view::Book;

/// Takes feature vectors, in order.
pub trait FeatureSink {
    /// Takes what there is room for, from the front, and returns how many; the featurizer keeps the rest.
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize;
}

impl FeatureSink for RingTx<FeatureVector> {
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize {
        RingTx::offer(self, vectors)
    }
}

impl FeatureSink for Vec<FeatureVector> {
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize {
        self.extend_from_slice(vectors);
        vectors.len()
    }
}

/// Vectors go nowhere: for those who want books alone.
impl FeatureSink for () {
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize {
        vectors.len()
    }
}

impl<S: FeatureSink + ?Sized> FeatureSink for &mut S {
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize {
        (**self).offer(vectors)
    }
}

/// Takes the top of each book that changed, once per chunk of events and instrument.
pub trait TopOfBookSink {
    /// The top of one book.
    fn top(&mut self, instrument: InstrumentId, top: &TopOfBook);

    /// `events` have been applied, and every top they changed has been handed over. `gap_open`: the feed lost messages
    /// that no clean begin ([`types::Action::Clear`] of all instruments) has made good yet. [`crate::FeaturizerStage`]
    /// calls this after each chunk; who says how old an unchanged quote is must know that its feed lives and lacks nothing.
    fn applied(&mut self, events: &[BookEvent], gap_open: bool) {
        let _ = (events, gap_open);
    }
}

impl TopOfBookSink for () {
    #[inline]
    fn top(&mut self, _instrument: InstrumentId, _top: &TopOfBook) {}
}

impl TopOfBookSink for Vec<(InstrumentId, TopOfBook)> {
    fn top(&mut self, instrument: InstrumentId, top: &TopOfBook) {
        self.push((instrument, *top));
    }
}

impl<S: TopOfBookSink + ?Sized> TopOfBookSink for &mut S {
    #[inline]
    fn top(&mut self, instrument: InstrumentId, top: &TopOfBook) {
        (**self).top(instrument, top);
    }

    #[inline]
    fn applied(&mut self, events: &[BookEvent], gap_open: bool) {
        (**self).applied(events, gap_open);
    }
}

/// Watches every applied event; statically dispatched, so that nobody pays for an observer that is not there.
pub trait Observer {
    /// Whether the callbacks do anything.
    const ACTIVE: bool = true;

    /// `event` was applied to `book`, which shows the levels after it, also in the middle of a venue event. Called for every
    /// event that names one instrument.
    fn on_event_applied(&mut self, event: &BookEvent, book: &Book<'_>, effect: Effect) {
        let _ = (event, book, effect);
    }

    /// `event`, which names another instrument or all, may have begun or ended the belief in `book`, whose levels it left as they were.
    fn on_doubt(&mut self, event: &BookEvent, book: &Book<'_>) {
        let _ = (event, book);
    }

    /// The best bid or offer of `book` changed ([`Book::bbo`] is the new one), as seen after the last event of a whole venue
    /// event. Called before [`Observer::on_event_applied`] of that event. The book's state says whether to believe it.
    fn on_bbo(&mut self, event: &BookEvent, book: &Book<'_>) {
        let _ = (event, book);
    }
}

impl Observer for () {
    const ACTIVE: bool = false;
}

impl<O: Observer> Observer for &mut O {
    const ACTIVE: bool = O::ACTIVE;

    #[inline]
    fn on_event_applied(&mut self, event: &BookEvent, book: &Book<'_>, effect: Effect) {
        (**self).on_event_applied(event, book, effect);
    }

    #[inline]
    fn on_doubt(&mut self, event: &BookEvent, book: &Book<'_>) {
        (**self).on_doubt(event, book);
    }

    #[inline]
    fn on_bbo(&mut self, event: &BookEvent, book: &Book<'_>) {
        (**self).on_bbo(event, book);
    }
}

/// Three sinks that know nothing of each other: vectors, tops, and a look at every event.
impl<F: FeatureSink, T, O> FeatureSink for (F, T, O) {
    #[inline]
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize {
        self.0.offer(vectors)
    }
}

impl<F, T: TopOfBookSink, O> TopOfBookSink for (F, T, O) {
    #[inline]
    fn top(&mut self, instrument: InstrumentId, top: &TopOfBook) {
        self.1.top(instrument, top);
    }

    #[inline]
    fn applied(&mut self, events: &[BookEvent], gap_open: bool) {
        self.1.applied(events, gap_open);
    }
}

impl<F, T, O: Observer> Observer for (F, T, O) {
    const ACTIVE: bool = O::ACTIVE;

    #[inline]
    fn on_event_applied(&mut self, event: &BookEvent, book: &Book<'_>, effect: Effect) {
        self.2.on_event_applied(event, book, effect);
    }

    #[inline]
    fn on_doubt(&mut self, event: &BookEvent, book: &Book<'_>) {
        self.2.on_doubt(event, book);
    }

    #[inline]
    fn on_bbo(&mut self, event: &BookEvent, book: &Book<'_>) {
        self.2.on_bbo(event, book);
    }
}
