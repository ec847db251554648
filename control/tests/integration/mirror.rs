//! The mirror, in a real Redis that is away, comes back, and comes back with nothing.

use crate::desk::Site;
use crate::events::{events, sink, tell, trip, until};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tests::{Need, skip};

/// A Redis that is killed when the test ends.
struct Redis {
    child: Child,
    port: u16,
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts one on `port` whose files lie in `dir`; none where there is no Redis.
fn redis(dir: &Path, port: u16) -> Option<Redis> {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--requirepass", "secret"]);
    command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir"]).arg(dir);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    let redis = Redis { child, port };
    until("Redis answers", || (redis.ask(&["PING"]).trim() == "PONG").then_some(()));
    Some(redis)
}

impl Redis {
    fn ask(&self, words: &[&str]) -> String {
        let port = self.port.to_string();
        let mut command = Command::new("redis-cli");
        command.args(["-p", &port, "--no-auth-warning", "-a", "secret"]).args(words);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    /// The numbers of the events in the stream, as they stand in it.
    fn seqs(&self) -> Vec<u64> {
        let json: Vec<(String, Vec<String>)> =
            serde_json::from_str(&self.ask(&["--json", "XRANGE", "risk:events", "-", "+"]))
                .unwrap_or_default();
        let seq = |(_, pairs): &(String, Vec<String>)| {
            assert_eq!(pairs[0], "seq");
            pairs[1].parse().unwrap()
        };
        json.iter().map(seq).collect()
    }

    fn state(&self, scope: &str) -> BTreeMap<String, String> {
        let key = format!("risk:state:{scope}");
        serde_json::from_str(&self.ask(&["--json", "HGETALL", &key])).unwrap_or_default()
    }
}

#[test]
fn a_mirror_has_every_event_once_whatever_becomes_of_redis() {
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let Some(first) = redis(dir.path(), port) else {
        return skip(Need::Redis, "no redis-server on this machine");
    };
    let password = dir.path().join("password");
    std::fs::write(&password, "secret\n").unwrap();
    let set = [
        format!("sink.redis.address=\"127.0.0.1:{port}\""),
        format!("sink.redis.password_file={password:?}"),
        "sink.redis.prefix=\"risk\"".to_owned(),
    ];
    let set: Vec<&str> = set.iter().map(String::as_str).collect();
    let site = Site::new(&set);
    let told = tell(&site);
    trip(&site, "ZVZZT", "one");
    let all = |site: &Site| events(site).iter().map(|event| event.seq).collect::<Vec<_>>();
    let same = |redis: &Redis, site: &Site| {
        until("the mirror has everything", || {
            let (mirrored, told) = (redis.seqs(), all(site));
            (mirrored == told).then_some(told)
        })
    };
    same(&first, &site);
    let state = first.state("instrument:ZVZZT");
    assert!(state["breaker"].contains("one") && state["breaker.severity"] == "warning", "{state:?}");

    // Away while things happen, back with what it had: nothing twice, nothing missing.
    drop(first);
    trip(&site, "AAPL", "two");
    until("it is noticed", || (!sink(&site, "redis").failing.is_empty()).then_some(()));
    let second = redis(dir.path(), port).unwrap();
    let before = same(&second, &site);
    assert!(before.len() > 2 && sink(&site, "redis").lost == 0);

    // Back with nothing: the journal has it all.
    assert_eq!(second.ask(&["FLUSHALL"]).trim(), "OK");
    drop(second);
    let third = redis(dir.path(), port).unwrap();
    trip(&site, "BRK.A", "three");
    same(&third, &site);

    // The daemon starts anew: the place in the journal is Redis's own.
    drop(told);
    let site = site.restart(&set);
    let told = tell(&site);
    same(&third, &site);
    assert_eq!(third.state("instrument:AAPL")["breaker.reason"], "two");
    drop(told);
}

#[test]
fn a_redis_that_refuses_the_password_is_said_to() {
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let Some(redis) = redis(dir.path(), port) else {
        return skip(Need::Redis, "no redis-server on this machine");
    };
    let address = format!("sink.redis.address=\"127.0.0.1:{port}\"");
    let site = Site::new(&[&address]);
    let told = tell(&site);
    let why = until("it is refused", || Some(sink(&site, "redis").failing).filter(|why| !why.is_empty()));
    assert!(why.contains("NOAUTH"), "{why}");
    assert_eq!(redis.seqs(), Vec::<u64>::new());
    drop(told);
}
