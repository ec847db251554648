//! The way to the appliance.

use crate::cli::Cli;
use control::client::{Client, ClientError, socket_of};
use std::time::Duration;

/// How long this command waits for its answer.
pub(crate) fn timeout(cli: &Cli) -> Duration {
    Duration::from_secs(cli.timeout.into())
}

pub(crate) fn connect(cli: &Cli) -> Result<Client, ClientError> {
    Client::connect(&socket_of(cli.socket.as_deref()), timeout(cli))
}
