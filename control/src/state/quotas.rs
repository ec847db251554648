//! What each client may hold of limits that several share, in a sealed file beside the journals.

use super::sealed::{self, Seal, SealError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Without a MAC: the journals beside it have none either, and what is used comes from them.
const SEAL: Seal = Seal { kind: "portcullis-quotas", version: 1, key: None };

/// The file.
#[derive(Debug)]
pub struct QuotaFile(PathBuf);

impl QuotaFile {
    /// The one at `path`, which need not be there.
    #[must_use]
    pub const fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// As it was written; none where it is not there.
    ///
    /// # Errors
    /// [`SealError`]: unreadable, or not what was written.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, SealError> {
        sealed::read_json(&self.0, &SEAL, "quotas")
    }

    /// Writes it: on disk before this returns.
    ///
    /// # Errors
    /// [`SealError`]; what was there is there still.
    pub fn write(&self, quotas: &impl Serialize) -> Result<(), SealError> {
        let body =
            serde_json::to_vec(quotas).map_err(|error| SealError::damaged(&self.0, error.to_string()))?;
        sealed::write(&self.0, &SEAL, &body)
    }
}
