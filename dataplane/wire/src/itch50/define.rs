//! What a message is made of besides its fields: constructor, accessors, and its place in the enum and the decoder.

/// Defines the messages, the enum over them, the decoder and the table of types from one list.
macro_rules! messages {
    ($(
        $(#[$meta:meta])* $name:ident = $type:literal, $len:literal {
            $( $(#[$fmeta:meta])* @$off:literal $field:ident : $ty:ty = $native:ty ),* $(,)?
        }
    )+) => {
        $(
            wire_struct! {
                $(#[$meta])* $name, $len,
                common {
                    /// Type, security, tracking number and time.
                    @0 header: Header,
                }
                $( $(#[$fmeta])* @$off $field: $ty ),*
            }

            impl $name {
                /// The message type.
                pub const TYPE: u8 = $type;
                /// Bytes in the message.
                pub const LEN: usize = $len;

                /// The message with these fields, in the order of the specification; prices in units of their last
                /// implied decimal, `ns` since midnight.
                #[inline]
                #[must_use]
                #[allow(clippy::too_many_arguments, reason = "the message has that many fields")]
                pub fn new(locate: u16, tracking: u16, ns: u64, $( $field: $native ),*) -> Self {
                    Self { header: Header::new(Self::TYPE, locate, tracking, ns), $( $field: $field.into() ),* }
                }

                /// The security's number of the day.
                #[inline]
                #[must_use]
                pub const fn locate(&self) -> u16 {
                    self.header.locate.get()
                }

                /// Nanoseconds since midnight, Eastern Time.
                #[inline]
                #[must_use]
                pub const fn ns(&self) -> u64 {
                    self.header.timestamp.ns()
                }
            }

            $crate::protocol::show_message!($name: header, $( $field ),*);
        )+

        $crate::protocol::protocol! {
            /// Any ITCH 5.0 message, in place.
            #[expect(missing_docs, reason = "each variant is described at the struct of its name")]
            enum;
            /// A known type must have exactly the length of the specification: a venue that changed a layout would do it
            /// under a new version, and a wrong length is the only sign of a reader that lost its place. An unknown type
            /// is not an error.
            ///
            /// # Errors
            /// [`WireError::Truncated`] for an empty message, [`WireError::BadLength`] for a known type of another length.
            decode by exactly;
            $( $name($name) = $type, )+
        }

        impl<'a> Msg<'a> {
            /// The common fields; `None` for an unknown type, about which nothing is known.
            #[inline]
            #[must_use]
            pub const fn header(&self) -> Option<&'a Header> {
                match self {
                    $( Self::$name(m) => Some(&m.header), )+
                    Self::Other(_) => None,
                }
            }
        }
    };
}

pub(super) use messages;
