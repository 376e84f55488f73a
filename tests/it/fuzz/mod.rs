//! Drives the targets of `tests/fuzz` by mutation of a corpus, for `CAUSEWAY_FUZZ_SECONDS` each (default 2). What breaks one
//! is written down; kept in `tests/fixtures/fuzz/{target}/` it is tried first ever after.

mod mutate;
#[path = "../../fuzz/mod.rs"]
mod targets;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::road::root;
use mutate::{Dice, mutated};

const DEFAULT_SECONDS: f64 = 2.0;

/// Each file of the corpus, then mutations until the time is over.
fn drive(name: &str, target: fn(&[u8])) {
    quieten();
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "{name} has no corpus");
    let told: Option<u64> = std::env::var("CAUSEWAY_FUZZ_SEED").ok().and_then(|text| text.parse().ok());
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let seed = told.unwrap_or(clock);
    let seconds = std::env::var("CAUSEWAY_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let time = Duration::from_secs_f64(seconds.unwrap_or(DEFAULT_SECONDS));
    // What a run of the process itself does not survive, such as a stack that overflows, is found here.
    let last = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}-last"));
    let mut dice = Dice::new(seed);
    let (begun, mut runs, mut slowest) = (Instant::now(), 0_u64, Duration::ZERO);
    let mut attempt = |input: &[u8]| {
        std::fs::write(&last, input).expect("a file");
        let started = Instant::now();
        QUIETLY.set(true);
        let survived = catch_unwind(AssertUnwindSafe(|| target(input))).is_ok();
        QUIETLY.set(false);
        if !survived {
            let kept = last.with_file_name(format!("fuzz-{name}-{seed}-{runs}"));
            std::fs::write(&kept, input).expect("a file");
            let said: String = String::from_utf8_lossy(input).chars().take(2_000).collect();
            panic!("{name} broke with seed {seed} in run {runs}; the input is {}:\n{said}", kept.display());
        }
        slowest = slowest.max(started.elapsed());
        runs += 1;
    };
    for input in &corpus {
        attempt(input);
    }
    while begun.elapsed() < time {
        attempt(&mutated(&corpus, &mut dice));
    }
    let _ = std::fs::remove_file(&last);
    println!(
        "fuzz {name}: {runs} runs in {:.1} s from {} inputs, seed {seed}, the slowest {} ms",
        begun.elapsed().as_secs_f64(),
        corpus.len(),
        slowest.as_millis()
    );
}

thread_local! {
    /// Whether a panic of this thread is told by who catches it.
    static QUIETLY: Cell<bool> = const { Cell::new(false) };
}

/// A panic that is caught inside, as the decoder of Arrow may have them, costs seconds when its stack is written out.
fn quieten() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIETLY.get() {
                before(panic);
            }
        }));
    });
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = root().join("tests/fixtures/fuzz").join(name);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a corpus").map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut corpus: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).expect("a file")).collect();
    match name {
        "operation" => corpus.extend(beside("operations", "yaml")),
        "statement" => corpus.extend(recorded()),
        "dataverse" => {
            corpus.extend(beside("tests/fixtures/dataverse", "json"));
            corpus.extend(beside("tests/fixtures/event_grid", "json"));
        }
        _ => {}
    }
    corpus
}

fn beside(folder: &str, extension: &str) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(root().join(folder)).expect("a folder").map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("a file")).collect()
}

/// Recorded replies, when they are at hand.
fn recorded() -> Vec<Vec<u8>> {
    let Some(path) = std::env::var_os("CAUSEWAY_RECORDINGS") else { return Vec::new() };
    let text = std::fs::read_to_string(path).expect("the recordings");
    let bodies = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let bodies = bodies.map(|exchange| exchange["response"]["body"].clone());
    bodies.filter(|body| body.get("statement_id").is_some()).map(|body| body.to_string().into_bytes()).collect()
}

#[test]
fn the_envelope_of_the_host() {
    drive("envelope", targets::envelope);
}

#[test]
fn replies_about_statements() {
    drive("statement", targets::statement);
}

#[test]
fn chunks_of_arrow_and_lz4() {
    drive("arrow", targets::arrow);
}

#[test]
fn files_of_operations() {
    drive("operation", targets::operation);
}

#[test]
fn expressions() {
    drive("expression", targets::expression);
}

#[test]
fn messages_of_dataverse() {
    drive("dataverse", targets::dataverse);
}

#[test]
fn status_tokens() {
    drive("token", targets::token);
}
