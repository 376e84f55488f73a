//! What `schedule.rs` promises.

use super::*;

fn next(schedule: &str, at: &str) -> String {
    let schedule: Schedule = schedule.parse().unwrap();
    schedule.next(at.parse().unwrap()).unwrap().to_string()
}

#[test]
fn six_fields_begin_with_the_seconds_and_five_with_the_minutes() {
    assert_eq!(next("30 */5 * * * *", "2026-01-02T03:04:05Z"), "2026-01-02T03:05:30Z");
    assert_eq!(next("*/5 * * * *", "2026-01-02T03:04:05Z"), "2026-01-02T03:05:00Z");
}

#[test]
fn both_day_fields_must_hold() {
    // The first Friday the 13th after New Year 2026.
    assert_eq!(next("0 0 0 13 * FRI", "2026-01-01T00:00:00Z"), "2026-02-13T00:00:00Z");
}

#[test]
fn an_occurrence_is_never_its_own_next() {
    assert_eq!(next("0 * * * * *", "2026-01-02T03:04:00Z"), "2026-01-02T03:05:00Z");
}

#[test]
fn what_ncrontab_does_not_know_is_refused() {
    for schedule in ["0 0 0 L * *", "0 0 0 ? * *", "0 0 0 * * 7", "61 * * * * *", "* * *", "every day", "@daily"] {
        assert!(schedule.parse::<Schedule>().is_err(), "{schedule}");
    }
}

#[test]
fn a_schedule_within_the_minute_is_not_monitored() {
    let at = "2026-01-02T03:04:05Z".parse().unwrap();
    assert!(!"*/30 * * * * *".parse::<Schedule>().unwrap().is_monitored(at));
    assert!("0 * * * * *".parse::<Schedule>().unwrap().is_monitored(at));
}

#[test]
fn time_spans_are_read_as_dotnet_writes_them() {
    assert_eq!(parse_time_span("00:10:00").unwrap(), Duration::from_mins(10));
    assert_eq!(parse_time_span("1.02:00:00.5").unwrap(), Duration::from_millis(26 * 3_600_000 + 500));
    assert!(parse_time_span("10m").is_err());
    assert!(parse_time_span("24:00:00").is_err());
}
