//! `[gateway.fix]`, checked.

use super::check::Checker;
use super::gateway::{Gateway, GatewayProtocol};
use super::tree::Step;

/// Characters of a CompID at most.
const COMP_ID_MAX: usize = 32;

/// Tags that a firm may choose the meaning of (FIX user-defined fields).
const USER_TAGS: std::ops::RangeInclusive<u16> = 5_000..=39_999;

impl Checker<'_> {
    pub(super) fn comp_id(&mut self, at: &[Step], id: &str) {
        let is_id = |byte: u8| byte.is_ascii_graphic() && byte != b'=';
        if id.is_empty() || id.len() > COMP_ID_MAX || !id.bytes().all(is_id) {
            let wanted = "a CompID of 1 to 32 visible characters, none of them =";
            self.refuse(at, format!("{id:?}"), wanted);
        }
    }

    /// Who speaks on both sessions is said, and each tag is one of its own.
    pub(super) fn gateway_fix(&mut self, gateway: &Gateway, at: &impl Fn(&str) -> Vec<Step>) {
        if gateway.soup.is_some() {
            self.refuse(&at("soup"), "a table", "none: this protocol has no SoupBinTCP");
        }
        let Some(fix) = &gateway.fix else {
            self.refuse(&at("fix"), "nothing", "a table [gateway.fix]: who speaks on both sessions");
            return;
        };
        let within = |key: &str| {
            let mut path = at("fix");
            path.push(Step::Key(key.to_owned()));
            path
        };
        let ids = [
            ("firm", &fix.firm),
            ("gateway_to_firm", &fix.gateway_to_firm),
            ("venue", &fix.venue),
            ("gateway_to_venue", &fix.gateway_to_venue),
        ];
        for (key, id) in ids {
            self.comp_id(&within(key), id);
        }
        if let Some(copy) = &fix.drop_copy {
            let within_copy = |key: &str| {
                let mut path = within("drop_copy");
                path.push(Step::Key(key.to_owned()));
                path
            };
            self.comp_id(&within_copy("receiver"), &copy.receiver);
            self.comp_id(&within_copy("gateway_to_receiver"), &copy.gateway_to_receiver);
        }
        if !(1..=3_600).contains(&fix.heartbeat_s) {
            self.refuse(&within("heartbeat_s"), fix.heartbeat_s.to_string(), "1 to 3600 seconds");
        }
        if fix.mass_cancel && gateway.protocol == GatewayProtocol::Fix42 {
            self.refuse(&within("mass_cancel"), "true", "false: FIX 4.2 has no OrderMassCancelRequest (q)");
        }
        if let Some(tag) = fix.user_tags.iter().find(|tag| !USER_TAGS.contains(tag)) {
            self.refuse(&within("user_tags"), tag.to_string(), "tags from 5000 to 39999");
        }
        let tags = [("alert_tag", fix.alert_tag), ("score_tag", fix.score_tag), ("tier_tag", fix.tier_tag)];
        for (index, (key, tag)) in tags.into_iter().enumerate() {
            let may_be_left_out = key != "alert_tag" && tag == 0;
            let is_taken = tag != 0 && tags[..index].iter().any(|(_, other)| *other == tag);
            if !may_be_left_out && (!USER_TAGS.contains(&tag) || is_taken) {
                self.refuse(&within(key), tag.to_string(), "a tag of its own from 5000 to 39999");
            }
        }
    }
}
