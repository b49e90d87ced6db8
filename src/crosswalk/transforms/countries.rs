//! Countries: MARC codes and ISO 3166-1.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use super::language::Coded;

/// The same table that crosswalks can name; it is part of the program.
static TABLE: &str = include_str!("../../../crosswalks/tables/countries.csv");

/// ISO 3166-1 by MARC code, empty when there is none.
static COUNTRIES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let cells = |line: &'static str| {
        let mut cells = line.split(',');
        Some((cells.next()?, cells.next()?))
    };
    TABLE.lines().skip(1).filter_map(cells).collect()
});

/// The ISO 3166-1 code (of two letters) of a MARC country code: `xxu` and `nyu` are `US`.
///
/// # Errors
/// `country.unknown`; `country.none` for what ISO has no code for.
pub fn marc_country(value: &str) -> Coded<'_> {
    let code = value.trim().trim_end_matches('.').to_ascii_lowercase();
    match COUNTRIES.get(code.as_str()) {
        Some(&"") => Err("country.none"),
        Some(iso) => Ok(Cow::Borrowed(iso)),
        None => Err("country.unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_and_their_parts_are_known_by_their_codes() {
        for (value, expected) in [
            ("ja ", Ok("JP")),
            ("nyu", Ok("US")),
            ("ENK.", Ok("GB")),
            ("xx", Err("country.none")),
            ("zzz", Err("country.unknown")),
            ("", Err("country.unknown")),
        ] {
            assert_eq!(marc_country(value).as_deref(), expected.as_ref().copied(), "{value}");
        }
    }

    #[test]
    fn every_code_of_the_table_is_read() {
        let letters = |code: &str| code.bytes().all(|byte| byte.is_ascii_alphabetic());
        assert!(COUNTRIES.len() > 350);
        assert!(COUNTRIES.iter().all(|(marc, iso)| letters(marc) && letters(iso)));
    }
}
