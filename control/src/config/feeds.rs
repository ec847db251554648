//! Several feeds in one appliance: what tells them apart, and what each has of what they share.

use super::check::Checker;
use super::gateway::Gateway;
use super::net::{CpuChoice, FeedSource};
use super::plan::Plan;
use super::schema::{Book, Feed};
use super::tree::Step;
use types::{FEEDS_MAX, Symbol};

/// Fewest live orders that a feed's books have room for.
const ORDERS_MIN: u32 = 1_024;

/// Longest [`Feed::suffix`]: half a symbol.
const SUFFIX_MAX: usize = 4;

/// What one feed has of the instruments and the live orders of `[book]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedShare {
    /// Number of its first instrument.
    pub first: u32,
    /// How many instruments it may define.
    pub instruments: u32,
    /// Live orders in all its books together.
    pub orders: u32,
}

impl FeedShare {
    /// All of `book`: what the only feed has.
    #[must_use]
    pub const fn all(book: &Book) -> Self {
        Self { first: 0, instruments: book.instruments, orders: book.orders }
    }
}

impl Plan {
    /// What `feed`, one of [`Plan::feeds`] by its name, has of `[book]`: what it asks for, or an equal part of what those leave that ask.
    #[must_use]
    pub fn share_of(&self, feed: &Feed) -> FeedShare {
        let Some(at) = self.feeds.iter().position(|other| other.name == feed.name) else {
            return FeedShare::all(&self.book);
        };
        let instruments = parts(&self.feeds, self.book.instruments, |feed| feed.instruments);
        let orders = parts(&self.feeds, self.book.orders, |feed| feed.orders);
        FeedShare { first: instruments[..at].iter().sum(), instruments: instruments[at], orders: orders[at] }
    }

    /// Where the receiver of `feed` runs: on its own CPU, or where the only receiver of an appliance does.
    #[must_use]
    pub fn receiver_cpu(&self, feed: &Feed) -> CpuChoice {
        feed.cpu.unwrap_or(self.placement.receiver_cpu)
    }
}

/// How `total` is divided among `feeds`, those that ask for a part first.
fn parts(feeds: &[Feed], total: u32, asked: fn(&Feed) -> Option<u32>) -> Vec<u32> {
    let given = feeds.iter().filter_map(asked).fold(0, u32::saturating_add);
    let open = u32::try_from(feeds.iter().filter(|feed| asked(feed).is_none()).count()).unwrap_or(u32::MAX);
    let each = total.saturating_sub(given) / open.max(1);
    feeds.iter().map(|feed| asked(feed).unwrap_or(each)).collect()
}

/// `symbol` with `suffix` behind it; `None` where the two are longer than a symbol may be, and where the symbol has more than a name and
/// its padding: cut off, two of them would have one name.
#[must_use]
pub fn suffixed(symbol: Symbol, suffix: &str) -> Option<Symbol> {
    if suffix.is_empty() {
        return Some(symbol);
    }
    let name = symbol.as_str();
    let is_whole = symbol.to_word().to_be_bytes()[name.len()..].iter().all(|byte| matches!(byte, b' ' | 0));
    if is_whole && !name.is_empty() { Symbol::new(&format!("{name}{suffix}")) } else { None }
}

/// The wire of a source: what two feeds cannot both listen to. A virtual device has one when it names an interface or a capture.
fn wires(source: &FeedSource) -> Vec<String> {
    const OF_DEVICE: [&str; 3] = ["iface=", "rx_iface=", "rx_pcap="];
    match source {
        FeedSource::Vdev(vdev) => {
            let (name, keys) = (vdev.name().to_owned(), vdev.as_str().split(',').skip(1));
            let keyed = keys.filter_map(|key| OF_DEVICE.iter().find_map(|of| key.strip_prefix(of)));
            std::iter::once(name).chain(keyed.map(str::to_owned)).collect()
        }
        FeedSource::Pci(pci) => vec![pci.as_str().to_owned()],
        FeedSource::File(path) => vec![path.display().to_string()],
    }
}

impl Checker<'_> {
    /// What `feeds` must not share, and what they must; with `gateways`, how their symbols are told apart.
    pub(super) fn apart(&mut self, feeds: &[Feed], book: &Book, gateways: &[Gateway]) {
        let at = |index, key| Step::into_row("feed", index, key);
        if feeds.len() > FEEDS_MAX {
            let found = format!("{} [[feed]] sections", feeds.len());
            self.refuse(&at(FEEDS_MAX, "name"), found, format!("at most {FEEDS_MAX} feeds in one appliance"));
        }
        for (index, feed) in feeds.iter().enumerate() {
            for wire in wires(&feed.source) {
                let taken = feeds[..index].iter().find(|other| wires(&other.source).contains(&wire));
                if let Some(other) = taken {
                    let wanted = format!(
                        "a wire of its own: feed {} has {wire}, and what comes in there could not be told apart",
                        other.name
                    );
                    self.refuse(&at(index, "source"), format!("\"{}\"", feed.source), wanted);
                }
            }
            if feed.suffix.len() > SUFFIX_MAX || !feed.suffix.bytes().all(|b| b.is_ascii_graphic()) {
                let wanted = format!("up to {SUFFIX_MAX} printable ASCII characters, such as \".Z\"");
                self.refuse(&at(index, "suffix"), format!("\"{}\"", feed.suffix), wanted);
            }
            // A firm names its orders as the venue does: without the suffix they would be judged by another feed's book.
            if let Some(gateway) = gateways.first().filter(|_| !feed.suffix.is_empty()) {
                let wanted = format!(
                    "none beside a gateway: what gateway {} takes has symbols without one",
                    gateway.name
                );
                self.refuse(&at(index, "suffix"), format!("\"{}\"", feed.suffix), wanted);
            }
        }
        type Share = (&'static str, u32, u32, fn(&Feed) -> Option<u32>);
        let shares: [Share; 2] = [
            ("instruments", book.instruments, 1, |feed| feed.instruments),
            ("orders", book.orders, ORDERS_MIN, |feed| feed.orders),
        ];
        for (key, total, least, asked) in shares {
            let parts = parts(feeds, total, asked);
            // Of too few for one feed the section itself says so.
            let small = parts.iter().position(|part| *part < least).filter(|_| total >= least);
            let sum = parts.iter().copied().fold(0, u32::saturating_add);
            if let Some(index) = small {
                let wanted = format!("at least {least} for each feed, of {total} in all (book.{key})");
                self.refuse(&at(index, key), parts[index], wanted);
            } else if sum > total {
                let wanted = format!("no more than book.{key} ({total}) for all feeds together");
                self.refuse(&at(feeds.len() - 1, key), format!("{sum} for all feeds"), wanted);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    /// A configuration of these feeds, each a name, a device and more keys.
    fn of(feeds: &[(&str, &str, &str)], set: &[&str]) -> Result<Plan, String> {
        let feed = |(name, source, keys): &(&str, &str, &str)| {
            format!("{{ name = \"{name}\", kind = \"itch50\", source = \"{source}\"{keys} }}")
        };
        let feeds: Vec<String> = feeds.iter().map(feed).collect();
        let set = set.iter().map(|set| (*set).to_owned());
        let set: Vec<String> = set.chain([format!("feed=[{}]", feeds.join(", "))]).collect();
        load(&[], &set).map_err(|errors| errors.to_string())
    }

    #[test]
    fn the_only_feed_has_all_of_the_books_and_several_have_what_they_ask_for() {
        let plan = of(&[("a", "net_null0", "")], &["book.instruments=100", "book.orders=5000"]).unwrap();
        assert_eq!(plan.share_of(&plan.feeds[0]), FeedShare { first: 0, instruments: 100, orders: 5_000 });
        let feeds = [
            ("a", "net_null0", ", orders = 2048"),
            ("b", "net_null1", ", instruments = 60"),
            ("c", "net_null2", ""),
        ];
        let plan = of(&feeds, &["book.instruments=100", "book.orders=8192"]).unwrap();
        let shares: Vec<_> = plan.feeds.iter().map(|feed| plan.share_of(feed)).collect();
        let share = |first, instruments, orders| FeedShare { first, instruments, orders };
        assert_eq!(shares, [share(0, 20, 2_048), share(20, 60, 3_072), share(80, 20, 3_072)]);
    }

    #[test]
    fn more_than_the_books_have_is_refused_and_so_is_nothing_at_all() {
        let feeds = [("a", "net_null0", ", instruments = 60"), ("b", "net_null1", ", instruments = 60")];
        let refused = of(&feeds, &["book.instruments=100"]).unwrap_err();
        assert!(
            refused.contains("feed[1].instruments") && refused.contains("120 for all feeds"),
            "{refused}"
        );
        let feeds = [("a", "net_null0", ", instruments = 100"), ("b", "net_null1", "")];
        let refused = of(&feeds, &["book.instruments=100"]).unwrap_err();
        assert!(refused.contains("feed[1].instruments") && refused.contains("at least 1"), "{refused}");
        let refused = of(&[("a", "net_null0", ", orders = 7")], &[]).unwrap_err();
        assert!(refused.contains("feed[0].orders") && refused.contains("at least 1024"), "{refused}");
    }

    #[test]
    fn two_feeds_have_no_wire_in_common() {
        for (a, b) in [
            ("net_af_packet0,iface=eth1", "net_af_packet1,iface=eth1"),
            ("net_af_packet0,iface=eth1", "net_af_packet0,iface=eth2"),
            ("0000:3b:00.0", "0000:3B:00.0"),
            ("file:day.pcap", "file:day.pcap"),
            ("net_pcap0,rx_pcap=day.pcap", "net_pcap1,rx_pcap=day.pcap"),
        ] {
            let refused = of(&[("a", a, ""), ("b", b, "")], &[]).unwrap_err();
            assert!(
                refused.contains("feed[1].source") && refused.contains("feed a has"),
                "{a} {b}: {refused}"
            );
        }
        of(&[("a", "net_af_packet0,iface=eth1", ""), ("b", "net_af_packet1,iface=eth2", "")], &[]).unwrap();
    }

    #[test]
    fn there_are_so_many_feeds_and_no_more() {
        let names: Vec<_> = (0..=FEEDS_MAX).map(|n| (format!("f{n}"), format!("net_null{n}"))).collect();
        let feeds: Vec<_> = names.iter().map(|(name, source)| (name.as_str(), source.as_str(), "")).collect();
        let refused = of(&feeds, &[]).unwrap_err();
        assert!(refused.contains("17 [[feed]] sections") && refused.contains("at most 16"), "{refused}");
        of(&feeds[1..], &[]).unwrap();
    }

    #[test]
    fn each_receiver_has_a_cpu_of_its_own() {
        let feeds = [("a", "net_null0", ""), ("b", "net_null1", "")];
        let refused = of(&feeds, &["placement.receiver_cpu=4"]).unwrap_err();
        assert!(refused.contains("feed[1].cpu") && refused.contains("placement.receiver_cpu"), "{refused}");
        let feeds = [("a", "net_null0", ""), ("b", "net_null1", ", cpu = 5")];
        let plan = of(&feeds, &["placement.receiver_cpu=4"]).unwrap();
        let cpus: Vec<_> = plan.feeds.iter().map(|feed| plan.receiver_cpu(feed).cpu()).collect();
        assert_eq!(cpus, [Some(4), Some(5)]);
        let refused = of(&feeds, &["placement.receiver_cpu=4", "placement.desk_cpu=5"]).unwrap_err();
        assert!(refused.contains("feed[1].cpu"), "{refused}");
    }

    #[test]
    fn a_suffix_is_nothing_that_a_gateway_could_say() {
        let set = [
            "account.a={}",
            "strategy.s={}",
            r#"client.c={ user = "u", strategies = ["s"], accounts = ["a"] }"#,
            r#"gateway=[{ name = "g", client = "c", protocol = "ouch-5.0", listen = "127.0.0.1:1", venue = "127.0.0.1:2",
                strategy = "s", account = "a", soup = { firm_username = "f", firm_password_file = "f", venue_username = "v",
                venue_password_file = "v" } }]"#,
        ];
        of(&[("a", "net_null0", "")], &set).unwrap();
        let refused = of(&[("a", "net_null0", ", suffix = \".Z\"")], &set).unwrap_err();
        assert!(refused.contains("feed[0].suffix") && refused.contains("none beside a gateway"), "{refused}");
    }

    #[test]
    fn a_suffix_is_short_and_goes_behind_the_symbol() {
        let plan = of(&[("a", "net_null0", ", suffix = \".Z\"")], &[]).unwrap();
        let named = |symbol| suffixed(Symbol::new(symbol).unwrap(), &plan.feeds[0].suffix);
        assert_eq!((named("AAPL"), named("LONGNAM")), (Symbol::new("AAPL.Z"), None));
        for (bytes, wanted) in [
            (*b"BRK     ", Symbol::new("BRK.Z")),
            (*b"BRK\0\0\0\0\0", Symbol::new("BRK.Z")),
            (*b"BRK A   ", None),
            (*b"BRK\x01    ", None),
            (*b"        ", None),
        ] {
            assert_eq!(suffixed(Symbol::from_word(u64::from_be_bytes(bytes)), ".Z"), wanted, "{bytes:?}");
        }
        for wrong in [".LONG", "a b"] {
            let refused = of(&[("a", "net_null0", &format!(", suffix = \"{wrong}\""))], &[]).unwrap_err();
            assert!(refused.contains("feed[0].suffix"), "{refused}");
        }
    }
}
