//! When an operation starts by itself: cron in a time zone. Daylight saving is the business of the zone.

use std::collections::VecDeque;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::Template;

/// At most so many due times are told at once, the newest: a schedule of every second after a month's outage.
const MAX_DUE: usize = 1000;

/// When an operation starts by itself.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Five fields, or six with seconds first.
    pub cron: String,
    /// IANA name; default `UTC`.
    pub time_zone: String,
    pub parameters: Option<Template>,
    pub overlap: Overlap,
    pub missed: MissedTicks,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    #[default]
    Skip,
    Queue,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTicks {
    #[default]
    Last,
    All,
    None,
}

impl Schedule {
    /// Due times in `(after, until]`, oldest first; of more than 1000 the newest.
    pub fn due(&self, after: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let Some((cron, zone)) = self.read() else { return Vec::new() };
        let mut due = VecDeque::new();
        let mut from = after.to_zoned(zone);
        while let Ok(found) = cron.find_next_occurrence::<Zoned>(&from, false) {
            let time = found.timestamp();
            // The second test ends the loop should the search ever stand still.
            if time > until || time <= from.timestamp() {
                break;
            }
            if due.len() == MAX_DUE {
                due.pop_front();
            }
            due.push_back(time);
            from = found;
        }
        due.into()
    }

    /// The next due time after `after`; `None` when there is none, such as on 30 February.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let (cron, zone) = self.read()?;
        cron.find_next_occurrence::<Zoned>(&after.to_zoned(zone), false).ok().map(|found| found.timestamp())
    }

    fn read(&self) -> Option<(Cron, TimeZone)> {
        Some((parse_cron(&self.cron).ok()?, TimeZone::get(&self.time_zone).ok()?))
    }
}

pub(super) fn parse_cron(text: &str) -> Result<Cron, String> {
    let fields = text.split_whitespace().count();
    if !(5..=6).contains(&fields) {
        return Err(format!("`cron` has {fields} fields; it wants five, or six with seconds first"));
    }
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    parser.parse(text).map_err(|error| format!("`cron` is not a schedule: {error}"))
}
