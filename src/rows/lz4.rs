//! LZ4 frames, one behind the other, taken out block by block. What is in them is not known here.
//!
//! A chunk of 18 frames has been seen; a decoder of one frame silently gave no rows. Nor must a cut within a frame look
//! like its end, which `lz4_flex` says of a cut between two blocks: so the bytes' end is an error to it, and frames are
//! counted here.

use std::fmt;
use std::io::{self, BufRead, Read};

use bytes::{Buf, Bytes};
use lz4_flex::frame::FrameDecoder;

/// How a frame begins (LZ4 Frame Format Description).
const MAGIC: [u8; 4] = [0x04, 0x22, 0x4D, 0x18];

pub(super) fn is_lz4(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// The bytes ended within a frame.
#[derive(Debug)]
pub(super) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes end within an LZ4 frame")
    }
}

impl std::error::Error for Cut {}

pub(super) struct Frames {
    /// `None` between two frames.
    frame: Option<FrameDecoder<Rest>>,
    /// What is left while there is no frame.
    rest: Bytes,
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames").finish_non_exhaustive()
    }
}

impl Frames {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { frame: None, rest: bytes }
    }

    /// Appends up to `count` decoded bytes; fewer only after the last frame.
    pub(super) fn read(&mut self, count: usize, mut append: impl FnMut(&[u8])) -> io::Result<usize> {
        let mut read = 0;
        while read < count {
            if self.frame.is_none() && self.rest.is_empty() {
                break;
            }
            let rest = &mut self.rest;
            let frame = self.frame.get_or_insert_with(|| FrameDecoder::new(Rest(std::mem::take(rest))));
            let block = frame.fill_buf()?;
            let taken = block.len().min(count - read);
            append(&block[..taken]);
            frame.consume(taken);
            read += taken;
            if taken == 0 {
                // A decoder for each frame: its buffers have the size of the frame's blocks.
                self.rest = self.frame.take().map(|frame| frame.into_inner().0).unwrap_or_default();
            }
        }
        Ok(read)
    }
}

/// The compressed bytes that are left, whose end is an error.
struct Rest(Bytes);

impl Read for Rest {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::Error::other(Cut));
        }
        let count = into.len().min(self.0.len());
        self.0.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}
