//! `portcullis-rest` before a real control socket: every answer is what its OpenAPI document says, nothing that is not meant for it is
//! served, nothing old is shown as what is, and whatever floods it keeps no officer from the daemon.

mod http;
mod market;
mod schema;

use control::client::Client;
use control::protocol::{Changed, Command, Reply, TripMode};
use http::{Answer, Rest, Stream};
use market::{ODD, Site};
use schema::judge;
use serde_json::Value;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use types::Tier;

/// An appliance and its page.
struct Desk {
    rest: Rest,
    site: Option<Site>,
    dir: TempDir,
}

impl Desk {
    fn start(count: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let site = Site::start(dir.path(), count);
        let rest = Rest::start(&site.socket);
        let desk = Self { rest, site: Some(site), dir };
        desk.until_heard();
        desk
    }

    fn site(&self) -> &Site {
        self.site.as_ref().expect("it runs")
    }

    fn until_heard(&self) {
        until("the daemon is heard", || self.rest.get("/v1/health").status == 200);
    }
}

/// Waits until `is_so`, for at most half a minute.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn command(socket: &Path, command: Command) -> Changed {
    match Client::connect(socket, Duration::from_secs(20)).unwrap().call(command) {
        Ok(Reply::Changed(changed)) => changed,
        other => panic!("{other:?}"),
    }
}

fn halt(socket: &Path) -> Changed {
    command(socket, Command::Halt { reason: Some("drill".parse().unwrap()), ticket: None })
}

fn document() -> Value {
    serde_json::from_str(include_str!("../../src/openapi.json")).unwrap()
}

/// That an answer to `path`, as the document writes it, is one that the document describes; its JSON.
fn described(document: &Value, path: &str, answer: &Answer) -> Value {
    let responses = &document["paths"][path]["get"]["responses"];
    let status = answer.status.to_string();
    let found = responses.get(&status).unwrap_or(&responses["default"]);
    let found = found["$ref"].as_str().map_or(found, |at| document.pointer(&at[1..]).expect("a response"));
    for (name, header) in found["headers"].as_object().into_iter().flatten() {
        let value = answer.field(&name.to_ascii_lowercase());
        let value = if header["schema"]["type"] == "integer" {
            serde_json::from_str(value).unwrap_or(Value::Null)
        } else {
            Value::from(value)
        };
        judge(document, &header["schema"], &value, name).unwrap_or_else(|fault| panic!("{path}: {fault}"));
    }
    let content = found["content"].as_object().expect("content");
    let (kind, content) = content.iter().next().expect("one kind");
    assert!(answer.field("content-type").starts_with(kind.as_str()), "{path}: {answer:?}");
    let json = answer.json();
    let fault = judge(document, &content["schema"], &json, "");
    assert_eq!(fault, Ok(()), "{path}: {status}");
    json
}

#[test]
fn every_answer_is_what_the_description_says() {
    let desk = Desk::start(20);
    let document = document();
    let get = |path: &str| described(&document, path, &desk.rest.get(&path.replace("{symbol}", "S00003")));
    let place =
        desk.site().market.symbols().iter().position(|symbol| symbol.to_string() == "S00003").unwrap();
    desk.site().market.set(place, Tier::Critical, Some(991_234));
    let scope = "account:ACME".parse().unwrap();
    let reason = "<b>drill</b>".parse().unwrap();
    command(
        &desk.site().socket,
        Command::BreakerTrip { scope, mode: TripMode::Tripped, reason, ticket: None },
    );
    halt(&desk.site().socket);
    until("the trip is seen", || get("/v1/breakers")["rows"].as_array().unwrap().len() == 2);
    until("the tier is seen", || get("/v1/status")["tiers"]["critical"] == 1);
    until("the trip is an event", || get("/v1/events")["rows"].to_string().contains("<b>drill</b>"));
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    for path in paths.into_iter().filter(|path| *path != "/v1/stream") {
        let json = get(path);
        assert!(json.as_object().is_some_and(|fields| !fields.is_empty()), "{path}: {json}");
        if !["/v1/proposals"].contains(&path.as_str()) {
            let empty = ["rows", "points", "hops"]
                .iter()
                .any(|list| json[list].as_array().is_some_and(Vec::is_empty));
            assert!(!empty, "{path} is described where there is something to describe: {json}");
        }
    }
    let state = get("/v1/instruments/{symbol}/state");
    assert_eq!((&state["tier"], state["score"].as_f64()), (&"critical".into(), Some(0.991_234)), "{state}");
    assert!(state["limits"].as_array().unwrap().len() > 5 && state["drivers"][0]["value"] == 6.25, "{state}");
    let past = get("/v1/instruments/{symbol}/history");
    let last = past["points"].as_array().unwrap().last().expect("it was seen").clone();
    assert_eq!((&last["tier"], last["score"].as_f64()), (&"critical".into(), Some(0.991_234)));
}

#[test]
fn instruments_come_in_pages_of_any_size_whatever_they_are_called() {
    let desk = Desk::start(500);
    let document = document();
    let page = |query: &str| {
        described(&document, "/v1/instruments", &desk.rest.get(&format!("/v1/instruments{query}")))
    };
    let symbols = |json: &Value| -> Vec<String> {
        json["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["symbol"].as_str().unwrap().to_owned())
            .collect()
    };
    let wanted: Vec<String> = desk.site().market.symbols().iter().map(ToString::to_string).collect();
    let all = page("");
    assert!(all["next"].is_null() && symbols(&all) == wanted, "{all}");
    let (mut walked, mut query) = (Vec::new(), "?limit=7".to_owned());
    loop {
        let json = page(&query);
        walked.extend(symbols(&json));
        let Some(next) = json["next"].as_str() else { break };
        query = format!("?limit=7&after={}", encoded(next));
    }
    assert_eq!(walked, wanted);
    assert_eq!(symbols(&page("?after=~~~~")), [""; 0]);
    for name in ODD {
        for part in ["state", "history"] {
            let answer = desk.rest.get(&format!("/v1/instruments/{}/{part}", encoded(name)));
            let json = described(&document, &format!("/v1/instruments/{{symbol}}/{part}"), &answer);
            assert_eq!((answer.status, &json["symbol"]), (200, &Value::from(name)), "{name}");
        }
    }
}

/// As a browser's `encodeURIComponent` writes it, and everything that is no letter or digit besides.
fn encoded(text: &str) -> String {
    let one = |b: u8| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(one).collect()
}

#[test]
fn who_has_an_answer_is_told_so() {
    let desk = Desk::start(20);
    let first = desk.rest.get("/v1/breakers");
    let tag = first.field("etag").to_owned();
    let again = desk.rest.ask("GET", "/v1/breakers", &[("If-None-Match", &format!("\"x\", W/{tag}"))]);
    assert_eq!((again.status, again.body.len(), again.field("etag")), (304, 0, tag.as_str()));
    halt(&desk.site().socket);
    until("the halt is another answer", || {
        desk.rest.ask("GET", "/v1/breakers", &[("If-None-Match", &tag)]).status == 200
    });
    let head = desk.rest.ask("HEAD", "/v1/breakers", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(head.field("content-length").parse::<usize>().unwrap() > 0);
}

#[test]
fn what_is_not_meant_for_it_or_makes_no_sense_is_a_problem_in_words() {
    let desk = Desk::start(20);
    let document = document();
    let problem = |answer: &Answer, status: u16, kind: &str, part: &str| {
        let json = described(&document, "/v1/status", answer);
        assert_eq!((answer.status, json["status"].as_u64()), (status, Some(status.into())), "{json}");
        assert_eq!(json["type"], format!("urn:portcullis:problem:{kind}"), "{json}");
        assert!(json["detail"].as_str().unwrap().contains(part), "{json}");
        assert!(answer.field("content-security-policy").contains("default-src 'none'"), "{answer:?}");
        assert_eq!(answer.field("x-content-type-options"), "nosniff");
        assert!(!answer.fields.keys().any(|name| name.starts_with("access-control-")), "{answer:?}");
    };
    let rest = &desk.rest;
    for (path, status, kind, part) in [
        ("/v1/nothing", 404, "not_found", "/v1/openapi.json"),
        ("/v1/instruments/NONE/state", 404, "not_found", "NONE"),
        ("/v1/instruments/NONE/history", 404, "not_found", "NONE"),
        ("/v1/instruments/NINELETTERS/state", 400, "bad_request", "1 to 8 printable"),
        ("/v1/instruments/%00/state", 400, "bad_request", "1 to 8 printable"),
        ("/v1/instruments/%FF/state", 400, "bad_request", "UTF-8"),
        ("/v1/instruments?limit=0", 400, "bad_request", "limit: found 0, wanted 1 to 10000"),
        ("/v1/instruments?limit=10001", 400, "bad_request", "limit: found 10001, wanted 1 to 10000"),
        ("/v1/instruments?limit=x", 400, "bad_request", "limit"),
        ("/v1/instruments?after=", 400, "bad_request", "after"),
        ("/v1/instruments?aftre=A", 400, "bad_request", "aftre"),
        ("/v1/instruments?limit=1&limit=2", 400, "bad_request", "limit"),
        ("/v1/events?count=1001", 400, "bad_request", "count: found 1001, wanted 1 to 1000"),
        ("/v1/events?after=-1", 400, "bad_request", "after"),
        ("/v1/positions?client=%3Cscript%3E", 400, "bad_request", "client"),
        ("/v1/status?x=1", 400, "bad_request", "x"),
    ] {
        problem(&rest.get(path), status, kind, part);
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let answer = rest.ask(method, "/v1/status", &[]);
        problem(&answer, 405, "method", "nothing is changed here");
        assert_eq!(answer.field("allow"), "GET, HEAD", "{answer:?}");
    }
    problem(&rest.ask("GET", "/v1/status", &[("Content-Length", "5")]), 413, "body", "wanted none");
    problem(
        &rest.ask("GET", "/v1/status", &[("Sec-Fetch-Site", "cross-site")]),
        403,
        "cross_site",
        "another site",
    );
    assert_eq!(rest.ask("GET", "/v1/status", &[("Sec-Fetch-Site", "same-origin")]).status, 200);
    // A link in a chat, or the way back from a login.
    let follows =
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
    assert_eq!(rest.ask("GET", "/", &follows).status, 200);
    let framed =
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")];
    assert_eq!(rest.ask("GET", "/", &framed).status, 403);
    let with_host =
        |host: &str| rest.raw(&format!("GET /v1/status HTTP/1.1\r\n{host}Connection: close\r\n\r\n"), false);
    for host in ["", "Host: evil.example\r\n", "Host: 127.0.0.1\r\n", "Host: \r\n"] {
        let answer = with_host(host);
        assert!(answer.status == 421 || (host.is_empty() && answer.status == 400), "{host:?}: {answer:?}");
    }
    assert_eq!(with_host("Host: Risk.example.com:8443\r\n").status, 200, "a proxy's name");
    let absolute = format!(
        "GET http://evil.example/v1/status HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        rest.address
    );
    assert_eq!(rest.raw(&absolute, false).status, 421);
    let long = rest.ask("GET", "/v1/status", &[("X-Long", &"x".repeat(20_000))]);
    assert_eq!(long.status, 431);
}

#[test]
fn nothing_old_is_shown_as_what_is() {
    let mut desk = Desk::start(20);
    let mut stream = Stream::open(&desk.rest);
    stream.until("status", |status| status["instance"].is_string());
    drop(desk.site.take());
    let down = stream.until("down", |_| true);
    assert!(down["detail"].as_str().unwrap().contains("no appliance at"), "{down}");
    for path in [
        "/v1/health",
        "/v1/status",
        "/v1/instruments",
        "/v1/instruments/S00003/state",
        "/v1/events",
        "/v1/alerts",
    ] {
        let answer = desk.rest.get(path);
        assert_eq!(answer.status, 503, "{path}: {answer:?}");
        assert_eq!(answer.field("retry-after"), "1");
        let json = described(&document(), "/v1/status", &answer);
        assert_eq!(json["type"], "urn:portcullis:problem:stale", "{json}");
    }
    desk.site = Some(Site::start(desk.dir.path(), 20));
    desk.until_heard();
    stream.until("anew", |_| true);
    assert_eq!(desk.rest.get("/v1/instruments/S00003/state").status, 200);
}

#[test]
fn the_stream_tells_what_is_other_than_it_was() {
    let desk = Desk::start(20);
    let mut stream = Stream::open(&desk.rest);
    let names: Vec<String> = (0..3).map(|_| stream.next().0).collect();
    assert_eq!(names, ["status", "anew", "lists"]);
    let document = document();
    let halted = Instant::now();
    halt(&desk.site().socket);
    let (mut status, mut told, mut listed) = (Value::Null, false, false);
    while status.is_null() || !told || !listed {
        let (name, data) = stream.next();
        match name.as_str() {
            "status" if !data["halt"].is_null() => status = data,
            "events" => {
                for event in data["rows"].as_array().unwrap() {
                    judge(&document, &document["components"]["schemas"]["Event"], event, "").unwrap();
                    told |= event["kind"] == "halt";
                }
            }
            "lists" => listed |= data["names"].as_array().unwrap().contains(&"breakers".into()),
            _ => {}
        }
    }
    judge(&document, &document["components"]["schemas"]["Status"], &status, "").unwrap();
    let market = &desk.site().market;
    market.set(3, Tier::High, Some(987_654));
    let moved = stream.until("instruments", |_| true);
    let symbol = market.symbols()[3].to_string();
    let wanted = serde_json::json!({ "symbol": symbol, "tier": "high", "score": 0.987654, "book": "live" });
    assert_eq!(moved["rows"], Value::from(vec![wanted]), "what moved and nothing else");
    assert!(halted.elapsed() < Duration::from_secs(20), "{:?}", halted.elapsed());
}

#[test]
fn seats_on_the_stream_are_bounded_and_come_back() {
    let desk = Desk::start(20);
    let streams = || desk.rest.get("/v1/health").json()["streams"].as_u64().unwrap();
    let open: Vec<Stream> = (0..32).map(|_| Stream::open(&desk.rest)).collect();
    assert_eq!(streams(), 32);
    let beyond = desk.rest.get("/v1/stream");
    assert_eq!((beyond.status, beyond.field("retry-after")), (503, "1"), "{beyond:?}");
    drop(open);
    until("the seats are free again", || streams() == 0);
}

#[test]
fn a_flood_ends_here() {
    let desk = Desk::start(20);
    let flood: Vec<_> = (0..8)
        .map(|n| {
            let address = desk.rest.address;
            std::thread::spawn(move || {
                let path = ["/v1/limits", "/v1/instruments", "/v1/positions", "/v1/stream"][n % 4];
                let until = Instant::now() + Duration::from_secs(4);
                let mut refused = 0;
                while Instant::now() < until {
                    let Ok(mut stream) = TcpStream::connect(address) else { continue };
                    for _ in 0..20 {
                        let asked = write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
                        refused += u32::from(asked.is_err());
                    }
                }
                refused
            })
        })
        .collect();
    // Who only connects and says nothing takes a seat for as long as a head may take.
    let silent: Vec<_> = (0..300).filter_map(|_| TcpStream::connect(desk.rest.address).ok()).collect();
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        let begun = Instant::now();
        halt(&desk.site().socket);
        slowest = slowest.max(begun.elapsed());
    }
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    flood.into_iter().for_each(|thread| drop(thread.join()));
    drop(silent);
    until("it serves again", || desk.rest.get("/v1/health").status == 200);
}

#[test]
fn the_page_may_do_nothing_but_read_this_server() {
    let desk = Desk::start(20);
    for (path, kind, part) in [
        ("/", "text/html", "<title>"),
        ("/page.css", "text/css", "#scroll"),
        ("/page.js", "text/javascript", "EventSource"),
    ] {
        let answer = desk.rest.get(path);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.field("content-type").starts_with(kind), "{answer:?}");
        let policy = answer.field("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(String::from_utf8(answer.body).unwrap().contains(part), "{path}");
        assert_eq!(desk.rest.ask("POST", path, &[]).status, 405);
    }
}
