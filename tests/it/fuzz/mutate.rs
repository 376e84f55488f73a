//! Inputs made of others: bits turned, parts left out, doubled, moved between two, and pieces put in that have broken
//! readers before. The same seed makes the same inputs.

/// Splitmix64.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `count`, which is at least 1.
    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap_or(0)
    }

    /// Mostly short, at most `1 << bits`.
    fn length(&mut self, bits: usize) -> usize {
        let bits = self.below(bits);
        self.below(1 << bits)
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Longer ones would only be slow.
const LONGEST: usize = 64 << 10;

const PIECES: &[&[u8]] = &[
    b"null",
    b"true",
    b"-1",
    b"0",
    b"18446744073709551616",
    b"-9223372036854775808",
    b"1e999",
    b"-0.0",
    b"0.1e-400",
    b"NaN",
    b"Infinity",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b"{}",
    b"[]",
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":{\"a\":",
    b",",
    b":",
    b"\n",
    b"\r\n",
    b"\t",
    b" ",
    b"- ",
    b": ",
    b"? ",
    b"&a ",
    b"*a",
    b"<<: *a",
    b"!!binary ",
    b"|\n ",
    b"# ",
    b"---\n",
    b"{{",
    b"}}",
    b"{{ ",
    b" }}",
    b"parameters.",
    b"steps.q.",
    b".row",
    b"[0]",
    b"['x']",
    b" == ",
    b" in ",
    b" ? ",
    b" | date",
    b".map(x, x)",
    b".exists(x, x > 0)",
    b"size(",
    b"string(",
    b"int(",
    b"timestamp(",
    b"duration('1s')",
    b"/Date(",
    b")/",
    b"/Date(-62135596800000+1400)/",
    b"__type",
    b"Attributes",
    b"\xff",
    b"\xc3\x28",
    b"\xf0\x9f\x92\xa5",
    b"\xe2\x80\xae",
    b"\xef\xbb\xbf",
    b"\0",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
    b"\x04\x22\x4d\x18",
    b".",
    b"..",
    b"v1.",
    b"=",
    b"2026-02-30",
    b"9999-12-31T23:59:60Z",
    b"[CLASS.SUB] text SQLSTATE: 42P01",
    b"DECIMAL(38,38)",
    b"ARRAY<",
    b"MAP<STRING,",
    b"STRUCT<a:",
];

/// A new input of one or two of the corpus.
pub(super) fn mutated(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut input = dice.of(corpus).clone();
    for _ in 0..=dice.below(6) {
        change(&mut input, corpus, dice);
        input.truncate(LONGEST);
    }
    input
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    let to = (at + 1 + dice.length(9)).min(input.len());
    match dice.below(9) {
        0 if at < input.len() => input[at] ^= 1 << dice.below(8),
        1 if at < input.len() => input[at] = u8::try_from(dice.below(256)).unwrap_or(0),
        2 => input.truncate(at),
        3 if at < to => drop(input.drain(at..to)),
        4 if at < to => {
            let part = input[at..to].repeat(1 + dice.below(8));
            input.splice(at..at, part);
        }
        5 => {
            let other = dice.of(corpus);
            let from = dice.below(other.len() + 1);
            let end = (from + 1 + dice.length(12)).min(other.len());
            input.splice(at..at, other[from.min(end)..end].iter().copied());
        }
        6 => {
            let piece = dice.of(PIECES).repeat(if dice.below(20) == 0 { 1 + dice.below(300) } else { 1 });
            input.splice(at..at, piece);
        }
        7 if at < to => {
            let piece = dice.of(PIECES).to_vec();
            input.splice(at..to, piece);
        }
        // A number of four bytes, as lengths are written.
        8 if at + 4 <= input.len() => {
            let numbers = [0, 1, 7, 8, 255, 4096, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 128 << 20];
            input[at..at + 4].copy_from_slice(&u32::to_le_bytes(*dice.of(&numbers)));
        }
        _ => {}
    }
}
