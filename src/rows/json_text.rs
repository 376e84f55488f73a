//! JSON as text: strings written and read, values stepped over. No tree of a document is ever built.

use std::borrow::Cow;

/// Deeper is not read: it bounds the stack.
const DEEPEST: usize = 128;

/// What makes a byte stand escaped: 0, it does not; `u`, six characters; else the letter behind the backslash.
static ESCAPE: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[b'\t' as usize] = b't';
    table[b'\n' as usize] = b'n';
    table[0x0C] = b'f';
    table[b'\r' as usize] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// A string with its quotes, escaped as `serde_json` does.
pub(super) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text.as_bytes());
    out.push(b'"');
}

/// A string with its quotes, in which nothing needs an escape.
pub(super) fn push_clean_string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

fn push_escaped(out: &mut Vec<u8>, mut bytes: &[u8]) {
    loop {
        let clean = clean_prefix(bytes);
        out.extend_from_slice(&bytes[..clean]);
        let Some((byte, rest)) = bytes[clean..].split_first() else { return };
        let escape = ESCAPE[usize::from(*byte)];
        if escape == b'u' {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&digits);
        } else {
            out.extend_from_slice(&[b'\\', escape]);
        }
        bytes = rest;
    }
}

/// How many bytes at the start can stand as they are: eight are looked at in one go.
#[inline]
fn clean_prefix(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = escapes_in(u64::from_le_bytes(*word));
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    // The last eight once more: quicker than the rest byte by byte.
    if !rest.is_empty() && bytes.last_chunk::<8>().is_some_and(|word| escapes_in(u64::from_le_bytes(*word)) == 0) {
        return bytes.len();
    }
    words.len() * 8 + rest.iter().take_while(|byte| ESCAPE[usize::from(**byte)] == 0).count()
}

/// The highest bit of each byte that needs an escape. A borrow may mark bytes above one that does, never below.
#[inline]
const fn escapes_in(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (control | (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash)) & HIGH
}

/// What JSON has without quotes or brackets.
pub(super) fn is_json_word(word: &str) -> bool {
    matches!(word, "true" | "false" | "null") || super::number::is_json_number(word)
}

/// Reads JSON text from front to back. Every step returns `None` where the text makes no sense.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next byte that is no white space, which stays.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let byte @ (b' ' | b'\n' | b'\r' | b'\t') = *self.bytes.get(self.at)? {
            let _ = byte;
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    pub(super) fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    /// A string with its quotes, unescaped; borrowed where there was nothing to unescape.
    pub(super) fn string(&mut self) -> Option<Cow<'a, str>> {
        self.take(b'"')?;
        let start = self.at;
        self.at += clean_prefix(&self.bytes[start..]);
        match *self.bytes.get(self.at)? {
            b'"' => {
                let text = std::str::from_utf8(&self.bytes[start..self.at]).ok()?;
                self.at += 1;
                Some(Cow::Borrowed(text))
            }
            b'\\' => self.escaped(start).map(Cow::Owned),
            _ => None,
        }
    }

    /// The key of this name with its colon, where it stands next, without white space or escapes.
    pub(super) fn key(&mut self, name: &str) -> Option<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let behind = rest.strip_prefix(b"\"")?.strip_prefix(name.as_bytes())?.strip_prefix(b"\":")?;
        if clean_prefix(name.as_bytes()) < name.len() {
            return None;
        }
        self.at += rest.len() - behind.len();
        Some(&rest[..rest.len() - behind.len()])
    }

    /// The rest of a string from its first backslash on.
    fn escaped(&mut self, start: usize) -> Option<String> {
        let mut text = self.bytes[start..self.at].to_vec();
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => return String::from_utf8(text).ok(),
                b'\\' => {
                    let letter = *self.bytes.get(self.at)?;
                    self.at += 1;
                    let plain = match letter {
                        b'"' | b'\\' | b'/' => letter,
                        b'b' => 0x08,
                        b'f' => 0x0C,
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'u' => {
                            let mut utf8 = [0; 4];
                            text.extend_from_slice(self.code_point()?.encode_utf8(&mut utf8).as_bytes());
                            continue;
                        }
                        _ => return None,
                    };
                    text.push(plain);
                }
                0..0x20 => return None,
                _ => text.push(byte),
            }
        }
    }

    /// The digits behind `\u`, and the second half of a pair.
    fn code_point(&mut self) -> Option<char> {
        let first = self.four_digits()?;
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(first);
        }
        if self.bytes.get(self.at..self.at + 2)? != b"\\u" {
            return None;
        }
        self.at += 2;
        let second = self.four_digits()?;
        if !(0xDC00..0xE000).contains(&second) {
            return None;
        }
        char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    }

    fn four_digits(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |number, digit| Some(number * 16 + char::from(*digit).to_digit(16)?))
    }

    /// A number, `true`, `false` or `null`: the text up to what ends it, not looked into.
    pub(super) fn word(&mut self) -> Option<&'a str> {
        self.peek()?;
        let rest = &self.bytes[self.at..];
        let end = rest
            .iter()
            .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')))
            .unwrap_or(rest.len());
        self.at += end;
        if end == 0 { None } else { std::str::from_utf8(&rest[..end]).ok() }
    }

    /// Steps over a value, checked; its text.
    pub(super) fn value(&mut self) -> Option<&'a [u8]> {
        self.peek()?;
        let start = self.at;
        self.step(0)?;
        Some(&self.bytes[start..self.at])
    }

    fn step(&mut self, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'[' => self.items(b']', |scanner| scanner.step(depth + 1)),
            b'{' => self.items(b'}', |scanner| {
                scanner.string()?;
                scanner.take(b':')?;
                scanner.step(depth + 1)
            }),
            _ => {
                let word = self.word()?;
                is_json_word(word).then_some(())
            }
        }
    }

    /// What stands between brackets, of which the opening one is next.
    pub(super) fn items(&mut self, close: u8, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.peek()?;
        self.at += 1;
        if self.take(close).is_some() {
            return Some(());
        }
        loop {
            each(self)?;
            if self.take(b',').is_none() {
                return self.take(close);
            }
        }
    }

    pub(super) fn at_end(&mut self) -> bool {
        self.peek().is_none()
    }
}
