//! Shapes: the tree of target paths that rules write to, and the buffers behind its leaves.
//!
//! A value is written once, as the bytes it will be in the end, into the buffer of its leaf;
//! when the record is whole the buffers are stitched together along the tree: JSON with sorted
//! keys (canonical), XML in the order of the rules.

use crate::record::push_json_string;

/// A leaf's number in its shape.
pub type Slot = usize;

/// What a target path may look like and where it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The leaf.
    pub slot: Slot,
    /// Whether it holds a list.
    pub many: bool,
}

/// How the output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// Canonical JSON; paths separate their steps by dots.
    Json,
    /// XML elements; paths separate their steps by slashes.
    Xml,
}

#[derive(Debug)]
enum Part {
    Leaf { slot: Slot, many: bool },
    Branch(Vec<Entry>),
}

/// One step of a target path, and what is below.
#[derive(Debug)]
struct Entry {
    name: String,
    /// `"name":`, ready to be written.
    key: Vec<u8>,
    part: Part,
}

impl Entry {
    fn new(name: &str, part: Part) -> Entry {
        let mut key = Vec::new();
        push_json_string(name, &mut key);
        key.push(b':');
        Entry { name: name.to_owned(), key, part }
    }
}

/// The target paths of one object.
#[derive(Debug)]
pub struct Shape {
    syntax: Syntax,
    root: Vec<Entry>,
    slots: usize,
}

impl Shape {
    /// A shape without paths.
    #[must_use]
    pub fn new(syntax: Syntax) -> Shape {
        Shape { syntax, root: Vec::new(), slots: 0 }
    }

    /// Number of leaves.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// How the output is written.
    #[must_use]
    pub fn syntax(&self) -> Syntax {
        self.syntax
    }

    /// Adds a path, or finds it when it is there already.
    ///
    /// # Errors
    /// A message when the path is empty, has `[]` before its end, or is a leaf in one rule and a
    /// branch or a list in another.
    pub fn add(&mut self, path: &str) -> Result<Target, String> {
        let (path, many) = match path.strip_suffix("[]") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let separator = if self.syntax == Syntax::Json { '.' } else { '/' };
        let steps: Vec<&str> = path.split(separator).collect();
        if steps.iter().any(|step| step.is_empty() || step.contains(['[', ']'])) {
            return Err(format!("`{path}` is no target path: names, and `[]` only at the end"));
        }
        let Some((last, branches)) = steps.split_last() else {
            return Err("a target path is empty".to_owned());
        };
        let mut level = &mut self.root;
        for step in branches {
            let at = match level.iter().position(|entry| entry.name == *step) {
                Some(at) => at,
                None => {
                    level.push(Entry::new(step, Part::Branch(Vec::new())));
                    level.len() - 1
                }
            };
            level = match level.get_mut(at) {
                Some(Entry { part: Part::Branch(below), .. }) => below,
                _ => return Err(format!("`{step}` holds a value in another rule")),
            };
        }
        match level.iter().find(|entry| entry.name == *last).map(|entry| &entry.part) {
            Some(Part::Leaf { slot, many: before }) if *before == many => {
                Ok(Target { slot: *slot, many })
            }
            Some(Part::Leaf { .. }) => {
                Err(format!("`{last}` is a list in one rule and a single value in another"))
            }
            Some(Part::Branch(_)) => Err(format!("`{last}` holds other paths already")),
            None => {
                let slot = self.slots;
                self.slots += 1;
                level.push(Entry::new(last, Part::Leaf { slot, many }));
                Ok(Target { slot, many })
            }
        }
    }

    /// Sorts every level of a JSON shape, when all paths are in.
    pub fn finish(&mut self) {
        fn sort(level: &mut [Entry]) {
            level.sort_by(|a, b| a.name.cmp(&b.name));
            for entry in level {
                if let Part::Branch(below) = &mut entry.part {
                    sort(below);
                }
            }
        }
        if self.syntax == Syntax::Json {
            sort(&mut self.root);
        }
    }

    /// Writes what the buffers hold; an object without values is `{}` or nothing.
    pub fn stitch(&self, buffers: &[Buffer], out: &mut Vec<u8>) {
        match self.syntax {
            Syntax::Json => {
                out.push(b'{');
                stitch_json(&self.root, buffers, out);
                out.push(b'}');
            }
            Syntax::Xml => stitch_xml(&self.root, buffers, out),
        }
    }
}

fn stitch_json(level: &[Entry], buffers: &[Buffer], out: &mut Vec<u8>) {
    let start = out.len();
    for Entry { key, part, .. } in level {
        let before = out.len();
        let begin = |out: &mut Vec<u8>| {
            if before > start {
                out.push(b',');
            }
            out.extend_from_slice(key);
        };
        match part {
            Part::Leaf { slot, many } => {
                let Some(buffer) = buffers.get(*slot).filter(|buffer| !buffer.is_empty()) else {
                    continue;
                };
                begin(out);
                if *many {
                    out.push(b'[');
                }
                buffer.pieces().enumerate().for_each(|(n, piece)| {
                    if n > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(piece);
                });
                if *many {
                    out.push(b']');
                }
            }
            Part::Branch(below) => {
                begin(out);
                out.push(b'{');
                let inner = out.len();
                stitch_json(below, buffers, out);
                if out.len() == inner {
                    out.truncate(before);
                } else {
                    out.push(b'}');
                }
            }
        }
    }
}

fn stitch_xml(level: &[Entry], buffers: &[Buffer], out: &mut Vec<u8>) {
    let element = |name: &str, out: &mut Vec<u8>, content: &mut dyn FnMut(&mut Vec<u8>)| {
        out.push(b'<');
        out.extend_from_slice(name.as_bytes());
        out.push(b'>');
        content(out);
        out.extend_from_slice(b"</");
        out.extend_from_slice(name.as_bytes());
        out.push(b'>');
    };
    for Entry { name, part, .. } in level {
        match part {
            Part::Leaf { slot, .. } => {
                for piece in buffers.get(*slot).into_iter().flat_map(Buffer::pieces) {
                    element(name, out, &mut |out| out.extend_from_slice(piece));
                }
            }
            Part::Branch(below) => {
                let before = out.len();
                let mut empty = true;
                element(name, out, &mut |out| {
                    let inner = out.len();
                    stitch_xml(below, buffers, out);
                    empty = out.len() == inner;
                });
                if empty {
                    out.truncate(before);
                }
            }
        }
    }
}

/// The values of one leaf, one after another, each in its final bytes.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Buffer {
    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Whether it holds no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many values it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The values in order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(from, to)| self.bytes.get(from..*to).unwrap_or_default())
    }

    /// Adds a value; `write` appends its bytes. Says whether it stayed: with `unique`, a value
    /// that is there already is taken back.
    pub fn push(&mut self, unique: bool, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let (before, new) = self.bytes.split_at(start);
        if unique && !self.ends.is_empty() {
            let mut from = 0;
            for end in &self.ends {
                if before.get(from..*end) == Some(new) {
                    self.bytes.truncate(start);
                    return false;
                }
                from = *end;
            }
        }
        self.ends.push(self.bytes.len());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> impl FnOnce(&mut Vec<u8>) {
        move |out| push_json_string(text, out)
    }

    #[test]
    fn json_is_stitched_with_sorted_keys_and_without_empty_branches() {
        let mut shape = Shape::new(Syntax::Json);
        let title = shape.add("metadata.title").unwrap();
        let names = shape.add("metadata.names[]").unwrap();
        let id = shape.add("id").unwrap();
        let _nothing = shape.add("a.b.c").unwrap();
        shape.finish();
        let mut buffers: Vec<Buffer> = (0..shape.slots()).map(|_| Buffer::default()).collect();
        buffers[title.slot].push(false, text("T"));
        assert!(buffers[names.slot].push(true, text("x")));
        assert!(buffers[names.slot].push(true, text("y")));
        assert!(!buffers[names.slot].push(true, text("x")));
        buffers[id.slot].push(false, text("1"));
        let mut out = Vec::new();
        shape.stitch(&buffers, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"id":"1","metadata":{"names":["x","y"],"title":"T"}}"#
        );
    }

    #[test]
    fn xml_is_stitched_in_rule_order() {
        let mut shape = Shape::new(Syntax::Xml);
        let b = shape.add("b[]").unwrap();
        let a = shape.add("as/a[]").unwrap();
        shape.finish();
        let mut buffers: Vec<Buffer> = (0..shape.slots()).map(|_| Buffer::default()).collect();
        buffers[a.slot].push(false, |out| out.extend_from_slice(b"1"));
        buffers[b.slot].push(false, |out| out.extend_from_slice(b"2"));
        buffers[b.slot].push(false, |out| out.extend_from_slice(b"3"));
        let mut out = Vec::new();
        shape.stitch(&buffers, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "<b>2</b><b>3</b><as><a>1</a></as>");
    }

    #[test]
    fn a_path_is_either_a_leaf_or_a_branch_a_value_or_a_list() {
        let mut shape = Shape::new(Syntax::Json);
        shape.add("a.b").unwrap();
        assert!(shape.add("a").is_err());
        assert!(shape.add("a.b.c").is_err());
        assert!(shape.add("a.b[]").is_err());
        assert!(shape.add("a[].b").is_err());
        assert!(shape.add("").is_err());
    }
}
