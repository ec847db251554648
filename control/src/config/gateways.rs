//! What must hold between gateways, and between a gateway and its client.

use super::check::Checker;
use super::gateway::Gateway;
use super::schema::{Client, Feed, Placement};
use super::tree::Step;
use crate::names::Name;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Characters of a SoupBinTCP user name at most.
const USERNAME_MAX: usize = 6;

/// MPIDs that one gateway serves at most beside its session's own.
const MPIDS_MAX: usize = 63;

/// Where a gateway listens: for its firm, for who gets copies, and for who sends some.
pub(super) fn listens(gateway: &Gateway) -> impl Iterator<Item = SocketAddr> {
    let copy = gateway.fix.as_ref().and_then(|fix| fix.drop_copy.as_ref());
    let copy_in = gateway.copy_in.as_ref().and_then(|copy| copy.listen);
    [Some(gateway.listen), copy.map(|copy| copy.listen), copy_in].into_iter().flatten()
}

impl Checker<'_> {
    /// A gateway is one client's thread, and trades what is that client's; no two share a thread or a port.
    pub(super) fn gateways(
        &mut self,
        gateways: &[Gateway],
        clients: &BTreeMap<Name, Client>,
        (placement, feeds): (&Placement, &[Feed]),
    ) {
        self.gateway_cpus(gateways, placement, feeds);
        for (index, gateway) in gateways.iter().enumerate() {
            let at = |key: &str| Step::into_row("gateway", index, key).to_vec();
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
            if earlier.iter().any(|other| listens(other).any(|used| used == gateway.listen)) {
                let found = format!("\"{}\" again", gateway.listen);
                self.refuse(&at("listen"), found, "an address and port that no other gateway listens on");
            }
            let used = |listen: &SocketAddr| {
                *listen == gateway.listen
                    || earlier.iter().any(|other| listens(other).any(|used| used == *listen))
            };
            let copy = gateway.fix.as_ref().and_then(|fix| fix.drop_copy.as_ref());
            if let Some(listen) = copy.map(|copy| copy.listen).filter(used) {
                let mut path = at("fix");
                path.extend(["drop_copy", "listen"].map(|key| Step::Key(key.into())));
                let wanted = "an address and port that nothing else of a gateway listens on";
                self.refuse(&path, format!("\"{listen}\" again"), wanted);
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
                    self.gateway_owner(gateway, client, (&gateway.strategy, &gateway.account), &at);
                    self.gateway_mpids(gateway, client, &at);
                }
            }
            if gateway.protocol.is_fix() {
                self.gateway_fix(gateway, &at);
            } else {
                self.gateway_soup(gateway, &at);
            }
            if let Some(copy) = &gateway.copy_in {
                self.copy_in((gateway, copy), earlier, &at);
            }
        }
    }

    /// What orders count to is the client's.
    fn gateway_owner(
        &mut self,
        gateway: &Gateway,
        client: &Client,
        (strategy, account): (&Name, &Name),
        at: &impl Fn(&str) -> Vec<Step>,
    ) {
        let owned = [("strategy", strategy, &client.strategies), ("account", account, &client.accounts)];
        for (key, name, _) in owned.iter().filter(|(_, name, names)| !names.contains(name)) {
            let wanted = format!("one of the client's ([client.{}])", gateway.client);
            self.refuse(&at(key), format!("\"{name}\""), wanted);
        }
    }

    /// Each MPID is one, and counts to what is the client's.
    fn gateway_mpids(&mut self, gateway: &Gateway, client: &Client, at: &impl Fn(&str) -> Vec<Step>) {
        if gateway.protocol.is_fix() && !gateway.mpid.is_empty() {
            self.refuse(&at("mpid"), "a table", "none: orders of FIX have no MPID");
        }
        if gateway.mpid.len() > MPIDS_MAX {
            let wanted = format!("at most {MPIDS_MAX} beside the session's own");
            self.refuse(&at("mpid"), format!("{} of them", gateway.mpid.len()), wanted);
        }
        for (index, mpid) in gateway.mpid.iter().enumerate() {
            let within = |key: &str| {
                let mut path = at("mpid");
                path.extend([Step::Index(index), Step::Key(key.to_owned())]);
                path
            };
            let is_one =
                mpid.id.len() == 4 && mpid.id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
            let is_again = gateway.mpid[..index].iter().any(|other| other.id == mpid.id);
            if !is_one {
                self.refuse(
                    &within("id"),
                    format!("{:?}", mpid.id),
                    "an MPID of 4 capital letters and digits",
                );
            } else if is_again {
                self.refuse(
                    &within("id"),
                    format!("{:?} again", mpid.id),
                    "an MPID that the gateway has once",
                );
            }
            self.gateway_owner(gateway, client, (&mpid.strategy, &mpid.account), &within);
        }
    }

    /// A gateway of the daemon's own that has a CPU shares it with none of the daemon's threads.
    fn gateway_cpus(&mut self, gateways: &[Gateway], placement: &Placement, feeds: &[Feed]) {
        let Placement { receiver_cpu, featurizer_cpu, scorer_cpu, desk_cpu, housekeeping_cpus } = placement;
        let stages = [receiver_cpu, featurizer_cpu, scorer_cpu, desk_cpu].map(|choice| choice.cpu());
        let mut taken: Vec<u16> = stages.into_iter().flatten().collect();
        taken.extend(housekeeping_cpus.cpus());
        taken.extend(feeds.iter().filter_map(|feed| feed.cpu?.cpu()));
        for (index, gateway) in gateways.iter().enumerate().filter(|(_, gateway)| gateway.in_daemon) {
            let Some(cpu) = gateway.cpu.cpu() else { continue };
            if taken.contains(&cpu) {
                let place = Step::into_row("gateway", index, "cpu");
                let wanted = "a CPU that no stage, no housekeeping and no other gateway of the daemon's has";
                self.refuse(&place, cpu, wanted);
            }
            taken.push(cpu);
        }
    }

    /// A user name of SoupBinTCP.
    pub(super) fn soup_user(&mut self, at: &[Step], name: &str) {
        let is_name = |b: u8| b.is_ascii_alphanumeric();
        if name.is_empty() || name.len() > USERNAME_MAX || !name.bytes().all(is_name) {
            self.refuse(at, format!("{name:?}"), "a user name of 1 to 6 letters and digits");
        }
    }

    fn gateway_soup(&mut self, gateway: &Gateway, at: &impl Fn(&str) -> Vec<Step>) {
        if gateway.fix.is_some() {
            self.refuse(&at("fix"), "a table", "none: this protocol is not FIX");
        }
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
            self.soup_user(&within(key), name);
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
