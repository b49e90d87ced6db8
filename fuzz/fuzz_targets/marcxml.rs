//! XML: cutting a document into records, and reading them as MARCXML.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(format) = windrow::formats::by_name("marcxml") {
        windrow_fuzz::format(format, bytes);
    }
});
