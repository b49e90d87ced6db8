//! BagIt 1.0: the tag files beside a payload, which say what is in it and how to check it.
//!
//! Values only: whoever writes the payload says paths, sizes and digests, and gets the names and
//! texts of the tag files. <https://www.rfc-editor.org/rfc/rfc8493>

use std::collections::HashSet;
use std::fmt::Write;

use jiff::civil::Date;
use sha2::{Digest, Sha256, Sha512};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

/// How the digests of a bag are made (section 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512, which section 2.4 prefers.
    #[default]
    Sha512,
}

/// A digest in the making.
#[derive(Debug, Clone)]
pub struct Digester {
    bytes: u64,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

/// One file of the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Its path below `data/`, with `/` between folders.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its digest in hexadecimal digits.
    pub digest: String,
}

/// One file beside `data/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagFile {
    /// Its name.
    pub name: String,
    /// Its whole text.
    pub text: String,
}

/// Why there is no such bag.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BagError {
    /// The path leads out of the bag, on some system, or to no file.
    #[error(
        "{0:?} is no path within a bag: expected names joined by /, none of them empty, . or .."
    )]
    Path(String),
    /// Two paths are one on some file system: the same but for case or Unicode normalization.
    #[error("the path {0:?} is there twice, perhaps in other letters")]
    Duplicate(String),
}

impl BagError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            BagError::Path(_) => "bagit.path",
            BagError::Duplicate(_) => "bagit.duplicate",
        }
    }
}

impl Algorithm {
    /// The name as manifests are called by it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    /// A digest of nothing yet.
    #[must_use]
    pub fn digester(self) -> Digester {
        let state = match self {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        };
        Digester { bytes: 0, state }
    }
}

impl Digester {
    /// Takes the next bytes of the file.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        match &mut self.state {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The file of the payload whose bytes these were.
    #[must_use]
    pub fn finish(self, path: impl Into<String>) -> Payload {
        let digest = match self.state {
            State::Sha256(state) => hexadecimal(&state.finalize()),
            State::Sha512(state) => hexadecimal(&state.finalize()),
        };
        Payload { path: path.into(), bytes: self.bytes, digest }
    }
}

/// The tag files of a bag with this payload: `bagit.txt`, `bag-info.txt`, the manifest and, last,
/// the tag manifest. All digests are of this algorithm.
///
/// # Errors
/// The first path that a bag cannot have, or has already.
pub fn tag_files(
    payload: &[Payload],
    algorithm: Algorithm,
    bagging_date: Date,
) -> Result<Vec<TagFile>, BagError> {
    let mut manifest = String::new();
    let mut seen = HashSet::new();
    for Payload { path, digest, .. } in payload {
        check(path)?;
        if !seen.insert(path.nfc().flat_map(char::to_lowercase).collect::<String>()) {
            return Err(BagError::Duplicate(path.clone()));
        }
        push_line(&mut manifest, digest, &format!("data/{path}"));
    }
    let file = |name: &str, text: String| TagFile { name: name.to_owned(), text };
    let declaration = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
    let mut files = vec![
        file("bagit.txt", declaration.to_owned()),
        file("bag-info.txt", bag_info(payload, bagging_date)),
        file(&format!("manifest-{}.txt", algorithm.name()), manifest),
    ];
    let mut tag_manifest = String::new();
    for TagFile { name, text } in &files {
        let mut digester = algorithm.digester();
        digester.update(text.as_bytes());
        push_line(&mut tag_manifest, &digester.finish(name).digest, name);
    }
    files.push(file(&format!("tagmanifest-{}.txt", algorithm.name()), tag_manifest));
    Ok(files)
}

// Section 2.2.2.
fn bag_info(payload: &[Payload], bagging_date: Date) -> String {
    let bytes: u64 = payload.iter().map(|file| file.bytes).sum();
    let (files, size) = (payload.len(), human(bytes));
    format!("Bagging-Date: {bagging_date}\nBag-Size: {size}\nPayload-Oxum: {bytes}.{files}\n")
}

// A size for people, cut to tenths: the exact one is the Payload-Oxum.
fn human(bytes: u64) -> String {
    let units = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)];
    match units.into_iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) => format!("{}.{} {unit}", bytes / size, bytes % size * 10 / size),
        None => format!("{bytes} B"),
    }
}

// Section 2.1.3: line ends and the percent sign, and nothing else, are encoded.
fn push_line(manifest: &mut String, digest: &str, path: &str) {
    let path = path.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let _infallible = writeln!(manifest, "{digest}  {path}");
}

// Section 5.2: a path stays below `data/` wherever the bag is unpacked.
fn check(path: &str) -> Result<(), BagError> {
    let is_odd = |name: &str| {
        let has_drive = matches!(name.as_bytes(), [b'A'..=b'Z' | b'a'..=b'z', b':', ..]);
        matches!(name, "" | "." | "..") || has_drive
    };
    let escapes = path.starts_with('~') || path.contains(['\\', '\0']);
    if escapes || path.split('/').any(is_odd) {
        return Err(BagError::Path(path.to_owned()));
    }
    Ok(())
}

fn hexadecimal(digest: &[u8]) -> String {
    let mut text = String::with_capacity(2 * digest.len());
    for byte in digest {
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}
