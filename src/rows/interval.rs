//! INTERVAL from Arrow's numbers as the text that Databricks writes: `1-6`, `1 02:03:04.000000000`
//! (Spark, IntervalUtils, HIVE_STYLE).

use std::io::Write as _;

const SECOND: i128 = 1_000_000_000;

pub(super) fn push_months(out: &mut Vec<u8>, months: i32) {
    let sign = if months < 0 { "-" } else { "" };
    let months = months.unsigned_abs();
    let _ = write!(out, "{sign}{}-{}", months / 12, months % 12);
}

pub(super) fn push_nanos(out: &mut Vec<u8>, nanos: i128) {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.abs();
    let seconds = nanos / SECOND;
    let _ = write!(
        out,
        "{sign}{} {:02}:{:02}:{:02}.{:09}",
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        nanos % SECOND
    );
}

/// Months beside days and less, as far as there are any.
pub(super) fn push_mixed(out: &mut Vec<u8>, months: i32, days: i32, nanos: i64) {
    let rest = i128::from(days) * 86_400 * SECOND + i128::from(nanos);
    if months != 0 {
        push_months(out, months);
        if rest == 0 {
            return;
        }
        out.push(b' ');
    }
    push_nanos(out, rest);
}
