//! Metrics: one list, from which constants and page are made and against which the dashboard and the alert rules are held; and a scrape
//! of the real listener, judged by Prometheus's own check.

use crate::desk::Site;
use crate::events::{tell, trip, until};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tests::{Need, repository, skip};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    r#type: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    labels: Vec<String>,
    help: String,
}

#[derive(Deserialize)]
struct Table {
    metric: Vec<Row>,
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn table() -> Vec<Row> {
    toml::from_str::<Table>(&std::fs::read_to_string(here("metrics.toml")).unwrap()).unwrap().metric
}

impl Row {
    /// The name under which Prometheus keeps it.
    fn stored(&self) -> String {
        let ending = match self.r#type.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        format!("portcullis_{}{ending}", self.name)
    }
}

fn constants(rows: &[Row]) -> String {
    let mut text = "//! Every metric by its name. Made of `metrics.toml` by the test beside it (`UPDATE_METRICS=1`); do not edit.\n\n\
                    use super::table::Metric;\n\n"
        .to_owned();
    for Row { name, r#type: kind, unit, help, .. } in rows {
        let constant = name.to_uppercase();
        text.push_str(&format!(
            "pub(super) const {constant}: Metric = Metric::{kind}(\"{name}\", \"{unit}\", \"{help}\");\n"
        ));
    }
    text
}

fn page(rows: &[Row]) -> String {
    let mut text = "# Metrics\n\nServed at `http://ADDRESS/metrics` where `[metrics] listen` names an address of the loopback, from what\n\
                    `portcullisctl status -o json` reads: a scrape touches no stage. OpenMetrics 1.0 for who asks for it, else the text format\n\
                    0.0.4. Names are append-only. Labels are from closed sets, never symbols or order ids. Quantiles are of everything since\n\
                    the start; `latency.hlog` stays the truth. `nic-config/prometheus` has a dashboard and alert rules.\n\n\
                    Made of `metrics.toml` by a test (`UPDATE_METRICS=1`).\n\n| metric | type | labels | what it says |\n|---|---|---|---|\n"
        .to_owned();
    for row in rows {
        let labels = row.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        text.push_str(&format!("| `{}` | {} | {labels} | {} |\n", row.stored(), row.r#type, row.help));
    }
    text
}

/// Without what a formatter decides.
fn unformatted(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    text.replace(",)", ")")
}

#[test]
fn constants_and_page_are_as_the_table_says() {
    let rows = table();
    for (path, wanted) in [("src/metrics/names.rs", constants(&rows)), ("METRICS.md", page(&rows))] {
        if std::env::var_os("UPDATE_METRICS").is_some() {
            std::fs::write(here(path), &wanted).unwrap();
        }
        assert_eq!(
            unformatted(&std::fs::read_to_string(here(path)).unwrap()),
            unformatted(&wanted),
            "{path}"
        );
    }
    let names: BTreeSet<_> = rows.iter().map(|row| &row.name).collect();
    assert_eq!(names.len(), rows.len());
    for Row { name, labels, unit, help, .. } in &rows {
        let legal = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(legal(name) && labels.iter().all(|label| legal(label)), "{name}");
        assert!(!labels.iter().any(|label| label == "symbol"), "{name}: labels are from closed sets");
        assert!(unit.is_empty() || name.ends_with(unit.as_str()), "{name} ends in its unit");
        assert!(help.len() > 10 && !help.ends_with('.'), "{name} says what it is");
    }
}

/// Every word of `text` that may be a metric of ours.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("portcullis_")).map(str::to_owned).collect()
}

#[test]
fn the_dashboard_and_the_rules_name_metrics_that_there_are() {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for row in table() {
        known.insert(row.stored());
        if row.r#type == "summary" {
            known.insert(format!("{}_count", row.stored()));
        }
    }
    for file in ["dashboard.json", "rules.yml"] {
        let text = std::fs::read_to_string(repository().join("nic-config/prometheus").join(file)).unwrap();
        let named = named(&text);
        assert!(named.len() > 8, "{file}: {named:?}");
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{file} names what there is not: {unknown:?}");
    }
    let dashboard = std::fs::read(repository().join("nic-config/prometheus/dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_slice(&dashboard).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().iter().all(|panel| panel["targets"].is_array()));
}

/// Asks for `target`; gives head and body.
fn get(address: SocketAddr, request: &str, accept: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nHost: x\r\naccept: {accept}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// What promtool says of `input`; none where there is no promtool.
fn promtool(arguments: &[&str], input: &str) -> Option<Result<(), String>> {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Some(if output.status.success() { Ok(()) } else { Err(said) })
}

#[test]
fn a_scrape_has_what_status_has_and_promtool_finds_nothing_amiss() {
    let site =
        Site::new(&["client.mm1={ user = \"uid:77\", strategies = [\"mm1\"], accounts = [\"ACME\"] }"]);
    site.desk.condemned.store(5, Ordering::Relaxed);
    site.desk.restarts.store(1, Ordering::Relaxed);
    let told = tell(&site);
    let server = site.controller.serve_metrics("127.0.0.1:0".parse().unwrap()).unwrap();
    trip(&site, "ZVZZT", "news \"pending\"");
    let text = until("the alert is counted", || {
        let (head, body) = get(server.address(), "GET /metrics", "text/plain");
        assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("version=0.0.4"), "{head}");
        body.contains("portcullis_alerts{kind=\"breaker\",severity=\"warning\"} 1\n").then_some(body)
    });
    for sample in [
        "portcullis_build_info{instance=\"portcullis\",version=\"0.1.0\"} 1\n",
        "portcullis_breakers_tripped 1\n",
        "portcullis_halted 0\n",
        "portcullis_feed_messages_total{feed=\"xnas-itch\"} 1234567\n",
        "portcullis_feed_state{feed=\"xnas-itch\",state=\"live\"} 1\n",
        "portcullis_feed_dropped_total{feed=\"xnas-itch\",cause=\"bad_checksums\"} 5\n",
        "portcullis_feed_restarts_total{feed=\"xnas-itch\"} 1\n",
        "portcullis_line_late_messages_total{feed=\"xnas-itch\",channel=\"0\",line=\"B\"} 1193567\n",
        "portcullis_orders_total{decision=\"reject\"} 377\n",
        "portcullis_client_orders_total{client=\"mm1\",decision=\"accept\"} 1200\n",
        "portcullis_client_in_doubt{client=\"mm1\"} 1\n",
        "portcullis_feed_last_message_timestamp_seconds{feed=\"xnas-itch\"} 1795271422.000000000\n",
    ] {
        assert!(text.contains(sample), "{sample} is not in\n{text}");
    }
    // Each metric of the table is there, in its order or another, and none beside it.
    let families: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let rows = table();
    let known: Vec<String> = rows.iter().map(Row::stored).collect();
    assert_eq!(families, known.iter().map(String::as_str).collect());

    let (head, open) =
        get(server.address(), "GET /metrics?x=1", "application/openmetrics-text; version=1.0.0");
    assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(open.ends_with("# EOF\n") && open.contains("# TYPE portcullis_feed_messages counter\n"));
    assert!(get(server.address(), "HEAD /metrics", "").1.is_empty());
    assert!(get(server.address(), "GET /", "").0.starts_with("HTTP/1.1 404"));
    assert!(get(server.address(), "POST /metrics", "").0.starts_with("HTTP/1.1 405"));
    drop(told);
    match promtool(&["check", "metrics"], &text) {
        None => skip(Need::Promtool, "no promtool on this machine"),
        Some(verdict) => assert_eq!(verdict, Ok(())),
    }
}

#[test]
fn promtool_finds_nothing_amiss_in_the_rules() {
    let rules = repository().join("nic-config/prometheus/rules.yml");
    match promtool(&["check", "rules", rules.to_str().unwrap()], "") {
        None => skip(Need::Promtool, "no promtool on this machine"),
        Some(verdict) => assert_eq!(verdict, Ok(())),
    }
    let tests = repository().join("nic-config/prometheus/rules_test.yml");
    match promtool(&["test", "rules", tests.to_str().unwrap()], "") {
        None => skip(Need::Promtool, "no promtool on this machine"),
        Some(verdict) => assert_eq!(verdict, Ok(()), "what they fire on"),
    }
}

#[test]
fn whoever_says_nothing_or_too_much_keeps_nobody_out_for_long() {
    let site = Site::new(&[]);
    let server = site.controller.serve_metrics("127.0.0.1:0".parse().unwrap()).unwrap();
    let silent = TcpStream::connect(server.address()).unwrap();
    let mut loud = TcpStream::connect(server.address()).unwrap();
    loud.write_all(&vec![b'x'; 64 << 10]).unwrap();
    let (head, _) = get(server.address(), "GET /metrics", "");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    drop((silent, loud));
    let taken = site.controller.serve_metrics(server.address());
    assert!(taken.unwrap_err().to_string().contains("metrics.listen"));
    let said = control::metrics::check(server.address()).unwrap().unwrap();
    assert!(said.contains("metrics.listen") && said.ends_with("a start now would fail"), "{said}");
    let address = server.address();
    drop(server);
    assert_eq!(control::metrics::check(address).unwrap(), None);
}

/// Each of them may take a second: one after the other they would keep a scrape waiting for as many.
#[test]
fn idle_connections_keep_no_scrape_waiting_however_many_there_are() {
    let site = Site::new(&[]);
    let server = site.controller.serve_metrics("127.0.0.1:0".parse().unwrap()).unwrap();
    let connect = || TcpStream::connect(server.address()).unwrap();
    let idle: Vec<TcpStream> = (0..64).map(|_| connect()).collect();
    // They ask and take nothing: what is written to them fills the socket.
    let deaf: Vec<TcpStream> = (0..8).map(|_| connect()).collect();
    deaf.iter().for_each(|mut to| to.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap());
    let began = Instant::now();
    let (head, _) = get(server.address(), "GET /metrics", "");
    let took = began.elapsed();
    assert!(head.starts_with("HTTP/1.1 200") && took < Duration::from_secs(5), "{took:?}: {head}");
    // The first of them made room.
    let mut first = &idle[0];
    first.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(first.read(&mut [0]).unwrap_or(0), 0);
    drop((server, idle, deaf));
}
