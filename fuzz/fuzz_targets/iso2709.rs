//! ISO 2709, framing and reading.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(format) = windrow::formats::by_name("iso2709") {
        windrow_fuzz::format(format, bytes);
    }
});
