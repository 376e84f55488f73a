//! How parked messages are shown to people.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::parcel::Parcel;

/// One line each, columns lined up; the last column may be long.
pub(super) fn table(parcels: &[Parcel], now: Timestamp) -> String {
    if parcels.is_empty() {
        return "nothing is parked\n".to_owned();
    }
    let mut rows = vec![["ID", "AGE", "REASON", "FROM", "WHAT", "MESSAGE ID"].map(str::to_owned)];
    rows.extend(parcels.iter().map(|parcel| {
        let message_id = parcel.original.get("messageId").and_then(serde_json::Value::as_str).unwrap_or("-");
        [
            parcel.id.to_string(),
            age(parcel.parked_at, now),
            parcel.reason.clone(),
            parcel.queue.clone(),
            short(&parcel.what),
            short(message_id),
        ]
    }));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Numbers stand on the right.
            let _ = if index == 0 { write!(line, "{cell:>width$}") } else { write!(line, "  {cell:<width$}") };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// One message with everything that is known of it.
pub(super) fn whole(parcel: &Parcel, now: Timestamp) -> String {
    let mut text = String::new();
    let parked_at = parcel.parked_at.map(|at| at.to_string()).unwrap_or_default();
    for (name, value) in [
        ("id", parcel.id.to_string()),
        ("reason", parcel.reason.clone()),
        ("detail", parcel.detail.clone()),
        ("parked", format!("{parked_at} ({} ago)", age(parcel.parked_at, now))),
        ("looked at", format!("{} times", parcel.looks)),
    ] {
        let _ = writeln!(text, "{name:<16}  {value}");
    }
    for (name, value) in parcel.original.iter().filter(|(_, value)| !value.is_null()) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let _ = writeln!(text, "{name:<16}  {value}");
    }
    let _ = writeln!(text, "\n{}", parcel.shown_body);
    text
}

/// `45s`, `12m`, `3h`, `9d`: whole units, rounded down.
fn age(at: Option<Timestamp>, now: Timestamp) -> String {
    let Some(at) = at else { return "-".to_owned() };
    match at.duration_until(now).as_secs().max(0) {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3_600 => format!("{}m", seconds / 60),
        seconds @ 3_600..86_400 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    let cut = text.chars().count() > LONGEST;
    let mut short: String = text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect();
    if cut {
        short.push('…');
    }
    if short.is_empty() { "-".to_owned() } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_its_largest_whole_unit() {
        let now: Timestamp = "2026-01-10T12:00:00Z".parse().unwrap();
        for (at, expected) in [
            ("2026-01-10T11:59:15Z", "45s"),
            ("2026-01-10T11:00:01Z", "59m"),
            ("2026-01-09T13:00:00Z", "23h"),
            ("2026-01-01T11:00:00Z", "9d"),
            ("2026-01-10T12:00:09Z", "0s"),
        ] {
            assert_eq!(age(Some(at.parse().unwrap()), now), expected);
        }
        assert_eq!(age(None, now), "-");
    }
}
