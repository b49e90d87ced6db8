//! Invented MARC 21 records, the same for the same seed, to load, measure and test with.
//!
//! Names and titles are combinations of word lists; no record describes a real work or person.

#![allow(dead_code, reason = "each program that includes this uses a part of it")]
#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    reason = "word lists are never empty, digits are ASCII, remainders are small"
)]

pub mod invenio_v1;
pub mod quickstart;
mod words;
pub mod write;
pub mod xml;

use windrow::formats::marc21::{Leader, Marc, Tag};

use words::{
    CITIES, COLLECTIONS, FAMILY, GIVEN, INSTITUTES, LANGUAGES, ORIGINALS, PUBLISHERS, RELATIONS,
    SENTENCES, TITLE_ENDS, TITLE_HEADS, TOPICS,
};

/// Record `n` (from 0) of the series that `seed` names: about 28 fields and 1.6 kB, in UTF-8.
pub fn record(seed: u64, n: u64) -> Marc {
    let mut random = Random::new(seed ^ 0xC011, n);
    record_of(seed, n, random.pick(COLLECTIONS))
}

/// The same with this collection in 980 $a.
pub fn record_of(seed: u64, n: u64, collection: &str) -> Marc {
    let mut build = Build { marc: Marc::default(), random: Random::new(seed, n), n };
    build.head();
    build.title();
    build.imprint(collection);
    build.notes_and_subjects();
    build.people();
    build.tail(collection);
    build.marc
}

/// SplitMix64: small, fast, and the same everywhere.
struct Random(u64);

impl Random {
    fn new(seed: u64, n: u64) -> Random {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ n);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[below(self, words.len())]
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + (self.next() % 10) as u8)).collect()
    }
}

fn below(random: &mut Random, limit: usize) -> usize {
    (random.next() % limit as u64) as usize
}

fn orcid_digits(random: &mut Random) -> String {
    let digits = format!("00000002{}", random.digits(7));
    let total = digits.bytes().fold(0, |total, digit| (total + u32::from(digit - b'0')) * 2 % 11);
    let check = match (12 - total) % 11 {
        10 => 'X',
        value => char::from(b'0' + value as u8),
    };
    let (a, b, c) = (&digits[4..8], &digits[8..12], &digits[12..]);
    format!("0000-{a}-{b}-{c}{check}")
}

struct Build {
    marc: Marc,
    random: Random,
    n: u64,
}

impl Build {
    fn control(&mut self, tag: &[u8; 3], value: &str) {
        self.marc.push_control(Tag(*tag), value);
    }

    fn data(&mut self, tag: &[u8; 3], indicators: &str, subfields: &[(char, &str)]) {
        let mut indicators = indicators.chars();
        let mut next = || indicators.next().unwrap_or(' ');
        self.marc.push_data(Tag(*tag), [next(), next()]);
        for (code, value) in subfields {
            self.marc.push_subfield(*code, value);
        }
    }

    fn head(&mut self) {
        self.marc.set_leader(Leader(*b"00000nam a2200000 i 4500"));
        let (year, language) = (self.year(), self.language());
        self.control(b"001", &format!("wr{:08}", self.n + 1));
        self.control(b"003", "XX-Wind");
        let day = 1 + self.random.next() % 28;
        let second = self.random.next() % 60;
        self.control(b"005", &format!("202401{day:02}1200{second:02}.0"));
        self.control(b"008", &format!("2401{day:02}s{year}    xx a     b    001 0 {language} d"));
        let isbn = self.isbn();
        self.data(b"020", "  ", &[('a', &isbn), ('q', "hardcover")]);
        if self.random.percent(40) {
            let second = self.isbn();
            self.data(b"020", "  ", &[('a', &second), ('q', "electronic")]);
        }
        if self.random.percent(60) {
            let doi = format!("10.5555/windrow.{}", self.n + 1);
            self.data(b"024", "7 ", &[('a', &doi), ('2', "doi")]);
        }
        let system = format!("(XX-Wind){}", self.random.digits(9));
        self.data(b"035", "  ", &[('a', &system)]);
        self.data(b"040", "  ", &[('a', "XX-Wind"), ('b', "eng"), ('e', "rda"), ('c', "XX-Wind")]);
        self.data(b"041", "0 ", &[('a', language)]);
    }

    // Year and language are of the record, not of the place where they are asked for.
    fn year(&self) -> u64 {
        1950 + (self.n * 7) % 75
    }

    fn language(&self) -> &'static str {
        LANGUAGES[(self.n % LANGUAGES.len() as u64) as usize]
    }

    fn isbn(&mut self) -> String {
        let core = format!("978{}", self.random.digits(9));
        let weigh =
            |(i, digit): (usize, u8)| u32::from(digit - b'0') * if i % 2 == 0 { 1 } else { 3 };
        let sum: u32 = core.bytes().enumerate().map(weigh).sum();
        format!("{core}{}", (10 - sum % 10) % 10)
    }

    fn orcid(&mut self) -> String {
        format!("(orcid){}", orcid_digits(&mut self.random))
    }

    fn name(&mut self) -> String {
        let (family, given) = (self.random.pick(FAMILY), self.random.pick(GIVEN));
        let initial = char::from(b'A' + (self.random.next() % 26) as u8);
        format!("{family}, {given} {initial}.")
    }

    fn person(&mut self, tag: &[u8; 3], role: (&str, &str)) {
        let name = format!("{},", self.name());
        let dates = format!("{}-", 1920 + self.random.next() % 70);
        let (orcid, place) = (self.orcid(), self.random.pick(INSTITUTES));
        let mut subfields = vec![('a', name.as_str())];
        if self.random.percent(50) {
            subfields.push(('d', dates.as_str()));
        }
        subfields.push(('e', role.0));
        if self.random.percent(60) {
            subfields.push(('0', orcid.as_str()));
        }
        if self.random.percent(60) {
            subfields.push(('u', place));
        }
        subfields.push(('4', role.1));
        self.data(tag, "1 ", &subfields);
    }

    fn title(&mut self) {
        self.person(b"100", ("author.", "aut"));
        let (head, topic) = (self.random.pick(TITLE_HEADS), self.random.pick(TOPICS));
        let end = format!("{} /", self.random.pick(TITLE_ENDS));
        let (by, title) = (self.name(), format!("{head} {topic} :"));
        if self.random.percent(5) {
            let (original, code) = ORIGINALS[below(&mut self.random, ORIGINALS.len())];
            self.data(b"245", "10", &[('6', "880-01"), ('a', &title), ('b', &end), ('c', &by)]);
            self.data(b"880", "10", &[('6', &format!("245-01/{code}")), ('a', original)]);
        } else {
            self.data(b"245", "10", &[('a', &title), ('b', &end), ('c', &by)]);
        }
        let other = format!("{} {}", self.random.pick(TITLE_HEADS), self.random.pick(TOPICS));
        self.data(b"246", "3 ", &[('a', &other)]);
        let edition = format!("{} edition.", ["First", "Second", "Third"][(self.n % 3) as usize]);
        self.data(b"250", "  ", &[('a', &edition)]);
    }

    fn imprint(&mut self, collection: &str) {
        let place = format!("{} :", self.random.pick(CITIES));
        let publisher = format!("{},", self.random.pick(PUBLISHERS));
        let date = match self.n % 10 {
            0 => format!("[{}]", self.year()),
            1 => format!("©{}.", self.year()),
            _ => format!("{}.", self.year()),
        };
        self.data(b"264", " 1", &[('a', &place), ('b', &publisher), ('c', &date)]);
        let pages = format!("xii, {} pages :", 80 + self.random.next() % 600);
        self.data(b"300", "  ", &[('a', &pages), ('b', "illustrations ;"), ('c', "24 cm")]);
        self.data(b"336", "  ", &[('a', "text"), ('b', "txt"), ('2', "rdacontent")]);
        let series = format!("Studies in {} ;", self.random.pick(TOPICS));
        let volume = (1 + self.random.next() % 90).to_string();
        self.data(b"490", "0 ", &[('a', &series), ('v', &volume)]);
        if collection == "THESIS" {
            let (school, year) = (self.random.pick(INSTITUTES), self.year().to_string());
            self.data(b"502", "  ", &[('b', "PhD"), ('c', school), ('d', &year)]);
        }
    }

    fn notes_and_subjects(&mut self) {
        let note = self.random.pick(SENTENCES);
        self.data(b"500", "  ", &[('a', note)]);
        self.data(b"504", "  ", &[('a', "Includes bibliographical references and index.")]);
        let sentences: Vec<_> = (0..2 + self.n % 2).map(|_| self.random.pick(SENTENCES)).collect();
        self.data(b"520", "  ", &[('a', &sentences.join(" "))]);
        self.data(
            b"540",
            "  ",
            &[('a', "CC BY 4.0"), ('u', "https://creativecommons.org/licenses/by/4.0/")],
        );
        self.data(b"546", "  ", &[('a', "With an abstract in English.")]);
        for _ in 0..2 + self.random.next() % 2 {
            let (topic, place) = (self.random.pick(TOPICS), self.random.pick(CITIES));
            self.data(b"650", " 0", &[('a', topic), ('x', "History"), ('z', place)]);
        }
        for _ in 0..2 + self.random.next() % 2 {
            let topic = self.random.pick(TOPICS);
            self.data(b"653", "1 ", &[('a', topic)]);
        }
    }

    fn people(&mut self) {
        for _ in 0..1 + self.random.next() % 2 {
            let role = RELATIONS[below(&mut self.random, RELATIONS.len())];
            self.person(b"700", role);
        }
        let institute = format!("{},", self.random.pick(INSTITUTES));
        self.data(b"710", "2 ", &[('a', &institute), ('e', "issuing body."), ('4', "isb")]);
        if self.random.percent(15) {
            let host = format!("Journal of {}.", self.random.pick(TOPICS));
            let part = format!("Vol. {}", 1 + self.random.next() % 90);
            self.data(b"773", "0 ", &[('t', &host), ('g', &part)]);
        }
    }

    fn tail(&mut self, collection: &str) {
        let link = format!("https://records.example.org/{}/fulltext.pdf", self.n + 1);
        self.data(b"856", "40", &[('u', &link), ('y', "Full text")]);
        self.data(b"980", "  ", &[('a', collection)]);
    }
}
