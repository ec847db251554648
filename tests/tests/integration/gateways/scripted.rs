//! A venue that does what it is told, packet by packet: what a real one does only when it is unlucky.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use wire::IntoBytes;
use wire::ouch50::outbound::AccountQueryResponse;
use wire::soupbin::{self, LoginAccepted, LoginRequest, Packet, SEQUENCED};

/// One connection of the gateway's.
pub(super) struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Connection {
    /// The next one, logged in from the message that it asks for; says which that is.
    pub(super) fn accept(listener: &TcpListener) -> (Self, u64) {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(crate::on_a_wire::PATIENCE)).unwrap();
        let mut connection = Self { stream, input: Vec::new() };
        let (packet_type, login) = connection.read();
        assert_eq!(packet_type, LoginRequest::TYPE);
        // Behind user name, password and session stand twenty digits.
        let sequence: u64 = String::from_utf8_lossy(&login[26..46]).trim().parse().unwrap();
        let accepted = LoginAccepted::new(*b"  20261130", sequence);
        connection.write(LoginAccepted::TYPE, &accepted.as_bytes()[1..]);
        (connection, sequence)
    }

    pub(super) fn write(&mut self, packet_type: u8, payload: &[u8]) {
        let mut room = [0; 200];
        let bytes = soupbin::write(packet_type, payload, &mut room).unwrap();
        self.stream.write_all(&room[..bytes]).unwrap();
    }

    /// Says, as the next message of the stream, which number is next.
    pub(super) fn next_is(&mut self, number: u32) {
        self.write(SEQUENCED, AccountQueryResponse::new(34_200_000_000_000, number).as_bytes());
    }

    /// The next packet that is no heartbeat.
    pub(super) fn read(&mut self) -> (u8, Vec<u8>) {
        loop {
            let found = Packet::parse(&self.input, 1_000).unwrap();
            if let Some((packet, used)) = found {
                let read = (packet.packet_type(), packet.payload().to_vec());
                self.input.drain(..used);
                if read.0 != soupbin::CLIENT_HEARTBEAT {
                    return read;
                }
                continue;
            }
            let mut bytes = [0; 1_000];
            let got = self.stream.read(&mut bytes).unwrap();
            assert!(got > 0, "the gateway has gone");
            self.input.extend_from_slice(&bytes[..got]);
        }
    }

    /// Waits for a question.
    pub(super) fn hear_question(&mut self) {
        assert_eq!(self.read(), (soupbin::UNSEQUENCED, b"Q".to_vec()));
    }

    /// Whether nothing but heartbeats comes for a while.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let end = Instant::now() + Duration::from_millis(200);
        let mut bytes = [0; 1_000];
        while Instant::now() < end {
            let got = self.stream.read(&mut bytes).unwrap_or(0);
            self.input.extend_from_slice(&bytes[..got]);
        }
        self.stream.set_read_timeout(Some(crate::on_a_wire::PATIENCE)).unwrap();
        while let Some((packet, used)) = Packet::parse(&self.input, 1_000).unwrap() {
            if packet.packet_type() != soupbin::CLIENT_HEARTBEAT {
                return false;
            }
            self.input.drain(..used);
        }
        self.input.is_empty()
    }
}
