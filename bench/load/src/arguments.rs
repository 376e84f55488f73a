//! The command line, and the request that it asks for, as bytes.

pub const USAGE: &str = "load <one|rate|most|read> --url URL [--method POST] [--header 'Name: value']... [--body TEXT]
     [--status 200] [--connections 32] [--calls N] [--per-second N] [--seconds N] [--out FILE] [--bytes-per-second N]";

pub enum Way {
    OneAfterTheOther {
        calls: u64,
    },
    Rate {
        per_second: u64,
        seconds: u64,
    },
    Most {
        seconds: u64,
    },
    /// Into a file, or nowhere when it has no name.
    Read {
        out: String,
        bytes_per_second: Option<u64>,
    },
}

pub struct Arguments {
    pub way: Way,
    pub address: String,
    pub request: Vec<u8>,
    /// Any other answer is a failure.
    pub status: u16,
    pub connections: usize,
}

impl Arguments {
    pub fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let way = given.next().ok_or("which way?")?;
        let (mut url, mut method, mut body, mut headers) = (String::new(), "GET".to_owned(), String::new(), Vec::new());
        let (mut status, mut connections, mut out) = (200, 32, String::new());
        let (mut calls, mut per_second, mut seconds, mut bytes_per_second) = (1000, 200, 10, None);
        while let Some(name) = given.next() {
            let value = given.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{name} needs a number"));
            match name.as_str() {
                "--url" => url = value,
                "--method" => method = value,
                "--header" => headers.push(value),
                "--body" => body = value,
                "--out" => out = value,
                "--status" => status = u16::try_from(number()?).map_err(|_| "--status is three digits")?,
                "--connections" => connections = usize::try_from(number()?).map_err(|_| "--connections is small")?,
                "--calls" => calls = number()?,
                "--per-second" => per_second = number()?.max(1),
                "--seconds" => seconds = number()?,
                "--bytes-per-second" => bytes_per_second = Some(number()?.max(1)),
                _ => return Err(format!("{name} is unknown")),
            }
        }
        let rest = url.strip_prefix("http://").ok_or("--url begins with http://")?;
        let (address, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        headers.push(format!("Host: {address}"));
        headers.push(format!("Content-Length: {}", body.len()));
        let way = match way.as_str() {
            "one" => Way::OneAfterTheOther { calls },
            "rate" => Way::Rate { per_second, seconds },
            "most" => Way::Most { seconds },
            "read" => Way::Read { out, bytes_per_second },
            _ => return Err(format!("no such way: {way}")),
        };
        let request = format!("{method} {path} HTTP/1.1\r\n{}\r\n\r\n{body}", headers.join("\r\n"));
        Ok(Self { way, address: address.to_owned(), request: request.into_bytes(), status, connections })
    }
}
