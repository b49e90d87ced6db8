//! From a text to a query.

use super::{Bound, Node, Path, QueryError, Test, words};

/// So many brackets within each other at most.
const DEEPEST: usize = 50;

/// What stands for itself in a text only behind a backslash.
const SPECIAL: &[char] = &['(', ')', '[', ']', '{', '}', '"', ':', '~', '^', '?', '*', '\\'];

/// Reads a whole text.
pub(super) fn query(text: &str) -> Result<Node, QueryError> {
    let mut parser = Parser { signs: text.chars().collect(), at: 0, depth: 0 };
    parser.blanks();
    if parser.peek().is_none() {
        return Ok(Node::Every);
    }
    let node = parser.alternatives(None)?;
    match parser.peek() {
        None => Ok(node),
        Some(sign) => Err(parser.error(format!("{sign:?} is one too many"))),
    }
}

/// A clause with what stands before it.
struct Clause {
    node: Node,
    /// It has a `+`.
    required: bool,
    /// It has a `-` or a NOT; `node` is without it.
    forbidden: bool,
}

struct Parser {
    signs: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn alternatives(&mut self, field: Option<&Path>) -> Result<Node, QueryError> {
        let mut nodes = vec![self.side_by_side(field)?];
        while self.takes_word(&["OR", "||"]) {
            nodes.push(self.side_by_side(field)?);
        }
        Ok(one_or(nodes, Node::Any))
    }

    fn side_by_side(&mut self, field: Option<&Path>) -> Result<Node, QueryError> {
        let mut clauses = vec![self.chain(field)?];
        while !matches!(self.peek(), None | Some(')')) && !self.is_word(&["OR", "||"]) {
            clauses.push(self.chain(field)?);
        }
        let (mut all, mut any) = (Vec::new(), Vec::new());
        for Clause { node, required, forbidden } in clauses {
            match (required, forbidden) {
                (_, true) => all.push(Node::Not(Box::new(node))),
                (true, false) => all.push(node),
                (false, false) => any.push(node),
            }
        }
        // Beside a clause that must match, the others are a matter of taste.
        let demands = all.iter().any(|node| !matches!(node, Node::Not(_)));
        if !demands && !any.is_empty() {
            all.push(one_or(any, Node::Any));
        }
        Ok(one_or(all, Node::All))
    }

    fn chain(&mut self, field: Option<&Path>) -> Result<Clause, QueryError> {
        let first = self.clause(field)?;
        if !self.is_word(&["AND", "&&"]) {
            return Ok(first);
        }
        let mut nodes = vec![first.into_node()];
        while self.takes_word(&["AND", "&&"]) {
            nodes.push(self.clause(field)?.into_node());
        }
        Ok(Clause { node: Node::All(nodes), required: false, forbidden: false })
    }

    fn clause(&mut self, field: Option<&Path>) -> Result<Clause, QueryError> {
        self.blanks();
        let forbidden = self.takes_word(&["NOT"]) || self.takes('!') || self.takes('-');
        let required = !forbidden && self.takes('+');
        self.blanks();
        Ok(Clause { node: self.operand(field)?, required, forbidden })
    }

    fn operand(&mut self, field: Option<&Path>) -> Result<Node, QueryError> {
        if self.takes('(') {
            return self.brackets(field);
        }
        if self.is_word(&["AND", "OR", "NOT", "&&", "||"]) {
            return Err(self.error("an operator stands where a word is expected".to_owned()));
        }
        let begin = self.at;
        if field.is_none()
            && let Some(path) = self.field()?
        {
            return self.of_field(&path);
        }
        self.at = begin;
        self.test(field)
    }

    fn brackets(&mut self, field: Option<&Path>) -> Result<Node, QueryError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(format!("more than {DEEPEST} brackets within each other")));
        }
        let node = self.alternatives(field)?;
        self.depth -= 1;
        if self.takes(')') { Ok(node) } else { Err(self.error("expected )".to_owned())) }
    }

    /// The path before a colon, if one stands here.
    fn field(&mut self) -> Result<Option<Path>, QueryError> {
        let begin = self.at;
        if self.peek() == Some('"') {
            return Ok(None);
        }
        if self.signs.get(self.at..self.at + 2) == Some(&['*', ':']) {
            self.at += 2;
            return Ok(Some(vec!["*".to_owned()]));
        }
        let name = self.word()?;
        let stars = self.peek() == Some('*');
        if stars && self.signs.get(self.at + 1) == Some(&':') {
            return Err(self.error("a field with * is not understood".to_owned()));
        }
        if self.peek() != Some(':') {
            return Ok(None);
        }
        let path: Path = name.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            self.at = begin;
            return Err(self.error("expected the name of a field".to_owned()));
        }
        self.at += 1;
        Ok(Some(path))
    }

    fn of_field(&mut self, path: &Path) -> Result<Node, QueryError> {
        let [only] = path.as_slice() else { return self.value(path) };
        match only.as_str() {
            "*" if self.takes('*') => Ok(Node::Every),
            "*" => self.test(None),
            "_exists_" => {
                let name = self.word()?;
                let path: Path = name.split('.').map(str::to_owned).collect();
                if path.iter().any(String::is_empty) {
                    return Err(self.error("expected the name of a field".to_owned()));
                }
                Ok(Node::Exists(path))
            }
            _ => self.value(path),
        }
    }

    fn value(&mut self, path: &Path) -> Result<Node, QueryError> {
        if self.takes('(') {
            return self.brackets(Some(path));
        }
        self.test(Some(path))
    }

    fn test(&mut self, field: Option<&Path>) -> Result<Node, QueryError> {
        let begin = self.at;
        let matches = |test| Ok(Node::Matches(field.cloned(), test));
        match self.peek() {
            Some('"') => matches(of_text(&self.phrase()?, false)),
            Some(open @ ('[' | '{')) => matches(self.range(open)?),
            Some('<' | '>') => matches(self.open_range()?),
            Some('/') => Err(self.error("a /pattern/ is not understood".to_owned())),
            _ => {
                let word = self.word()?;
                let begins = self.takes('*');
                if let Some(sign @ ('~' | '^' | '?' | '*' | ':' | '[' | '{' | '"')) = self.peek() {
                    return Err(self.error(format!("{sign:?} is not understood here")));
                }
                let joined = self.signs.get(self.at);
                if begins && joined.is_some_and(|sign| *sign != ')' && !sign.is_whitespace()) {
                    self.at -= 1;
                    return Err(self.error("* is understood at the end of a word".to_owned()));
                }
                match (word.is_empty(), begins, field) {
                    (true, true, None) => Ok(Node::Every),
                    (true, true, Some(path)) => Ok(Node::Exists(path.clone())),
                    (true, false, _) => Err(self.error("expected a word".to_owned())),
                    _ => {
                        let test = of_text(&word, begins);
                        if matches!(&test, Test::Words { words, .. } if words.is_empty()) {
                            self.at = begin;
                            return Err(self.error("expected letters or digits".to_owned()));
                        }
                        matches(test)
                    }
                }
            }
        }
    }

    fn phrase(&mut self) -> Result<String, QueryError> {
        let begin = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => {
                    self.at = begin;
                    return Err(self.error("the quotation does not end".to_owned()));
                }
                Some('"') => break,
                Some('\\') => text.push(self.escaped()?),
                Some(sign) => {
                    text.push(sign);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        if let Some(sign @ ('~' | '^')) = self.peek() {
            return Err(self.error(format!("{sign:?} is not understood here")));
        }
        Ok(text)
    }

    fn range(&mut self, open: char) -> Result<Test, QueryError> {
        self.at += 1;
        let low = self.end()?;
        if !self.takes_word(&["TO"]) {
            return Err(self.error("expected TO".to_owned()));
        }
        let high = self.end()?;
        self.blanks();
        let included = match self.peek() {
            Some(']') => true,
            Some('}') => false,
            _ => return Err(self.error("expected ] or }".to_owned())),
        };
        self.at += 1;
        let bound = |text: Option<String>, included| text.map(|text| Bound { text, included });
        Ok(Test::Range { low: bound(low, open == '['), high: bound(high, included) })
    }

    fn open_range(&mut self) -> Result<Test, QueryError> {
        let is_low = self.takes('>');
        if !is_low {
            self.at += 1;
        }
        let included = self.takes('=');
        let Some(text) = self.end()? else {
            return Err(self.error("expected a word".to_owned()));
        };
        let bound = Some(Bound { text, included });
        Ok(match is_low {
            true => Test::Range { low: bound, high: None },
            false => Test::Range { low: None, high: bound },
        })
    }

    /// An end of a range; `None` is an open one.
    fn end(&mut self) -> Result<Option<String>, QueryError> {
        self.blanks();
        if self.takes('*') {
            return Ok(None);
        }
        if self.peek() == Some('"') {
            return self.phrase().map(Some);
        }
        let mut text = String::new();
        while let Some(sign) = self.peek() {
            match sign {
                '\\' => text.push(self.escaped()?),
                ']' | '}' | '[' | '{' | '(' | ')' | '"' => break,
                sign if sign.is_whitespace() => break,
                sign => {
                    text.push(sign);
                    self.at += 1;
                }
            }
        }
        if text.is_empty() { Err(self.error("expected a word".to_owned())) } else { Ok(Some(text)) }
    }

    fn word(&mut self) -> Result<String, QueryError> {
        let mut text = String::new();
        while let Some(sign) = self.peek() {
            match sign {
                '\\' => text.push(self.escaped()?),
                sign if sign.is_whitespace() || SPECIAL.contains(&sign) => break,
                sign => {
                    text.push(sign);
                    self.at += 1;
                }
            }
        }
        Ok(text)
    }

    fn escaped(&mut self) -> Result<char, QueryError> {
        let Some(sign) = self.signs.get(self.at + 1).copied() else {
            return Err(self.error("nothing stands behind the backslash".to_owned()));
        };
        self.at += 2;
        Ok(sign)
    }

    fn peek(&self) -> Option<char> {
        self.signs.get(self.at).copied()
    }

    fn takes(&mut self, sign: char) -> bool {
        let takes = self.peek() == Some(sign);
        self.at += usize::from(takes);
        takes
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Whether one of these words comes next, by itself.
    fn is_word(&mut self, words: &[&str]) -> bool {
        let begin = self.at;
        let found = self.takes_word(words);
        if found {
            self.at = begin;
        }
        self.blanks();
        found
    }

    fn takes_word(&mut self, words: &[&str]) -> bool {
        self.blanks();
        let rest = self.signs.get(self.at..).unwrap_or_default();
        let stands = |word: &&&str| {
            let length = word.chars().count();
            let is_here = rest.iter().copied().take(length).eq(word.chars());
            let ends = |sign: &char| sign.is_whitespace() || matches!(sign, '(' | '"');
            is_here && (!word.starts_with(char::is_alphabetic) || rest.get(length).is_none_or(ends))
        };
        let Some(found) = words.iter().find(stands) else { return false };
        self.at += found.chars().count();
        self.blanks();
        true
    }

    fn error(&self, message: String) -> QueryError {
        QueryError { message, character: self.at + 1 }
    }
}

impl Clause {
    fn into_node(self) -> Node {
        if self.forbidden { Node::Not(Box::new(self.node)) } else { self.node }
    }
}

fn of_text(text: &str, begins: bool) -> Test {
    Test::Words { whole: text.to_lowercase(), words: words(text), begins }
}

fn one_or(mut nodes: Vec<Node>, many: fn(Vec<Node>) -> Node) -> Node {
    match nodes.len() {
        1 => nodes.remove(0),
        _ => many(nodes),
    }
}
