//! What was lost, channel by channel, and which books have not been made good since.

use types::{ChannelWord, StaleCause};

/// Channels told apart: more than a receiver can have.
const CHANNELS: usize = 64;

/// A set of channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Channels(u64);

impl Channels {
    pub(crate) fn add(&mut self, channel: u8) {
        self.0 |= Self::of(channel).0;
    }

    pub(crate) fn remove(&mut self, channel: u8) {
        self.0 &= !Self::of(channel).0;
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn has(self, channel: u8) -> bool {
        self.meets(Self::of(channel))
    }

    /// Whether both have one.
    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn of(channel: u8) -> Self {
        Self(1 << (usize::from(channel) % CHANNELS))
    }
}

/// Channels whose books are old, though nothing of them was lost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Overdue {
    silent: Channels,
    late: Channels,
}

impl Overdue {
    /// Takes in what is said of a channel.
    pub(crate) fn take(&mut self, channel: u8, word: ChannelWord) {
        match word {
            ChannelWord::Silent => self.silent.add(channel),
            ChannelWord::Heard => self.silent.remove(channel),
            ChannelWord::Late => self.late.add(channel),
            ChannelWord::InTime => self.late.remove(channel),
        }
    }

    /// Why a book of these channels is old; none where it is not.
    pub(crate) fn cause(self, channels: Channels) -> Option<StaleCause> {
        let causes = [(self.silent, StaleCause::Silent), (self.late, StaleCause::Late)];
        causes.into_iter().find(|(set, _)| set.meets(channels)).map(|(_, cause)| cause)
    }
}

/// Gaps that are open.
#[derive(Debug)]
pub(crate) struct Gaps {
    /// Why messages of the channel are missing: some were lost, and no clear has come since.
    causes: [Option<StaleCause>; CHANNELS],
    /// Why messages were lost since all of the channel began anew: the first word of a book may have been among them, also after every
    /// book that is known was made good by a snapshot of its own.
    swallowed: [Option<StaleCause>; CHANNELS],
    /// Books of the channel that were in use then and have not been cleared.
    owed: [u32; CHANNELS],
    /// Channels whose sessions are over.
    pub(crate) ended: Channels,
}

impl Gaps {
    pub(crate) const NONE: Self = Self {
        causes: [None; CHANNELS],
        swallowed: [None; CHANNELS],
        owed: [0; CHANNELS],
        ended: Channels(0),
    };

    /// Whether the books of some channel may all lack something.
    pub(crate) fn any(&self) -> bool {
        self.causes.iter().any(Option::is_some)
    }

    /// Whether the gap of a channel is open.
    pub(crate) fn is_open(&self, channel: u8) -> bool {
        self.causes[usize::from(channel) % CHANNELS].is_some()
    }

    /// Why a book that begins now on the channel is not whole.
    pub(crate) fn cause(&self, channel: u8) -> Option<StaleCause> {
        self.swallowed[usize::from(channel) % CHANNELS]
    }

    /// Messages of the channel are missing.
    pub(crate) fn open(&mut self, channel: u8, cause: StaleCause) {
        self.causes[usize::from(channel) % CHANNELS] = Some(cause);
        self.swallowed[usize::from(channel) % CHANNELS] = Some(cause);
    }

    /// A book of the channel lacks what was lost.
    pub(crate) fn owe(&mut self, debts: &mut Channels, channel: u8) {
        if !debts.has(channel) {
            debts.add(channel);
            self.owed[usize::from(channel) % CHANNELS] += 1;
        }
    }

    /// A book begins anew. The gaps end of which it was the last book: venues that clear book by book never clear all.
    pub(crate) fn settle(&mut self, debts: &mut Channels) {
        let Channels(debts) = std::mem::take(debts);
        for channel in (0..CHANNELS).filter(|channel| debts >> channel & 1 != 0) {
            self.owed[channel] -= 1;
            if self.owed[channel] == 0 {
                self.causes[channel] = None;
            }
        }
    }

    /// A book of the channel begins anew without a snapshot, as all of them do where a venue empties its books one by one.
    pub(crate) fn begin_anew(&mut self, channel: u8) {
        if !self.is_open(channel) {
            self.swallowed[usize::from(channel) % CHANNELS] = None;
        }
    }

    /// Every book of the channel begins anew.
    pub(crate) fn close(&mut self, channel: u8) {
        self.causes[usize::from(channel) % CHANNELS] = None;
        self.swallowed[usize::from(channel) % CHANNELS] = None;
    }
}
