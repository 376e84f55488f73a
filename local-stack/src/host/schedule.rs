//! When timers fire: NCRONTAB expressions and .NET TimeSpans, as the real host reads them. Nothing fires here.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;

/// When a timer fires; in UTC, as in Azure.
#[derive(Clone, Debug)]
pub(super) enum Schedule {
    Cron(Box<Cron>),
    Every(Duration),
}

impl FromStr for Schedule {
    type Err = anyhow::Error;

    /// Six fields with seconds, five without, or a TimeSpan.
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        match fields.as_slice() {
            [span] if span.contains(':') => {
                let every = parse_time_span(span)?;
                if every.is_zero() {
                    bail!("the schedule '{text}' is an interval of no length");
                }
                Ok(Self::Every(every))
            }
            [_, _, _, _, _] => cron(&format!("0 {}", fields.join(" ")), text),
            [_, _, _, _, _, _] => cron(&fields.join(" "), text),
            _ => Err(anyhow!("the schedule expression '{text}' was not recognized as a valid NCRONTAB or TimeSpan")),
        }
    }
}

fn cron(expression: &str, written: &str) -> anyhow::Result<Schedule> {
    // NCRONTAB knows neither ?, L, W nor #, nor 7 for Sunday; and both day fields must hold
    // (github.com/atifaziz/NCrontab, "Crontab Expression").
    const NAMES: &str = "jan feb mar apr may jun jul aug sep oct nov dec sun mon tue wed thu fri sat";
    for (index, field) in expression.split(' ').enumerate() {
        for token in field.split([',', '-', '/']) {
            let number = token.parse::<u8>().ok();
            let known = token == "*"
                || number.is_some()
                || (index >= 4 && NAMES.split(' ').any(|name| name.eq_ignore_ascii_case(token)));
            if !known || (index == 5 && number.is_some_and(|day| day > 6)) {
                bail!("the schedule expression '{written}' was not recognized as valid NCRONTAB: '{token}'");
            }
        }
    }
    let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed).dom_and_dow(true).build();
    let cron = parser
        .parse(expression)
        .with_context(|| format!("the schedule expression '{written}' was not recognized as valid NCRONTAB"))?;
    Ok(Schedule::Cron(Box::new(cron)))
}

impl Schedule {
    /// The first occurrence after `at`; none when the expression never holds again.
    pub(super) fn next(&self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(interval) => at.checked_add(*interval).ok(),
            Self::Cron(cron) => {
                let nanoseconds = u32::try_from(at.subsec_nanosecond()).unwrap_or_default();
                let at = DateTime::<Utc>::from_timestamp(at.as_second(), nanoseconds)?;
                let next = cron.find_next_occurrence(&at, false).ok()?;
                Timestamp::from_second(next.timestamp()).ok()
            }
        }
    }

    /// The host keeps no status for schedules that fire more than once a minute.
    pub(super) fn is_monitored(&self, at: Timestamp) -> bool {
        let Some(first) = self.next(at) else { return false };
        self.next(first).is_none_or(|second| second.duration_since(first).as_secs() >= 60)
    }
}

/// `[d.]hh:mm:ss[.fffffff]`, as .NET's `TimeSpan` writes it.
pub(super) fn parse_time_span(text: &str) -> anyhow::Result<Duration> {
    let wrong = || anyhow!("'{text}' is not a TimeSpan; write hh:mm:ss");
    let parts: Vec<&str> = text.trim().split(':').collect();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        [hours, minutes] => (*hours, *minutes, "0"),
        _ => return Err(wrong()),
    };
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let number = |part: &str| part.parse::<u64>().map_err(|_| wrong());
    let (days, hours, minutes, seconds) = (number(days)?, number(hours)?, number(minutes)?, number(seconds)?);
    if hours > 23 || minutes > 59 || seconds > 59 || fraction.len() > 7 {
        return Err(wrong());
    }
    let hundred_nanoseconds = if fraction.is_empty() { 0 } else { number(&format!("{fraction:0<7}"))? };
    let whole = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    Ok(Duration::from_secs(whole) + Duration::from_nanos(hundred_nanoseconds * 100))
}

#[cfg(test)]
mod tests;
