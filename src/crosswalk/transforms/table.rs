//! The table of transforms: name, signature, what it does, an example, how it is built.

use std::borrow::Cow;
use std::sync::Arc;

use super::pattern::Pattern;
use super::{Step, dates, language, names, text};
use crate::crosswalk::table::Table;
use crate::identifiers;

/// An argument in a pipe.
#[derive(Debug, Clone)]
pub enum Argument {
    /// `'text'`
    Text(String),
    /// `3`
    Number(usize),
    /// A table's name, or `{'a': b}`.
    Table(Arc<Table>),
}

/// One transform.
pub struct Row {
    /// Its name in pipes.
    pub name: &'static str,
    /// Its arguments, for messages and the reference.
    pub signature: &'static str,
    /// What it does, in a line.
    pub doc: &'static str,
    /// A pipe, an input and the output it gives; `!code` is a failure.
    pub example: (&'static str, &'static str, &'static str),
    /// Makes the step, or says what is wrong with the arguments.
    pub build: fn(&[Argument]) -> Result<Step, String>,
}

type Build = Result<Step, String>;

fn none(arguments: &[Argument], step: Step) -> Build {
    if arguments.is_empty() { Ok(step) } else { Err("takes no argument".to_owned()) }
}

fn one_text(arguments: &[Argument], make: impl FnOnce(String) -> Build) -> Build {
    match arguments {
        [Argument::Text(text)] => make(text.clone()),
        _ => Err("takes one quoted text".to_owned()),
    }
}

fn one_number(arguments: &[Argument], make: impl FnOnce(usize) -> Step) -> Build {
    match arguments {
        [Argument::Number(number)] => Ok(make(*number)),
        _ => Err("takes one number".to_owned()),
    }
}

fn slice(arguments: &[Argument]) -> Build {
    match arguments {
        [Argument::Number(from)] => Ok(Step::Slice(*from, None)),
        [Argument::Number(from), Argument::Number(to)] if from <= to => {
            Ok(Step::Slice(*from, Some(*to)))
        }
        _ => Err("takes one or two numbers, the second not below the first".to_owned()),
    }
}

fn replace(arguments: &[Argument]) -> Build {
    match arguments {
        [Argument::Text(pattern), Argument::Text(with)] => {
            Ok(Step::Replace(Pattern::new(pattern)?, with.clone()))
        }
        _ => Err("takes a quoted regular expression and a quoted text".to_owned()),
    }
}

fn lookup(arguments: &[Argument]) -> Build {
    match arguments {
        [Argument::Table(table)] => Ok(Step::Lookup(Arc::clone(table))),
        _ => Err("takes the name of a table, or {'key': value}".to_owned()),
    }
}

macro_rules! total {
    ($name:literal, $function:path, $doc:literal, $input:literal => $output:literal) => {
        Row {
            name: $name,
            signature: $name,
            doc: $doc,
            example: ($name, $input, $output),
            build: |arguments| none(arguments, Step::Total($function)),
        }
    };
}

macro_rules! fallible {
    ($name:literal, $function:expr, $doc:literal, $input:literal => $output:literal) => {
        Row {
            name: $name,
            signature: $name,
            doc: $doc,
            example: ($name, $input, $output),
            build: |arguments| none(arguments, Step::Fallible($function)),
        }
    };
}

macro_rules! with_arguments {
    ($name:literal, $signature:literal, $doc:literal,
     $pipe:literal: $input:literal => $output:literal, $build:expr) => {
        Row {
            name: $name,
            signature: $signature,
            doc: $doc,
            example: ($pipe, $input, $output),
            build: $build,
        }
    };
}

/// Every transform, sorted by name.
#[rustfmt::skip]
pub static TRANSFORMS: &[Row] = &[
    fallible!("arxiv", |v| code(identifiers::arxiv(v)), "an arXiv identifier", "https://arxiv.org/abs/2101.00001v2" => "arXiv:2101.00001v2"),
    fallible!("bcp47", language::bcp47, "a language tag", "fre" => "fr"),
    with_arguments!("chunks", "chunks(n)", "pieces of n characters", "chunks(3)": "engfre" => "eng|fre",
        |arguments| one_number(arguments, Step::Chunks)),
    total!("collapse_ws", text::collapse_ws, "one space for each run of white space", "a  b\n c" => "a b c"),
    fallible!("doi", |v| code(identifiers::doi(v)), "a DOI in lower case, without resolver or prefix", "https://doi.org/10.5072/ABC" => "10.5072/abc"),
    with_arguments!("drop", "drop(regex)", "no value when it matches", "drop('^x')": "xyz" => "",
        |arguments| one_text(arguments, |pattern| Ok(Step::Drop(Pattern::new(&pattern)?)))),
    fallible!("edtf", dates::edtf, "a cataloger's date as EDTF", "[1999?]" => "1999?"),
    total!("family_name", family_name, "the part before the first comma", "Doe, Jane" => "Doe"),
    total!("given_name", given_name, "the part after the first comma", "Doe, Jane" => "Jane"),
    fallible!("handle", |v| code(identifiers::handle(v)), "a Handle, without resolver", "https://hdl.handle.net/2027/x" => "2027/x"),
    with_arguments!("int", "int", "a whole number, written as a number", "int": " 42 " => "42",
        |arguments| none(arguments, Step::Int)),
    total!("invert_name", names::invert_name, "`Given Family` as `Family, Given`", "Ada Lovelace" => "Lovelace, Ada"),
    fallible!("isbn10", |v| code(identifiers::isbn10(v)), "an ISBN-10 with a right check digit, without hyphens", "0-306-40615-2" => "0306406152"),
    fallible!("isbn13", |v| code(identifiers::isbn13(v)), "an ISBN as ISBN-13 with a right check digit, without hyphens", "0-306-40615-2 (pbk.)" => "9780306406157"),
    fallible!("isni", |v| code(identifiers::isni(v)), "an ISNI with a right check character", "0000 0001 2150 090X" => "000000012150090X"),
    fallible!("iso_date", dates::iso_date, "a whole day as YYYY-MM-DD", "19990131" => "1999-01-31"),
    fallible!("issn", |v| code(identifiers::issn(v)), "an ISSN with a right check character", "03785955" => "0378-5955"),
    total!("kebab", text::kebab, "words in lower case with hyphens between", "IsPartOf" => "is-part-of"),
    with_arguments!("keep", "keep(regex)", "no value unless it matches", "keep('^x')": "abc" => "",
        |arguments| one_text(arguments, |pattern| Ok(Step::Keep(Pattern::new(&pattern)?)))),
    fallible!("lang2", language::lang2, "a language code of two letters", "fre" => "fr"),
    fallible!("lang3", language::lang3, "a language code of three letters, lower case", "ENG" => "eng"),
    with_arguments!("lookup", "lookup(table)", "the table's value for this key", "lookup({'a': b})": "a" => "b", lookup),
    total!("lower", text::lower, "lower case", "ÀB" => "àb"),
    fallible!("marc_script", language::marc_script, "the script that $6 names, as ISO 15924", "880-01/$1" => "Hani"),
    total!("nfc", text::nfc, "Unicode composed form", "e\u{301}" => "é"),
    total!("nfkc", text::nfkc, "Unicode compatibility composed form", "ﬁ" => "fi"),
    with_arguments!("nonfiling", "nonfiling(n)", "without the first n characters", "nonfiling(4)": "The title" => "title",
        |arguments| one_number(arguments, Step::Nonfiling)),
    fallible!("normalize_id", |v| code(identifiers::normalize_id(v)), "an identifier of any known scheme in its normal form", "doi:10.5072/A" => "10.5072/a"),
    fallible!("orcid", |v| code(identifiers::orcid(v)), "an ORCID with a right check character", "https://orcid.org/0000-0002-1825-0097" => "0000-0002-1825-0097"),
    total!("pascal", text::pascal, "words with capitals and nothing between", "is-part-of" => "IsPartOf"),
    with_arguments!("prefix", "prefix(text)", "puts a text in front", "prefix('doi:')": "10.1/x" => "doi:10.1/x",
        |arguments| one_text(arguments, |text| Ok(Step::Prefix(text)))),
    with_arguments!("replace", "replace(regex, text)", "replaces every match; $1 is the first group", "replace('a(.)', '$1')": "abac" => "bc", replace),
    fallible!("ror", |v| code(identifiers::ror(v)), "a ROR identifier with a right checksum", "https://ror.org/01ggx4157" => "01ggx4157"),
    with_arguments!("rstrip", "rstrip(characters)", "takes these characters from the end", "rstrip(',;')": "a;," => "a",
        |arguments| one_text(arguments, |text| Ok(Step::Rstrip(text)))),
    with_arguments!("slice", "slice(from) | slice(from, to)", "characters from position to position, the end exclusive", "slice(1, 3)": "abcd" => "bc", slice),
    with_arguments!("split", "split(separator)", "the pieces between separators", "split(';')": "a;b" => "a|b",
        |arguments| one_text(arguments, |text| if text.is_empty() { Err("takes a separator that is not empty".to_owned()) } else { Ok(Step::Split(text)) })),
    total!("strip_html", text::strip_html, "text without tags, character references resolved", "<p>a &amp; b</p>" => "a & b"),
    with_arguments!("suffix", "suffix(text)", "puts a text behind", "suffix('!')": "a" => "a!",
        |arguments| one_text(arguments, |text| Ok(Step::Suffix(text)))),
    total!("trim", text::trim, "no white space at either end", " a " => "a"),
    total!("trim_isbd", text::trim_isbd, "no ISBD punctuation or white space at the end", "A title /" => "A title"),
    with_arguments!("truncate", "truncate(n)", "at most n characters", "truncate(2)": "abc" => "ab",
        |arguments| one_number(arguments, Step::Truncate)),
    total!("upper", text::upper, "upper case", "aé" => "AÉ"),
    fallible!("url", |v| code(identifiers::url(v)), "an http, https or ftp URL", "https://example.org/a" => "https://example.org/a"),
    fallible!("urn", |v| code(identifiers::urn(v)), "a URN", "urn:isbn:9780306406157" => "urn:isbn:9780306406157"),
    fallible!("year", dates::year, "the first year of a date", "c1999, 2001" => "1999"),
];

fn family_name(name: &str) -> Cow<'_, str> {
    Cow::Borrowed(names::split_name(name).0)
}

fn given_name(name: &str) -> Cow<'_, str> {
    Cow::Borrowed(names::split_name(name).1)
}

fn code(
    result: Result<Cow<'_, str>, identifiers::IdentifierError>,
) -> Result<Cow<'_, str>, &'static str> {
    result.map_err(|error| error.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crosswalk::transforms::{Applied, PipeContext, parse_pipe};

    #[test]
    fn the_table_is_sorted() {
        assert!(TRANSFORMS.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn every_example_is_true() {
        for row in TRANSFORMS {
            let (pipe, input, output) = row.example;
            let pipe = parse_pipe(pipe, &PipeContext::default()).expect(row.name);
            let step = pipe.steps.first().expect(row.name);
            let got = match step.apply(Cow::Borrowed(input)) {
                Applied::One(text) => text.into_owned(),
                Applied::Number(text) => text,
                Applied::None => String::new(),
                Applied::Many(texts) => texts.join("|"),
                Applied::Failed(code, _) => format!("!{code}"),
            };
            assert_eq!(got, output, "{}", row.name);
        }
    }
}
