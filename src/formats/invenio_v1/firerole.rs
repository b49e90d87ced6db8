//! Fireroles: the texts by which Invenio v1 says who may see something, rule by rule.
//!
//! One rule a line, the first that matches decides: `allow|deny [not] FIELD VALUE, …` with values
//! in quotation marks or, as regular expressions, between slashes; `allow|deny any`; a comment
//! begins with `#`. Nobody is let in whom no rule lets in. A rule with a date is a gate: it lets
//! nobody in, it keeps out or lets go on to the next rule.
//! <https://inveniosoftware.org> (WebAccess, "firewall-like role definitions")

use jiff::civil::Date;

/// One line of a firerole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its line, from 1.
    pub line: usize,
    /// Its text, without its comment.
    pub text: String,
    /// Whether it lets in, or keeps out.
    pub allow: bool,
    /// Whom.
    pub whom: Whom,
}

/// Whom a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Everybody; no rule behind this one is looked at.
    Any,
    /// Everybody, before the beginning of this day.
    Until(Date),
    /// Everybody, from the beginning of this day.
    From(Date),
    /// Those of whom this field has one of these values (or, with `not`, none of them).
    Field {
        /// In lower case; `groups` is `group`.
        name: String,
        /// The rule is about those who do not match.
        not: bool,
        /// At least one.
        values: Vec<Value>,
    },
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Without its quotation marks; compared without regard to case.
    Text(String),
    /// Without its slashes.
    Pattern(String),
}

/// A line that is no rule. Invenio v1 then lets nobody in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is `{text}`, {expected}")]
pub struct FireroleError {
    /// Its number, from 1.
    pub line: usize,
    /// What it says.
    pub text: String,
    /// What should stand there.
    pub expected: &'static str,
}

/// The rules of a firerole, up to the first about everybody.
///
/// # Errors
/// [`FireroleError`] for the first line that is none.
pub fn parse(firerole: &str) -> Result<Vec<Rule>, FireroleError> {
    let mut rules = Vec::new();
    for (line, row) in (1..).zip(firerole.lines()) {
        let text = without_comment(row).trim();
        if text.is_empty() {
            continue;
        }
        let wrong = |expected| FireroleError { line, text: text.to_owned(), expected };
        let (allow, whom) = rule(text).map_err(wrong)?;
        let is_last = whom == Whom::Any;
        rules.push(Rule { line, text: text.to_owned(), allow, whom });
        if is_last {
            break;
        }
    }
    Ok(rules)
}

// Invenio looks for the sign in quoted values, too: what is cut there is no rule any more.
fn without_comment(row: &str) -> &str {
    let sign = row.match_indices('#').find(|(at, _)| {
        let before = row.get(..*at).unwrap_or_default();
        !before.ends_with('\\')
    });
    sign.and_then(|(at, _)| row.get(..at)).unwrap_or(row)
}

fn rule(text: &str) -> Result<(bool, Whom), &'static str> {
    let (command, rest) = word(text);
    let allow = match command.to_ascii_lowercase().as_str() {
        "allow" => true,
        "deny" => false,
        _ => return Err("expected `allow` or `deny`"),
    };
    let (mut field, mut rest) = word(rest);
    if matches!(field.to_ascii_lowercase().as_str(), "any" | "all") && rest.is_empty() {
        return Ok((allow, Whom::Any));
    }
    let not = field.eq_ignore_ascii_case("not");
    if not {
        (field, rest) = word(rest);
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if field.is_empty() || !field.chars().all(is_name) {
        return Err("expected `any` or the name of a field");
    }
    let name = match field.to_ascii_lowercase().as_str() {
        "groups" => "group".to_owned(),
        name => name.to_owned(),
    };
    let values = values(rest)?;
    if name != "until" && name != "from" {
        return Ok((allow, Whom::Field { name, not, values }));
    }
    let date = match values.as_slice() {
        [Value::Text(date)] if !not => Date::strptime("%Y-%m-%d", date).ok(),
        _ => None,
    };
    let date = date.ok_or("expected one date, as `\"2031-01-31\"`")?;
    Ok((allow, if name == "until" { Whom::Until(date) } else { Whom::From(date) }))
}

fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

fn values(mut text: &str) -> Result<Vec<Value>, &'static str> {
    const EXPECTED: &str = "expected values in quotation marks or slashes, with commas between";
    let mut values = Vec::new();
    loop {
        let quote =
            text.chars().next().filter(|c| matches!(c, '\'' | '"' | '/')).ok_or(EXPECTED)?;
        let inner = text.get(1..).unwrap_or_default();
        let end = closing(inner, quote).ok_or(EXPECTED)?;
        let value = inner.get(..end).unwrap_or_default().to_owned();
        values.push(if quote == '/' { Value::Pattern(value) } else { Value::Text(value) });
        text = inner.get(end + 1..).unwrap_or_default().trim_start();
        match text.strip_prefix(',') {
            Some(rest) => text = rest.trim_start(),
            None if text.is_empty() => return Ok(values),
            None => return Err(EXPECTED),
        }
    }
}

// A value has at least one character; a backslash before the mark keeps it from ending the value.
fn closing(inner: &str, quote: char) -> Option<usize> {
    let mut before = None;
    for (at, c) in inner.char_indices() {
        if c == quote && at > 0 && before != Some('\\') {
            return Some(at);
        }
        before = Some(c);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn field(name: &str, not: bool, values: &[Value]) -> Whom {
        Whom::Field { name: name.to_owned(), not, values: values.to_vec() }
    }

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    #[test]
    fn rules_are_read_as_far_as_the_first_about_everybody() {
        let rules = parse(
            "# who reads it\r\n\
             ALLOW group \"board [HQ]\", 'press' # both\r\n\
             \r\n\
             deny until \"2031-02-28\"\r\n\
             allow not email /.*@example\\.org/\r\n\
             allow ALL\r\n\
             no rule at all",
        )
        .unwrap();
        let expected = [
            (2, true, field("group", false, &[text("board [HQ]"), text("press")])),
            (4, false, Whom::Until(date(2031, 2, 28))),
            (5, true, field("email", true, &[Value::Pattern(".*@example\\.org".to_owned())])),
            (6, true, Whom::Any),
        ];
        let found: Vec<_> =
            rules.iter().map(|rule| (rule.line, rule.allow, rule.whom.clone())).collect();
        assert_eq!(found, expected);
        assert_eq!(rules[0].text, "ALLOW group \"board [HQ]\", 'press'");
        assert_eq!(parse(" \n#\n").unwrap(), []);
        assert_eq!(parse("allow groups 'a'").unwrap()[0].whom, field("group", false, &[text("a")]));
        assert_eq!(
            parse(r#"allow uid "\"1""#).unwrap()[0].whom,
            field("uid", false, &[text("\\\"1")])
        );
    }

    #[test]
    fn what_is_no_rule_is_told_by_line() {
        let expected = [
            ("permit any", "expected `allow` or `deny`"),
            ("allow", "expected `any` or the name of a field"),
            ("allow any one", "expected values in quotation marks or slashes, with commas between"),
            ("allow not", "expected `any` or the name of a field"),
            (
                "allow email a@b.org",
                "expected values in quotation marks or slashes, with commas between",
            ),
            (
                "allow email 'a@b.org",
                "expected values in quotation marks or slashes, with commas between",
            ),
            (
                "allow email ''",
                "expected values in quotation marks or slashes, with commas between",
            ),
            (
                "allow email 'a',",
                "expected values in quotation marks or slashes, with commas between",
            ),
            (
                "allow email 'a' 'b'",
                "expected values in quotation marks or slashes, with commas between",
            ),
            (
                "allow group 'c#'",
                "expected values in quotation marks or slashes, with commas between",
            ),
            ("deny until '2031-02'", "expected one date, as `\"2031-01-31\"`"),
            ("deny until '2031-02-30'", "expected one date, as `\"2031-01-31\"`"),
            ("deny not from '2031-02-03'", "expected one date, as `\"2031-01-31\"`"),
            ("deny from '2031-02-03', '2031-02-04'", "expected one date, as `\"2031-01-31\"`"),
            ("deny from /2031/", "expected one date, as `\"2031-01-31\"`"),
        ];
        for (line, expected) in expected {
            let error = parse(&format!("allow uid '1'\n{line}\n")).unwrap_err();
            assert_eq!((error.line, error.expected), (2, expected), "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "((allow|deny|not|any|email|until|[ '\"/#,\\\\\n]|2031-01-01|é)[ ]?){0,12}") {
            let _parsed = parse(&text);
        }
    }
}
