//! Records told by what stands in them.
//!
//! A record is an element of a given local name. Envelopes (OAI-PMH, SRU) may wrap it in an
//! element of the same name: the innermost that holds content counts.

use memchr::memchr;

use super::surroundings::{Surroundings, UTF_16, blank_front, is_blank, is_space, is_utf16};
use super::{KEPT_OF_TOO_LARGE, START_BYTES};
use crate::record::{Cut, Damage, Insert};
use crate::xml::token::{Token, local_name, token};

/// The elements (local names) by which records are told.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// A record.
    pub record: &'static str,
    /// What stands only in records.
    pub content: &'static [&'static str],
    /// The size from which a record is given as damaged (`too_large`), in bytes.
    pub max_bytes: usize,
}

#[derive(Debug)]
struct Candidate {
    start: usize,
    depth: usize,
    insert: Option<Insert>,
    holds_content: bool,
    /// Content outside of any record.
    stray: bool,
}

/// Cuts one stream; see `formats::Framing` for the promises.
#[derive(Debug)]
pub struct Cutter {
    names: Names,
    begun: bool,
    stopped: bool,
    skipping: bool,
    /// Where scanning goes on in the next bytes.
    at: usize,
    around: Surroundings,
    candidate: Option<Candidate>,
    found_record: bool,
    passed_text: bool,
}

impl Cutter {
    /// A cutter at the beginning of a stream.
    #[must_use]
    pub fn new(names: Names) -> Cutter {
        Cutter {
            names,
            begun: false,
            stopped: false,
            skipping: false,
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
            self.pass_content(bytes);
            let rest = bytes.get(self.at..).unwrap_or_default();
            let Some(markup) = memchr(b'<', rest).map(|offset| self.at + offset) else {
                return self.without_markup(bytes, at_end);
            };
            if let Some(found) = self.text(bytes, self.at, markup) {
                return found;
            }
            self.at = markup;
            let token = token(bytes.get(markup..).unwrap_or_default());
            if token == Token::Incomplete {
                return self.incomplete(bytes, at_end);
            }
            if let Some(found) = self.markup(bytes, markup, token) {
                return found;
            }
            if let Some(found) = self.too_large(self.at) {
                return found;
            }
        }
    }

    // Within a record only its own end, another's beginning and what hides markup matter.
    fn pass_content(&mut self, bytes: &[u8]) {
        let Some(candidate) = &self.candidate else { return };
        if !candidate.holds_content || candidate.stray {
            return;
        }
        let limit = bytes.get(..candidate.start + self.names.max_bytes).unwrap_or(bytes);
        while let Some(offset) = memchr(b'<', limit.get(self.at..).unwrap_or_default()) {
            let behind = limit.get(self.at + offset + 1..).unwrap_or_default();
            let behind = behind.strip_prefix(b"/").unwrap_or(behind);
            let is_end = |byte: &u8| matches!(byte, b'>' | b' ' | b'/' | b'\t' | b'\r' | b'\n');
            let Some(name) = behind.iter().position(is_end).and_then(|end| behind.get(..end))
            else {
                return;
            };
            let is_name = name.first().is_some_and(u8::is_ascii_alphabetic);
            if !is_name || self.is_record(local_name(name)) {
                return;
            }
            self.at += offset + 1;
        }
    }

    fn markup(&mut self, bytes: &[u8], start: usize, token: Token) -> Option<Cut> {
        let name = |from: usize, to: usize| {
            local_name(bytes.get(start + from..start + to).unwrap_or_default())
        };
        match token {
            Token::Start { name_end, end, empty } => {
                let tag = bytes.get(start..start + end).unwrap_or_default();
                let found = self.start_tag(bytes, start, tag, name(1, name_end), name_end, empty);
                if found.is_none() {
                    self.at = start + end;
                    if empty && self.is_record(name(1, name_end)) {
                        return self.end_record(bytes, start + end, None);
                    }
                }
                found
            }
            Token::End { name_end, end } => {
                self.end_tag(bytes, start, name(2, name_end), start + end)
            }
            Token::CData { end } => {
                self.at = start + end;
                let inside = bytes.get(start + 9..start + end - 3).unwrap_or_default();
                (!is_blank(inside)).then(|| self.loose(start, start + end, "xml.text"))?
            }
            Token::Instruction { end } => {
                self.at = start + end;
                let inside = bytes.get(start..start + end).unwrap_or_default();
                if self.candidate.is_none() {
                    self.around.instruction(inside);
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

    fn start_tag(
        &mut self,
        bytes: &[u8],
        start: usize,
        tag: &[u8],
        name: &[u8],
        name_end: usize,
        empty: bool,
    ) -> Option<Cut> {
        let inside = tag.get(name_end..).unwrap_or_default();
        if self.is_record(name) {
            if self.candidate.as_ref().is_some_and(|candidate| candidate.holds_content) {
                let message = "another record begins before the end of this one";
                return self.end_record(bytes, start, Some(("truncated", message)));
            }
            self.skipping = false;
            self.around.collects();
            self.candidate = Some(Candidate {
                start,
                depth: self.around.depth(),
                insert: self.around.inherited(inside, name_end),
                holds_content: false,
                stray: false,
            });
            self.around.open(inside, false);
            return None;
        }
        let is_content = self.names.content.iter().any(|content| content.as_bytes() == name);
        match &mut self.candidate {
            Some(candidate) if is_content => candidate.holds_content = true,
            Some(candidate) if candidate.holds_content => {}
            None if is_content && !self.skipping => {
                let depth = self.around.depth();
                let insert = self.around.inherited(inside, name_end);
                let (holds_content, stray) = (true, true);
                self.candidate = Some(Candidate { start, depth, insert, holds_content, stray });
            }
            _ if empty => {}
            _ => self.around.open(inside, name == b"collection"),
        }
        None
    }

    fn end_tag(&mut self, bytes: &[u8], start: usize, name: &[u8], end: usize) -> Option<Cut> {
        self.at = end;
        if self.is_record(name) {
            self.skipping = false;
            if self.candidate.is_some() {
                return self.end_record(bytes, end, None);
            }
        } else if let Some(candidate) = &self.candidate {
            let is_content = self.names.content.iter().any(|content| content.as_bytes() == name);
            if candidate.stray && !is_content {
                // The tag itself belongs to what is around.
                return self.end_record(bytes, start, None);
            }
            if candidate.holds_content || self.around.depth() <= candidate.depth + 1 {
                return None;
            }
        }
        self.around.close();
        None
    }

    fn is_record(&self, name: &[u8]) -> bool {
        name == self.names.record.as_bytes()
    }

    // Gives the candidate, which ends (or breaks off) at `end`.
    fn end_record(
        &mut self,
        bytes: &[u8],
        end: usize,
        damage: Option<(&'static str, &str)>,
    ) -> Option<Cut> {
        let candidate = self.candidate.take()?;
        self.around.close_to(candidate.depth);
        self.at = 0;
        self.found_record = true;
        let mut damage = damage.map(|(code, message)| Damage { code, message: message.to_owned() });
        if candidate.stray {
            let message = "fields outside of any record".to_owned();
            damage = Some(Damage { code: "xml.stray", message });
        }
        let record = bytes.get(candidate.start..end).unwrap_or_default();
        let insert = self.around.with_encoding(candidate.insert, record);
        Some(Cut::Record { start: candidate.start, end, next: end, insert, damage })
    }

    // Text or broken markup: part of a record, or of an envelope, or of nothing.
    fn text(&mut self, bytes: &[u8], start: usize, end: usize) -> Option<Cut> {
        if self.candidate.is_some() || self.skipping {
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
        if self.candidate.is_some() || self.skipping {
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
            let waits_for_end = self.candidate.is_none() && !self.skipping && !is_blank(text);
            let keep = match &self.candidate {
                Some(candidate) => candidate.start,
                None if waits_for_end => self.at,
                None => bytes.len(),
            };
            if bytes.len() - keep > self.names.max_bytes {
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
            let message = format!("no element <{}> in the document", self.names.record);
            let damage = Some(Damage { code: "xml.no_record", message });
            let end = bytes.len();
            return Cut::Record { start: end, end, next: end, insert: None, damage };
        }
        Cut::End
    }

    fn incomplete(&mut self, bytes: &[u8], at_end: bool) -> Cut {
        let keep = self.candidate.as_ref().map_or(self.at, |candidate| candidate.start);
        if bytes.len() - keep > self.names.max_bytes {
            return self.give_too_large(keep, bytes.len());
        }
        if !at_end {
            self.at -= keep;
            return self.more(keep);
        }
        if let Some(found) = self.cut_off(bytes) {
            return found;
        }
        if self.skipping {
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

    fn too_large(&mut self, reached: usize) -> Option<Cut> {
        let start = self.candidate.as_ref()?.start;
        (reached - start > self.names.max_bytes).then(|| self.give_too_large(start, reached))
    }

    fn give_too_large(&mut self, start: usize, next: usize) -> Cut {
        if let Some(candidate) = self.candidate.take() {
            self.around.close_to(candidate.depth);
        }
        self.at = 0;
        self.skipping = true;
        self.found_record = true;
        let message = format!("more than {} bytes without an end", self.names.max_bytes);
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
