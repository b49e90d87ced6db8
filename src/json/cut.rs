//! Cutting a stream of JSON into its objects without loading it.
//!
//! The stream is objects one after another (JSON lines, JSON text sequences, or with nothing
//! between them), arrays of objects, or an answer that wraps such an array ([`Cutter::within`]).
//! Broken JSON lines do not swallow the lines behind them: an object that turns out broken ends
//! where a line begins with `{`.

use super::scan::{Object, Step};
use crate::record::{Cut, Damage};

/// How much is kept of an object that is too large, and of what is no JSON, a piece.
const KEPT_OF_TOO_LARGE: usize = 64 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Cuts one stream; see `formats::Framing` for the promises.
///
/// Damage: `json.truncated`, `json.syntax` (between objects; or brackets that do not match and
/// texts that do not end, when another object begins), `json.depth`, `too_large`.
#[derive(Debug)]
pub struct Cutter {
    max_bytes: usize,
    path: &'static [&'static str],
    /// Where scanning goes on in the next bytes.
    at: usize,
    /// Open arrays around objects.
    arrays: usize,
    object: Option<Object>,
    envelope: Option<Envelope>,
}

// An object around the array of records, and the arrays around it.
#[derive(Debug)]
struct Envelope {
    object: Object,
    arrays: usize,
}

impl Cutter {
    /// A cutter at the beginning of a stream; an object of more than `max_bytes` is damaged.
    #[must_use]
    pub fn new(max_bytes: usize) -> Cutter {
        Cutter { max_bytes, path: &[], at: 0, arrays: 0, object: None, envelope: None }
    }

    /// Also cuts the objects of an array that an object wraps, under these keys from outside in:
    /// `&["data"]` for `{"data": [{…}], "meta": {…}}`. What stands around the array is passed
    /// over; an object that has no array there is given whole.
    #[must_use]
    pub fn within(self, path: &'static [&'static str]) -> Cutter {
        Cutter { path, ..self }
    }

    /// Looks at the next bytes of the stream; `at_end` when no more will come.
    pub fn cut(&mut self, bytes: &[u8], at_end: bool) -> Cut {
        loop {
            let found = match self.object.take() {
                Some(object) => self.within_object(object, bytes, at_end),
                None => self.between_objects(bytes, at_end),
            };
            if let Some(cut) = found {
                return cut;
            }
        }
    }

    fn between_objects(&mut self, bytes: &[u8], at_end: bool) -> Option<Cut> {
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                // 0x1E begins each text of a JSON text sequence (RFC 7464).
                b' ' | b'\t' | b'\r' | b'\n' | b',' | 0x1E => {}
                b'[' => self.arrays += 1,
                b']' => {
                    self.arrays = self.arrays.saturating_sub(1);
                    let ended = |envelope: &mut Envelope| envelope.arrays == self.arrays;
                    if let Some(envelope) = self.envelope.take_if(ended) {
                        self.object = Some(envelope.object);
                        self.at += 1;
                        return None;
                    }
                }
                b'{' => {
                    self.object = Some(Object::new(self.at));
                    return None;
                }
                _ => {
                    let rest = bytes.get(self.at..).unwrap_or_default();
                    if rest.starts_with(BYTE_ORDER_MARK) {
                        self.at += BYTE_ORDER_MARK.len();
                        continue;
                    }
                    if !at_end && BYTE_ORDER_MARK.starts_with(rest) {
                        return Some(self.more(self.at));
                    }
                    return Some(self.garbage(bytes, at_end));
                }
            }
            self.at += 1;
        }
        if !at_end {
            return Some(self.more(bytes.len()));
        }
        let open = std::mem::take(&mut self.arrays);
        self.envelope = None;
        if open == 0 {
            return Some(Cut::End);
        }
        let end = bytes.len();
        Some(self.give(end, end, end, "json.truncated", "the file ends within an array"))
    }

    fn within_object(&mut self, mut object: Object, bytes: &[u8], at_end: bool) -> Option<Cut> {
        let limit = object.start.map_or(usize::MAX, |start| start.saturating_add(self.max_bytes));
        let reach = bytes.get(..limit).unwrap_or(bytes);
        let path = if self.envelope.is_some() { &[] } else { self.path };
        let step = object.follow(reach, &mut self.at, path);
        let start = object.start;
        match step {
            Step::Closed(end) => Some(self.closed(&object, start?, end)),
            Step::Array(after) => {
                object.forget();
                self.envelope = Some(Envelope { object, arrays: self.arrays });
                self.arrays += 1;
                self.at = after;
                None
            }
            Step::Broken(line) => match start {
                Some(start) => Some(self.broken(&object, start, object.line.unwrap_or(line))),
                None => Some(self.unended(line)),
            },
            Step::Open if bytes.len() > limit => {
                let start = start?;
                object.forget();
                self.object = Some(object);
                let end = limit.min(start + KEPT_OF_TOO_LARGE);
                let message = format!("more than {} bytes without an end", self.max_bytes);
                Some(self.give(start, end, limit, "too_large", &message))
            }
            Step::Open if !at_end => {
                let skip = start.unwrap_or(bytes.len());
                object.shift(skip);
                self.object = Some(object);
                Some(self.more(skip))
            }
            Step::Open => match start {
                Some(start) => {
                    object.damage = Some("json.truncated");
                    Some(self.broken(&object, start, object.line.unwrap_or(bytes.len())))
                }
                None => Some(self.unended(bytes.len())),
            },
        }
    }

    // An envelope, or an object whose beginning was given as too large: its bytes are gone.
    fn unended(&mut self, at: usize) -> Cut {
        let message = "the object around the records, or one that is too large, does not end";
        self.give(at, at, at, "json.truncated", message)
    }

    fn closed(&mut self, object: &Object, start: usize, end: usize) -> Cut {
        match object.damage {
            Some("json.depth") => {
                let message = "nested more than 128 levels deep";
                self.give(start, end, end, "json.depth", message)
            }
            // Other mistakes the reader finds again, and says more of them.
            _ => {
                self.at = 0;
                Cut::Record { start, end, next: end, insert: None, damage: None }
            }
        }
    }

    fn broken(&mut self, object: &Object, start: usize, end: usize) -> Cut {
        match object.damage {
            Some("json.depth") => {
                let message = "nested more than 128 levels deep";
                self.give(start, end, end, "json.depth", message)
            }
            Some("json.syntax") => {
                let message = "brackets or quotes that do not match, and the object does not end";
                self.give(start, end, end, "json.syntax", message)
            }
            _ => {
                let message = "the object does not end before the next one or the file's end";
                self.give(start, end, end, "json.truncated", message)
            }
        }
    }

    // What is neither object nor array: up to the line's end or the next object.
    fn garbage(&mut self, bytes: &[u8], at_end: bool) -> Cut {
        let rest = bytes.get(self.at..).unwrap_or_default();
        let length = memchr::memchr2(b'\n', b'{', rest).or(at_end.then_some(rest.len()));
        let length = match length {
            Some(length) => length.min(KEPT_OF_TOO_LARGE),
            None if rest.len() >= KEPT_OF_TOO_LARGE => KEPT_OF_TOO_LARGE,
            None => return self.more(self.at),
        };
        let (start, end) = (self.at, self.at + length);
        self.give(start, end, end, "json.syntax", &format!("{length} bytes that are no object"))
    }

    fn give(
        &mut self,
        start: usize,
        end: usize,
        next: usize,
        code: &'static str,
        message: &str,
    ) -> Cut {
        self.at = 0;
        let damage = Some(Damage { code, message: message.to_owned() });
        Cut::Record { start, end, next, insert: None, damage }
    }

    fn more(&mut self, skip: usize) -> Cut {
        self.at = self.at.saturating_sub(skip);
        Cut::More { skip }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts `stream`, given in chunks of `chunk` bytes: text and damage of each piece.
    fn cut(mut cutter: Cutter, stream: &[u8], chunk: usize) -> Vec<(String, &'static str)> {
        let (mut from, mut to) = (0, 0);
        let mut pieces = Vec::new();
        loop {
            match cutter.cut(&stream[from..to], to == stream.len()) {
                Cut::Record { start, end, next, damage, .. } => {
                    let text = String::from_utf8_lossy(&stream[from + start..from + end]);
                    pieces.push((text.into_owned(), damage.map_or("", |damage| damage.code)));
                    from += next;
                }
                Cut::More { skip } => {
                    assert!(to < stream.len());
                    from += skip;
                    to = (to + chunk).min(stream.len());
                }
                Cut::End => return pieces,
            }
        }
    }

    #[track_caller]
    fn check(cutter: impl Fn() -> Cutter, stream: &str, expected: &[(&str, &str)]) {
        for chunk in [1, 2, 3, 7, 1000] {
            let found = cut(cutter(), stream.as_bytes(), chunk);
            let found: Vec<_> = found.iter().map(|(text, code)| (text.as_str(), *code)).collect();
            assert_eq!(found, expected, "in chunks of {chunk}");
        }
    }

    fn plain() -> Cutter {
        Cutter::new(1000)
    }

    #[test]
    fn objects_are_cut_from_lines_arrays_and_out_of_nothing() {
        let two = [("{\"a\": \"}\\\"{\"}", ""), ("{\"b\": [{}, []]}", "")];
        check(plain, "\u{FEFF}{\"a\": \"}\\\"{\"}\r\n{\"b\": [{}, []]}\n", &two);
        check(plain, "{\"a\": \"}\\\"{\"}{\"b\": [{}, []]}", &two);
        check(plain, "[{\"a\": \"}\\\"{\"},\n{\"b\": [{}, []]}]\n[]", &two);
        check(plain, "\u{1E}{\"a\": \"}\\\"{\"}\n\u{1E}{\"b\": [{}, []]}", &two);
        check(plain, " \n[]\u{FEFF}", &[]);
        check(plain, "[{\n{}", &[("{\n", "json.truncated"), ("{}", ""), ("", "json.truncated")]);
    }

    #[test]
    fn a_broken_line_does_not_swallow_the_next() {
        check(
            plain,
            "{\"a\": [1, {\"b\": \n{\"a\": 2}\n{\"a\": 3}\n",
            &[("{\"a\": [1, {\"b\": \n", "json.truncated"), ("{\"a\": 2}", ""), ("{\"a\": 3}", "")],
        );
        check(
            plain,
            "{\"a\": \"x\n{\"a\": 2}\n{\"a\": 3",
            &[
                ("{\"a\": \"x\n", "json.syntax"),
                ("{\"a\": 2}", ""),
                ("{\"a\": 3", "json.truncated"),
            ],
        );
        check(
            plain,
            "{\"a\": 1]}}\n{\"a\": 2}\n",
            &[("{\"a\": 1]}", ""), ("}", "json.syntax"), ("{\"a\": 2}", "")],
        );
        check(
            plain,
            "[\n  {\"a\": \"x\n y\"},\n  {\"a\": [2}\n, {\"a\": 3}]",
            &[("{\"a\": \"x\n y\"}", ""), ("{\"a\": [2}", ""), ("{\"a\": 3}", "")],
        );
    }

    #[test]
    fn what_is_no_object_is_told() {
        check(
            plain,
            "<html>\n{\"a\": 1} null {} 1",
            &[
                ("<html>", "json.syntax"),
                ("{\"a\": 1}", ""),
                ("null ", "json.syntax"),
                ("{}", ""),
                ("1", "json.syntax"),
            ],
        );
        check(plain, "[{}", &[("{}", ""), ("", "json.truncated")]);
    }

    #[test]
    fn records_are_found_within_an_answer() {
        let data = || plain().within(&["data"]);
        let answer = "{\"x\": \"data\", \"data\": [{\"a\": {\"data\": [1]}}, {}], \"meta\": {\"data\": [3]}}";
        check(data, answer, &[("{\"a\": {\"data\": [1]}}", ""), ("{}", "")]);
        check(
            data,
            &format!("[{answer},\n{{}}]"),
            &[("{\"a\": {\"data\": [1]}}", ""), ("{}", ""), ("{}", "")],
        );
        let single = "{\"data\": {\"a\": []}}";
        check(data, single, &[(single, "")]);
        check(data, "{\"data\": [{}", &[("{}", ""), ("", "json.truncated")]);
        check(data, "{\"data\": [{}]", &[("{}", ""), ("", "json.truncated")]);
        let hits = || plain().within(&["hits", "hits"]);
        let answer = "{\"hits\": {\"total\": 2, \"hits\": [{}, {\"hits\": {\"hits\": []}}]}}\n{}";
        check(hits, answer, &[("{}", ""), ("{\"hits\": {\"hits\": []}}", ""), ("{}", "")]);
        let other = "{\"a\": {\"hits\": [1]}, \"hits\": {\"b\": {\"hits\": [2]}}}";
        check(hits, other, &[(other, "")]);
    }

    #[test]
    fn depth_and_size_have_limits() {
        let deep = |levels: usize| format!("{}1{}", "{\"a\":[".repeat(levels), "]}".repeat(levels));
        let (allowed, refused) = (deep(64), deep(5_000));
        for chunk in [1, 1000] {
            let stream = format!("{allowed}\n{refused}\n{{}}");
            let codes: Vec<_> = cut(Cutter::new(100_000), stream.as_bytes(), chunk)
                .into_iter()
                .map(|(text, code)| (text.len(), code))
                .collect();
            assert_eq!(codes, [(allowed.len(), ""), (refused.len(), "json.depth"), (2, "")]);
        }
        let long = format!("{{\"a\": \"{}\"}}{{}}", "x".repeat(200_000));
        for chunk in [100, 1000, 300_000] {
            let found = cut(Cutter::new(100_000), long.as_bytes(), chunk);
            let found: Vec<_> = found.iter().map(|(text, code)| (text.len(), *code)).collect();
            assert_eq!(found, [(64 * 1024, "too_large"), (2, "")]);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_byte_is_lost_however_the_stream_is_cut(
            words in proptest::collection::vec(
                proptest::sample::select(vec!["{", "}", "[", "]", "\"", "\\", "\n", ",", ":", "\"data\"", "x", " "]),
                0..40,
            ),
            chunk in 1..9_usize,
        ) {
            let stream = words.concat();
            let whole = cut(plain(), stream.as_bytes(), usize::MAX / 2);
            proptest::prop_assert_eq!(&whole, &cut(plain(), stream.as_bytes(), chunk));
            let within = || plain().within(&["data"]);
            let wrapped = cut(within(), stream.as_bytes(), usize::MAX / 2);
            proptest::prop_assert_eq!(wrapped, cut(within(), stream.as_bytes(), chunk));
            let markup = |text: &str| text.replace([' ', '\n', ',', '[', ']'], "");
            let given: String = whole.iter().map(|(text, _)| text.as_str()).collect();
            proptest::prop_assert_eq!(markup(&given), markup(&stream));
        }
    }
}
