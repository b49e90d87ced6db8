//! Names of persons: the two orders they are written in.

use std::borrow::Cow;

use super::text::trimmed;

/// Family and given name of `"Family, Given"`; the given name is empty when there is no comma.
///
/// A suffix stays with the given name: `"King, Martin Luther, Jr."` is `("King", "Martin Luther,
/// Jr.")`.
#[must_use]
pub fn split_name(value: &str) -> (&str, &str) {
    let value = trimmed(value);
    let comma = value.bytes().position(|byte| byte == b',').unwrap_or(value.len());
    let (family, given) = value.split_at_checked(comma).unwrap_or((value, ""));
    let given = given.strip_prefix(',').unwrap_or(given).trim_start();
    let end = given.bytes().rposition(|byte| !matches!(byte, b' ' | b','));
    (trimmed(family), given.get(..end.map_or(0, |end| end + 1)).unwrap_or(given))
}

/// `"Given Family"` as `"Family, Given"`; what has a comma or one word only stays as it is.
#[must_use]
pub fn invert_name(value: &str) -> Cow<'_, str> {
    let name = value.trim();
    if name.contains(',') {
        return Cow::Borrowed(name);
    }
    match name.rsplit_once(char::is_whitespace) {
        Some((given, family)) => Cow::Owned([family, ", ", given.trim_end()].concat()),
        None => Cow::Borrowed(name),
    }
}

/// The initials of given names: `"Jane Mary"` is `"J. M."`, `"Jean-Paul"` is `"J.-P."`.
#[must_use]
pub fn initials(value: &str) -> Cow<'_, str> {
    let mut text = String::with_capacity(value.len().min(16));
    let (mut begins, mut hyphen) = (true, false);
    for c in value.chars() {
        match c {
            // `J.R.R.` are three names.
            '.' | ',' => begins = true,
            '-' | '‐' => (begins, hyphen) = (true, true),
            c if c.is_whitespace() => (begins, hyphen) = (true, false),
            c if begins && c.is_alphabetic() => {
                if !text.is_empty() {
                    text.push(if hyphen { '-' } else { ' ' });
                }
                text.extend(c.to_uppercase());
                text.push('.');
                (begins, hyphen) = (false, false);
            }
            _ => {}
        }
    }
    if text == value { Cow::Borrowed(value) } else { Cow::Owned(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_split_at_its_first_comma() {
        for (name, expected) in [
            ("Doe, Jane", ("Doe", "Jane")),
            (" Doe , Jane, ", ("Doe", "Jane")),
            ("King, Martin Luther, Jr.", ("King", "Martin Luther, Jr.")),
            ("Plato", ("Plato", "")),
            ("Doe,", ("Doe", "")),
            ("", ("", "")),
        ] {
            assert_eq!(split_name(name), expected, "{name}");
        }
    }

    #[test]
    fn initials_have_a_dot_each() {
        for (name, expected) in [
            ("Jane Mary", "J. M."),
            ("Jean-Paul", "J.-P."),
            ("J.R.R.", "J. R. R."),
            ("étienne", "É."),
            ("", ""),
            ("-", ""),
        ] {
            assert_eq!(initials(name), expected, "{name}");
            assert_eq!(initials(expected), expected, "a second time: {name}");
        }
    }

    #[test]
    fn a_name_is_inverted_once() {
        assert_eq!(invert_name("Jane Q. Doe"), "Doe, Jane Q.");
        assert_eq!(invert_name("Doe, Jane"), "Doe, Jane");
        assert_eq!(invert_name(" Plato "), "Plato");
    }
}
