//! Languages and scripts: MARC codes, ISO 639 and ISO 15924.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A code, or the code of the reason why there is none.
pub type Coded<'a> = Result<Cow<'a, str>, &'static str>;

/// A language's codes: ISO 639-3 and, empty when there is none, ISO 639-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Language {
    three: &'static str,
    two: &'static str,
}

/// The same table that crosswalks can name; it is part of the program.
static TABLE: &str = include_str!("../../../crosswalks/tables/languages.csv");

/// By MARC code, ISO 639-3, ISO 639-1 and English name, all in lower case.
static LANGUAGES: LazyLock<HashMap<Cow<'static, str>, Language>> = LazyLock::new(|| {
    let mut languages = HashMap::with_capacity(2000);
    for line in TABLE.lines().skip(1) {
        let mut cells = line.split(',');
        let (Some(marc), Some(three), Some(two), Some(name)) =
            (cells.next(), cells.next(), cells.next(), cells.next())
        else {
            continue;
        };
        let language = Language { three, two };
        languages.insert(Cow::Borrowed(marc), language);
        for key in [three, two].into_iter().filter(|key| !key.is_empty()) {
            languages.entry(Cow::Borrowed(key)).or_insert(language);
        }
        languages.entry(Cow::Owned(name.to_lowercase())).or_insert(language);
    }
    languages
});

/// The ISO 639-3 code of a language: `fre`, `fra`, `fr`, `fr-CA` and `French` are `fra`.
///
/// # Errors
/// `lang.unknown`.
pub fn lang3(value: &str) -> Coded<'_> {
    find(value).map(|language| Cow::Borrowed(language.three)).ok_or("lang.unknown")
}

/// The ISO 639-1 code of a language: `fre` is `fr`.
///
/// # Errors
/// `lang.unknown`; `lang2.none` when the language has no code of two letters.
pub fn lang2(value: &str) -> Coded<'_> {
    match find(value).ok_or("lang.unknown")?.two {
        "" => Err("lang2.none"),
        two => Ok(Cow::Borrowed(two)),
    }
}

/// The BCP 47 tag of a language, of two letters where there are such: `fre` is `fr`, `grc` `grc`.
///
/// # Errors
/// `lang.unknown`.
pub fn bcp47(value: &str) -> Coded<'_> {
    let language = find(value).ok_or("lang.unknown")?;
    Ok(Cow::Borrowed(if language.two.is_empty() { language.three } else { language.two }))
}

/// The script (ISO 15924) that a MARC `$6` names: `245-01/$1` is `Hani`, `880-01/(N/r` `Cyrl`.
///
/// # Errors
/// `script.unknown`, also when `$6` names none.
pub fn marc_script(value: &str) -> Coded<'_> {
    let script = value.split('/').nth(1).unwrap_or(value).trim();
    Ok(Cow::Borrowed(match script {
        "(3" | "(4" => "Arab",
        "(B" | "(!E" => "Latn",
        "$1" => "Hani",
        "(N" | "(Q" => "Cyrl",
        "(S" => "Grek",
        "(2" => "Hebr",
        code if is_iso15924(code) => code,
        _ => return Err("script.unknown"),
    }))
}

fn is_iso15924(code: &str) -> bool {
    let mut bytes = code.bytes();
    code.len() == 4
        && bytes.next().is_some_and(|byte| byte.is_ascii_uppercase())
        && bytes.all(|byte| byte.is_ascii_lowercase())
}

fn find(value: &str) -> Option<Language> {
    let value = value.trim();
    if let Some(language) = LANGUAGES.get(value) {
        return Some(*language);
    }
    let name = value.trim_end_matches('.').to_lowercase();
    if let Some(language) = LANGUAGES.get(name.as_str()) {
        return Some(*language);
    }
    // A BCP 47 tag: the language stands before the region.
    let (language, _) = name.split_once(['-', '_'])?;
    if matches!(language.len(), 2 | 3) { LANGUAGES.get(language).copied() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_known_by_every_code_and_by_name() {
        for value in ["fre", "fra", "fr", "French", " FRE ", "french.", "fr-CA"] {
            assert_eq!(lang3(value).as_deref(), Ok("fra"), "{value}");
            assert_eq!(lang2(value).as_deref(), Ok("fr"), "{value}");
        }
        assert_eq!(lang3("ger").as_deref(), Ok("deu"));
        assert_eq!(lang3("scr").as_deref(), Ok("hrv"));
        assert_eq!(lang3("iri").as_deref(), Ok("gle"));
        assert_eq!(bcp47("grc").as_deref(), Ok("grc"));
        assert_eq!(lang2("grc"), Err("lang2.none"));
        for value in ["", "xx-no-language", "   ", "|||", "q"] {
            assert_eq!(lang3(value), Err("lang.unknown"), "{value}");
        }
    }

    #[test]
    fn scripts_are_read_from_a_link() {
        assert_eq!(marc_script("245-01/$1").as_deref(), Ok("Hani"));
        assert_eq!(marc_script("880-01/(3/r").as_deref(), Ok("Arab"));
        assert_eq!(marc_script("245-01/Cyrl").as_deref(), Ok("Cyrl"));
        assert_eq!(marc_script("245-01"), Err("script.unknown"));
    }
}
