//! The names of a gateway's files: of the session that it is in, and of the stream of one.

use crate::log::write_file;
use std::path::Path;

/// The file that names the session a gateway was in.
pub(super) const CURRENT: &str = "session";

/// A session's name as part of a file's.
pub(super) fn hex(name: &[u8; 10]) -> String {
    name.trim_ascii().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name of the file of a session's stream.
pub(super) fn file_name(name: &[u8; 10]) -> String {
    hex(name) + "-ouch"
}

/// Names the session in the file `file` of the folder `dir`, which says so, whole or not at all.
pub(super) fn keep_name(dir: &Path, file: &str, name: &[u8; 10]) -> std::io::Result<()> {
    let (path, new) = (dir.join(file), dir.join(format!("{file}.new")));
    // Where it says so already, a full disk is no matter.
    if std::fs::read(&path).is_ok_and(|kept| kept == name) {
        return Ok(());
    }
    write_file(&new, name)?;
    std::fs::rename(&new, &path)
}
