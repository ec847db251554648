//! What every request is answered from.

use crate::ask::{Asker, Unanswered};
use crate::history::{History, Point};
use crate::picture::{Known, Picture};
use crate::problem::Problem;
use crate::seats::Seats;
use control::names::SymbolName;
use control::protocol::{Command, Reply};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch::Receiver;

/// Periods after which a picture is no longer what is.
const PERIODS_MAX: u32 = 3;

/// Beyond those, for a busy host.
const GRACE: Duration = Duration::from_secs(2);

/// What every request is answered from.
#[derive(Debug)]
pub(crate) struct Shared {
    known: Receiver<Known>,
    asker: Asker,
    history: Arc<Mutex<History>>,
    every: Duration,
    /// Who follows the stream.
    pub(crate) seats: Arc<Seats>,
}

impl Shared {
    pub(crate) fn new(
        known: Receiver<Known>,
        asker: Asker,
        history: Arc<Mutex<History>>,
        every: Duration,
    ) -> Self {
        Self { known, asker, history, every, seats: Arc::default() }
    }

    /// What is known, now and from now on.
    pub(crate) fn known(&self) -> Receiver<Known> {
        self.known.clone()
    }

    /// How often the appliance is asked.
    pub(crate) const fn every(&self) -> Duration {
        self.every
    }

    /// What the appliance said last.
    ///
    /// # Errors
    /// A [`Problem`], where it is not heard or that was too long ago: nothing old is shown as what is.
    pub(crate) fn picture(&self) -> Result<Arc<Picture>, Problem> {
        let known = self.known.borrow();
        if let Some(failure) = &known.failure {
            return Err(Problem::stale(failure.clone()));
        }
        let Some(picture) = &known.picture else {
            return Err(Problem::stale("the appliance has not answered yet".to_owned()));
        };
        let age = picture.taken.elapsed();
        if age > self.every * PERIODS_MAX + GRACE {
            return Err(Problem::stale(format!("the appliance was last heard {} s ago", age.as_secs())));
        }
        Ok(Arc::clone(picture))
    }

    /// Puts a question to the appliance.
    ///
    /// # Errors
    /// A [`Problem`].
    pub(crate) async fn ask(&self, command: Command) -> Result<Reply, Problem> {
        self.asker.ask(command).await.map_err(|unanswered| match unanswered {
            Unanswered::Busy => Problem::busy("too many questions wait for the appliance"),
            Unanswered::Failed(error) => Problem::from(&*error),
        })
    }

    /// What was seen of an instrument, oldest first.
    pub(crate) fn past(&self, symbol: SymbolName) -> Vec<Point> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).of(symbol)
    }
}
