//! `portcullis train`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What a network is fitted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeviceKind {
    /// This machine's processors
    Cpu,
    /// An NVIDIA GPU (Hopper)
    Cuda,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Train {
    /// The anomaly model: a variational autoencoder of calm markets
    Vae(TrainVae),
    /// The laws of the channels beside the autoencoder: how far order flow, liquidity, order messages and the mid go beyond the usual
    /// in calm markets
    Channels(TrainChannels),
    /// The slippage network: what an order would pay beyond the best price
    Slippage(TrainSlippage),
    /// The fat-finger network: how likely an order is a fat finger, from a desk's own orders
    #[command(alias = "fatfinger")]
    FatFinger(TrainFatFinger),
}

#[derive(Args, Debug)]
#[command(
    after_help = "Several days: as many files after each of --orders, --features and --slippage, in the same order.

Examples:
  portcullis scenario calm --seed 1 --minutes 90 --out out/day
  portcullis replay out/day/calm.pcap --feed itch50 --static --write features,slippage --out out/day
  portcullis train fat-finger --orders out/day/orders.csv --features out/day/features.parquet \\
      --slippage out/day/slippage.parquet --out out/model-with-fat-finger"
)]
pub(crate) struct TrainFatFinger {
    /// The desk's orders, all taken as meant; errors are put into copies of them
    #[arg(long, required = true, num_args = 1.., value_name = "FILE.csv")]
    pub(crate) orders: Vec<PathBuf>,
    /// Feature captures of the same days (features.parquet of `replay`)
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub(crate) features: Vec<PathBuf>,
    /// Slippage of the same replays, whose capture has the best prices (slippage.parquet)
    #[arg(long, alias = "costs", required = true, num_args = 1.., value_name = "FILE")]
    pub(crate) slippage: Vec<PathBuf>,
    /// Model that gets the fat-finger network, and whose profiles normalise its inputs; the shipped default without it
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// Directory for the model with its fat-finger network; must not exist unless --force
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Seed of errors, initialisation and shuffling; the same seed gives the same weights
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub(crate) seed: u64,
    /// Assumed share of errors among the desk's orders
    #[arg(long, default_value_t = 1e-4, value_name = "SHARE")]
    pub(crate) base_rate: f64,
    /// Passes over the data at most [default: 40]
    #[arg(long, value_name = "PASSES")]
    pub(crate) epochs: Option<u32>,
    /// Replace an existing model
    #[arg(long)]
    pub(crate) force: bool,
    /// Write a network that was refused: a static size cap finds as many errors, or false alarms are too many
    #[arg(long)]
    pub(crate) accept_worse: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  portcullis scenario calm --seed 1 --minutes 60 --out out/day
  portcullis replay out/day/calm.pcap --feed itch50 --static --write features,slippage --out out/day
  portcullis train vae --features out/day/features.parquet --out out/model
  portcullis train slippage --features out/day/features.parquet \\
      --slippage out/day/slippage.parquet --model out/model --out out/model-with-slippage")]
pub(crate) struct TrainSlippage {
    /// Feature captures (features.parquet of `replay`)
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub(crate) features: Vec<PathBuf>,
    /// Slippage of the same replays (slippage.parquet)
    #[arg(long, alias = "costs", required = true, num_args = 1.., value_name = "FILE")]
    pub(crate) slippage: Vec<PathBuf>,
    /// Model that gets the slippage network, and whose profiles normalise its inputs; the shipped default without it
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// Directory for the model with its slippage network; must not exist unless --force
    #[arg(long, required_unless_present = "judge", value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Seed of initialisation and shuffling; the same seed gives the same weights
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub(crate) seed: u64,
    /// Passes over the data at most [default: 30]
    #[arg(long, value_name = "PASSES")]
    pub(crate) epochs: Option<u32>,
    /// Train nothing: judge the model's slippage network on these captures against baselines fitted to their first half
    #[arg(long, conflicts_with_all = ["out", "epochs", "force", "accept_worse"])]
    pub(crate) judge: bool,
    /// Replace an existing model
    #[arg(long)]
    pub(crate) force: bool,
    /// Write a slippage network that was refused: beaten by a baseline, or with a quantile that does not cover
    #[arg(long)]
    pub(crate) accept_worse: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  portcullis scenario calm --seed 1 --minutes 60 --out out/calm1
  portcullis replay out/calm1/calm.pcap --feed itch50 --static --write features --out out/calm1
  portcullis train vae --features out/calm1/features.parquet --out out/model
  portcullis train vae --features out/calm1/features.parquet --out out/model --device cuda")]
pub(crate) struct TrainVae {
    /// Feature captures of calm markets (features.parquet of `replay`)
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub(crate) features: Vec<PathBuf>,
    /// Directory for weights and manifest; must not exist unless --force
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Seed of initialisation, shuffling and noise; the same seed gives the same weights
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub(crate) seed: u64,
    /// Passes over the data at most [default: 40]
    #[arg(long, value_name = "PASSES")]
    pub(crate) epochs: Option<u32>,
    /// What fits the network; the same seed gives weights that are alike on both, not equal
    #[arg(long, default_value = "cpu")]
    pub(crate) device: DeviceKind,
    /// The library that drives the card (scripts/build-cuda.sh); without it, the one that `scorer.cuda_library` names by default
    #[arg(long, value_name = "FILE")]
    pub(crate) cuda_library: Option<PathBuf>,
    /// Replace an existing model
    #[arg(long)]
    pub(crate) force: bool,
    /// Write a model that was refused: the linear baseline rebuilds calm markets better
    #[arg(long)]
    pub(crate) accept_worse: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "`train vae` fits them as well, that of the autoencoder to the days it was trained on. This is for a model that
was trained without, or by a build whose channels read other features, and for more calm days, whose
scores of the autoencoder are measured anew, too: the tails of the laws want more of them than the network does.

Examples:
  portcullis scenario calm --seed 1 --minutes 90 --out out/day
  portcullis replay out/day/calm.pcap --feed itch50 --static --write features --out out/day
  portcullis train channels --features out/day/features.parquet --out out/model-with-channels"
)]
pub(crate) struct TrainChannels {
    /// Feature captures of calm markets (features.parquet of `replay`)
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub(crate) features: Vec<PathBuf>,
    /// Model that gets the laws; the shipped default without it
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// Directory for the model with its laws; must not exist unless --force
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Replace an existing model
    #[arg(long)]
    pub(crate) force: bool,
}
