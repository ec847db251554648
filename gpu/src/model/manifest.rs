//! `manifest.toml`, which says everything about a model but its weights: encoding, decoding, and what is refused.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use types::{FEATURES, FeatureSchema, MODEL_FEATURE_COUNT};

use super::calibration::{Calibration, Calibrations};
use super::channels::ChannelSection;
use super::errors::{LoadError, SaveError};
use super::law::ScoreLaw;
use super::record::TrainingRecord;
use super::trained::Model;
use crate::heads::{Head, HeadFault, Sections, WeightsFile};
use crate::inputs::{Named, Profile, Profiles, first_fault, named, parsed, transform_names};
use crate::network::{Network, WeightsError};

/// Version of the folder's format; a reader refuses any other.
pub const MODEL_FORMAT: i64 = 1;

/// File names in the folder.
pub(crate) const MANIFEST: &str = "manifest.toml";
pub(crate) const WEIGHTS: &str = "weights.safetensors";

/// `manifest.toml`, field by field, but for the sections of its heads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    channels: Option<ChannelSection>,
}

/// Keys of [`Manifest`]; those of the heads' sections come beside them.
const KEYS: [&str; 14] = [
    "format",
    "schema_hash",
    "tool",
    "weights",
    "weights_blake3",
    "features",
    "transforms",
    "score",
    "training",
    "profile",
    "calibration",
    "symbol_profile",
    "symbol_calibration",
    "channels",
];

/// A key that a manifest may have.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String")]
struct Key(String);

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(key: String) -> Result<Self, String> {
        if KEYS.contains(&key.as_str()) || Head::has_section(&key) {
            Ok(Self(key))
        } else {
            Err(format!("unknown field `{key}`"))
        }
    }
}

fn schema_hash() -> String {
    format!("0x{:016x}", FeatureSchema::MODEL.hash)
}

fn feature_names() -> Vec<String> {
    FEATURES[..MODEL_FEATURE_COUNT].iter().map(|f| f.name.to_owned()).collect()
}

/// The contents of a model's files.
pub(crate) struct Files {
    pub(crate) manifest: String,
    pub(crate) weights: Vec<u8>,
    pub(crate) heads: Vec<WeightsFile>,
}

/// The contents of the folder's files; the same model gives the same bytes.
pub(crate) fn encode(model: &Model) -> Result<Files, SaveError> {
    let refused = |e: WeightsError| SaveError::Encode(e.to_string());
    let weights = model.network.to_bytes().map_err(refused)?;
    let (sections, heads) = model.heads.encode().map_err(refused)?;
    let manifest = Manifest {
        format: MODEL_FORMAT,
        schema_hash: schema_hash(),
        tool: model.tool.clone(),
        weights: WEIGHTS.to_owned(),
        weights_blake3: blake3::hash(&weights).to_string(),
        features: feature_names(),
        transforms: transform_names(),
        score: model.law,
        training: model.training.clone(),
        profile: model.profiles.pooled.clone(),
        calibration: model.calibrations.pooled.clone(),
        symbol_profile: named(&model.profiles.symbols),
        symbol_calibration: named(&model.calibrations.symbols),
        channels: model.channels.as_ref().map(ChannelSection::of),
    };
    let text = |e: toml::ser::Error| SaveError::Encode(e.to_string());
    let mut manifest = toml::to_string(&manifest).map_err(text)?;
    if !heads.is_empty() {
        manifest.push('\n');
        manifest += &toml::to_string(&sections).map_err(text)?;
    }
    Ok(Files { manifest, weights, heads })
}

/// Which parts of a manifest are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    All,
    /// All but the laws of the channels, which may be another build's.
    WithoutChannels,
}

/// A model from the contents of its files; `dir` stands for their folder in messages, and `read` gives the weights of the
/// heads that the manifest names.
pub(crate) fn decode(
    dir: &Path,
    bytes: &[u8],
    weights: &[u8],
    parts: Parts,
    read: &dyn Fn(&Path) -> Result<Vec<u8>, LoadError>,
) -> Result<Model, LoadError> {
    let path = dir.join(MANIFEST);
    let (manifest, sections) = parse(&path, bytes, parts)?;
    check_values(&path, &manifest, &sections)?;
    let network = network(&dir.join(WEIGHTS), weights, &manifest.weights_blake3)?;
    let read = |file: &Path| read(&dir.join(file)).map_err(Refused::File);
    let heads = sections.assemble(&read).map_err(|refused| match refused {
        Refused::File(error) => error,
        Refused::Head(fault) => head_error(dir, fault),
    })?;
    let nameless = |symbol| bad_symbol(&path, symbol);
    let profiles = parsed(manifest.symbol_profile).map_err(nameless)?;
    let calibrations = parsed(manifest.symbol_calibration).map_err(nameless)?;
    let channels = manifest.channels.map(ChannelSection::laws).transpose().map_err(nameless)?;
    Ok(Model {
        network,
        law: manifest.score,
        profiles: Profiles { pooled: manifest.profile, symbols: profiles },
        calibrations: Calibrations { pooled: manifest.calibration, symbols: calibrations },
        channels,
        training: manifest.training,
        heads,
        tool: manifest.tool,
        id: id_of(bytes),
    })
}

/// Why the heads were not read.
enum Refused {
    File(LoadError),
    Head(HeadFault),
}

impl From<HeadFault> for Refused {
    fn from(fault: HeadFault) -> Self {
        Self::Head(fault)
    }
}

/// What is told of a head in the folder `dir`.
fn head_error(dir: &Path, fault: HeadFault) -> LoadError {
    let manifest = dir.join(MANIFEST);
    match fault {
        HeadFault::Manifest((what, found, wanted)) => {
            LoadError::Mismatch { path: manifest, what, found, wanted }
        }
        HeadFault::File(file, (what, found, wanted)) => {
            LoadError::Mismatch { path: dir.join(file), what, found, wanted }
        }
        HeadFault::Weights(file, source) => LoadError::Weights { path: dir.join(file), source },
        HeadFault::Symbol(symbol) => bad_symbol(&manifest, symbol),
    }
}

fn bad_symbol(path: &Path, symbol: String) -> LoadError {
    let found = "a symbol that is empty, longer than 8 bytes or not printable";
    LoadError::Value { path: path.to_owned(), place: symbol, found }
}

/// The network in the file `path` with the content `weights`, whose digest must be the one `wanted`.
fn network(path: &Path, weights: &[u8], wanted: &str) -> Result<Network, LoadError> {
    let found = blake3::hash(weights).to_string();
    if found != wanted {
        let (path, wanted) = (path.to_owned(), wanted.to_owned());
        return Err(LoadError::Mismatch { path, what: "blake3 digest", found, wanted });
    }
    Network::from_bytes(weights).map_err(|source| LoadError::Weights { path: path.to_owned(), source })
}

/// The identity of a model with this manifest.
pub(super) fn id_of(manifest: &[u8]) -> String {
    blake3::hash(manifest).to_hex()[..16].to_owned()
}

/// The parts every format has, read first, so that a newer model is refused for its format and not for a field.
#[derive(Deserialize)]
struct Preamble {
    format: i64,
    schema_hash: String,
}

/// The manifest at `path`, and the sections of its heads.
fn parse(path: &Path, bytes: &[u8], parts: Parts) -> Result<(Manifest, Sections), LoadError> {
    let fault = |line, message| LoadError::Manifest { path: path.to_owned(), line, message };
    let text =
        std::str::from_utf8(bytes).map_err(|e| fault(1, format!("found bytes that are not UTF-8: {e}")))?;
    let toml_fault = |e: toml::de::Error| {
        let offset = e.span().map_or(0, |span| span.start.min(text.len()));
        fault(1 + text.as_bytes()[..offset].iter().filter(|b| **b == b'\n').count(), e.message().to_owned())
    };
    let preamble: Preamble = toml::from_str(text).map_err(toml_fault)?;
    check_build(path, &preamble)?;
    let _: BTreeMap<Key, IgnoredAny> = toml::from_str(text).map_err(toml_fault)?;
    let mut manifest: Manifest = toml::from_str(text).map_err(toml_fault)?;
    if parts == Parts::WithoutChannels {
        manifest.channels = None;
    }
    check_names(path, &manifest)?;
    Ok((manifest, toml::from_str(text).map_err(toml_fault)?))
}

/// Refuses the file `path` unless what it says is what this build wants.
fn same(path: &Path, what: &'static str, found: String, wanted: String) -> Result<(), LoadError> {
    if found == wanted {
        Ok(())
    } else {
        Err(LoadError::Mismatch { path: path.to_owned(), what, found, wanted })
    }
}

fn check_build(path: &Path, preamble: &Preamble) -> Result<(), LoadError> {
    same(path, "format", preamble.format.to_string(), MODEL_FORMAT.to_string())?;
    same(path, "schema_hash", preamble.schema_hash.clone(), schema_hash())
}

fn check_names(path: &Path, manifest: &Manifest) -> Result<(), LoadError> {
    same(path, "features", manifest.features.join(","), feature_names().join(","))?;
    same(path, "transforms", manifest.transforms.join(", "), transform_names().join(", "))?;
    if let Some(channels) = &manifest.channels {
        let wanted = ChannelSection::wanted_hash();
        same(path, "channels.schema_hash", channels.schema_hash.clone(), wanted)?;
    }
    same(path, "weights", manifest.weights.clone(), WEIGHTS.to_owned())
}

fn check_values(path: &Path, manifest: &Manifest, sections: &Sections) -> Result<(), LoadError> {
    let pooled = [
        ("score", manifest.score.fault()),
        ("profile", manifest.profile.fault()),
        ("calibration", manifest.calibration.fault()),
    ];
    let fault = pooled
        .into_iter()
        .find_map(|(place, fault)| Some((place.to_owned(), fault?)))
        .or_else(|| first_fault(&manifest.symbol_profile, Profile::fault))
        .or_else(|| first_fault(&manifest.symbol_calibration, Calibration::fault))
        .or_else(|| manifest.channels.as_ref().and_then(ChannelSection::fault))
        .or_else(|| sections.fault());
    match fault {
        Some((place, found)) => Err(LoadError::Value { path: path.to_owned(), place, found }),
        None => Ok(()),
    }
}
