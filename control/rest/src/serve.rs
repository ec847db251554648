//! Connections: how many, how long, how large.

use crate::patient::Patient;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Connections at once. More wait in the system's queue.
const CONNECTIONS_MAX: usize = 128;

/// How long the head of a request may take, and how long a connection may be silent before it.
const HEAD_MAX: Duration = Duration::from_secs(5);

/// Head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Header fields of a request.
const FIELDS_MAX: usize = 64;

/// How long whoever is answered may take nothing.
const STALL_MAX: Duration = Duration::from_secs(10);

/// How long to wait when the system has no descriptor for another connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener, router: Router) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // The semaphore is never closed.
    while let Ok(seat) = Arc::clone(&seats).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(EXHAUSTED_PAUSE).await;
            continue;
        };
        // An answer waits for no other; without it, it is only slower.
        drop(stream.set_nodelay(true));
        let service = TowerToHyperService::new(router.clone());
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEAD_MAX)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(FIELDS_MAX);
        let served = http.serve_connection(TokioIo::new(Patient::new(stream, STALL_MAX)), service);
        tokio::spawn(async move {
            // Whoever asks badly, is slow or goes away harms nobody else.
            drop(served.await);
            drop(seat);
        });
    }
}
