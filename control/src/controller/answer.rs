//! Commands that only look.

use super::books::{book_groups, book_word};
use super::passing::Passing;
use super::plane::{Controller, refuse};
use crate::audit::{Anchor, AuditError, read_anchors};
use crate::backend::{BackendError, InstrumentView};
use crate::limits::LimitKey;
use crate::names::{Scope, SymbolName};
use crate::protocol::{
    BreachRow, BreakersPage, ExplainReply, LatchHealth, LimitRow, LimitsPage, MESSAGE_BYTES_MAX, OrderQuery,
    Refusal, RefusalKind, Reply, StatusReply, TIER_MAP_ROWS, TierCell, TierCounts, TierMapPage, TierRow,
    TiersPage, ValueRow, VerifyReply,
};
use crate::stamp::Stamp;
use crate::state::Cause;
use gate::Flags;
use types::Tier;

/// Instruments on one page: nine rows of at most 400 bytes each stay under the largest message.
const PAGE_SYMBOLS: usize = 200;

/// Breakers on one page: each has a reason of up to 500 characters.
const PAGE_BREAKERS: usize = 300;

/// Records of the audit log in one answer.
const TAIL_RECORDS_MAX: u32 = 1_000;

fn failed(what: &str, error: &dyn std::fmt::Display) -> Refusal {
    Refusal { kind: RefusalKind::Failed, message: format!("{what}: {error}") }
}

impl Controller {
    pub(super) fn status(&self) -> StatusReply {
        let snapshot = self.backend.snapshot();
        let views = self.backend.instruments(None);
        let mut tiers = TierCounts::default();
        for view in &views {
            *match tier_of(view) {
                None => &mut tiers.unknown,
                Some(Tier::Normal) => &mut tiers.normal,
                Some(Tier::Elevated) => &mut tiers.elevated,
                Some(Tier::High) => &mut tiers.high,
                Some(Tier::Critical) => &mut tiers.critical,
            } += 1;
        }
        // Before the lock: a slow disk of the events' holds no command up.
        let events = self.event_status();
        let shown = self.shown();
        let halt = shown.latch.halt();
        let latch = match halt {
            Some(halt) if halt.cause == Cause::Latch => LatchHealth::Damaged(halt.reason.clone()),
            _ => LatchHealth::Ok,
        };
        let (closed, reduce_only) = match self.passing(halt.is_some(), &snapshot, &views) {
            Passing::None(why) => (Some(why), false),
            Passing::Reducing => (None, true),
            Passing::Any => (None, false),
        };
        StatusReply {
            instance: self.instance.clone(),
            build: self.build.clone(),
            started: self.started,
            now: self.now(),
            halt: halt.map(|entry| entry.row(None)),
            breakers: u32::try_from(shown.latch.entries().count()).unwrap_or(u32::MAX),
            latch,
            tiers,
            books: book_groups(&views),
            closed,
            audit_mode: self.audit_mode(),
            reduce_only,
            feeds: snapshot.feeds,
            scorer: snapshot.scorer,
            orders: snapshot.orders,
            halts: snapshot.halts,
            gateways: snapshot.gateways,
            reconciliations: self.reconciliations.rows(),
            settlement_missing: snapshot.settlement_missing,
            audit: shown.audit,
            alarms: shown.alarms,
            refused: self.refusals().counts(),
            counters: snapshot.counters,
            events,
            verdicts: snapshot.verdicts,
            hops: snapshot.hops,
            load: snapshot.load,
        }
    }

    pub(super) fn breaker_list(&self, after: Option<&Scope>) -> BreakersPage {
        let latch = self.shown().latch;
        let halt = latch.halt().filter(|_| after.is_none()).map(|entry| entry.row(None));
        let mut page = BreakersPage { rows: halt.into_iter().collect(), next: None };
        let mut scopes = latch.scopes_after(after).peekable();
        while let Some((scope, entries)) = scopes.next() {
            page.rows.extend(entries.iter().map(|entry| entry.row(Some(scope.clone()))));
            if page.rows.len() >= PAGE_BREAKERS && scopes.peek().is_some() {
                page.next = Some(scope.clone());
                break;
            }
        }
        page
    }

    /// One page of instruments, and where the next one starts.
    fn page(
        &self,
        symbol: Option<SymbolName>,
        after: Option<SymbolName>,
        rows_max: usize,
    ) -> Result<(Vec<InstrumentView>, Option<SymbolName>), Refusal> {
        let mut views = self.backend.instruments(symbol);
        if let (Some(symbol), true) = (symbol, views.is_empty()) {
            let message = format!(
                "the feed has not named instrument {symbol} (what is set for it holds from when it does)"
            );
            return refuse(RefusalKind::NotFound, message);
        }
        views.retain(|view| after.is_none_or(|after| view.symbol > after));
        let more = views.len() > rows_max;
        views.truncate(rows_max);
        let next = views.last().filter(|_| more).map(|view| view.symbol);
        Ok((views, next))
    }

    /// The limits that something is held to: a margin multiplier says nothing where nobody has a credit.
    fn binding_limits(&self) -> Vec<LimitKey> {
        let binds = |key: &LimitKey| *key != LimitKey::MarginBps || self.scopes.counts_credit();
        LimitKey::ALL.into_iter().filter(binds).collect()
    }

    pub(super) fn limits_show(
        &self,
        symbol: Option<SymbolName>,
        after: Option<SymbolName>,
    ) -> Result<Reply, Refusal> {
        let (views, next) = self.page(symbol, after, PAGE_SYMBOLS)?;
        let limits = self.shown().limits;
        let keys = self.binding_limits();
        let mut rows = Vec::with_capacity(views.len() * keys.len());
        for view in views {
            let envelope = limits.approved(view.symbol);
            rows.extend(keys.iter().map(|&key| {
                let set = limits.set_by(view.symbol, key);
                LimitRow {
                    symbol: view.symbol,
                    key: key.to_string(),
                    unit: key.unit().to_owned(),
                    floor: key.of(envelope.floor()),
                    base: key.of(envelope.base()),
                    cap: key.of(envelope.cap()),
                    effective: key.of(&view.effective),
                    source: view.source.as_str().to_owned(),
                    tier: Tier::name_of(tier_of(&view)).to_owned(),
                    set_by: set.map_or_else(String::new, |set| set.by.clone()),
                    set_at: set.map(|set| set.at),
                }
            }));
        }
        Ok(Reply::Limits(LimitsPage { rows, next, warn_bps: self.warn_bps }))
    }

    pub(super) fn tier_show(
        &self,
        symbol: Option<SymbolName>,
        after: Option<SymbolName>,
    ) -> Result<Reply, Refusal> {
        let (views, next) = self.page(symbol, after, PAGE_SYMBOLS)?;
        let row = |view: InstrumentView| TierRow {
            symbol: view.symbol,
            tier: Tier::name_of(tier_of(&view)).to_owned(),
            score: view.score.map_or_else(String::new, |score| score.to_string()),
            since: view.tier_since.map(Stamp),
            book: book_word(view.book).to_owned(),
            feed: view.feed,
            drivers: view.drivers.iter().map(|driver| driver.feature.clone()).collect(),
            driver_values: view.drivers,
        };
        Ok(Reply::Tiers(TiersPage { rows: views.into_iter().map(row).collect(), next }))
    }

    pub(super) fn tier_map(&self, after: Option<SymbolName>) -> Result<Reply, Refusal> {
        let (views, next) = self.page(None, after, TIER_MAP_ROWS)?;
        let cell = |view: &InstrumentView| {
            let score = view.score.map_or_else(String::new, |score| score.to_string());
            TierCell(
                view.symbol,
                Tier::name_of(tier_of(view)).to_owned(),
                score,
                book_word(view.book).to_owned(),
            )
        };
        Ok(Reply::TierMap(TierMapPage { cells: views.iter().map(cell).collect(), next }))
    }

    pub(super) fn explain(&self, order: &OrderQuery) -> Result<Reply, Refusal> {
        self.known(&Scope::Account(order.account.clone()))?;
        self.known(&Scope::Strategy(order.strategy.clone()))?;
        let explanation = self.backend.explain(order).map_err(|error| match error {
            BackendError::Unknown { .. } => {
                Refusal { kind: RefusalKind::NotFound, message: error.to_string() }
            }
            BackendError::Failed { .. } => failed("the gate cannot explain", &error),
        })?;
        let verdict = &explanation.verdict;
        let scored = self.backend.instruments(Some(order.symbol)).iter().any(|view| view.score.is_some());
        let known = known_tier(verdict.tier, scored);
        let breach = |breach: &gate::Breach| BreachRow {
            code: breach.reason.code(),
            slug: breach.reason.slug().to_owned(),
            sentence: sentence(breach, order),
            limit: breach.limit,
            value: breach.value,
            fix_ord_rej_reason: breach.reason.fix_ord_rej_reason(),
        };
        let value = |limits: &gate::RiskLimits| {
            let row = |key: LimitKey| ValueRow {
                key: key.to_string(),
                unit: key.unit().to_owned(),
                value: key.of(limits),
            };
            self.binding_limits().into_iter().map(row).collect()
        };
        Ok(Reply::Explain(ExplainReply {
            decision: verdict.decision.as_str().to_owned(),
            breaches: explanation.breaches().map(breach).collect(),
            flags: flag_words(verdict.flags),
            tier: Tier::name_of(known).to_owned(),
            score: known.map_or_else(String::new, |_| verdict.score.to_string()),
            source: verdict.source.as_str().to_owned(),
            limits: explanation.limits.as_ref().map_or_else(Vec::new, value),
        }))
    }

    pub(super) fn audit_tail(&self, count: u32) -> Result<Reply, Refusal> {
        if !(1..=TAIL_RECORDS_MAX).contains(&count) {
            let message = format!("count: found {count}, wanted 1 to {TAIL_RECORDS_MAX}");
            return refuse(RefusalKind::BadRequest, message);
        }
        let promise = self.shown().promise;
        // Half a message: a record is printed once more as JSON and may grow by its escapes.
        let records = promise.tail(count as usize, MESSAGE_BYTES_MAX / 2);
        records.map(Reply::AuditRecords).map_err(|e| failed("the audit log cannot be read", &e))
    }

    /// The heads noted in the anchor file, none where the configuration names none.
    fn anchors(&self) -> Result<Vec<Anchor>, AuditError> {
        let Some(path) = &self.anchor_path else { return Ok(Vec::new()) };
        read_anchors(path, Some(&self.shown().key))
    }

    pub(super) fn audit_verify(&self) -> Result<Reply, Refusal> {
        let promise = self.shown().promise;
        let (anchors, unanchored) = match self.anchors() {
            Ok(anchors) => (anchors, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let proof = promise.verify(anchors).map_err(|e| failed("the audit log cannot be read", &e))?;
        Ok(Reply::Verified(VerifyReply { unanchored, ..proof }))
    }
}

/// The tier; none where nothing was ever scored or lately. A tier that tightened stands without a score.
fn known_tier(tier: Tier, scored: bool) -> Option<Tier> {
    Some(tier).filter(|tier| scored || *tier != Tier::Normal)
}

/// What is known of the tier of an instrument.
fn tier_of(view: &InstrumentView) -> Option<Tier> {
    known_tier(view.tier, view.score.is_some())
}

/// The breach in words, by the names that the order was asked under. The slug has a column of its own.
fn sentence(breach: &gate::Breach, order: &OrderQuery) -> String {
    let symbol = order.symbol.to_string();
    breach.named(&symbol, order.strategy.as_str(), order.account.as_str()).to_string()
}

fn flag_words(flags: Flags) -> Vec<String> {
    let named = [(Flags::TIER, "tier"), (Flags::NEAR_LIMIT, "near_limit"), (Flags::WALKS_BOOK, "walks_book")];
    named.iter().filter(|(flag, _)| flags.has(*flag)).map(|(_, word)| (*word).to_owned()).collect()
}
