//! The command line.

use clap::Parser;
use control::client::socket_of;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const AFTER_HELP: &str = "\
It is a viewer of the appliance: its user needs the role viewer in [roles], and it changes nothing. Who reaches its address sees all \
that it shows, so it listens on this host alone; whoever is to see it from elsewhere comes through a proxy that knows who they are.

Examples:
  portcullis-rest
  portcullis-rest --socket /run/portcullis/control.sock --listen 127.0.0.1:8410
  portcullis-rest --host risk.example.com";

/// Show a running Portcullis over HTTP: a page for the risk desk, and REST (OpenAPI 3.1) at /v1, read-only
#[derive(Parser, Debug)]
#[command(name = "portcullis-rest", version, max_term_width = 110, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// Control socket of the appliance [default: $PORTCULLIS_SOCKET, else /run/portcullis/control.sock]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Address and port of this host to listen at; port 0 takes any and says which
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8410", value_parser = loopback)]
    pub(crate) listen: SocketAddr,
    /// Seconds from one look at the appliance to the next, 1 to 5
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=5))]
    every: u16,
    /// Name that browsers come by, where a proxy of this host hands requests on; may be given again
    #[arg(long = "host", value_name = "NAME", value_parser = host_name)]
    pub(crate) hosts: Vec<String>,
}

impl Cli {
    /// The control socket.
    pub(crate) fn socket(&self) -> PathBuf {
        socket_of(self.socket.as_deref())
    }

    /// How long from one look at the appliance to the next.
    pub(crate) fn every(&self) -> Duration {
        Duration::from_secs(self.every.into())
    }
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let wanted = "wanted an address of this host alone and a port, such as 127.0.0.1:8410 or [::1]:8410";
    let address: SocketAddr = text.parse().map_err(|_| wanted.to_owned())?;
    if address.ip().is_loopback() { Ok(address) } else { Err(wanted.to_owned()) }
}

fn host_name(text: &str) -> Result<String, String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    if (1..=253).contains(&text.len()) && text.bytes().all(legal) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("wanted a host's name without a port, such as risk.example.com".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_host_is_listened_at() {
        for good in ["127.0.0.1:8410", "127.9.9.9:1", "[::1]:0"] {
            assert!(loopback(good).is_ok(), "{good}");
        }
        for bad in ["0.0.0.0:8410", "[::]:8410", "10.0.0.1:8410", "localhost:8410", "127.0.0.1", ""] {
            assert!(loopback(bad).is_err(), "{bad}");
        }
        assert_eq!(host_name("Risk.Example.com").as_deref(), Ok("risk.example.com"));
        for bad in ["", "risk:80", "a b", "a/b", "[::1]"] {
            assert!(host_name(bad).is_err(), "{bad}");
        }
    }
}
