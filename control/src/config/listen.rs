//! Where something without a password of its own may be served.

use crate::names::deserialize_by_parsing;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// An address of this host that no other host reaches, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listen(Option<SocketAddr>);

impl Listen {
    /// The address.
    #[must_use]
    pub const fn address(self) -> Option<SocketAddr> {
        self.0
    }
}

/// Why a text is no [`Listen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address of the loopback such as \"127.0.0.1:9464\", or \"\" for none")]
pub struct ParseListenError;

impl FromStr for Listen {
    type Err = ParseListenError;

    fn from_str(s: &str) -> Result<Self, ParseListenError> {
        if s.is_empty() {
            return Ok(Self(None));
        }
        let address: Option<SocketAddr> = s.parse().ok();
        address.filter(|at| at.ip().is_loopback()).map(|at| Self(Some(at))).ok_or(ParseListenError)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.map_or_else(String::new, |at| at.to_string()))
    }
}

deserialize_by_parsing!(Listen);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_host_is_served() {
        for good in ["", "127.0.0.1:9464", "[::1]:9464", "127.8.0.1:0"] {
            assert_eq!(good.parse::<Listen>().unwrap().to_string(), good);
        }
        for bad in ["0.0.0.0:9464", "10.0.0.1:9464", "localhost:9464", "9464", "127.0.0.1", "[::]:1"] {
            assert_eq!(bad.parse::<Listen>(), Err(ParseListenError), "{bad}");
        }
    }
}
