//! The smallest order process there can be, driven by lines: `order-process SOCKET CLIENT` attaches to the appliance, says
//! `attached`, and answers each line of its input with one of its own. For trying a configuration by hand, and for tests, which
//! send it orders and the venue's answers, and end it as the power does.
//!
//! ```text
//! buy|sell ID SYMBOL QTY PX STRATEGY ACCOUNT [gtc]    decision, slug, and whether it is reserved
//! replace OLD buy|sell ID SYMBOL QTY PX STRATEGY ACCOUNT
//! fill ID QTY EXECUTION    cancelled ID    replaced ID          what became of it
//! cancel ID                                           the venue is asked to take it back: asked
//! position SYMBOL STRATEGY                            position, working buys, working sells
//! orders                                              open orders, ID:LEAVES each
//! known SYMBOL    orphaned    lost                    yes or no, and a count
//! again                                               attaches again
//! ```
#![deny(unsafe_code)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

use attach::{AttachError, OrderThread};
use control::client::ClientError;
use control::protocol::RefusalKind;
use gate::{OrderEvent, OrderIntent, OrderType, TimeInForce, Verdict};
use std::fmt::Write as _;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use types::{Px, Qty, Side, Symbol, UnixNanos};

/// How long the daemon may take to come up, and to name what is held.
const PATIENCE: Duration = Duration::from_secs(60);

fn now() -> UnixNanos {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    UnixNanos(u64::try_from(since.as_nanos()).expect("before 2554"))
}

fn is_final(error: &AttachError) -> bool {
    let AttachError::Daemon(ClientError::Refused(refusal)) = error else { return false };
    matches!(refusal.kind, RefusalKind::NotFound | RefusalKind::Denied)
}

fn attach(socket: &str, client: &str) -> OrderThread {
    let end = Instant::now() + PATIENCE;
    loop {
        match OrderThread::attach(Path::new(socket), &client.parse().expect("a name"), Duration::from_secs(5))
        {
            Ok(thread) => return thread,
            // Waiting helps where the daemon is away, or somebody else is still here.
            Err(error) if is_final(&error) || Instant::now() > end => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn order(thread: &OrderThread, side: Side, words: &[&str]) -> Option<OrderIntent> {
    let [id, symbol, qty, px, strategy, account, tif @ ..] = words else { return None };
    Some(OrderIntent {
        cl_ord_id: id.parse().ok()?,
        px: px.parse().unwrap_or(Px::NONE),
        instrument: thread.instrument(Symbol::new(symbol)?)?,
        qty: Qty(qty.parse().ok()?),
        strategy: thread.strategy(&strategy.parse().ok()?)?,
        account: thread.account(&account.parse().ok()?)?,
        side,
        order_type: OrderType::Limit,
        tif: match tif {
            [] => TimeInForce::Day,
            ["gtc"] => TimeInForce::Gtc,
            _ => return None,
        },
    })
}

fn said(verdict: &Verdict, is_reserved: bool) -> String {
    format!("{} {} {is_reserved}", verdict.decided(), verdict.slug())
}

/// The answer to one line; none when it makes no sense.
fn answer(thread: &mut OrderThread, line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    let qty = |at: usize| number(at).and_then(|n| u32::try_from(n).ok()).map(Qty);
    Some(match *words.first()? {
        "buy" | "sell" => {
            let side = if words[0] == "buy" { Side::Bid } else { Side::Ask };
            let order = order(thread, side, &words[1..])?;
            let (verdict, reservation) = thread.reserve(&order, now());
            said(&verdict, reservation.is_some())
        }
        "replace" => {
            let (replaced, side) = (number(1)?, if words.get(2)? == &"buy" { Side::Bid } else { Side::Ask });
            let order = order(thread, side, &words[3..])?;
            let (verdict, reservation) = thread.replace(replaced, &order, now());
            said(&verdict, reservation.is_some())
        }
        "fill" => {
            let (id, qty, execution) = (number(1)?, qty(2)?, number(3)?);
            let event = match words.get(4) {
                Some(px) => OrderEvent::ExecutedAt { id, execution, qty, px: px.parse().ok()? },
                None => OrderEvent::Executed { id, execution, qty },
            };
            format!("{:?}", thread.settle(event, now()))
        }
        "cancelled" => format!("{:?}", thread.settle(OrderEvent::Cancelled { id: number(1)? }, now())),
        "cancel" => {
            thread.cancel(number(1)?, now());
            "asked".to_owned()
        }
        "replaced" => format!("{:?}", thread.settle(OrderEvent::Replaced { id: number(1)? }, now())),
        "position" => {
            let held = thread.exposure(
                thread.instrument(Symbol::new(words.get(1)?)?)?,
                thread.strategy(&words.get(2)?.parse().ok()?)?,
            )?;
            format!("{} {} {}", held.position, held.working_buy, held.working_sell)
        }
        "orders" => {
            let mut open: Vec<_> = thread.open_orders().map(|order| (order.id, order.leaves.0)).collect();
            open.sort_unstable();
            open.iter().fold(String::new(), |mut text, (id, leaves)| {
                let _ = write!(text, "{id}:{leaves} ");
                text
            })
        }
        "known" => thread.instrument(Symbol::new(words.get(1)?)?).is_some().to_string(),
        "orphaned" => thread.is_orphaned().to_string(),
        "lost" => thread.lost().to_string(),
        _ => return None,
    })
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, socket, client] = args.as_slice() else { panic!("order-process SOCKET CLIENT") };
    let mut thread = attach(socket, client);
    let mut out = std::io::stdout();
    writeln!(out, "attached").expect("a reader");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("text");
        if line == "again" {
            drop(thread);
            thread = attach(socket, client);
            writeln!(out, "attached").expect("a reader");
            continue;
        }
        let answer = answer(&mut thread, &line).unwrap_or_else(|| format!("? {line}"));
        writeln!(out, "{answer}").expect("a reader");
    }
}
