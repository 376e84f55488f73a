//! Every day there is, once.

use super::super::moment::{push_date, read_date};

#[test]
fn every_day_from_year_1_to_9999_comes_back() {
    let (mut text, mut last) = (Vec::new(), Vec::new());
    for days in -719_162..=2_932_896 {
        text.clear();
        push_date(&mut text, days, false);
        assert_eq!(read_date(std::str::from_utf8(&text).expect("digits")), Some(days));
        assert!(last < text, "{days} is later than the day before");
        last.clone_from(&text);
    }
    assert_eq!(last, b"9999-12-31");
}

#[test]
fn days_at_the_ends_of_four_digits_are_written_with_their_sign_beyond() {
    for (days, expected) in [
        (-719_529, "-0001-12-31"),
        (-719_528, "0000-01-01"),
        (-719_469, "0000-02-29"),
        (-719_468, "0000-03-01"),
        (2_932_897, "+10000-01-01"),
        (i32::MAX, "+5881580-07-11"),
        (i32::MIN, "-5877641-06-23"),
    ] {
        let mut text = Vec::new();
        push_date(&mut text, days, true);
        assert_eq!(String::from_utf8(text).expect("digits"), format!("\"{expected}\""));
    }
}
