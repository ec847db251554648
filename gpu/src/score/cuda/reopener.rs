//! The thread that opens a lost card anew.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use gpu_cuda::{Card, Feeder};

/// Closes a card that failed and opens it anew, on a thread of its own: either may take seconds.
pub(super) struct Reopener<C> {
    pub(super) failed: SyncSender<Option<Feeder<C>>>,
    pub(super) opened: Receiver<Option<C>>,
    pub(super) under_way: bool,
}

impl<C: Card + Send + 'static> Reopener<C> {
    pub(super) fn start(mut open: impl FnMut() -> Option<C> + Send + 'static) -> std::io::Result<Self> {
        let (failed, requests) = sync_channel::<Option<Feeder<C>>>(1);
        let (answers, opened) = sync_channel(1);
        thread::Builder::new().name("cuda-reopen".to_owned()).spawn(move || {
            for failed in requests {
                drop(failed);
                if answers.send(open()).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { failed, opened, under_way: false })
    }
}
