//! the dump of Invenio v1, framing and reading.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(format) = windrow::formats::by_name("invenio_v1") {
        windrow_fuzz::format(format, bytes);
    }
});
