//! The daemon itself as an actor, where no person asked.

use crate::audit::Actor;
use crate::roles::Role;

pub(super) fn system_actor(own_uid: u32) -> Actor {
    let pid = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
    let gid = rustix::process::getegid().as_raw();
    Actor { uid: own_uid, gid, pid, user: "portcullis".to_owned(), role: Some(Role::RiskAdmin) }
}
