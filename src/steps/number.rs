//! The SQL type of a JSON number, by its digits: none of them may be lost.

/// The most digits of a DECIMAL (Databricks, data type DECIMAL).
const MOST_DIGITS: usize = 38;

/// INT, BIGINT, DOUBLE or a DECIMAL that holds every digit; `None` when none does. `json` is a JSON number.
pub(super) fn type_of(json: &str) -> Option<String> {
    let digits = Digits::of(json)?;
    if !json.contains(['.', 'e', 'E']) {
        return match json.parse::<i64>() {
            Ok(whole) if i32::try_from(whole).is_ok() => Some("INT".to_owned()),
            Ok(_) => Some("BIGINT".to_owned()),
            Err(_) if digits.whole() <= MOST_DIGITS => Some(format!("DECIMAL({MOST_DIGITS},0)")),
            Err(_) => None,
        };
    }
    if digits.fit_a_double(json) {
        return Some("DOUBLE".to_owned());
    }
    let scale = digits.scale();
    let precision = digits.whole() + scale;
    (precision <= MOST_DIGITS).then(|| format!("DECIMAL({precision},{scale})"))
}

/// A number as its digits, without zeros at either end, and the power of ten of the last one.
#[derive(Debug, PartialEq, Eq)]
struct Digits {
    digits: String,
    exponent: i64,
}

impl Digits {
    fn of(number: &str) -> Option<Self> {
        let number = number.trim_start_matches('-');
        let (mantissa, exponent) = match number.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (number, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let kept = all.trim_end_matches('0');
        let dropped = i64::try_from(all.len() - kept.len()).ok()?;
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(dropped)?;
        let digits = kept.trim_start_matches('0').to_owned();
        Some(if digits.is_empty() { Self { digits, exponent: 0 } } else { Self { digits, exponent } })
    }

    /// Digits before the point.
    fn whole(&self) -> usize {
        let length = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        usize::try_from(length.saturating_add(self.exponent)).unwrap_or(0)
    }

    /// Digits behind the point.
    fn scale(&self) -> usize {
        usize::try_from(self.exponent.saturating_neg()).unwrap_or(0)
    }

    /// Read as a double and written again, it has the same digits.
    fn fit_a_double(&self, number: &str) -> bool {
        let Ok(double) = number.parse::<f64>() else { return false };
        double.is_finite() && Self::of(&format!("{double:e}")).as_ref() == Some(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Digits, type_of};

    #[rstest::rstest]
    #[case("0", "INT")]
    #[case("-0", "INT")]
    #[case("2147483647", "INT")]
    #[case("2147483648", "BIGINT")]
    #[case("-9223372036854775808", "BIGINT")]
    #[case("9223372036854775808", "DECIMAL(38,0)")]
    #[case("99999999999999999999999999999999999999", "DECIMAL(38,0)")]
    #[case("2.5", "DOUBLE")]
    #[case("2.50", "DOUBLE")]
    #[case("0.1", "DOUBLE")]
    #[case("0.0", "DOUBLE")]
    #[case("1e308", "DOUBLE")]
    #[case("5e-324", "DOUBLE")]
    #[case("0.30000000000000004", "DOUBLE")]
    #[case("12345678901234567.89", "DECIMAL(19,2)")]
    #[case("-0.12345678901234567890", "DECIMAL(19,19)")]
    #[case("1.2345678901234567891e5", "DECIMAL(20,14)")]
    fn a_number_has_a_type_that_holds_all_of_it(#[case] number: &str, #[case] type_text: &str) {
        assert_eq!(type_of(number).as_deref(), Some(type_text), "{number}");
    }

    #[rstest::rstest]
    #[case("100000000000000000000000000000000000000")]
    #[case("1e400")]
    #[case("1e-400")]
    #[case("0.123456789012345678901234567890123456789")]
    #[case("1e99999999999999999999")]
    fn a_number_that_no_type_holds_has_none(#[case] number: &str) {
        assert_eq!(type_of(number), None, "{number}");
    }

    proptest! {
        #[test]
        fn what_is_called_a_double_is_written_again_with_the_same_digits(
            whole in "(0|[1-9][0-9]{0,24})", fraction in "[0-9]{1,24}", exponent in -30..30_i32,
        ) {
            let number = format!("{whole}.{fraction}e{exponent}");
            if type_of(&number).as_deref() == Some("DOUBLE") {
                let again = format!("{:?}", number.parse::<f64>().unwrap());
                prop_assert_eq!(Digits::of(&again), Digits::of(&number));
            }
        }
    }
}
