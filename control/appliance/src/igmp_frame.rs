//! A received IGMP frame on its way from a port's receiver to its housekeeping.

use stage::{RingRx, RingTx};

/// Longest frame looked at: 1,500 bytes of IPv4 behind an Ethernet header with a VLAN tag.
const FRAME_MAX: usize = 1_518;

/// One received IGMP frame.
#[derive(Clone, Copy)]
pub(crate) struct IgmpFrame {
    len: u16,
    bytes: [u8; FRAME_MAX],
}

/// The two ends of the ring that takes them there.
pub(crate) type IgmpRing = (RingTx<IgmpFrame>, RingRx<IgmpFrame>);

impl IgmpFrame {
    pub(crate) fn of(frame: &[u8]) -> Self {
        let len = frame.len().min(FRAME_MAX);
        let mut bytes = [0; FRAME_MAX];
        bytes[..len].copy_from_slice(&frame[..len]);
        Self { len: len as u16, bytes }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}
