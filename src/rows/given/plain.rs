//! Decimal numbers as digits: read from a JSON number or a text, written without an exponent.

/// A number without zeros at either end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plain {
    negative: bool,
    /// Empty is zero.
    digits: String,
    /// Digits after the point; negative when zeros follow the digits.
    scale: i64,
}

/// Larger exponents are no number that any column holds, and no reason to write that many zeros.
const MOST_EXPONENT: i64 = 1_000;

impl Plain {
    /// `-12.50e3` and its like; `None` for anything else.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], exponent(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !fraction.is_none_or(digits) {
            return None;
        }
        let fraction = fraction.unwrap_or_default();
        let all = format!("{whole}{fraction}");
        let trimmed = all.trim_end_matches('0');
        let zeros = i64::try_from(all.len() - trimmed.len()).ok()?;
        let scale = i64::try_from(fraction.len()).ok()? - zeros - exponent;
        let digits = trimmed.trim_start_matches('0').to_owned();
        Some(if digits.is_empty() {
            Self { negative: false, digits, scale: 0 }
        } else {
            Self { negative, digits, scale }
        })
    }

    pub(crate) fn fraction_digits(&self) -> i64 {
        self.scale.max(0)
    }

    pub(crate) fn whole_digits(&self) -> i64 {
        (i64::try_from(self.digits.len()).unwrap_or(i64::MAX) - self.scale).max(0)
    }

    /// Without a point, when it has no fraction and at most so many digits.
    pub(crate) fn whole(&self, most: i64) -> Option<String> {
        (self.fraction_digits() == 0 && self.whole_digits() <= most).then(|| self.plain())
    }

    /// The digits with a point, and no exponent. Ask for its length first: an exponent may stand for many zeros.
    pub(crate) fn plain(&self) -> String {
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
        let length = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        let unsigned = if self.digits.is_empty() {
            "0".to_owned()
        } else if self.scale <= 0 {
            format!("{}{}", self.digits, zeros(-self.scale))
        } else if self.scale >= length {
            format!("0.{}{}", zeros(self.scale - length), self.digits)
        } else {
            let (whole, fraction) = self.digits.split_at(usize::try_from(length - self.scale).unwrap_or_default());
            format!("{whole}.{fraction}")
        };
        if self.negative { format!("-{unsigned}") } else { unsigned }
    }
}

fn exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.len() <= 9 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let value: i64 = if plain { text.strip_prefix('+').unwrap_or(text).parse().ok()? } else { return None };
    (value.abs() <= MOST_EXPONENT).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Option<String> {
        Plain::read(text).map(|number| number.plain())
    }

    #[test]
    fn no_digit_is_lost_and_no_exponent_stays() {
        for (text, written) in [
            ("12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678"),
            ("1.50", "1.5"),
            ("-0.00", "0"),
            ("1e3", "1000"),
            ("1.25E-3", "0.00125"),
            ("-1200e-2", "-12"),
            ("007", "7"),
        ] {
            assert_eq!(plain(text).as_deref(), Some(written), "{text}");
        }
        for wrong in ["", "-", ".5", "5.", "1e", "1e99999", "+1", "1,5", "0x1", "NaN", " 1"] {
            assert_eq!(plain(wrong), None, "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back_to_the_same_number(text in "-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?") {
            let number = Plain::read(&text).unwrap();
            proptest::prop_assert_eq!(Plain::read(&number.plain()), Some(number));
        }
    }
}
