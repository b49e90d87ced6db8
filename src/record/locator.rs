//! Where a record was found, in the words that every message about it uses.

use std::fmt;
use std::sync::Arc;

/// The place of one record in its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locator {
    /// The file's path as the pipeline named it.
    pub file: Arc<str>,
    /// The record's number in the file, from 1.
    pub number: u64,
    /// The offset of its first byte in the uncompressed file, from 0.
    pub byte: u64,
    /// MARC 001 or the source's own identifier, when it could be read.
    pub control_number: Option<String>,
    /// The part of the record that is meant, `revision 3`; none for all of it.
    pub part: Option<String>,
}

impl Locator {
    /// The place of a part of the record.
    #[must_use]
    pub fn part(&self, part: impl Into<String>) -> Locator {
        Locator { part: Some(part.into()), ..self.clone() }
    }
}

impl fmt::Display for Locator {
    /// `dump.mrc.gz #1047 (byte 88213) ocm123`, and the part behind a comma.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{} (byte {})", self.file, self.number, self.byte)?;
        if let Some(control_number) = &self.control_number {
            write!(f, " {control_number}")?;
        }
        match &self.part {
            Some(part) => write!(f, ", {part}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locator_names_file_number_byte_control_number_and_part() {
        let mut locator = Locator {
            file: "dump.mrc.gz".into(),
            number: 1047,
            byte: 88213,
            control_number: Some("ocm123".to_owned()),
            part: None,
        };
        assert_eq!(locator.to_string(), "dump.mrc.gz #1047 (byte 88213) ocm123");
        locator.part = Some("revision 3".to_owned());
        assert_eq!(locator.to_string(), "dump.mrc.gz #1047 (byte 88213) ocm123, revision 3");
    }
}
