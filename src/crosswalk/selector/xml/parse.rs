//! Reading an XML selector.
//!
//! ```text
//! union     = path *( "|" path )
//! path      = [ "/" | "//" ] step *( ( "/" | "//" ) step )
//! step      = ( "." | ".." | [ "@" ] name | "text()" | "(" union ")" ) *( "[" predicate "]" )
//! name      = [ ( NCNAME | "*" ) ":" ] ( NCNAME | "*" )
//! predicate = INT | "last()" | test
//! test      = all *( "or" all )       all = one *( "and" one )
//! one       = "not(" test ")" | "(" test ")" | value [ ( "=" | "!=" ) literal ]
//!           | ( "starts-with(" | "contains(" ) value "," literal ")"
//! value     = union | "lower-case(" union ")"
//! ```

use super::predicate::{Comparison, Predicate, Relation, Test};
use super::{Axis, NameTest, NamespaceTest, Namespaces, OaiHeader, Path, Step, Union};
use crate::crosswalk::selector::{Cursor, SelectorError};
use crate::xml::tree::LocalName;

/// Groups and predicates may stand so deep in one another.
const MAX_DEPTH: usize = 16;

pub(super) fn parse(text: &str, namespaces: &Namespaces) -> Result<Union, SelectorError> {
    let mut parser = Parser { cursor: Cursor::new(text), namespaces, depth: 0 };
    let union = parser.union()?;
    match parser.cursor.peek() {
        None => Ok(union),
        Some(_) => Err(parser.cursor.unexpected("`/`, `[`, `|` or the end of the selector")),
    }
}

struct Parser<'t> {
    cursor: Cursor<'t>,
    namespaces: &'t Namespaces,
    depth: usize,
}

impl Parser<'_> {
    fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, SelectorError>,
    ) -> Result<T, SelectorError> {
        if self.depth == MAX_DEPTH {
            let message = format!("brackets in brackets, more than {MAX_DEPTH} deep");
            return Err(SelectorError::new(self.cursor.at, message));
        }
        self.depth += 1;
        let found = inner(self);
        self.depth -= 1;
        found
    }

    fn union(&mut self) -> Result<Union, SelectorError> {
        let mut paths = Vec::new();
        loop {
            self.cursor.skip_spaces();
            paths.push(self.path()?);
            self.cursor.skip_spaces();
            if !self.cursor.eat("|") {
                return Ok(Union::new(paths));
            }
        }
    }

    fn path(&mut self) -> Result<Path, SelectorError> {
        let mut steps: Vec<Step> = Vec::new();
        let mut below = self.cursor.eat("//");
        let absolute = below || self.cursor.eat("/");
        let is_end = |c: Option<char>| matches!(c, None | Some('|' | ')' | ' '));
        if absolute && !below && is_end(self.cursor.peek()) {
            return Ok(Path { absolute, steps });
        }
        loop {
            self.step(below, absolute, &mut steps)?;
            below = self.cursor.eat("//");
            if !below && !self.cursor.eat("/") {
                return Ok(Path { absolute, steps });
            }
        }
    }

    fn step(
        &mut self,
        below: bool,
        absolute: bool,
        steps: &mut Vec<Step>,
    ) -> Result<(), SelectorError> {
        let at_root = absolute && steps.is_empty();
        let at = self.cursor.at;
        let axis = match self.axis()? {
            Axis::Child(name) if below => Axis::Descendant { name, or_self: at_root },
            Axis::Child(name) if at_root => Axis::Own(Some(name)),
            Axis::Header(_) if below || !steps.is_empty() => {
                let message = "the OAI header is read from its beginning: `@oai:identifier`";
                return Err(SelectorError::new(at, message));
            }
            axis => {
                if below {
                    steps.push(Step { axis: Axis::DescendantOrSelf, predicates: Vec::new() });
                }
                axis
            }
        };
        let mut predicates = Vec::new();
        while self.cursor.eat("[") {
            predicates.push(self.deeper(Parser::predicate)?);
            self.cursor.skip_spaces();
            self.cursor.expect("]")?;
        }
        steps.push(Step { axis, predicates });
        Ok(())
    }

    fn axis(&mut self) -> Result<Axis, SelectorError> {
        if self.cursor.eat("..") {
            Ok(Axis::Parent)
        } else if self.cursor.eat(".") {
            Ok(Axis::Own(None))
        } else if self.cursor.eat("(") {
            let union = self.deeper(Parser::union)?;
            self.cursor.expect(")")?;
            Ok(Axis::Group(union))
        } else if self.cursor.eat("text()") {
            Ok(Axis::Text)
        } else if self.cursor.eat("@") {
            self.attribute()
        } else {
            let (prefix, local) = self.name("a name, `@`, `.`, `*` or `(`")?;
            Ok(Axis::Child(self.name_test(prefix.unwrap_or((self.cursor.at, "")), local)?))
        }
    }

    fn attribute(&mut self) -> Result<Axis, SelectorError> {
        let at = self.cursor.at;
        let (prefix, local) = self.name("the name of an attribute or `*`")?;
        match prefix {
            // Attributes without prefix are in no namespace, `@*` is all of them.
            None => {
                let namespace = match local {
                    "*" => NamespaceTest::Any,
                    _ => NamespaceTest::OneOf(vec![String::new()]),
                };
                Ok(Axis::Attribute(NameTest { namespace, local: named(local) }))
            }
            Some((_, "oai")) => OaiHeader::named(local).map(Axis::Header).ok_or_else(|| {
                let expected = "identifier, datestamp, setSpec or status";
                SelectorError::new(at, format!("found `@oai:{local}`, expected {expected}"))
            }),
            Some(prefix) => Ok(Axis::Attribute(self.name_test(prefix, local)?)),
        }
    }

    fn name_test(
        &self,
        (at, prefix): (usize, &str),
        local: &str,
    ) -> Result<NameTest, SelectorError> {
        let namespace = match (prefix, local) {
            ("*", _) | ("", "*") => Some(NamespaceTest::Any),
            _ => self.namespaces.of(prefix),
        };
        match namespace {
            Some(namespace) => Ok(NameTest { namespace, local: named(local) }),
            None => {
                let message = format!("`from.ns` has no namespace for the prefix `{prefix}`");
                Err(SelectorError::new(at, message))
            }
        }
    }
}

/// A prefix, if there is one, with its offset; and a local name.
type Named<'t> = (Option<(usize, &'t str)>, &'t str);

impl<'t> Parser<'t> {
    fn name(&mut self, expected: &str) -> Result<Named<'t>, SelectorError> {
        let at = self.cursor.at;
        let first = self.name_part(expected)?;
        if !self.cursor.eat(":") {
            return Ok((None, first));
        }
        Ok((Some((at, first)), self.name_part("a name behind the prefix")?))
    }

    fn name_part(&mut self, expected: &str) -> Result<&'t str, SelectorError> {
        let start = self.cursor.rest();
        if self.cursor.eat("*") {
            return Ok(start.get(..1).unwrap_or_default());
        }
        let begins = |c: char| c.is_alphabetic() || c == '_';
        if !self.cursor.peek().is_some_and(begins) {
            return Err(self.cursor.unexpected(expected));
        }
        Ok(self.cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
    }

    fn predicate(&mut self) -> Result<Predicate, SelectorError> {
        self.cursor.skip_spaces();
        if self.cursor.eat("last()") {
            return Ok(Predicate::Last);
        }
        if self.cursor.peek().is_some_and(|c| c.is_ascii_digit()) {
            let at = self.cursor.at;
            return match self.cursor.number()? {
                0 => Err(SelectorError::new(at, "positions begin at 1")),
                position => Ok(Predicate::Position(position)),
            };
        }
        self.any().map(Predicate::Test)
    }

    fn any(&mut self) -> Result<Test, SelectorError> {
        let mut tests = vec![self.all()?];
        while self.eat_word("or") {
            tests.push(self.all()?);
        }
        Ok(if tests.len() == 1 { tests.swap_remove(0) } else { Test::Any(tests) })
    }

    fn all(&mut self) -> Result<Test, SelectorError> {
        let mut tests = vec![self.one()?];
        while self.eat_word("and") {
            tests.push(self.one()?);
        }
        Ok(if tests.len() == 1 { tests.swap_remove(0) } else { Test::All(tests) })
    }

    fn eat_word(&mut self, word: &str) -> bool {
        self.cursor.skip_spaces();
        let behind = self.cursor.rest().strip_prefix(word).map(|rest| rest.chars().next());
        let is_whole = matches!(behind, Some(None | Some(' ' | '(')));
        is_whole && self.cursor.eat(word)
    }

    fn one(&mut self) -> Result<Test, SelectorError> {
        self.cursor.skip_spaces();
        let negated = self.cursor.eat("not(");
        if negated || self.is_grouped_test() && self.cursor.eat("(") {
            let inner = self.deeper(Parser::any)?;
            self.cursor.skip_spaces();
            self.cursor.expect(")")?;
            return Ok(if negated { Test::Not(Box::new(inner)) } else { inner });
        }
        for (function, relation) in
            [("starts-with(", Relation::Begins), ("contains(", Relation::Contains)]
        {
            if self.cursor.eat(function) {
                let (operand, in_lower_case) = self.value()?;
                self.cursor.skip_spaces();
                self.cursor.expect(",")?;
                let word = self.literal()?;
                self.cursor.skip_spaces();
                self.cursor.expect(")")?;
                return Ok(Test::Compare(Comparison { operand, in_lower_case, relation, word }));
            }
        }
        let (operand, in_lower_case) = self.value()?;
        self.cursor.skip_spaces();
        let relation = if self.cursor.eat("!=") {
            Relation::Other
        } else if self.cursor.eat("=") {
            Relation::Equal
        } else {
            return Ok(Test::Exists(operand));
        };
        let word = self.literal()?;
        Ok(Test::Compare(Comparison { operand, in_lower_case, relation, word }))
    }

    // `(@a or @b)` is a test, `(a|b)/@c` a path.
    fn is_grouped_test(&self) -> bool {
        let mut depth = 0_usize;
        let mut quote = None;
        let rest = self.cursor.rest();
        if !rest.starts_with('(') {
            return false;
        }
        for (at, c) in rest.char_indices() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, '(') => depth += 1,
                (None, ')') if depth > 1 => depth -= 1,
                (None, ')') => {
                    let behind = rest.get(at + 1..).unwrap_or_default().trim_start();
                    return !behind.starts_with(['/', '[', '=', '!', '|']);
                }
                _ => {}
            }
        }
        false
    }

    fn value(&mut self) -> Result<(Union, bool), SelectorError> {
        self.cursor.skip_spaces();
        if !self.cursor.eat("lower-case(") {
            return Ok((self.deeper(Parser::union)?, false));
        }
        let operand = self.deeper(Parser::union)?;
        self.cursor.expect(")")?;
        Ok((operand, true))
    }

    fn literal(&mut self) -> Result<String, SelectorError> {
        self.cursor.skip_spaces();
        match self.cursor.peek() {
            Some('\'' | '"') => self.cursor.quoted(),
            _ => Err(self.cursor.unexpected("a quoted text")),
        }
    }
}

fn named(local: &str) -> Option<LocalName> {
    (local != "*").then(|| LocalName::new(local))
}
