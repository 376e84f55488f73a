//! An Arrow IPC stream as its bytes come: one message at a time, so that about one record batch is held decoded.
//!
//! The bytes come from outside. No length in them is believed before it is checked, a stream that lacks its end marker
//! is a failure, and a panic of the decoder becomes one.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::RecordBatch;
use arrow_buffer::{Buffer, MutableBuffer};
use arrow_ipc::reader::StreamDecoder;
use bytes::Bytes;

use super::lz4::{Cut, Frames, is_lz4};
use crate::failure::{Code, Failure};

/// Before the length of a message (Arrow, IPC: encapsulated message format).
const CONTINUATION: [u8; 4] = [0xFF; 4];

/// Room for thousands of columns; schemas are kilobytes.
const MOST_METADATA: usize = 16 << 20;

/// The most that one record batch may hold. Databricks' chunks have about 20 MiB (JDBC driver, CloudFetch).
const MOST_BODY: usize = 128 << 20;

/// Memory is given ahead of the bytes up to this; more only as they come.
const AHEAD: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct ArrowStream {
    input: Input,
    decoder: StreamDecoder,
    /// Parts of a message that the decoder has not taken.
    pending: VecDeque<Buffer>,
    /// A message has come since the last end marker.
    begun: bool,
    /// The end marker has come.
    ended: bool,
}

#[derive(Debug)]
enum Input {
    Plain(Buffer),
    Lz4(Box<Frames>),
}

impl ArrowStream {
    pub(super) fn new(bytes: Bytes) -> Self {
        let input =
            if is_lz4(&bytes) { Input::Lz4(Box::new(Frames::new(bytes))) } else { Input::Plain(Buffer::from(bytes)) };
        Self { input, decoder: StreamDecoder::new(), pending: VecDeque::new(), begun: false, ended: false }
    }

    /// The next record batch; `None` behind the end marker.
    pub(super) fn batch(&mut self) -> Result<Option<RecordBatch>, Failure> {
        // arrow-ipc checks what it reads; where it still panics, one result fails and not the process.
        catch_unwind(AssertUnwindSafe(|| self.step())).unwrap_or_else(|_| Err(malformed("the decoder gave up")))
    }

    fn step(&mut self) -> Result<Option<RecordBatch>, Failure> {
        loop {
            while let Some(part) = self.pending.front_mut() {
                if part.is_empty() {
                    self.pending.pop_front();
                } else if let Some(batch) = self.decoder.decode(part).map_err(|error| malformed(error.to_string()))? {
                    return Ok(Some(batch));
                }
            }
            if !self.message()? {
                return Ok(None);
            }
        }
    }

    /// Brings the next message in; `false` when there is none.
    fn message(&mut self) -> Result<bool, Failure> {
        let mut head = MutableBuffer::new(0);
        match self.input.read(4, &mut head)? {
            0 if self.ended => return Ok(false),
            0 => return Err(cut("it lacks its end marker")),
            4 => {}
            _ => return Err(cut("it ends within a message")),
        }
        if std::mem::take(&mut self.ended) {
            // Frames may also hold a stream each.
            self.decoder = StreamDecoder::new();
            self.begun = false;
        }
        if head.as_slice() == CONTINUATION {
            self.exactly(4, &mut head)?;
        }
        let length = head.as_slice().last_chunk::<4>().map_or(0, |length| i32::from_le_bytes(*length));
        let length = usize::try_from(length).map_err(|_| malformed("a length below nothing"))?;
        if length == 0 {
            if !self.begun {
                return Err(malformed("an end without a schema"));
            }
            self.ended = true;
            self.pending.push_back(head.into());
            return Ok(true);
        }
        if length > MOST_METADATA {
            return Err(too_large(length));
        }
        let begin = head.len();
        self.exactly(length, &mut head)?;
        let body = arrow_ipc::root_as_message(&head.as_slice()[begin..])
            .map_err(|error| malformed(error.to_string()))?
            .bodyLength();
        let body = usize::try_from(body).map_err(|_| malformed("a length below nothing"))?;
        if body > MOST_BODY {
            return Err(too_large(body));
        }
        self.begun = true;
        self.pending.push_back(head.into());
        if body > 0 {
            let body = self.input.body(body)?;
            self.pending.push_back(body);
        }
        Ok(true)
    }

    fn exactly(&mut self, count: usize, into: &mut MutableBuffer) -> Result<(), Failure> {
        if self.input.read(count, into)? < count { Err(cut("it ends within a message")) } else { Ok(()) }
    }
}

impl Input {
    fn read(&mut self, count: usize, into: &mut MutableBuffer) -> Result<usize, Failure> {
        match self {
            Self::Plain(buffer) => {
                let count = count.min(buffer.len());
                into.extend_from_slice(&buffer[..count]);
                buffer.advance(count);
                Ok(count)
            }
            Self::Lz4(frames) => frames.read(count, |bytes| into.extend_from_slice(bytes)).map_err(|error| {
                if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Cut>) {
                    cut("it ends within a frame")
                } else {
                    malformed(error.to_string())
                }
            }),
        }
    }

    /// The body of a message: of plain bytes a part, not a copy.
    fn body(&mut self, count: usize) -> Result<Buffer, Failure> {
        if let Self::Plain(buffer) = self {
            if buffer.len() < count {
                return Err(cut("it ends within a message"));
            }
            let body = buffer.slice_with_length(0, count);
            buffer.advance(count);
            return Ok(body);
        }
        let mut body = MutableBuffer::with_capacity(count.min(AHEAD));
        if self.read(count, &mut body)? < count {
            return Err(cut("it ends within a message"));
        }
        Ok(body.into())
    }
}

fn malformed(why: impl Into<String>) -> Failure {
    Failure::new(Code::UpstreamReplyInvalid, "Databricks sent a chunk that is no sound Arrow stream.")
        .caused_by(why.into())
}

fn cut(why: &str) -> Failure {
    Failure::new(
        Code::ResultIncomplete,
        format!("Databricks did not deliver the whole result: a chunk was cut, {why}. Try again."),
    )
}

fn too_large(length: usize) -> Failure {
    malformed(format!("a message says that it has {length} bytes"))
}
