//! The messages by which gaps are asked for and snapshots are spun (sections 3 and 4).

use core::fmt;

use zerocopy::byteorder::little_endian::{U16, U32};

use super::define::messages;
use crate::fields::{Flags, Show};

messages! {
    /// 0x01, Login of a gap request or spin session (section 3.1).
    Login = 0x01, 21 {
        /// The session's name.
        @1 session: [u8; 4] = [u8; 4],
        /// The user's.
        @5 username: [u8; 4] = [u8; 4],
        /// Not used.
        @9 filler: [u8; 2] = [u8; 2],
        /// The password.
        @11 password: [u8; 10] = [u8; 10],
    }

    /// 0x02, Login Response.
    LoginResponse = 0x02, 2 {
        /// A accepted; N, B, S why not.
        @1 status: u8 = u8,
    }

    /// 0x03, Gap Request: messages of a unit again.
    GapRequest = 0x03, 8 {
        /// The unit.
        @1 unit: Flags = u8,
        /// The first message wanted.
        @2 sequence: U32 = u32,
        /// How many.
        @6 count: U16 = u16,
    }

    /// 0x04, Gap Response.
    GapResponse = 0x04, 9 {
        /// The unit.
        @1 unit: Flags = u8,
        /// The first message asked for.
        @2 sequence: U32 = u32,
        /// How many.
        @6 count: U16 = u16,
        /// A accepted; O, D, M, S, C, I, U why not.
        @8 status: u8 = u8,
    }

    /// 0x80, Spin Image Available: a snapshot that stands behind a message is to be had.
    SpinImageAvailable = 0x80, 5 {
        /// The last message that is in it.
        @1 sequence: U32 = u32,
    }

    /// 0x81, Spin Request.
    SpinRequest = 0x81, 5 {
        /// The image wanted.
        @1 sequence: U32 = u32,
    }

    /// 0x82, Spin Response.
    SpinResponse = 0x82, 10 {
        /// The image.
        @1 sequence: U32 = u32,
        /// Orders in it.
        @5 orders: U32 = u32,
        /// A accepted; O, S why not.
        @9 status: u8 = u8,
    }

    /// 0x83, Spin Finished.
    SpinFinished = 0x83, 5 {
        /// The image.
        @1 sequence: U32 = u32,
    }
}
