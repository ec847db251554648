//! Instruments, currencies and rates as an operator declares them: in the file, in a file of lines, and wrong.

use control::config::{self, ConfigErrors, Plan, TickChoice};
use gate::{ActivityLimits, CurrencyId, ExposureLimits, InstrumentTerms, MoneyRules};
use std::path::PathBuf;
use types::{Nanos, Px, Qty, Symbol};

/// The plan of `text`, in which `@` stands for a directory that holds `lines` as `lines.csv`.
fn load(text: &str, lines: &str) -> Result<Plan, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let prefix = format!("{}/", dir.path().display());
    std::fs::write(dir.path().join("lines.csv"), lines).unwrap();
    let path: PathBuf = dir.path().join("p.toml");
    std::fs::write(&path, text.replace('@', &prefix)).unwrap();
    config::load(&[path], &[])
        .map_err(|ConfigErrors(all)| all.iter().map(|e| e.to_string().replace(&prefix, "")).collect())
}

fn symbol(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}

#[test]
fn without_a_declaration_a_price_is_money_as_it_stands() {
    let plan = config::load(&[], &[]).unwrap().instruments;
    assert_eq!((plan.money(), plan.lot(symbol("ABC"))), (None, Qty(1)));
    let lots_alone = load("[instrument.ABC]\nlot = 100", "").unwrap().instruments;
    assert_eq!((lots_alone.money(), lots_alone.lot(symbol("ABC"))), (None, Qty(100)));
    let strict = load("[instruments]\nundeclared = \"refuse\"", "").unwrap().instruments;
    let rules = MoneyRules { rate_age_max: Nanos(90_000 * Nanos::SECOND.0), undeclared_is_plain: false };
    assert_eq!(strict.money(), Some(rules));
}

#[test]
fn what_is_declared_ends_that_what_is_not_is_plain() {
    let plain =
        |text: &str| load(text, "").unwrap().instruments.money().map(|rules| rules.undeclared_is_plain);
    let future = "[instrument.ESZ6]\nmultiplier = 50";
    let rate = "[fx.rate]\nEUR = { rate = \"1.085\", at = \"2026-11-27T16:00:00Z\" }";
    for declared in [future, rate, "[firm]\ncurrency = \"KWD\""] {
        assert_eq!(plain(declared), Some(false), "{declared}");
    }
    assert_eq!(plain(&format!("[instruments]\nundeclared = \"plain\"\n{future}")), Some(true));
}

#[test]
fn what_the_configuration_says_comes_on_top_of_a_file_of_lines() {
    let text = "[instruments]\nfile = \"@lines.csv\"\n[instrument.ESZ6]\nlot = 5\n[fx.rate]\nEUR = { rate = \"1.085\", at = \"2026-11-27T16:00:00Z\" }";
    let lines = "# a comment\nsymbol,tick,multiplier,currency,worth_min\nESZ6,0.25,50,,\n\nCLM0,0.01,1000,USD,20\nFDAX,0.5,25,EUR,\n";
    let plan = load(text, lines).unwrap();
    let instrument = |name| plan.instruments.by_symbol[&symbol(name)];
    assert_eq!((instrument("ESZ6").lot, instrument("ESZ6").terms.multiplier_micros), (Qty(5), 50_000_000));
    let oil = InstrumentTerms {
        multiplier_micros: 1_000_000_000,
        worth_min: Px(20_000_000_000),
        ..InstrumentTerms::PLAIN
    };
    assert_eq!(instrument("CLM0").terms, oil);
    assert_eq!(instrument("FDAX").terms.currency, CurrencyId(1));
    assert_eq!(plan.ticks.by_symbol[&symbol("FDAX")], TickChoice::Uniform(Px(500_000_000)));
    assert_eq!(plan.instruments.currencies, ["USD", "EUR"]);
    let rates: Vec<_> =
        plan.instruments.rates.iter().map(|rate| (rate.currency.0, rate.rate_nanos)).collect();
    assert_eq!(rates, [(1, 1_085_000_000)]);
    let same = |lines| load(text, lines).unwrap().digest;
    assert_ne!(
        plan.digest,
        same(&lines.replace("1000", "100")),
        "what the file says is in the audit log's digest"
    );
    let rates = "[fx]\nfile = \"@lines.csv\"";
    let plan = load(rates, "currency,rate,at\nJPY,0.00669321,2026-11-27T16:00:00Z\n").unwrap().instruments;
    assert_eq!(plan.rates[0].rate_nanos, 6_693_210);
}

#[test]
fn what_is_wrong_is_told_with_its_file_line_found_and_wanted() {
    let file = "[instruments]\nfile = \"@lines.csv\"";
    for (text, lines, wanted) in [
        (
            file,
            "",
            "lines.csv:1: found no line, wanted a header: symbol, and then any of multiplier, currency, worth_min, settlement, settlement_date, lot, tick, each once",
        ),
        (
            file,
            "symbol,mult\n",
            "lines.csv:1: found symbol,mult, wanted a header of symbol, and then any of multiplier, currency, worth_min, settlement, settlement_date, lot, tick, each once",
        ),
        (
            file,
            "symbol,lot,tick,lot\nABC,1,0.01,100\n",
            "lines.csv:1: found symbol,lot,tick,lot, wanted a header of symbol, and then any of multiplier, currency, worth_min, settlement, settlement_date, lot, tick, each once",
        ),
        (
            file,
            "symbol,lot\nABC,1,000\n",
            "lines.csv:2: found 3 cells, wanted 2, as the header has, and no comma in a cell",
        ),
        (file, "symbol,lot\nABC,\"1\"\n", "lines.csv:2: found \"1\", wanted a cell without quotes"),
        (
            file,
            "symbol,lot\nABC,1\nABC,2\n",
            "lines.csv:3: found \"ABC\", wanted a symbol that no other line has",
        ),
        (
            file,
            "symbol,multiplier\nABC,1\nDEF,ten\n",
            "lines.csv:3: instrument.DEF.multiplier: found string \"ten\", wanted a number from 0 to 999999999999999999 with at most nine decimals, written as a whole number or as a string such as \"250000.50\"",
        ),
        (
            file,
            "symbol,multiplier\nABC,0\n",
            "lines.csv:2: instrument.ABC.multiplier: found 0, wanted 0.000001 to 1000000, with six decimals at most",
        ),
    ] {
        assert_eq!(load(text, lines).unwrap_err(), [wanted], "{text}\n{lines}");
    }
    let missing = load("[fx]\nfile = \"@none.csv\"", "").unwrap_err();
    assert!(missing[0].starts_with("none.csv: cannot be read: "), "{missing:?}");
}

#[test]
fn what_is_wrong_of_an_instrument_in_the_configuration_itself_is_told_likewise() {
    for (text, lines, wanted) in [
        (
            "[instrument.ABC]\nlot = 0",
            "",
            "p.toml:2: instrument.ABC.lot: found 0, wanted a whole number from 1 to 4294967295",
        ),
        (
            "[instrument.ABC]\nworth_min = 0",
            "",
            "p.toml:2: instrument.ABC.worth_min: found 0, wanted a price above 0, at most 288230376.151711744",
        ),
        (
            "[instrument.ABC]\ncurrency = \"usd\"",
            "",
            "p.toml:2: instrument.ABC.currency: found \"usd\", wanted a currency's code, such as \"USD\": 3 to 8 capital letters",
        ),
        (
            "[book.tick]\nABC = \"0.5\"\n[instrument.ABC]\ntick = \"0.25\"",
            "",
            "p.toml:4: instrument.ABC.tick: found a second tick, wanted one: [book.tick] has ABC too",
        ),
        (
            "[instrument.ABC]\nsettlement = \"-1\"",
            "",
            "p.toml:2: instrument.ABC.settlement: found \"-1\", wanted a price, such as \"18.27\"; above 0 without worth_min",
        ),
        (
            "[instrument.ABC]\nsettlement_date = \"2026-11-27\"",
            "",
            "p.toml:2: instrument.ABC.settlement_date: found a date alone, wanted the settlement price of that day too",
        ),
        (
            "[instrument.ABC]\nsettlement = \"18.27\"\nsettlement_date = \"27.11.2026\"",
            "",
            "p.toml:3: instrument.ABC.settlement_date: found \"27.11.2026\", wanted a trading day such as \"2026-11-27\"",
        ),
    ] {
        assert_eq!(load(text, lines).unwrap_err(), [wanted], "{text}\n{lines}");
    }
}

#[test]
fn what_is_wrong_of_the_firm_its_limits_and_its_rates_is_told_likewise() {
    for (text, lines, wanted) in [
        (
            "[firm]\nsettlement_age_max_days = 0",
            "",
            "p.toml:2: firm.settlement_age_max_days: found 0, wanted a whole number from 1 to 366",
        ),
        (
            "[strategy.mm1.limits]\nmax_gross = 0",
            "",
            "p.toml:2: strategy.mm1.limits.max_gross: found 0, wanted an amount from 0.000001 to 9223372036854, with six decimals at most",
        ),
        (
            "[account.A.limits]\nmax_gros = 1",
            "",
            "p.toml:2: account.A.limits.max_gros: no such key; did you mean `max_gross`? (keys here: max_gross, max_net, max_instrument, credit, max_loss, window_value, window_qty, window_messages, window_cancels, messages_per_trade)",
        ),
        (
            "[fx.rate]\nUSD = { rate = 1, at = \"2026-11-27T16:00:00Z\" }",
            "",
            "p.toml:2: fx.rate.USD: found a rate of \"USD\", wanted none: it is the firm's own currency, worth one",
        ),
        (
            "[fx.rate]\nEUR = { rate = 0, at = \"2026-11-27T16:00:00Z\" }",
            "",
            "p.toml:2: fx.rate.EUR.rate: found 0, wanted what one of it is worth: 0.000000001 to 1000000",
        ),
        (
            "[fx.rate]\nEUR = { rate = 1, at = \"yesterday\" }",
            "",
            "p.toml:2: fx.rate.EUR.at: found \"yesterday\", wanted a moment such as 2026-11-21T14:30:22.123456789Z, from 1970 on",
        ),
    ] {
        assert_eq!(load(text, lines).unwrap_err(), [wanted], "{text}\n{lines}");
    }
}

#[test]
fn what_is_wrong_in_who_there_is_is_told() {
    for (text, lines, wanted) in [
        (
            "[strategy.mm1]\ntrader = \"bob\"\n[trader.ann]",
            "",
            "p.toml:2: strategy.mm1.trader: found \"bob\", wanted a trader that is declared ([trader.bob])",
        ),
        (
            "[strategy.mm1]\ndesk = \"rates\"",
            "",
            "p.toml:2: strategy.mm1.desk: found \"rates\", wanted a desk that is declared ([desk.rates])",
        ),
        (
            "[strategy.mm1]\ntime_in_force = []",
            "",
            "p.toml:2: strategy.mm1.time_in_force: found [], wanted at least one of \"day\", \"ioc\" and \"gtc\"; left out, any",
        ),
        (
            "[desk.rates.limits]\nmax_loss = 0",
            "",
            "p.toml:2: desk.rates.limits.max_loss: found 0, wanted an amount from 0.000001 to 9223372036854, with six decimals at most",
        ),
        (
            "[firm.limits]\nmax_los = 1",
            "",
            "p.toml:2: firm.limits.max_los: no such key; did you mean `max_loss`? (keys here: max_gross, max_net, max_instrument, credit, max_loss)",
        ),
        (
            "[firm]\nday_start = \"24:00\"",
            "",
            "p.toml:2: firm.day_start: found \"24:00\", wanted a time of day in UTC, from \"00:00\" to \"23:59\"",
        ),
        (
            "[firm]\nfee_per_unit = 1000001",
            "",
            "p.toml:2: firm.fee_per_unit: found 1000001, wanted an amount from 0 to 1000000",
        ),
        (
            "[gate]\nrepeat_executions = 1",
            "",
            "p.toml:2: gate.repeat_executions: found 1, wanted 0 for never, or at least 2",
        ),
        (
            "[gate]\nmark_age_ms = 60001",
            "",
            "p.toml:2: gate.mark_age_ms: found 60001, wanted a whole number from 0 to 60000",
        ),
    ] {
        assert_eq!(load(text, lines).unwrap_err(), [wanted], "{text}\n{lines}");
    }
}

#[test]
fn limits_of_strategies_and_accounts_are_those_that_are_written() {
    let text = "[strategy.mm1.limits]\nmax_gross = \"2500000.50\"\n[strategy.mm2]\n[account.A.limits]\nmax_net = 7\ncredit = \"6.5\"\nmax_instrument = 8\nwindow_value = \"0.5\"\nwindow_cancels = 3";
    let scopes = load(text, "").unwrap().scopes;
    let name = |name: &str| name.parse::<control::names::Name>().unwrap();
    let mm1 = ExposureLimits { gross_micros: 2_500_000_500_000, ..ExposureLimits::NONE };
    assert_eq!(scopes.strategy_limits, [(name("mm1"), mm1)].into());
    let a = ExposureLimits {
        net_micros: 7_000_000,
        instrument_micros: 8_000_000,
        credit_micros: 6_500_000,
        ..ExposureLimits::NONE
    };
    assert_eq!(scopes.account_limits, [(name("A"), a)].into());
    let activity = ActivityLimits { value_micros: 500_000, cancels: 3, ..ActivityLimits::NONE };
    assert_eq!(scopes.account_activity, [(name("A"), activity)].into());
    assert!(scopes.counts_activity() && !load("", "").unwrap().scopes.counts_activity());
    assert!(scopes.counts_credit() && !load("", "").unwrap().scopes.counts_credit());
    let firms = load("[firm.limits]\ncredit = 3", "").unwrap().scopes;
    assert!(firms.counts_credit());
    assert_eq!(firms.group_limits(&control::names::Scope::Firm).credit_micros, 3_000_000);
}

#[test]
fn strategies_have_the_times_in_force_that_are_written() {
    let text = "[strategy.mm1]\ntime_in_force = [\"day\", \"ioc\"]\n[strategy.mm2]";
    let scopes = load(text, "").unwrap().scopes;
    let short = gate::TimesInForce::of([gate::TimeInForce::Day, gate::TimeInForce::Ioc]);
    assert_eq!(scopes.times_in_force, [("mm1".parse().unwrap(), short)].into());
    let [error] = &load("[strategy.mm1]\ntime_in_force = [\"gtd\"]", "").unwrap_err()[..] else {
        panic!("one error")
    };
    assert!(error.starts_with("p.toml:2: strategy.mm1.time_in_force"), "{error}");
}

#[test]
fn desks_traders_and_the_firm_have_the_limits_that_are_written_and_the_strategies_that_name_them() {
    let text = "[firm]\nday_start = \"22:30\"\nfee_per_unit = \"0.003\"\n[firm.limits]\nmax_loss = 9\n[desk.d.limits]\nmax_gross = 2\n\
                [trader.t]\n[trader.u.limits]\nmax_loss = 3\n[account.A.limits]\nmax_loss = 4\n\
                [strategy.m]\ndesk = \"d\"\ntrader = \"u\"\n[strategy.n]\ntrader = \"u\"\n[strategy.n.limits]\nmax_loss = 5";
    let plan = load(text, "").unwrap();
    let rules = gate::ProfitRules {
        day_start: types::Nanos(81_000_000_000_000),
        fee_nanos_per_unit: 3_000_000,
        settlement_age_max_days: 4,
    };
    assert_eq!(plan.profit, rules);
    let scopes = plan.scopes;
    let scope = |text: &str| text.parse::<control::names::Scope>().unwrap();
    let losses = [("firm", 9), ("trader:u", 3), ("account:A", 4), ("strategy:n", 5)];
    for (text, most) in losses {
        assert_eq!(scopes.loss(&scope(text)), most * 1_000_000, "{text}");
    }
    assert_eq!(scopes.losses.len(), losses.len());
    assert_eq!(scopes.loss(&scope("desk:d")), u64::MAX);
    let gross = ExposureLimits { gross_micros: 2_000_000, ..ExposureLimits::NONE };
    assert_eq!((scopes.group_limits(&scope("desk:d")), scopes.groups.len()), (gross, 1));
    assert_eq!(scopes.group_limits(&scope("firm")), ExposureLimits::NONE);
    let of = |group: &str| {
        scopes.strategies_of(&scope(group)).map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!([of("desk:d"), of("trader:t"), of("trader:u")], ["m", "", "m n"]);
    assert!(scopes.counts_profit() && !load("", "").unwrap().scopes.counts_profit());
}

#[test]
fn settlement_prices_have_the_trading_day_they_are_of() {
    let text = "[firm]\nday_start = \"22:00\"\nsettlement_age_max_days = 3\n[instruments]\nfile = \"@lines.csv\"\n\
                [instrument.OLD]\nsettlement = \"2\"\nsettlement_date = \"2026-11-25\"\n\
                [instrument.BARE]\nsettlement = \"3\"\n[instrument.NONE]\nlot = 2\n";
    let lines = "symbol,settlement,settlement_date\nFRI,1,2026-11-27\nMON,1,2026-11-30\n";
    let instruments = load(text, lines).unwrap().instruments;
    assert_eq!(instruments.by_symbol[&symbol("FRI")].terms.settlement_date, gate::TradeDate(20_784));
    let profit = load(text, lines).unwrap().profit;
    // The day that begins on Sunday evening is Monday's.
    for (now, wanted) in [
        ("2026-11-29T22:00:00Z", &["BARE", "MON", "OLD"][..]),
        ("2026-11-28T21:59:59Z", &["BARE", "MON"]),
        ("2026-11-30T22:00:00Z", &["BARE", "FRI", "OLD"]),
    ] {
        let now: control::stamp::Stamp = now.parse().unwrap();
        let found =
            instruments.settlement_missing(&profit, now.0).map(|missing| missing.symbols).unwrap_or_default();
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, wanted, "{now}");
    }
}
