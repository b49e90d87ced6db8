//! Any format, chosen by the first byte.
#![no_main]

use windrow::formats::FORMATS;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some((first, bytes)) = bytes.split_first() {
        windrow_fuzz::format(&FORMATS[usize::from(*first) % FORMATS.len()], bytes);
    }
});
