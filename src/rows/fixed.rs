//! Short pieces of text, appended as the result path likes it: a copy whose length the compiler knows is a few moves,
//! one whose length it does not know is a call. So a whole block is copied, and what is too much of it taken off again.

/// The length of a block.
const BLOCK: usize = 32;

/// Text that is appended again and again.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    text: Vec<u8>,
    /// Its beginning; the rest is nothing to anyone.
    block: [u8; BLOCK],
}

impl Fixed {
    pub(super) fn new(text: Vec<u8>) -> Self {
        let mut block = [0; BLOCK];
        for (to, from) in block.iter_mut().zip(&text) {
            *to = *from;
        }
        Self { text, block }
    }

    #[inline]
    pub(super) fn push(&self, out: &mut Vec<u8>) {
        if self.text.len() <= BLOCK {
            push_start(out, &self.block, self.text.len());
        } else {
            out.extend_from_slice(&self.text);
        }
    }
}

/// Appends the first `count` bytes of a block.
#[inline]
pub(super) fn push_start<const N: usize>(out: &mut Vec<u8>, block: &[u8; N], count: usize) {
    let end = out.len() + count;
    out.extend_from_slice(block);
    out.truncate(end);
}
