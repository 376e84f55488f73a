//! One HTTP/1.1 connection, as little of it as it takes to read answers at the speed of a socket. No redirects, no
//! TLS, no choice: what it cannot read is an error. Nothing about time lives here but the moment of the first byte.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// As large as a read of loopback gets; a slow reader takes smaller bites.
const BUFFER: usize = 1 << 18;
/// Longer than any answer that is wanted takes.
const PATIENCE: Duration = Duration::from_secs(900);

pub struct Answer {
    pub status: u16,
    /// Of the body, without its framing.
    pub bytes: u64,
    /// When the first byte of the body was there; of the head when there is no body.
    pub first_byte: Instant,
}

pub struct Connection {
    address: String,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
}

impl Connection {
    pub fn new(address: &str) -> Self {
        Self { address: address.into(), stream: None, buffer: vec![0; BUFFER], from: 0, to: 0 }
    }

    /// Connects when it has to: the answer of a call must not pay for it.
    pub fn open(&mut self) -> Result<()> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            (self.stream, self.from, self.to) = (Some(stream), 0, 0);
        }
        Ok(())
    }

    /// Sends the request as it is and gives the body to `sink`. After an error the connection is gone.
    pub fn call(&mut self, request: &[u8], sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Answer> {
        let answer = self.exchange(request, sink);
        if !matches!(answer, Ok((_, true))) {
            self.stream = None;
        }
        answer.map(|(answer, _)| answer)
    }

    fn exchange(&mut self, request: &[u8], sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<(Answer, bool)> {
        self.open()?;
        self.stream.as_mut().ok_or(ErrorKind::NotConnected)?.write_all(request)?;
        let mut answer = Answer { status: 0, bytes: 0, first_byte: Instant::now() };
        let first = self.line()?;
        answer.status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| bad(&first))?;
        let (mut length, mut chunked, mut again) = (None, false, true);
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| bad(&line))?;
            match (name.to_ascii_lowercase().as_str(), value.trim()) {
                ("content-length", value) => length = Some(value.parse().map_err(|_| bad(&line))?),
                ("transfer-encoding", value) => chunked = value.eq_ignore_ascii_case("chunked"),
                ("connection", value) => again = !value.eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        answer.first_byte = Instant::now();
        if chunked {
            loop {
                let size = self.line()?;
                let size = u64::from_str_radix(size.split(';').next().unwrap_or(""), 16).map_err(|_| bad(&size))?;
                if answer.bytes == 0 {
                    answer.first_byte = Instant::now();
                }
                self.body(size, sink)?;
                answer.bytes += size;
                if !self.line()?.is_empty() {
                    return Err(bad("a chunk without its end"));
                }
                // Nobody here sends trailers.
                if size == 0 {
                    return Ok((answer, again));
                }
            }
        }
        // Without a length a body ends with the connection, and a cut would look complete.
        let length = length.ok_or_else(|| bad("no length"))?;
        self.body(length, sink)?;
        answer.bytes = length;
        Ok((answer, again))
    }

    fn body(&mut self, mut left: u64, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        while left > 0 {
            if self.from == self.to {
                self.fill()?;
            }
            let here = (self.to - self.from).min(usize::try_from(left).unwrap_or(usize::MAX));
            sink(&self.buffer[self.from..self.from + here])?;
            self.from += here;
            left -= here as u64;
        }
        Ok(())
    }

    /// Up to the next end of line, without it.
    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        loop {
            let there = &self.buffer[self.from..self.to];
            if let Some(end) = there.iter().position(|byte| *byte == b'\n') {
                line.extend_from_slice(&there[..end]);
                self.from += end + 1;
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return String::from_utf8(line).map_err(|_| bad("a head that is no text"));
            }
            line.extend_from_slice(there);
            self.from = self.to;
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<()> {
        let stream = self.stream.as_mut().ok_or(ErrorKind::NotConnected)?;
        let read = stream.read(&mut self.buffer)?;
        if read == 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "the connection ended before the answer"));
        }
        (self.from, self.to) = (0, read);
        Ok(())
    }
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("not an answer that can be read: {what}"))
}
