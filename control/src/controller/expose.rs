//! Metrics: what `status` and `sessions` say, for who scrapes.

use super::plane::Controller;
use crate::metrics::{MetricsServer, Reading};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

impl Controller {
    /// Serves metrics at `address` until the server is dropped.
    ///
    /// # Errors
    /// The address cannot be had, or a thread.
    pub fn serve_metrics(self: &Arc<Self>, address: SocketAddr) -> io::Result<MetricsServer> {
        let controller = Arc::clone(self);
        MetricsServer::start(address, Arc::new(move || controller.reading()))
    }

    fn reading(&self) -> Reading {
        Reading {
            status: self.status(),
            sessions: self.backend.sessions().into_iter().map(|view| view.session).collect(),
            alerts: self.alerts_lasting(),
            proposals: self.shown().proposals,
        }
    }
}
