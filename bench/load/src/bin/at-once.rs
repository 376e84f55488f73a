//! A handler that answers every invocation at once, with nothing: what the host stand-in can do at most. Without
//! dependencies, as the load generator.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{TcpListener, TcpStream};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

fn main() -> Result<()> {
    let port = std::env::var("FUNCTIONS_CUSTOMHANDLER_PORT").unwrap_or_default();
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    for stream in listener.incoming() {
        let stream = stream?;
        // A connection that ends is no failure of the others.
        std::thread::spawn(move || serve(stream));
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    loop {
        let (mut length, mut chunked) = (0, false);
        loop {
            if next(&mut reader, &mut line)? == 0 {
                return Ok(());
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or(0);
            }
            chunked |= name.eq_ignore_ascii_case("transfer-encoding");
            if name.is_empty() {
                break;
            }
        }
        skip(&mut reader, length)?;
        // As the host sends what triggers a function: its size, the chunk, an empty line; nothing is the last of them.
        while chunked && next(&mut reader, &mut line)? > 0 {
            let size = u64::from_str_radix(&line, 16).unwrap_or(0);
            skip(&mut reader, size)?;
            next(&mut reader, &mut line)?;
            chunked = size > 0;
        }
        stream.write_all(ANSWER)?;
    }
}

/// The next line, without its end; how long it was with it.
fn next(reader: &mut BufReader<TcpStream>, line: &mut String) -> Result<usize> {
    line.clear();
    let read = reader.read_line(line)?;
    line.truncate(line.trim_end().len());
    Ok(read)
}

fn skip(reader: &mut BufReader<TcpStream>, length: u64) -> Result<u64> {
    std::io::copy(&mut reader.take(length), &mut std::io::sink())
}
