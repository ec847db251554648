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

fn connect(site: &Site) -> Result<Client, ClientError> {
    Client::connect(&site.plan.instance.socket, Duration::from_secs(20))
}

fn status(site: &Site) -> Result<Reply, ClientError> {
    connect(site)?.call(Command::Status)
}

#[test]
fn a_client_is_answered_and_the_socket_is_closed_to_others() {
    let site = Site::new(&[]);
    let server = serve(&site);
    let mode = fs::metadata(&site.plan.instance.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let mut client = connect(&site).unwrap();
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
    let mut client = connect(&site).unwrap();
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

/// Waits until the server has taken so many connections of ours, or hung up on some.
fn ended(stream: &mut UnixStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    matches!(stream.read(&mut [0; 64]), Ok(0))
}

#[test]
fn a_users_idle_connections_make_room_for_the_next_one() {
    let site = Site::new(&[]);
    let _server = serve(&site);
    let mut idle: Vec<UnixStream> = Vec::new();
    for _ in 0..8 {
        idle.push(UnixStream::connect(&site.plan.instance.socket).unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
    for _ in 0..3 {
        let mut client = connect(&site).unwrap();
        assert!(matches!(client.call(Command::Halt { reason: None, ticket: None }), Ok(Reply::Changed(_))));
    }
    assert!(ended(&mut idle[0]), "the one that was idle for longest went first");
    assert!(!ended(&mut idle[7]), "and no more than needed");
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
                let mut client = connect(&site).unwrap();
                for _ in 0..10 {
                    client.call(Command::Halt { reason: None, ticket: None }).unwrap();
                    let reason = "over".parse().unwrap();
                    client.call(Command::Resume { reason, ticket: None }).unwrap();
                }
            });
        }
    });
    let Ok(Reply::Verified(proof)) = connect(&site).unwrap().call(Command::AuditVerify) else {
        panic!("verified")
    };
    assert_eq!(proof.broken, None);
    assert!(
        proof.records >= 12,
        "the halts that changed something, and each resume that ended one: {}",
        proof.records
    );
    assert!(proof.is_proven());
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
    assert_eq!(site.records().len(), 2, "nothing but the first start was ever done");
}

/// Users with roles, acting by number; none where that is not allowed.
fn act_as(socket: &std::path::Path, uid: u32, arguments: &[&str]) -> std::process::Output {
    use std::os::unix::process::CommandExt;
    let program = socket.with_file_name("portcullisctl");
    let mut command = std::process::Command::new(program);
    command.arg("--socket").arg(socket).args(arguments).uid(uid).gid(uid).output().unwrap()
}

/// Sixty-four viewers, and as many without a role, all connected and idle: an officer and a trader get through at once.
#[test]
fn seats_are_kept_for_officers_and_for_tightening() {
    if !rustix::process::geteuid().is_root() {
        tests::skip(tests::Need::Root, "acting as another user needs root");
        return;
    }
    let viewers: Vec<String> = (60_000..60_016).map(|uid| format!("\"uid:{uid}\"")).collect();
    let roles = format!("roles.viewer=[{}]", viewers.join(","));
    let site = Site::new(&[&roles, "roles.trader=[\"uid:61000\"]", "roles.risk_officer=[\"uid:62000\"]"]);
    let socket = &site.plan.instance.socket;
    fs::set_permissions(site.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let _server = serve(&site);
    fs::set_permissions(socket, fs::Permissions::from_mode(0o666)).unwrap();
    let program = site.dir.path().join("portcullisctl");
    fs::copy(env!("CARGO_BIN_EXE_portcullisctl"), &program).unwrap();
    let mut crowd: Vec<std::process::Child> = Vec::new();
    let script = "import socket,time,sys\ns=[socket.socket(socket.AF_UNIX) for _ in range(6)]\n[x.connect(sys.argv[1]) for x in s]\nprint('in',flush=True)\ntime.sleep(30)";
    for uid in (60_000..60_012).chain(63_000..63_004) {
        use std::os::unix::process::CommandExt;
        let mut command = std::process::Command::new("python3");
        command.args(["-c", script]).arg(socket).uid(uid).gid(uid).stdout(std::process::Stdio::piped());
        let Ok(mut child) = command.spawn() else {
            tests::skip(tests::Need::Program("python3"), "the crowd is python's");
            return;
        };
        let mut said = [0; 2];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        crowd.push(child);
    }
    for (uid, arguments) in [(61_000, &["halt", "--reason", "drill"][..]), (62_000, &["status"])] {
        let begun = Instant::now();
        let found = act_as(socket, uid, arguments);
        assert!(found.status.success(), "{uid}: {}", String::from_utf8_lossy(&found.stderr));
        assert!(begun.elapsed() < Duration::from_secs(4), "{uid}: {:?}", begun.elapsed());
    }
    let Ok(Reply::Status(status)) = status(&site) else { panic!("status") };
    assert!(status.refused.total >= 24, "who has no role was not served: {:?}", status.refused);
    assert!(site.records().len() < 64, "and did not fill the log: {}", site.records().len());
    for mut child in crowd {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
