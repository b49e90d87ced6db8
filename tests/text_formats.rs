//! Tables, BibTeX and RIS: oddities by fixture, laws by property, real files.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use windrow::formats::csv::{Column, columns_of};
use windrow::formats::{self, SourceRecord, WriteOptions};

use crate::formats::cut;
use crate::json_formats::{check_chunks, check_fixtures, mutated, read_clean, write};

#[test]
fn every_oddity_of_tables_bibtex_and_ris_has_the_fate_that_is_written_beside_it() {
    check_fixtures(&["csv", "bibtex", "ris"]);
}

#[test]
fn a_file_is_told_by_its_first_lines() {
    let name = |text: &str| formats::sniff(text.as_bytes()).map(|format| format.name);
    assert_eq!(name("\u{FEFF}id,title\n1,\"a, b\"\n"), Some("csv"));
    assert_eq!(name("id;title\r\n1;a\r\n"), Some("csv"));
    assert_eq!(name("id\ttitle\n1\ta\n"), Some("tsv"));
    assert_eq!(name("A title, a name\nand a line that has none\n"), None);
    assert_eq!(name("id,id\n1,2\n"), None);
    assert_eq!(name("% by hand\n\n@Book {a,\n"), Some("bibtex"));
    assert_eq!(name("@example.org"), None);
    assert_eq!(name("\u{FEFF}TY  - JOUR\n"), Some("ris"));
    assert_eq!(name("=LDR  00000nam\n=001  a,b\n"), Some("line_marc"));
    assert_ne!(name("000000001 LDR   L a,b\n000000001 001   L c,d\n"), Some("csv"));
}

#[test]
fn a_table_says_what_it_has_no_column_for() {
    let format = formats::by_name("csv").unwrap();
    let record = json!({
        "id": 1,
        "names": [{"name": "A"}, {"name": "B|C"}],
        "title": "x, y",
        "open": true,
        "empty": null,
    });
    let columns = [("no", "id"), ("names", "names[].name"), ("first", "names[0].name")];
    let columns = columns.map(|(name, path)| Column::new(name, path).unwrap()).to_vec();
    let options = WriteOptions { columns, ..WriteOptions::default() };
    let writing = format.writing.as_ref().unwrap();
    let (mut out, mut warnings) = ((writing.open)(&options).into_bytes(), Vec::new());
    let record = SourceRecord::Json(record);
    (writing.encode)(&record, &options, &mut out, &mut warnings).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "no,names,first\n1,A|B|C,A\n");
    let codes: Vec<_> = warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, ["csv.separator", "csv.dropped"]);
    assert_eq!(warnings[1].message, "2 values have no column, the first is open");
    let none = WriteOptions::default();
    let error = (writing.encode)(&record, &none, &mut Vec::new(), &mut Vec::new()).unwrap_err();
    assert_eq!(error.code, "csv.no_columns");
    let names = |value: &Value| {
        columns_of([value]).into_iter().map(|column| column.name).collect::<Vec<_>>()
    };
    assert_eq!(names(record.json().unwrap()), ["id", "names[].name", "open", "title"]);
    for wrong in ["", "a..b", "a[x]", "a]", "a[0"] {
        assert_eq!(Column::new("a", wrong), None, "{wrong}");
    }
}

#[test]
fn of_a_text_record_that_is_too_large_only_the_beginning_is_kept() {
    let filling = format!("{}\n", "x y ".repeat(250)).repeat(18_000);
    for (name, stream) in [
        ("ris", format!("TY  - JOUR\nAB  - {filling}ER  - \nTY  - BOOK\nER  - \n")),
        ("bibtex", format!("@book{{a,\n title = {{{filling}}}}}\n@book{{b,\n}}\n")),
        ("csv", format!("a,b\n1,\"{filling}\"\n2,3\n")),
    ] {
        let format = formats::by_name(name).unwrap();
        for ends in [vec![], vec![300_000, 17_000_000]] {
            let pieces = cut(format, stream.as_bytes(), &ends);
            let damages: Vec<_> = pieces.iter().map(|piece| piece.damage).collect();
            let lines = name == "csv";
            let expected = if lines { Some("csv.quote") } else { Some("too_large") };
            assert_eq!(damages[0], expected, "{name}");
            assert_eq!(damages.last(), Some(&None), "{name}");
            assert!(lines || damages.len() == 2, "{name}");
            assert!(pieces[0].bytes.len() < 100_000, "{name}");
        }
    }
}

#[test]
fn what_a_reader_gave_a_writer_may_refuse() {
    let code = |name: &str, value: Value| {
        let writing = formats::by_name(name).unwrap().writing.as_ref().unwrap();
        let record = SourceRecord::Json(value);
        let mut out = Vec::new();
        let written =
            (writing.encode)(&record, &WriteOptions::default(), &mut out, &mut Vec::new());
        written.map(|()| String::from_utf8(out).unwrap()).map_err(|error| error.code)
    };
    assert_eq!(code("ris", json!({"fields": {}})), Err("ris.type"));
    assert_eq!(code("ris", json!({"type": "BOOK", "fields": {"AUT": ["x"]}})), Err("ris.fields"));
    assert_eq!(code("ris", json!({"type": "BOOK", "fields": {"AU": [1]}})), Err("ris.fields"));
    assert_eq!(code("bibtex", json!({"type": "string"})), Err("bibtex.type"));
    assert_eq!(code("bibtex", json!({"type": "book", "fields": {"a": {}}})), Err("bibtex.fields"));
    assert_eq!(code("bibtex", json!({"type": "book", "year": 1})), Err("bibtex.fields"));
    let edited = json!({
        "type": "book", "key": "a b",
        "fields": {"title": "The eLife", "note": "now", "month": "feb"},
        "tex": {"title": "The {eLife}", "note": "{then}"},
    });
    let expected = "@book{a-b,\n  month = feb,\n  note = {now},\n  title = {The {eLife}},\n}\n";
    assert_eq!(code("bibtex", edited), Ok(expected.to_owned()));
}

fn words() -> impl Strategy<Value = String> {
    "[ -~äß–]{0,12}"
}

fn trimmed() -> impl Strategy<Value = String> {
    prop::collection::vec("[!-~ä][ -~]{0,8}[!-~ä]", 0..3).prop_map(|lines| lines.join("\n"))
}

fn name() -> impl Strategy<Value = Value> {
    prop_oneof![
        words().prop_map(|literal| json!({"literal": literal})),
        ("[ -~ä]{1,9}", "[ -~]{0,6}", "[ -~]{0,3}", "([a-zä]{1,4}( [a-z]{1,3})?)?").prop_map(
            |(family, given, suffix, particle)| {
                let parts = [
                    ("family", family),
                    ("given", given),
                    ("suffix", suffix),
                    ("non-dropping-particle", particle),
                ];
                let parts = parts.into_iter().filter(|(_, text)| !text.is_empty());
                Value::Object(parts.map(|(key, text)| (key.to_owned(), text.into())).collect())
            }
        ),
    ]
}

prop_compose! {
    fn entry()(
        kind in "[a-z]{1,6}",
        key in "[a-zA-Z0-9:_.-]{1,8}",
        texts in prop::collection::btree_map("f[a-z]{1,4}|url|month", words(), 0..4),
        names in prop::collection::btree_map("author|editor", prop::collection::vec(name(), 1..3), 0..2),
    ) -> Value {
        let texts = texts.into_iter().map(|(name, text)| (name, Value::from(text)));
        let names = names.into_iter().map(|(name, names)| (name, Value::from(names)));
        json!({"type": kind, "key": key, "fields": texts.chain(names).collect::<Map<_, _>>()})
    }
}

fn mark() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "TY  - JOUR\n",
        "ER  - \n",
        "AU  - A, B\n",
        "TY - X\n",
        "more\n",
        "@article{a,\n",
        "@string{s = \"x\"}\n",
        "title = {a {b} c},\n",
        "}",
        "{",
        "\"",
        "(",
        ")",
        "@comment{",
        "@",
        "year = 1 # s",
        ",",
        ";",
        "\t",
        "\n",
        "\r\n",
        "a,b\n",
        "1,\"2\n3\"\n",
        "% x\n",
        "\u{FEFF}",
        " ",
        "author = {A and {B and C} and d'E, f}",
        "\\\"{o}",
        "$",
    ];
    prop_oneof![
        6 => prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn bibtex_reads_what_it_writes(entries in prop::collection::vec(entry(), 0..3)) {
        let format = formats::by_name("bibtex").unwrap();
        let bytes = write(format, &WriteOptions::default(), &entries);
        let back = read_clean(format, &bytes);
        for (back, entry) in back.iter().zip(&entries) {
            prop_assert_eq!(&back["fields"], &entry["fields"], "{}", String::from_utf8_lossy(&bytes));
            prop_assert_eq!(&back["key"], &entry["key"]);
            prop_assert_eq!(&back["type"], &entry["type"]);
        }
        prop_assert_eq!(back.len(), entries.len());
        prop_assert_eq!(read_clean(format, &write(format, &WriteOptions::default(), &back)), back);
    }

    #[test]
    fn ris_reads_what_it_writes(
        records in prop::collection::vec(
            ("[A-Z]{4}", prop::collection::btree_map("[A-DF-S][A-Z0-9]", prop::collection::vec(trimmed(), 1..3), 0..4)),
            0..3,
        ),
    ) {
        let values: Vec<Value> = records.iter().map(|(kind, fields)| json!({"type": kind, "fields": fields})).collect();
        let format = formats::by_name("ris").unwrap();
        let bytes = write(format, &WriteOptions::default(), &values);
        prop_assert_eq!(read_clean(format, &bytes), values);
    }

    #[test]
    fn tables_read_what_they_write(rows in prop::collection::vec(("\\PC{0,6}|[\n\",\t;]{0,5}", " ?[a-z]{0,4}", "[ -~]{1,3}"), 1..4)) {
        for name in ["csv", "tsv"] {
            let of = |(a, b, c): &(String, String, String)| json!({"a": a, "b b": b, "c": c});
            let values: Vec<Value> = rows.iter().map(of).collect();
            let options = WriteOptions { columns: columns_of(&values), ..WriteOptions::default() };
            let format = formats::by_name(name).unwrap();
            let bytes = write(format, &options, &values);
            prop_assert_eq!(read_clean(format, &bytes), values);
        }
    }

    #[test]
    fn damaged_text_makes_no_reader_panic(
        (format, bytes) in mutated(&["bibtex", "csv", "ris"]),
        ends in prop::collection::vec(0..1000usize, 0..6),
    ) {
        check_chunks(&format, &bytes, &ends)?;
    }

    #[test]
    fn no_bytes_make_a_reader_of_text_panic(
        marks in prop::collection::vec(mark(), 0..16),
        ends in prop::collection::vec(0..1000usize, 0..6),
    ) {
        for name in ["bibtex", "ris", "csv", "tsv"] {
            check_chunks(name, &marks.concat(), &ends)?;
        }
    }
}
