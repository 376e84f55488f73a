//! Dates and times between ISO 8601 text and numbers. The calendar is worked out here, with no allocation a cell.
//!
//! On the wire a TIMESTAMP has the session's offset (`2021-01-01T10:00:00.000-08:00`), a TIMESTAMP_NTZ none (recorded
//! replies of the Statement Execution API); in Arrow both are microseconds. So that a result reads the same whichever
//! way it came, one form is written: UTC, three digits of the second, six where it has microseconds. RFC 3339 cannot
//! say years beyond 9999; they stand with the sign of ISO 8601 (`+10000-01-01`): to refuse a whole result for one of
//! them would help nobody.

use super::fixed::push_start;

const DAY: i64 = 86_400;

/// Days since 1970-01-01 of `2024-02-29` or `+10000-01-01`.
pub(super) fn read_date(text: &str) -> Option<i32> {
    let (days, rest) = date(text)?;
    if !rest.is_empty() {
        return None;
    }
    i32::try_from(days).ok()
}

/// Microseconds since 1970-01-01T00:00:00Z of a time with its offset.
pub(super) fn read_timestamp(text: &str) -> Option<i64> {
    let (seconds, micros, zone) = moment(text)?;
    micros_of(seconds - offset(zone)?, micros)
}

/// The same of a time without an offset, as if it were UTC.
pub(super) fn read_timestamp_ntz(text: &str) -> Option<i64> {
    let (seconds, micros, zone) = moment(text)?;
    if !matches!(zone, "" | "Z") {
        return None;
    }
    micros_of(seconds, micros)
}

pub(super) fn push_date(out: &mut Vec<u8>, days: i32) {
    push_days(out, i64::from(days));
}

/// `nanos` below a second; `Z` stands behind a TIMESTAMP.
pub(super) fn push_moment(out: &mut Vec<u8>, seconds: i64, nanos: u32, utc: bool) {
    push_days(out, seconds.div_euclid(DAY));
    let of_day = u32::try_from(seconds.rem_euclid(DAY)).unwrap_or(0);
    let mut text = *b"T00:00:00.000000000Z";
    put_two(&mut text, 1, of_day / 3600);
    put_two(&mut text, 4, of_day / 60 % 60);
    put_two(&mut text, 7, of_day % 60);
    let mut rest = nanos;
    for at in (10..19).rev() {
        text[at] = digit(rest);
        rest /= 10;
    }
    let end = if nanos.is_multiple_of(1_000_000) {
        13
    } else if nanos.is_multiple_of(1_000) {
        16
    } else {
        19
    };
    if utc {
        text[end] = b'Z';
    }
    push_start(out, &text, end + usize::from(utc));
}

fn micros_of(seconds: i64, micros: i64) -> Option<i64> {
    // In 128 bits: the first second of the range begins before the range does.
    i64::try_from(i128::from(seconds) * 1_000_000 + i128::from(micros)).ok()
}

/// Seconds since 1970, microseconds below, and what stands behind the time: `Z`, `+01:00`, or nothing.
fn moment(text: &str) -> Option<(i64, i64, &str)> {
    let (days, rest) = date(text)?;
    let bytes = rest.as_bytes();
    if bytes.len() < 9 || !matches!(bytes[0], b'T' | b' ') || bytes[3] != b':' || bytes[6] != b':' {
        return None;
    }
    let (hour, minute, second) = (two(bytes, 1)?, two(bytes, 4)?, two(bytes, 7)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let rest = rest.get(9..)?;
    let (micros, zone) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(after) => {
            let count = after.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, zone) = after.split_at(count);
            (fraction_of(fraction.as_bytes())?, zone)
        }
    };
    Some((days * DAY + i64::from(hour * 3600 + minute * 60 + second), micros, zone))
}

/// One to nine digits, of which those behind the microseconds are zeros: Databricks counts no finer.
fn fraction_of(digits: &[u8]) -> Option<i64> {
    if !(1..=9).contains(&digits.len()) || digits.iter().skip(6).any(|digit| *digit != b'0') {
        return None;
    }
    Some((0..6).fold(0, |micros, at| micros * 10 + digits.get(at).map_or(0, |digit| i64::from(digit - b'0'))))
}

/// Days since 1970-01-01 of the date at the start of `text`, as a day that exists, and what stands behind it.
fn date(text: &str) -> Option<(i64, &str)> {
    let bytes = text.as_bytes();
    let signed = matches!(bytes.first(), Some(b'+' | b'-'));
    let digits = bytes[usize::from(signed)..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(4..=7).contains(&digits) || (digits > 4 && !signed) {
        return None;
    }
    let end = digits + usize::from(signed);
    let year: i64 = text[..end].parse().ok()?;
    if bytes.len() < end + 6 || bytes[end] != b'-' || bytes[end + 3] != b'-' {
        return None;
    }
    let (month, day) = (two(bytes, end + 1)?, two(bytes, end + 4)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    // SQL's first year is 0001; the year before it comes only of an offset, and only Arrow has it.
    let known = signed || year >= 1;
    (known && (1..=longest).contains(&day)).then(|| (days_of(year, month, day), &text[end + 6..]))
}

fn two(bytes: &[u8], at: usize) -> Option<u32> {
    match (bytes.get(at)?, bytes.get(at + 1)?) {
        (tens @ b'0'..=b'9', ones @ b'0'..=b'9') => Some(u32::from(tens - b'0') * 10 + u32::from(ones - b'0')),
        _ => None,
    }
}

/// `Z`, `±hh`, `±hhmm`, `±hh:mm` or, for local mean times long ago, `±hh:mm:ss`; in seconds.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let bytes = zone.as_bytes();
    let sign = match bytes.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (minutes, seconds) = match bytes.len() {
        3 => (0, 0),
        5 => (two(bytes, 3)?, 0),
        6 if bytes[3] == b':' => (two(bytes, 4)?, 0),
        9 if bytes[3] == b':' && bytes[6] == b':' => (two(bytes, 4)?, two(bytes, 7)?),
        _ => return None,
    };
    let hours = two(bytes, 1)?;
    (hours <= 18 && minutes <= 59 && seconds <= 59).then_some(sign * i64::from(hours * 3600 + minutes * 60 + seconds))
}

/// Days since 1970-01-01 of a Gregorian date (years counted from March, so that the leap day is the last).
fn days_of(year: i64, month: u32, day: u32) -> i64 {
    let month = i64::from(month);
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The Gregorian date of a day since 1970-01-01.
fn civil_of(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    // What is left is small: 32 bits divide faster.
    let of_era = u32::try_from(days.rem_euclid(146_097)).unwrap_or(0);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (i64::from(year_of_era) + era * 400 + i64::from(month <= 2), month, day)
}

fn push_days(out: &mut Vec<u8>, days: i64) {
    let (year, month, day) = civil_of(days);
    let mut text = *b"0000-00-00";
    match u32::try_from(year) {
        Ok(year @ 0..=9999) => {
            put_two(&mut text, 0, year / 100);
            put_two(&mut text, 2, year % 100);
        }
        _ => return push_far_days(out, year, month, day),
    }
    put_two(&mut text, 5, month);
    put_two(&mut text, 8, day);
    out.extend_from_slice(&text);
}

#[cold]
fn push_far_days(out: &mut Vec<u8>, year: i64, month: u32, day: u32) {
    out.extend_from_slice(format!("{year:+05}-{month:02}-{day:02}").as_bytes());
}

#[inline]
fn put_two(text: &mut [u8], at: usize, number: u32) {
    text[at] = digit(number / 10);
    text[at + 1] = digit(number);
}

fn digit(number: u32) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or(0)
}
