//! MARC-8: its tables against their source, its text against what others make of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};

use proptest::prelude::*;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use windrow::formats::marc21::marc8::{Decoder, is_mark};

use crate::support::{project, shared};

#[expect(dead_code, reason = "main is the example's")]
#[path = "../dev/marc8_tables.rs"]
mod marc8_tables;

fn decode(bytes: &[u8]) -> (String, Vec<String>) {
    let (mut text, mut faults) = (String::new(), Vec::new());
    Decoder::default().decode(bytes, &mut text, &mut faults);
    let faults = faults.iter().map(|fault| format!("{:?} {fault} at {}", fault.kind, fault.offset));
    (text, faults.collect())
}

fn nfc(text: &str) -> String {
    text.nfc().collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

#[test]
fn values_read_as_most_others_read_them() {
    let Some(shared) = shared() else { return };
    let file = std::fs::File::open(shared.join("data/truth/marc8_votes.jsonl.gz")).unwrap();
    let lines = BufReader::new(flate2::read::MultiGzDecoder::new(file)).lines();
    let (mut same, mut differ) = (0, 0);
    for line in lines {
        let vote: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let raw = bytes_of(vote["raw_hex"].as_str().unwrap());
        let (text, faults) = decode(&raw);
        let Some(majority) = vote["majority"].as_str() else { continue };
        if nfc(&text) == nfc(majority) {
            same += 1;
            continue;
        }
        differ += 1;
        if std::str::from_utf8(&raw).is_ok() && !raw.contains(&0x1b) { println!("UTF8"); continue; }
        println!("{} {}${} {}\n  ours {text:?} {faults:?}\n  majo {majority:?}\n  code {}\n  pyma {}\n yaz {} perl {}", vote["file"], vote["rt_index"], vote["tag"], vote["raw_hex"], vote["codetables"], vote["pymarc"], vote["yaz"], vote["perl"]);
    }
    eprintln!("{same} values as the majority, {differ} not");
}
