//! A trained model and its folder: `manifest.toml`, which says everything about it, `weights.safetensors`,
//! and, where the model has an impact network or an error-probability network, `slippage.safetensors` and
//! `surface.safetensors`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use types::{FEATURES, FeatureSchema, Symbol, UnixNanos};

use crate::calibrate::{Calibration, Calibrations};
use crate::head::{Head, HeadLayers};
use crate::network::{Network, WeightsError};
use crate::normalise::{Profile, Profiles, transform_names};
use crate::row::FeatureRow;
use crate::scorer::ScoreLaw;
use crate::slippage::{SlippageManifest, SlippageModel, SlippageScales};
use crate::surface::{SurfaceManifest, SurfaceModel};
use crate::train::{FittedOn, TrainConfig, TrainReport};

/// Version of the folder's format; a reader refuses any other.
pub const MODEL_FORMAT: i64 = 1;

/// File names in the folder.
const MANIFEST: &str = "manifest.toml";
const WEIGHTS: &str = "weights.safetensors";
const SLIPPAGE: &str = "slippage.safetensors";
const SURFACE: &str = "surface.safetensors";

/// Largest manifest read (10,000 symbols with profile and calibration take about 60 MB), and largest weights.
const MANIFEST_BYTES_MAX: u64 = 128 << 20;
const WEIGHTS_BYTES_MAX: u64 = 1 << 20;

/// Where the model comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingRecord {
    /// First grid point fitted to, ns since 1970.
    pub first_ts_ns: u64,
    /// Last grid point fitted to, ns since 1970.
    pub last_ts_ns: u64,
    /// Symbols fitted to, sorted.
    pub symbols: Vec<String>,
    /// What the network was fitted on; the manifest names what is not the CPU.
    #[serde(default, skip_serializing_if = "FittedOn::is_cpu")]
    pub fitted_on: FittedOn,
    /// Settings.
    pub config: TrainConfig,
    /// Results.
    pub report: TrainReport,
}

impl TrainingRecord {
    /// The record of a fit to `rows`, which are in time order.
    pub(crate) fn of(
        rows: &[FeatureRow],
        fitted_on: FittedOn,
        config: TrainConfig,
        report: TrainReport,
    ) -> Self {
        let mut symbols: Vec<Symbol> = rows.iter().map(|row| row.symbol).collect();
        symbols.sort_unstable();
        symbols.dedup();
        let ts = |row: Option<&FeatureRow>| row.map_or(UnixNanos(0), |row| row.ts).0;
        Self {
            first_ts_ns: ts(rows.first()),
            last_ts_ns: ts(rows.last()),
            symbols: symbols.iter().map(|s| s.as_str().to_owned()).collect(),
            fitted_on,
            config,
            report,
        }
    }
}

/// A value that belongs to a symbol, as the manifest lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Named<T> {
    symbol: String,
    #[serde(flatten)]
    value: T,
}

/// `manifest.toml`, field by field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: i64,
    schema_hash: String,
    tool: String,
    weights: String,
    weights_blake3: String,
    features: Vec<String>,
    transforms: Vec<String>,
    score: ScoreLaw,
    training: TrainingRecord,
    profile: Profile,
    calibration: Calibration,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    symbol_profile: Vec<Named<Profile>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    symbol_calibration: Vec<Named<Calibration>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slippage: Option<SlippageManifest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    surface: Option<SurfaceManifest>,
}

/// The parts a model is made of.
pub(crate) struct ModelParts {
    pub(crate) network: Network,
    pub(crate) law: ScoreLaw,
    pub(crate) profiles: Profiles,
    pub(crate) calibrations: Calibrations,
    pub(crate) training: TrainingRecord,
}

/// A trained, calibrated model. What is inside has been checked: every number finite, every scale positive.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    network: Network,
    law: ScoreLaw,
    profiles: Profiles,
    calibrations: Calibrations,
    training: TrainingRecord,
    slippage: Option<SlippageModel>,
    surface: Option<SurfaceModel>,
    tool: String,
    id: String,
}

/// Why a model folder was not loaded. One line each: where, what was found, what was wanted.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is larger than any model's.
    #[error("{}: found more than {bytes_max} bytes, wanted at most that", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        bytes_max: u64,
    },
    /// The manifest is not one.
    #[error("{}:{line}: {message}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A fact of the manifest is not what this build can use.
    #[error("{}: {what}: found {found}, wanted {wanted}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Which fact.
        what: &'static str,
        /// Its value.
        found: String,
        /// The value this build needs.
        wanted: String,
    },
    /// A number in the manifest cannot be used.
    #[error("{}: {place}: found {found}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: String,
        /// What was found.
        found: &'static str,
    },
    /// The weights are not this network's.
    #[error("{}: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: WeightsError,
    },
}

/// Why a model was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// A file cannot be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The target is something else than a model.
    #[error("{}: found a file or folder that is not a model, wanted a new path or a model to replace", path.display())]
    Occupied {
        /// The target.
        path: PathBuf,
    },
    /// The model cannot be written down.
    #[error("model: {0}")]
    Encode(String),
}

fn schema_hash() -> String {
    format!("0x{:016x}", FeatureSchema::V1.hash)
}

fn feature_names() -> Vec<String> {
    FEATURES.iter().map(|f| f.name.to_owned()).collect()
}

pub(crate) fn named<T: Clone>(items: &[(Symbol, T)]) -> Vec<Named<T>> {
    items.iter().map(|(s, value)| Named { symbol: s.as_str().to_owned(), value: value.clone() }).collect()
}

impl Model {
    /// A model of this build from its parts.
    pub(crate) fn new(parts: ModelParts) -> Result<Self, SaveError> {
        Self {
            network: parts.network,
            law: parts.law,
            profiles: parts.profiles,
            calibrations: parts.calibrations,
            training: parts.training,
            slippage: None,
            surface: None,
            tool: String::new(),
            id: String::new(),
        }
        .signed()
    }

    /// The model as this build's, with the identity its contents have now.
    fn signed(mut self) -> Result<Self, SaveError> {
        concat!("portcullis ", env!("CARGO_PKG_VERSION")).clone_into(&mut self.tool);
        self.id = id_of(self.encode()?.manifest.as_bytes());
        Ok(self)
    }

    /// Identity of the model: a digest of the manifest, which holds the digest of the weights. Audit records and
    /// published limits name the model by it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where the model comes from.
    #[must_use]
    pub const fn training(&self) -> &TrainingRecord {
        &self.training
    }

    /// Version of the program that trained it.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// The normalisation profiles.
    #[must_use]
    pub const fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// The calibrations.
    #[must_use]
    pub const fn calibrations(&self) -> &Calibrations {
        &self.calibrations
    }

    /// The constants of the score.
    #[must_use]
    pub const fn score_law(&self) -> &ScoreLaw {
        &self.law
    }

    pub(crate) const fn network(&self) -> &Network {
        &self.network
    }

    /// The impact network, where the model has one.
    #[must_use]
    pub const fn slippage(&self) -> Option<&SlippageModel> {
        self.slippage.as_ref()
    }

    /// The same model with another impact network.
    ///
    /// # Errors
    /// When the result cannot be written down.
    pub fn with_slippage(self, slippage: SlippageModel) -> Result<Self, SaveError> {
        Self { slippage: Some(slippage), ..self }.signed()
    }

    /// The error-probability network, where the model has one.
    #[must_use]
    pub const fn surface(&self) -> Option<&SurfaceModel> {
        self.surface.as_ref()
    }

    /// The model without the heads that are not in `heads`, so that no scorer asks them; its identity stays.
    #[must_use]
    pub fn with_heads(&self, heads: &[Head]) -> Self {
        let mut model = self.clone();
        if !heads.contains(&Head::Slippage) {
            model.slippage = None;
        }
        if !heads.contains(&Head::Surface) {
            model.surface = None;
        }
        model
    }

    /// The layers of a head; `None` when the model has no such head.
    pub(crate) fn head(&self, head: Head) -> Option<&HeadLayers> {
        match head {
            Head::Slippage => self.slippage().map(SlippageModel::layers),
            Head::Surface => self.surface().map(SurfaceModel::layers),
        }
    }

    /// The same model with another error-probability network.
    ///
    /// # Errors
    /// When the result cannot be written down.
    pub fn with_surface(self, surface: SurfaceModel) -> Result<Self, SaveError> {
        Self { surface: Some(surface), ..self }.signed()
    }

    /// The same network with other calibrations (a tail refitted to newer data).
    ///
    /// # Errors
    /// When the result cannot be written down.
    pub fn with_calibrations(self, calibrations: Calibrations) -> Result<Self, SaveError> {
        Self { calibrations, ..self }.signed()
    }

    /// The contents of the folder's files; the same model gives the same bytes.
    fn encode(&self) -> Result<Files, SaveError> {
        let encode = |e: WeightsError| SaveError::Encode(e.to_string());
        let weights = self.network.to_bytes().map_err(encode)?;
        let slippage = self.slippage.as_ref().map(SlippageModel::to_bytes).transpose().map_err(encode)?;
        let surface = self.surface.as_ref().map(SurfaceModel::to_bytes).transpose().map_err(encode)?;
        let slippage_table = |(head, bytes): (_, &[u8])| SlippageManifest::of(head, SLIPPAGE, bytes);
        let surface_table = |(head, bytes): (_, &[u8])| SurfaceManifest::of(head, SURFACE, bytes);
        let manifest = Manifest {
            format: MODEL_FORMAT,
            schema_hash: schema_hash(),
            tool: self.tool.clone(),
            weights: WEIGHTS.to_owned(),
            weights_blake3: blake3::hash(&weights).to_string(),
            features: feature_names(),
            transforms: transform_names(),
            score: self.law,
            training: self.training.clone(),
            profile: self.profiles.pooled.clone(),
            calibration: self.calibrations.pooled.clone(),
            symbol_profile: named(&self.profiles.symbols),
            symbol_calibration: named(&self.calibrations.symbols),
            slippage: self.slippage.as_ref().zip(slippage.as_deref()).map(slippage_table),
            surface: self.surface.as_ref().zip(surface.as_deref()).map(surface_table),
        };
        let manifest = toml::to_string(&manifest).map_err(|e| SaveError::Encode(e.to_string()))?;
        Ok(Files { manifest, weights, slippage, surface })
    }

    /// Saves to the folder `dir`: written beside it under another name, forced to disk, then renamed, so that a
    /// reader finds a whole model or none. A model already there is replaced; anything else is left alone.
    ///
    /// # Errors
    /// A target that is not a model, or what the file system refuses; nothing is left behind under `dir` then.
    pub fn save(&self, dir: &Path) -> Result<(), SaveError> {
        let files = self.encode()?;
        let replaces = dir.join(MANIFEST).is_file();
        if !replaces && dir.exists() {
            return Err(SaveError::Occupied { path: dir.to_owned() });
        }
        let (fresh, old) = (beside(dir, "new"), beside(dir, "old"));
        let io_at = |path: &Path| {
            let path = path.to_owned();
            move |source| SaveError::Io { path, source }
        };
        // Left over from a save that was killed.
        remove_dir(&fresh).map_err(io_at(&fresh))?;
        remove_dir(&old).map_err(io_at(&old))?;
        let mut contents = vec![(WEIGHTS, files.weights.as_slice()), (MANIFEST, files.manifest.as_bytes())];
        contents.extend(files.slippage.as_deref().map(|bytes| (SLIPPAGE, bytes)));
        contents.extend(files.surface.as_deref().map(|bytes| (SURFACE, bytes)));
        let written = write_folder(&fresh, &contents)
            .map_err(io_at(&fresh))
            .and_then(|()| swap(&fresh, dir, replaces.then_some(old.as_path())).map_err(io_at(dir)));
        if written.is_err() {
            // The first error is the one worth telling.
            let _ = remove_dir(&fresh);
        }
        written
    }

    /// Loads the model in the folder `dir`.
    ///
    /// # Errors
    /// Files that cannot be read or are not a model, a model of another format or feature schema, weights with
    /// another digest or shape, numbers that cannot be used.
    pub fn load(dir: &Path) -> Result<Self, LoadError> {
        let manifest = read_bounded(&dir.join(MANIFEST), MANIFEST_BYTES_MAX)?;
        let weights = read_bounded(&dir.join(WEIGHTS), WEIGHTS_BYTES_MAX)?;
        Self::from_bytes(dir, &manifest, &weights, |path| read_bounded(path, WEIGHTS_BYTES_MAX))
    }

    /// The model that is part of this build: trained by `scripts/train-default-model.sh` on simulated calm days.
    ///
    /// # Errors
    /// As [`Model::load`]: a build whose features are not the model's refuses it like any other.
    pub fn shipped() -> Result<Self, LoadError> {
        let dir = Path::new("gpu/models/default");
        Self::from_bytes(
            dir,
            include_bytes!("../models/default/manifest.toml"),
            include_bytes!("../models/default/weights.safetensors"),
            |path| match path.file_name().and_then(OsStr::to_str) {
                Some(SLIPPAGE) => Ok(include_bytes!("../models/default/slippage.safetensors").to_vec()),
                Some(SURFACE) => Ok(include_bytes!("../models/default/surface.safetensors").to_vec()),
                _ => {
                    let source = io::Error::new(io::ErrorKind::NotFound, "not part of this build");
                    Err(LoadError::Io { path: path.to_owned(), source })
                }
            },
        )
    }

    /// A model from the contents of its files; `dir` stands for their folder in messages, and `read` gives the
    /// weights of the heads that the manifest names.
    fn from_bytes(
        dir: &Path,
        bytes: &[u8],
        weights: &[u8],
        read: impl Fn(&Path) -> Result<Vec<u8>, LoadError>,
    ) -> Result<Self, LoadError> {
        let path = dir.join(MANIFEST);
        let manifest = parse_manifest(&path, bytes)?;
        check_values(&path, &manifest)?;
        let network = verified(&dir.join(WEIGHTS), weights, &manifest.weights_blake3, Network::from_bytes)?;
        let slippage = manifest.slippage.map(|head| slippage_model(dir, head, &read)).transpose()?;
        let surface = manifest.surface.map(|head| surface_model(dir, head, &read)).transpose()?;
        Ok(Self {
            network,
            law: manifest.score,
            profiles: Profiles {
                pooled: manifest.profile,
                symbols: symbols(&path, manifest.symbol_profile)?,
            },
            calibrations: Calibrations {
                pooled: manifest.calibration,
                symbols: symbols(&path, manifest.symbol_calibration)?,
            },
            training: manifest.training,
            slippage,
            surface,
            tool: manifest.tool,
            id: id_of(bytes),
        })
    }
}

/// The contents of a model's files.
struct Files {
    manifest: String,
    weights: Vec<u8>,
    slippage: Option<Vec<u8>>,
    surface: Option<Vec<u8>>,
}

/// The impact network that `manifest`, of the folder `dir`, describes and `read` gives the weights of.
fn slippage_model(
    dir: &Path,
    manifest: SlippageManifest,
    read: impl FnOnce(&Path) -> Result<Vec<u8>, LoadError>,
) -> Result<SlippageModel, LoadError> {
    let (path, weights_path) = (dir.join(MANIFEST), dir.join(SLIPPAGE));
    refuse(&path, manifest.mismatch(SLIPPAGE))?;
    let weights = read(&weights_path)?;
    let digest = &manifest.weights_blake3;
    let layers = verified(&weights_path, &weights, digest, SlippageModel::layers_from_bytes)?;
    let scales = SlippageScales { pooled: manifest.scale, symbols: symbols(&path, manifest.symbol_scale)? };
    Ok(SlippageModel { layers, scales, record: manifest.training })
}

/// The error-probability network that `manifest`, of the folder `dir`, describes and `read` gives the weights of.
fn surface_model(
    dir: &Path,
    manifest: SurfaceManifest,
    read: impl FnOnce(&Path) -> Result<Vec<u8>, LoadError>,
) -> Result<SurfaceModel, LoadError> {
    let (path, weights_path) = (dir.join(MANIFEST), dir.join(SURFACE));
    refuse(&path, manifest.mismatch(SURFACE))?;
    let weights = read(&weights_path)?;
    let digest = &manifest.weights_blake3;
    let layers = verified(&weights_path, &weights, digest, SurfaceModel::layers_from_bytes)?;
    let offsets = symbols(&path, manifest.symbol_offset)?;
    Ok(SurfaceModel { layers, law: manifest.law, offsets, record: manifest.training })
}

/// Refuses the file `path` for the fact in it that differs (its name, found, wanted), if there is one.
fn refuse(path: &Path, mismatch: Option<(&'static str, String, String)>) -> Result<(), LoadError> {
    let refused =
        |(what, found, wanted)| Err(LoadError::Mismatch { path: path.to_owned(), what, found, wanted });
    mismatch.map_or(Ok(()), refused)
}

/// What `parse` makes of the file `path` with the content `weights`, whose digest must be the one `wanted`.
fn verified<T>(
    path: &Path,
    weights: &[u8],
    wanted: &str,
    parse: impl FnOnce(&[u8]) -> Result<T, WeightsError>,
) -> Result<T, LoadError> {
    let found = blake3::hash(weights).to_string();
    let differs = found != wanted;
    refuse(path, differs.then(|| ("blake3 digest", found, wanted.to_owned())))?;
    parse(weights).map_err(|source| LoadError::Weights { path: path.to_owned(), source })
}

fn id_of(manifest: &[u8]) -> String {
    blake3::hash(manifest).to_hex()[..16].to_owned()
}

fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(format!(".{suffix}"));
    PathBuf::from(name)
}

fn remove_dir(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn write_folder(dir: &Path, files: &[(&str, &[u8])]) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    for (name, bytes) in files {
        let mut file = File::create_new(dir.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    File::open(dir)?.sync_all()
}

/// Puts `fresh` in the place of `dir`, whose old content waits at `old` until the new one stands.
fn swap(fresh: &Path, dir: &Path, old: Option<&Path>) -> io::Result<()> {
    if let Some(old) = old {
        fs::rename(dir, old)?;
    }
    if let Err(error) = fs::rename(fresh, dir) {
        if let Some(old) = old {
            fs::rename(old, dir)?;
        }
        return Err(error);
    }
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()?;
    old.map_or(Ok(()), remove_dir)
}

fn read_bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, LoadError> {
    let io_error = |source| LoadError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(io_error)?.take(bytes_max + 1).read_to_end(&mut bytes).map_err(io_error)?;
    if bytes.len() as u64 > bytes_max {
        return Err(LoadError::TooLarge { path: path.to_owned(), bytes_max });
    }
    Ok(bytes)
}

/// The parts every format has, read first, so that a newer model is refused for its format and not for a field.
#[derive(Deserialize)]
struct Preamble {
    format: i64,
    schema_hash: String,
}

fn parse_manifest(path: &Path, bytes: &[u8]) -> Result<Manifest, LoadError> {
    let fault = |line, message| LoadError::Manifest { path: path.to_owned(), line, message };
    let text =
        std::str::from_utf8(bytes).map_err(|e| fault(1, format!("found bytes that are not UTF-8: {e}")))?;
    let toml_fault = |e: toml::de::Error| {
        let offset = e.span().map_or(0, |span| span.start.min(text.len()));
        fault(1 + text.as_bytes()[..offset].iter().filter(|b| **b == b'\n').count(), e.message().to_owned())
    };
    let preamble: Preamble = toml::from_str(text).map_err(toml_fault)?;
    let mismatch = |what, found, wanted| LoadError::Mismatch { path: path.to_owned(), what, found, wanted };
    if preamble.format != MODEL_FORMAT {
        return Err(mismatch("format", preamble.format.to_string(), MODEL_FORMAT.to_string()));
    }
    if preamble.schema_hash != schema_hash() {
        return Err(mismatch("schema_hash", preamble.schema_hash, schema_hash()));
    }
    let manifest: Manifest = toml::from_str(text).map_err(toml_fault)?;
    if manifest.features != feature_names() {
        return Err(mismatch("features", manifest.features.join(","), feature_names().join(",")));
    }
    if manifest.transforms != transform_names() {
        return Err(mismatch("transforms", manifest.transforms.join(", "), transform_names().join(", ")));
    }
    if manifest.weights != WEIGHTS {
        return Err(mismatch("weights", manifest.weights, WEIGHTS.to_owned()));
    }
    Ok(manifest)
}

fn check_values(path: &Path, manifest: &Manifest) -> Result<(), LoadError> {
    let profiles = manifest.symbol_profile.iter().map(|n| (n.symbol.as_str(), n.value.fault()));
    let calibrations = manifest.symbol_calibration.iter().map(|n| (n.symbol.as_str(), n.value.fault()));
    let single = [
        ("score", manifest.score.fault()),
        ("profile", manifest.profile.fault()),
        ("calibration", manifest.calibration.fault()),
    ];
    let slippage = manifest.slippage.as_ref();
    let scale = slippage.map(|s| ("slippage.scale", s.scale.fault()));
    let scales =
        slippage.into_iter().flat_map(|s| &s.symbol_scale).map(|n| (n.symbol.as_str(), n.value.fault()));
    let surface = manifest.surface.as_ref();
    let law = surface.map(|s| ("surface.law", s.law.fault()));
    let offsets =
        surface.into_iter().flat_map(|s| &s.symbol_offset).map(|n| (n.symbol.as_str(), n.value.fault()));
    let mut faults = single
        .into_iter()
        .chain(profiles)
        .chain(calibrations)
        .chain(scale)
        .chain(scales)
        .chain(law)
        .chain(offsets);
    match faults.find_map(|(place, found)| Some((place, found?))) {
        Some((place, found)) => {
            Err(LoadError::Value { path: path.to_owned(), place: place.to_owned(), found })
        }
        None => Ok(()),
    }
}

/// Parses the names and sorts by them.
fn symbols<T>(path: &Path, items: Vec<Named<T>>) -> Result<Vec<(Symbol, T)>, LoadError> {
    let mut out = Vec::with_capacity(items.len());
    for Named { symbol, value } in items {
        let Some(name) = Symbol::new(&symbol) else {
            let found = "a symbol that is empty, longer than 8 bytes or not printable";
            return Err(LoadError::Value { path: path.to_owned(), place: symbol, found });
        };
        out.push((name, value));
    }
    out.sort_by_key(|(symbol, _)| *symbol);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slippage::tests::random_head;
    use crate::synthetic::model;

    /// `model` in a folder of its own.
    fn folder_of(model: &Model) -> (tempfile::TempDir, PathBuf) {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("model");
        model.save(&dir).unwrap();
        (parent, dir)
    }

    /// A saved model in a folder of its own.
    fn saved() -> (tempfile::TempDir, PathBuf) {
        folder_of(model())
    }

    /// What loading says, in one line, after `edit` changed the folder of `model`.
    fn load_after(model: &Model, edit: impl Fn(&Path)) -> String {
        let (_parent, dir) = folder_of(model);
        edit(&dir);
        let error = Model::load(&dir).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    }

    /// What loading says after the first `from` in or below the manifest's `table` of `model` became `to`.
    fn load_with(model: &Model, table: &str, (from, to): (&str, &str)) -> String {
        load_after(model, |dir| {
            let path = dir.join(MANIFEST);
            let text = fs::read_to_string(&path).unwrap();
            let at = text.find(table).unwrap();
            assert!(text[at..].contains(from), "{from}");
            fs::write(path, text[..at].to_owned() + &text[at..].replacen(from, to, 1)).unwrap();
        })
    }

    /// What loading says after `edit` changed the manifest.
    fn after(edit: impl Fn(&str) -> String) -> String {
        let error = load_after(model(), |dir| {
            let path = dir.join(MANIFEST);
            let text = fs::read_to_string(&path).unwrap();
            let edited = edit(&text);
            assert_ne!(text, edited, "the edit found nothing to change");
            fs::write(&path, edited).unwrap();
        });
        assert!(error.contains("manifest.toml"), "{error}");
        error
    }

    #[test]
    fn a_model_survives_its_folder_in_every_bit() {
        let (_parent, dir) = saved();
        let loaded = Model::load(&dir).unwrap();
        assert_eq!(&loaded, model());
        assert_eq!(loaded.id(), model().id());
        assert_eq!(loaded.id().len(), 16);
        let record = loaded.training();
        assert_eq!(record.symbols, ["AAA", "BBB", "CCC"]);
        assert_eq!(loaded.profiles().symbol_count(), 3);
        assert!(record.first_ts_ns < record.last_ts_ns);
    }

    #[test]
    fn the_manifest_names_what_is_not_fitted_on_the_cpu() {
        let (_parent, dir) = saved();
        let path = dir.join(MANIFEST);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("fitted_on"), "as before there was a choice");
        let line = "last_ts_ns = ";
        fs::write(&path, text.replacen(line, &format!("fitted_on = \"cuda\"\n{line}"), 1)).unwrap();
        let loaded = Model::load(&dir).unwrap();
        assert_eq!(loaded.training().fitted_on, FittedOn::Cuda);
        loaded.save(&dir).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("fitted_on = \"cuda\""));
    }

    #[test]
    fn saving_leaves_one_folder_and_replaces_only_a_model() {
        let (parent, dir) = saved();
        let newer = model().clone().with_calibrations(model().calibrations().clone()).unwrap();
        newer.save(&dir).unwrap();
        assert_eq!(Model::load(&dir).unwrap(), newer);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1, "nothing is left beside the model");
        let other = parent.path().join("precious");
        fs::create_dir(&other).unwrap();
        let error = newer.save(&other).unwrap_err().to_string();
        assert!(
            error.contains("precious") && error.contains("wanted a new path or a model to replace"),
            "{error}"
        );
        assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
    }

    #[test]
    fn another_format_schema_or_feature_is_refused_with_found_and_wanted() {
        assert!(
            after(|t| t.replace("format = 1", "format = 2\nnews = 3")).ends_with("format: found 2, wanted 1")
        );
        let schema = after(|t| t.replace("0x43e7a910454d019b", "0x1"));
        assert!(schema.ends_with("schema_hash: found 0x1, wanted 0x43e7a910454d019b"), "{schema}");
        assert!(
            after(|t| t.replacen("spread_bps", "spread", 1))
                .contains("features: found spread,queue_imbalance")
        );
        assert!(after(|t| t.replacen("asinh", "log", 1)).contains("transforms: found"));
        assert!(
            after(|t| t.replace("weights.safetensors", "../x"))
                .ends_with("weights: found ../x, wanted weights.safetensors")
        );
    }

    #[test]
    fn damage_is_named_with_its_line() {
        assert!(after(|t| t.replacen("seed = ", "sede = ", 1)).contains("unknown field `sede`"));
        assert!(after(|t| t.replacen("format = 1", "format = 1\n=", 1)).contains("manifest.toml:2: "));
        assert!(
            after(|t| t.replacen("tail_share = 0.0", "tail_share = 5.0", 1))
                .ends_with("calibration: found a tail share outside (0, 0.02]")
        );
        assert!(
            after(|t| t.replacen("trained = 8191", "trained = 8192", 1))
                .ends_with("found more trained bits than features")
        );
        assert!(
            after(|t| t.replacen("symbol = \"AAA\"", "symbol = \"A A\"", 1))
                .contains("A A: found a symbol that is empty")
        );
        let (_parent, dir) = saved();
        fs::write(dir.join(MANIFEST), [0xff, 0xfe]).unwrap();
        assert!(Model::load(&dir).unwrap_err().to_string().contains("not UTF-8"));
    }

    #[test]
    fn changed_or_missing_weights_are_refused() {
        let (_parent, dir) = saved();
        let path = dir.join(WEIGHTS);
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = Model::load(&dir).unwrap_err().to_string();
        assert!(error.contains("weights.safetensors: blake3 digest: found "), "{error}");
        fs::write(&path, vec![0; usize::try_from(WEIGHTS_BYTES_MAX).unwrap() + 1]).unwrap();
        let error = Model::load(&dir).unwrap_err().to_string();
        assert!(error.ends_with("found more than 1048576 bytes, wanted at most that"), "{error}");
        fs::remove_file(&path).unwrap();
        assert!(matches!(Model::load(&dir), Err(LoadError::Io { .. })));
    }

    #[test]
    fn weights_of_another_shape_are_refused_even_with_the_right_digest() {
        let (_parent, dir) = saved();
        let weights = model().network().to_bytes().unwrap();
        let file = safetensors::SafeTensors::deserialize(&weights).unwrap();
        let fewer: Vec<_> = file.tensors().into_iter().filter(|(name, _)| name != "mu.bias").collect();
        let bytes = safetensors::serialize(fewer, None).unwrap();
        fs::write(dir.join(WEIGHTS), &bytes).unwrap();
        let path = dir.join(MANIFEST);
        let old = blake3::hash(&weights).to_string();
        let text = fs::read_to_string(&path).unwrap().replace(&old, &blake3::hash(&bytes).to_string());
        fs::write(&path, text).unwrap();
        let error = Model::load(&dir).unwrap_err().to_string();
        assert!(
            error.ends_with("weights.safetensors: tensor mu.bias: not found, wanted shape [4]"),
            "{error}"
        );
    }

    /// A model with an impact network.
    fn with_slippage() -> Model {
        model().clone().with_slippage(random_head(5)).unwrap()
    }

    #[test]
    fn an_impact_network_survives_its_folder_and_a_model_without_one_is_as_before() {
        assert!(model().slippage().is_none());
        let wanted = with_slippage();
        let (_parent, dir) = folder_of(&wanted);
        let loaded = Model::load(&dir).unwrap();
        assert_eq!(loaded, wanted);
        assert_eq!(loaded.slippage(), Some(&random_head(5)));
        assert_ne!(loaded.id(), model().id());
        assert_eq!(loaded.network(), model().network());
        let bytes = |name: &str| fs::read(dir.join(name)).unwrap();
        let before = [bytes(MANIFEST), bytes(SLIPPAGE)];
        loaded.save(&dir).unwrap();
        assert_eq!([bytes(MANIFEST), bytes(SLIPPAGE)], before, "the same model gives the same bytes");
        // Without the table the file is not looked at.
        model().save(&dir).unwrap();
        assert!(!dir.join(SLIPPAGE).exists());
    }

    #[test]
    fn damage_to_an_impact_network_is_told_in_one_line() {
        let model = with_slippage();
        let manifest = |from, to| load_with(&model, "[slippage]", (from, to));
        let wrong = manifest("horizon_ns = 100000000", "horizon_ns = 1");
        assert!(wrong.ends_with("manifest.toml: slippage.horizon_ns: found 1, wanted 100000000"), "{wrong}");
        assert!(
            manifest("quantile = 0.9", "quantile = 0.5")
                .ends_with("slippage.quantile: found 0.5, wanted 0.9")
        );
        assert!(manifest("\"drift\"", "\"cost\"").ends_with("slippage.target: found cost, wanted drift"));
        assert!(manifest("sizes = [0.5", "sizes = [0.25").contains("slippage.sizes: found [0.25, "));
        assert!(
            manifest("slippage.safetensors", "../x").ends_with("found ../x, wanted slippage.safetensors")
        );
        assert!(
            manifest("held = 6", "held = 9")
                .ends_with("slippage.scale: found more sizes held than there are")
        );
        assert!(manifest("held = 5", "held = 9").ends_with("BBB: found more sizes held than there are"));
        let digest = load_after(&model, |dir| fs::write(dir.join(SLIPPAGE), b"x").unwrap());
        assert!(digest.contains("slippage.safetensors: blake3 digest: found "), "{digest}");
        let missing = load_after(&model, |dir| fs::remove_file(dir.join(SLIPPAGE)).unwrap());
        assert!(missing.contains("slippage.safetensors: "), "{missing}");
    }

    /// A model with both heads.
    fn with_both_heads() -> Model {
        with_slippage().with_surface(crate::surface::tests::random_head(6)).unwrap()
    }

    #[test]
    fn an_error_probability_network_survives_its_folder_beside_the_impact_network() {
        assert!(model().surface().is_none());
        let wanted = with_both_heads();
        let (_parent, dir) = folder_of(&wanted);
        let loaded = Model::load(&dir).unwrap();
        assert_eq!(loaded, wanted);
        assert_eq!(loaded.surface(), Some(&crate::surface::tests::random_head(6)));
        assert_eq!(loaded.slippage(), Some(&random_head(5)));
        let bytes = |name: &str| fs::read(dir.join(name)).unwrap();
        let before = [bytes(MANIFEST), bytes(SLIPPAGE), bytes(SURFACE)];
        loaded.save(&dir).unwrap();
        assert_eq!([bytes(MANIFEST), bytes(SLIPPAGE), bytes(SURFACE)], before);
        // Alone it stands as well, and without it nothing of the model changes.
        let alone = model().clone().with_surface(crate::surface::tests::random_head(6)).unwrap();
        alone.save(&dir).unwrap();
        assert_eq!(Model::load(&dir).unwrap(), alone);
        assert!(!dir.join(SLIPPAGE).exists());
        assert!(!model().encode().unwrap().manifest.contains("surface"));
    }

    #[test]
    fn damage_to_an_error_probability_network_is_told_in_one_line() {
        let model = with_both_heads();
        let manifest = |from, to| load_with(&model, "[surface]", (from, to));
        assert!(manifest("surface.safetensors", "../x").ends_with("found ../x, wanted surface.safetensors"));
        assert!(manifest("edges_bps = [1.0", "edges_bps = [1.5").contains("surface.edges_bps: found [1.5, "));
        let steep = manifest("k = 2.0", "k = -2.0");
        assert!(
            steep.ends_with("manifest.toml: surface.law: found a steepness k outside [0.05, 64]"),
            "{steep}"
        );
        let offset = manifest("doublings = 0.0", "doublings = 99.0");
        assert!(offset.ends_with("AAA: found an offset beyond 64 doublings"), "{offset}");
        assert!(manifest("unit = 0.5", "units = 0.5").contains("unknown field `units`"));
        let digest = load_after(&model, |dir| fs::write(dir.join(SURFACE), b"x").unwrap());
        assert!(digest.contains("surface.safetensors: blake3 digest: found "), "{digest}");
        let missing = load_after(&model, |dir| fs::remove_file(dir.join(SURFACE)).unwrap());
        assert!(missing.contains("surface.safetensors: "), "{missing}");
    }

    #[test]
    fn the_shipped_model_fits_this_build() {
        let shipped = Model::shipped().unwrap();
        assert!(shipped.training().report.active_units > 0);
        assert_eq!(shipped.training().report.holdout.critical, 0, "a false alarm on its own holdout");
        let report = &shipped.slippage().unwrap().record().report;
        assert_eq!(report.refusal(), None);
        assert!((0.88..=0.92).contains(&report.holdout.coverage), "{}", report.holdout.coverage);
        let report = &shipped.surface().unwrap().record().report;
        assert_eq!(report.refusal(), None);
        assert!(report.holdout.rates.iter().all(|at| at.recall > at.recall_cap + 0.1), "{report:?}");
    }
}
