//! From one message of a feed to the events it means for the books.
//!
//! A feed that comes in packets is a decoder (a file here) and a row below; its name and what the help says of it stand
//! in `types`, `feed.rs`.

mod beyond;
mod buffer;
mod decoder;
mod deep;
mod describe;
mod directory;
mod held;
mod iex;
mod itch;
mod market_state;
mod mdp3;
mod numbers;
mod pitch;
mod spread;
mod tick;
mod tops;

pub use buffer::EventBuffer;
pub use decoder::{CHANNELS_MAX, Damage, Decoder, DecoderSetup, Place};
pub use describe::Description;
pub use directory::{INSTRUMENTS_MAX, InstrumentDirectory};
pub use tick::{TickSize, TickSizes};

pub(crate) use decoder::gap_event;
pub(crate) use held::{END_OF_INPUT, HELD_MAX};

use describe::{Codes, Messages};
use types::{FeedKind, UnixNanos};
use wire::{WireError, deep10, itch50, tops16};

use crate::session::Transport;
use crate::stats::FeedStats;

/// Whether a feed is also published as files of bare messages behind their lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFiles {
    /// It is: NASDAQ's days.
    Published,
    /// It is not: its messages come in captured packets alone.
    No,
}

/// Defines [`FeedDecoder`] and what the receiver asks of a feed from one list, which must name every feed.
macro_rules! packet_feeds {
    (
        packets {
            $( $kind:ident: $decoder:ty, $transport:expr, $files:ident, messages $read:path, types $types:path, by $code:ident; )+
        }
        archives { $( $archive:ident ),+ }
    ) => {
        /// The decoder of one feed.
        // Told apart by a number of its own: one hidden in the decoders' fields costs each message three instructions more.
        #[derive(Debug)]
        #[repr(u8)]
        pub enum FeedDecoder {
            $(
                #[doc = concat!("Of [`FeedKind::", stringify!($kind), "`].")]
                $kind($decoder),
            )+
        }

        impl FeedDecoder {
            /// The decoder of `kind`; `None` for a feed that does not come in packets.
            #[must_use]
            pub fn new(kind: FeedKind, setup: &DecoderSetup) -> Option<Self> {
                match kind {
                    $( FeedKind::$kind => Some(Self::$kind(<$decoder>::new(setup))), )+
                    $( FeedKind::$archive )|+ => None,
                }
            }

            /// What carries the messages of `kind`; `None` for a feed that does not come in packets.
            #[must_use]
            pub const fn transport(kind: FeedKind) -> Option<Transport> {
                match kind {
                    $( FeedKind::$kind => Some($transport), )+
                    $( FeedKind::$archive )|+ => None,
                }
            }

            /// Whether `kind` is published as files of bare messages, too.
            #[must_use]
            pub const fn message_files(kind: FeedKind) -> MessageFiles {
                match kind {
                    $( FeedKind::$kind => MessageFiles::$files, )+
                    $( FeedKind::$archive )|+ => MessageFiles::No,
                }
            }
        }

        /// The messages of a feed that comes in packets; `None` for another one.
        fn messages(kind: FeedKind) -> Option<&'static Messages> {
            match kind {
                $( FeedKind::$kind => {
                    const MESSAGES: Messages = Messages {
                        read: |message| $read(message).map(|read| Description::of(read.name(), read)),
                        types: $types,
                        by: Codes::$code,
                    };
                    Some(&MESSAGES)
                } )+
                $( FeedKind::$archive )|+ => None,
            }
        }

        impl FeedDecoder {
            #[inline(never)]
            fn decode_any(
                &mut self,
                message: &[u8],
                place: &Place,
                out: &mut EventBuffer,
                stats: &mut FeedStats,
            ) -> Result<(), Damage> {
                match self {
                    $( Self::$kind(decoder) => decoder.decode(message, place, out, stats), )+
                }
            }
        }

        impl Decoder for FeedDecoder {
            // The feed with the most messages comes first, and its plain ones are read without a call.
            #[inline(always)]
            fn decode(
                &mut self,
                message: &[u8],
                place: &Place,
                out: &mut EventBuffer,
                stats: &mut FeedStats,
            ) -> Result<(), Damage> {
                if let Self::Itch50(itch) = self
                    && itch.decode_plain(message, place, out, stats)
                {
                    return Ok(());
                }
                self.decode_any(message, place, out, stats)
            }

            fn directory(&self) -> &InstrumentDirectory {
                match self {
                    $( Self::$kind(decoder) => decoder.directory(), )+
                }
            }

            #[inline]
            fn end_overdue(&mut self, channel: u8, now: UnixNanos, out: &mut EventBuffer) {
                match self {
                    $( Self::$kind(decoder) => decoder.end_overdue(channel, now, out), )+
                }
            }

            fn begin_session(&mut self, midnight: UnixNanos) {
                match self {
                    $( Self::$kind(decoder) => decoder.begin_session(midnight), )+
                }
            }
        }
    };
}

packet_feeds! {
    packets {
        Itch50: itch::ItchDecoder, Transport::MoldUdp64, Published,
            messages itch50::decode, types itch50::MESSAGE_TYPES, by Letter;
        Deep: deep::DeepDecoder, Transport::IexTp { protocol: wire::iex::PROTOCOL_DEEP_1_0 }, No,
            messages deep10::decode, types deep10::MESSAGE_TYPES, by Letter;
        Tops: tops::TopsDecoder, Transport::IexTp { protocol: wire::iex::PROTOCOL_TOPS_1_6 }, No,
            messages tops16::decode, types tops16::MESSAGE_TYPES, by Letter;
        Mdp3: mdp3::LevelDecoder, Transport::Mdp3, No,
            messages wire::mdp3::Message::parse, types wire::mdp3::MESSAGE_TYPES, by Number;
        Mdp3Orders: mdp3::OrderDecoder, Transport::Mdp3, No,
            messages wire::mdp3::Message::parse, types wire::mdp3::MESSAGE_TYPES, by Number;
        Pitch: pitch::PitchDecoder, Transport::Pitch, No,
            messages wire::pitch::decode, types wire::pitch::MESSAGE_TYPES, by Number;
    }
    archives { Lobster, Databento }
}

/// Reads one message of a feed whose messages come in packets; `None` for another feed.
///
/// # Errors
///
/// [`WireError`] for bytes that are no message of the protocol.
pub fn describe(kind: FeedKind, message: &[u8]) -> Option<Result<Description, WireError>> {
    messages(kind).map(|messages| (messages.read)(message))
}

/// Every message type of a feed: its number, its smallest size in bytes, and its name; nothing for a feed that does not come in
/// packets.
#[must_use]
pub fn message_types(kind: FeedKind) -> &'static [(u8, u16, &'static str)] {
    messages(kind).map_or(&[], |messages| messages.types)
}

/// What a feed calls a message type: its letter, or its number where it has none.
#[must_use]
pub fn type_code(kind: FeedKind, message_type: u8) -> String {
    messages(kind)
        .map_or_else(|| char::from(message_type).to_string(), |messages| messages.code(message_type))
}

/// What reports call a message type: its letter, its name where it has none, its number where that is not known.
#[must_use]
pub fn type_label(kind: FeedKind, message_type: u8) -> String {
    messages(kind)
        .map_or_else(|| char::from(message_type).to_string(), |messages| messages.label(message_type))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::FeedInput;
    use wire::IntoBytes;

    #[test]
    fn every_feed_of_packets_has_types_and_names_its_messages() {
        for &kind in FeedKind::ALL {
            let in_packets = kind.input() == FeedInput::Packets;
            assert_eq!(
                (!message_types(kind).is_empty(), describe(kind, &[]).is_some()),
                (in_packets, in_packets)
            );
        }
        let labels = [
            (FeedKind::Itch50, b'A'),
            (FeedKind::Mdp3, 46),
            (FeedKind::Pitch, 0x21),
            (FeedKind::Pitch, 3 + 0x40),
        ];
        let labels = labels.map(|(kind, code)| type_label(kind, code));
        assert_eq!(labels, ["A", "IncrementalRefreshBook46", "AddOrderLong", "0x43"]);
        let deleted = itch50::OrderDelete::new(7, 0, 1_500_000_000, 9);
        let described = describe(FeedKind::Itch50, deleted.as_bytes()).unwrap().unwrap();
        assert_eq!(described.name, "OrderDelete");
        assert!(
            described.text.contains("locate=7") && described.text.contains("1.500000000"),
            "{described:?}"
        );
        assert!(describe(FeedKind::Pitch, &[0x21, 1]).unwrap().is_err());
    }
}
