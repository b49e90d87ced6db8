//! MARC-8: a sound ISO 2709 record, leader/09 blank, with any bytes for the values of a field.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let bytes = &bytes[..bytes.len().min(9000)];
    let value: Vec<u8> =
        bytes.iter().map(|byte| if matches!(byte, 0x1D | 0x1E) { b' ' } else { *byte }).collect();
    let length = value.len() + 5;
    let (base, end) = (24 + 12 + 1, 24 + 12 + 1 + length + 1);
    let mut record =
        format!("{end:05}nam  22{base:05} a 4500245{length:04}00000\x1E10\x1Fa").into_bytes();
    record.extend_from_slice(&value);
    record.extend_from_slice(b"\x1E\x1D");
    if let Some(format) = windrow::formats::by_name("iso2709") {
        windrow_fuzz::format(format, &record);
    }
});
