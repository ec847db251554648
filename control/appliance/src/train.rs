//! `portcullis train`: models from feature captures.

use crate::cli;
use anyhow::{Context, Result, ensure};
use gpu::{FeatureRow, Phase, Progress, TrainConfig, train_vae};

pub(crate) fn vae(args: &cli::TrainVae) -> Result<()> {
    ensure!(
        args.force || !args.out.exists(),
        "{} exists; a model is never overwritten by accident: add --force to replace it",
        args.out.display()
    );
    let mut rows: Vec<FeatureRow> = Vec::new();
    for path in &args.features {
        let before = rows.len();
        gpu::read_features(path, &mut rows)?;
        eprintln!("{}: {} rows", path.display(), rows.len() - before);
    }
    let mut config = TrainConfig { seed: args.seed, ..TrainConfig::default() };
    if let Some(epochs) = args.epochs {
        config.epoch_count_max = epochs;
    }
    let bar = indicatif::ProgressBar::new(u64::from(config.epoch_count_max) * 2);
    let model = train_vae(&config, &rows, &mut |progress| show(&bar, &progress))?;
    bar.finish_and_clear();
    model.save(&args.out).with_context(|| format!("cannot save the model to {}", args.out.display()))?;
    let report = &model.training().report;
    let holdout = &report.holdout;
    println!("model {} in {}", model.id(), args.out.display());
    println!(
        "fitted {} rows in {} + {} epochs, {} trimmed; {} latent units in use",
        report.rows_fitted,
        report.epochs_first,
        report.epochs_refit,
        report.rows_trimmed,
        report.active_units
    );
    println!(
        "holdout: {} rows; squared error {:.4} (linear baseline {:.4}); p <= 1 %: {:.2} % of rows; elevated {}, high {}, critical {}",
        holdout.rows,
        holdout.mse_vae,
        holdout.mse_pca,
        holdout.share_p_01 * 100.0,
        holdout.elevated,
        holdout.high,
        holdout.critical
    );
    Ok(())
}

fn show(bar: &indicatif::ProgressBar, progress: &Progress) {
    let done = match progress.phase {
        Phase::First => 0,
        Phase::Refit => progress.epoch_count_max,
    };
    bar.set_position(u64::from(done + progress.epoch));
    bar.set_message(format!("loss {:.4}, validation {:.4}", progress.train_loss, progress.validation_loss));
    bar.println(format!(
        "{:?} {:>3}: loss {:.4}, validation {:.4}",
        progress.phase, progress.epoch, progress.train_loss, progress.validation_loss
    ));
}
