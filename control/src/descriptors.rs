//! Descriptors that go over the control socket beside an answer (unix(7), SCM_RIGHTS).

use crate::protocol::GRANT_DESCRIPTORS;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// A stream whose first bytes carry descriptors.
pub(crate) struct WithDescriptors<'a> {
    pub(crate) stream: &'a UnixStream,
    pub(crate) descriptors: &'a [OwnedFd],
}

impl Write for WithDescriptors<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let &mut Self { mut stream, descriptors } = self;
        if descriptors.is_empty() {
            return stream.write(bytes);
        }
        let fds: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(GRANT_DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(io::Error::other("more descriptors than fit a message"));
        }
        let sent = sendmsg(stream, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
        self.descriptors = &[];
        Ok(sent)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// A stream whose bytes may carry descriptors.
pub(crate) struct TakingDescriptors<'a> {
    pub(crate) stream: &'a UnixStream,
    pub(crate) descriptors: &'a mut Vec<OwnedFd>,
}

impl Read for TakingDescriptors<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(GRANT_DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut into = [IoSliceMut::new(bytes)];
        let got = recvmsg(self.stream, &mut into, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        Ok(got.bytes)
    }
}
