//! Output files appear under their final names only when they are complete.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A line on stdout.
///
/// # Errors
/// When it cannot be written; a reader that went away is [`is_broken_pipe`].
pub(crate) fn say(line: std::fmt::Arguments<'_>) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("cannot write to stdout")
}

/// A line on stderr, where warnings and progress go. A terminal or a journal that has gone is no reason to stop, so nothing is
/// said of it.
pub(crate) fn tell(said: impl std::fmt::Display) {
    drop(writeln!(std::io::stderr(), "{said}"));
}

/// Whether somebody who read our output, a pager or `head`, has seen enough.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().filter_map(|cause| cause.downcast_ref()).any(broken)
}

/// A directory being filled: files are written beside their final names and renamed together by [`OutputDir::commit`].
/// Dropped without a commit, it removes what it wrote.
#[derive(Debug)]
pub(crate) struct OutputDir {
    dir: PathBuf,
    pending: Vec<PathBuf>,
    /// Files of a run before, which those of this one replace, and the one by which a directory is known to hold a run.
    replaced: Vec<&'static str>,
    mark: &'static str,
}

impl OutputDir {
    /// Creates `dir` where it does not exist.
    pub(crate) fn create(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)
            .with_context(|| format!("cannot create output directory {}", dir.display()))?;
        Ok(Self { dir: dir.to_owned(), pending: Vec::new(), replaced: Vec::new(), mark: "" })
    }

    /// Has the commit remove `names` that this run does not write, where `mark` tells that a run before wrote them: they tell of
    /// other input.
    pub(crate) fn replace(&mut self, mark: &'static str, names: impl IntoIterator<Item = &'static str>) {
        (self.mark, self.replaced) = (mark, names.into_iter().collect());
    }

    /// Registers `name` and returns the path to write to until the commit.
    pub(crate) fn pending(&mut self, name: &str) -> PathBuf {
        self.pending.push(self.dir.join(name));
        partial(&self.dir.join(name))
    }

    /// Opens `name` for writing.
    pub(crate) fn file(&mut self, name: &str) -> Result<BufWriter<File>> {
        let path = self.pending(name);
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(BufWriter::with_capacity(1 << 16, file))
    }

    /// Writes `name` whole.
    pub(crate) fn write(&mut self, name: &str, contents: &[u8]) -> Result<()> {
        let mut file = self.file(name)?;
        file.write_all(contents).and_then(|()| file.flush()).with_context(|| format!("cannot write {name}"))
    }

    /// Gives every file its final name.
    pub(crate) fn commit(mut self) -> Result<()> {
        let is_of_run = self.dir.join(self.mark).is_file();
        for path in self.replaced.iter().filter(|_| is_of_run).map(|name| self.dir.join(name)) {
            if !self.pending.contains(&path) && path.exists() {
                std::fs::remove_file(&path)
                    .with_context(|| format!("cannot remove {} of a run before", path.display()))?;
            }
        }
        for path in std::mem::take(&mut self.pending) {
            std::fs::rename(partial(&path), &path)
                .with_context(|| format!("cannot finish {}", path.display()))?;
        }
        Ok(())
    }
}

impl Drop for OutputDir {
    fn drop(&mut self) {
        for path in &self.pending {
            // Nothing can be done about a failure here, and the name says that the file is not complete.
            let _ = std::fs::remove_file(partial(path));
        }
    }
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stands_under_a_final_name_before_the_commit_or_after_a_failure() {
        let tmp = tempfile::tempdir().unwrap();
        let mut out = OutputDir::create(tmp.path()).unwrap();
        out.write("a.csv", b"x").unwrap();
        assert!(!tmp.path().join("a.csv").exists());
        out.commit().unwrap();
        assert_eq!(std::fs::read(tmp.path().join("a.csv")).unwrap(), b"x");

        let mut failed = OutputDir::create(tmp.path()).unwrap();
        failed.write("c.csv", b"y").unwrap();
        drop(failed);
        assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_run_before_left_is_removed_and_what_no_run_wrote_is_not() {
        let tmp = tempfile::tempdir().unwrap();
        let there = |name: &str| tmp.path().join(name).exists();
        let run = |name: &str| {
            let mut out = OutputDir::create(tmp.path()).unwrap();
            out.replace("mark", ["a.csv", "b.csv", "c.csv"]);
            out.write(name, b"x").unwrap();
            out
        };
        run("a.csv").commit().unwrap();
        run("b.csv").commit().unwrap();
        assert!(there("a.csv") && there("b.csv"), "nothing tells that a run wrote the first");
        std::fs::write(tmp.path().join("mark"), b"").unwrap();
        std::fs::write(tmp.path().join("own.csv"), b"").unwrap();
        let third = run("c.csv");
        assert!(there("a.csv"), "not before the commit");
        third.commit().unwrap();
        assert_eq!(["a.csv", "b.csv", "c.csv", "own.csv"].map(there), [false, false, true, true]);
        drop(run("a.csv"));
        assert!(there("c.csv"), "a run that fails leaves what was there");
    }
}
