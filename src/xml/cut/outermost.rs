//! Records told by their own name: the outermost elements that have one of a few.
//!
//! Inside a record only tags of its own name are looked at, so that nothing else that is broken
//! in it makes a difference to where it ends.

use memchr::memchr;

use super::surroundings::{Surroundings, UTF_16, blank_front, is_blank, is_space, is_utf16};
use super::{KEPT_OF_TOO_LARGE, START_BYTES};
use crate::record::{Cut, Damage, Insert};
use crate::xml::token::{Token, local_name, token};

/// The elements (local names) that are records.
#[derive(Debug, Clone, Copy)]
pub struct Records {
    /// Any of these, where it is not inside another.
    pub names: &'static [&'static str],
    /// The size from which a record is given as damaged (`too_large`), in bytes.
    pub max_bytes: usize,
}

/// The record of an OAI-PMH answer, and where in it another may stand. Elsewhere a second one
/// means that the end of the first is missing.
const OAI_RECORD: &[u8] = b"record";
const OAI_PAYLOADS: [&[u8]; 2] = [b"metadata", b"about"];

const ANY: &str = "";

#[derive(Debug)]
struct Candidate {
    start: usize,
    name: &'static str,
    insert: Option<Insert>,
    /// Open elements of this name, its own among them.
    open: usize,
    /// Open elements in which another record may stand.
    payloads: usize,
}

// A start tag among the bytes at hand.
struct Tag<'b> {
    bytes: &'b [u8],
    start: usize,
    name_end: usize,
    end: usize,
    name: &'b [u8],
    /// What stands behind the name.
    inside: &'b [u8],
    empty: bool,
}

/// Cuts one stream; see `formats::Framing` for the promises.
#[derive(Debug)]
pub struct OutermostCutter {
    records: Records,
    begun: bool,
    stopped: bool,
    /// The name of a record that was too large, whose end is awaited; [`ANY`] when the next record
    /// ends what is passed over.
    skipping: Option<&'static str>,
    /// Where scanning goes on in the next bytes.
    at: usize,
    around: Surroundings,
    candidate: Option<Candidate>,
    found_record: bool,
    passed_text: bool,
}

impl OutermostCutter {
    /// A cutter at the beginning of a stream.
    #[must_use]
    pub fn new(records: Records) -> OutermostCutter {
        OutermostCutter {
            records,
            begun: false,
            stopped: false,
            skipping: None,
            at: 0,
            around: Surroundings::default(),
            candidate: None,
            found_record: false,
            passed_text: false,
        }
    }

    /// Looks at the next bytes of the stream; `at_end` when no more will come.
    pub fn cut(&mut self, bytes: &[u8], at_end: bool) -> Cut {
        if !self.begun {
            if bytes.len() < START_BYTES && !at_end {
                return Cut::More { skip: 0 };
            }
            self.begun = true;
            if is_utf16(bytes) {
                return self.stop(0, 2, "encoding", UTF_16);
            }
        }
        if self.stopped {
            return if at_end { Cut::End } else { Cut::More { skip: bytes.len() } };
        }
        loop {
            self.pass(bytes);
            if let Some(found) = self.too_large() {
                return found;
            }
            let rest = bytes.get(self.at..).unwrap_or_default();
            let Some(start) = memchr(b'<', rest).map(|offset| self.at + offset) else {
                return self.without_markup(bytes, at_end);
            };
            if let Some(found) = self.text(bytes, self.at, start) {
                return found;
            }
            self.at = start;
            let rest = bytes.get(start..).unwrap_or_default();
            match token(rest) {
                Token::Incomplete => return self.incomplete(bytes, at_end),
                token => {
                    if let Some(found) = self.markup(bytes, start, token) {
                        return found;
                    }
                }
            }
            if let Some(found) = self.too_large() {
                return found;
            }
        }
    }

    fn too_large(&mut self) -> Option<Cut> {
        let start = self.candidate.as_ref()?.start;
        (self.at - start > self.records.max_bytes).then(|| self.give_too_large(start, self.at))
    }

    // Goes inside a record to the first markup that may matter there: what hides markup, or a tag
    // of one of the names that count.
    fn pass(&mut self, bytes: &[u8]) {
        let Some(candidate) = &self.candidate else { return };
        let is_oai = candidate.name.as_bytes() == OAI_RECORD;
        while self.at - candidate.start <= self.records.max_bytes {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let Some(tag) = memchr(b'<', rest).and_then(|offset| rest.get(offset..)) else {
                return;
            };
            self.at = bytes.len() - tag.len();
            let Some((name, passed)) = tag_name(tag) else { return };
            if name == candidate.name.as_bytes() || (is_oai && OAI_PAYLOADS.contains(&name)) {
                return;
            }
            self.at += passed;
        }
    }

    fn markup(&mut self, bytes: &[u8], start: usize, token: Token) -> Option<Cut> {
        let slice = |from: usize, to: usize| bytes.get(start + from..start + to);
        match token {
            Token::Start { name_end, end, empty } => self.start_tag(&Tag {
                bytes,
                start,
                name_end: start + name_end,
                end: start + end,
                name: local_name(slice(1, name_end).unwrap_or_default()),
                inside: slice(name_end, end).unwrap_or_default(),
                empty,
            }),
            Token::End { name_end, end } => {
                self.at = start + end;
                self.end_tag(bytes, local_name(slice(2, name_end).unwrap_or_default()))
            }
            Token::CData { end } => {
                self.at = start + end;
                let inside = slice(9, end - 3).unwrap_or_default();
                (!is_blank(inside)).then(|| self.loose(start, start + end, "xml.text"))?
            }
            Token::Instruction { end } => {
                self.at = start + end;
                if self.candidate.is_none() {
                    self.around.instruction(slice(0, end).unwrap_or_default());
                }
                None
            }
            Token::Comment { end } => {
                self.at = start + end;
                None
            }
            Token::Doctype => {
                let start = self.candidate.take().map_or(start, |candidate| candidate.start);
                let message =
                    "the file has a document type declaration; it is not read any further";
                Some(self.stop(start, bytes.len().min(self.at + 9), "doctype", message))
            }
            Token::Broken { end } => {
                self.at = start + end;
                self.loose(start, start + end, "xml.markup")
            }
            Token::Incomplete => None,
        }
    }

    fn start_tag(&mut self, tag: &Tag<'_>) -> Option<Cut> {
        self.at = tag.end;
        let Some(candidate) = &mut self.candidate else {
            return self.start_outside(tag);
        };
        if tag.empty {
            return None;
        }
        if tag.name != candidate.name.as_bytes() {
            candidate.payloads += 1;
        } else if tag.name == OAI_RECORD && candidate.payloads == 0 {
            self.at = tag.start;
            let message = "another record begins before the end of this one";
            return self.end_record(tag.bytes, tag.start, Some(("truncated", message)));
        } else {
            candidate.open += 1;
        }
        None
    }

    fn start_outside(&mut self, tag: &Tag<'_>) -> Option<Cut> {
        let mut names = self.records.names.iter();
        let record = names.find(|record| record.as_bytes() == tag.name).copied();
        match self.skipping {
            Some(ANY) if record.is_some() => self.skipping = None,
            Some(skipped) if record == Some(skipped) && tag.name == OAI_RECORD => {
                self.skipping = None;
            }
            Some(_) => return None,
            None => {}
        }
        let Some(name) = record else {
            if !tag.empty {
                self.around.open(tag.inside, false);
            }
            return None;
        };
        self.around.collects();
        let insert = self.around.inherited(tag.inside, tag.name_end - tag.start);
        self.candidate = Some(Candidate { start: tag.start, name, insert, open: 1, payloads: 0 });
        if tag.empty { self.end_record(tag.bytes, tag.end, None) } else { None }
    }

    fn end_tag(&mut self, bytes: &[u8], name: &[u8]) -> Option<Cut> {
        if let Some(candidate) = &mut self.candidate {
            if name != candidate.name.as_bytes() {
                candidate.payloads = candidate.payloads.saturating_sub(1);
                return None;
            }
            candidate.open -= 1;
            return if candidate.open == 0 { self.end_record(bytes, self.at, None) } else { None };
        }
        match self.skipping {
            Some(skipped) if name == skipped.as_bytes() => self.skipping = None,
            Some(_) => {}
            None => self.around.close(),
        }
        None
    }

    // Gives the candidate, which ends (or breaks off) at `end`.
    fn end_record(
        &mut self,
        bytes: &[u8],
        end: usize,
        damage: Option<(&'static str, &str)>,
    ) -> Option<Cut> {
        let Candidate { start, insert, .. } = self.candidate.take()?;
        self.at = 0;
        self.found_record = true;
        let damage = damage.map(|(code, message)| Damage { code, message: message.to_owned() });
        let record = bytes.get(start..end).unwrap_or_default();
        let insert = self.around.with_encoding(insert, record);
        Some(Cut::Record { start, end, next: end, insert, damage })
    }

    // Text or broken markup: part of a record, or of an envelope, or of nothing.
    fn text(&mut self, bytes: &[u8], start: usize, end: usize) -> Option<Cut> {
        if self.candidate.is_some() || self.skipping.is_some() {
            return None;
        }
        let text = bytes.get(start..end).unwrap_or_default();
        if is_blank(text) {
            return None;
        }
        let first = start + blank_front(text);
        let last = start + text.iter().rposition(|byte| !is_space(*byte))? + 1;
        self.loose_at(first, last, end, "xml.text")
    }

    fn loose(&mut self, start: usize, end: usize, code: &'static str) -> Option<Cut> {
        self.loose_at(start, end, end, code)
    }

    fn loose_at(
        &mut self,
        start: usize,
        end: usize,
        next: usize,
        code: &'static str,
    ) -> Option<Cut> {
        if self.candidate.is_some() || self.skipping.is_some() {
            return None;
        }
        if code == "xml.text" && self.around.is_envelope() {
            self.passed_text = true;
            return None;
        }
        self.at = 0;
        let message = format!("{} bytes that belong to no record", end - start);
        let damage = Some(Damage { code, message });
        Some(Cut::Record { start, end, next, insert: None, damage })
    }

    fn without_markup(&mut self, bytes: &[u8], at_end: bool) -> Cut {
        if !at_end {
            let text = bytes.get(self.at..).unwrap_or_default();
            let waits_for_end =
                self.candidate.is_none() && self.skipping.is_none() && !is_blank(text);
            let keep = match &self.candidate {
                Some(candidate) => candidate.start,
                None if waits_for_end => self.at,
                None => bytes.len(),
            };
            if bytes.len() - keep > self.records.max_bytes {
                return self.give_too_large(keep, bytes.len());
            }
            self.at = if waits_for_end { 0 } else { bytes.len() - keep };
            return self.more(keep);
        }
        if self.candidate.is_some() {
            return self.cut_off(bytes).unwrap_or(Cut::End);
        }
        if let Some(found) = self.text(bytes, self.at, bytes.len()) {
            return found;
        }
        self.at = bytes.len();
        if self.passed_text && !self.found_record {
            self.passed_text = false;
            self.at = 0;
            let names = self.records.names.join(">, <");
            let message = format!("no element <{names}> in the document");
            let damage = Some(Damage { code: "xml.no_record", message });
            let end = bytes.len();
            return Cut::Record { start: end, end, next: end, insert: None, damage };
        }
        Cut::End
    }

    fn incomplete(&mut self, bytes: &[u8], at_end: bool) -> Cut {
        let keep = self.candidate.as_ref().map_or(self.at, |candidate| candidate.start);
        if bytes.len() - keep > self.records.max_bytes {
            return self.give_too_large(keep, bytes.len());
        }
        if !at_end {
            self.at -= keep;
            return self.more(keep);
        }
        if let Some(found) = self.cut_off(bytes) {
            return found;
        }
        if self.skipping.is_some() {
            return Cut::End;
        }
        self.at = 0;
        let message = "markup that does not end".to_owned();
        let damage = Some(Damage { code: "truncated", message });
        let end = bytes.len();
        Cut::Record { start: keep, end, next: end, insert: None, damage }
    }

    fn cut_off(&mut self, bytes: &[u8]) -> Option<Cut> {
        self.end_record(bytes, bytes.len(), Some(("truncated", "the file ends within the record")))
    }

    fn more(&mut self, skip: usize) -> Cut {
        if let Some(candidate) = &mut self.candidate {
            candidate.start -= skip;
        }
        Cut::More { skip }
    }

    fn give_too_large(&mut self, start: usize, next: usize) -> Cut {
        self.at = 0;
        self.skipping = Some(self.candidate.take().map_or(ANY, |candidate| candidate.name));
        self.found_record = true;
        let message = format!("more than {} bytes without an end", self.records.max_bytes);
        let damage = Some(Damage { code: "too_large", message });
        let end = next.min(start + KEPT_OF_TOO_LARGE);
        Cut::Record { start, end, next, insert: None, damage }
    }

    fn stop(&mut self, start: usize, end: usize, code: &'static str, message: &str) -> Cut {
        self.stopped = true;
        let damage = Some(Damage { code, message: message.to_owned() });
        Cut::Record { start, end, next: end, insert: None, damage }
    }
}

// The local name of a tag, and the bytes up to its end; `None` for other markup, and for a name
// that does not end.
#[inline]
fn tag_name(tag: &[u8]) -> Option<(&[u8], usize)> {
    let mut local = 1 + usize::from(tag.get(1) == Some(&b'/'));
    if matches!(tag.get(local)?, b'!' | b'?') {
        return None;
    }
    loop {
        let rest = tag.get(local..)?;
        let ends =
            |byte: &u8| matches!(byte, b'>' | b'/' | b'<' | b':' | b' ' | b'\t' | b'\r' | b'\n');
        let length = rest.iter().position(ends)?;
        if rest.get(length) != Some(&b':') {
            return Some((rest.get(..length)?, local + length));
        }
        local += length + 1;
    }
}
