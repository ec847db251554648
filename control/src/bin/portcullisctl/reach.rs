//! The way to the appliance.

use crate::cli::{Cli, SOCKET_DEFAULT, SOCKET_VARIABLE};
use control::client::{Client, ClientError};
use control::stamp::Stamp;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use types::UnixNanos;

/// The socket that was named, by argument, environment or default.
fn socket(cli: &Cli) -> PathBuf {
    let named = cli.socket.clone().or_else(|| std::env::var_os(SOCKET_VARIABLE).map(PathBuf::from));
    named.filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from(SOCKET_DEFAULT))
}

fn timeout(cli: &Cli) -> Duration {
    Duration::from_secs(cli.timeout.into())
}

pub(crate) fn connect(cli: &Cli) -> Result<Client, ClientError> {
    Client::connect(&socket(cli), timeout(cli))
}

/// Until when this command waits, by the clock that it shares with the appliance.
pub(crate) fn deadline(cli: &Cli) -> Stamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Stamp(UnixNanos(u64::try_from((now + timeout(cli)).as_nanos()).unwrap_or(u64::MAX)))
}
