//! JSON selectors: a subset of RFC 9535, `$.metadata.creators[*].person_or_org.name`.

use serde_json::Value;

use super::{Cursor, SelectorError};

/// One test of a filter: `[?@.scheme=='doi']`, `[?@.type]`, `[?!@.type]`; `&&` joins several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Names below the element.
    pub path: Vec<String>,
    /// Whether the outcome is turned round.
    pub negated: bool,
    /// The text to equal; `None` asks only whether there is a value.
    pub equals: Option<String>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `.name`
    Name(String),
    /// `[*]`
    All,
    /// `[n]`, from the end when negative.
    Index(i64),
    /// `[a:b]`, the end exclusive.
    Range(i64, Option<i64>),
    /// `[?…]`: all must pass.
    Where(Vec<Filter>),
}

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    /// Begins with `$`: from the root, not from the current value.
    pub absolute: bool,
    /// The steps.
    pub steps: Vec<Step>,
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// [`SelectorError`] with the offset of the first character that does not fit.
    pub fn parse(text: &str) -> Result<JsonPath, SelectorError> {
        let mut cursor = Cursor::new(text);
        let absolute = cursor.eat("$");
        let mut steps = Vec::new();
        if !absolute && text != "." {
            steps.push(Step::Name(parse_name(&mut cursor)?));
        }
        if !absolute && text == "." {
            return Ok(JsonPath { absolute, steps });
        }
        loop {
            if cursor.eat(".") {
                steps.push(Step::Name(parse_name(&mut cursor)?));
            } else if cursor.eat("[") {
                steps.push(parse_bracket(&mut cursor)?);
                cursor.expect("]")?;
            } else if cursor.peek().is_none() {
                return Ok(JsonPath { absolute, steps });
            } else {
                return Err(cursor.unexpected("`.`, `[` or the end of the path"));
            }
        }
    }

    /// The member of this name of the record, whatever characters are in it.
    #[must_use]
    pub fn column(name: &str) -> JsonPath {
        JsonPath { absolute: true, steps: vec![Step::Name(name.to_owned())] }
    }

    /// Calls `found` with every value the path leads to, in document order.
    pub fn select<'v>(
        &self,
        root: &'v Value,
        current: &'v Value,
        found: &mut dyn FnMut(&'v Value),
    ) {
        walk(&self.steps, if self.absolute { root } else { current }, found);
    }
}

fn walk<'v>(steps: &[Step], value: &'v Value, found: &mut dyn FnMut(&'v Value)) {
    let Some((step, rest)) = steps.split_first() else {
        if !value.is_null() {
            found(value);
        }
        return;
    };
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    match step {
        Step::Name(name) => {
            if let Some(member) = value.get(name) {
                walk(rest, member, found);
            }
        }
        Step::All => items.iter().for_each(|item| walk(rest, item, found)),
        Step::Index(n) => {
            if let Some(item) = items.get(position(*n, items.len())) {
                walk(rest, item, found);
            }
        }
        Step::Range(from, to) => {
            let from = position(*from, items.len()).min(items.len());
            let to = to.map_or(items.len(), |to| position(to, items.len()).min(items.len()));
            let range = items.get(from..to).unwrap_or_default();
            range.iter().for_each(|item| walk(rest, item, found));
        }
        Step::Where(filters) => items
            .iter()
            .filter(|item| filters.iter().all(|filter| filter.passes(item)))
            .for_each(|item| walk(rest, item, found)),
    }
}

fn position(n: i64, length: usize) -> usize {
    match usize::try_from(n) {
        Ok(n) => n,
        Err(_) => {
            let back = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
            length.checked_sub(back).unwrap_or(usize::MAX)
        }
    }
}

impl Filter {
    fn passes(&self, item: &Value) -> bool {
        let value = self.path.iter().try_fold(item, |value, name| value.get(name));
        let holds = match (value, &self.equals) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(value), Some(text)) => value.as_str() == Some(text.as_str()),
        };
        holds != self.negated
    }
}

fn parse_name(cursor: &mut Cursor<'_>) -> Result<String, SelectorError> {
    let name = cursor.take_while(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if name.is_empty() { Err(cursor.unexpected("a name")) } else { Ok(name.to_owned()) }
}

fn parse_bracket(cursor: &mut Cursor<'_>) -> Result<Step, SelectorError> {
    match cursor.peek() {
        Some('*') => {
            cursor.next();
            Ok(Step::All)
        }
        Some('\'' | '"') => Ok(Step::Name(cursor.quoted()?)),
        Some('?') => {
            cursor.next();
            let mut filters = vec![parse_filter(cursor)?];
            while cursor.eat("&&") {
                filters.push(parse_filter(cursor)?);
            }
            Ok(Step::Where(filters))
        }
        _ => {
            let first = parse_integer(cursor)?;
            if !cursor.eat(":") {
                return Ok(Step::Index(first));
            }
            let open = cursor.peek() == Some(']');
            Ok(Step::Range(first, if open { None } else { Some(parse_integer(cursor)?) }))
        }
    }
}

fn parse_integer(cursor: &mut Cursor<'_>) -> Result<i64, SelectorError> {
    let negative = cursor.eat("-");
    let number = cursor.number()?;
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    Ok(if negative { -number } else { number })
}

fn parse_filter(cursor: &mut Cursor<'_>) -> Result<Filter, SelectorError> {
    cursor.skip_spaces();
    let mut negated = cursor.eat("!");
    cursor.expect("@")?;
    let mut path = Vec::new();
    while cursor.eat(".") {
        path.push(parse_name(cursor)?);
    }
    cursor.skip_spaces();
    let equal = cursor.eat("==");
    if !equal && cursor.eat("!=") {
        negated = !negated;
    } else if !equal {
        return Ok(Filter { path, negated, equals: None });
    }
    cursor.skip_spaces();
    if !matches!(cursor.peek(), Some('\'' | '"')) {
        return Err(cursor.unexpected("a quoted text"));
    }
    let equals = Some(cursor.quoted()?);
    cursor.skip_spaces();
    Ok(Filter { path, negated, equals })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_values() {
        let record = serde_json::json!({
            "id": "1",
            "metadata": {"creators": [
                {"name": "A", "role": {"id": "author"}},
                {"name": "B", "kind": "x"},
                {"name": "C", "kind": null}
            ]}
        });
        for (path, expected) in [
            ("$.id", vec!["1"]),
            ("$.metadata.creators[*].name", vec!["A", "B", "C"]),
            ("$.metadata.creators[0].name", vec!["A"]),
            ("$.metadata.creators[-1].name", vec!["C"]),
            ("$.metadata.creators[-9].name", vec![]),
            ("$.metadata.creators[1:].name", vec!["B", "C"]),
            ("$.metadata.creators[0:2].name", vec!["A", "B"]),
            ("$.metadata.creators[?@.kind=='x'].name", vec!["B"]),
            ("$.metadata.creators[?@.role.id=='author'].name", vec!["A"]),
            ("$.metadata.creators[?!@.kind].name", vec!["A"]),
            ("$.metadata.creators[?@.kind!='x'].name", vec!["A", "C"]),
            ("$.metadata.creators[?@.name!='A' && @.kind].name", vec!["B", "C"]),
            ("$['id']", vec!["1"]),
            ("$.metadata.creators[*].kind", vec!["x"]),
        ] {
            let mut values = Vec::new();
            let parsed = JsonPath::parse(path).unwrap_or_else(|error| panic!("{path} {error:?}"));
            parsed.select(&record, &record, &mut |value| values.push(value.as_str().unwrap()));
            assert_eq!(values, expected, "{path}");
        }
    }

    #[test]
    fn a_path_without_dollar_begins_at_the_current_value() {
        let current = serde_json::json!({"a": {"b": "x"}});
        let mut values = Vec::new();
        let path = JsonPath::parse("a.b").unwrap();
        path.select(&Value::Null, &current, &mut |value| values.push(value.clone()));
        assert_eq!(values, [serde_json::json!("x")]);
    }

    #[test]
    fn a_mistake_is_placed() {
        for (path, at) in [("$.", 2), ("$[", 2), ("$.a[?b]", 5), ("$.a b", 3)] {
            let error = JsonPath::parse(path).expect_err(path);
            assert_eq!(error.at, at, "{path}: {}", error.message);
        }
    }
}
