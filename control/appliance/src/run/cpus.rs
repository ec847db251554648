//! Where the threads run that may sleep.

use control::config::Plan;

/// The CPUs of everything that may sleep; none for any.
pub(super) fn housekeeping(plan: &Plan) -> Vec<usize> {
    plan.placement.housekeeping_cpus.cpus().iter().map(|cpu| usize::from(*cpu)).collect()
}
