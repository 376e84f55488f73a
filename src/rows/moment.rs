//! Dates and times: the wire's ISO 8601 to RFC 3339. The calendar is worked out here, with no allocation a cell.
//!
//! On the wire a TIMESTAMP has the session's offset (`2021-01-01T10:00:00.000-08:00`), a TIMESTAMP_NTZ none
//! (recorded replies of the Statement Execution API). Years outside 0001 to 9999 stand as they came: RFC 3339 cannot
//! say them, and to refuse a whole result for one of them would help nobody.

/// A date and a time of day, still with the text of its fraction.
struct Parts<'a> {
    year: i64,
    month: u32,
    day: u32,
    seconds: i64,
    /// Digits after the point, without it.
    fraction: &'a str,
    /// What stands behind the time: `Z`, `+01:00`, or nothing.
    zone: &'a str,
}

pub(super) fn write_date(out: &mut Vec<u8>, text: &str) -> Result<(), &'static str> {
    const WHAT: &str = "a date";
    if is_far_year(text) {
        verbatim(out, text);
        return Ok(());
    }
    if text.len() != 10 || date(text).is_none() {
        return Err(WHAT);
    }
    verbatim(out, text);
    Ok(())
}

pub(super) fn write_timestamp_ntz(out: &mut Vec<u8>, text: &str) -> Result<(), &'static str> {
    const WHAT: &str = "a time without an offset";
    if is_far_year(text) {
        verbatim(out, text);
        return Ok(());
    }
    let parts = parts(text).ok_or(WHAT)?;
    if !matches!(parts.zone, "" | "Z") {
        return Err(WHAT);
    }
    out.push(b'"');
    push_civil(out, parts.year, parts.month, parts.day, parts.seconds);
    push_fraction(out, parts.fraction);
    out.push(b'"');
    Ok(())
}

pub(super) fn write_timestamp(out: &mut Vec<u8>, text: &str) -> Result<(), &'static str> {
    const WHAT: &str = "a time with its offset";
    if is_far_year(text) {
        verbatim(out, text);
        return Ok(());
    }
    let parts = parts(text).ok_or(WHAT)?;
    let offset = offset(parts.zone).ok_or(WHAT)?;
    let moment = days_of(parts.year, parts.month, parts.day) * 86_400 + parts.seconds - offset;
    let (year, month, day) = civil_of(moment.div_euclid(86_400));
    if !(1..=9999).contains(&year) {
        // 9999-12-31T23:59:59-08:00 has no UTC form of four digits; with its offset it is the same moment.
        verbatim(out, text);
        return Ok(());
    }
    out.push(b'"');
    push_civil(out, year, month, day, moment.rem_euclid(86_400));
    push_fraction(out, parts.fraction);
    out.extend_from_slice(b"Z\"");
    Ok(())
}

/// ISO 8601's expanded years: a sign before the year.
fn is_far_year(text: &str) -> bool {
    matches!(text.as_bytes(), [b'+' | b'-', b'0'..=b'9', ..])
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-:.TZ ".contains(&byte))
}

fn verbatim(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let (year, month, day) = date(text)?;
    let bytes = text.as_bytes();
    if bytes.len() < 19 || !matches!(bytes[10], b'T' | b' ') || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let (hour, minute, second) = (two(bytes, 11)?, two(bytes, 14)?, two(bytes, 17)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let rest = text.get(19..)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(after) => {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            if !(1..=9).contains(&digits) {
                return None;
            }
            after.split_at(digits)
        }
    };
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    Some(Parts { year, month, day, seconds, fraction, zone })
}

/// `YYYY-MM-DD` at the start of `text`, as a day that exists.
fn date(text: &str) -> Option<(i64, u32, u32)> {
    let bytes = text.as_bytes();
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i64::from(two(bytes, 0)? * 100 + two(bytes, 2)?);
    let (month, day) = (two(bytes, 5)?, two(bytes, 8)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (year >= 1 && (1..=longest).contains(&day)).then_some((year, month, day))
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
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
}

fn push_civil(out: &mut Vec<u8>, year: i64, month: u32, day: u32, seconds: i64) {
    let year = u32::try_from(year).unwrap_or(0);
    let seconds = u32::try_from(seconds).unwrap_or(0);
    push_two(out, year / 100);
    push_two(out, year % 100);
    out.push(b'-');
    push_two(out, month);
    out.push(b'-');
    push_two(out, day);
    out.push(b'T');
    push_two(out, seconds / 3600);
    out.push(b':');
    push_two(out, seconds / 60 % 60);
    out.push(b':');
    push_two(out, seconds % 60);
}

fn push_two(out: &mut Vec<u8>, number: u32) {
    let digit = |value: u32| b'0' + u8::try_from(value % 10).unwrap_or(0);
    out.extend_from_slice(&[digit(number / 10), digit(number)]);
}

fn push_fraction(out: &mut Vec<u8>, fraction: &str) {
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction.as_bytes());
    }
}
