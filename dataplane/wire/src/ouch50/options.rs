//! The appendage: options as tag, length and value behind a message's fixed fields (section 1.2, appendix A).

use zerocopy::FromBytes;
use zerocopy::byteorder::big_endian::U16;

use crate::error::WireError;

/// Tags that the product reads (appendix A).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OptionTag(pub u8);

impl OptionTag {
    /// Firm: the MPID that an order is entered for where it is not the port's own, four characters.
    pub const FIRM: Self = Self(2);
    /// Price type: limit or a peg, one character.
    pub const PRICE_TYPE: Self = Self(6);
    /// Peg offset, four bytes.
    pub const PEG_OFFSET: Self = Self(7);
    /// Discretion price, eight bytes.
    pub const DISCRETION_PRICE: Self = Self(9);
    /// Discretion price type, one character.
    pub const DISCRETION_PRICE_TYPE: Self = Self(10);
    /// Discretion peg offset, four bytes.
    pub const DISCRETION_PEG_OFFSET: Self = Self(11);
    /// Side, one character: a replacement's, a mass cancel's.
    pub const SIDE: Self = Self(27);
    /// The channel that a `UserRefNum` belongs to, one byte.
    pub const USER_REF_IDX: Self = Self(28);
}

/// The options of a message, in the order in which they are sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
}

/// The options in `tail`, which is what follows a message's fixed fields: nothing, where `required` allows that, or a length and
/// so many bytes of options.
///
/// # Errors
/// [`WireError::Truncated`] where the length is missing or there are fewer bytes than it says, [`WireError::TrailingBytes`] where
/// there are more, [`WireError::ZeroLength`] for an option without a tag. Then no option is known.
pub fn options(tail: &[u8], required: bool) -> Result<Options<'_>, WireError> {
    if tail.is_empty() && !required {
        return Ok(Options { rest: tail });
    }
    let Ok((len, after)) = U16::read_from_prefix(tail) else {
        return Err(WireError::truncated(0, 2, tail.len()));
    };
    let len = usize::from(len.get());
    let Some((whole, beyond)) = after.split_at_checked(len) else {
        return Err(WireError::truncated(2, len, after.len()));
    };
    if !beyond.is_empty() {
        let found = crate::error::clamp(beyond.len());
        return Err(WireError::TrailingBytes { offset: len.saturating_add(2) as u64, found });
    }
    let mut at = 2_usize;
    let mut rest = whole;
    while let Some((&option, after)) = rest.split_first() {
        if option == 0 {
            return Err(WireError::ZeroLength { offset: at as u64 });
        }
        let Some((_, next)) = after.split_at_checked(option.into()) else {
            return Err(WireError::truncated(at, option.into(), after.len()));
        };
        at = at.saturating_add(usize::from(option)).saturating_add(1);
        rest = next;
    }
    Ok(Options { rest: whole })
}

impl<'a> Options<'a> {
    /// The value of the first option of this tag.
    #[must_use]
    pub fn get(&self, tag: OptionTag) -> Option<&'a [u8]> {
        self.clone().find(|(found, _)| *found == tag).map(|(_, value)| value)
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (OptionTag, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&len, after) = self.rest.split_first()?;
        let (option, rest) = after.split_at_checked(len.into())?;
        let (&tag, value) = option.split_first()?;
        self.rest = rest;
        Some((OptionTag(tag), value))
    }
}
