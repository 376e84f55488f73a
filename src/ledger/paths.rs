//! Names in the ledger: how they are built, and which are refused. What comes from outside goes through [`segment`].

use aws_lc_rs::digest::{SHA256, digest};

/// Longer segments are hashed: a folder's file systems take 255 bytes a name, and a reader must still see the start.
const LONGEST: usize = 120;
const KEPT: usize = 40;

/// `{log}/{seq:08}`.
pub fn entry_path(log: &str, seq: u64) -> String {
    format!("{log}/{seq:08}")
}

/// `text` as one safe path segment; different texts give different segments.
///
/// Letters, digits, `-`, `_` and inner dots stay; every other byte becomes `=XX`; long texts keep their start and end
/// in their SHA-256.
pub fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.bytes().enumerate() {
        // Leading and trailing dots are special to file systems and to Blob Storage.
        let inner_dot = byte == b'.' && at != 0 && at != last;
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || inner_dot {
            escaped.push(char::from(byte));
        } else {
            escaped.push('=');
            push_hex(&mut escaped, byte, b"0123456789ABCDEF");
        }
    }
    if escaped.is_empty() {
        return "=".to_owned();
    }
    if escaped.len() > LONGEST {
        let mut kept = escaped;
        kept.truncate(KEPT);
        // No escape begins with `=h`, so no short text can give this segment.
        kept.push_str("=h");
        for byte in digest(&SHA256, text.as_bytes()).as_ref() {
            push_hex(&mut kept, *byte, b"0123456789abcdef");
        }
        return kept;
    }
    escaped
}

fn push_hex(text: &mut String, byte: u8, digits: &[u8; 16]) {
    text.push(char::from(digits[usize::from(byte >> 4)]));
    text.push(char::from(digits[usize::from(byte & 0xf)]));
}

/// The number of an entry, if `name` is one: eight digits or more.
pub(super) fn entry_number(name: &str) -> Option<u64> {
    let digits = name.len() >= 8 && name.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| name.parse().ok()).flatten()
}

/// Why `path` must not reach the store, if so.
pub(super) fn fault(path: &str) -> Option<&'static str> {
    if path.is_empty() || path.len() > 900 {
        // Blob names end at 1,024 characters (Microsoft Learn, Naming and referencing containers, blobs, and metadata).
        return Some("a path has 1 to 900 characters");
    }
    for part in path.split('/') {
        if part.is_empty() {
            return Some("a path has no empty segment");
        }
        if part.starts_with('.') || part.ends_with('.') {
            return Some("a segment neither begins nor ends with a dot");
        }
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=');
        if !part.bytes().all(safe) {
            return Some("a segment has only letters, digits, and - _ . =");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{entry_number, entry_path, fault, segment};

    #[test]
    fn entries_are_numbered_with_eight_digits() {
        assert_eq!(entry_path("runs/a", 7), "runs/a/00000007");
        assert_eq!(entry_number("00000007"), Some(7));
        assert_eq!(entry_number("123456789"), Some(123_456_789));
        assert_eq!(entry_number("7"), None);
        assert_eq!(entry_number("0000000x"), None);
    }

    #[test]
    fn whatever_comes_from_outside_becomes_one_safe_segment() {
        for text in ["", ".", "..", "../..", "a/b", "é", "a b", "=", "\0", "x.", "%2e%2e", &"ü/".repeat(500)] {
            let safe = segment(text);
            assert_eq!(fault(&safe), None, "{text:?} became {safe:?}");
            assert!(!safe.contains('/'));
        }
        assert_eq!(segment("order-7_a.b"), "order-7_a.b");
    }

    #[test]
    fn different_texts_stay_different() {
        let long = "x".repeat(500);
        let texts = ["", "=", ".", "a/b", "a=2Fb", "a", "A", &long, &"x".repeat(501), &segment(&long)];
        let mut seen: Vec<String> = texts.iter().map(|text| segment(text)).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), texts.len());
    }

    #[test]
    fn paths_that_climb_or_surprise_are_refused() {
        for path in ["", "/a", "a/", "a//b", "a/../b", "a/./b", "a b", "a\\b", "a%2f", "é"] {
            assert!(fault(path).is_some(), "{path:?}");
        }
        assert_eq!(fault("claims/caller=40x/route/00000000"), None);
    }
}
