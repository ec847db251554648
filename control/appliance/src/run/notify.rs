//! The service manager's notification socket (sd_notify(3)): that the daemon is ready, that it lives, that it stops. Without
//! one in the environment nothing is sent.

use stage::StopFlag;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::thread::{self, Thread};
use std::time::Duration;

/// The way to the service manager.
pub(super) struct Notifier {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear that the daemon lives; none where it does not.
    pulse: Option<Duration>,
    /// The thread that says so, and what ends it.
    beating: Option<(Thread, StopFlag)>,
}

impl Notifier {
    /// As the environment says.
    pub(super) fn of_environment() -> Self {
        let pulse = std::env::var("WATCHDOG_USEC").ok().and_then(|usec| usec.parse().ok());
        let address = std::env::var_os("NOTIFY_SOCKET").map(PathBuf::from).and_then(|path| {
            match path.as_os_str().as_bytes() {
                [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
                _ => SocketAddr::from_pathname(&path).ok(),
            }
        });
        Self::new(address, pulse)
    }

    fn new(address: Option<SocketAddr>, watchdog_usec: Option<u64>) -> Self {
        let socket = address.and_then(|address| Some((UnixDatagram::unbound().ok()?, address)));
        // Half of what it waits for, as sd_watchdog_enabled(3) advises.
        let pulse = watchdog_usec.filter(|usec| *usec > 0).map(|usec| Duration::from_micros(usec / 2));
        Self { socket, pulse, beating: None }
    }

    fn send(&self, state: &str) {
        if let Some((socket, address)) = &self.socket {
            send(socket, address, state);
        }
    }

    /// Everything runs and the control socket is open. From here on a thread says that the daemon lives, which touches no disk: a disk
    /// that hangs is an alert, and no reason to lose every book by a restart.
    ///
    /// # Errors
    ///
    /// When that thread cannot be started.
    pub(super) fn ready(&mut self) -> io::Result<()> {
        self.send("READY=1\nSTATUS=running");
        let (Some((socket, address)), Some(pulse)) = (&self.socket, self.pulse) else { return Ok(()) };
        let (socket, address) = (socket.try_clone()?, address.clone());
        let stop = StopFlag::new();
        let stopped = stop.clone();
        let beat = move || loop {
            // Woken early, it says once more that the daemon lives, which harms nobody.
            thread::park_timeout(pulse);
            if stopped.is_raised() {
                return;
            }
            send(&socket, &address, "WATCHDOG=1");
        };
        let beating = thread::Builder::new().name("watchdog".to_owned()).spawn(beat)?;
        self.beating = Some((beating.thread().clone(), stop));
        Ok(())
    }

    /// The daemon ends because it was told to.
    pub(super) fn stopping(&mut self) {
        if let Some((thread, stop)) = self.beating.take() {
            stop.raise();
            thread.unpark();
        }
        self.send("STOPPING=1");
    }
}

/// Nobody hears when this fails; the service manager draws its own conclusion.
fn send(socket: &UnixDatagram, address: &SocketAddr, state: &str) {
    drop(socket.send_to_addr(state.as_bytes(), address));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_manager_hears_ready_alive_and_stopping() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut notifier = Notifier::new(SocketAddr::from_pathname(&path).ok(), Some(20_000));
        let mut buffer = [0; 64];
        let mut hear = || {
            let length = manager.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        notifier.ready().unwrap();
        // By itself, whatever the thread that called waits for.
        assert_eq!([hear(), hear(), hear()], ["READY=1\nSTATUS=running", "WATCHDOG=1", "WATCHDOG=1"]);
        notifier.stopping();
        assert!((0..100).map(|_| hear()).any(|heard| heard == "STOPPING=1"));
        Notifier::new(None, None).ready().unwrap();
    }
}
