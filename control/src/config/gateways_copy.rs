//! `[gateway.copy_in]`, checked.

use super::check::Checker;
use super::gateway::{Gateway, GatewayCopyIn};
use super::gateways::listens;
use super::tree::Step;

/// Accounts that one gateway names at most.
const ACCOUNTS_MAX: usize = 64;

impl Checker<'_> {
    /// Who sends the copies, which side connects, and how long is waited.
    pub(super) fn copy_in(
        &mut self,
        (gateway, copy): (&Gateway, &GatewayCopyIn),
        earlier: &[Gateway],
        at: &impl Fn(&str) -> Vec<Step>,
    ) {
        let within = |key: &str| {
            let mut path = at("copy_in");
            path.push(Step::Key(key.to_owned()));
            path
        };
        if gateway.protocol.is_fix() {
            self.copy_in_fix(gateway, copy, earlier, &within);
        } else {
            self.copy_in_soup(copy, &within);
        }
        if !(100..=600_000).contains(&copy.grace_ms) {
            self.refuse(&within("grace_ms"), copy.grace_ms.to_string(), "100 to 600000 milliseconds");
        }
        if !(1..=3_600).contains(&copy.down_s) {
            self.refuse(&within("down_s"), copy.down_s.to_string(), "1 to 3600 seconds");
        }
    }

    fn copy_in_fix(
        &mut self,
        gateway: &Gateway,
        copy: &GatewayCopyIn,
        earlier: &[Gateway],
        within: &impl Fn(&str) -> Vec<Step>,
    ) {
        match (copy.listen, copy.connect) {
            (Some(_), None) | (None, Some(_)) => {}
            (Some(_), Some(_)) => {
                self.refuse(&within("connect"), "an address", "none beside `listen`: one side connects");
            }
            (None, None) => {
                let wanted = "an address and port, here or as `connect`: one side connects";
                self.refuse(&within("listen"), "nothing", wanted);
            }
        }
        let others = earlier.iter().flat_map(listens);
        let own = gateway.fix.as_ref().and_then(|fix| fix.drop_copy.as_ref()).map(|copy| copy.listen);
        let mut used = others.chain([gateway.listen]).chain(own);
        if let Some(listen) = copy.listen.filter(|listen| used.any(|used| used == *listen)) {
            let wanted = "an address and port that nothing else of a gateway listens on";
            self.refuse(&within("listen"), format!("\"{listen}\" again"), wanted);
        }
        self.comp_id(&within("sender"), &copy.sender);
        self.comp_id(&within("gateway_to_sender"), &copy.gateway_to_sender);
        if !(1..=3_600).contains(&copy.heartbeat_s) {
            self.refuse(&within("heartbeat_s"), copy.heartbeat_s.to_string(), "1 to 3600 seconds");
        }
        if copy.accounts.len() > ACCOUNTS_MAX || copy.accounts.iter().any(String::is_empty) {
            let wanted = format!("at most {ACCOUNTS_MAX} accounts, none of them empty");
            self.refuse(&within("accounts"), format!("{:?}", copy.accounts), wanted);
        }
        if !copy.username.is_empty() || !copy.password_file.as_os_str().is_empty() {
            let wanted = "none, and no `password_file`: a session of FIX has a `sender`";
            self.refuse(&within("username"), format!("{:?}", copy.username), wanted);
        }
    }

    fn copy_in_soup(&mut self, copy: &GatewayCopyIn, within: &impl Fn(&str) -> Vec<Step>) {
        if copy.connect.is_none() {
            self.refuse(&within("connect"), "nothing", "the address of the venue's port for copies");
        }
        if copy.listen.is_some() {
            self.refuse(&within("listen"), "an address", "none: over SoupBinTCP the gateway connects");
        }
        let is_fix = [
            ("sender", !copy.sender.is_empty()),
            ("gateway_to_sender", !copy.gateway_to_sender.is_empty()),
            ("accounts", !copy.accounts.is_empty()),
        ];
        for (key, _) in is_fix.into_iter().filter(|(_, is_said)| *is_said) {
            self.refuse(&within(key), "a value", "none: that is of a session of FIX");
        }
        self.soup_user(&within("username"), &copy.username);
        if copy.password_file.as_os_str().is_empty() {
            let wanted = "a file that holds a password of 1 to 10 letters and digits";
            self.refuse(&within("password_file"), "\"\"", wanted);
        }
    }
}
