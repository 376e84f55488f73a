//! Fields of CSV by RFC 4180, in UTF-8, lines ended by LF. Which text a value has is `cells.rs`.
//!
//! NULL is nothing and an empty string is `""`, so that the two can be told apart. In a result of one column a NULL is
//! `""` too: readers skip an empty line, and a row would be lost.

/// A field that is not NULL.
pub(super) fn push_field(out: &mut Vec<u8>, text: &[u8]) {
    if !text.is_empty() && !text.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    let mut start = 0;
    for (at, byte) in text.iter().enumerate() {
        if *byte == b'"' {
            out.extend_from_slice(&text[start..=at]);
            start = at;
        }
    }
    out.extend_from_slice(&text[start..]);
    out.push(b'"');
}

/// The first line: the names of the columns.
pub(super) fn push_head(out: &mut Vec<u8>, names: &[String]) {
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        // A name that is empty among others needs no quotes: nothing else could stand there.
        if !name.is_empty() || names.len() == 1 {
            push_field(out, name.as_bytes());
        }
    }
    out.push(b'\n');
}
