//! Transport sessions: what a UDP payload says about its place in the sequence, whatever protocol carries it.
//!
//! A packet is accepted whole or not at all: its messages must tile it. A damaged copy on one line then counts as lost
//! there, and the other line's copy fills the hole.

use types::UnixNanos;
use wire::WireError;
use wire::iex::{self, Segment};
use wire::mdp3;
use wire::moldudp64::{self, Packet, PacketKind};
use wire::pitch::{self, Unit};

/// Which session sequence numbers belong to: MoldUDP64's ten bytes; for IEX-TP, channel and session, little-endian; the unit of
/// PITCH; nothing for MDP 3.0, whose numbers just begin again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SessionId(pub [u8; 10]);

/// The transport of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// NASDAQ's MoldUDP64.
    MoldUdp64,
    /// IEX-TP carrying one message protocol.
    IexTp {
        /// `message_protocol` of the segments wanted.
        protocol: u16,
    },
    /// CME's, of MDP 3.0: packets are numbered, not messages.
    Mdp3,
    /// Cboe's sequenced units.
    Pitch,
}

/// What one packet says about the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The session.
    pub session: SessionId,
    /// Sequence number of the first message, or of the next one to come when there is none.
    pub seq: u64,
    /// Sequence numbers it takes, one a message or, where packets are numbered, one; zero is a heartbeat or the end of the session.
    pub count: u16,
    /// Whether no message will follow in this session.
    pub end: bool,
    /// When the sender sent it; zero when the transport does not say.
    pub sent: UnixNanos,
}

impl Head {
    /// The sequence number that follows the packet.
    #[inline]
    #[must_use]
    pub const fn next_seq(&self) -> u64 {
        self.seq.saturating_add(self.count as u64)
    }

    /// Whether the packet says that its line lives and nothing about a sequence. All sequences begin with 1.
    #[inline]
    #[must_use]
    pub const fn is_unsequenced(&self) -> bool {
        self.seq == 0 && self.count == 0 && !self.end
    }
}

/// The messages of one packet, in sequence. Where messages are numbered, every item but a trailing [`WireError::TrailingBytes`] takes
/// one sequence number, errors too.
#[derive(Clone, Debug)]
pub enum Messages<'a> {
    /// Behind MoldUDP64.
    Mold(moldudp64::Messages<'a>),
    /// Behind IEX-TP.
    Iex(iex::Messages<'a>),
    /// Of MDP 3.0.
    Mdp3(mdp3::Messages<'a>),
    /// In a sequenced unit.
    Pitch(pitch::Messages<'a>),
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<&'a [u8], WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Mold(blocks) => blocks.next(),
            Self::Iex(blocks) => blocks.next(),
            Self::Mdp3(messages) => messages.next(),
            Self::Pitch(messages) => messages.next(),
        }
    }
}

impl Transport {
    /// Reads the head of a UDP payload and checks that its messages tile it.
    ///
    /// Empty messages and bytes behind the last message are let through, to be counted where the messages are read; a
    /// heartbeat with bytes behind it is some other protocol and is refused.
    ///
    /// # Errors
    ///
    /// [`WireError`] with offsets into `payload`.
    #[inline]
    pub fn read(self, payload: &[u8]) -> Result<Head, WireError> {
        match self {
            Self::MoldUdp64 => {
                let packet = Packet::parse(payload)?;
                check_tiling(packet.messages(), packet.message_count())?;
                Ok(mold_head(&packet))
            }
            Self::IexTp { protocol } => {
                let segment = Segment::parse_as(payload, protocol)?;
                check_tiling(segment.messages(), segment.message_count())?;
                Ok(iex_head(&segment))
            }
            Self::Mdp3 => {
                let packet = mdp3::Packet::parse(payload)?;
                check_messages(&packet, payload.len())?;
                Ok(mdp3_head(&packet))
            }
            Self::Pitch => {
                let unit = Unit::parse(payload)?;
                // Behind a message without length nothing of the unit can be read.
                unit.messages().try_for_each(|message| message.map(|_| ()))?;
                Ok(pitch_head(unit.header()))
            }
        }
    }

    /// The messages of a payload that [`Transport::read`] accepted; none when it is not even a packet.
    #[inline]
    #[must_use]
    pub fn messages(self, payload: &[u8]) -> Option<Messages<'_>> {
        match self {
            Self::MoldUdp64 => Packet::parse(payload).ok().map(|packet| Messages::Mold(packet.messages())),
            Self::IexTp { .. } => {
                Segment::parse(payload).ok().map(|segment| Messages::Iex(segment.messages()))
            }
            Self::Mdp3 => mdp3::Packet::parse(payload).ok().map(|packet| Messages::Mdp3(packet.messages())),
            Self::Pitch => Unit::parse(payload).ok().map(|unit| Messages::Pitch(unit.messages())),
        }
    }

    /// Its name, for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MoldUdp64 => "MoldUDP64",
            Self::IexTp { .. } => "IEX-TP",
            Self::Mdp3 => "MDP 3.0 packets",
            Self::Pitch => "PITCH sequenced units",
        }
    }

    /// Whether the messages of a packet share its sequence number.
    #[inline]
    #[must_use]
    pub const fn numbers_packets(self) -> bool {
        matches!(self, Self::Mdp3)
    }

    /// Where a message has the byte that tells its type.
    #[inline]
    #[must_use]
    pub const fn type_at(self) -> usize {
        match self {
            Self::MoldUdp64 | Self::IexTp { .. } | Self::Pitch => 0,
            // Behind the size and the length of the block.
            Self::Mdp3 => 4,
        }
    }
}

fn mold_head(packet: &Packet<'_>) -> Head {
    Head {
        session: SessionId(packet.session()),
        seq: packet.sequence(),
        count: packet.message_count(),
        end: packet.kind() == PacketKind::EndOfSession,
        sent: UnixNanos(0),
    }
}

fn iex_head(segment: &Segment<'_>) -> Head {
    let header = segment.header();
    let mut session = [0; 10];
    session[..4].copy_from_slice(&header.channel.get().to_le_bytes());
    session[4..8].copy_from_slice(&header.session.get().to_le_bytes());
    Head {
        session: SessionId(session),
        seq: segment.sequence(),
        count: segment.message_count(),
        end: false,
        sent: UnixNanos(header.send_time.ns()),
    }
}

fn mdp3_head(packet: &mdp3::Packet<'_>) -> Head {
    let header = packet.header();
    Head {
        session: SessionId::default(),
        seq: u64::from(header.sequence.get()),
        count: 1,
        end: false,
        sent: UnixNanos(header.sending_time.get()),
    }
}

fn pitch_head(header: &pitch::UnitHeader) -> Head {
    let mut session = [0; 10];
    session[0] = header.unit;
    Head {
        session: SessionId(session),
        seq: u64::from(header.sequence.get()),
        count: header.count.into(),
        end: false,
        sent: UnixNanos(0),
    }
}

/// A packet of MDP 3.0 has at least one message, and no other protocol looks like it.
#[inline]
fn check_messages(packet: &mdp3::Packet<'_>, len: usize) -> Result<(), WireError> {
    let mut messages = packet.messages();
    if len == mdp3::HEADER_LEN {
        return Err(WireError::ZeroLength { offset: mdp3::HEADER_LEN as u64 });
    }
    messages.try_for_each(|message| message.map(|_| ()))
}

#[inline]
fn check_tiling<'a>(
    messages: impl Iterator<Item = Result<&'a [u8], WireError>>,
    count: u16,
) -> Result<(), WireError> {
    for message in messages {
        match message {
            Ok(_) | Err(WireError::ZeroLength { .. }) => {}
            Err(WireError::TrailingBytes { .. }) if count > 0 => {}
            Err(damage) => return Err(damage),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::FromBytes;
    use wire::moldudp64::PacketBuilder;

    fn packet(seq: u64, messages: &[&[u8]]) -> Vec<u8> {
        let mut buf = vec![0; 1_500];
        let mut builder = PacketBuilder::new(&mut buf, *b"SESSION001", seq).unwrap();
        for message in messages {
            assert!(builder.push(message));
        }
        let len = builder.finish();
        buf.truncate(len);
        buf
    }

    #[test]
    fn a_whole_packet_is_read() {
        let bytes = packet(7, &[b"ab", b"c"]);
        let head = Transport::MoldUdp64.read(&bytes).unwrap();
        let messages = Transport::MoldUdp64.messages(&bytes).unwrap();
        assert_eq!((head.seq, head.count, head.next_seq(), head.end), (7, 2, 9, false));
        assert_eq!(head.session, SessionId(*b"SESSION001"));
        assert_eq!(messages.map(Result::unwrap).collect::<Vec<_>>(), [b"ab".as_slice(), b"c"]);
    }

    #[test]
    fn a_cut_packet_is_refused_whole() {
        let bytes = packet(7, &[b"ab", b"c"]);
        for len in 0..bytes.len() {
            let refused = Transport::MoldUdp64.read(&bytes[..len]);
            assert!(matches!(refused, Err(WireError::Truncated { .. })), "{len}: {refused:?}");
        }
    }

    #[test]
    fn a_heartbeat_has_no_body() {
        let mut bytes = packet(7, &[]);
        assert_eq!(Transport::MoldUdp64.read(&bytes).unwrap().count, 0);
        bytes.push(0);
        assert!(matches!(Transport::MoldUdp64.read(&bytes), Err(WireError::TrailingBytes { .. })));
        let mut with_message = packet(7, &[b"ab"]);
        with_message.push(0);
        assert!(Transport::MoldUdp64.read(&with_message).is_ok());
    }

    #[test]
    fn a_packet_of_numbered_packets_takes_one_number_and_is_refused_whole() {
        let message = [16, 0, 0, 0, 12, 0, 1, 0, 9, 0, 1, 2, 3, 4, 5, 6];
        let bytes = [&7_u32.to_le_bytes()[..], &9_u64.to_le_bytes(), &message, &message[..10]].concat();
        let mut bytes = bytes;
        bytes[12 + 16] = 10;
        let head = Transport::Mdp3.read(&bytes).unwrap();
        assert_eq!((head.seq, head.count, head.next_seq(), head.sent), (7, 1, 8, UnixNanos(9)));
        assert_eq!(
            Transport::Mdp3.messages(&bytes).unwrap().map(|m| m.unwrap().len()).collect::<Vec<_>>(),
            [16, 10]
        );
        for len in (0..bytes.len()).filter(|len| *len != 12 + 16) {
            assert!(Transport::Mdp3.read(&bytes[..len]).is_err(), "{len}");
        }
        bytes[12 + 6] = 2;
        let refused = Transport::Mdp3.read(&bytes);
        assert_eq!(refused, Err(WireError::WrongProtocol { offset: 12, wanted: 1, found: 2 }));
    }

    #[test]
    fn a_unit_numbers_its_messages_and_one_without_a_number_says_nothing() {
        let bytes = [18, 0, 2, 3, 7, 0, 0, 0, 6, 0x20, 1, 2, 3, 4, 4, 0x99, 5, 6];
        let head = Transport::Pitch.read(&bytes).unwrap();
        assert_eq!((head.seq, head.count, head.session.0[0]), (7, 2, 3));
        let messages = Transport::Pitch.messages(&bytes).unwrap();
        assert_eq!(messages.map(|m| m.unwrap().len()).collect::<Vec<_>>(), [5, 3]);
        for len in 0..bytes.len() {
            assert!(Transport::Pitch.read(&bytes[..len]).is_err(), "{len}");
        }
        let empty = [14, 0, 2, 3, 7, 0, 0, 0, 0, 0x20, 1, 2, 3, 4];
        assert!(
            matches!(Transport::Pitch.read(&empty), Err(WireError::ZeroLength { .. })),
            "whole or not at all"
        );
        let heartbeat = |seq: u8| Transport::Pitch.read(&[8, 0, 0, 1, seq, 0, 0, 0]).unwrap();
        assert!(heartbeat(0).is_unsequenced() && !heartbeat(1).is_unsequenced() && !head.is_unsequenced());
    }

    #[test]
    fn another_message_protocol_is_refused() {
        let header = wire::iex::SegmentHeader::read_from_bytes(&[0; iex::HEADER_LEN]).unwrap();
        let mut buf = [0; 64];
        let len = wire::iex::SegmentBuilder::new(&mut buf, header).unwrap().finish();
        let wanted = Transport::IexTp { protocol: wire::iex::PROTOCOL_DEEP_1_0 };
        assert!(matches!(wanted.read(&buf[..len]), Err(WireError::WrongProtocol { found: 0, .. })));
        let head = Transport::IexTp { protocol: 0 }.read(&buf[..len]).unwrap();
        assert_eq!((head.seq, head.count), (0, 0));
    }
}
