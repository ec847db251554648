//! A model's folder: `manifest.toml`, `weights.safetensors`, and the weights of each head it has.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::model::{LoadError, MANIFEST, Model, Parts, SaveError, WEIGHTS, decode, encode};

/// Largest manifest read (10,000 symbols with profile and calibration take about 60 MB), and largest weights.
const MANIFEST_BYTES_MAX: u64 = 128 << 20;
const WEIGHTS_BYTES_MAX: u64 = 1 << 20;

/// The weights of the shipped model's heads.
const SHIPPED_HEADS: [(&str, &[u8]); 2] = [
    ("slippage.safetensors", include_bytes!("../models/default/slippage.safetensors")),
    ("fat_finger.safetensors", include_bytes!("../models/default/fat_finger.safetensors")),
];

impl Model {
    /// Saves to the folder `dir`: written beside it under another name, forced to disk, then renamed, so that a
    /// reader finds a whole model or none. A model already there is replaced; anything else is left alone.
    ///
    /// # Errors
    /// A target that is not a model, or what the file system refuses; nothing is left behind under `dir` then.
    pub fn save(&self, dir: &Path) -> Result<(), SaveError> {
        let files = encode(self)?;
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
        contents.extend(files.heads.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
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
        load(dir, Parts::All)
    }

    /// Loads the model in the folder `dir` as if it had no channels beside its autoencoder, for fitting their laws anew: those of a
    /// build whose channels read other features are no obstacle.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load_without_channels(dir: &Path) -> Result<Self, LoadError> {
        load(dir, Parts::WithoutChannels)
    }

    /// The model that is part of this build: trained by `scripts/train-default-model.sh` on simulated calm days.
    ///
    /// # Errors
    /// As [`Model::load`]: a build whose features are not the model's refuses it like any other.
    pub fn shipped() -> Result<Self, LoadError> {
        decode(
            Path::new("gpu/models/default"),
            include_bytes!("../models/default/manifest.toml"),
            include_bytes!("../models/default/weights.safetensors"),
            Parts::All,
            &|path| {
                let found = SHIPPED_HEADS.iter().find(|(name, _)| path.ends_with(name));
                found.map(|(_, bytes)| bytes.to_vec()).ok_or_else(|| {
                    let source = io::Error::new(io::ErrorKind::NotFound, "not part of this build");
                    LoadError::Io { path: path.to_owned(), source }
                })
            },
        )
    }
}

fn load(dir: &Path, parts: Parts) -> Result<Model, LoadError> {
    let manifest = read_bounded(&dir.join(MANIFEST), MANIFEST_BYTES_MAX)?;
    let weights = read_bounded(&dir.join(WEIGHTS), WEIGHTS_BYTES_MAX)?;
    decode(dir, &manifest, &weights, parts, &|path| read_bounded(path, WEIGHTS_BYTES_MAX))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::Head;
    use crate::heads::fat_finger::random_head as random_fat_finger;
    use crate::heads::slippage::random_head as random_slippage;
    use crate::model::FittedOn;
    use crate::network::{head_shape, layers_to_bytes};
    use crate::synthetic::model;

    /// `model` in a folder of its own.
    fn folder_of(model: &Model) -> (tempfile::TempDir, PathBuf) {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("model");
        model.save(&dir).unwrap();
        (parent, dir)
    }

    const SLIPPAGE: &str = "slippage.safetensors";
    const FAT_FINGER: &str = "fat_finger.safetensors";

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
        assert_eq!(loaded.profiles().symbols.len(), 3);
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
        let newer = with_slippage();
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
        assert!(error.ends_with("larger than 1048576 bytes, the most that such a file may have"), "{error}");
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

    /// A model with a slippage network.
    fn with_slippage() -> Model {
        model().clone().with_heads(|heads| heads.slippage = Some(random_slippage(5))).unwrap()
    }

    #[test]
    fn a_slippage_network_survives_its_folder_and_a_model_without_one_is_as_before() {
        assert!(model().heads().slippage.is_none());
        let wanted = with_slippage();
        let (_parent, dir) = folder_of(&wanted);
        let loaded = Model::load(&dir).unwrap();
        assert_eq!(loaded, wanted);
        assert_eq!(loaded.heads().slippage, Some(random_slippage(5)));
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
    fn damage_to_a_slippage_network_is_told_in_one_line() {
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
                .ends_with("slippage.scale: found more held sizes than the 8 that are priced")
        );
        assert!(
            manifest("held = 5", "held = 9")
                .ends_with("BBB: found more held sizes than the 8 that are priced")
        );
        let digest = load_after(&model, |dir| fs::write(dir.join(SLIPPAGE), b"x").unwrap());
        assert!(digest.contains("slippage.safetensors: blake3 digest: found "), "{digest}");
        let missing = load_after(&model, |dir| fs::remove_file(dir.join(SLIPPAGE)).unwrap());
        assert!(missing.contains("slippage.safetensors: "), "{missing}");
    }

    /// A model with both heads.
    fn with_both_heads() -> Model {
        with_slippage().with_heads(|heads| heads.fat_finger = Some(random_fat_finger(6))).unwrap()
    }

    #[test]
    fn a_fat_finger_network_survives_its_folder_beside_the_slippage_network() {
        assert!(model().heads().fat_finger.is_none());
        let wanted = with_both_heads();
        let (_parent, dir) = folder_of(&wanted);
        let loaded = Model::load(&dir).unwrap();
        assert_eq!(loaded, wanted);
        assert_eq!(loaded.heads().fat_finger, Some(random_fat_finger(6)));
        assert_eq!(loaded.heads().slippage, Some(random_slippage(5)));
        let bytes = |name: &str| fs::read(dir.join(name)).unwrap();
        let before = [bytes(MANIFEST), bytes(SLIPPAGE), bytes(FAT_FINGER)];
        loaded.save(&dir).unwrap();
        assert_eq!([bytes(MANIFEST), bytes(SLIPPAGE), bytes(FAT_FINGER)], before);
        // Alone it stands as well, and without it nothing of the model changes.
        let alone =
            model().clone().with_heads(|heads| heads.fat_finger = Some(random_fat_finger(6))).unwrap();
        alone.save(&dir).unwrap();
        assert_eq!(Model::load(&dir).unwrap(), alone);
        assert!(!dir.join(SLIPPAGE).exists());
        assert!(!encode(model()).unwrap().manifest.contains("fat_finger"));
    }

    #[test]
    fn a_folder_that_calls_the_fat_finger_network_a_surface_is_the_same_model() {
        let wanted = with_both_heads();
        let (_parent, dir) = folder_of(&wanted);
        let layers = wanted.heads().layers(Head::FatFinger).unwrap();
        let bytes = layers_to_bytes(layers, &head_shape("surface")).unwrap();
        let path = dir.join(MANIFEST);
        let digest = |bytes: &[u8]| blake3::hash(bytes).to_string();
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace(&digest(&fs::read(dir.join(FAT_FINGER)).unwrap()), &digest(&bytes));
        fs::write(&path, text.replace("fat_finger", "surface")).unwrap();
        fs::remove_file(dir.join(FAT_FINGER)).unwrap();
        fs::write(dir.join("surface.safetensors"), &bytes).unwrap();
        let loaded = Model::load(&dir).unwrap();
        assert_eq!(loaded.heads(), wanted.heads());
        loaded.save(&dir).unwrap();
        assert_eq!(Model::load(&dir).unwrap(), wanted, "saved, it has today's names");
        assert!(dir.join(FAT_FINGER).exists() && !dir.join("surface.safetensors").exists());
        // Both at once are one network too many.
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text + "\n[surface]\n").unwrap();
        assert!(Model::load(&dir).unwrap_err().to_string().contains("duplicate field `fat_finger`"));
    }

    #[test]
    fn damage_to_a_fat_finger_network_is_told_in_one_line() {
        let model = with_both_heads();
        let manifest = |from, to| load_with(&model, "[fat_finger]", (from, to));
        assert!(
            manifest("fat_finger.safetensors", "../x").ends_with("found ../x, wanted fat_finger.safetensors")
        );
        assert!(
            manifest("edges_bps = [1.0", "edges_bps = [1.5").contains("fat_finger.edges_bps: found [1.5, ")
        );
        let steep = manifest("k = 2.0", "k = -2.0");
        assert!(
            steep.ends_with("manifest.toml: fat_finger.law: found a steepness k outside [0.05, 64]"),
            "{steep}"
        );
        let offset = manifest("doublings = 0.0", "doublings = 99.0");
        assert!(offset.ends_with("AAA: found an offset beyond 64 doublings"), "{offset}");
        assert!(manifest("unit = 0.5", "units = 0.5").contains("unknown field `units`"));
        let digest = load_after(&model, |dir| fs::write(dir.join(FAT_FINGER), b"x").unwrap());
        assert!(digest.contains("fat_finger.safetensors: blake3 digest: found "), "{digest}");
        let missing = load_after(&model, |dir| fs::remove_file(dir.join(FAT_FINGER)).unwrap());
        assert!(missing.contains("fat_finger.safetensors: "), "{missing}");
    }

    #[test]
    fn the_shipped_model_fits_this_build() {
        let shipped = Model::shipped().unwrap();
        let encoded = encode(&shipped).unwrap();
        assert_eq!(
            encoded.manifest.as_bytes(),
            include_bytes!("../models/default/manifest.toml"),
            "same bytes"
        );
        assert!(
            SHIPPED_HEADS.iter().eq(encoded
                .heads
                .iter()
                .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
                .collect::<Vec<_>>()
                .iter())
        );
        assert!(shipped.training().report.active_units > 0);
        assert_eq!(shipped.training().report.holdout.critical, 0, "a false alarm on its own holdout");
        let report = &shipped.heads().slippage.as_ref().unwrap().record().report;
        assert_eq!(report.refusal(), None);
        assert!((0.88..=0.92).contains(&report.holdout.coverage), "{}", report.holdout.coverage);
        let report = &shipped.heads().fat_finger.as_ref().unwrap().record().report;
        assert_eq!(report.refusal(), None);
        assert!(report.holdout.rates.iter().all(|at| at.recall > at.recall_cap + 0.1), "{report:?}");
    }
}
