//! Each decompressor and archive: the first byte chooses the magic number that is put in front.
#![no_main]

use std::io::Cursor;

use windrow::formats::by_name;
use windrow::source::{BatchLimit, DumpReader};

const MAGIC: [&[u8]; 7] = [
    b"",
    b"\x1F\x8B\x08",
    b"\x28\xB5\x2F\xFD",
    b"BZh91AY&SY",
    b"\xFD7zXZ\0",
    b"PK\x03\x04",
    b"PK\x05\x06",
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let stream = [MAGIC[usize::from(*first) % MAGIC.len()], rest].concat();
    let format = by_name("iso2709").filter(|_| first & 0x80 != 0);
    let Ok(mut dump) = DumpReader::of_stream(Cursor::new(stream), "fuzz", format) else { return };
    let limit = BatchLimit { records: 100, bytes: 1 << 20 };
    loop {
        match dump.read_batch(limit) {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(_) => {
                assert!(matches!(dump.read_batch(limit), Ok(None)), "read on behind a failure");
                break;
            }
        }
    }
    dump.take_skipped();
});
