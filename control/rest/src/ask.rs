//! Questions that are put to the appliance when somebody asks here: one at a time, over one connection, at a bounded rate.
//!
//! However many ask, the appliance sees one connection that is busy for half of the time at most.

use control::client::{Client, ClientError};
use control::protocol::{Command, Reply};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Questions that wait.
const WAITING_MAX: usize = 64;

/// How long the appliance may take to answer one.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The least time from an answer to the next question; as long as the answer took, where that is longer.
const PAUSE_MIN: Duration = Duration::from_millis(5);

/// What comes of a question. The error is shared, since those who wait are told the same.
pub(crate) type Answered = Result<Reply, Arc<ClientError>>;

struct Question {
    command: Command,
    answer: oneshot::Sender<Answered>,
}

/// Where questions are put.
#[derive(Clone, Debug)]
pub(crate) struct Asker(SyncSender<Question>);

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// Too many wait.
    Busy,
    /// The appliance refused, or is not heard.
    Failed(Arc<ClientError>),
}

impl Asker {
    /// Begins the thread that asks the appliance at `socket`.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(crate) fn start(socket: PathBuf) -> std::io::Result<Self> {
        let (questions, waiting) = sync_channel(WAITING_MAX);
        thread::Builder::new().name("ask".to_owned()).spawn(move || answer_all(&socket, &waiting))?;
        Ok(Self(questions))
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub(crate) async fn ask(&self, command: Command) -> Result<Reply, Unanswered> {
        let (answer, answered) = oneshot::channel();
        match self.0.try_send(Question { command, answer }) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return Err(Unanswered::Busy),
        }
        match answered.await {
            Ok(outcome) => outcome.map_err(Unanswered::Failed),
            Err(_) => Err(Unanswered::Busy),
        }
    }
}

/// A connection that is made when it is needed and made anew when it has failed.
pub(crate) struct Line {
    socket: PathBuf,
    client: Option<Client>,
}

impl Line {
    pub(crate) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), client: None }
    }

    /// Asks one question that changes nothing, so that it may be asked again: the appliance hangs up on who was silent for long.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn call(&mut self, command: &Command) -> Result<Reply, ClientError> {
        let was_there = self.client.is_some();
        match self.once(command) {
            Err(ClientError::NoAnswer { .. }) if was_there => self.once(command),
            outcome => outcome,
        }
    }

    /// A refusal leaves the connection as it is, every other error ends it.
    fn once(&mut self, command: &Command) -> Result<Reply, ClientError> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(&self.socket, ANSWER_MAX)?,
        };
        let outcome = client.call(command.clone());
        if matches!(outcome, Ok(_) | Err(ClientError::Refused(_))) {
            self.client = Some(client);
        }
        outcome
    }
}

fn answer_all(socket: &Path, waiting: &Receiver<Question>) {
    let mut line = Line::new(socket);
    while let Ok(Question { command, answer }) = waiting.recv() {
        // Who has gone away needs no answer.
        if answer.is_closed() {
            continue;
        }
        let begun = Instant::now();
        let outcome = line.call(&command).map_err(Arc::new);
        let took = begun.elapsed();
        drop(answer.send(outcome));
        thread::sleep(took.clamp(PAUSE_MIN, ANSWER_MAX));
    }
}
