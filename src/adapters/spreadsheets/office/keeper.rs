//! The process that keeps LibreOffice for one conversion: it makes a folder that only its user may
//! read, limits itself, starts LibreOffice in it and ends all of its processes afterwards.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions, setrlimit};

use super::{ConversionProblem, MAX_BYTES, Reply, Source, address};

/// Address space of each of LibreOffice's processes, and what they may write of their own in it.
const MAX_MEMORY: u64 = 4 * 1024 * 1024 * 1024;
const MAX_DATA: u64 = 2 * 1024 * 1024 * 1024;
/// Size of a file that they write.
const MAX_FILE: u64 = 128 * 1024 * 1024;
const NICE: i32 = 10;
const POLL: Duration = Duration::from_millis(20);
/// The names of the folders.
const FOLDER: &str = "fieldworkd-office-";
/// A folder without a lock is being made, or was left so.
const MAKING: Duration = Duration::from_secs(600);

/// No macros, no links that are followed or updated, no news from the makers: LibreOffice's settings
/// by their paths.
const SETTINGS: [(&str, &str, &str); 9] = [
    ("Common/Security/Scripting", "MacroSecurityLevel", "3"),
    ("Common/Security/Scripting", "DisableMacrosExecution", "true"),
    ("Common/Security/Scripting", "DisableActiveContent", "true"),
    ("Common/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    ("Writer/Content/Update", "Link", "2"),
    ("Calc/Content/Update", "Link", "2"),
    ("Common/Misc", "FirstRun", "false"),
    ("Common/Misc", "CrashReport", "false"),
    ("Common/Misc", "UseLocking", "false"),
];

/// The child's part of a conversion. `arguments`: the office program, the folder for folders, the time
/// limit in milliseconds, the kind of file. Reads the length and the content of the file from standard
/// input, and writes an answer and what the file became.
///
/// # Errors
/// If the parent is gone, or the arguments are others.
pub fn serve_conversion(arguments: &[OsString]) -> io::Result<()> {
    let wrong = || io::Error::from(io::ErrorKind::InvalidInput);
    let [soffice, folder, limit, source] = arguments else { return Err(wrong()) };
    let limit = limit.to_str().and_then(|limit| limit.parse().ok()).ok_or_else(wrong)?;
    let source = Source::parse(source).ok_or_else(wrong)?;
    let (folder, limit) = (Path::new(folder), Duration::from_millis(limit));
    let mut length = [0; 8];
    io::stdin().read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_BYTES {
        return Err(wrong());
    }
    let mut content = Vec::new();
    io::stdin().take(length).read_to_end(&mut content)?;
    sweep_leftovers(folder);
    let outcome = match WorkFolder::create(folder) {
        Err(error) => Err(ConversionProblem::NotStarted(error.to_string())),
        Ok(work) => convert(Path::new(soffice), &work, &content, source, limit),
    };
    let (reply, converted) = match outcome {
        Ok(converted) => (Reply::Converted, converted),
        Err(problem) => (Reply::Failed(problem), Vec::new()),
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &reply)?;
    out.write_all(b"\n")?;
    out.write_all(&converted)?;
    out.flush()
}

fn convert(
    soffice: &Path,
    work: &WorkFolder,
    content: &[u8],
    source: Source,
    limit: Duration,
) -> Result<Vec<u8>, ConversionProblem> {
    let not_started = |error: io::Error| ConversionProblem::NotStarted(error.to_string());
    let at = |name: &str| work.path.join(name);
    let input = at("in").with_extension(source.ending());
    let profile = address(&at("profile")).ok_or(ConversionProblem::Refused)?;
    fs::write(&input, content).map_err(not_started)?;
    fs::create_dir_all(at("profile/user")).map_err(not_started)?;
    fs::write(at("profile/user/registrymodifications.xcu"), settings()).map_err(not_started)?;
    fs::create_dir(at("out")).map_err(not_started)?;
    limit_this_process(limit);
    // Before there is another thread.
    leave_network();
    let somebody_waits = watch_parent();
    let mut command = Command::new(soffice);
    command
        .arg(format!("-env:UserInstallation={profile}"))
        .args(["--headless", "--invisible", "--nologo", "--nodefault", "--norestore"])
        .args(["--nolockcheck", "--nofirststartwizard"])
        .args(source.arguments())
        .arg("--outdir")
        .args([at("out"), input])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", &work.path)
        .env("TMPDIR", &work.path)
        .env("LC_ALL", "C.UTF-8")
        .env("SAL_USE_VCLPLUGIN", "svp")
        .current_dir(&work.path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let mut office = command.spawn().map_err(not_started)?;
    let group = i32::try_from(office.id()).ok().and_then(Pid::from_raw);
    let began = Instant::now();
    let ended = loop {
        match office.try_wait() {
            Ok(Some(status)) => break Ok(status.success()),
            Err(error) => break Err(not_started(error)),
            Ok(None) if began.elapsed() >= limit => break Err(ConversionProblem::TimeLimit),
            Ok(None) if !somebody_waits.load(Ordering::Relaxed) => {
                break Err(ConversionProblem::Refused);
            }
            Ok(None) => std::thread::sleep(POLL),
        }
    };
    if let Some(group) = group {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    let _ = office.wait();
    end_orphans();
    if !ended? {
        return Err(ConversionProblem::Refused);
    }
    read_output(&at("out"))
}

/// Reads the file that LibreOffice made. It ends well also where it made none.
fn read_output(folder: &Path) -> Result<Vec<u8>, ConversionProblem> {
    let made = fs::read_dir(folder).map_err(|_| ConversionProblem::Refused)?;
    let is_file =
        |path: &PathBuf| path.symlink_metadata().is_ok_and(|m| m.is_file() && m.len() > 0);
    let path = made.filter_map(|entry| Some(entry.ok()?.path())).find(is_file);
    let file = File::open(path.ok_or(ConversionProblem::Refused)?);
    let mut content = Vec::new();
    let read = file.and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut content));
    match read {
        Err(_) => Err(ConversionProblem::Refused),
        Ok(_) if content.len() as u64 > MAX_BYTES => Err(ConversionProblem::TooLarge),
        Ok(_) => Ok(content),
    }
}

fn settings() -> String {
    let item = |(path, name, value): &(&str, &str, &str)| {
        format!(
            "<item oor:path=\"/org.openoffice.Office.{path}\"><prop oor:name=\"{name}\" \
             oor:op=\"fuse\"><value>{value}</value></prop></item>\n"
        )
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<oor:items \
         xmlns:oor=\"http://openoffice.org/2001/registry\">\n{}</oor:items>\n",
        SETTINGS.iter().map(item).collect::<String>()
    )
}

/// Limits that LibreOffice inherits. One that is already lower stays, and what the system forbids is
/// left out.
fn limit_this_process(limit: Duration) {
    let limits = [
        (Resource::As, MAX_MEMORY),
        (Resource::Data, MAX_DATA),
        (Resource::Cpu, limit.as_secs() + 1),
        (Resource::Fsize, MAX_FILE),
        (Resource::Core, 0),
    ];
    for (resource, most) in limits {
        let _ = setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    }
    let _ = rustix::process::nice(NICE);
    // What LibreOffice leaves behind becomes a child of this process, which ends it.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Leaves the network, where the system lets its users have namespaces of their own.
fn leave_network() {
    use rustix::thread::UnshareFlags;
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    let own = UnshareFlags::NEWUSER | UnshareFlags::NEWNET;
    // Deprecated for what threads share, and this process has one. The other one is unsafe code.
    #[expect(deprecated)]
    if rustix::thread::unshare(own).is_err() {
        return;
    }
    // The same user inside as outside.
    let _ = fs::write("/proc/self/setgroups", "deny");
    let _ = fs::write("/proc/self/uid_map", format!("{0} {0} 1", user.as_raw()));
    let _ = fs::write("/proc/self/gid_map", format!("{0} {0} 1", group.as_raw()));
}

/// Returns a sign that goes out when the parent is gone, whose pipe is then at its end.
fn watch_parent() -> Arc<AtomicBool> {
    let somebody_waits = Arc::new(AtomicBool::new(true));
    let sign = somebody_waits.clone();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        sign.store(false, Ordering::Relaxed);
    });
    somebody_waits
}

/// Ends the processes that left LibreOffice's group, and takes the dead away.
fn end_orphans() {
    const ROUNDS: usize = 100;
    let own = rustix::process::getpid().as_raw_nonzero().get();
    for _ in 0..ROUNDS {
        let orphans: Vec<Pid> =
            processes().filter(|(_, parent)| *parent == own).map(|(pid, _)| pid).collect();
        for orphan in &orphans {
            let _ = rustix::process::kill_process(*orphan, Signal::KILL);
        }
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        if orphans.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The processes that can be seen, each with its parent.
fn processes() -> impl Iterator<Item = (Pid, i32)> {
    let all = fs::read_dir("/proc").into_iter().flatten();
    all.filter_map(|entry| {
        let entry = entry.ok()?;
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name stands in brackets and may hold any sign.
        let (_, rest) = stat.rsplit_once(')')?;
        Some((pid, rest.split_whitespace().nth(1)?.parse().ok()?))
    })
}

/// The folder of a conversion. It is locked while its keeper lives, and gone after it.
struct WorkFolder {
    path: PathBuf,
    _lock: File,
}

impl WorkFolder {
    fn create(folder: &Path) -> io::Result<WorkFolder> {
        let path = (0..10)
            .map(|_| folder.join(format!("{FOLDER}{:016x}", fastrand::u64(..))))
            .find_map(|path| match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
                created => Some(created.map(|()| path)),
            })
            .unwrap_or_else(|| Err(io::ErrorKind::AlreadyExists.into()))?;
        let lock = File::create_new(path.join("lock"))?;
        lock.lock()?;
        Ok(WorkFolder { path, _lock: lock })
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Takes away the folders of conversions whose keepers are dead, and ends what still runs in them.
pub fn sweep_leftovers(folder: &Path) {
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_named = entry.file_name().as_bytes().starts_with(FOLDER.as_bytes());
        let Some(metadata) = path.symlink_metadata().ok().filter(|_| is_named) else { continue };
        if !metadata.is_dir() || metadata.uid() != own {
            continue;
        }
        let is_left = match File::open(path.join("lock")) {
            Ok(lock) => !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)),
            Err(_) => metadata
                .modified()
                .is_ok_and(|made| made.elapsed().is_ok_and(|since| since > MAKING)),
        };
        if is_left {
            end_processes_of(&path);
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Ends LibreOffice where it goes on without its keeper: its arguments name its folder.
fn end_processes_of(folder: &Path) {
    let folder = folder.as_os_str().as_bytes();
    for (pid, _) in processes() {
        let arguments = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero()));
        let names_it =
            |arguments: Vec<u8>| arguments.windows(folder.len()).any(|window| window == folder);
        if arguments.is_ok_and(names_it) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}
