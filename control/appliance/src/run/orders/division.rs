//! How one limit of a desk, a trader or the firm is divided among the clients under it. Numbers alone: who writes the words and reads
//! the rings is [`super::quotas`].
//!
//! Each client keeps what it uses and has an equal part of what is free. A tenth of the equal part of the limit is kept for each,
//! whether it is attached or not, as far as the others leave it; who is not attached has no more. Above the limit nobody grows.

/// A tenth of the equal part is kept for each client.
const KEPT_PART: u64 = 10;

/// What is less than this part of the limit moves nothing.
const STEP_PART: u64 = 64;

/// How a client stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// It reads its words.
    Attached,
    /// It is gone, and all that it said is taken and settled.
    #[default]
    Away,
    /// What it may do, or has done, does not follow from its words: it reads other ones, left open orders, or is in doubt.
    Fixed,
}

/// A client's part of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) standing: Standing,
    /// What stands in its word.
    pub(super) word: u64,
    /// The most that it may act on: its word, or a higher one that was not seen to be out of use.
    pub(super) held: u64,
    /// What it uses at worst; none when nobody knows.
    pub(super) used: Option<u64>,
    /// What it is to have.
    pub(super) wanted: u64,
}

/// One limit, divided.
#[derive(Clone, Debug)]
pub(super) struct Division {
    pub(super) limit: u64,
    pub(super) parts: Vec<Part>,
}

impl Division {
    /// Nobody has anything of it yet.
    pub(super) fn new(limit: u64, clients: usize) -> Self {
        Self { limit, parts: vec![Part::default(); clients] }
    }

    /// What everybody would have if all had the same.
    pub(super) fn equal(&self) -> u64 {
        self.limit / (self.parts.len() as u64).max(1)
    }

    /// What nobody else can have: what a client holds or uses, whichever is more. Of one of which nobody knows what it uses, its equal
    /// part at least.
    fn taken(&self, part: &Part) -> u64 {
        part.held.max(part.used.unwrap_or_else(|| self.equal()))
    }

    /// How a client stands, and what it uses.
    pub(super) fn note(&mut self, at: usize, standing: Standing, used: Option<u64>) {
        if let Some(part) = self.parts.get_mut(at) {
            (part.standing, part.used) = (standing, used);
        }
    }

    /// What is left of the limit.
    pub(super) fn free(&self) -> u64 {
        let taken = self.parts.iter().fold(0_u64, |sum, part| sum.saturating_add(self.taken(part)));
        self.limit.saturating_sub(taken)
    }

    /// Works out what each is to have. Nothing changes for small steps.
    pub(super) fn plan(&mut self) {
        let wanted = self.wanted();
        let step = (self.limit / STEP_PART).max(1);
        let used = self.parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.used.unwrap_or(0)));
        let moves = used > self.limit
            || self.parts.iter().zip(&wanted).any(|(part, wanted)| part.word.abs_diff(*wanted) >= step)
            // Somebody has come, or gone.
            || self.parts.iter().zip(&wanted).any(|(part, wanted)| part.word == 0 && *wanted != 0);
        for (part, wanted) in self.parts.iter_mut().zip(wanted) {
            part.wanted = if moves { wanted } else { part.word };
        }
    }

    /// What each is to have, at most the limit in all.
    fn wanted(&self) -> Vec<u64> {
        let is_fixed = |part: &Part| part.standing == Standing::Fixed || part.used.is_none();
        let fixed = self.parts.iter().filter(|part| is_fixed(part)).map(|part| self.taken(part));
        let free = self.limit.saturating_sub(fixed.fold(0, u64::saturating_add));
        let others: Vec<&Part> = self.parts.iter().filter(|part| !is_fixed(part)).collect();
        let mut given = share(free, self.equal() / KEPT_PART, &others).into_iter();
        let of = |part: &Part| match part.standing {
            Standing::Fixed => part.word,
            Standing::Attached | Standing::Away if part.used.is_none() => part.word.max(self.equal()),
            Standing::Attached | Standing::Away => given.next().unwrap_or(0),
        };
        self.parts.iter().map(of).collect()
    }

    /// Lowers what is to be lower; which clients' words that are. What they held they hold until [`Division::seen`].
    pub(super) fn lower(&mut self) -> Vec<usize> {
        let mut lowered = Vec::new();
        for (at, part) in self.parts.iter_mut().enumerate() {
            if part.standing != Standing::Fixed && part.wanted < part.word {
                part.word = part.wanted;
            }
            if part.standing != Standing::Fixed && part.word < part.held {
                lowered.push(at);
            }
        }
        lowered
    }

    /// Everything that a client did by a higher word than its present one is taken, and comes to `used`; none when nobody knows, and then
    /// it may be as much as it ever held.
    pub(super) fn seen(&mut self, at: usize, used: Option<u64>) {
        if let Some(part) = self.parts.get_mut(at) {
            part.used = used;
            if used.is_some() && part.standing != Standing::Fixed {
                part.held = part.word;
            }
        }
    }

    /// Raises what is to be higher as far as there is room; which clients' words that are. They count as held from now on.
    pub(super) fn raise(&mut self) -> Vec<usize> {
        let mut raised = Vec::new();
        for at in 0..self.parts.len() {
            let part = self.parts[at];
            if part.standing == Standing::Fixed || part.wanted <= part.word {
                continue;
            }
            let others = self.parts.iter().enumerate().filter(|(other, _)| *other != at);
            let taken = others.fold(0_u64, |sum, (_, part)| sum.saturating_add(self.taken(part)));
            let word = part.wanted.min(self.limit.saturating_sub(taken));
            if word > part.word {
                self.parts[at] = Part { word, held: part.held.max(word), ..part };
                raised.push(at);
            }
        }
        raised
    }

    /// Whether a client that is attached uses all that it has, and nothing is left for it.
    pub(super) fn is_at_its_end(&self, at: usize) -> bool {
        let Some(part) = self.parts.get(at) else { return false };
        let step = (self.limit / STEP_PART).max(1);
        let at_end = part.used.is_some_and(|used| used.saturating_add(step) >= part.word);
        part.standing == Standing::Attached && at_end && self.free() < step
    }
}

/// The largest number up to `most` for which `fits`, which holds for 0 and for all below one that it holds for.
fn largest(most: u64, fits: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, most);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

/// `free` for clients of which it is known what they use, of which `kept` is kept for each.
fn share(free: u64, kept: u64, parts: &[&Part]) -> Vec<u64> {
    let used = |part: &Part| part.used.unwrap_or(0);
    let sum = |of: &dyn Fn(&Part) -> u64| parts.iter().map(|part| u128::from(of(part))).sum::<u128>();
    let all = sum(&used);
    if all > u128::from(free) {
        // Nobody may grow: each has less than it uses, in proportion.
        let less = |part: &&Part| u128::from(used(part)) * u128::from(free) / all;
        return parts.iter().map(less).map(|part| u64::try_from(part).unwrap_or(0)).collect();
    }
    let floor = largest(kept, |floor| sum(&|part| used(part).max(floor)) <= u128::from(free));
    let with = |part: &Part, more: u64| {
        let grown = if part.standing == Standing::Attached { used(part).saturating_add(more) } else { 0 };
        grown.max(used(part)).max(floor)
    };
    let more = largest(free, |more| sum(&|part| with(part, more)) <= u128::from(free));
    // Where nobody is attached, nobody has more, whatever it is.
    parts.iter().map(|part| with(part, more)).collect()
}

#[cfg(test)]
#[path = "division_tests.rs"]
mod tests;
