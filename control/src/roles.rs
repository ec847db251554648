//! Who may do what: roles, the principals of the configuration, and the host's user database (passwd(5), group(5)).
//!
//! The kernel says who is asking (`SO_PEERCRED`); names are looked up in `/etc/passwd` and `/etc/group` at each request,
//! so that a change of group membership holds at once. Users that a directory service alone knows are written by number.

use crate::names::deserialize_by_parsing;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::str::FromStr;

/// What somebody may do; each role includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Attaches order processes, and sees nothing else.
    Order,
    /// Looks.
    Viewer,
    /// Also trips breakers and halts.
    Trader,
    /// Also resets, resumes and sets limits.
    RiskOfficer,
    /// Also resumes after a damaged latch file.
    RiskAdmin,
}

impl Role {
    /// The name in the configuration and the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Viewer => "viewer",
            Self::Trader => "trader",
            Self::RiskOfficer => "risk_officer",
            Self::RiskAdmin => "risk_admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Somebody or some group named in `[roles]`: `alice`, `@risk`, `uid:1001`, `gid:2001`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// A user by name.
    User(String),
    /// A user by number.
    Uid(u32),
    /// The members of a group, by name.
    Group(String),
    /// The members of a group, by number.
    Gid(u32),
}

/// Why a text is not a [`Principal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a user name, \"@group\", \"uid:1001\" or \"gid:2001\"")]
pub struct ParsePrincipalError;

impl FromStr for Principal {
    type Err = ParsePrincipalError;

    fn from_str(s: &str) -> Result<Self, ParsePrincipalError> {
        // The portable set of user names (useradd(8)), upper case allowed as directory services have it.
        let name = |s: &str| {
            let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'$');
            let fits =
                (1..=64).contains(&s.len()) && s.bytes().all(legal) && !s.bytes().all(|b| b.is_ascii_digit());
            fits.then(|| s.to_owned())
        };
        let number = |s: &str| if s.bytes().all(|b| b.is_ascii_digit()) { s.parse().ok() } else { None };
        let parsed = match s.split_once(':') {
            Some(("uid", n)) => number(n).map(Self::Uid),
            Some(("gid", n)) => number(n).map(Self::Gid),
            Some(_) => None,
            None => s.strip_prefix('@').map_or_else(|| name(s).map(Self::User), |g| name(g).map(Self::Group)),
        };
        parsed.ok_or(ParsePrincipalError)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => f.pad(name),
            Self::Uid(uid) => f.pad(&format!("uid:{uid}")),
            Self::Group(name) => f.pad(&format!("@{name}")),
            Self::Gid(gid) => f.pad(&format!("gid:{gid}")),
        }
    }
}

deserialize_by_parsing!(Principal);

/// `[roles]` of the configuration: who has which role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Those who look.
    pub viewer: Vec<Principal>,
    /// Those who also trip breakers and halt.
    pub trader: Vec<Principal>,
    /// Those who also reset, resume and set limits.
    pub risk_officer: Vec<Principal>,
    /// Those who may also resume after a damaged latch file.
    pub risk_admin: Vec<Principal>,
    /// Whose order processes may attach: the users of every `[client]`.
    #[serde(skip)]
    pub order: Vec<Principal>,
}

/// The other end of a connection, as the kernel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Process.
    pub pid: i32,
}

impl Roles {
    /// The highest role of `peer`, `None` when it is in no list. `own_uid`, the daemon's user, is always risk_admin.
    #[must_use]
    pub fn role_of(&self, peer: Peer, own_uid: u32, users: &UserDatabase) -> Option<Role> {
        if peer.uid == own_uid {
            return Some(Role::RiskAdmin);
        }
        let lists = [
            (Role::RiskAdmin, &self.risk_admin),
            (Role::RiskOfficer, &self.risk_officer),
            (Role::Trader, &self.trader),
            (Role::Viewer, &self.viewer),
            (Role::Order, &self.order),
        ];
        let found = lists.into_iter().find(|(_, list)| list.iter().any(|p| users.covers(p, peer)));
        found.map(|(role, _)| role)
    }

    /// The names in the lists that the host does not know: such an entry grants nobody anything, which is safe, and is
    /// a mistake, which should be said.
    #[must_use]
    pub fn unknown_names(&self, users: &UserDatabase) -> Vec<Principal> {
        let all = [&self.viewer, &self.trader, &self.risk_officer, &self.risk_admin, &self.order];
        let all = all.into_iter().flatten();
        all.filter(|principal| !users.knows(principal)).cloned().collect()
    }
}

/// Users and groups of the host.
#[derive(Clone, Debug, Default)]
pub struct UserDatabase {
    /// Name to (uid, primary gid).
    users: BTreeMap<String, (u32, u32)>,
    /// Name to (gid, names of members).
    groups: BTreeMap<String, (u32, Vec<String>)>,
}

impl UserDatabase {
    /// The host's, from `/etc/passwd` and `/etc/group`.
    ///
    /// # Errors
    /// When a file cannot be read; no name then resolves, so callers refuse.
    pub fn of_host() -> io::Result<Self> {
        let read = |path: &str| {
            std::fs::read(path)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .map_err(|e| io::Error::new(e.kind(), format!("{path}: {e}")))
        };
        Ok(Self::parse(&read("/etc/passwd")?, &read("/etc/group")?))
    }

    /// A database from the texts of the two files; lines that are not entries are passed over, as libc does.
    #[must_use]
    pub fn parse(passwd: &str, group: &str) -> Self {
        let user = |line: &str| {
            let mut fields = line.split(':');
            let (name, uid, gid) = (fields.next()?, fields.nth(1)?, fields.next()?);
            Some((name.to_owned(), (uid.parse().ok()?, gid.parse().ok()?)))
        };
        let members = |list: &str| list.split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect();
        let group_of = |line: &str| {
            let mut fields = line.split(':');
            let (name, gid, list) = (fields.next()?, fields.nth(1)?, fields.next()?);
            Some((name.to_owned(), (gid.parse().ok()?, members(list))))
        };
        Self {
            users: passwd.lines().filter_map(user).collect(),
            groups: group.lines().filter_map(group_of).collect(),
        }
    }

    /// The name of a user, or its number as text.
    #[must_use]
    pub fn user_name(&self, uid: u32) -> String {
        let named = self.users.iter().find(|(_, (u, _))| *u == uid);
        named.map_or_else(|| uid.to_string(), |(name, _)| name.clone())
    }

    fn knows(&self, principal: &Principal) -> bool {
        match principal {
            Principal::User(name) => self.users.contains_key(name),
            Principal::Group(name) => self.groups.contains_key(name),
            Principal::Uid(_) | Principal::Gid(_) => true,
        }
    }

    pub(crate) fn covers(&self, principal: &Principal, peer: Peer) -> bool {
        match principal {
            Principal::Uid(uid) => peer.uid == *uid,
            Principal::User(name) => self.users.get(name).is_some_and(|(uid, _)| peer.uid == *uid),
            Principal::Gid(gid) => {
                let listed = self.groups.values().filter(|(g, _)| g == gid);
                self.in_group(peer, *gid)
                    || listed.into_iter().any(|(_, members)| self.is_member(peer, members))
            }
            Principal::Group(name) => self
                .groups
                .get(name)
                .is_some_and(|(gid, members)| self.in_group(peer, *gid) || self.is_member(peer, members)),
        }
    }

    /// Whether `gid` is the peer's effective group or its user's primary one.
    fn in_group(&self, peer: Peer, gid: u32) -> bool {
        peer.gid == gid || self.users.values().any(|(uid, primary)| *uid == peer.uid && *primary == gid)
    }

    fn is_member(&self, peer: Peer, members: &[String]) -> bool {
        members.iter().any(|m| self.users.get(m).is_some_and(|(uid, _)| *uid == peer.uid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> UserDatabase {
        UserDatabase::parse(
            "root:x:0:0:root:/root:/bin/sh\nalice:x:1001:100::/:/bin/sh\nbob:x:1002:200::/:/bin/sh\n+nis\nbroken:x\n",
            "users:x:100:\nrisk:x:200:alice\ndesk:x:300:bob,ghost\nbroken\n",
        )
    }

    fn peer(uid: u32, gid: u32) -> Peer {
        Peer { uid, gid, pid: 1 }
    }

    fn list(texts: &[&str]) -> Vec<Principal> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    #[test]
    fn the_highest_role_of_several_holds() {
        let roles = Roles { viewer: list(&["alice"]), risk_officer: list(&["@risk"]), ..Roles::default() };
        assert_eq!(roles.role_of(peer(1001, 100), 9, &users()), Some(Role::RiskOfficer));
    }

    #[test]
    fn groups_count_members_primary_groups_and_the_effective_group() {
        let roles = Roles { trader: list(&["@risk"]), ..Roles::default() };
        let role = |uid, gid| roles.role_of(peer(uid, gid), 9, &users());
        assert_eq!(role(1001, 100), Some(Role::Trader), "alice is a member");
        assert_eq!(role(1002, 100), Some(Role::Trader), "bob's primary group");
        assert_eq!(role(4242, 200), Some(Role::Trader), "effective group of a user the host does not know");
        assert_eq!(role(4242, 100), None);
        let roles = Roles { trader: list(&["gid:300"]), ..Roles::default() };
        assert_eq!(roles.role_of(peer(1002, 200), 9, &users()), Some(Role::Trader));
    }

    #[test]
    fn nobody_but_the_daemons_own_user_has_a_role_by_default() {
        let roles = Roles::default();
        assert_eq!(roles.role_of(peer(0, 0), 9, &users()), None, "not even root");
        assert_eq!(roles.role_of(peer(9, 9), 9, &users()), Some(Role::RiskAdmin));
    }

    #[test]
    fn a_name_the_host_does_not_know_grants_nobody_and_is_reported() {
        let roles = Roles { risk_officer: list(&["carol", "@riks", "uid:7", "alice"]), ..Roles::default() };
        assert_eq!(roles.role_of(peer(1002, 200), 9, &users()), None);
        assert_eq!(roles.unknown_names(&users()), list(&["carol", "@riks"]));
    }

    #[test]
    fn texts_that_name_nobody_are_refused() {
        for bad in
            ["", "@", "uid:", "uid:-1", "uid:x", "gid:+1", "1001", "a b", "root:x", "@a:b", "uid:4294967296"]
        {
            assert!(bad.parse::<Principal>().is_err(), "{bad:?}");
        }
    }
}
