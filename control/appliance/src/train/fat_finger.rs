//! `portcullis train fat-finger`: the fat-finger network from a desk's own orders.

use super::{accept, refuse_existing, save};
use crate::cli;
use crate::orders::{self, OrderRow};
use crate::output::{say, tell};
use crate::scorer::load_model;
use anyhow::{Context, Result, bail};
use gpu::{DeskOrder, DeskSession, FatFingerHoldout, FatFingerTrainConfig, train_fat_finger};
use std::path::Path;
use types::Symbol;

pub(crate) fn run(args: &cli::TrainFatFinger) -> Result<()> {
    refuse_existing(&args.out, args.force)?;
    let model = load_model(args.model.as_deref())?;
    let sessions = sessions(args)?;
    let mut config = FatFingerTrainConfig {
        seed: args.seed,
        base_rate: args.base_rate,
        ..FatFingerTrainConfig::default()
    };
    if let Some(epochs) = args.epochs {
        config.epoch_count_max = epochs;
    }
    let bar = indicatif::ProgressBar::new(u64::from(config.epoch_count_max));
    let head = train_fat_finger(&config, model.profiles(), sessions, &mut |progress| {
        bar.set_position(u64::from(progress.epoch));
        bar.println(format!("epoch {:>3}: validation {:.5}", progress.epoch, progress.validation_loss));
    })?;
    bar.finish_and_clear();
    let report = head.record().report.clone();
    say(format_args!(
        "fitted {} of {} orders ({} without a market to join) and {} errors, kept epoch {}; one doubling of the size multiplies the odds by {:.1}",
        report.orders_fitted,
        report.orders_read,
        report.orders_read - report.orders_joined,
        report.errors_fitted,
        report.epochs,
        head.law().k.exp()
    ))?;
    print_holdout(&report.holdout)?;
    accept(report.refusal(), args.accept_worse)?;
    save(&model.with_heads(|heads| heads.fat_finger = Some(head))?, &args.out)
}

/// The days, each of one file of orders, one of features and one of prices.
fn sessions(args: &cli::TrainFatFinger) -> Result<Vec<DeskSession>> {
    let counts = [args.orders.len(), args.features.len(), args.slippage.len()];
    if counts.iter().any(|count| *count != counts[0]) {
        let [orders, features, slippage] = counts;
        bail!(cli::WrongUsage(format!(
            "found {orders} files of orders, {features} of features and {slippage} of slippage, wanted as many of each, in the same order"
        )));
    }
    let mut sessions = Vec::with_capacity(counts[0]);
    for ((path, features), slippage) in args.orders.iter().zip(&args.features).zip(&args.slippage) {
        let mut session = DeskSession { orders: desk_orders(path)?, ..DeskSession::default() };
        gpu::read_features(features, &mut session.features)?;
        gpu::read_touches(slippage, &mut session.touches)?;
        tell(format_args!(
            "{}: {} orders; {}: {} rows",
            path.display(),
            session.orders.len(),
            features.display(),
            session.features.len()
        ));
        sessions.push(session);
    }
    Ok(sessions)
}

fn desk_orders(path: &Path) -> Result<Vec<DeskOrder>> {
    let order = |(i, row): (usize, OrderRow)| {
        let symbol = Symbol::new(&row.symbol).with_context(|| {
            format!(
                "{}: line {}: symbol `{}`: wanted 1 to 8 printable ASCII characters",
                path.display(),
                i + 2,
                row.symbol
            )
        })?;
        Ok(DeskOrder { ts: row.ts, symbol, side: row.side, qty: row.qty, px: row.px })
    };
    orders::read(path)?.into_iter().enumerate().map(order).collect()
}

/// The comparison on orders that nothing was fitted to.
fn print_holdout(holdout: &FatFingerHoldout) -> Result<()> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let both = |head: f64, cap: f64| format!("{} ({})", percent(head), percent(cap));
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    let mut header = vec!["recall (of a static size cap)".to_owned(), "errors".to_owned()];
    header.extend(holdout.rates.iter().map(|at| format!("at {} false alarms", at.rate)));
    table.set_header(header);
    for stratum in &holdout.strata {
        let mut row = vec![stratum.error.clone(), stratum.count.to_string()];
        row.extend(stratum.recall.iter().zip(&stratum.recall_cap).map(|(head, cap)| both(*head, *cap)));
        table.add_row(row);
    }
    let line = |name: &str, cell: &dyn Fn(&gpu::FatFingerRate) -> String| {
        let mut row = vec![name.to_owned(), String::new()];
        row.extend(holdout.rates.iter().map(cell));
        row
    };
    let mut all = line("all", &|at| both(at.recall, at.recall_cap));
    all[1] = holdout.errors.to_string();
    table.add_row(all);
    let alarms = |at: &gpu::FatFingerRate| {
        format!("{:.3} % ({:.3} %)", at.false_alarms * 100.0, at.false_alarms_cap * 100.0)
    };
    table.add_row(line("false alarms found", &alarms));
    table.add_row(line("threshold", &|at| format!("p > {:.2e} (qty > {})", at.theta, at.cap_qty)));
    say(format_args!("holdout: {} orders", holdout.orders))?;
    say(format_args!("{table}"))?;
    say(format_args!(
        "area under the precision-recall curve {:.4} (cap {:.4}); calibration error {:.4}",
        holdout.pr_auc, holdout.pr_auc_cap, holdout.ece
    ))
}

#[cfg(test)]
mod tests {
    use super::super::tests::command;

    #[test]
    fn a_fat_finger_network_is_trained_from_a_replay_and_its_orders() {
        let folder = tempfile::tempdir().unwrap();
        let run = |line: &str| command(folder.path(), line);
        let refused = |line: &str| {
            let line = format!("{:#}", run(line).unwrap_err());
            assert!(!line.contains('\n'), "{line}");
            line
        };
        for seed in [3, 4] {
            run(&format!("scenario calm --seed {seed} --minutes 20 --instruments 2 --out @{seed}")).unwrap();
            run(&format!(
                "replay @{seed}/calm.pcap --feed itch50 --static --write features,slippage --out @{seed}"
            ))
            .unwrap();
        }
        let one = "--features @3/features.parquet --slippage @3/slippage.parquet";
        let few = refused(&format!("train fat-finger --orders @3/orders.csv {one} --out @model"));
        assert!(few.contains("with a market in both captures, wanted at least 1000"), "{few}");
        let both = "train fat-finger --orders @3/orders.csv @4/orders.csv --features @3/features.parquet @4/features.parquet";
        let uneven = refused(&format!("{both} --slippage @3/slippage.parquet --out @model"));
        assert!(uneven.starts_with("found 2 files of orders, 2 of features and 1 of slippage"), "{uneven}");
        let train =
            format!("{both} --slippage @3/slippage.parquet @4/slippage.parquet --epochs 2 --accept-worse");
        for out in ["model", "again"] {
            run(&format!("{train} --out @{out}")).unwrap();
        }
        let file = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        for name in ["fat_finger.safetensors", "manifest.toml"] {
            assert_eq!(file(&format!("model/{name}")), file(&format!("again/{name}")));
        }
        let model = gpu::Model::load(&folder.path().join("model")).unwrap();
        let report = &model.heads().fat_finger.as_ref().unwrap().record().report;
        assert!(
            report.orders_read > 1_000 && report.orders_joined * 10 > report.orders_read * 9,
            "{report:?}"
        );
        assert_eq!(report.holdout.strata.len(), 8);
        assert_eq!(model.heads().slippage, gpu::Model::shipped().unwrap().heads().slippage);
        assert!(refused(&format!("{train} --out @model")).contains("never overwritten by accident"));
        let swapped = "train fat-finger --orders @3/orders.csv --features @3/features.parquet --slippage @3/features.parquet --out @x";
        assert!(refused(swapped).contains("features.parquet: column bid_px missing"));
        let text = String::from_utf8(file("3/orders.csv")).unwrap();
        let bad = text.replacen(",FUTX,", ",FUTX TOO LONG,", 1);
        std::fs::write(folder.path().join("bad.csv"), bad).unwrap();
        let line = refused(&format!("train fat-finger --orders @bad.csv {one} --out @x"));
        assert!(line.contains("bad.csv: line ") && line.contains("symbol `FUTX TOO LONG`"), "{line}");
    }
}
