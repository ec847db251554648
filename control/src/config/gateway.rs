//! `[[gateway]]`: what carries the firm's orders to a venue, as written and as checked.

use super::check::Checker;
use super::net::CpuChoice;
use super::schema::Client;
use super::tree::Step;
use crate::names::Name;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What a gateway speaks on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum GatewayProtocol {
    /// OUCH 5.0 over SoupBinTCP.
    #[serde(rename = "ouch-5.0")]
    Ouch50,
    /// OUCH 4.2 over SoupBinTCP.
    #[serde(rename = "ouch-4.2")]
    Ouch42,
}

/// What becomes of the firm's orders when its connection ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDisconnect {
    /// Each that is open is cancelled.
    #[default]
    Cancel,
    /// They stay.
    Keep,
}

/// `[gateway.soup]`: who logs in where over SoupBinTCP.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySoup {
    /// The user name that the firm logs in with.
    pub firm_username: String,
    /// The file with the firm's password.
    pub firm_password_file: PathBuf,
    /// The user name that the gateway logs in with at the venue.
    pub venue_username: String,
    /// The file with its password.
    pub venue_password_file: PathBuf,
}

/// One `[[gateway]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Its name on the command line.
    pub name: Name,
    /// The `[client.NAME]` whose order thread it is.
    pub client: Name,
    /// What it speaks.
    pub protocol: GatewayProtocol,
    /// Where the firm connects to.
    pub listen: SocketAddr,
    /// Where the venue is.
    pub venue: SocketAddr,
    /// The strategy that its orders count to.
    pub strategy: Name,
    /// The account that its orders count to.
    pub account: Name,
    /// Its CPU; without one it sleeps while there is nothing to do.
    #[serde(default = "any_cpu")]
    pub cpu: CpuChoice,
    /// What becomes of the firm's orders when its connection ends.
    #[serde(default)]
    pub on_disconnect: OnDisconnect,
    /// Where its streams are kept; empty for `gateways/NAME` in the state directory.
    #[serde(default)]
    pub store_dir: PathBuf,
    /// SoupBinTCP's part.
    #[serde(default)]
    pub soup: Option<GatewaySoup>,
}

const fn any_cpu() -> CpuChoice {
    CpuChoice::Any
}

/// Characters of a SoupBinTCP user name at most.
const USERNAME_MAX: usize = 6;

impl Checker<'_> {
    /// A gateway is one client's thread, and trades what is that client's; no two share a thread or a port.
    pub(super) fn gateways(&mut self, gateways: &[Gateway], clients: &BTreeMap<Name, Client>) {
        for (index, gateway) in gateways.iter().enumerate() {
            let at = |key: &str| vec![Step::Key("gateway".into()), Step::Index(index), Step::Key(key.into())];
            let earlier = &gateways[..index];
            let quoted = |text: &dyn std::fmt::Display| format!("\"{text}\"");
            if earlier.iter().any(|other| other.name == gateway.name) {
                self.refuse(
                    &at("name"),
                    format!("\"{}\" again", gateway.name),
                    "a name no other gateway has",
                );
            }
            if earlier.iter().any(|other| other.client == gateway.client) {
                let found = format!("\"{}\" again", gateway.client);
                self.refuse(&at("client"), found, "a client no other gateway is: a client is one thread");
            }
            if earlier.iter().any(|other| other.listen == gateway.listen) {
                let found = format!("\"{}\" again", gateway.listen);
                self.refuse(&at("listen"), found, "an address and port that no other gateway listens on");
            }
            if gateway.venue == gateway.listen {
                self.refuse(&at("venue"), quoted(&gateway.venue), "another address and port than `listen`");
            }
            match clients.get(&gateway.client) {
                None => {
                    let wanted = format!("a client that is declared ([client.{}])", gateway.client);
                    self.refuse(&at("client"), quoted(&gateway.client), wanted);
                }
                Some(client) => {
                    let owned = [
                        ("strategy", &gateway.strategy, &client.strategies),
                        ("account", &gateway.account, &client.accounts),
                    ];
                    for (key, name, names) in owned {
                        if !names.contains(name) {
                            let wanted = format!("one of the client's ([client.{}])", gateway.client);
                            self.refuse(&at(key), quoted(name), wanted);
                        }
                    }
                }
            }
            self.gateway_soup(gateway, &at);
        }
    }

    fn gateway_soup(&mut self, gateway: &Gateway, at: &impl Fn(&str) -> Vec<Step>) {
        let Some(soup) = &gateway.soup else {
            self.refuse(
                &at("soup"),
                "nothing",
                "a table [gateway.soup]: this protocol logs in over SoupBinTCP",
            );
            return;
        };
        let within = |key: &str| {
            let mut path = at("soup");
            path.push(Step::Key(key.to_owned()));
            path
        };
        for (key, name) in [("firm_username", &soup.firm_username), ("venue_username", &soup.venue_username)]
        {
            let is_name = |b: u8| b.is_ascii_alphanumeric();
            if name.is_empty() || name.len() > USERNAME_MAX || !name.bytes().all(is_name) {
                self.refuse(&within(key), format!("{name:?}"), "a user name of 1 to 6 letters and digits");
            }
        }
        let files = [
            ("firm_password_file", &soup.firm_password_file),
            ("venue_password_file", &soup.venue_password_file),
        ];
        for (key, file) in files {
            if file.as_os_str().is_empty() {
                self.refuse(
                    &within(key),
                    "\"\"",
                    "a file that holds a password of 1 to 10 letters and digits",
                );
            }
        }
    }
}
