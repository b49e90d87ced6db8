//! An invented dump of Invenio v1: records with all revisions, their files, and other things.
//!
//! A folder with `records_dump_N.json`, `users_dump_0.json`, `communities_dump_0.json`, and `files/`
//! as it lay on the old host under `/opt/invenio/var/data/files`.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};
use serde_json::{Value, json};
use windrow::formats::marc21::{Marc, Tag};

use super::{Random, record, write};

/// Where the files lay on the host that is dumped.
pub const OLD_FOLDER: &str = "/opt/invenio/var/data/files";

/// The first recid.
const FIRST: u64 = 1000;

/// Records in a file of the dump.
const CHUNK: u64 = 1000;

/// What to write.
pub struct Shape {
    /// Which series of records.
    pub seed: u64,
    /// How many records.
    pub records: u64,
    /// Revisions of each.
    pub revisions: u64,
    /// Files of each.
    pub files: u64,
    /// Bytes of each file.
    pub file_bytes: usize,
    /// Whether every record is an odd one, each kind of oddity in turn.
    pub odd: bool,
}

/// The kinds of odd records, in the order in which they come. The generator's tests, and those
/// that load its dumps, count by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// Nothing is odd.
    None,
    /// Its last revision is deleted.
    Deleted,
    /// Deleted in favor of the first record of its turn.
    Merged,
    /// Nothing is left but its number.
    Reserved,
    /// No revision, but a file: only that has changed since the last dump.
    FilesOnly,
    /// It comes twice, word for word.
    Twice,
    /// A file is shown to nobody.
    Hidden,
    /// A file is restricted, by a word.
    Restricted,
    /// A file is for those whom a firerole lets in.
    Firerole,
    /// A file opens in 2031.
    Embargo,
    /// A file's status is no rule of any kind.
    Nonsense,
    /// The bytes of a file are not there.
    Missing,
    /// A file's bytes have another checksum.
    Different,
    /// A file is shorter than it should be.
    Short,
    /// Two documents have a file of the same name.
    SameName,
    /// A document is also the next record's.
    Shared,
    /// A file has a second format.
    Subformat,
    /// A file was deleted.
    DeletedFile,
    /// Two revisions were made in the same second.
    SameSecond,
    /// Times have no zone, and there is no time of creation.
    NaiveTimes,
    /// An old revision is no XML.
    BrokenRevision,
    /// The last revision is no XML.
    BrokenRecord,
    /// A title has a control character.
    ControlCharacter,
    /// Collections are a list of names.
    Collections,
    /// It is in a restricted collection.
    RestrictedCollection,
    /// Keys that no dump is known to have.
    UnknownKeys,
}

impl Oddity {
    /// All of them, in order.
    pub const ALL: &[Oddity] = &[
        Oddity::None,
        Oddity::Deleted,
        Oddity::Merged,
        Oddity::Reserved,
        Oddity::FilesOnly,
        Oddity::Twice,
        Oddity::Hidden,
        Oddity::Restricted,
        Oddity::Firerole,
        Oddity::Embargo,
        Oddity::Nonsense,
        Oddity::Missing,
        Oddity::Different,
        Oddity::Short,
        Oddity::SameName,
        Oddity::Shared,
        Oddity::Subformat,
        Oddity::DeletedFile,
        Oddity::SameSecond,
        Oddity::NaiveTimes,
        Oddity::BrokenRevision,
        Oddity::BrokenRecord,
        Oddity::ControlCharacter,
        Oddity::Collections,
        Oddity::RestrictedCollection,
        Oddity::UnknownKeys,
    ];

    fn of(n: u64) -> Oddity {
        Oddity::ALL[(n % Oddity::ALL.len() as u64) as usize]
    }
}

/// Writes the dump into `folder`.
pub fn write_dump(folder: &Path, shape: &Shape) -> std::io::Result<()> {
    fs::create_dir_all(folder.join("files"))?;
    let mut chunk = 0;
    while chunk * CHUNK < shape.records.max(1) {
        let file = fs::File::create(folder.join(format!("records_dump_{chunk}.json")))?;
        let mut out = BufWriter::new(file);
        out.write_all(b"[\n")?;
        let numbers = chunk * CHUNK..((chunk + 1) * CHUNK).min(shape.records);
        let mut is_first = true;
        for n in numbers {
            let item = ascii(&Dumped::new(shape, n, folder).item()?.to_string());
            let times = if shape.odd && Oddity::of(n) == Oddity::Twice { 2 } else { 1 };
            for _ in 0..times {
                out.write_all(if is_first { b"" } else { b"," })?;
                out.write_all(item.as_bytes())?;
                is_first = false;
            }
        }
        out.write_all(b"\n]\n")?;
        out.flush()?;
        chunk += 1;
    }
    fs::write(folder.join("users_dump_0.json"), users().to_string())?;
    fs::write(folder.join("communities_dump_0.json"), communities().to_string())
}

// As the old host writes it: nothing but ASCII.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

fn users() -> Value {
    json!([
        {
            "id": 1, "email": "ada@example.org", "password": "\u{9f}\u{3}hash",
            "password_salt": "ada@example.org", "note": "1", "full_name": "Lindqvist, Ada",
            "settings": {}, "nickname": "ada", "last_login": "2016-03-01T08:00:00+00:00",
        },
        {
            "id": 2, "email": "bo@example.org", "password": "", "password_salt": "bo@example.org",
            "note": "0", "full_name": "Okafor, Bo", "settings": {}, "nickname": "id_2",
            "last_login": "",
        },
    ])
}

fn communities() -> Value {
    json!([{
        "id": "harbors", "id_user": 1, "title": "Harbors and quays", "description": "<p>All of them.</p>",
        "page": "", "curation_policy": "", "last_record_accepted": "2000-01-01T00:00:00+00:00",
        "logo_ext": "0", "ranking": 0, "fixed_points": 0, "created": "2014-05-06T07:08:09+00:00",
        "last_modified": "2015-05-06T07:08:09+00:00", "id_collection": 4,
        "id_collection_provisional": 5, "id_oairepository": 6,
    }])
}

struct Dumped<'s> {
    shape: &'s Shape,
    folder: &'s Path,
    n: u64,
    oddity: Oddity,
}

impl<'s> Dumped<'s> {
    fn new(shape: &'s Shape, n: u64, folder: &'s Path) -> Dumped<'s> {
        let oddity = if shape.odd { Oddity::of(n) } else { Oddity::None };
        Dumped { shape, folder, n, oddity }
    }

    // The record that a file of this one belongs to, which may be the one before.
    fn recid(&self) -> u64 {
        match self.oddity {
            Oddity::FilesOnly => FIRST + self.n - self.n % Oddity::ALL.len() as u64,
            _ => FIRST + self.n,
        }
    }

    fn item(&self) -> std::io::Result<Value> {
        let recid = self.recid();
        let has_revisions = !matches!(self.oddity, Oddity::Reserved | Oddity::FilesOnly);
        let revisions: Vec<Value> = (0..self.shape.revisions.max(1))
            .filter(|_| has_revisions)
            .map(|number| self.revision(number))
            .collect();
        let files = if self.oddity == Oddity::Reserved { Vec::new() } else { self.files()? };
        let collections = match self.oddity {
            Oddity::Collections => json!(["Reports", "Harbor papers"]),
            Oddity::RestrictedCollection => json!({
                "all": ["Reports", "Board minutes"],
                "restricted": { "Board minutes": {
                    "fireroles": ["allow group \"board\""], "users": ["ada@example.org"],
                } },
            }),
            _ => Value::Null,
        };
        let mut item = json!({
            "recid": recid, "record": revisions, "files": files, "collections": collections,
        });
        match self.oddity {
            Oddity::NaiveTimes => {}
            Oddity::UnknownKeys => item["hits"] = json!(4),
            _ => item["creation_date"] = json!(self.time(0).replace('T', " ")),
        }
        Ok(item)
    }

    // When revision `number` was made; months are of 28 days.
    fn time(&self, number: u64) -> String {
        let number = match self.oddity {
            Oddity::SameSecond => number.min(1),
            _ => number,
        };
        let (year, month) = (2003 + self.n % 9 + number / 12, 1 + number % 12);
        let (day, second) = (1 + self.n % 28, self.n % 60);
        format!("{year}-{month:02}-{day:02}T08:27:{second:02}")
    }

    fn zoned(&self, number: u64) -> String {
        let zone = if self.oddity == Oddity::NaiveTimes { "" } else { "+00:00" };
        let time = self.time(number) + zone;
        if zone.is_empty() { time.replace('T', " ") } else { time }
    }

    fn revision(&self, number: u64) -> Value {
        let is_last = number + 1 == self.shape.revisions.max(1);
        let marcxml = match self.oddity {
            Oddity::BrokenRevision if number == 0 && !is_last => "<record><controlfi".to_owned(),
            Oddity::BrokenRecord if is_last => "<record><controlfi".to_owned(),
            _ => self.marcxml(number, is_last),
        };
        json!({ "modification_datetime": self.zoned(number), "marcxml": marcxml, "json": null })
    }

    // Each revision adds a note to the one before.
    fn marcxml(&self, number: u64, is_last: bool) -> String {
        let source = record(self.shape.seed, self.n);
        let mut marc = Marc::default();
        marc.push_control(Tag(*b"001"), &self.recid().to_string());
        let time: String = self.time(number).chars().filter(char::is_ascii_digit).collect();
        marc.push_control(Tag(*b"005"), &format!("{time}.0"));
        for field in source.fields().filter(|field| !field.tag().is_control()) {
            marc.push_data(field.tag(), field.indicators());
            for subfield in field.subfields() {
                marc.push_subfield(subfield.code, subfield.value);
            }
        }
        for note in 0..number {
            marc.push_data(Tag(*b"500"), [' ', ' ']);
            marc.push_subfield('a', &format!("Checked {} times.", note + 1));
        }
        if is_last && matches!(self.oddity, Oddity::Deleted | Oddity::Merged) {
            marc.push_data(Tag(*b"980"), [' ', ' ']);
            marc.push_subfield('c', "DELETED");
        }
        if is_last && self.oddity == Oddity::Merged {
            marc.push_data(Tag(*b"970"), [' ', ' ']);
            marc.push_subfield('d', &(FIRST + self.n - 2).to_string());
        }
        let xml = write::marcxml(&marc);
        let (head, rest) = xml.split_once("<leader>").unwrap_or(("", &xml));
        let (_, rest) = rest.split_once("</leader>").unwrap_or(("", rest));
        let xml = format!("{head}{rest}").replace(" xmlns=\"http://www.loc.gov/MARC21/slim\"", "");
        match self.oddity {
            Oddity::ControlCharacter => xml.replacen(" :", " \u{2}:", 1),
            _ => xml,
        }
    }

    fn files(&self) -> std::io::Result<Vec<Value>> {
        if self.oddity == Oddity::FilesOnly {
            return Ok(vec![self.file(0, 1, ".pdf", true)?]);
        }
        let mut files = Vec::new();
        for number in 0..self.shape.files {
            let is_odd = number == 0;
            let versions = if number == 1 && self.shape.odd { 2 } else { 1 };
            for version in 1..=versions {
                files.push(self.file(number, version, ".pdf", is_odd)?);
            }
            if is_odd && self.oddity == Oddity::Subformat {
                files.push(self.file(number, 1, ".pdf;pdfa", false)?);
            }
        }
        Ok(files)
    }

    fn file(&self, number: u64, version: u64, format: &str, odd: bool) -> std::io::Result<Value> {
        let oddity = if odd { self.oddity } else { Oddity::None };
        // The record before has lent its first document.
        let borrowed =
            odd && self.shape.odd && self.n > 0 && Oddity::of(self.n - 1) == Oddity::Shared;
        let owner = if borrowed { self.n - 1 } else { self.n };
        let bibdocid = 10 * (FIRST + owner) + number;
        let name = match (oddity, number) {
            (Oddity::FilesOnly, _) => "late".to_owned(),
            (_, number) if self.oddity == Oddity::SameName && number < 2 => "paper".to_owned(),
            _ if borrowed => "paper-0".to_owned(),
            (_, number) => format!("paper-{number}"),
        };
        let (superformat, subformat) = format.split_once(';').unwrap_or((format, ""));
        let group = format!("g{}/{bibdocid}", bibdocid / 5000);
        let path = format!("{OLD_FOLDER}/{group}/content{format};{version}");
        let bytes =
            content(self.shape.file_bytes, bibdocid * 100 + version * 10 + subformat.len() as u64);
        let here = self.folder.join("files").join(&group);
        self.put(&here.join(format!("content{format};{version}")), &bytes, oddity)?;
        let checksum = match oddity {
            Oddity::Different => format!("{:x}", Md5Hex(b"another")),
            _ => format!("{:x}", Md5Hex(&bytes)),
        };
        let status = match oddity {
            Oddity::Restricted => "restricted",
            Oddity::Firerole => {
                "firerole: allow group \"board\",\"press [HQ]\"\r\nallow email \"Ada@example.org\""
            }
            Oddity::Embargo => "firerole: deny until \"2031-02-28\"\r\nallow any",
            Oddity::Nonsense => "firerole: let everybody in",
            Oddity::DeletedFile => "DELETED",
            _ => "",
        };
        let full_name = format!("{name}{format}");
        let is_shared = borrowed || oddity == Oddity::Shared;
        let recids = if is_shared {
            FIRST + owner..FIRST + owner + 2
        } else {
            self.recid()..self.recid() + 1
        };
        let date = self.zoned(version);
        Ok(json!({
            "bibdocid": bibdocid, "recid": self.recid(),
            "recids_doctype": recids.map(|recid| json!([recid, "Main", full_name])).collect::<Vec<_>>(),
            "name": name, "full_name": full_name, "format": format,
            "superformat": superformat, "subformat": subformat, "version": version,
            "type": if number == 0 { "Main" } else { "Additional" },
            "size": bytes.len(), "checksum": checksum, "mime": "application/pdf", "encoding": null,
            "path": path, "full_path": path,
            "url": format!("https://old.example.org/record/{}/files/{full_name}", self.recid()),
            "etag": format!("\"{bibdocid}{format}{version}\""), "status": status,
            "hidden": oddity == Oddity::Hidden,
            "flags": if oddity == Oddity::Hidden { vec!["HIDDEN"] } else { Vec::new() },
            "comment": null, "description": if number == 0 { json!("Full text") } else { Value::Null },
            "copyright": {}, "license": {}, "creation_date": date, "modification_date": date,
        }))
    }

    fn put(&self, path: &PathBuf, bytes: &[u8], oddity: Oddity) -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        match oddity {
            Oddity::Missing => Ok(()),
            Oddity::Short => fs::write(path, &bytes[..bytes.len() / 2]),
            _ => fs::write(path, bytes),
        }
    }
}

// Bytes that no compression makes smaller, the same for the same key.
fn content(length: usize, key: u64) -> Vec<u8> {
    let mut random = Random::new(0xF11E, key);
    let mut bytes = b"%PDF-1.4 invented\n".to_vec();
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(length.max(1));
    bytes
}

struct Md5Hex<'b>(&'b [u8]);

impl std::fmt::LowerHex for Md5Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Md5::digest(self.0).iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
