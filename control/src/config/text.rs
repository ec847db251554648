//! The text of a file that people write.

use super::error::{ConfigError, ConfigErrors};
use std::io::Read;
use std::path::Path;

/// Largest file accepted, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

pub(super) fn text_of(path: &Path) -> Result<String, Vec<ConfigError>> {
    let fault = |cause: String| vec![ConfigErrors::unreadable(path, cause)];
    let mut file = std::fs::File::open(path).map_err(|e| fault(e.to_string()))?;
    let mut text = String::new();
    file.by_ref().take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|e| fault(e.to_string()))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(fault(format!("found more than {FILE_BYTES_MAX} bytes, wanted a configuration file")));
    }
    Ok(text)
}
