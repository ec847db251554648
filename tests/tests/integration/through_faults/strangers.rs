//! Users without a role, who ask the control socket without end.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tests::{Need, programs, skip};

/// How many ask at once.
const COUNT: usize = 4;

/// The user "nobody", to whom no role is given.
const NOBODY: u32 = 65_534;

/// They ask until this goes.
pub(super) struct Strangers(Vec<Child>);

impl Strangers {
    /// Lets them reach `socket`, and begins; none where this process cannot become another user.
    pub(super) fn come(socket: &Path) -> Option<Self> {
        let ids = std::fs::read_to_string("/proc/self/uid_map").unwrap();
        if ids.split_whitespace().nth(2).is_none_or(|count| count == "1") {
            skip(Need::Root, "becoming another user needs more than a namespace's one");
            return None;
        }
        let open = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let program = socket.with_file_name("stranger");
        std::fs::copy(programs().join("portcullisctl"), &program).unwrap();
        open(&program, 0o755);
        open(socket, 0o666);
        open(socket.parent().unwrap(), 0o711);
        let asks = format!("while :; do {} --socket {} halt; done", program.display(), socket.display());
        let stranger = |_| {
            let mut shell = Command::new("sh");
            shell.args(["-c", &asks]).uid(NOBODY).gid(NOBODY).current_dir("/");
            shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            shell.spawn().expect("a shell")
        };
        Some(Self((0..COUNT).map(stranger).collect()))
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        for stranger in &mut self.0 {
            drop(stranger.kill());
            drop(stranger.wait());
        }
    }
}
