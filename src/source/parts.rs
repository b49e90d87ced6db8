//! The parts of a dump: each stream of it that holds records, with its format.

use std::path::Path;
use std::sync::Arc;

use super::SourceError;
use super::codec::Codec;
use super::members::{Found, Members, SkippedMember};
use super::stream::Stream;
use crate::formats::{FORMATS, Format, Framing, sniff};

const BEGIN_BYTES: usize = 40;

/// A stream of records of one format.
pub(super) struct Part {
    /// What messages call it.
    pub name: Arc<str>,
    pub format: &'static Format,
    pub framing: Box<dyn Framing>,
    pub stream: Stream,
}

/// Finds one part after another.
pub(super) struct Parts {
    name: Arc<str>,
    asked: Option<&'static Format>,
    pub members: Members,
    /// Members that hold no records.
    pub skipped: Vec<SkippedMember>,
    /// The format of the last part; none behind a failure, where there are no more parts.
    last: Option<&'static Format>,
}

impl Parts {
    pub fn new(name: &str, asked: Option<&'static Format>, members: Members) -> Parts {
        Parts { name: name.into(), asked, members, skipped: Vec::new(), last: None }
    }

    /// The first part.
    pub fn first(&mut self) -> Result<Part, SourceError> {
        match self.next(Vec::new())? {
            Some(part) => Ok(part),
            None => {
                let members = self.skipped.iter().take(3).map(ToString::to_string);
                let members = members.collect::<Vec<_>>().join("; ");
                Err(SourceError::NoMember { file: self.name.to_string(), members })
            }
        }
    }

    /// The next part, `None` at the end of the file; `buffer` is memory to be used again.
    ///
    /// Where the file cannot be read any further, that is a part without bytes whose stream
    /// failed; an error only if it is the first one.
    pub fn next(&mut self, buffer: Vec<u8>) -> Result<Option<Part>, SourceError> {
        let mut buffer = buffer;
        loop {
            let (name, bytes, of_archive) = match self.members.next() {
                Ok(None) => return Ok(None),
                Ok(Some(Found::Skipped(member))) => {
                    self.skipped.push(member);
                    continue;
                }
                Ok(Some(Found::Stream { name, bytes, of_archive })) => (name, bytes, of_archive),
                Err(error) => return self.broken(&self.name.clone(), error.to_string()),
            };
            let mut stream = Stream::new(bytes, buffer);
            if let Some(format) = self.format(&name, stream.bytes(), of_archive) {
                return part(&name, format, stream).map(Some);
            }
            if let Some(message) = stream.failure.take() {
                return self.broken(&name, message);
            }
            let begin = stream.bytes();
            let begin = String::from_utf8_lossy(begin.get(..BEGIN_BYTES).unwrap_or(begin));
            if !of_archive {
                let readable = FORMATS.iter().filter(|format| format.reading.is_some());
                let names: Vec<&str> = readable.map(|format| format.name).collect();
                let (found, expected) = (begin.into_owned(), names.join(", "));
                return Err(SourceError::UnknownFormat { file: name, found, expected });
            }
            let reason = match begin.is_empty() {
                true => "it is empty".to_owned(),
                false => format!("it begins with {begin:?}, which is no format that is read"),
            };
            self.skipped.push(SkippedMember { name, reason });
            buffer = stream.into_buffer();
        }
    }

    fn format(&mut self, name: &str, begin: &[u8], of_archive: bool) -> Option<&'static Format> {
        let sniffed = sniff(begin);
        let format = match self.asked {
            // One file is read as what it is said to be; beside the records in an archive there
            // may be anything.
            Some(asked) if of_archive => {
                let is_it = sniffed.is_some_and(|format| format.name == asked.name);
                Some(asked).filter(|asked| is_it || has_extension(name, asked))
            }
            asked => asked.or(sniffed),
        };
        self.last = format.or(self.last);
        format
    }

    fn broken(&mut self, name: &str, message: String) -> Result<Option<Part>, SourceError> {
        match self.last.take() {
            Some(format) => part(name, format, Stream::broken(Some(message))).map(Some),
            None => Err(SourceError::Read { file: name.to_owned(), byte: 0, message }),
        }
    }
}

fn part(name: &str, format: &'static Format, stream: Stream) -> Result<Part, SourceError> {
    match &format.reading {
        Some(reading) => {
            Ok(Part { name: name.into(), format, framing: (reading.framing)(), stream })
        }
        None => Err(SourceError::WriteOnly { format: format.name }),
    }
}

// Of a member's own name, behind that of its compression.
fn has_extension(name: &str, format: &Format) -> bool {
    let path = Path::new(name);
    let packed = Codec::of_path(path).and_then(|_| path.file_stem()).map(Path::new);
    let extension = packed.unwrap_or(path).extension();
    let of_format = |known: &&str| extension.is_some_and(|found| found.eq_ignore_ascii_case(known));
    format.extensions.iter().any(of_format)
}
