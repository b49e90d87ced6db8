//! A JSON text that is only read: its values one behind the other, as they stand in the text.
//!
//! Texts without escapes are borrowed, nothing is looked up by hashing, and each value knows how
//! many leaves stand before it. <https://www.rfc-editor.org/rfc/rfc8259>

use std::borrow::Cow;
use std::ops::Range;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Number, Value};

use super::reader::{JsonError, Reader, Token};

/// All values of a text.
#[derive(Debug)]
pub struct Tree<'j> {
    entries: Vec<Entry<'j>>,
}

#[derive(Debug)]
struct Entry<'j> {
    /// In an object.
    key: Cow<'j, str>,
    kind: Kind<'j>,
    /// The place behind everything that is in it.
    end: u32,
    /// Leaves before it.
    leaves: u32,
}

/// What a value is.
#[derive(Debug)]
pub enum Kind<'j> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text, escapes resolved.
    Text(Cow<'j, str>),
    /// An array.
    Array,
    /// An object.
    Object,
}

/// A value of a tree, with all that is in it.
#[derive(Debug, Clone, Copy)]
pub struct Branch<'t> {
    tree: &'t Tree<'t>,
    at: u32,
}

impl<'j> Tree<'j> {
    /// Reads a text, and changes nothing of it.
    ///
    /// # Errors
    /// Those of [`Reader::next`], `json.number` for a number that no double holds, `json.text` for
    /// half a surrogate pair or a control character in a text.
    pub fn parse(text: &'j str) -> Result<Tree<'j>, JsonError> {
        let mut reader = Reader::new(text);
        // A value has some 30 bytes, its key with it.
        let mut building = Building::of(text.len() / 24);
        loop {
            let kind = match reader.next()? {
                Token::Key(key) => {
                    building.key = key;
                    continue;
                }
                Token::EndObject | Token::EndArray => {
                    building.close();
                    continue;
                }
                Token::Eof if reader.lone_surrogates() + reader.bare_controls() > 0 => {
                    let message = "half a surrogate pair or a control character stands in a text";
                    return Err(JsonError { code: "json.text", message: message.to_owned() });
                }
                Token::Eof => return Ok(building.tree),
                Token::BeginObject => Kind::Object,
                Token::BeginArray => Kind::Array,
                Token::Text(text) => Kind::Text(text),
                Token::Bool(truth) => Kind::Bool(truth),
                Token::Null => Kind::Null,
                Token::Number(number) => Kind::Number(number.parse().map_err(|_| {
                    let message = format!("{number} is too large for a number");
                    JsonError { code: "json.number", message }
                })?),
            };
            building.add(kind);
        }
    }

    /// The same of a value that was read already.
    #[must_use]
    pub fn of(value: &'j Value) -> Tree<'j> {
        let mut building = Building::of(64);
        building.copy(value);
        building.tree
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Branch<'_> {
        Branch { tree: self, at: 0 }
    }

    /// How many texts, numbers and truth values there are.
    #[must_use]
    pub fn leaf_count(&self) -> usize {
        self.root().leaves().len()
    }
}

/// A tree to which values are added in the order of the text.
struct Building<'j> {
    tree: Tree<'j>,
    /// The key of the next value.
    key: Cow<'j, str>,
    /// The open arrays and objects.
    open: Vec<usize>,
    leaves: u32,
}

impl<'j> Building<'j> {
    fn of(capacity: usize) -> Building<'j> {
        let tree = Tree { entries: Vec::with_capacity(capacity) };
        Building { tree, key: Cow::Borrowed(""), open: Vec::new(), leaves: 0 }
    }

    fn add(&mut self, kind: Kind<'j>) {
        let at = self.tree.entries.len();
        let key = std::mem::take(&mut self.key);
        let leaves = self.leaves;
        match &kind {
            Kind::Null => {}
            Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => self.leaves += 1,
            Kind::Array | Kind::Object => self.open.push(at),
        }
        self.tree.entries.push(Entry { key, kind, end: number(at + 1), leaves });
    }

    fn close(&mut self) {
        let end = number(self.tree.entries.len());
        let opened = self.open.pop().and_then(|at| self.tree.entries.get_mut(at));
        if let Some(entry) = opened {
            entry.end = end;
        }
    }

    fn copy(&mut self, value: &'j Value) {
        match value {
            Value::Null => self.add(Kind::Null),
            Value::Bool(truth) => self.add(Kind::Bool(*truth)),
            Value::Number(number) => self.add(Kind::Number(number.clone())),
            Value::String(text) => self.add(Kind::Text(Cow::Borrowed(text))),
            Value::Array(values) => {
                self.add(Kind::Array);
                values.iter().for_each(|value| self.copy(value));
                self.close();
            }
            Value::Object(members) => {
                self.add(Kind::Object);
                for (key, value) in members {
                    self.key = Cow::Borrowed(key);
                    self.copy(value);
                }
                self.close();
            }
        }
    }
}

// A text of 4 GiB is no record.
fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

impl<'t> Branch<'t> {
    fn entry(self) -> Option<&'t Entry<'t>> {
        self.tree.entries.get(self.at as usize)
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> &'t Kind<'t> {
        self.entry().map_or(&Kind::Null, |entry| &entry.kind)
    }

    /// Its text, when it is one.
    #[must_use]
    pub fn as_str(self) -> Option<&'t str> {
        match self.kind() {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is an array or object without anything in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        matches!(self.kind(), Kind::Array | Kind::Object) && self.children().next().is_none()
    }

    /// The member of an object; of several of one name, the first.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Branch<'t>> {
        let entry = self.entry()?;
        if !matches!(entry.kind, Kind::Object) {
            return None;
        }
        // As `children`, without a step of an iterator for each: this is where paths spend time.
        let mut at = self.at + 1;
        while at < entry.end {
            let child = self.tree.entries.get(at as usize)?;
            if *child.key == *key {
                return Some(Branch { tree: self.tree, at });
            }
            at = child.end;
        }
        None
    }

    /// The items of an array, the values of an object, as they stand in the text.
    pub fn children(self) -> impl Iterator<Item = Branch<'t>> {
        let (mut at, tree) = (self.at + 1, self.tree);
        let end = self.entry().map_or(0, |entry| entry.end);
        std::iter::from_fn(move || {
            let entry = tree.entries.get(at as usize).filter(|_| at < end)?;
            let child = Branch { tree, at };
            at = entry.end;
            Some(child)
        })
    }

    /// Calls `found` with the items of an array as they stand in the text, or the members of an
    /// object by their keys.
    pub fn visit(self, found: &mut dyn FnMut(&'t str, Branch<'t>)) {
        let keys = || self.children().map(Branch::key);
        if matches!(self.kind(), Kind::Array) || keys().is_sorted() {
            return self.children().for_each(|child| found(child.key(), child));
        }
        let mut members: Vec<Branch<'t>> = self.children().collect();
        members.sort_by_key(|member| member.key());
        members.into_iter().for_each(|member| found(member.key(), member));
    }

    /// The key by which an object has it; empty anywhere else.
    #[must_use]
    pub fn key(self) -> &'t str {
        self.entry().map_or("", |entry| &entry.key)
    }

    /// The numbers of the leaves in it: texts, numbers and truth values are counted through the
    /// text; empty arrays and objects and `null` hold nothing that could be lost.
    #[must_use]
    pub fn leaves(self) -> Range<u32> {
        let Some(entry) = self.entry() else { return 0..0 };
        let behind = match self.tree.entries.get(entry.end as usize) {
            Some(next) => next.leaves,
            // It is the last one: what is in it ends the text.
            None => self.tree.entries.last().map_or(0, |last| {
                let is_leaf = !matches!(last.kind, Kind::Null | Kind::Array | Kind::Object);
                last.leaves + u32::from(is_leaf)
            }),
        };
        entry.leaves..behind
    }
}

impl Serialize for Branch<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.kind() {
            Kind::Null => serializer.serialize_unit(),
            Kind::Bool(truth) => serializer.serialize_bool(*truth),
            Kind::Number(number) => number.serialize(serializer),
            Kind::Text(text) => serializer.serialize_str(text),
            Kind::Array => serializer.collect_seq(self.children()),
            Kind::Object => {
                let mut map = serializer.serialize_map(None)?;
                let mut result = Ok(());
                self.visit(&mut |key, value| {
                    if result.is_ok() {
                        result = map.serialize_entry(key, &value);
                    }
                });
                result?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const TEXT: &str =
        r#"{"b": [1, -2.5, "x\n", null, true, []], "a": {"c": "é", "": {}}, "aa": "y"}"#;

    #[test]
    fn a_text_is_its_values() {
        let tree = Tree::parse(TEXT).unwrap();
        let root = tree.root();
        assert_eq!(root.get("aa").and_then(Branch::as_str), Some("y"));
        assert_eq!(root.get("a").and_then(|a| a.get("c")).and_then(Branch::as_str), Some("é"));
        assert!(root.get("c").is_none() && root.get("b").unwrap().get("b").is_none());
        let items: Vec<String> =
            root.get("b").unwrap().children().map(|item| json!(item).to_string()).collect();
        assert_eq!(items, ["1", "-2.5", "\"x\\n\"", "null", "true", "[]"]);
        // Members come by their keys, whatever order they stand in.
        let mut keys = Vec::new();
        root.visit(&mut |key, _| keys.push(key));
        assert_eq!(keys, ["a", "aa", "b"]);
        for (text, code) in [
            ("[1", "json.truncated"),
            ("[1e999]", "json.number"),
            ("[\"a\tb\"]", "json.text"),
            ("[\"\\ud83d\"]", "json.text"),
        ] {
            assert_eq!(Tree::parse(text).unwrap_err().code, code, "{text}");
        }
    }

    #[test]
    fn leaves_are_numbered_through_the_text() {
        let tree = Tree::parse(TEXT).unwrap();
        let root = tree.root();
        assert_eq!((tree.leaf_count(), root.leaves()), (6, 0..6));
        let of = |key| root.get(key).unwrap().leaves();
        assert_eq!([of("b"), of("a"), of("aa")], [0..4, 4..5, 5..6]);
        let items: Vec<_> =
            root.get("b").unwrap().children().map(|item| item.leaves().len()).collect();
        assert_eq!(items, [1, 1, 1, 0, 1, 0]);
        assert_eq!(Tree::parse("{}").unwrap().leaf_count(), 0);
        assert_eq!(Tree::parse("7").unwrap().leaf_count(), 1);
        assert_eq!(Tree::parse("[[], null]").unwrap().leaf_count(), 0);
    }

    proptest! {
        #[test]
        fn it_is_what_another_reader_reads(text in "[\\[\\]{}:,\"ab1\\\\ untrl.e-]{0,24}") {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let tree = Tree::parse(&text).unwrap();
                // Both have the last of keys that stand twice.
                prop_assert_eq!(&json!(tree.root()), &value);
                let again = Tree::of(&value);
                prop_assert_eq!(&json!(again.root()), &value);
            }
        }
    }
}
