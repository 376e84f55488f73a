//! The load generator of the benchmark: sends one request, again and again, in one of four ways, and prints one line
//! of JSON. The ways live here, the wire in `http`, the arithmetic in `figures`.
//!
//! A constant rate is an open loop: a call that is due while all connections are busy counts from when it was due
//! (no coordinated omission). A call that is due while one is free counts from when it is sent, since the time that
//! the scheduler takes to wake this program is not the contestant's.

mod arguments;
mod figures;
mod http;

use std::fs::File;
use std::io::{Result, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arguments::{Arguments, Way};
use figures::Figures;
use http::Connection;

/// As much of an answer as is shown when it is a refusal.
const OPENING: usize = 600;

fn main() {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("load: {problem}\n{}", arguments::USAGE);
            std::process::exit(64);
        }
    };
    let printed = match &arguments.way {
        Way::OneAfterTheOther { calls } => one_after_the_other(&arguments, *calls),
        Way::Rate { per_second, seconds } => rate(&arguments, *per_second, *seconds),
        Way::Most { seconds } => most(&arguments, *seconds),
        Way::Read { out, bytes_per_second } => match read(&arguments, out, *bytes_per_second) {
            Ok(line) => line,
            Err(error) => format!(r#"{{"error": "{}"}}"#, quoted(&error.to_string())),
        },
    };
    println!("{printed}");
}

/// One connection, the next call when the last one has been answered.
fn one_after_the_other(arguments: &Arguments, calls: u64) -> String {
    let mut figures = Figures::default();
    let mut connection = Connection::new(&arguments.address);
    let begun = Instant::now();
    for _ in 0..calls {
        once(&mut connection, arguments, None, &mut figures);
    }
    figures.line(begun.elapsed())
}

/// So many a second, whatever becomes of them.
fn rate(arguments: &Arguments, per_second: u64, seconds: u64) -> String {
    let next = AtomicU64::new(0);
    let all = Mutex::new(Figures::default());
    // All connections are open before the first call is due.
    let begun = Instant::now() + Duration::from_millis(200);
    std::thread::scope(|scope| {
        for _ in 0..arguments.connections {
            scope.spawn(|| {
                let mut figures = Figures::default();
                let mut connection = Connection::new(&arguments.address);
                let _ = connection.open();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= per_second * seconds {
                        break;
                    }
                    let due = begun + Duration::from_nanos(number * 1_000_000_000 / per_second);
                    let ahead = due.checked_duration_since(Instant::now());
                    match ahead {
                        Some(ahead) => {
                            std::thread::sleep(ahead);
                            once(&mut connection, arguments, None, &mut figures);
                        }
                        None => once(&mut connection, arguments, Some(due), &mut figures),
                    }
                }
                merge(&all, figures);
            });
        }
    });
    figures_of(all).line(begun.elapsed())
}

/// As many as its connections can, each one after the other.
fn most(arguments: &Arguments, seconds: u64) -> String {
    let all = Mutex::new(Figures::default());
    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds);
    std::thread::scope(|scope| {
        for _ in 0..arguments.connections {
            scope.spawn(|| {
                let mut figures = Figures::default();
                let mut connection = Connection::new(&arguments.address);
                while Instant::now() < end {
                    once(&mut connection, arguments, None, &mut figures);
                }
                merge(&all, figures);
            });
        }
    });
    figures_of(all).line(begun.elapsed())
}

/// One answer, kept or thrown away, at its own speed or at ours.
fn read(arguments: &Arguments, out: &str, bytes_per_second: Option<u64>) -> Result<String> {
    let mut file = if out.is_empty() { None } else { Some(File::create(out)?) };
    let mut connection = Connection::new(&arguments.address);
    connection.open()?;
    let begun = Instant::now();
    let (mut taken, mut opening) = (0_u64, Vec::new());
    let answer = connection.call(&arguments.request, &mut |piece| {
        taken += piece.len() as u64;
        if opening.len() < OPENING {
            opening.extend_from_slice(&piece[..piece.len().min(OPENING)]);
        }
        if let Some(file) = &mut file {
            file.write_all(piece)?;
        }
        if let Some(rate) = bytes_per_second {
            let until = Duration::from_secs_f64(taken as f64 / rate as f64);
            std::thread::sleep(until.saturating_sub(begun.elapsed()));
        }
        Ok(())
    })?;
    let (seconds, first) = (begun.elapsed().as_secs_f64(), (answer.first_byte - begun).as_secs_f64());
    let (status, bytes) = (answer.status, answer.bytes);
    // What a refusal says is worth more than its number.
    let said = if status == arguments.status { String::new() } else { quoted(&String::from_utf8_lossy(&opening)) };
    Ok(format!(
        r#"{{"status": {status}, "bytes": {bytes}, "seconds": {seconds:.6}, "firstByteSeconds": {first:.6}, "said": "{said}"}}"#
    ))
}

/// Harmless within a JSON string.
fn quoted(text: &str) -> String {
    text.chars().map(|one| if one.is_control() || matches!(one, '"' | '\\') { '\'' } else { one }).collect()
}

fn once(connection: &mut Connection, arguments: &Arguments, due: Option<Instant>, figures: &mut Figures) {
    if connection.open().is_err() {
        figures.failed("no connection");
        return;
    }
    let begun = due.unwrap_or_else(Instant::now);
    match connection.call(&arguments.request, &mut |_| Ok(())) {
        Ok(answer) if answer.status == arguments.status => figures.took(begun.elapsed()),
        Ok(answer) => figures.failed(&format!("status {}", answer.status)),
        Err(error) => figures.failed(&error.to_string()),
    }
}

fn merge(all: &Mutex<Figures>, figures: Figures) {
    all.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(figures);
}

fn figures_of(all: Mutex<Figures>) -> Figures {
    all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}
