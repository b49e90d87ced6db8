//! Answers in gzip: the page is deflated once and kept; what is around it, which is other each
//! time, is stored as it is.
//!
//! RFC 1952 (gzip), RFC 1951 (deflate)

use std::io::{self, Write};

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// Deflated, time unknown, compressed fast, system unknown (RFC 1952 §2.3).
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// A stored block holds so many bytes at most (RFC 1951 §3.2.4).
const BLOCK: usize = 0xffff;

/// Bytes that were deflated by themselves: whole blocks up to the edge of a byte, of which none is
/// the last of a stream.
pub(super) struct Deflated {
    blocks: Bytes,
    /// Of the bytes before they were deflated, with their number.
    crc: Crc,
}

impl Deflated {
    /// Deflates at the level that is fast.
    ///
    /// # Errors
    /// None that is known of.
    pub fn new(bytes: &[u8]) -> io::Result<Deflated> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes)?;
        encoder.flush()?;
        let mut crc = Crc::new();
        crc.update(bytes);
        // The end that the encoder writes when it is dropped goes into another vector. What is
        // kept takes no more room than it needs.
        let blocks = std::mem::take(encoder.get_mut()).into_boxed_slice();
        Ok(Deflated { blocks: blocks.into(), crc })
    }

    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        size_of::<Deflated>() + self.blocks.len()
    }

    /// A gzip file of one member: `before`, these bytes, `behind`.
    pub fn between(&self, before: &[u8], behind: &[u8]) -> [Bytes; 3] {
        let mut crc = Crc::new();
        crc.update(before);
        crc.combine(&self.crc);
        crc.update(behind);
        let mut head = HEAD.to_vec();
        store(&mut head, before, false);
        let mut tail = Vec::with_capacity(behind.len() + 16);
        store(&mut tail, behind, true);
        tail.extend(crc.sum().to_le_bytes());
        tail.extend(crc.amount().to_le_bytes());
        [head.into(), self.blocks.clone(), tail.into()]
    }
}

/// Appends bytes in blocks that are not compressed.
fn store(out: &mut Vec<u8>, bytes: &[u8], ends_stream: bool) {
    let mut blocks = bytes.chunks(BLOCK).peekable();
    loop {
        let block = blocks.next().unwrap_or_default();
        let is_last = blocks.peek().is_none();
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(is_last && ends_stream));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
        if is_last {
            return;
        }
    }
}

/// Whether a client takes gzip, and likes nothing else better (RFC 9110 §12.5.3).
pub(super) fn is_welcome(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let (mut gzip, mut any, mut best) = (None, None, 0.0);
    for coding in lines.flat_map(|line| line.split(',')) {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.split_once('=').map(|(_, weight)| weight.trim().parse());
        let weight: f32 = weight.unwrap_or(Ok(1.0)).unwrap_or(0.0);
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(weight),
            "*" => any = Some(weight),
            _ => best = weight.max(best),
        }
    }
    gzip.or(any).is_some_and(|weight| weight > 0.0 && weight >= best)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_put_together_is_one_member_that_is_read_back(
            before in proptest::collection::vec(any::<u8>(), 0..300),
            page in "(<title>[a-e]{1,9}</title>){0,40}",
            behind in proptest::collection::vec(any::<u8>(), 0..300),
            times in prop::sample::select(vec![0_usize, 1, 1000]),
        ) {
            let (before, page) = (before.repeat(times), page.repeat(times));
            let gzip = Deflated::new(page.as_bytes()).unwrap().between(&before, &behind).concat();
            let mut reader = flate2::bufread::GzDecoder::new(&*gzip);
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            prop_assert!(reader.into_inner().is_empty());
            prop_assert!(read == [&*before, page.as_bytes(), &*behind].concat());
        }
    }

    #[test]
    fn gzip_is_welcome_where_it_is_named_or_any_and_nothing_is_liked_better() {
        let is_welcome = |accepted: &str| {
            let value = HeaderValue::from_str(accepted).unwrap();
            is_welcome(&HeaderMap::from_iter([(ACCEPT_ENCODING, value)]))
        };
        for yes in ["gzip", "x-gzip", "*", "GZIP;q=0.5", "br, gzip, deflate", "gzip; q=1.0, *;q=0"]
        {
            assert!(is_welcome(yes), "{yes}");
        }
        for no in ["", "identity", "gzip;q=0", "gzip;q=0, *", "br, gzip;q=0.9", "gzip;q=x", "*;q=0"]
        {
            assert!(!is_welcome(no), "{no}");
        }
        assert!(!super::is_welcome(&HeaderMap::new()));
    }
}
