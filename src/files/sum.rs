//! Checksums of bytes as they pass.

use std::io::{self, Read, Write};

use md5::{Digest, Md5};
use sha2::Sha256;
use uuid::Uuid;

use super::FilesError;
use crate::record::{FileInstance, hex};

const BUFFER_BYTES: usize = 256 * 1024;

/// What bytes should be, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expected {
    /// So many.
    pub size: Option<u64>,
    /// With this MD5.
    pub md5: Option<[u8; 16]>,
    /// With this SHA-256.
    pub sha256: Option<[u8; 32]>,
    /// No more than so many, whatever is expected; 0 is no limit.
    pub most: u64,
}

/// What bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// So many.
    pub size: u64,
    /// Their MD5.
    pub md5: [u8; 16],
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

impl Sum {
    /// The instance with these bytes.
    #[must_use]
    pub fn instance(self, id: Uuid, uri: String) -> FileInstance {
        FileInstance { id, uri, size: self.size, md5: Some(self.md5), sha256: Some(self.sha256) }
    }

    /// Compares with what is expected.
    ///
    /// # Errors
    /// [`FilesError::Size`], [`FilesError::Checksum`]
    pub fn check(&self, what: &str, expected: &Expected) -> Result<(), FilesError> {
        if let Some(size) = expected.size.filter(|size| *size != self.size) {
            let (what, found) = (what.to_owned(), self.size);
            return Err(FilesError::Size { what, found, expected: size });
        }
        let differs = |algorithm, found: &[u8], expected: &[u8]| FilesError::Checksum {
            what: what.to_owned(),
            algorithm,
            found: hex(found),
            expected: hex(expected),
        };
        match (&expected.md5, &expected.sha256) {
            (Some(md5), _) if *md5 != self.md5 => Err(differs("MD5", &self.md5, md5)),
            (_, Some(sha256)) if *sha256 != self.sha256 => {
                Err(differs("SHA-256", &self.sha256, sha256))
            }
            _ => Ok(()),
        }
    }
}

/// A sum that grows.
#[derive(Debug, Default)]
pub struct Summing {
    size: u64,
    md5: Md5,
    sha256: Sha256,
}

impl Summing {
    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.md5.update(bytes);
        self.sha256.update(bytes);
    }

    /// The sum of all that was added.
    #[must_use]
    pub fn end(self) -> Sum {
        Sum {
            size: self.size,
            md5: self.md5.finalize().into(),
            sha256: self.sha256.finalize().into(),
        }
    }

    /// Fails as soon as there is more than there should be.
    fn is_within(&self, what: &str, expected: &Expected) -> Result<(), FilesError> {
        let most = match (expected.size, expected.most) {
            (Some(size), 0) => size,
            (Some(size), most) => size.min(most),
            (None, 0) => return Ok(()),
            (None, most) => most,
        };
        if self.size <= most {
            return Ok(());
        }
        Err(FilesError::Size { what: what.to_owned(), found: self.size, expected: most })
    }
}

/// Reads all, adds it up, and hands it on piece by piece.
///
/// # Errors
/// [`FilesError::Read`], [`FilesError::Size`] and [`FilesError::Checksum`] of what was read; what
/// `to` fails with, as it is.
pub(super) fn pass(
    from: &mut dyn Read,
    (what, expected): (&str, &Expected),
    mut to: impl FnMut(&[u8]) -> Result<(), FilesError>,
) -> Result<Sum, FilesError> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut summing = Summing::default();
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(what, &error)),
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        summing.add(bytes);
        summing.is_within(what, expected)?;
        to(bytes)?;
    }
    let sum = summing.end();
    sum.check(what, expected)?;
    Ok(sum)
}

/// Reads all and compares it with what is expected.
///
/// # Errors
/// [`FilesError::Read`], [`FilesError::Size`], [`FilesError::Checksum`]
pub fn sum_of(from: &mut dyn Read, (what, expected): (&str, &Expected)) -> Result<Sum, FilesError> {
    pass(from, (what, expected), |_| Ok(()))
}

/// What it means that a source cannot be read on.
pub(super) fn broken(what: &str, error: &io::Error) -> FilesError {
    let passing = matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::TimedOut
            | io::ErrorKind::BrokenPipe
    );
    FilesError::Read { what: what.to_owned(), message: error.to_string(), passing }
}

/// Writes all of a piece.
pub(super) fn write(
    to: &mut impl Write,
    bytes: &[u8],
    failed: impl Fn(&io::Error) -> FilesError,
) -> Result<(), FilesError> {
    to.write_all(bytes).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(bytes: &[u8], expected: &Expected) -> Result<Sum, FilesError> {
        sum_of(&mut &*bytes, ("a.pdf", expected))
    }

    #[test]
    fn bytes_are_what_is_expected_or_the_error_says_what_they_are() {
        let found = sum(b"abc", &Expected::default()).unwrap();
        assert_eq!(found.size, 3);
        assert_eq!(hex(&found.md5), "900150983cd24fb0d6963f7d28e17f72");
        let whole =
            Expected { size: Some(3), md5: Some(found.md5), sha256: Some(found.sha256), most: 3 };
        assert_eq!(sum(b"abc", &whole).unwrap(), found);
        let error = |bytes: &[u8], expected| sum(bytes, &expected).unwrap_err().to_string();
        assert_eq!(error(b"ab", whole), "a.pdf has 2 bytes, expected 3");
        assert_eq!(error(b"abcd", whole), "a.pdf has 4 bytes, expected 3");
        assert!(error(b"abd", whole).starts_with("a.pdf has MD5 4911e516e5aa21d327512e0c8b197616"));
        let other = Expected { sha256: Some([0; 32]), ..Expected::default() };
        assert!(error(b"abc", other).starts_with("a.pdf has SHA-256 ba7816bf"));
        let limited = Expected { most: 2, ..Expected::default() };
        assert_eq!(error(b"abc", limited), "a.pdf has 3 bytes, expected 2");
    }
}
