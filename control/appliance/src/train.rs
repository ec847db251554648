//! `portcullis train`: models from feature captures.

use crate::cli;
use anyhow::{Context, Result, ensure};
use control::config::load;
use gpu::{CardTrainer, FeatureRow, Phase, Progress, TrainConfig, TrainDevice, train_vae_on};
use std::path::PathBuf;

pub(crate) fn vae(args: &cli::TrainVae) -> Result<()> {
    ensure!(
        args.force || !args.out.exists(),
        "{} exists; a model is never overwritten by accident: add --force to replace it",
        args.out.display()
    );
    // Before the captures, which may be long to read.
    let device = open(args.device, args.cuda_library.as_ref())?;
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
    let model = train_vae_on(&device, &config, &rows, &mut |progress| show(&bar, &progress))?;
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

/// The device that `kind` names, ready to fit.
fn open(kind: cli::DeviceKind, library: Option<&PathBuf>) -> Result<TrainDevice> {
    if kind == cli::DeviceKind::Cpu {
        return Ok(TrainDevice::Cpu);
    }
    let library = match library {
        Some(library) => library.clone(),
        None => load(&[], &[])?.scorer.cuda_library,
    };
    let trainer = CardTrainer::open(&library).context(
        "--device cuda cannot be had; it wants a card, its driver and the library of scripts/build-cuda.sh (--cuda-library)",
    )?;
    Ok(TrainDevice::Cuda(trainer))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_card_nothing_is_read_or_written() {
        let folder = tempfile::tempdir().unwrap();
        let (library, out) = (folder.path().join("libgpu_cuda.so"), folder.path().join("model"));
        let args = cli::TrainVae {
            features: vec![folder.path().join("absent.parquet")],
            out: out.clone(),
            seed: 1,
            epochs: None,
            device: cli::DeviceKind::Cuda,
            cuda_library: Some(library.clone()),
            force: false,
        };
        let line = format!("{:#}", vae(&args).unwrap_err());
        assert!(line.starts_with("--device cuda cannot be had; it wants a card"), "{line}");
        assert!(line.contains(&format!("{}: cannot open shared object", library.display())), "{line}");
        assert!(!line.contains('\n') && !out.exists(), "{line}");
    }
}
