//! `portcullis train`: models from feature captures.

pub(crate) mod fat_finger;

use crate::cli;
use crate::output::{say, tell};
use crate::scorer::load_model;
use anyhow::{Context, Result, bail, ensure};
use control::config::load;
use gpu::{
    CaptureError, CardTrainer, Channel, FeatureRow, Model, Phase, Progress, ReadingRow, SLIPPAGE_SIZES,
    SlippageHoldout, SlippageSample, SlippageTrainConfig, TrainConfig, TrainDevice, judge_slippage,
    train_slippage, train_vae,
};
use std::path::{Path, PathBuf};

pub(crate) fn vae(args: &cli::TrainVae) -> Result<()> {
    refuse_existing(&args.out, args.force)?;
    // Before the captures, which may be long to read.
    let device = open(args.device, args.cuda_library.as_ref())?;
    let rows = read_all(&args.features, gpu::read_features)?;
    let mut config = TrainConfig { seed: args.seed, ..TrainConfig::default() };
    if let Some(epochs) = args.epochs {
        config.epoch_count_max = epochs;
    }
    let bar = indicatif::ProgressBar::new(u64::from(config.epoch_count_max) * 2);
    let model = train_vae(&device, &config, &rows, &mut |progress| show(&bar, &progress))?;
    bar.finish_and_clear();
    accept(model.training().report.holdout.refusal(), args.accept_worse)?;
    let model = match readings_of(&args.features)?.map(|all| gpu::fit_channels(&all, &config.calibration)) {
        Some(Ok(laws)) => model.with_channels(laws)?,
        Some(Err(error)) => {
            tell(format_args!("warning: {error}; the model has no channels beside the autoencoder"));
            model
        }
        None => model,
    };
    save(&model, &args.out)?;
    let report = &model.training().report;
    let holdout = &report.holdout;
    say(format_args!(
        "fitted {} rows in {} + {} epochs, {} trimmed; {} latent units in use",
        report.rows_fitted,
        report.epochs_first,
        report.epochs_refit,
        report.rows_trimmed,
        report.active_units
    ))?;
    say(format_args!(
        "holdout: {} rows; squared error {:.4} (linear baseline {:.4}); p <= 1 %: {:.2} % of rows; elevated {}, high {}, critical {}",
        holdout.rows,
        holdout.mse_vae,
        holdout.mse_pca,
        holdout.share_p_01 * 100.0,
        holdout.elevated,
        holdout.high,
        holdout.critical
    ))?;
    Ok(())
}

/// What the channels read of the captures; none, and a warning, where one of them is of a build that kept less.
fn readings_of(features: &[PathBuf]) -> Result<Option<Vec<Vec<ReadingRow>>>> {
    let mut captures = Vec::new();
    for path in features {
        let mut rows = Vec::new();
        match gpu::read_readings(path, &mut rows) {
            Ok(()) => captures.push(rows),
            Err(error @ (CaptureError::Schema { .. } | CaptureError::Columns { .. })) => {
                tell(format_args!("warning: {error}; the model has no channels beside the autoencoder"));
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Some(captures))
}

pub(crate) fn channels(args: &cli::TrainChannels) -> Result<()> {
    refuse_existing(&args.out, args.force)?;
    // What is fitted anew may be what an older build fitted to other features.
    let model = match &args.model {
        Some(dir) => Model::load_without_channels(dir).with_context(|| format!("model {}", dir.display()))?,
        None => load_model(None)?,
    };
    let config = TrainConfig::default();
    let laws = gpu::fit_channels(&read_each(&args.features, gpu::read_readings)?, &config.calibration)?;
    let joint = gpu::fit_joint(&model, &read_each(&args.features, gpu::read_features)?, &config)?;
    for (channel, law) in [(Channel::Joint, &joint)].into_iter().chain(laws.iter()) {
        let pooled = &law.pooled;
        say(format_args!(
            "{}: {} rows, {} clusters beyond {:.2}, tail scale {:.3}, shape {:.2}",
            channel.as_str(),
            pooled.rows,
            pooled.clusters,
            pooled.knots.last().copied().unwrap_or_default(),
            pooled.scale,
            pooled.shape
        ))?;
    }
    save(&model.with_channels(laws)?.with_calibrations(joint)?, &args.out)
}

fn refuse_existing(out: &Path, force: bool) -> Result<()> {
    ensure!(
        force || !out.exists(),
        "{} exists; a model is never overwritten by accident: add --force to replace it",
        out.display()
    );
    Ok(())
}

/// Stops at a head that is not to be used, unless it is asked for all the same.
fn accept(refusal: Option<String>, accept_worse: bool) -> Result<()> {
    match refusal {
        Some(reason) if !accept_worse => {
            bail!("{reason}; nothing was written (--accept-worse writes it all the same)")
        }
        Some(reason) => tell(format_args!("warning: {reason}; written because of --accept-worse")),
        None => {}
    }
    Ok(())
}

/// Saves `model` to `out` and says so.
fn save(model: &Model, out: &Path) -> Result<()> {
    model.save(out).with_context(|| format!("cannot save the model to {}", out.display()))?;
    say(format_args!("model {} in {}", model.id(), out.display()))?;
    Ok(())
}

/// The rows of each of `paths`.
fn read_each<T, E>(
    paths: &[PathBuf],
    read: impl Fn(&Path, &mut Vec<T>) -> std::result::Result<(), E>,
) -> Result<Vec<Vec<T>>>
where
    E: std::error::Error + Send + Sync + 'static,
{
    paths.iter().map(|path| read_all(core::slice::from_ref(path), &read)).collect()
}

/// The rows of all `paths`.
fn read_all<T, E>(
    paths: &[PathBuf],
    read: impl Fn(&Path, &mut Vec<T>) -> std::result::Result<(), E>,
) -> Result<Vec<T>>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let mut rows = Vec::new();
    for path in paths {
        let before = rows.len();
        read(path, &mut rows)?;
        tell(format_args!("{}: {} rows", path.display(), rows.len() - before));
    }
    Ok(rows)
}

pub(crate) fn slippage(args: &cli::TrainSlippage) -> Result<()> {
    if let Some(out) = &args.out {
        refuse_existing(out, args.force)?;
    }
    let model = load_model(args.model.as_deref())?;
    let features: Vec<FeatureRow> = read_all(&args.features, gpu::read_features)?;
    let slippage: Vec<SlippageSample> = read_all(&args.slippage, gpu::read_slippage)?;
    let mut config = SlippageTrainConfig { seed: args.seed, ..SlippageTrainConfig::default() };
    if let Some(epochs) = args.epochs {
        config.epoch_count_max = epochs;
    }
    let Some(out) = &args.out else {
        let Some(head) = &model.heads().slippage else {
            bail!("model {} has no slippage network to judge", model.id());
        };
        print_holdout(&judge_slippage(head, model.profiles(), &config, features, slippage))?;
        return Ok(());
    };
    let bar = indicatif::ProgressBar::new(u64::from(config.epoch_count_max));
    let head = train_slippage(&config, model.profiles(), features, slippage, &mut |progress| {
        bar.set_position(u64::from(progress.epoch));
        bar.println(format!("epoch {:>3}: validation {:.5} bps", progress.epoch, progress.validation_loss));
    })?;
    bar.finish_and_clear();
    let report = head.record().report.clone();
    say(format_args!(
        "fitted {} of {} decisions, kept epoch {}, drifts multiplied by {:.4}",
        report.rows_fitted, report.rows_joined, report.epochs, report.factor
    ))?;
    print_holdout(&report.holdout)?;
    accept(report.refusal(), args.accept_worse)?;
    save(&model.with_heads(|heads| heads.slippage = Some(head))?, out)
}

/// The comparison on decisions that nothing was fitted to.
fn print_holdout(holdout: &SlippageHoldout) -> Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["90 % quantile of", "pinball loss, bps"]);
    for (name, loss) in [
        ("book walk now + slippage network", holdout.pinball_head),
        ("book walk now + usual drift", holdout.pinball_walk),
        ("volatility x sqrt(size)", holdout.pinball_square_root),
    ] {
        table.add_row([name.to_owned(), format!("{loss:.5}")]);
    }
    say(format_args!("holdout: {} decisions, {} costs compared", holdout.rows, holdout.compared))?;
    say(format_args!("{table}"))?;
    say(format_args!(
        "{:+.2} % of the better baseline's loss; covers {:.2} % of the costs; slope in size {:.3}",
        -100.0 * holdout.improvement(),
        100.0 * holdout.coverage,
        holdout.slope
    ))?;
    let sizes = SLIPPAGE_SIZES.iter().zip(&holdout.coverage_by_size);
    let sizes: Vec<String> = sizes.map(|(size, share)| format!("{size}: {:.1} %", 100.0 * share)).collect();
    say(format_args!("coverage by size: {}", sizes.join(", ")))
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
        "--device cuda is not available; it needs a card, its driver and the library of scripts/build-cuda.sh (--cuda-library)",
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
            accept_worse: false,
        };
        let line = format!("{:#}", vae(&args).unwrap_err());
        assert!(line.starts_with("--device cuda is not available; it needs a card"), "{line}");
        assert!(line.contains(&format!("{}: cannot open shared object", library.display())), "{line}");
        assert!(!line.contains('\n') && !out.exists(), "{line}");
    }

    /// What the command line `line` leads to, each word that begins with `@` standing for a path in `folder`.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a test runs the commands that it is about")]
    pub(super) fn command(folder: &Path, line: &str) -> Result<()> {
        let word = |word: &str| match word.strip_prefix('@') {
            Some(name) => folder.join(name).display().to_string(),
            None => word.to_owned(),
        };
        let words = std::iter::once("portcullis".to_owned()).chain(line.split_whitespace().map(word));
        match <cli::Cli as clap::Parser>::try_parse_from(words)?.command {
            cli::Command::Scenario(args) => crate::scenario::run(&args),
            cli::Command::Replay(args) => crate::replay::run(&args),
            cli::Command::Train(cli::Train::Channels(args)) => channels(&args),
            cli::Command::Train(cli::Train::Slippage(args)) => slippage(&args),
            cli::Command::Train(cli::Train::FatFinger(args)) => fat_finger::run(&args),
            other => bail!("{other:?} is none of this test's commands"),
        }
    }

    #[test]
    fn a_slippage_network_is_trained_from_a_replay_and_a_bad_one_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let run = |line: &str| command(folder.path(), line);
        for (seed, day) in [(3, "day"), (4, "other")] {
            run(&format!("scenario calm --seed {seed} --minutes 7 --out @{day}")).unwrap();
            run(&format!(
                "replay @{day}/calm.pcap --feed itch50 --static --write features,slippage --out @{day}"
            ))
            .unwrap();
        }
        let train = |slippage: &str, rest: &str| {
            run(&format!(
                "train slippage --features @day/features.parquet --slippage @{slippage}/slippage.parquet {rest}"
            ))
        };
        let said = |result: Result<()>| format!("{:#}", result.unwrap_err());
        let file = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        // One day's features say nothing of another day's slippage.
        let line = said(train("other", "--epochs 1 --out @model"));
        assert!(line.contains("on the holdout, wanted ") && line.contains("nothing was written"), "{line}");
        assert!(!folder.path().join("model").exists() && !line.contains('\n'), "{line}");
        for out in ["model", "again"] {
            train("other", &format!("--epochs 1 --out @{out} --accept-worse")).unwrap();
        }
        assert_eq!(file("model/slippage.safetensors"), file("again/slippage.safetensors"));
        assert_eq!(file("model/manifest.toml"), file("again/manifest.toml"));
        let (model, shipped) =
            (gpu::Model::load(&folder.path().join("model")).unwrap(), gpu::Model::shipped().unwrap());
        assert!(model.heads().slippage.is_some());
        assert_eq!(model.profiles(), shipped.profiles(), "nothing else of the model changes");
        train("day", "--model @model --judge").unwrap();
        // To replace a model is one thing, to accept a bad head another.
        let line = said(train("other", "--epochs 1 --out @model --force"));
        assert!(line.contains("--accept-worse writes it all the same"), "{line}");
        assert_eq!(file("model/manifest.toml"), file("again/manifest.toml"));
        let line = said(train("other", "--epochs 1 --out @model --accept-worse"));
        assert!(line.contains("never overwritten by accident"), "{line}");
        let line = said(run(
            "train slippage --features @day/slippage.parquet --slippage @day/features.parquet --out @x",
        ));
        assert!(line.contains("slippage.parquet: column spread_bps missing"), "{line}");
    }
}
