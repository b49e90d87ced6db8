//! Shapes: the tree of target paths that rules write to, and the buffers behind its leaves.
//!
//! A value is written once, as the bytes it will be in the end, into the buffer of its leaf;
//! when the record is whole the buffers are stitched together along the tree: JSON with sorted
//! keys (canonical), XML in the order of the rules, MARC as MARCXML.

mod buffer;
mod demands;
mod draft;
mod form;
mod path;
mod stitch;

use buffer::bit;
pub use buffer::{Buffer, Buffers};
pub use demands::Demands;
pub use draft::{Draft, Flat};
pub use form::{Form, Quoting};
pub use path::{LEADER, TEXT};

/// A leaf's number in its shape.
pub type Slot = usize;

/// What a target path may look like and where it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The leaf.
    pub slot: Slot,
    /// Whether it holds a list.
    pub many: bool,
    /// How its values are written.
    pub form: Form,
}

/// How the output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// Canonical JSON; paths separate their steps by dots.
    Json,
    /// XML elements; paths separate their steps by slashes, `@name` is an attribute, `.` the
    /// element's own text.
    Xml,
    /// A MARC record: tags, `LDR` for the leader.
    Marc,
    /// A data field of it: `$a`, `ind1`, `ind2`.
    MarcField,
}

impl Syntax {
    /// The syntax of what is built inside.
    #[must_use]
    pub fn below(self) -> Syntax {
        match self {
            Syntax::Marc | Syntax::MarcField => Syntax::MarcField,
            same => same,
        }
    }
}

#[derive(Debug)]
enum Part {
    Leaf(Target),
    Branch(Vec<Entry>),
}

impl Part {
    /// The bits of its leaves among those that are filled ([`Buffers::filled`]).
    fn bits(&self) -> u64 {
        match self {
            Part::Leaf(target) => bit(target.slot),
            Part::Branch(below) => below.iter().fold(0, |bits, entry| bits | entry.part.bits()),
        }
    }
}

/// One step of a target path, and what is below.
#[derive(Debug)]
struct Entry {
    name: String,
    /// What stands before a value: `"name":`, `<name`.
    open: Vec<u8>,
    /// What stands behind it.
    close: Vec<u8>,
    part: Part,
    /// [`Part::bits`], once all paths are in.
    bits: u64,
}

impl Entry {
    fn new(syntax: Syntax, name: &str, part: Part) -> Entry {
        let (open, close) = path::frame(syntax, name);
        let bits = part.bits();
        Entry { name: name.to_owned(), open, close, part, bits }
    }

    fn is_content(&self) -> bool {
        match &self.part {
            Part::Leaf(target) => target.form.is_content(),
            Part::Branch(_) => true,
        }
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
    /// A shape without paths; of a MARC field, with its indicators.
    #[must_use]
    pub fn new(syntax: Syntax) -> Shape {
        let mut shape = Shape { syntax, root: Vec::new(), slots: 0 };
        if syntax == Syntax::MarcField {
            for name in ["ind1", "ind2"] {
                shape.push_indicator(name);
            }
        }
        shape
    }

    fn push_indicator(&mut self, name: &str) {
        let target = Target { slot: self.slots, many: false, form: Form::Indicator };
        self.slots += 1;
        self.root.push(Entry::new(self.syntax, name, Part::Leaf(target)));
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
    /// A message when the path is empty or of names that the syntax does not have, has `[]`
    /// before its end, or is a leaf in one rule and a branch or a list in another.
    pub fn add(&mut self, path: &str) -> Result<Target, String> {
        let (path, listed) = match path.strip_suffix("[]") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let steps: Vec<&str> = match self.syntax {
            Syntax::Json => path.split('.').collect(),
            Syntax::Xml => path.split('/').collect(),
            Syntax::Marc | Syntax::MarcField => vec![path],
        };
        if steps.iter().any(|step| step.is_empty() || step.contains(['[', ']'])) {
            return Err(format!("`{path}` is no target path: names, and `[]` only at the end"));
        }
        let Some((last, branches)) = steps.split_last() else {
            return Err("a target path is empty".to_owned());
        };
        let (form, many) = path::leaf(self.syntax, last, listed)?;
        let mut level = &mut self.root;
        for step in branches {
            path::leaf(self.syntax, step, true)?;
            let at = match level.iter().position(|entry| entry.name == *step) {
                Some(at) => at,
                None => {
                    level.push(Entry::new(self.syntax, step, Part::Branch(Vec::new())));
                    level.len() - 1
                }
            };
            level = match level.get_mut(at) {
                Some(Entry { part: Part::Branch(below), .. }) => below,
                _ => return Err(format!("`{step}` holds a value in another rule")),
            };
        }
        match level.iter().find(|entry| entry.name == *last).map(|entry| &entry.part) {
            Some(Part::Leaf(target)) if target.many == many => Ok(*target),
            Some(Part::Leaf(_)) => {
                Err(format!("`{last}` is a list in one rule and a single value in another"))
            }
            Some(Part::Branch(_)) => Err(format!("`{last}` holds other paths already")),
            None => {
                let target = Target { slot: self.slots, many, form };
                self.slots += 1;
                level.push(Entry::new(self.syntax, last, Part::Leaf(target)));
                Ok(target)
            }
        }
    }

    /// Settles the order, when all paths are in: JSON by name; MARC leader, control fields, data
    /// fields, with `by_tag` all by tag; XML as the paths came.
    pub fn finish(&mut self, by_tag: bool) {
        fn sort(level: &mut [Entry]) {
            level.sort_by(|a, b| a.name.cmp(&b.name));
            for entry in level {
                entry.bits = entry.part.bits();
                if let Part::Branch(below) = &mut entry.part {
                    sort(below);
                }
            }
        }
        match self.syntax {
            Syntax::Json => sort(&mut self.root),
            Syntax::Marc => self.root.sort_by(|a, b| {
                let class = |name: &str| (name != LEADER, !name.starts_with("00"));
                let classes = class(&a.name).cmp(&class(&b.name));
                if by_tag { classes.then_with(|| a.name.cmp(&b.name)) } else { classes }
            }),
            Syntax::Xml | Syntax::MarcField => {}
        }
    }

    /// Whether a rule gave a MARC record its leader.
    #[must_use]
    pub fn has_leader(&self, buffers: &Buffers) -> bool {
        let leader = self.root.iter().find(|entry| entry.name == LEADER);
        leader.is_some_and(|entry| match entry.part {
            Part::Leaf(target) => buffers.get(target.slot).is_some(),
            Part::Branch(_) => false,
        })
    }

    /// Whether the buffers hold anything worth writing: content where the shape has a place for
    /// some, else an attribute.
    #[must_use]
    pub fn is_filled(&self, buffers: &Buffers) -> bool {
        fn filled(entry: &Entry, buffers: &Buffers, content: bool) -> bool {
            match &entry.part {
                Part::Leaf(target) => {
                    target.form.is_content() == content && buffers.get(target.slot).is_some()
                }
                Part::Branch(below) => below.iter().any(|entry| filled(entry, buffers, content)),
            }
        }
        if self.syntax == Syntax::Json {
            return buffers.filled() != 0;
        }
        let content = self.root.iter().any(Entry::is_content);
        self.root.iter().any(|entry| filled(entry, buffers, content))
    }

    /// Writes what the buffers hold: JSON as an object, `{}` without values; of XML what stands
    /// behind an element's name, ` lang="en">text`; of MARC the same, of `<record` or `<datafield`.
    pub fn stitch(&self, buffers: &Buffers, out: &mut Vec<u8>) {
        match self.syntax {
            Syntax::Json => {
                out.push(b'{');
                stitch::json(&self.root, buffers, out);
                out.push(b'}');
            }
            Syntax::Xml | Syntax::Marc | Syntax::MarcField => {
                stitch::element(&self.root, buffers, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::push_json_string;

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
        shape.finish(false);
        let mut buffers = Buffers::default();
        buffers.begin(shape.slots());
        buffers.push(title.slot, false, text("T"));
        assert!(buffers.push(names.slot, true, text("x")));
        assert!(buffers.push(names.slot, true, text("y")));
        assert!(!buffers.push(names.slot, true, text("x")));
        buffers.push(id.slot, false, text("1"));
        let mut out = Vec::new();
        shape.stitch(&buffers, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"id":"1","metadata":{"names":["x","y"],"title":"T"}}"#
        );
    }

    /// What a shape of these paths writes of values under some of them.
    fn stitched(syntax: Syntax, paths: &[&str], values: &[(&str, &str)]) -> String {
        let mut shape = Shape::new(syntax);
        for path in paths {
            shape.add(path).unwrap();
        }
        let targets: Vec<_> = values.iter().map(|(path, _)| shape.add(path).unwrap()).collect();
        shape.finish(false);
        let mut buffers = Buffers::default();
        buffers.begin(shape.slots());
        for (target, (_, value)) in targets.iter().zip(values) {
            buffers.push(target.slot, false, |out| {
                assert_eq!(target.form.write(value, Quoting::Escaped, out), 0);
            });
        }
        let mut out = Vec::new();
        shape.stitch(&buffers, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn xml_is_stitched_in_rule_order_with_attributes_in_front() {
        let paths = ["b[]", "as/a[]", "as/@n", "@x", "."];
        for (values, expected) in [
            (
                &[("as/a[]", "1"), ("b[]", "2<"), ("b[]", "3")][..],
                "><b>2&lt;</b><b>3</b><as><a>1</a></as>",
            ),
            (
                &[("@x", "\""), ("as/a[]", ""), ("as/@n", "1")],
                " x=\"&quot;\"><as n=\"1\"><a/></as>",
            ),
            (&[("as/@n", "1"), (".", "text")], ">text"),
        ] {
            assert_eq!(stitched(Syntax::Xml, &paths, values), expected);
        }
        assert_eq!(stitched(Syntax::Xml, &["a/@n"], &[("a/@n", "1")]), "><a n=\"1\"/>");
    }

    #[test]
    fn marc_has_its_leader_in_front_and_blank_indicators() {
        let paths = ["245", "LDR", "001"];
        let found = stitched(Syntax::Marc, &paths, &[("245", "t"), ("001", "1")]);
        let expected =
            "><controlfield tag=\"001\">1</controlfield><datafield tag=\"245\">t</datafield>";
        assert_eq!(found, expected);
        let found = stitched(
            Syntax::MarcField,
            &[],
            &[("$b", "1"), ("ind2", "_"), ("$a", "2"), ("ind1", "3")],
        );
        let expected = " ind1=\"3\" ind2=\" \"><subfield code=\"b\">1</subfield><subfield code=\"a\">2</subfield>";
        assert_eq!(found, expected);
    }

    #[test]
    fn names_are_those_of_the_syntax() {
        for (syntax, path) in [
            (Syntax::Xml, "a b"),
            (Syntax::Xml, "@x[]"),
            (Syntax::Xml, "@x/a"),
            (Syntax::Xml, "a:b:c"),
            (Syntax::Xml, "./a"),
            (Syntax::Marc, "$a"),
            (Syntax::Marc, "24"),
            (Syntax::MarcField, "$ab"),
            (Syntax::MarcField, "ind3"),
        ] {
            assert!(Shape::new(syntax).add(path).is_err(), "{path}");
        }
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
