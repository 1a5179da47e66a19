//! A real S3 server over a folder in a separate process: rclone's, which checks signatures and
//! checksums.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Made up, like the whole storage.
pub const ACCESS_KEY_ID: &str = "MADEUPKEY";
pub const SECRET_ACCESS_KEY: &str = "made-up-secret-of-the-tests";
pub const BUCKET: &str = "scoring";

pub struct Storage {
    program: String,
    child: Option<Child>,
    port: u16,
    folder: tempfile::TempDir,
}

impl Storage {
    /// Returns a storage with one empty bucket that is not running yet. Returns `None`, with a
    /// notice, if `tests/run` has not installed it.
    pub fn new() -> Option<Storage> {
        let Ok(program) = std::env::var("FIELDWORKD_TEST_RCLONE") else {
            eprintln!("FIELDWORKD_TEST_RCLONE is not set: nothing goes to S3 (use tests/run)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        Some(Storage { program, child: None, port: super::deployment::free_port(), folder })
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn start(&mut self) {
        let child = Command::new(&self.program)
            .args([
                "serve",
                "s3",
                "--config",
                "/dev/null",
                "--addr",
                &format!("127.0.0.1:{}", self.port),
            ])
            .args(["--auth-key", &format!("{ACCESS_KEY_ID},{SECRET_ACCESS_KEY}"), "--quiet"])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("rclone starts");
        self.child = Some(child);
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "rclone does not listen on port {}",
                self.port
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the path of an object.
    pub fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(BUCKET).join(name)
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
