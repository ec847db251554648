//! The service manager's notification socket (sd_notify(3)): that the daemon is ready, that it lives, that it stops. Without
//! one in the environment nothing is sent.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The way to the service manager.
pub(super) struct Notifier {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear that the daemon lives; none where it does not.
    pulse: Option<Duration>,
    next_pulse: Instant,
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
        Self { socket, pulse, next_pulse: Instant::now() }
    }

    fn send(&self, state: &str) {
        if let Some((socket, address)) = &self.socket {
            // Nobody hears when this fails; the service manager draws its own conclusion.
            drop(socket.send_to_addr(state.as_bytes(), address));
        }
    }

    /// Everything runs and the control socket is open.
    pub(super) fn ready(&self) {
        self.send("READY=1\nSTATUS=running");
    }

    /// The daemon lives; sent no more often than asked for.
    pub(super) fn alive(&mut self) {
        if let Some(pulse) = self.pulse.filter(|_| Instant::now() >= self.next_pulse) {
            self.next_pulse = Instant::now() + pulse;
            self.send("WATCHDOG=1");
        }
    }

    /// The daemon ends because it was told to.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }
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
        let mut notifier = Notifier::new(SocketAddr::from_pathname(&path).ok(), Some(2_000_000_000));
        notifier.ready();
        notifier.alive();
        notifier.alive();
        notifier.stopping();
        let mut heard = Vec::new();
        let mut buffer = [0; 64];
        for _ in 0..3 {
            let length = manager.recv(&mut buffer).unwrap();
            heard.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
        assert_eq!(
            heard,
            ["READY=1\nSTATUS=running", "WATCHDOG=1", "STOPPING=1"],
            "one pulse in a thousand seconds"
        );
        Notifier::new(None, None).ready();
    }
}
