//! What a call is called so that it is the same call in another run of the same test: ids and times that are drawn or told
//! by a clock are masked, names that follow from what they name are kept.

/// Digits in a row from which on a number is an id or a time. Eight with leading zeros are a place in a log.
const LONG: usize = 6;

/// `text` with UUIDs as `{id}` and long numbers as `{n}`.
pub(super) fn shape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut shape = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let begins = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        if begins && is_uuid(&bytes[at..]) {
            shape.push_str("{id}");
            at += 36;
            continue;
        }
        let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        // Within a hash digits are no number.
        let ends = bytes.get(at + digits).is_none_or(|next| !next.is_ascii_hexdigit());
        if begins && digits >= LONG && ends && !text[at..].starts_with("00") {
            shape.push_str("{n}");
            at += digits;
            continue;
        }
        let next = text[at..].chars().next().map_or(1, char::len_utf8);
        shape.push_str(&text[at..at + next]);
        at += next;
    }
    shape
}

fn is_uuid(bytes: &[u8]) -> bool {
    let right = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    bytes.len() >= 36 && bytes[..36].iter().enumerate().all(right) && bytes.get(36).is_none_or(|next| *next != b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_or_told_by_a_clock_is_masked_and_what_follows_from_its_name_is_kept() {
        for (text, expected) in [
            (
                "/api/2.0/sql/statements/01f0a3b4-5c6d-1e2f-8a9b-0c1d2e3f4a5b/result/chunks/1",
                "/api/2.0/sql/statements/{id}/result/chunks/1",
            ),
            ("/api/2.2/jobs/runs/get?run_id=814723905216", "/api/2.2/jobs/runs/get?run_id={n}"),
            (
                "/acc/causeway-ledger/runs/2fb2d171cd61b66b9779c7882c908369/00000012",
                "/acc/causeway-ledger/runs/2fb2d171cd61b66b9779c7882c908369/00000012",
            ),
            ("history/2026-11-28/a/20261128T101500Z-9", "history/2026-11-28/a/{n}T101500Z-9"),
            ("{\"key\":\"123456789abcdef0\"}", "{\"key\":\"123456789abcdef0\"}"),
            ("größer 123456", "größer {n}"),
        ] {
            assert_eq!(shape(text), expected);
        }
    }
}
