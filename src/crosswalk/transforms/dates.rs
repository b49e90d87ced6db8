//! Dates as catalogers write them, read into EDTF (ISO 8601-2) or ISO 8601.

use std::borrow::Cow;

/// A date, or the code of the reason why there is none.
pub type Dated<'a> = Result<Cow<'a, str>, &'static str>;

/// EDTF of level 0, with unspecified digits, `?`, `~` and open intervals of level 1.
///
/// `c1999` is `1999`, `[1999?]` is `1999?`, `ca. 1999` is `1999~`, `19--` is `19XX`, `1950s` is
/// `195X`, `1900s`, which may be a decade or a century, is `19XX`, `1999-2001` is `1999/2001`,
/// `May 1999` is `1999-05`, `1999, c1998` is `1999`; of `1999 [i.e. 2000]` the correction counts.
/// A time of day is left off.
///
/// # Errors
/// `edtf.empty`, `edtf.unknown` (`9999`, `uuuu`), `edtf.month`, `edtf.day`, `edtf.order` (an
/// interval that ends before it begins), `edtf.shape`.
pub fn edtf(value: &str) -> Dated<'_> {
    match wrapped_year(value).or_else(|| plain_date(value)) {
        Some(date) => Ok(Cow::Borrowed(date)),
        None => match plain_years(value) {
            Some((from, to)) => Ok(Cow::Owned([from, "/", to].concat())),
            None => any_date(value),
        },
    }
}

/// `1998-2001`
fn plain_years(text: &str) -> Option<(&str, &str)> {
    let (from, to) = text.split_once('-')?;
    (is_plain_year(from) && is_plain_year(to) && from <= to).then_some((from, to))
}

/// `1999-05` and `1999-05-17`, with white space around it or none.
fn plain_date(value: &str) -> Option<&str> {
    let text = value.trim_ascii();
    let year = text.get(..4).filter(|year| is_plain_year(year))?;
    let number = |from: usize| match text.as_bytes().get(from..from + 3) {
        Some([b'-', tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => {
            Some((tens - b'0') * 10 + (ones - b'0'))
        }
        _ => None,
    };
    let days = match number(4)? {
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    let is_whole = match text.len() {
        7 => true,
        10 => (1..=days).contains(&number(7)?) || (text.ends_with("-02-29") && is_leap(year)),
        _ => false,
    };
    is_whole.then_some(text)
}

fn is_leap(year: &str) -> bool {
    let year: u16 = year.parse().unwrap_or(1);
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// What may stand around a year and says nothing about it, brackets among it.
const WRAPPING: &[u8] = b" .,;:()<>[]";

/// Nearly every date: a year with nothing around it but brackets, punctuation, the sign of
/// copyright or print, and of doubt: `c1999.`, `[1999?]`.
fn wrapped_year(value: &str) -> Option<&str> {
    let bytes = value.as_bytes();
    let count = |from: usize, among: &[u8]| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| among.contains(byte)).count()
    };
    // The sign stands next to the year, but for brackets.
    let mut from = count(0, b" .,;:()<>");
    from += count(from, b"[]");
    if matches!(bytes.get(from), Some(b'c' | b'p')) {
        from += 1;
        from += count(from, b"[]");
    } else {
        from += count(from, WRAPPING);
    }
    let to = from + 4;
    value.get(from..to).filter(|year| is_plain_year(year))?;
    let to = to + usize::from(bytes.get(to) == Some(&b'?'));
    if to + count(to, WRAPPING) == bytes.len() { value.get(from..to) } else { None }
}

fn any_date(value: &str) -> Dated<'_> {
    let bare = value.trim_matches(is_wrapping);
    if bare.is_empty() {
        return Err("edtf.empty");
    }
    if is_plain_year(bare) {
        return Ok(Cow::Borrowed(bare));
    }
    match whole(bare) {
        Ok(date) if date == bare => Ok(Cow::Borrowed(bare)),
        Ok(date) => Ok(Cow::Owned(date)),
        // "1999, c1998" and "1999 ; reprinted 2001": the first date counts.
        Err("edtf.shape") => match bare.split_once([',', ';']) {
            Some((first, _)) => edtf(first),
            None => Err("edtf.shape"),
        },
        Err(code) => Err(code),
    }
}

/// The first year that stands alone in a text: `"Geneva, 1999."` is `1999`.
///
/// # Errors
/// `year.none` when there is none between 1000 and 2999.
pub fn year(value: &str) -> Dated<'_> {
    let mut start = 0;
    for run in value.as_bytes().split(|byte| !byte.is_ascii_digit()) {
        if run.len() == 4 && (run.starts_with(b"1") || run.starts_with(b"2")) {
            return value.get(start..start + 4).map(Cow::Borrowed).ok_or("year.none");
        }
        start += run.len() + 1;
    }
    Err("year.none")
}

/// A whole day, `YYYY-MM-DD`, from any form that [`edtf`] knows.
///
/// # Errors
/// As [`edtf`], and `iso_date.partial` when the day or month is missing or in doubt.
pub fn iso_date(value: &str) -> Dated<'_> {
    let date = edtf(value)?;
    if date.len() == 10 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        Ok(date)
    } else {
        Err("iso_date.partial")
    }
}

/// What stands around a date and says nothing about it.
fn is_wrapping(c: char) -> bool {
    c.is_whitespace() || matches!(c, '.' | ',' | ';' | ':' | '(' | ')' | '<' | '>')
}

fn is_plain_year(text: &str) -> bool {
    let Ok(digits) = <&[u8; 4]>::try_from(text.as_bytes()) else { return false };
    digits.iter().all(u8::is_ascii_digit) && !matches!(digits, b"0000" | b"9999")
}

/// A date or interval, brackets and prefixes taken off first.
fn whole(bare: &str) -> Result<String, &'static str> {
    let mut text: String = bare.chars().filter(|c| !matches!(c, '[' | ']')).collect();
    text.make_ascii_lowercase();
    let mut text = text.trim();
    if let Some((_, corrected)) = text.split_once("i.e.") {
        text = corrected.trim_matches(is_wrapping);
    }
    let is_filler = |byte: u8| matches!(byte, b'u' | b'|' | b'-' | b'x' | b'?');
    if text.trim_end_matches('?') == "9999" || text.bytes().all(is_filler) {
        return Err("edtf.unknown");
    }
    let (text, about) = without_prefix(text);
    if let Some((from, to)) =
        text.strip_prefix("between ").and_then(|rest| rest.split_once(" and "))
    {
        return interval(from, to);
    }
    if let Some((from, to)) = text.split_once('/').filter(|(_, to)| !to.contains('/')) {
        return interval(from, to);
    }
    if let Some((from, to)) = years(text) {
        return interval(from, &to);
    }
    let mut date = single(text)?;
    if about && !date.ends_with(['?', '~', '%']) {
        date.push('~');
    }
    Ok(date)
}

/// Without signs of copyright, print and approximation in front; whether it is approximate.
fn without_prefix(text: &str) -> (&str, bool) {
    const ABOUT: &[&str] = &["circa", "approximately", "approx.", "approx", "ca.", "ca", "um "];
    const COPYRIGHT: &[&str] =
        &["copyright", "cop.", "cop", "©", "℗", "printed", "publ.", "dr.", "c", "p"];
    let after = |prefixes: &[&str]| {
        let rest = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix))?.trim_start();
        rest.starts_with(|c: char| c.is_ascii_digit()).then_some(rest)
    };
    match after(ABOUT) {
        Some(rest) => (rest, true),
        None => (after(COPYRIGHT).unwrap_or(text), false),
    }
}

/// `1999-2001`, `1998-99`, `1999-` and the like as the two ends of an interval; a month is none.
fn years(text: &str) -> Option<(&str, String)> {
    let (from, to) = text.split_once(['-', '–', '—'])?;
    let (from, to) = (from.trim(), to.trim().trim_start_matches(['c', 'p']));
    if is_decade(from) && is_decade(to) {
        return Some((from, to.to_owned()));
    }
    if from.len() != 4 || !from.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = to.trim_end_matches('?');
    if to.is_empty() {
        return Some((from, "..".to_owned()));
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match digits.len() {
        4 => Some((from, to.to_owned())),
        2 if digits > "12" => Some((from, format!("{}{to}", from.get(..2)?))),
        _ => None,
    }
}

/// `1950s`
fn is_decade(text: &str) -> bool {
    text.strip_suffix("0s")
        .is_some_and(|rest| rest.len() == 3 && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

fn interval(from: &str, to: &str) -> Result<String, &'static str> {
    let end = |text: &str| match text.trim() {
        ".." | "" => Ok("..".to_owned()),
        date => single(without_prefix(date).0),
    };
    let (from, to) = (end(from)?, end(to)?);
    if from == ".." && to == ".." {
        return Err("edtf.unknown");
    }
    let plain = |date: &str| date.trim_end_matches(['?', '~', '%']).to_owned();
    let (first, last) = (plain(&from), plain(&to));
    let comparable = first != ".." && last != ".." && !(first + &last).contains('X');
    let length = plain(&from).len().min(last.len());
    if comparable && plain(&from).get(..length) > last.get(..length) {
        return Err("edtf.order");
    }
    Ok(format!("{from}/{to}"))
}

/// One date of any precision, in lower case, with its qualifier.
fn single(text: &str) -> Result<String, &'static str> {
    let text = text.trim_matches(is_wrapping);
    let plain = text.trim_end_matches(['?', '~', '%']);
    let qualifier = text.get(plain.len()..).and_then(|marks| marks.chars().next());
    let mut date = numeric(plain).or_else(|| worded(plain)).unwrap_or(Err("edtf.shape"))?;
    date.extend(qualifier);
    Ok(date)
}

/// Dates made of digits: the shape, with `0` for any digit, says which.
fn numeric(text: &str) -> Option<Result<String, &'static str>> {
    let text = text.split_once('t').map_or(text, |(day, _)| day).trim();
    if text.len() > 10 {
        return None;
    }
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let date = match shape.as_str() {
        "0000" if is_plain_year(text) => Ok(text.to_owned()),
        "0000" => Err("edtf.unknown"),
        "000-" | "000u" | "000x" => Ok(format!("{}X", part(0, 3))),
        "00--" | "00uu" | "00xx" | "00-" => Ok(format!("{}XX", part(0, 2))),
        "0000s" | "0000's" | "0000’s" if part(2, 4) == "00" => Ok(format!("{}XX", part(0, 2))),
        "0000s" | "0000's" | "0000’s" if part(3, 4) == "0" => Ok(format!("{}X", part(0, 3))),
        "000000" => month(part(0, 4), part(4, 6)),
        "0000-00" => month(part(0, 4), part(5, 7)),
        "00000000" => day(part(0, 4), part(4, 6), part(6, 8)),
        "0000-00-00" | "0000/00/00" | "0000.00.00" => day(part(0, 4), part(5, 7), part(8, 10)),
        "00.00.0000" => day(part(6, 10), part(3, 5), part(0, 2)),
        "0.00.0000" => day(part(5, 9), part(2, 4), &format!("0{}", part(0, 1))),
        _ => return None,
    };
    Some(date)
}

/// Months in English, German and French; a word of three letters or more may stop short.
const MONTHS: &[(&str, &str)] = &[
    ("january", "01"),
    ("januar", "01"),
    ("janvier", "01"),
    ("february", "02"),
    ("februar", "02"),
    ("février", "02"),
    ("march", "03"),
    ("märz", "03"),
    ("mars", "03"),
    ("april", "04"),
    ("avril", "04"),
    ("may", "05"),
    ("mai", "05"),
    ("june", "06"),
    ("juni", "06"),
    ("juin", "06"),
    ("july", "07"),
    ("juli", "07"),
    ("juillet", "07"),
    ("august", "08"),
    ("août", "08"),
    ("september", "09"),
    ("septembre", "09"),
    ("october", "10"),
    ("oktober", "10"),
    ("octobre", "10"),
    ("november", "11"),
    ("novembre", "11"),
    ("december", "12"),
    ("dezember", "12"),
    ("décembre", "12"),
];

/// `5 may 1999`, `may 5, 1999`, `may 1999`, `1999 may`.
fn worded(text: &str) -> Option<Result<String, &'static str>> {
    let (mut year, mut month_number, mut day_number) = (None, None, None);
    for word in text.split([' ', ',', '.']).filter(|word| !word.is_empty()) {
        let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        if word.len() == 4 && is_plain_year(word) && year.is_none() {
            year = Some(word);
        } else if matches!(digits.len(), 1 | 2)
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && matches!(word.get(digits.len()..), Some("" | "st" | "nd" | "rd" | "th" | "er"))
            && day_number.is_none()
        {
            day_number = Some(format!("{digits:0>2}"));
        } else {
            let is_month = |name: &str| word.chars().count() >= 3 && name.starts_with(word);
            let (_, number) = MONTHS.iter().find(|(name, _)| is_month(name))?;
            if month_number.replace(*number).is_some() {
                return None;
            }
        }
    }
    match (year?, month_number?, day_number) {
        (year, number, None) => Some(month(year, number)),
        (year, number, Some(day_number)) => Some(day(year, number, &day_number)),
    }
}

fn month(year: &str, number: &str) -> Result<String, &'static str> {
    if !is_plain_year(year) {
        return Err("edtf.unknown");
    }
    if !("01"..="12").contains(&number) {
        return Err("edtf.month");
    }
    Ok(format!("{year}-{number}"))
}

fn day(year: &str, number: &str, day_number: &str) -> Result<String, &'static str> {
    let date = format!("{}-{day_number}", month(year, number)?);
    match date.parse::<jiff::civil::Date>() {
        Ok(_) => Ok(date),
        Err(_) => Err("edtf.day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_catalogers_become_edtf() {
        for (value, expected) in [
            ("1999", "1999"),
            ("c1999", "1999"),
            ("©1999.", "1999"),
            ("cop. 1999", "1999"),
            ("p1999", "1999"),
            ("[1999?]", "1999?"),
            ("[1999]", "1999"),
            ("[19]99", "1999"),
            ("1999].", "1999"),
            ("(1999)", "1999"),
            ("1999, c1998", "1999"),
            ("1999?", "1999?"),
            ("ca. 1999", "1999~"),
            ("[ca. 1999]", "1999~"),
            ("circa 1999", "1999~"),
            ("19--", "19XX"),
            ("[19--?]", "19XX?"),
            ("199-?", "199X?"),
            ("19uu", "19XX"),
            ("1950s", "195X"),
            ("[1950's?]", "195X?"),
            ("ca. 1950s", "195X~"),
            ("1900s", "19XX"),
            ("1950s-1970s", "195X/197X"),
            ("199u", "199X"),
            ("1999-2001", "1999/2001"),
            ("1999–2001", "1999/2001"),
            ("1998-99", "1998/1999"),
            ("1999-", "1999/.."),
            ("1999/2001", "1999/2001"),
            ("1999/..", "1999/.."),
            ("../1999", "../1999"),
            ("2001-02", "2001-02"),
            ("[between 1990 and 1995]", "1990/1995"),
            ("1999 [i.e. 2000]", "2000"),
            ("2001-02-03", "2001-02-03"),
            ("2001-02-03T04:05:06Z", "2001-02-03"),
            ("19990131", "1999-01-31"),
            ("199901", "1999-01"),
            ("31.01.1999", "1999-01-31"),
            ("1999/01/31", "1999-01-31"),
            ("May 1999", "1999-05"),
            ("5 May 1999", "1999-05-05"),
            ("May 5, 1999", "1999-05-05"),
            ("1999 Sept.", "1999-09"),
            ("März 1999", "1999-03"),
            ("1er juillet 1999", "1999-07-01"),
            ("1999-01/1999-05", "1999-01/1999-05"),
            ("1999~", "1999~"),
            ("Dec. 24th, 1999", "1999-12-24"),
        ] {
            assert_eq!(edtf(value).as_deref(), Ok(expected), "{value}");
            assert_eq!(edtf(expected).as_deref(), Ok(expected), "a second time: {value}");
        }
    }

    #[test]
    fn what_is_no_date_has_a_reason() {
        for (value, code) in [
            ("", "edtf.empty"),
            ("    ", "edtf.empty"),
            ("9999", "edtf.unknown"),
            ("uuuu", "edtf.unknown"),
            ("||||", "edtf.unknown"),
            ("0000", "edtf.unknown"),
            ("2001-02-30", "edtf.day"),
            ("20010230", "edtf.day"),
            ("2001-00", "edtf.month"),
            ("2001-1999", "edtf.order"),
            ("MCMXCIX", "edtf.shape"),
            ("n.d.", "edtf.shape"),
            ("01/31/1999", "edtf.shape"),
            ("the year 1999", "edtf.shape"),
            ("99", "edtf.shape"),
            ("1955s", "edtf.shape"),
            ("Marmalade 1999", "edtf.shape"),
        ] {
            assert_eq!(edtf(value), Err(code), "{value}");
        }
    }

    #[test]
    fn years_and_days_are_found() {
        assert_eq!(year("Geneva : CERN, c1999.").as_deref(), Ok("1999"));
        assert_eq!(year("19991 or 0999"), Err("year.none"));
        assert_eq!(iso_date("5 May 1999").as_deref(), Ok("1999-05-05"));
        assert_eq!(iso_date("1999-05"), Err("iso_date.partial"));
    }

    #[test]
    fn what_does_not_change_is_borrowed() {
        for value in ["1999", "[", "c"] {
            assert!(!matches!(edtf(value), Ok(Cow::Owned(_))), "{value}");
        }
        assert!(matches!(edtf("2001-02-03"), Ok(Cow::Borrowed("2001-02-03"))));
    }

    proptest::proptest! {
        #[test]
        fn a_wrapped_year_is_what_any_date_is(text in "[c-p0-9\\[\\]().,;:<> -]{0,4}(19|20|0|9)[0-9]{2,3}[0-9\\[\\]().,;:<> ?-]{0,4}") {
            if let Some(year) = wrapped_year(&text) {
                proptest::prop_assert_eq!(any_date(&text), Ok(Cow::Borrowed(year)));
            }
        }

        #[test]
        fn a_plain_date_is_what_any_date_is(
            text in " ?(1[789]|20|00)[0-9]{2}-[01][0-9](-(0[01]|2[89]|3[0-2]))?|[0-9]{2}0[04]-02-29",
        ) {
            // `1901-39` are years.
            let any = any_date(&text).ok().filter(|date| !date.contains('/'));
            proptest::prop_assert_eq!(plain_date(&text), any.as_deref(), "{:?}", text);
        }

        #[test]
        fn plain_years_are_what_any_date_is(text in "(19|20|99|00)[09][0-9]-(19|20|99|00)[09][0-9]") {
            if let Some((from, to)) = plain_years(&text) {
                proptest::prop_assert_eq!(any_date(&text), Ok(format!("{from}/{to}").into()));
            }
        }

        #[test]
        fn every_date_is_a_date_again(text in "[\\[(]?(c|ca\\. |May |)[0-9u-]{2,8}[-/. ?~]?[0-9]{0,4}[?\\])]?",
                                      wild in "(?s).{0,20}") {
            for value in [&text, &wild] {
                if let Ok(date) = edtf(value) {
                    proptest::prop_assert_eq!(edtf(&date), Ok(Cow::Borrowed(&*date)));
                }
                let _ = (year(value), iso_date(value));
            }
        }
    }
}
