//! What `scripts/install.sh` puts on a host.

use std::path::Path;
use std::process::Command;
use tests::{programs, repository};

fn said(command: &mut Command) -> String {
    let output = command.output().expect("a program that starts");
    let said =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

fn size(path: &Path) -> u64 {
    path.metadata().unwrap_or_else(|e| panic!("{}: {e}", path.display())).len()
}

#[test]
fn an_installed_program_runs_without_its_debug_information_and_names_the_file_that_has_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let script = repository().join("scripts/install.sh");
    let install =
        || Command::new(&script).arg("/opt/risk").arg(programs()).env("DESTDIR", dir.path()).output();
    // Twice: an upgrade replaces what is there.
    for _ in 0..2 {
        let output = install().expect("bash");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let root = dir.path().join("opt/risk");
    for program in ["portcullis", "portcullisctl", "portcullis-rest"] {
        let (installed, built) = (root.join("bin").join(program), programs().join(program));
        assert_eq!(
            said(Command::new(&installed).arg("--version")),
            said(Command::new(&built).arg("--version"))
        );
        assert!(size(&installed) < size(&built), "{program} is as large as before");
        assert!(size(&root.join("bin/.debug").join(format!("{program}.debug"))) > 0);
        let sections = said(Command::new("readelf").args(["-S", "-W"]).arg(&installed));
        assert!(!sections.contains(".debug_info") && sections.contains(".gnu_debuglink"), "{sections}");
    }
    let reference =
        std::fs::read_to_string(root.join("share/portcullis/reference.toml")).expect("a configuration");
    assert!(reference.contains("[placement]"), "{reference}");
    for file in
        ["man/man1/portcullisctl.1", "bash-completion/completions/portcullisctl", "doc/portcullis/README.md"]
    {
        assert!(size(&root.join("share").join(file)) > 0);
    }
    assert!(size(&root.join("share/portcullis/systemd/portcullis.service")) > 0);
}

#[test]
fn a_folder_without_the_programs_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let prefix = dir.path().join("prefix");
    let output = Command::new(repository().join("scripts/install.sh"))
        .arg(&prefix)
        .arg(dir.path())
        .output()
        .expect("bash");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no program portcullis in"), "{output:?}");
    assert!(!prefix.exists());
}
