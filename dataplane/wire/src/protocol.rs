//! What every message protocol has: the enum over its messages, the table of their types, and a decoder that reads one in
//! place.

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// The message that is exactly `bytes`.
#[inline(always)]
pub(crate) fn exactly<T: FromBytes + KnownLayout + Immutable + Unaligned>(bytes: &[u8]) -> Option<&T> {
    T::ref_from_bytes(bytes).ok()
}

/// The message that `bytes` begin with.
#[inline(always)]
pub(crate) fn beginning<T: FromBytes + KnownLayout + Immutable + Unaligned>(bytes: &[u8]) -> Option<&T> {
    T::ref_from_prefix(bytes).ok().map(|(message, _)| message)
}

/// Defines them over message structs, which `$read` finds in the bytes.
macro_rules! protocol {
    (
        $(#[$enum_meta:meta])* enum;
        $(#[$decode_meta:meta])* decode by $read:ident;
        $( $(#[$meta:meta])* $variant:ident($name:ident) = $type:literal, )+
    ) => {
        $(#[$enum_meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Msg<'a> {
            $( $(#[$meta])* $variant(&'a $name), )+
            /// A type this version does not have; to be counted and skipped.
            Other(u8),
        }

        /// Every type: its byte, the length of its messages as of this version, its name.
        pub const MESSAGE_TYPES: &[(u8, u16, &str)] =
            &[ $( ($type, $name::LEN as u16, stringify!($variant)) ),+ ];

        /// Reads one whole message in place.
        ///
        $(#[$decode_meta])*
        // Always: merged into the caller's match the enum costs nothing and a message takes a few nanoseconds, called
        // it is returned through memory and takes three times as long.
        #[inline(always)]
        pub fn decode(message: &[u8]) -> Result<Msg<'_>, WireError> {
            let Some(&message_type) = message.first() else {
                return Err(WireError::truncated(0, 1, 0));
            };
            match message_type {
                $(
                    $type => match $crate::protocol::$read::<$name>(message) {
                        Some(m) => Ok(Msg::$variant(m)),
                        None => Err(WireError::bad_length($type, $name::LEN, message.len())),
                    },
                )+
                other => Ok(Msg::Other(other)),
            }
        }

        impl<'a> Msg<'a> {
            /// The type byte as sent.
            #[inline]
            #[must_use]
            pub const fn type_byte(&self) -> u8 {
                match self {
                    $( Self::$variant(_) => $type, )+
                    Self::Other(message_type) => *message_type,
                }
            }

            /// The type's name; `Unknown` for one this version does not have.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $( Self::$variant(_) => stringify!($variant), )+
                    Self::Other(_) => "Unknown",
                }
            }

            /// The bytes of the known fields; `None` for an unknown type.
            #[must_use]
            pub fn as_bytes(&self) -> Option<&'a [u8]> {
                match self {
                    $( Self::$variant(m) => Some(m.as_bytes()), )+
                    Self::Other(_) => None,
                }
            }
        }

        impl fmt::Display for Msg<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $( Self::$variant(m) => fmt::Display::fmt(m, f), )+
                    Self::Other(message_type) => {
                        f.write_str("unknown type ")?;
                        message_type.show(f)
                    }
                }
            }
        }
    };
}
pub(crate) use protocol;

/// Shows a message: what `$first` says, its name, its fields.
macro_rules! show_message {
    ($name:ident: $first:ident, $( $field:ident ),*) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.$first.show(f)?;
                f.write_str(concat!(" ", stringify!($name)))?;
                $(
                    f.write_str(concat!(" ", stringify!($field), "="))?;
                    self.$field.show(f)?;
                )*
                Ok(())
            }
        }
    };
}
pub(crate) use show_message;

/// Defines message structs that begin with their type and nothing else in common: each belongs to one message type, and gets
/// a constructor.
macro_rules! message_structs {
    ($(
        $(#[$meta:meta])* $name:ident = $type:literal, $len:literal {
            $( $(#[$fmeta:meta])* @$off:literal $field:ident : $ty:ty = $native:ty ),* $(,)?
        }
    )+) => {
        $(
            $crate::fields::wire_struct! {
                $(#[$meta])* $name, $len,
                common {
                    /// The message type.
                    @0 message_type: u8,
                }
                $( $(#[$fmeta])* @$off $field: $ty ),*
            }

            impl $name {
                /// The message type; the first, where two share this layout.
                pub const TYPE: u8 = $type;
                /// Bytes in the message, as of this version.
                pub const LEN: usize = $len;

                /// A message of type [`Self::TYPE`] with these fields, in the order of the specification; prices in
                /// units of their last implied decimal, times in nanoseconds.
                #[inline]
                #[must_use]
                #[allow(
                    clippy::too_many_arguments,
                    clippy::new_without_default,
                    reason = "the message has that many fields, or none"
                )]
                pub fn new($( $field: $native ),*) -> Self {
                    Self { message_type: Self::TYPE, $( $field: $field.into() ),* }
                }
            }

            $crate::protocol::show_message!($name: message_type, $( $field ),*);
        )+
    };
}
pub(crate) use message_structs;
