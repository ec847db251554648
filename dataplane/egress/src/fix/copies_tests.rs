use super::*;
use crate::fix::CompIds;
use crate::fix::Version;
use crate::fix::session::{Config, Core, Role, SendError, Session, State};
use crate::fix::store::{Cause, Store};
use crate::reconcile::words::Execution;
use crate::socket::End;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use types::{Nanos, Px, Side};

/// Who sends copies: a session that connects.
struct Sender {
    session: Session,
    end: Option<End>,
    to: SocketAddr,
}

const NOW: UnixNanos = UnixNanos(1_796_000_000_000_000_000);

impl Sender {
    fn new(dir: &Path, to: SocketAddr) -> Self {
        let config = Config {
            version: Version::Fix44,
            role: Role::Initiator,
            sender: "EXCH".to_owned(),
            target: "US".to_owned(),
            heartbeat_s: 30,
            reset_on_logon: false,
            judge_bodies: false,
            user_fields: true,
            sending_time_tolerance: Nanos(120_000_000_000),
        };
        let store = Store::open(&dir.join("sender.fixlog"), |_, _| {}).unwrap();
        Self { session: Session::new(config, store), end: None, to }
    }

    fn connect(&mut self) {
        self.end = Some(End::new(TcpStream::connect(self.to).unwrap()).unwrap());
        self.session.connected(NOW);
    }

    /// A report, in fields as they are written.
    fn report(&mut self, fields: &str) {
        let send = self.session.core.send(b"8", Cause::default(), NOW, |writer| {
            for field in fields.split('|') {
                let (tag, value) = field.split_once('=').unwrap();
                writer.text(tag.parse().unwrap(), value.as_bytes());
            }
        });
        send.unwrap();
    }

    fn turn(&mut self) {
        let Some(end) = &mut self.end else { return };
        let mut nothing =
            |_: &crate::fix::message::Message<'_>, _: &mut Core, _: UnixNanos| Ok::<(), SendError>(());
        end.fill().ok();
        let input = end.input().to_vec();
        end.consume(input.len());
        self.session.receive(&input, NOW, &mut nothing);
        let sent = end.send(self.session.waiting()).unwrap_or(0);
        self.session.taken(sent);
    }
}

/// Turns both until `count` of what was copied came.
fn carry(link: &mut FixLink, sender: &mut Sender, count: usize) -> Vec<Copied> {
    let mut out = Vec::new();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while out.len() < count || sender.end.is_some() && !(link.is_up() && sender.session.state() == State::Up)
    {
        sender.turn();
        link.turn(1, NOW, &mut out);
        assert!(std::time::Instant::now() < end, "{out:?} {:?}", link.said);
    }
    // And no more.
    (0..20).for_each(|_| {
        sender.turn();
        link.turn(1, NOW, &mut out);
        std::thread::sleep(std::time::Duration::from_millis(1));
    });
    out
}

fn labels(copied: &[Copied]) -> Vec<String> {
    let label = |copied: &Copied| match copied {
        Copied::Begin { is_new } => format!("begin {is_new}"),
        Copied::Settled(key) => format!("settled {key}"),
        Copied::Order(order) => format!("order {} {}", order.label, order.terms.unwrap()),
        Copied::Executed(Execution { label, is_bust, .. }) => format!("execution {label} {is_bust}"),
    };
    copied.iter().map(label).collect()
}

const NEW: &str = "37=V|11=a|17=e0|150=0|39=0|55=AAPL|54=1|38=100|40=2|44=10.5|151=100|14=0|6=0|1=ACME";
const FILL: &str = "37=V|11=a|17=e1|150=F|39=1|55=AAPL|54=1|38=100|32=40|31=10.4|151=60|14=40|6=10|60=20261201-10:00:00|1=ACME";

#[test]
fn reports_are_copied_once_whoever_is_killed_and_whatever_is_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let setup = CopyInSetup {
        gateway: "g".parse().unwrap(),
        client: "c".parse().unwrap(),
        socket: dir.path().join("none.sock"),
        grace: Nanos(1_000),
        store_dir: dir.path().to_owned(),
    };
    let source = CopySource {
        version: Version::Fix44,
        place: CopyPlace::Listen(free),
        ids: CompIds { ours: "US".to_owned(), theirs: "EXCH".to_owned() },
        heartbeat_s: 30,
        accounts: vec!["ACME".to_owned()],
    };
    let mut link = FixLink::open(&setup, &source).unwrap();
    let mut sender = Sender::new(dir.path(), free);
    sender.connect();
    assert_eq!(labels(&carry(&mut link, &mut sender, 1)), ["begin true"]);
    assert!(link.is_up());
    sender.report(NEW);
    sender.report(FILL);
    sender.report(&FILL.replace("1=ACME", "1=OTHER").replace("17=e1", "17=x1"));
    let got = carry(&mut link, &mut sender, 2);
    assert_eq!(labels(&got), ["order a buy 100 AAPL at 10.50", "execution e1 false"]);
    let Copied::Executed(execution) = got[1] else { panic!("{got:?}") };
    assert_eq!((execution.qty, execution.px, execution.side), (40, Px(10_400_000_000), Some(Side::Bid)));
    let Copied::Order(order) = got[0] else { panic!("{got:?}") };
    assert_eq!(
        (order.name, link.others()),
        (execution.order, 1),
        "by the same name, and another's account is not ours"
    );
    // Killed, while two more are told; the sender is asked for them, and marks them as possible duplicates.
    link.compared(execution.number);
    drop(link);
    sender.end = None;
    sender.session.disconnected();
    sender.report(&FILL.replace("17=e1", "17=e2"));
    sender.report(
        "37=V|11=a|17=b1|19=e1|150=H|39=0|55=AAPL|54=1|38=100|151=60|14=0|6=0|60=20261201-10:00:01|1=ACME",
    );
    let mut link = FixLink::open(&setup, &source).unwrap();
    sender.connect();
    let got = carry(&mut link, &mut sender, 6);
    let settled = format!("settled {}", execution.number);
    let again = ["begin false", &settled, "order a buy 100 AAPL at 10.50", "execution e1 false"];
    assert_eq!(labels(&got), [&again[..], &["execution e2 false", "execution e1 true"]].concat());
    let Copied::Executed(bust) = got[5] else { panic!("{got:?}") };
    assert_eq!(bust.number, execution.busted().number, "the trade that is taken back");
}
