//! Numbers between text and memory: one reading and one form for each, whatever the source.

/// A whole number as SQL writes it: no `+`, no leading zero.
pub(super) fn read_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    if !matches!(digits, [b'0'] | [b'1'..=b'9', ..]) {
        return None;
    }
    text.parse().ok()
}

/// The unscaled value of a decimal with this scale. Digits that the scale has no room for must be zeros.
pub(super) fn read_decimal(text: &str, scale: u8) -> Option<i128> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        all => (false, all),
    };
    if !is_json_number(text) {
        return None;
    }
    let mut unscaled = 0_i128;
    let mut missing = None;
    for byte in digits {
        match byte {
            b'.' => missing = Some(scale),
            b'0' if missing == Some(0) => {}
            b'0'..=b'9' => {
                missing = match missing {
                    Some(0) => return None,
                    Some(left) => Some(left - 1),
                    None => None,
                };
                unscaled = unscaled.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
            }
            // An exponent: not how a DECIMAL is written.
            _ => return None,
        }
    }
    let unscaled = unscaled.checked_mul(10_i128.checked_pow(u32::from(missing.unwrap_or(scale)))?)?;
    Some(if negative { -unscaled } else { unscaled })
}

pub(super) fn push_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Every digit, with the scale's zeros, as Databricks writes it.
pub(super) fn push_decimal(out: &mut Vec<u8>, unscaled: i128, scale: usize) {
    let mut buffer = itoa::Buffer::new();
    // Most decimals are small: 64 bits are written faster than 128.
    let text = match u64::try_from(unscaled.unsigned_abs()) {
        Ok(small) => buffer.format(small),
        Err(_) => buffer.format(unscaled.unsigned_abs()),
    };
    if unscaled < 0 {
        out.push(b'-');
    }
    if scale == 0 {
        out.extend_from_slice(text.as_bytes());
    } else if text.len() > scale {
        let (whole, fraction) = text.as_bytes().split_at(text.len() - scale);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + scale - text.len(), b'0');
        out.extend_from_slice(text.as_bytes());
    }
}

/// DOUBLE and FLOAT: digits that come back unchanged.
pub(super) trait Floating: Copy + ryu::Float + lexical_core::ToLexical {
    /// `NaN`, `Infinity`, `-Infinity`, which JSON does not have.
    fn special(self) -> Option<&'static str>;
}

macro_rules! floating {
    ($($t:ty),+) => {$(
        impl Floating for $t {
            #[inline]
            fn special(self) -> Option<&'static str> {
                if self.is_finite() {
                    None
                } else if self.is_nan() {
                    Some("NaN")
                } else if self > 0.0 {
                    Some("Infinity")
                } else {
                    Some("-Infinity")
                }
            }
        }
    )+};
}
floating!(f32, f64);

/// A finite number in CSV, as `arrow-csv` writes it: a power of ten from 1e16 up and below 1e-5.
pub(super) fn push_float_csv(out: &mut Vec<u8>, value: impl Floating) {
    out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
}

/// A finite number in JSON, as `arrow-json` writes it: a power of ten from 1e10 up and below 1e-5, and always a point.
pub(super) fn push_float_json(out: &mut Vec<u8>, value: impl Floating) {
    let mut buffer = [0; lexical_core::BUFFER_SIZE];
    out.extend_from_slice(lexical_core::write(value, &mut buffer));
}

/// RFC 8259's grammar: no `+`, no leading zero, digits on both sides of the point.
pub(super) fn is_json_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(at);
    if whole == 0 || (whole > 1 && bytes[at] == b'0') {
        return false;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return false;
        }
        at += 1 + fraction;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        let exponent = digits(at);
        if exponent == 0 {
            return false;
        }
        at += exponent;
    }
    at == bytes.len()
}
