//! By which names this server may be called: a page of another site that has its own name lead here (DNS rebinding) is refused.

use std::net::SocketAddr;

/// The names.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    /// With this server's port.
    own: Vec<String>,
    /// With any port, since a proxy has another.
    named: Vec<String>,
}

impl Hosts {
    /// Those of a server at `address`, and `named` by whoever runs it.
    pub(crate) fn new(address: SocketAddr, named: &[String]) -> Self {
        let own = [address.to_string(), format!("localhost:{}", address.port())];
        // A browser leaves port 80 out.
        let bare = (address.port() == 80).then(|| [address.ip().to_string(), "localhost".to_owned()]);
        let own = own.into_iter().chain(bare.into_iter().flatten());
        Self { own: own.collect(), named: named.to_vec() }
    }

    /// Whether `authority`, as a request names it, is one of them.
    pub(crate) fn has(&self, authority: &str) -> bool {
        let authority = authority.to_ascii_lowercase();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &authority,
        };
        self.own.contains(&authority) || self.named.iter().any(|name| name == host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_server_are_believed() {
        let hosts = Hosts::new("127.0.0.1:8410".parse().unwrap(), &["risk.example.com".to_owned()]);
        for good in
            ["127.0.0.1:8410", "localhost:8410", "LOCALHOST:8410", "risk.example.com", "Risk.Example.com:443"]
        {
            assert!(hosts.has(good), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost",
            "evil.example:8410",
            "risk.example.com.evil.example",
            "risk.example.com:x",
            "[::1]:8410",
        ] {
            assert!(!hosts.has(bad), "{bad}");
        }
        let six = Hosts::new("[::1]:80".parse().unwrap(), &[]);
        assert!(six.has("[::1]:80") && six.has("localhost"));
    }
}
