//! The table of transforms: name, signature, what it does, an example, how it is built.

use std::borrow::Cow;

use super::build::{
    Argument, Build, list, none, nonfiling, one_number, one_pattern, one_table, one_text, replace,
    slice, split, uuid5,
};
use super::{List, Step, countries, dates, derived, endings, language, names, numbers, text};
use crate::identifiers;

/// What a transform is about: a section of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Letters, spaces, punctuation.
    Text,
    /// Standard numbers and addresses.
    Identifier,
    /// Dates.
    Date,
    /// Languages, scripts and countries.
    Language,
    /// Names of persons and titles.
    Name,
    /// Numbers.
    Number,
    /// Lookups in tables.
    Table,
    /// Keys made of values.
    Key,
    /// Transforms that make none or several values of one.
    Several,
    /// Transforms over all values of a rule.
    List,
}

impl Family {
    /// Every family, in the order of the reference, with its heading.
    pub const ALL: &'static [(Family, &'static str)] = &[
        (Family::Text, "Text"),
        (Family::Several, "None or several values of one"),
        (Family::List, "All values of a rule"),
        (Family::Identifier, "Identifiers"),
        (Family::Date, "Dates"),
        (Family::Language, "Languages, scripts, countries"),
        (Family::Name, "Names and titles"),
        (Family::Number, "Numbers"),
        (Family::Table, "Tables"),
        (Family::Key, "Keys"),
    ];
}

/// One transform.
pub struct Row {
    /// Its name in pipes.
    pub name: &'static str,
    /// Its arguments, for messages and the reference.
    pub signature: &'static str,
    /// What it is about.
    pub family: Family,
    /// Whether it can fail, and so needs an `on_error` in force; a lookup does so only in a
    /// table with `miss: error`.
    pub fallible: bool,
    /// What it does, in a line.
    pub doc: &'static str,
    /// A pipe, the values that go in and those that come out, between bars.
    pub example: (&'static str, &'static str, &'static str),
    /// Makes the step, or says what is wrong with the arguments.
    pub build: fn(&[Argument]) -> Build,
}

macro_rules! total {
    ($family:ident, $name:literal, $function:path, $doc:literal, $input:literal => $output:literal) => {
        Row {
            name: $name,
            signature: $name,
            family: Family::$family,
            fallible: false,
            doc: $doc,
            example: ($name, $input, $output),
            build: |arguments| none(arguments, Step::Total($function)),
        }
    };
}

macro_rules! fallible {
    ($family:ident, $name:literal, $function:expr, $doc:literal, $input:literal => $output:literal) => {
        Row {
            name: $name,
            signature: $name,
            family: Family::$family,
            fallible: true,
            doc: $doc,
            example: ($name, $input, $output),
            build: |arguments| none(arguments, Step::Fallible($function)),
        }
    };
}

macro_rules! with {
    ($family:ident, $name:literal, $signature:literal, $fallible:literal, $doc:literal,
     $pipe:literal: $input:literal => $output:literal, $build:expr) => {
        Row {
            name: $name,
            signature: $signature,
            family: Family::$family,
            fallible: $fallible,
            doc: $doc,
            example: ($pipe, $input, $output),
            build: $build,
        }
    };
}

/// Every transform, sorted by name.
#[rustfmt::skip]
pub static TRANSFORMS: &[Row] = &[
    fallible!(Identifier, "arxiv", |v| code(identifiers::arxiv(v)), "an arXiv identifier", "https://arxiv.org/abs/2101.00001v2" => "arXiv:2101.00001v2"),
    total!(Key, "basename", derived::basename, "the last part of a path or URL", "https://example.org/a/b.pdf?page=2" => "b.pdf"),
    fallible!(Language, "bcp47", language::bcp47, "a language tag", "fre" => "fr"),
    with!(Several, "chunks", "chunks(n)", false, "pieces of n characters", "chunks(3)": "engfre" => "eng|fre", |a| one_number(a, Step::Chunks)),
    total!(Text, "collapse_ws", text::collapse_ws, "one space for each run of white space, none at either end", "a  b\n c" => "a b c"),
    fallible!(Identifier, "doi", |v| code(identifiers::doi(v)), "a DOI in lower case, without resolver or prefix", "https://doi.org/10.5072/ABC" => "10.5072/abc"),
    with!(Several, "drop", "drop(regex)", false, "no value when it matches", "drop('^x')": "xyz" => "", |a| one_pattern(a, Step::Drop)),
    fallible!(Date, "edtf", dates::edtf, "a cataloger's date as EDTF", "[1999?]" => "1999?"),
    total!(Name, "family_name", family_name, "the part before the first comma; of a name without comma, all of it", "Doe, Jane" => "Doe"),
    with!(List, "first", "first", false, "the first of the values", "first": "b|a|c" => "b", |a| list(a, List::First)),
    with!(Number, "float", "float", true, "a number, written as a number", "float": "+1.50" => "1.5", |a| none(a, Step::Number(numbers::float, "float.shape"))),
    total!(Name, "given_name", given_name, "the part after the first comma", "Doe, Jane" => "Jane"),
    fallible!(Identifier, "handle", |v| code(identifiers::handle(v)), "a Handle, without resolver", "https://hdl.handle.net/2027/x" => "2027/x"),
    fallible!(Identifier, "id_scheme", id_scheme, "the name of the scheme that an identifier is of", "https://doi.org/10.5072/abc" => "doi"),
    total!(Name, "initials", names::initials, "the first letters of given names", "Jean-Paul Marie" => "J.-P. M."),
    with!(Number, "int", "int", true, "a whole number, written as a number", "int": " 42 " => "42", |a| none(a, Step::Number(numbers::int, "int.shape"))),
    total!(Name, "invert_name", names::invert_name, "`Given Family` as `Family, Given`", "Ada Lovelace" => "Lovelace, Ada"),
    fallible!(Identifier, "isbn10", |v| code(identifiers::isbn10(v)), "an ISBN-10 with a right check digit, without hyphens", "0-306-40615-2" => "0306406152"),
    fallible!(Identifier, "isbn13", |v| code(identifiers::isbn13(v)), "an ISBN as ISBN-13 with a right check digit, without hyphens", "0-306-40615-2 (pbk.)" => "9780306406157"),
    fallible!(Identifier, "isni", |v| code(identifiers::isni(v)), "an ISNI with a right check character", "0000 0001 2150 090X" => "000000012150090X"),
    fallible!(Date, "iso_date", dates::iso_date, "a whole day as YYYY-MM-DD", "19990131" => "1999-01-31"),
    fallible!(Identifier, "issn", |v| code(identifiers::issn(v)), "an ISSN with a right check character", "03785955" => "0378-5955"),
    total!(Text, "kebab", text::kebab, "words in lower case with hyphens between", "IsPartOf" => "is-part-of"),
    with!(Several, "keep", "keep(regex)", false, "no value unless it matches", "keep('^x')": "abc" => "", |a| one_pattern(a, Step::Keep)),
    fallible!(Language, "lang2", language::lang2, "a language code of two letters", "fre" => "fr"),
    fallible!(Language, "lang3", language::lang3, "a language code of three letters, lower case", "ENG" => "eng"),
    with!(List, "last", "last", false, "the last of the values", "last": "b|a|c" => "c", |a| list(a, List::Last)),
    with!(Table, "lookup", "lookup(table)", true, "the table's value for this key", "lookup({'a': b})": "a" => "b", |a| one_table(a, Step::Lookup)),
    with!(Table, "lookup_prefix", "lookup_prefix(table)", true, "the table's value for the longest key that the value begins with", "lookup_prefix({'5': science, '51': mathematics})": "512.7" => "mathematics", |a| one_table(a, Step::LookupPrefix)),
    total!(Text, "lower", text::lower, "lower case", "ÀB" => "àb"),
    fallible!(Language, "marc_country", countries::marc_country, "the country that a MARC code names, as ISO 3166-1", "nyu" => "US"),
    fallible!(Language, "marc_script", language::marc_script, "the script that $6 names, as ISO 15924", "880-01/$1" => "Hani"),
    total!(Text, "nfc", text::nfc, "Unicode composed form", "e\u{301}" => "é"),
    total!(Text, "nfkc", text::nfkc, "Unicode compatibility composed form", "ﬁ" => "fi"),
    with!(Name, "nonfiling", "nonfiling(n)", false, "without the first n characters, which do not count in sorting; n may be an indicator's text", "nonfiling(4)": "The title" => "title", nonfiling),
    fallible!(Identifier, "normalize_id", |v| code(identifiers::normalize_id(v)), "an identifier of any known scheme in its normal form", "doi:10.5072/A" => "10.5072/a"),
    fallible!(Identifier, "orcid", |v| code(identifiers::orcid(v)), "an ORCID with a right check character", "https://orcid.org/0000-0002-1825-0097" => "0000-0002-1825-0097"),
    total!(Text, "pascal", text::pascal, "words with capitals and nothing between", "is-part-of" => "IsPartOf"),
    with!(Text, "prefix", "prefix(text)", false, "puts a text in front", "prefix('doi:')": "10.1/x" => "doi:10.1/x", |a| one_text(a, Step::Prefix)),
    with!(Text, "replace", "replace(regex, text)", false, "replaces every match; $1 is the first group", "replace('a(.)', '$1')": "abac" => "bc", replace),
    fallible!(Identifier, "ror", |v| code(identifiers::ror(v)), "a ROR identifier with a right checksum", "https://ror.org/01ggx4157" => "01ggx4157"),
    with!(Text, "rstrip", "rstrip(characters)", false, "takes these characters, and white space, from the end", "rstrip(',;')": "a;," => "a", |a| one_text(a, Step::Rstrip)),
    total!(Key, "sha256", derived::sha256, "the SHA-256 of the text, in hexadecimal digits", "hay" => "4e30ea25cda1c18cfc423e4d9dfa57b7051a9ef311e09ed43f8e33523f3d9533"),
    with!(Text, "slice", "slice(from) | slice(from, to)", false, "characters from position to position, the end exclusive", "slice(1, 3)": "abcd" => "bc", slice),
    total!(Key, "slug", derived::slug, "letters and digits in lower case, without accents, hyphens between", "Les Misérables, 1" => "les-miserables-1"),
    with!(List, "sort", "sort", false, "the values in order of their characters; numbers by their size", "sort": "b|a|c" => "a|b|c", |a| list(a, List::Sort)),
    with!(Several, "split", "split(separator)", false, "the pieces between separators", "split(';')": "a;b" => "a|b", split),
    total!(Text, "strip_html", text::strip_html, "text without tags, character references resolved", "<p>a &amp; b</p>" => "a & b"),
    with!(Text, "suffix", "suffix(text)", false, "puts a text behind", "suffix('!')": "a" => "a!", |a| one_text(a, Step::Suffix)),
    total!(Text, "trim", text::trim, "no white space at either end", " a " => "a"),
    total!(Text, "trim_isbd", endings::trim_isbd, "no ISBD punctuation or white space at the end", "A title /" => "A title"),
    with!(Text, "truncate", "truncate(n)", false, "at most n characters", "truncate(2)": "abc" => "ab", |a| one_number(a, Step::Truncate)),
    with!(List, "unique", "unique", false, "each value once, where it stands first", "unique": "b|a|b" => "b|a", |a| list(a, List::Unique)),
    total!(Text, "upper", text::upper, "upper case", "aé" => "AÉ"),
    fallible!(Identifier, "url", |v| code(identifiers::url(v)), "an http, https or ftp URL", "https://example.org/a" => "https://example.org/a"),
    fallible!(Identifier, "url_or_path", url_or_path, "a URL, or the path of a file", " /archive/scan 1.tif" => "/archive/scan 1.tif"),
    fallible!(Identifier, "urn", |v| code(identifiers::urn(v)), "a URN", "urn:isbn:9780306406157" => "urn:isbn:9780306406157"),
    with!(Key, "uuid5", "uuid5(namespace)", false, "the UUID of a name in a namespace: 'dns', 'oid', 'url', 'x500' or a UUID", "uuid5('dns')": "www.example.com" => "2ed6657d-e927-568b-95e1-2665a8aea6a2", uuid5),
    fallible!(Date, "year", dates::year, "the first year of a date", "c1999, 2001" => "1999"),
];

type Fallible<'v> = Result<Cow<'v, str>, &'static str>;

fn family_name(name: &str) -> Cow<'_, str> {
    Cow::Borrowed(names::split_name(name).0)
}

fn given_name(name: &str) -> Cow<'_, str> {
    Cow::Borrowed(names::split_name(name).1)
}

fn id_scheme(value: &str) -> Fallible<'_> {
    identifiers::id_scheme(value).map(Cow::Borrowed).ok_or("id.unknown")
}

fn url_or_path(value: &str) -> Fallible<'_> {
    let bare = value.trim();
    if bare.contains("://") {
        return code(identifiers::url(bare));
    }
    let odd = |c: char| c.is_control() || matches!(c, '<' | '>' | '"');
    if bare.is_empty() || bare.contains(odd) { Err("path.shape") } else { Ok(Cow::Borrowed(bare)) }
}

fn code(result: Result<Cow<'_, str>, identifiers::IdentifierError>) -> Fallible<'_> {
    result.map_err(|error| error.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crosswalk::transforms::{Applied, Pipe, PipeContext, parse_pipe};

    #[test]
    fn the_table_is_sorted() {
        assert!(TRANSFORMS.is_sorted_by(|a, b| a.name < b.name));
    }

    /// What a pipe of one step makes of values, between bars.
    fn applied(pipe: &Pipe, input: &str) -> String {
        let step = pipe.steps.first().unwrap();
        if let Step::List(list) = step {
            let values: Vec<&str> = input.split('|').collect();
            let kept: Vec<&str> =
                list.order(&values, false).into_iter().map(|n| values[n]).collect();
            return kept.join("|");
        }
        match step.apply(Cow::Borrowed(input)) {
            Applied::One(text) => text.into_owned(),
            Applied::Number(text) => text,
            Applied::None => String::new(),
            Applied::Many(texts) => texts.join("|"),
            Applied::Failed(code, _) => format!("!{code}"),
        }
    }

    #[test]
    fn every_example_is_true() {
        for row in TRANSFORMS {
            let (pipe, input, output) = row.example;
            let pipe = parse_pipe(pipe, &PipeContext::default()).expect(row.name);
            assert_eq!(pipe.names, [row.name]);
            assert_eq!(applied(&pipe, input), output, "{}", row.name);
        }
    }

    #[test]
    fn every_row_says_whether_it_can_fail_and_has_a_heading() {
        for row in TRANSFORMS {
            let pipe = parse_pipe(row.example.0, &PipeContext::default()).expect(row.name);
            assert_eq!(pipe.fallible().is_some(), row.fallible, "{}", row.name);
            assert!(row.signature.starts_with(row.name), "{}", row.signature);
            assert!(Family::ALL.iter().any(|(family, _)| *family == row.family), "{}", row.name);
        }
    }
}
