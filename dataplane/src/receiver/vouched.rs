//! Checksums that nobody looked at before: whether a packet that its own condemn is read.

use super::lines::Line;
use crate::arbiter::LINES_MAX;

/// Packets with right checksums after which a line is taken to set them: one of a few thousand is right by chance.
const VOUCHED: u8 = 3;

/// How many packets with right checksums each line has brought, up to [`VOUCHED`].
#[derive(Debug)]
pub(super) struct Vouched(Box<[[u8; LINES_MAX]]>);

impl Vouched {
    /// None yet, of the lines of so many channels.
    pub(super) fn new(channels: usize) -> Self {
        Self(vec![[0; LINES_MAX]; channels].into())
    }

    /// Whether `line` is known to set right checksums.
    pub(super) fn sets_right_ones(&self, line: Line) -> bool {
        let of_channel = self.0.get(usize::from(line.channel));
        of_channel.and_then(|lines| lines.get(usize::from(line.line))).is_some_and(|right| *right >= VOUCHED)
    }

    /// Whether a packet of `line` is read whose checksums are right or not. Rewritten captures have wrong ones all over, and their
    /// messages must tile their packet anyway; but where a line sets them, a wrong one tells of damage.
    #[inline]
    pub(super) fn is_read(&mut self, line: Option<Line>, is_right: bool) -> bool {
        let Some(line) = line else { return true };
        let of_channel = self.0.get_mut(usize::from(line.channel));
        let Some(right) = of_channel.and_then(|lines| lines.get_mut(usize::from(line.line))) else {
            return true;
        };
        *right = (*right + u8::from(is_right)).min(VOUCHED);
        is_right || *right < VOUCHED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_checksum_is_damage_only_where_the_line_sets_them() {
        let mut vouched = Vouched::new(2);
        let line = |channel, line| Some(Line { channel, line });
        assert!((0..100).all(|_| vouched.is_read(line(0, 0), false)), "rewritten all over");
        assert!((0..300).all(|_| vouched.is_read(line(0, 1), true)));
        assert!(!vouched.is_read(line(0, 1), false));
        let sets = |channel, line| vouched.sets_right_ones(Line { channel, line });
        assert_eq!([sets(0, 0), sets(0, 1), sets(1, 1), sets(7, 0)], [false, true, false, false]);
        assert!(vouched.is_read(line(0, 1), true), "the next one is read");
        assert!(
            vouched.is_read(line(1, 1), false) && vouched.is_read(None, false),
            "of others nothing is known"
        );
    }
}
