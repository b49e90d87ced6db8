//! One request over a connection of its own, and the answer as it came.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer; its head is in small letters, its body without chunks.
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    /// The value of a field of the head.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(found, _)| *found == name).map(|(_, value)| value.trim())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// GET of a query of `/oai`, with further lines of the head.
pub fn get(address: &str, query: &str, fields: &str) -> Reply {
    let request = format!(
        "GET /oai?{query} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}\r\n"
    );
    exchange(address, request.as_bytes()).expect("an answer")
}

/// Sends bytes and reads to the end; `None` when the connection was closed without an answer.
pub fn exchange(address: &str, request: &[u8]) -> Option<Reply> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // A server may refuse what it has read and hang up before it has read all.
    let _refused = stream.write_all(request);
    let mut answer = Vec::new();
    let mut piece = [0; 65_536];
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..count]);
    }
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut reply = Reply { status, head, body: answer[end + 4..].to_vec() };
    if reply.field("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
        reply.body = without_chunks(&reply.body);
    }
    Some(reply)
}

fn without_chunks(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n").expect("the size of a chunk");
        let size = std::str::from_utf8(&body[..end]).unwrap();
        let size = usize::from_str_radix(size.split(';').next().unwrap().trim(), 16).unwrap();
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 2 + size + 2..];
    }
}
