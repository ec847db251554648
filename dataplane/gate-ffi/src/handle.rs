//! One attached order thread as C holds it.

use crate::convert::Fault;
use crate::layout::{
    PORTCULLIS_GATE_ABI_MISMATCH, PORTCULLIS_GATE_ABI_VERSION, PORTCULLIS_GATE_FAILED,
    PORTCULLIS_GATE_INVALID, PORTCULLIS_GATE_NOT_ATTACHED, PORTCULLIS_GATE_OK, PORTCULLIS_GATE_UNTOLD,
};
use crate::text::{TEXT_MAX, Text};
use attach::OrderThread;
use control::names::Name;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

/// An attached order thread. One thread at a time may use it: it may be handed to another, never shared.
#[derive(Debug)]
pub struct Handle {
    thread: OrderThread,
    guard: Guard,
}

// A handle may be handed to another thread.
const _: () = {
    const fn may_be_handed_on<T: Send>() {}
    may_be_handed_on::<Handle>();
};

impl Handle {
    /// The text of the last call that did nothing.
    pub(crate) fn said(&self) -> &[u8] {
        self.guard.said.with_zero()
    }

    /// Does `work`, and gives the status of what came of it, and whether the appliance was told. A panic ends here.
    #[inline]
    pub(crate) fn run(&mut self, work: impl FnOnce(&mut OrderThread) -> Result<i32, Fault>) -> i32 {
        let Self { thread, guard } = self;
        if thread.is_inherited() {
            return guard.tell(Fault::Forked);
        }
        guard.run(|| {
            let lost = thread.lost();
            let status = work(thread)?;
            let untold = status == PORTCULLIS_GATE_OK && thread.lost() != lost;
            Ok(if untold { PORTCULLIS_GATE_UNTOLD } else { status })
        })
    }

    /// Does `work`, which changes nothing: after a failure, too.
    pub(crate) fn look(&mut self, work: impl FnOnce(&OrderThread) -> Result<i32, Fault>) -> i32 {
        let Self { thread, guard } = self;
        if thread.is_inherited() {
            return guard.tell(Fault::Forked);
        }
        guard.look(|| work(thread))
    }
}

/// What ends panics, and remembers why the last call did nothing.
#[derive(Debug)]
struct Guard {
    said: Text<256>,
    /// Something panicked. What it left may be half of something, so that nothing passes any more.
    failed: bool,
}

impl Guard {
    #[inline]
    fn run(&mut self, work: impl FnOnce() -> Result<i32, Fault>) -> i32 {
        if self.failed {
            return self.tell(Fault::Failed);
        }
        self.look(work)
    }

    /// As [`Guard::run`], whatever failed before.
    #[inline]
    fn look(&mut self, work: impl FnOnce() -> Result<i32, Fault>) -> i32 {
        match contained(work) {
            Some(Ok(status)) => status,
            Some(Err(fault)) => self.tell(fault),
            None => {
                self.failed = true;
                self.tell(Fault::Failed)
            }
        }
    }

    #[cold]
    fn tell(&mut self, fault: Fault) -> i32 {
        self.said = Text::of(fault);
        fault.status()
    }
}

/// What `work` gives; `None` when it panics. In a build that aborts instead, nothing comes back, nor crosses.
#[inline]
pub(crate) fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    // What `work` leaves half done is used no more: see `Guard::failed`.
    catch_unwind(AssertUnwindSafe(work)).map_err(core::mem::forget).ok()
}

/// Attaches as `client`; else a status, and why.
pub(crate) fn attach(
    abi_version: u32,
    socket: Option<&str>,
    client: Option<&str>,
    timeout_ms: u32,
    has_gate: bool,
) -> Result<Box<Handle>, (i32, String)> {
    if abi_version != PORTCULLIS_GATE_ABI_VERSION {
        let why = format!(
            "the program was built for version {abi_version} of libportcullis_gate, wanted {PORTCULLIS_GATE_ABI_VERSION}: build it with the header of this library"
        );
        return Err((PORTCULLIS_GATE_ABI_MISMATCH, why));
    }
    if cfg!(panic = "abort") {
        let why = "this libportcullis_gate ends its process where it fails, wanted one that unwinds: build it with --profile ffi, as scripts/install-gate-ffi.sh does";
        return Err((PORTCULLIS_GATE_FAILED, why.to_owned()));
    }
    let invalid = |what: String| (PORTCULLIS_GATE_INVALID, what);
    if !has_gate {
        return Err(invalid(Fault::Pointer("gate").to_string()));
    }
    let socket = socket.ok_or_else(|| invalid(format!("socket: wanted a path of 1 to {TEXT_MAX} bytes")))?;
    let client = client.ok_or_else(|| invalid("client: wanted a text that ends with a zero".to_owned()))?;
    let client = client.parse().map_err(|why| invalid(format!("client: wanted {why}")))?;
    if timeout_ms == 0 {
        return Err(invalid("timeout_ms is 0, wanted 1 or more".to_owned()));
    }
    let timeout = Duration::from_millis(timeout_ms.into());
    OrderThread::attach(Path::new(socket), &client, timeout)
        .map(|thread| Box::new(Handle { thread, guard: Guard { said: Text::EMPTY, failed: false } }))
        .map_err(|error| (PORTCULLIS_GATE_NOT_ATTACHED, error.to_string()))
}

/// The name that C gave.
pub(crate) fn name_of(name: Option<&str>) -> Result<Name, Fault> {
    let wanted = "1 to 32 letters, digits, `.`, `_` or `-`";
    name.and_then(|name| name.parse().ok()).ok_or(Fault::Text { name: "name", wanted })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{PORTCULLIS_GATE_NOT_FOUND, PORTCULLIS_GATE_TRUNCATED};

    #[test]
    fn a_panic_ends_here_and_nothing_passes_after_it() {
        let mut guard = Guard { said: Text::EMPTY, failed: false };
        assert_eq!(guard.run(|| Ok(PORTCULLIS_GATE_OK)), PORTCULLIS_GATE_OK);
        assert_eq!(guard.run(|| Err(Fault::NotFound("no such thing"))), PORTCULLIS_GATE_NOT_FOUND);
        assert_eq!(guard.said.with_zero(), b"no such thing\0");
        assert_eq!(guard.run(|| panic!("as a test does")), PORTCULLIS_GATE_FAILED);
        assert_eq!(guard.run(|| Ok(PORTCULLIS_GATE_OK)), PORTCULLIS_GATE_FAILED);
        assert!(guard.said.with_zero().starts_with(b"the gate failed inside and takes no more"));
        // What is open can still be listed.
        assert_eq!(guard.look(|| Ok(PORTCULLIS_GATE_TRUNCATED)), PORTCULLIS_GATE_TRUNCATED);
        assert_eq!(guard.look(|| panic!("as a test does")), PORTCULLIS_GATE_FAILED);
        assert_eq!(guard.run(|| Ok(PORTCULLIS_GATE_OK)), PORTCULLIS_GATE_FAILED);
    }
}
