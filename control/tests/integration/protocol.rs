//! Every command and answer survives the wire; nothing else gets in.

use control::limits::LimitKey;
use control::protocol::{
    AlertChoice, BadEnvelope, Command, EventKind, HoldingsFilter, LimitChange, OrderQuery, OrderSide,
    Outcome, PROTOCOL_VERSION, PositionSetting, Reconciliation, Refusal, RefusalKind, Request, Response,
    Silence, Tif, TripMode, parse_request, read_frame,
};
use control::stamp::Stamp;
use proptest::prelude::*;

fn commands() -> Vec<Command> {
    let reason = || "book thin before the close".parse().unwrap();
    let ticket = || Some("CHG-1042".parse().unwrap());
    let symbol = "BRK.A".parse().unwrap();
    let order = OrderQuery {
        symbol,
        side: OrderSide::Sell,
        qty: 200,
        px: Some("100.05".parse().unwrap()),
        strategy: "mm1".parse().unwrap(),
        account: "ACME".parse().unwrap(),
        tif: Tif::Ioc,
    };
    let changes = vec![LimitChange { key: LimitKey::MaxNotional, value: "250000.50".parse().unwrap() }];
    vec![
        Command::Status,
        Command::LimitsShow { symbol: Some(symbol), after: None },
        Command::LimitsSet { symbol, changes, dry_run: true, reason: reason(), ticket: ticket() },
        Command::BreakerList { after: None },
        Command::BreakerTrip {
            scope: "strategy:mm1".parse().unwrap(),
            mode: TripMode::ReduceOnly,
            reason: reason(),
            ticket: None,
        },
        Command::BreakerReset { scope: "firm".parse().unwrap(), reason: reason(), ticket: ticket() },
        Command::Halt { reason: None, ticket: None },
        Command::Resume { reason: reason(), ticket: None },
        Command::TierShow { symbol: None, after: Some(symbol) },
        Command::TierReset { symbol, reason: reason(), ticket: None },
        Command::GateExplain { order: order.clone() },
        Command::GateExplain { order: OrderQuery { px: None, ..order } },
        Command::AuditTail { count: 10 },
        Command::AuditVerify,
        Command::Positions {
            filter: HoldingsFilter { strategy: Some("mm1".parse().unwrap()), ..HoldingsFilter::default() },
        },
        Command::Orders { filter: HoldingsFilter::default() },
        Command::Sessions { client: None },
        Command::PositionSet {
            setting: PositionSetting {
                client: "c1".parse().unwrap(),
                strategy: "mm1".parse().unwrap(),
                account: "ACME".parse().unwrap(),
                symbol,
                position: -300,
            },
            reason: reason(),
            ticket: None,
        },
        Command::Events { after: 7, count: 100 },
        Command::AlertsList,
        Command::AlertsAck { alerts: AlertChoice::Ids(vec![3, 4]), reason: None, ticket: None },
        Command::AlertsAck { alerts: AlertChoice::All, reason: Some(reason()), ticket: None },
        Command::AlertsSilence {
            silence: Silence { kind: EventKind::Gap, scope: Some("feed:x".to_owned()), minutes: 45 },
            reason: reason(),
            ticket: None,
        },
        Command::ProposalsList,
        Command::ProposalApprove { id: 7, reason: reason(), ticket: ticket() },
        Command::ProposalWithdraw { id: 7, reason: reason(), ticket: None },
        Command::TierMap { after: Some(symbol) },
        Command::ListsReload { dry_run: true, reason: reason(), ticket: ticket() },
        Command::LevelsShow { scopes: vec!["strategy:mm1".parse().unwrap(), "firm".parse().unwrap()] },
        Command::Reconciled { standing: Box::new(standing()) },
    ]
}

fn standing() -> Reconciliation {
    let at = |s: u64| Stamp(types::UnixNanos(s * 1_000_000_000));
    Reconciliation {
        up: true,
        matched: 7,
        breaks: 1,
        last_breaks: vec!["execution 1: the copy says 2, the gate 3".to_owned()],
        ..Reconciliation::unheard("g".parse().unwrap(), "c1".parse().unwrap(), at(1_795_271_422))
    }
}

#[test]
fn every_command_survives_the_wire() {
    for (id, command) in (1..).zip(commands()) {
        let request = Request { version: PROTOCOL_VERSION, id, command, wait_ms: None };
        let json = serde_json::to_vec(&request).unwrap();
        assert_eq!(parse_request(&json), Ok(request), "{}", String::from_utf8_lossy(&json));
    }
}

#[test]
fn the_wire_form_of_commands_is_pinned() {
    let wire: Vec<String> = commands().iter().map(|c| serde_json::to_string(c).unwrap()).collect();
    assert_eq!(
        wire,
        [
            r#""status""#,
            r#"{"limits_show":{"symbol":"BRK.A","after":null}}"#,
            r#"{"limits_set":{"symbol":"BRK.A","changes":[{"key":"max_notional","value":"250000.50"}],"dry_run":true,"reason":"book thin before the close","ticket":"CHG-1042"}}"#,
            r#"{"breaker_list":{"after":null}}"#,
            r#"{"breaker_trip":{"scope":"strategy:mm1","mode":"reduce_only","reason":"book thin before the close","ticket":null}}"#,
            r#"{"breaker_reset":{"scope":"firm","reason":"book thin before the close","ticket":"CHG-1042"}}"#,
            r#"{"halt":{"reason":null,"ticket":null}}"#,
            r#"{"resume":{"reason":"book thin before the close","ticket":null}}"#,
            r#"{"tier_show":{"symbol":null,"after":"BRK.A"}}"#,
            r#"{"tier_reset":{"symbol":"BRK.A","reason":"book thin before the close","ticket":null}}"#,
            r#"{"gate_explain":{"order":{"symbol":"BRK.A","side":"sell","qty":200,"px":"100.05","strategy":"mm1","account":"ACME","tif":"ioc"}}}"#,
            r#"{"gate_explain":{"order":{"symbol":"BRK.A","side":"sell","qty":200,"px":null,"strategy":"mm1","account":"ACME","tif":"ioc"}}}"#,
            r#"{"audit_tail":{"count":10}}"#,
            r#""audit_verify""#,
            r#"{"positions":{"filter":{"client":null,"strategy":"mm1","account":null,"symbol":null}}}"#,
            r#"{"orders":{"filter":{"client":null,"strategy":null,"account":null,"symbol":null}}}"#,
            r#"{"sessions":{"client":null}}"#,
            r#"{"position_set":{"setting":{"client":"c1","strategy":"mm1","account":"ACME","symbol":"BRK.A","position":-300},"reason":"book thin before the close","ticket":null}}"#,
            r#"{"events":{"after":7,"count":100}}"#,
            r#""alerts_list""#,
            r#"{"alerts_ack":{"alerts":{"ids":[3,4]},"reason":null,"ticket":null}}"#,
            r#"{"alerts_ack":{"alerts":"all","reason":"book thin before the close","ticket":null}}"#,
            r#"{"alerts_silence":{"silence":{"kind":"feed.gap","scope":"feed:x","minutes":45},"reason":"book thin before the close","ticket":null}}"#,
            r#""proposals_list""#,
            r#"{"proposal_approve":{"id":7,"reason":"book thin before the close","ticket":"CHG-1042"}}"#,
            r#"{"proposal_withdraw":{"id":7,"reason":"book thin before the close","ticket":null}}"#,
            r#"{"tier_map":{"after":"BRK.A"}}"#,
            r#"{"lists_reload":{"dry_run":true,"reason":"book thin before the close","ticket":"CHG-1042"}}"#,
            r#"{"levels_show":{"scopes":["strategy:mm1","firm"]}}"#,
            r#"{"reconciled":{"standing":{"gateway":"g","client":"c1","up":true,"since":"2026-11-21T14:30:22.000000000Z","matched":7,"waiting":0,"others":0,"facts_lost":0,"breaks":1,"last_breaks":["execution 1: the copy says 2, the gate 3"],"heard":null}}}"#,
        ]
    );
}

#[test]
fn a_request_may_say_until_when_it_is_wanted_and_a_halt_needs_no_words() {
    let asked = parse_request(br#"{"version":1,"id":1,"command":"status","wait_ms":15000}"#);
    assert_eq!(asked.unwrap().wait_ms, Some(15_000));
    for (text, reason, ticket) in [
        (r#"{"halt":{}}"#, None, None),
        (r#"{"halt":{"reason":"","ticket":""}}"#, None, None),
        (r#"{"halt":{"reason":" a\nb ","ticket":"INC 71\u0007"}}"#, Some("a b"), Some("INC71")),
    ] {
        let json = format!(r#"{{"version":1,"id":1,"command":{text}}}"#);
        let Command::Halt { reason: found, ticket: under } = parse_request(json.as_bytes()).unwrap().command
        else {
            panic!("{text}")
        };
        assert_eq!(found.map(|r| r.as_str().to_owned()).as_deref(), reason);
        assert_eq!(under.map(|t| t.as_str().to_owned()).as_deref(), ticket);
    }
    let long = "x".repeat(9_000);
    let json = format!(r#"{{"version":1,"id":1,"command":{{"halt":{{"reason":"{long}"}}}}}}"#);
    let Command::Halt { reason, .. } = parse_request(json.as_bytes()).unwrap().command else { panic!() };
    assert_eq!(reason.unwrap().as_str().len(), 500, "as much as is kept of any reason");
}

#[test]
fn another_version_is_named_before_its_command_is_judged() {
    let newer = br#"{"version":2,"id":7,"command":{"teleport":{}},"extra":1}"#;
    assert_eq!(parse_request(newer), Err(BadEnvelope::Version { id: 7, found: 2 }));
}

#[test]
fn requests_that_make_no_sense_say_where() {
    let cause = |json: &str| match parse_request(json.as_bytes()) {
        Err(BadEnvelope::Malformed { cause, .. }) => cause,
        other => panic!("{json}: {other:?}"),
    };
    for (json, part) in [
        ("", "EOF"),
        ("[]", "invalid length 0"),
        (r#"{"version":1}"#, "missing field `id`"),
        (r#"{"version":1,"id":1,"command":"stauts"}"#, "command: unknown variant `stauts`"),
        (r#"{"version":1,"id":1,"command":"status","x":1}"#, "x: unknown field `x`"),
        (r#"{"version":1,"id":1,"command":"status"} trailing"#, "trailing characters"),
        (
            r#"{"version":1,"id":1,"command":{"halt":{"reason":null,"ticket":null,"force":true}}}"#,
            "unknown field `force`",
        ),
        (
            r#"{"version":1,"id":1,"command":{"resume":{"reason":" ","ticket":null}}}"#,
            "a reason of 1 to 500 characters",
        ),
        (r#"{"version":1,"id":1,"command":{"resume":{"reason":"a\nb","ticket":null}}}"#, "on one line"),
        (
            r#"{"version":1,"id":1,"command":{"breaker_reset":{"scope":"all","reason":"x","ticket":null}}}"#,
            "`firm`, `desk:NAME`, `account:NAME`",
        ),
    ] {
        assert!(cause(json).contains(part), "{json}: {}", cause(json));
    }
    let deep = format!(r#"{{"version":1,"id":1,"command":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(
        matches!(parse_request(deep.as_bytes()), Err(BadEnvelope::Malformed { .. })),
        "no stack is used up"
    );
}

#[test]
fn an_unknown_kind_of_refusal_reads_as_a_failure() {
    let json = r#"{"version":1,"id":1,"outcome":{"error":{"kind":"embargoed","message":"no"}}}"#;
    let response: Response = serde_json::from_str(json).unwrap();
    let refusal = Refusal { kind: RefusalKind::Failed, message: "no".to_owned() };
    assert_eq!(response.outcome, Outcome::Error(refusal));
}

#[test]
fn exit_codes_are_those_of_the_design() {
    use RefusalKind::{BadRequest, Busy, Denied, Expired, Failed, NotFound, Policy, VersionMismatch};
    let all = [BadRequest, Denied, Policy, NotFound, VersionMismatch, Busy, Expired, Failed];
    assert_eq!(all.map(RefusalKind::exit_code), [2, 4, 4, 1, 6, 1, 5, 1]);
    for kind in all {
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.as_str()));
    }
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic_and_never_become_a_change(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(parse_request(&bytes).is_err());
        let mut wire = bytes.as_slice();
        while let Ok(frame) = read_frame(&mut wire) {
            prop_assert!(frame.len() <= bytes.len());
        }
    }

    /// Any byte of any request changed: an error, or a request that says something else in the same grammar.
    #[test]
    fn damaged_requests_never_panic(which in 0..14_usize, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let command = commands().swap_remove(which);
        let mut json = serde_json::to_vec(&Request { version: PROTOCOL_VERSION, id: 1, command, wait_ms: None }).unwrap();
        let at = at.index(json.len());
        json[at] = byte;
        if let Ok(request) = parse_request(&json) {
            prop_assert_eq!(request.version, PROTOCOL_VERSION);
        }
    }
}
