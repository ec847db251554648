//! One ring between two stages: how deep, of what, and what happens when it is full.

/// What happens to an item that finds its ring full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// Dropped and counted; the books it belongs to go stale.
    MarkGap,
    /// Stays where it is, and a newer one may take its place.
    StayDirty,
    /// The stage goes no further until there is room.
    Wait,
    /// Dropped and counted.
    Drop,
    /// Dropped and counted; it is asked for again.
    AskAgain,
    /// The sender is told.
    Refuse,
    /// Dropped and counted; what its sender holds is in doubt until a person has said what it is.
    Doubt,
    /// It grows where it is until there is room, and nothing is lost.
    GoOn,
}

impl WhenFull {
    /// For the boot report.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::MarkGap => "drop, count, mark a gap",
            Self::StayDirty => "stay dirty: later, not lost",
            Self::Wait => "wait",
            Self::Drop => "drop and count: orders never wait",
            Self::AskAgain => "drop, ask again",
            Self::Refuse => "refuse",
            Self::Doubt => "drop, count, doubt the positions",
            Self::GoOn => "go on: later, not lost",
        }
    }
}

/// One ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) depth: usize,
    pub(crate) item_bytes: usize,
    pub(crate) when_full: WhenFull,
}
