//! What a message is made of besides its fields: the type before them, and its constructor.

/// Defines message structs. Lengths and offsets are those of the
/// specification less the length byte.
macro_rules! messages {
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
                    @0 message_type: $crate::pitch::fields::MessageType,
                }
                $( $(#[$fmeta])* @$off $field: $ty ),*
            }

            impl $name {
                /// The message type.
                pub const TYPE: u8 = $type;
                /// Bytes in the message behind its length, as of the first version that has it.
                pub const LEN: usize = $len;

                /// The message with these fields, in the order of the specification.
                #[inline]
                #[must_use]
                #[allow(clippy::too_many_arguments, reason = "the message has that many fields")]
                pub fn new($( $field: $native ),*) -> Self {
                    Self { message_type: $crate::pitch::fields::MessageType(Self::TYPE), $( $field: $field.into() ),* }
                }
            }

            $crate::protocol::show_message!($name: message_type, $( $field ),*);
        )+
    };
}

pub(super) use messages;
