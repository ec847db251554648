//! A head's section of the manifest and its weights file, there and back.

use std::path::Path;

use super::part::{HeadPart, Mismatch, differs};
use crate::network::{WeightsError, head_shape, layers_from_bytes, layers_to_bytes};

/// A weights file: its name in the model's folder, and what it holds.
pub(crate) type WeightsFile = (String, Vec<u8>);

/// The weights file of the head `name`.
fn weights_file(name: &str) -> String {
    format!("{name}.safetensors")
}

/// Why the heads of a manifest are refused.
#[derive(Debug)]
pub(crate) enum HeadFault {
    /// A fact of the manifest is not what this build can use.
    Manifest(Mismatch),
    /// A fact of the weights file is not what the manifest says.
    File(String, Mismatch),
    /// The weights are not this head's.
    Weights(String, WeightsError),
    /// A name that no symbol has.
    Symbol(String),
}

/// The section of the head `name`, whose weights file is added to `files`.
///
/// # Errors
/// Weights that the container library refuses.
pub(super) fn encoded<H: HeadPart>(
    head: &H,
    name: &str,
    files: &mut Vec<WeightsFile>,
) -> Result<H::Section, WeightsError> {
    let bytes = layers_to_bytes(head.layers(), &head_shape(name))?;
    let file = weights_file(name);
    let section = head.section(&file, blake3::hash(&bytes).to_string());
    files.push((file, bytes));
    Ok(section)
}

/// The head of a section, whose weights `read` gives: a file by one of its `names`, of which the first is today's.
/// `weights_key` is their key in the manifest.
///
/// # Errors
/// What [`HeadFault`] lists, or what `read` does.
pub(super) fn decoded<H: HeadPart, E: From<HeadFault>>(
    section: H::Section,
    names: &[&str],
    weights_key: &'static str,
    read: &dyn Fn(&Path) -> Result<Vec<u8>, E>,
) -> Result<H, E> {
    let (named, wanted) = H::weights(&section);
    let today = names.first().copied().unwrap_or_default();
    let name = names.iter().copied().find(|name| weights_file(name) == named).unwrap_or(today);
    let file = weights_file(name);
    let wrong_file = differs(weights_key, named.to_owned(), file.clone());
    if let Some(mismatch) = wrong_file.or_else(|| H::mismatch(&section)) {
        return Err(HeadFault::Manifest(mismatch).into());
    }
    let bytes = read(Path::new(&file))?;
    let found = blake3::hash(&bytes).to_string();
    if found != wanted {
        return Err(HeadFault::File(file, ("blake3 digest", found, wanted.to_owned())).into());
    }
    let shape = head_shape(name);
    let layers = layers_from_bytes(&bytes, &shape).map_err(|fault| HeadFault::Weights(file, fault))?;
    H::assemble(section, layers).map_err(|name| HeadFault::Symbol(name).into())
}
