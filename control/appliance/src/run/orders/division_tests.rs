//! The policy by example, and the protocol against threads that are stopped, killed and started anywhere, by seeds.

use super::*;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

fn part(standing: Standing, used: u64) -> Part {
    Part { standing, used: Some(used), ..Part::default() }
}

/// What clients get of 1,000 that begin with nothing and whose use is known, after so many rounds in which each uses all it can.
fn settled(parts: &[Part]) -> Vec<u64> {
    let mut division = Division { limit: 1_000, parts: parts.to_vec() };
    round(&mut division);
    division.parts.iter().map(|part| part.word).collect()
}

/// One turn in which every ring is read at once.
fn round(division: &mut Division) {
    division.plan();
    for at in division.lower() {
        let used = division.parts[at].used;
        division.seen(at, used);
    }
    division.raise();
}

#[test]
fn each_keeps_what_it_uses_and_has_an_equal_part_of_what_is_free() {
    use Standing::{Attached, Away};
    assert_eq!(settled(&[part(Attached, 0), part(Attached, 0)]), [500, 500]);
    assert_eq!(settled(&[part(Attached, 500), part(Attached, 0)]), [750, 250]);
    assert_eq!(settled(&[part(Attached, 940), part(Attached, 0)]), [950, 50], "a tenth of the half is kept");
    assert_eq!(settled(&[part(Attached, 1_000), part(Attached, 0)]), [1_000, 0], "nothing is left to keep");
    assert_eq!(settled(&[part(Attached, 970), part(Attached, 0)]), [970, 30]);
    assert_eq!(settled(&[part(Attached, 0), part(Away, 0)]), [950, 50]);
    assert_eq!(settled(&[part(Attached, 0), part(Away, 200)]), [800, 200]);
    assert_eq!(settled(&[part(Attached, 900), part(Attached, 300)]), [700, 100], "nobody may grow");
    assert_eq!(settled(&[part(Away, 0), part(Away, 0)]), [50, 50]);
}

#[test]
fn the_busy_one_gets_all_but_the_floor_within_a_few_turns_and_small_steps_move_nothing() {
    let mut division = Division { limit: 6_400, parts: vec![part(Standing::Attached, 0); 2] };
    let mut words = Vec::new();
    for _ in 0..8 {
        round(&mut division);
        division.parts[0].used = Some(division.parts[0].word);
        words.push(division.parts[0].word);
    }
    assert_eq!(words[..4], [3_200, 4_800, 5_600, 6_000]);
    assert!(words[7] >= 6_080 - 100 && words[7] <= 6_080, "{words:?}");
    let before = division.clone();
    division.parts[1].used = Some(40);
    round(&mut division);
    assert_eq!(division.parts[0].word, before.parts[0].word);
}

#[test]
fn what_is_not_known_or_not_seen_counts_as_all_that_it_may_be() {
    let fixed = |held, used| Part { standing: Standing::Fixed, held, used, ..Part::default() };
    assert_eq!(settled(&[part(Standing::Attached, 0), fixed(600, Some(10))]), [400, 0]);
    assert_eq!(settled(&[part(Standing::Attached, 0), fixed(0, None)]), [500, 0], "its equal part at least");
    assert_eq!(settled(&[part(Standing::Attached, 0), fixed(2_000, None)]), [0, 0]);
    let unknown = Part { used: None, ..part(Standing::Attached, 0) };
    assert_eq!(settled(&[unknown, unknown]), [500, 500], "before there is a price");
    // A word that was lowered is held as it was until its ring is read, and nobody else is given of it.
    let mut division = Division { limit: 1_000, parts: vec![part(Standing::Attached, 0); 2] };
    round(&mut division);
    division.parts[0].used = Some(500);
    division.plan();
    assert_eq!((division.lower(), division.raise(), division.parts[1].word), (vec![1], vec![], 250));
    division.seen(1, None);
    assert!(division.raise().is_empty());
    division.seen(1, Some(400));
    assert_eq!((division.raise(), division.parts[0].word), (vec![0], 600));
    // What is not known of one that holds more than its equal part may be all of that.
    division.parts[0].used = Some(0);
    division.parts[1].used = Some(250);
    division.plan();
    assert_eq!((division.lower(), division.parts[0].word), (vec![0], 375));
    division.seen(0, None);
    assert_eq!((division.raise(), division.parts[1].word), (vec![1], 400));
}

/// An order between its judgement and its sending.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    Idle,
    Judged { size: u64 },
    Said { size: u64 },
}

/// A thread: what it does in single steps, each of which may be its last.
struct Thread {
    /// Words of which daemon it reads.
    mapping: usize,
    step: Step,
    /// The generation and word that it judged by.
    generation: u64,
    /// What it has in its gate.
    uses: u64,
    /// How far its ring is written, as changes of its use; what the daemon has taken; what it makes of it.
    ring: Vec<i64>,
    taken: usize,
    known: u64,
    stopped: bool,
    alive: bool,
    /// Sizes of its open orders; whether the venue has them.
    open: Vec<(u64, bool)>,
}

/// A word as a daemon wrote it, and as threads may still see it: what was written last before its last fence, or anything after.
#[derive(Clone, Default)]
struct Word {
    generation: u64,
    value: u64,
}

/// The words of one daemon: all that were written since its last fence, oldest first; after a fence one.
type Mapping = Vec<Vec<Word>>;

struct World {
    rng: ChaCha8Rng,
    division: Division,
    mappings: Vec<Mapping>,
    threads: Vec<Thread>,
    /// What a restarted daemon finds: the most that each client held.
    kept: Vec<u64>,
    seed: u64,
}

const LIMIT: u64 = 1_000;

impl World {
    fn new(seed: u64, clients: usize) -> Self {
        let thread = || Thread {
            mapping: 0,
            step: Step::Idle,
            generation: 0,
            uses: 0,
            ring: Vec::new(),
            taken: 0,
            known: 0,
            stopped: false,
            alive: true,
            open: Vec::new(),
        };
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            division: Division::new(LIMIT, clients),
            mappings: vec![vec![vec![Word::default()]; clients]],
            threads: (0..clients).map(|_| thread()).collect(),
            kept: vec![0; clients],
            seed,
        }
    }

    fn pick(&mut self, below: usize) -> usize {
        self.rng.random_range(0..below)
    }

    /// A word as the thread sees it now: any that is not known to be out of date, and never an older one than it has seen.
    fn look(&mut self, at: usize) -> Word {
        let (mapping, least) = (self.threads[at].mapping, self.threads[at].generation);
        let seen: Vec<Word> =
            self.mappings[mapping][at].iter().filter(|word| word.generation >= least).cloned().collect();
        let n = self.pick(seen.len());
        seen[n].clone()
    }

    fn thread_step(&mut self, at: usize) {
        if self.threads[at].stopped || !self.threads[at].alive {
            return;
        }
        let step = self.threads[at].step;
        match step {
            Step::Idle if !self.threads[at].open.is_empty() && self.pick(6) == 0 => {
                let n = self.pick(self.threads[at].open.len());
                let (size, _) = self.threads[at].open.swap_remove(n);
                self.say(at, -size.cast_signed());
            }
            Step::Idle => {
                let (word, size) = (self.look(at), 1 + self.pick(200) as u64);
                let thread = &mut self.threads[at];
                thread.generation = word.generation;
                if thread.uses + size <= word.value {
                    thread.step = Step::Judged { size };
                }
            }
            Step::Judged { size } => {
                self.say(at, size.cast_signed());
                self.threads[at].step = Step::Said { size };
            }
            Step::Said { size } => {
                let (before, word) = (self.threads[at].generation, self.look(at));
                self.threads[at].step = Step::Idle;
                if word.generation != before && self.threads[at].uses > word.value {
                    self.say(at, -size.cast_signed());
                } else {
                    self.threads[at].open.push((size, true));
                }
                self.threads[at].generation = word.generation;
            }
        }
    }

    fn say(&mut self, at: usize, change: i64) {
        let thread = &mut self.threads[at];
        thread.uses = thread.uses.strict_add_signed(change);
        thread.ring.push(change);
    }

    /// The daemon reads a ring; sometimes not to its end. Whether it did.
    fn drain(&mut self, at: usize, whole: bool) -> bool {
        let left = self.threads[at].ring.len() - self.threads[at].taken;
        let count = if whole { left } else { self.pick(left + 1) };
        let thread = &mut self.threads[at];
        for change in &thread.ring[thread.taken..thread.taken + count] {
            thread.known = thread.known.strict_add_signed(*change);
        }
        thread.taken += count;
        count == left
    }

    fn standing(&self, at: usize) -> Standing {
        let thread = &self.threads[at];
        match (thread.alive, thread.mapping == self.mappings.len() - 1) {
            (true, true) => Standing::Attached,
            (true, false) => Standing::Fixed,
            (false, _) if thread.known > 0 || thread.taken < thread.ring.len() => Standing::Fixed,
            (false, _) => Standing::Away,
        }
    }

    fn write(&mut self, at: usize) {
        let (value, words) = (self.division.parts[at].word, self.mappings.last_mut().unwrap());
        let generation = words[at].last().unwrap().generation + 1;
        words[at].push(Word { generation, value });
    }

    fn fence(&mut self, at: usize) {
        let words = &mut self.mappings.last_mut().unwrap()[at];
        words.drain(..words.len() - 1);
    }

    /// A turn of the daemon, in which threads go on between any two of its steps, and which may end anywhere.
    fn daemon_turn(&mut self) {
        for at in 0..self.threads.len() {
            let whole = self.pick(4) == 0;
            self.drain(at, whole);
            self.division.parts[at].standing = self.standing(at);
            self.division.parts[at].used = Some(self.threads[at].known);
        }
        self.division.plan();
        for at in self.division.lower() {
            self.write(at);
            self.others_go_on();
            self.fence(at);
            self.others_go_on();
            let whole = self.pick(2) == 0;
            let read = self.drain(at, whole);
            let used = read.then_some(self.threads[at].known);
            self.division.seen(at, used);
            self.others_go_on();
        }
        if self.pick(8) == 0 {
            return;
        }
        let raised = self.division.raise();
        for (kept, part) in self.kept.iter_mut().zip(&self.division.parts) {
            *kept = part.held;
        }
        for at in raised {
            if self.pick(10) == 0 {
                // It dies between two words: what it kept says of both that they were raised.
                return self.restart();
            }
            self.write(at);
            self.others_go_on();
            self.fence(at);
        }
    }

    /// Another daemon: threads go on by the words of the one before until they attach again.
    fn restart(&mut self) {
        let clients = self.threads.len();
        self.mappings.push(vec![vec![Word::default()]; clients]);
        self.division = Division::new(LIMIT, clients);
        for at in 0..clients {
            let is_fixed = self.standing(at) == Standing::Fixed;
            self.division.parts[at].standing = self.standing(at);
            self.division.parts[at].used = Some(self.threads[at].known);
            self.division.parts[at].held = if is_fixed { self.kept[at] } else { 0 };
        }
    }

    /// The client's process is gone, and another attaches when all that it said is taken.
    fn reattach(&mut self, at: usize) {
        self.drain(at, true);
        let newest = self.mappings.len() - 1;
        // Nobody runs who could act by another word.
        self.division.parts[at].standing = Standing::Away;
        self.division.seen(at, Some(self.threads[at].known));
        let thread = &mut self.threads[at];
        if thread.step != Step::Idle {
            // Said and not sent, which nobody knows: it is open until the venue is asked.
            if let Step::Said { size } = thread.step {
                thread.open.push((size, false));
            }
            thread.step = Step::Idle;
        }
        (thread.alive, thread.stopped, thread.mapping, thread.generation) = (true, false, newest, 0);
    }

    fn others_go_on(&mut self) {
        for _ in 0..self.pick(6) {
            let at = self.pick(self.threads.len());
            self.thread_step(at);
            self.check();
        }
    }

    fn event(&mut self) {
        let at = self.pick(self.threads.len());
        match self.pick(40) {
            0 => self.threads[at].stopped = true,
            1 | 2 => self.threads[at].stopped = false,
            3 => self.threads[at].alive = false,
            4 if self.pick(3) == 0 => self.restart(),
            5 | 6 => self.reattach(at),
            7..=14 => self.daemon_turn(),
            _ => self.thread_step(at),
        }
        self.check();
    }

    /// The oracle: of all that is reserved, said and sent anywhere, and of all that anybody may still act on.
    fn check(&self) {
        let used: u64 = self.threads.iter().map(|thread| thread.uses).sum();
        assert!(used <= LIMIT + self.in_flight(), "seed {}: {used} in use", self.seed);
        let open = self.threads.iter().flat_map(|thread| &thread.open);
        let sent: u64 = open.filter(|(_, is_sent)| *is_sent).map(|(size, _)| size).sum();
        assert!(sent <= LIMIT, "seed {}: {sent} sent", self.seed);
        let held: u64 = self.division.parts.iter().map(|part| part.held).sum();
        assert!(held <= LIMIT, "seed {}: {held} held", self.seed);
    }

    /// Orders that are said and not sent: under way, or cut off there by the end of their process.
    fn in_flight(&self) -> u64 {
        let said = |thread: &Thread| if let Step::Said { size } = thread.step { size } else { 0 };
        let unsent = |thread: &Thread| {
            thread.open.iter().filter(|(_, is_sent)| !is_sent).map(|(size, _)| size).sum::<u64>()
        };
        self.threads.iter().map(|thread| said(thread) + unsent(thread)).sum()
    }
}

#[test]
fn the_limit_is_never_exceeded_whatever_stops_dies_and_starts_anywhere() {
    for seed in 0..1_500 {
        let mut world = World::new(seed, 2 + usize::try_from(seed % 4).unwrap());
        for _ in 0..1_500 {
            world.event();
        }
        // And it is used: a division that gives nobody anything would pass all of this.
        let given: u64 = world.threads.iter().map(|thread| thread.ring.len() as u64).sum();
        assert!(given > 10, "seed {seed}: {given} orders and answers in all");
    }
}
