//! The files of `fixtures/quickstart` are what the generator makes, and the generator keeps its word.

#[path = "../dev/generator/mod.rs"]
pub mod generator;

use std::io::Read;

use generator::{quickstart, record, write};

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    assert!(bytes.len() < 60_000, "{name} has {} bytes", bytes.len());
    bytes
}

// `cargo run --example generate -- --fixtures fixtures` makes them anew.
#[test]
fn the_quickstart_files_are_what_the_generator_makes() {
    let mut books = Vec::new();
    let gzip = fixture("quickstart/books.mrc.gz");
    flate2::read::GzDecoder::new(&*gzip).read_to_end(&mut books).unwrap();
    assert!(books == quickstart::books().unwrap(), "books.mrc.gz differs");
    let theses = zstd::decode_all(&*fixture("quickstart/theses.xml.zst")).unwrap();
    assert!(theses == quickstart::theses().as_bytes(), "theses.xml.zst differs");
    let damaged = fixture("damaged/books.mrc");
    assert!(damaged == quickstart::damaged().unwrap(), "damaged/books.mrc differs");
}

#[test]
fn the_damaged_file_has_the_damage_that_it_is_there_for() {
    let books = quickstart::damaged().unwrap();
    let records: Vec<&[u8]> = books.split_inclusive(|&byte| byte == 0x1D).collect();
    assert_eq!(records.len(), 8);
    let has_its_length = |record: &[u8]| {
        let length = std::str::from_utf8(&record[..5]).unwrap().parse();
        length == Ok(record.len())
    };
    let damaged: Vec<_> = (1..=records.len())
        .filter(|number| {
            let record = records[number - 1];
            let directory = &record[24..record.iter().position(|&byte| byte == 0x1E).unwrap()];
            let digits =
                directory.chunks(12).all(|entry| entry[3..].iter().all(u8::is_ascii_digit));
            let title = directory.chunks(12).any(|entry| entry.starts_with(b"245"));
            !has_its_length(record) || !digits || !title
        })
        .collect();
    assert_eq!(damaged, [2, 4, 6, 8]);
}

#[test]
fn generated_records_are_repeatable_different_and_of_real_size() {
    let (mut bytes, mut fields, mut linked) = (0, 0, 0);
    for n in 0..1000 {
        let marc = record(1, n);
        assert!(marc == record(1, n));
        assert!(marc != record(2, n));
        bytes += write::iso2709(&marc).unwrap().len();
        fields += marc.len();
        linked += usize::from(marc.fields().any(|field| field.tag().to_string() == "880"));
        for field in marc.fields() {
            if field.tag().to_string() == "008" {
                assert_eq!(field.value().len(), 40);
            }
            let checked = match field.tag().to_string().as_str() {
                "020" => field.subfield('a').map(windrow::identifiers::isbn13),
                "100" | "700" => field.subfield('0').map(windrow::identifiers::orcid),
                _ => None,
            };
            assert!(checked.is_none_or(|checked| checked.is_ok()), "record {n}");
        }
    }
    assert!((1_500_000..1_900_000).contains(&bytes), "{bytes} bytes in 1000 records");
    assert!((26_000..33_000).contains(&fields), "{fields} fields in 1000 records");
    assert!((20..90).contains(&linked), "{linked} of 1000 records have an 880");
}
