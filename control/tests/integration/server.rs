//! The socket: who gets in, what a hostile or clumsy client can do (nothing), how it starts and stops.

use crate::desk::Site;
use control::client::{Client, ClientError};
use control::protocol::{Command, RefusalKind, Reply, Response, read_frame, write_frame};
use control::server::{Server, ServerError};
use proptest::prelude::*;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn serve(site: &Site) -> Server {
    Server::start(Arc::clone(&site.controller), &site.plan.instance.socket).unwrap()
}

fn status(site: &Site) -> Result<Reply, ClientError> {
    Client::connect(&site.plan.instance.socket)?.call(Command::Status)
}

#[test]
fn a_client_is_answered_and_the_socket_is_closed_to_others() {
    let site = Site::new(&[]);
    let server = serve(&site);
    let mode = fs::metadata(&site.plan.instance.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let mut client = Client::connect(&site.plan.instance.socket).unwrap();
    for _ in 0..3 {
        assert!(
            matches!(client.call(Command::Status), Ok(Reply::Status(_))),
            "one connection, many commands"
        );
    }
    server.stop();
    assert!(!site.plan.instance.socket.exists(), "removed at shutdown");
    assert!(matches!(status(&site), Err(ClientError::Unreachable { .. })));
}

#[test]
fn a_socket_in_use_is_not_taken_and_a_stale_one_is() {
    let site = Site::new(&[]);
    let socket = &site.plan.instance.socket;
    let server = serve(&site);
    let error = Server::start(Arc::clone(&site.controller), socket).unwrap_err();
    assert!(matches!(error, ServerError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("another appliance is listening on it"), "{error}");
    assert!(status(&site).is_ok(), "the first one is unharmed");
    server.stop();
    // A listener that died without removing its file.
    drop(UnixListener::bind(socket).unwrap());
    // A process that another test is starting holds the listener, too, until it runs its program.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !matches!(status(&site), Err(ClientError::Unreachable { .. })) {
        assert!(std::time::Instant::now() < deadline, "somebody answers on a dead socket");
    }
    let server = serve(&site);
    assert!(status(&site).is_ok());
    drop(server);
    fs::write(socket, "somebody's notes").unwrap();
    let error = Server::start(Arc::clone(&site.controller), socket).unwrap_err();
    assert!(matches!(error, ServerError::NotASocket { .. }), "{error}");
    assert_eq!(fs::read_to_string(socket).unwrap(), "somebody's notes");
    let nowhere = site.dir.path().join("no/such/dir/control.sock");
    let error = Server::start(Arc::clone(&site.controller), &nowhere).unwrap_err().to_string();
    assert!(error.contains("does its directory exist?"), "{error}");
}

#[test]
fn stopping_leaves_another_appliances_socket_alone() {
    let site = Site::new(&[]);
    let socket = &site.plan.instance.socket;
    let server = serve(&site);
    fs::remove_file(socket).unwrap();
    let _other = UnixListener::bind(socket).unwrap();
    let theirs = fs::metadata(socket).unwrap().ino();
    server.stop();
    assert_eq!(fs::metadata(socket).unwrap().ino(), theirs);
}

#[test]
fn stopping_does_not_wait_for_idle_clients() {
    let site = Site::new(&[]);
    let server = serve(&site);
    let _idle = UnixStream::connect(&site.plan.instance.socket).unwrap();
    let mut client = Client::connect(&site.plan.instance.socket).unwrap();
    client.call(Command::Status).unwrap();
    let begun = Instant::now();
    server.stop();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

/// Sends raw bytes, half-closes, and returns what comes back.
fn raw(site: &Site, bytes: &[u8]) -> Vec<u8> {
    let mut stream = UnixStream::connect(&site.plan.instance.socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    // The server may hang up before it has read everything.
    drop(stream.write_all(bytes));
    drop(stream.shutdown(std::net::Shutdown::Write));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    answer
}

fn frame(json: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, json.as_bytes()).unwrap();
    bytes
}

fn refusal(answer: &[u8]) -> (u64, RefusalKind, String) {
    let body = read_frame(&mut &*answer).unwrap();
    let response: Response = serde_json::from_slice(&body).unwrap();
    match response.outcome {
        control::protocol::Outcome::Error(refusal) => (response.id, refusal.kind, refusal.message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nonsense_is_answered_once_in_words_and_the_connection_is_closed() {
    let site = Site::new(&[]);
    let _server = serve(&site);
    for (bytes, kind, part) in [
        (frame("{}"), RefusalKind::BadRequest, "missing field `version`"),
        (
            frame(r#"{"version":1,"id":9,"command":"teleport"}"#),
            RefusalKind::BadRequest,
            "unknown variant `teleport`",
        ),
        (
            frame(r#"{"version":9,"id":9,"command":"status"}"#),
            RefusalKind::VersionMismatch,
            "found protocol version 9, wanted 1",
        ),
        (vec![0xff; 64], RefusalKind::BadRequest, "a message of 4294967295 bytes, at most 1048576 wanted"),
    ] {
        let (_, found, message) = refusal(&raw(&site, &bytes));
        assert_eq!(found, kind, "{message}");
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(
        refusal(&raw(&site, &frame(r#"{"version":1,"id":9,"command":7}"#))).0,
        9,
        "its number comes back"
    );
    let two =
        [frame(r#"{"version":1,"id":1,"command":7}"#), frame(r#"{"version":1,"id":2,"command":"status"}"#)]
            .concat();
    let answer = raw(&site, &two);
    assert_eq!(
        answer.len(),
        4 + u32::from_le_bytes(answer[..4].try_into().unwrap()) as usize,
        "nothing after the refusal"
    );
    assert!(status(&site).is_ok());
}

#[test]
fn one_user_cannot_hold_every_connection() {
    let site = Site::new(&[]);
    let _server = serve(&site);
    let idle: Vec<UnixStream> =
        (0..8).map(|_| UnixStream::connect(&site.plan.instance.socket).unwrap()).collect();
    let deadline = Instant::now() + Duration::from_secs(4);
    loop {
        match status(&site) {
            Err(ClientError::Refused(refusal)) => {
                assert_eq!(refusal.kind, RefusalKind::Busy);
                assert!(refusal.message.contains("at most 8 may be"), "{}", refusal.message);
                break;
            }
            // The last of the eight may not have been accepted yet.
            other => assert!(Instant::now() < deadline, "{other:?}"),
        }
    }
    drop(idle);
    let deadline = Instant::now() + Duration::from_secs(4);
    while status(&site).is_err() {
        assert!(Instant::now() < deadline, "room again once they are gone");
    }
}

#[test]
fn a_message_that_comes_in_crumbs_is_not_waited_for() {
    let site = Site::new(&[]);
    let _server = serve(&site);
    let mut stream = UnixStream::connect(&site.plan.instance.socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    stream.write_all(&[40, 0]).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    // Six seconds pass on the appliance's clock; every single byte was in time.
    site.desk.clock.fetch_add(6_000_000_000, std::sync::atomic::Ordering::Relaxed);
    stream.write_all(&[0]).unwrap();
    let begun = Instant::now();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "hung up");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn commands_from_many_clients_at_once_all_land_in_one_chain() {
    let site = Site::new(&[]);
    let _server = serve(&site);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut client = Client::connect(&site.plan.instance.socket).unwrap();
                for _ in 0..10 {
                    client.call(Command::Halt { reason: None, ticket: None }).unwrap();
                    let reason = "over".parse().unwrap();
                    client.call(Command::Resume { reason, ticket: None }).unwrap();
                }
            });
        }
    });
    let Ok(Reply::Verified(proof)) =
        Client::connect(&site.plan.instance.socket).unwrap().call(Command::AuditVerify)
    else {
        panic!("verified")
    };
    assert_eq!(proof.broken, None);
    assert!(proof.records > 60, "60 halts, and each resume that ended one: {}", proof.records);
}

#[test]
fn hostile_bytes_do_not_hurt_the_server() {
    let site = Site::new(&[]);
    let _server = serve(&site);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(100));
    runner
        .run(&prop::collection::vec(any::<u8>(), 0..300), |bytes| {
            raw(&site, &bytes);
            Ok(())
        })
        .unwrap();
    assert!(status(&site).is_ok());
    assert_eq!(site.records().len(), 1, "nothing but the start was ever done");
}
