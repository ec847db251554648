//! The acceptance definitions of the FIX session layer, played against a session on a simulated clock: `I` lines go in, `E` lines must come
//! out, field by field.

use super::sessions::{START, acceptor};
use crate::fix::dictionary::Version;
use crate::fix::frame::{Framed, SOH, check_sum, frame};
use crate::fix::message::Message;
use crate::fix::session::{Core, SendError, Session, State};
use crate::fix::store::Cause;
use crate::fix::{dictionary, tags, time};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use types::{Nanos, UnixNanos};

/// How long a definition may make the other side wait.
const PATIENCE: u64 = 60_000_000_000;

struct Stage {
    session: Session,
    now: UnixNanos,
    /// Which connection the session has.
    connection: Option<u32>,
    /// Connections that were refused, since the session has one.
    refused: BTreeSet<u32>,
    seen: BTreeSet<Vec<u8>>,
}

impl Stage {
    fn new(version: Version, folder: &Path) -> Self {
        let session = acceptor(version, folder, true);
        Self { session, now: START, connection: None, refused: BTreeSet::new(), seen: BTreeSet::new() }
    }

    fn connect(&mut self, connection: u32) {
        if self.session.state() == State::Down {
            self.connection = Some(connection);
            self.session.connected(self.now);
        } else {
            self.refused.insert(connection);
        }
    }

    fn disconnect(&mut self) {
        self.connection = None;
        self.session.disconnected();
    }

    fn receive(&mut self, connection: u32, bytes: &[u8]) {
        if self.connection != Some(connection) {
            return;
        }
        let seen = &mut self.seen;
        let mut app = |message: &Message<'_>, core: &mut Core, now| echo(seen, message, core, now);
        self.session.receive(bytes, self.now, &mut app);
    }

    fn wait(&mut self, until: impl Fn(&Self) -> bool) -> bool {
        let end = self.now.plus(Nanos(PATIENCE));
        while !until(self) {
            if self.now > end {
                return false;
            }
            self.now = self.now.plus(Nanos(50_000_000));
            self.session.tick(self.now);
        }
        true
    }

    fn expect(&mut self, expected: &str) -> Result<(), String> {
        if !self.wait(|stage| !stage.session.waiting().is_empty()) {
            return Err("nothing came".to_owned());
        }
        let Framed::Message(length) = frame(self.session.waiting()) else {
            return Err("what came is no message".to_owned());
        };
        let bytes = self.session.waiting()[..length].to_vec();
        self.session.taken(length);
        let message = Message::parse(&bytes).map_err(|fault| fault.to_string())?;
        let found: Vec<_> = message
            .fields()
            .map(|field| (field.tag, String::from_utf8_lossy(field.value).into_owned()))
            .collect();
        let mut wanted: Vec<_> = expected.split(SOH as char).filter(|field| !field.is_empty()).collect();
        // BodyLength and CheckSum hold by what `frame` says; the definitions' are those of other times.
        wanted.retain(|field| !field.starts_with("9=") && !field.starts_with("10="));
        let judged: Vec<_> = found.iter().filter(|(tag, _)| !matches!(tag, 9 | 10)).collect();
        let same = judged.len() == wanted.len()
            && judged.iter().zip(&wanted).all(|((tag, value), wanted)| {
                let (wanted_tag, wanted_value) = wanted.split_once('=').unwrap_or(("", ""));
                let is_time = matches!(*tag, 52 | 60 | 122) && time::parse(value.as_bytes()).is_some();
                tag.to_string() == wanted_tag && (is_time || value == wanted_value)
            });
        if same { Ok(()) } else { Err(format!("found {}", printable(&bytes))) }
    }

    fn expect_disconnect(&mut self, connection: u32) -> Result<(), String> {
        if self.refused.remove(&connection) {
            return Ok(());
        }
        if !self.wait(|stage| stage.session.closing().is_some()) {
            return Err("not disconnected".to_owned());
        }
        let waiting = printable(self.session.waiting());
        self.disconnect();
        if waiting.is_empty() { Ok(()) } else { Err(format!("more than expected: {waiting}")) }
    }
}

/// The application of the definitions: orders go back as they came, their fields in the order of their tags.
fn echo(
    seen: &mut BTreeSet<Vec<u8>>,
    message: &Message<'_>,
    core: &mut Core,
    now: UnixNanos,
) -> Result<(), SendError> {
    if message.kind() == b"3" {
        return Ok(());
    }
    if !matches!(message.kind(), b"D" | b"d") {
        return core.reject_business(message, (3, "Unsupported Message Type"), Cause::default(), now);
    }
    let known = !seen.insert(message.get(tags::CL_ORD_ID).unwrap_or_default().to_vec());
    let again = message.get(tags::POSS_RESEND) == Some(b"Y");
    if known && again {
        return Ok(());
    }
    let mut body: Vec<_> = message
        .fields()
        .filter(|field| !dictionary::is_header(field.tag) && !dictionary::is_trailer(field.tag))
        .collect();
    body.sort_by_key(|field| field.tag);
    core.send(message.kind(), Cause::default(), now, |writer| {
        if again {
            writer.text(tags::POSS_RESEND, b"Y");
        }
        body.iter().for_each(|field| writer.text(field.tag, field.value));
    })
}

fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(SOH as char, "|")
}

/// A message of a definition as it is sent: with times, and with BodyLength and CheckSum where it has none.
fn completed(line: &str, now: UnixNanos) -> Vec<u8> {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("<TIME") {
        let (offset, after) = after.split_once('>').expect("a time that ends");
        let offset: i64 = if offset.is_empty() { 0 } else { offset.parse().expect("seconds") };
        let at = now.0.checked_add_signed(offset * 1_000_000_000).expect("a time");
        text.push_str(before);
        text.push_str(std::str::from_utf8(&time::text(UnixNanos(at))).expect("text"));
        rest = after;
    }
    text.push_str(rest);
    if !text.contains("\x019=") {
        let (begin, body) = text.split_once('\x01').expect("fields");
        let body = body.split("10=").next().filter(|_| body.contains("\x0110=")).unwrap_or(body);
        text = format!("{begin}\x019={}\x01{}", body.len(), &text[begin.len() + 1..]);
    }
    if !text.contains("\x0110=") {
        let sum = check_sum(text.as_bytes());
        let _ = write!(text, "10={sum:03}\x01");
    }
    text.into_bytes()
}

/// Plays one definition; what went wrong, at which line.
fn play(version: Version, definition: &str, folder: &Path) -> Result<(), String> {
    let mut stage = Stage::new(version, folder);
    for (number, line) in definition.lines().enumerate() {
        let line = line.trim_end_matches('\r');
        let (kind, rest) = line.split_at_checked(1).unwrap_or(("#", ""));
        let (connection, rest) = match rest.split_once(',') {
            Some((digits, rest))
                if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                (digits.parse().expect("a number"), rest)
            }
            _ => (1, rest),
        };
        let outcome = match (kind, rest) {
            ("i", "CONNECT") => {
                stage.connect(connection);
                Ok(())
            }
            ("i", "DISCONNECT") => {
                stage.disconnect();
                Ok(())
            }
            ("e", "DISCONNECT") => stage.expect_disconnect(connection),
            ("I", rest) => {
                stage.receive(connection, &completed(rest, stage.now));
                Ok(())
            }
            ("E", rest) => stage.expect(rest),
            _ => Ok(()),
        };
        outcome.map_err(|error| format!("line {}: {}\n  {error}", number + 1, printable(line.as_bytes())))?;
    }
    Ok(())
}

/// The definitions lie beside the repository, or they are not run; the table says of each what came out.
#[test]
fn the_acceptance_definitions_hold() {
    let Some(root) = tests::real_data("order_entry/fix/_test/definitions/server") else { return };
    let mut failed = Vec::new();
    let mut table: BTreeMap<String, [&str; 2]> = BTreeMap::new();
    for (column, (name, version)) in
        [("fix42", Version::Fix42), ("fix44", Version::Fix44)].into_iter().enumerate()
    {
        for file in std::fs::read_dir(root.join(name)).expect("a folder of definitions") {
            let path = file.expect("a file").path();
            let text = std::fs::read(&path).expect("a definition");
            let folder = tempfile::tempdir().expect("a folder");
            let played = play(version, &String::from_utf8_lossy(&text), folder.path());
            let definition = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let row = table.entry(definition).or_insert(["-"; 2]);
            row[column] = if played.is_ok() { "pass" } else { "fail" };
            if let Err(error) = played {
                failed.push(format!("{}: {error}", path.display()));
            }
        }
    }
    assert!(failed.is_empty(), "{} fail:\n{}", failed.len(), failed.join("\n"));
    let rows: Vec<_> = table.iter().map(|(name, [old, new])| format!("| {name} | {old} | {new} |")).collect();
    let page = std::fs::read_to_string(tests::repository().join("tests/FIX.md")).expect("the page");
    let (_, shown) = page.split_once("|---|---|---|\n").expect("a table");
    assert_eq!(shown.lines().collect::<Vec<_>>(), rows);
}

/// A definition that expects something else, or nothing, is told apart.
#[test]
fn a_definition_that_does_not_hold_fails_at_its_line() {
    let logon =
        "iCONNECT\nI8=FIX.4.4\x0135=A\x0134=1\x0149=TW\x0152=<TIME>\x0156=ISLD\x0198=0\x01108=30\x01\n";
    let answer = "E8=FIX.4.4\x0135=A\x0134=1\x0149=ISLD\x0152=0\x0156=TW\x0198=0\x01108=30\x01\n";
    let failure = |definition: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        play(Version::Fix44, definition, folder.path()).err().map(|error| error.lines().next().map(str::len))
    };
    assert_eq!(failure(&format!("{logon}{answer}")), None);
    assert!(failure(&format!("{logon}{}", answer.replace("108=30", "108=31"))).is_some());
    assert!(failure(&format!("{logon}{}", answer.replace("98=0\x01", ""))).is_some());
    assert!(failure(&format!("{logon}{answer}{answer}")).is_some());
    assert!(failure(&format!("{logon}eDISCONNECT\n")).is_some());
    assert!(failure(&logon.replace("34=1", "34=2")).is_none(), "nothing is expected");
}
