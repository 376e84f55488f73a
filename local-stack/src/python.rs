//! Python environments for the parts that run on Python (the SQL engine, the clients of other vendors in tests):
//! made once for each content of a requirements file. Nothing of what runs in them lives here.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How often a line is printed while pip runs.
const PROGRESS: Duration = Duration::from_secs(4);

/// The folder where the whole stack keeps what it makes: `.causeway-local` in the workspace.
pub fn default_data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.causeway-local")
}

/// The Python of a virtual environment.
pub fn interpreter(environment: &Path) -> PathBuf {
    if cfg!(windows) { environment.join("Scripts/python.exe") } else { environment.join("bin/python") }
}

/// A virtual environment that holds exactly `requirements` (the text of a pip requirements file), under
/// `data/python/<name>-<hash of the text>`; made on first use, which takes pip's time. Blocks.
///
/// Processes that ask at the same time wait for the one that builds. A build that was cut short is made again,
/// since only a finished one carries its marker.
pub fn environment(data: &Path, name: &str, requirements: &str, progress: &dyn Fn(&str)) -> anyhow::Result<PathBuf> {
    let folder = data.join("python");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make the data folder {}", folder.display()))?;
    let folder = folder.canonicalize()?;
    let target = folder.join(format!("{name}-{}", fingerprint(requirements)));
    let marker = target.join("complete");
    if marker.exists() {
        return Ok(target);
    }
    let lock = File::create(target.with_extension("lock"))?;
    if lock.try_lock().is_err() {
        progress(&format!("{name}: waiting for another process that installs the Python packages"));
        lock.lock()?;
    }
    if marker.exists() {
        return Ok(target);
    }
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let python = python()?;
    progress(&format!("{name}: installing Python packages (once, into {})", target.display()));
    run(
        Command::new(python).args(["-m", "venv"]).arg(&target),
        name,
        "making a virtual environment (on Debian it needs the package python3-venv)",
        &target,
        progress,
    )?;
    let list = target.join("requirements.txt");
    fs::write(&list, requirements)?;
    run(
        Command::new(interpreter(&target))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r"])
            .arg(&list),
        name,
        "pip install",
        &target,
        progress,
    )?;
    File::create(&marker)?;
    progress(&format!("{name}: Python packages are installed"));
    Ok(target)
}

/// FNV-1a: only has to differ when the text differs, and to be the same in every build.
fn fingerprint(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{hash:016x}")
}

/// The name of a Python that is new enough.
fn python() -> anyhow::Result<&'static str> {
    let mut found = None;
    for name in ["python3", "python"] {
        let script = "import sys; print('%d.%d' % sys.version_info[:2])";
        let output = match Command::new(name).args(["-c", script]).stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => output,
            Ok(_) => continue,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot run {name}")),
        };
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if new_enough(&version) {
            return Ok(name);
        }
        found = Some(version);
    }
    match found {
        Some(version) => bail!("the local stack needs Python 3.10 or newer, and found {version}"),
        None => bail!("the local stack needs Python 3.10 or newer with pip, and found no python3"),
    }
}

fn new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (3, 10)
}

fn run(command: &mut Command, name: &str, what: &str, target: &Path, progress: &dyn Fn(&str)) -> anyhow::Result<()> {
    let log = target.with_extension("log");
    let output = File::create(&log)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .with_context(|| format!("{what} could not be started"))?;
    let started = Instant::now();
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || done.send(child.wait()));
    let status = loop {
        match ended.recv_timeout(PROGRESS) {
            Ok(status) => break status?,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                progress(&format!("{name}: still installing Python packages ({} s)", started.elapsed().as_secs()));
            }
            Err(error) => return Err(error).with_context(|| format!("{what} ended without a status")),
        }
    };
    if status.success() {
        return Ok(());
    }
    let said = fs::read_to_string(&log).unwrap_or_default();
    let lines: Vec<&str> = said.lines().collect();
    let last = lines[lines.len().saturating_sub(8)..].join("\n");
    bail!("{what} failed ({status}):\n{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_compared_by_number_and_not_by_text() {
        assert!(new_enough("3.10") && new_enough("3.9999") && new_enough("4.0"));
        assert!(!new_enough("3.9") && !new_enough("2.7") && !new_enough(""));
    }

    #[test]
    fn two_who_ask_at_once_get_one_environment_that_was_made_once() {
        let data = std::env::temp_dir().join(format!("causeway-python-{}", uuid::Uuid::new_v4()));
        let said = std::sync::Mutex::new(Vec::new());
        let note = |line: &str| said.lock().expect("no panic").push(line.to_owned());
        let ask = || environment(&data, "empty", "# nothing\n", &note).expect("an environment");
        let (one, other) = std::thread::scope(|scope| {
            let (one, other) = (scope.spawn(ask), scope.spawn(ask));
            (one.join().expect("no panic"), other.join().expect("no panic"))
        });
        assert_eq!(one, other);
        assert!(interpreter(&one).exists());
        let done = said.lock().expect("no panic").iter().filter(|line| line.contains("are installed")).count();
        assert_eq!(done, 1);
        fs::remove_dir_all(&data).expect("the folder");
    }

    #[test]
    fn a_package_that_does_not_exist_is_an_error_with_the_words_of_pip() {
        let data = std::env::temp_dir().join(format!("causeway-python-{}", uuid::Uuid::new_v4()));
        // A path and not a name, so that no index is asked.
        let error = environment(&data, "wrong", "./no-such-package\n", &|_| {}).expect_err("no such package");
        assert!(error.to_string().contains("pip install failed"), "{error}");
        assert!(error.to_string().contains("no-such-package"), "{error}");
        fs::remove_dir_all(&data).expect("the folder");
    }

    #[test]
    fn another_text_is_another_environment() {
        assert_ne!(fingerprint("duckdb==2.0.0"), fingerprint("duckdb==2.0.1"));
    }
}
