//! Rounds: everything that is compared runs in turn, many times, so that a noisy minute falls on all alike.

/// Median and extremes of one row over all rounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What was measured.
    pub name: String,
    /// Median of the rounds.
    pub median: f64,
    /// Least of the rounds: what the machine can do when left alone.
    pub min: f64,
    /// Most of the rounds.
    pub max: f64,
    /// Rounds.
    pub rounds: usize,
}

impl Summary {
    /// Of one value per round.
    ///
    /// # Panics
    /// When there is no round.
    #[must_use]
    pub fn of(name: impl Into<String>, mut values: Vec<f64>) -> Self {
        assert!(!values.is_empty(), "a summary needs a round");
        values.sort_by(f64::total_cmp);
        let (middle, last) = (values.len() / 2, values.len() - 1);
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Self { name: name.into(), median, min: values[0], max: values[last], rounds: values.len() }
    }
}

/// One thing that is measured: given the number of the round, it does its work and returns what it took, in the row's unit.
pub struct Row<'a> {
    /// What is measured.
    pub name: String,
    /// Does one round.
    pub round: Box<dyn FnMut(usize) -> f64 + 'a>,
}

impl<'a> Row<'a> {
    /// A row.
    pub fn new(name: impl Into<String>, round: impl FnMut(usize) -> f64 + 'a) -> Self {
        Self { name: name.into(), round: Box::new(round) }
    }
}

impl std::fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Runs all rows once per round, starting each round with another row, and summarises each.
pub fn interleave(rounds: usize, mut rows: Vec<Row<'_>>) -> Vec<Summary> {
    let mut values = vec![Vec::with_capacity(rounds); rows.len()];
    for round in 0..rounds {
        for turn in 0..rows.len() {
            let at = (turn + round) % rows.len();
            values[at].push((rows[at].round)(round));
        }
    }
    rows.iter().zip(values).map(|(row, values)| Summary::of(row.name.clone(), values)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn medians_and_extremes() {
        let summary = Summary::of("x", vec![5.0, 1.0, 9.0]);
        assert_eq!((summary.median, summary.min, summary.max, summary.rounds), (5.0, 1.0, 9.0, 3));
        assert!((Summary::of("x", vec![1.0, 2.0, 3.0, 10.0]).median - 2.5).abs() < 1e-9);
    }

    #[test]
    fn every_row_runs_once_a_round_and_none_is_always_first() {
        let order = RefCell::new(Vec::new());
        let row = |name: &'static str| {
            let order = &order;
            Row::new(name, move |round| {
                order.borrow_mut().push((round, name));
                1.0
            })
        };
        let found = interleave(2, vec![row("a"), row("b"), row("c")]);
        assert_eq!(found.len(), 3);
        assert_eq!(*order.borrow(), [(0, "a"), (0, "b"), (0, "c"), (1, "b"), (1, "c"), (1, "a")]);
    }
}
