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

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.header.show(f)?;
                    f.write_str(concat!(" ", stringify!($name)))?;
                    $(
                        f.write_str(concat!(" ", stringify!($field), "="))?;
                        self.$field.show(f)?;
                    )*
                    Ok(())
                }
            }
        )+

        /// Any ITCH 5.0 message, in place.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[expect(missing_docs, reason = "each variant is described at the struct of its name")]
        pub enum Msg<'a> {
            $( $name(&'a $name), )+
            /// A type this specification does not have; to be counted and skipped.
            Other(u8),
        }

        /// Every type: its byte, the length of its messages, its name.
        pub const MESSAGE_TYPES: &[(u8, u16, &str)] = &[ $( ($type, $len, stringify!($name)) ),+ ];

        /// Reads one whole message in place.
        ///
        /// A known type must have exactly the length of the specification: a venue that changed a layout would do it
        /// under a new version, and a wrong length is the only sign of a reader that lost its place. An unknown type
        /// is not an error.
        ///
        /// # Errors
        /// [`WireError::Truncated`] for an empty message, [`WireError::BadLength`] for a known type of another length.
        // Always: merged into the caller's match the enum costs nothing and a message takes a few nanoseconds, called
        // it is returned through memory and takes three times as long.
        #[inline(always)]
        pub fn decode(message: &[u8]) -> Result<Msg<'_>, WireError> {
            let Some(&message_type) = message.first() else {
                return Err(WireError::truncated(0, 1, 0));
            };
            match message_type {
                $(
                    $type => match $name::ref_from_bytes(message) {
                        Ok(m) => Ok(Msg::$name(m)),
                        Err(_) => Err(WireError::bad_length($type, $len, message.len())),
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
                    $( Self::$name(_) => $type, )+
                    Self::Other(message_type) => *message_type,
                }
            }

            /// The type's name; `Unknown` for one this specification does not have.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $( Self::$name(_) => stringify!($name), )+
                    Self::Other(_) => "Unknown",
                }
            }

            /// The common fields; `None` for an unknown type, about which nothing is known.
            #[inline]
            #[must_use]
            pub const fn header(&self) -> Option<&'a Header> {
                match self {
                    $( Self::$name(m) => Some(&m.header), )+
                    Self::Other(_) => None,
                }
            }

            /// The message's bytes; `None` for an unknown type.
            #[must_use]
            pub fn as_bytes(&self) -> Option<&'a [u8]> {
                match self {
                    $( Self::$name(m) => Some(m.as_bytes()), )+
                    Self::Other(_) => None,
                }
            }
        }

        impl fmt::Display for Msg<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $( Self::$name(m) => fmt::Display::fmt(m, f), )+
                    Self::Other(message_type) => {
                        f.write_str("unknown type ")?;
                        message_type.show(f)
                    }
                }
            }
        }
    };
}

pub(super) use messages;
