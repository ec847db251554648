//! The market-data feeds the product reads, one row each: what the configuration, the command line and the help know of
//! a feed. What decodes it stands in the row of the same name in `dataplane/src/decode/mod.rs`.

use core::fmt;
use core::str::FromStr;

use crate::TickTableId;

/// How a feed reaches us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FeedInput {
    /// In packets: from a port, or from a capture.
    Packets,
    /// In an archive of files that a vendor made; no port carries it.
    Archive,
}

/// Feeds that one appliance serves at most.
pub const FEEDS_MAX: usize = 16;

/// Which of an appliance's feeds, in the order of its configuration: below [`FEEDS_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct FeedIndex(u8);

impl FeedIndex {
    /// The first, of an appliance with one feed the only one.
    pub const FIRST: Self = Self(0);

    /// The feed with this number; `None` beyond the last that there may be.
    #[must_use]
    pub const fn new(index: usize) -> Option<Self> {
        if index < FEEDS_MAX { Some(Self::from_low_bits(index as u64)) } else { None }
    }

    /// The feed whose number the lowest four bits are, as words of tables carry it.
    #[inline]
    #[must_use]
    pub const fn from_low_bits(word: u64) -> Self {
        let [low, ..] = word.to_le_bytes();
        Self(low & 0xf)
    }

    /// Its number.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.number() as usize
    }

    /// The same as a byte.
    #[inline]
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0 & 0xf
    }
}

const _: () = assert!(FEEDS_MAX == 16, "four bits hold a feed's number");

/// Defines [`FeedKind`] and everything that must know all feeds from one list.
macro_rules! feeds {
    (
        packets {
            $( $packets:ident = $packets_name:literal, ticks $packets_ticks:ident, heartbeat $heartbeat_s:literal s, asked $asked:literal: $packets_summary:literal, )+
        }
        archives {
            $( $archive:ident = $archive_name:literal, ticks $archive_ticks:ident, one $one:literal: $archive_summary:literal, )+
        }
    ) => {
        /// A market-data feed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum FeedKind {
            $( #[doc = $packets_summary] $packets, )+
            $( #[doc = $archive_summary] $archive, )+
        }

        impl FeedKind {
            /// All feeds.
            pub const ALL: &'static [Self] = &[ $( Self::$packets, )+ $( Self::$archive, )+ ];
            /// Names of all feeds.
            pub const NAMES: &'static [&'static str] = &[ $( $packets_name, )+ $( $archive_name, )+ ];
            /// Names of those that come in packets, the ones a daemon can receive.
            pub const PACKET_NAMES: &'static [&'static str] = &[ $( $packets_name, )+ ];

            /// Its name in commands, configuration and reports.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$packets => $packets_name, )+
                    $( Self::$archive => $archive_name, )+
                }
            }

            /// What it is, in the words of the help.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self {
                    $( Self::$packets => $packets_summary, )+
                    $( Self::$archive => $archive_summary, )+
                }
            }

            /// The tick sizes of its instruments, where the configuration says no others.
            #[must_use]
            pub const fn tick_table(self) -> TickTableId {
                match self {
                    $( Self::$packets => TickTableId::$packets_ticks, )+
                    $( Self::$archive => TickTableId::$archive_ticks, )+
                }
            }

            /// Longest time, in seconds, that the venue lets pass without a packet while its line lives; none where no line is.
            #[must_use]
            pub const fn heartbeat_s(self) -> Option<u32> {
                match self {
                    $( Self::$packets => Some($heartbeat_s), )+
                    $( Self::$archive => None, )+
                }
            }

            /// Whether its venue has servers that send lost messages again when they are asked.
            #[must_use]
            pub const fn has_requests(self) -> bool {
                match self {
                    $( Self::$packets => $asked, )+
                    $( Self::$archive => false, )+
                }
            }

            /// Whether its files are one, so that of damage in the middle nothing that was read before is to be believed.
            #[must_use]
            pub const fn is_one(self) -> bool {
                match self {
                    $( Self::$packets => false, )+
                    $( Self::$archive => $one, )+
                }
            }

            /// How it reaches us.
            #[must_use]
            pub const fn input(self) -> FeedInput {
                match self {
                    $( Self::$packets => FeedInput::Packets, )+
                    $( Self::$archive => FeedInput::Archive, )+
                }
            }
        }
    };
}

feeds! {
    packets {
        Itch50 = "itch50", ticks US_EQUITY, heartbeat 1 s, asked true: "NASDAQ TotalView-ITCH 5.0, over MoldUDP64 in a capture or as a length-prefixed file",
        Deep = "deep", ticks US_EQUITY, heartbeat 1 s, asked false: "IEX DEEP 1.0 over IEX-TP",
        Tops = "tops", ticks US_EQUITY, heartbeat 1 s, asked false: "IEX TOPS 1.6 over IEX-TP: best quotes alone, read as books of one level",
        Mdp3 = "mdp3", ticks NONE, heartbeat 30 s, asked false: "CME MDP 3.0, schemas 5 to 13: books of price levels; implied levels are counted, not shown",
        Mdp3Orders = "mdp3-mbo", ticks NONE, heartbeat 30 s, asked false: "CME MDP 3.0, schemas 5 to 13: books of orders",
        Pitch = "pitch", ticks US_EQUITY, heartbeat 1 s, asked false: "Cboe Multicast PITCH 2.x in sequenced units; a channel of the configuration is one unit",
    }
    archives {
        Lobster = "lobster", ticks US_EQUITY, one true: "LOBSTER message and orderbook files in their zip",
        Databento = "dbn", ticks NONE, one false: "Databento DBN files, versions 1 to 3, of the schemas mbo, mbp-1, mbp-10, definition and status",
    }
}

impl fmt::Display for FeedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names no feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFeed;

impl fmt::Display for UnknownFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wanted a feed:")?;
        for (index, name) in FeedKind::NAMES.iter().enumerate() {
            write!(f, "{} {name}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownFeed {}

impl FromStr for FeedKind {
    type Err = UnknownFeed;

    fn from_str(text: &str) -> Result<Self, UnknownFeed> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or(UnknownFeed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_has_one_of_sixteen_numbers() {
        let numbers = (0..FEEDS_MAX).map(|n| FeedIndex::new(n).map(FeedIndex::index));
        assert!(numbers.enumerate().all(|(n, index)| index == Some(n)));
        assert_eq!((FeedIndex::new(FEEDS_MAX), FeedIndex::new(usize::MAX)), (None, None));
        assert_eq!(FeedIndex::from_low_bits(0xf3).index(), 3);
    }

    #[test]
    fn every_feed_is_found_by_its_name_and_no_two_share_one() {
        for (&kind, &name) in FeedKind::ALL.iter().zip(FeedKind::NAMES) {
            assert_eq!((kind.as_str(), name.parse()), (name, Ok(kind)));
            assert_eq!(FeedKind::NAMES.iter().filter(|n| **n == name).count(), 1);
            assert_eq!(FeedKind::PACKET_NAMES.contains(&name), kind.input() == FeedInput::Packets);
        }
        assert_eq!("itch".parse::<FeedKind>(), Err(UnknownFeed));
    }
}
