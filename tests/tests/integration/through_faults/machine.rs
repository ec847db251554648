//! A machine that goes wrong under the daemon: `machine.c`, preloaded.

use std::ffi::OsStr;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library, and the file that says what is wrong.
pub(super) struct Machine {
    library: PathBuf,
    file: PathBuf,
}

impl Machine {
    /// Makes both in `dir`.
    pub(super) fn new(dir: &Path) -> Self {
        let source = tests::repository().join("tests/tests/integration/through_faults/machine.c");
        let (library, file) = (dir.join("machine.so"), dir.join("machine"));
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"]).arg(&library).arg(source);
        assert!(cc.status().expect("a C compiler, which the build needs too").success());
        std::fs::write(&file, [0; 24]).unwrap();
        Self { library, file }
    }

    /// What the daemon needs in its environment.
    pub(super) fn env(&self) -> [(&str, &OsStr); 2] {
        [("LD_PRELOAD", self.library.as_os_str()), ("PORTCULLIS_TEST_MACHINE", self.file.as_os_str())]
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        let mut file = std::fs::OpenOptions::new().write(true).open(&self.file).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(bytes).unwrap();
    }

    /// The system clock says so many seconds more than it did at first.
    pub(super) fn set_clock(&self, by_s: i64) {
        self.write(0, &by_s.to_ne_bytes());
    }

    /// The thread of this name stands still from its next sleep on; every thread goes on when there is none.
    pub(super) fn stand_still(&self, thread: &str) {
        let mut name = [0; 16];
        name[..thread.len()].copy_from_slice(thread.as_bytes());
        self.write(8, &name);
    }
}
