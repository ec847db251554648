//! The way to the appliance.

use crate::cli::{Cli, SOCKET_DEFAULT, SOCKET_VARIABLE};
use control::client::{Client, ClientError};
use std::path::PathBuf;
use std::time::Duration;

/// The socket that was named, by argument, environment or default.
fn socket(cli: &Cli) -> PathBuf {
    let named = cli.socket.clone().or_else(|| std::env::var_os(SOCKET_VARIABLE).map(PathBuf::from));
    named.filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from(SOCKET_DEFAULT))
}

/// How long this command waits for its answer.
pub(crate) fn timeout(cli: &Cli) -> Duration {
    Duration::from_secs(cli.timeout.into())
}

pub(crate) fn connect(cli: &Cli) -> Result<Client, ClientError> {
    Client::connect(&socket(cli), timeout(cli))
}
