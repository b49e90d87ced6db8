//! The names that stand in braces for characters, as MARCMaker has them.
//!
//! Where MARCMaker writes less, since MARC-8 had no such character (`{laquo}` as `"`, `{ZHcy}` as
//! `Zh`), the character is the one of the name. <https://www.loc.gov/marc/mnemonics.html>

use unicode_normalization::char::compose;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A mark on the letter that comes next.
    Mark(char),
    /// What takes the name's place.
    Text(String),
}

/// What `{name}` stands for.
///
/// Besides the two lists: a letter or digit for itself, a letter with the name of a mark behind it
/// (`eacute`), `u` and a code point, two hexadecimal digits for a character of ASCII.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    let text = |c: char| Some(Meaning::Text(c.to_string()));
    if let Some(mark) = mark(name) {
        return Some(Meaning::Mark(mark));
    }
    if let Ok(at) = SYMBOLS.binary_search_by_key(&name, |(name, _)| name) {
        return SYMBOLS.get(at).and_then(|(_, c)| text(*c));
    }
    let mut chars = name.chars();
    let first = chars.next().filter(char::is_ascii_alphanumeric)?;
    let rest = chars.as_str();
    if rest.is_empty() {
        return text(first);
    }
    if let Some(mark) = mark(rest).filter(|_| first.is_ascii_alphabetic()) {
        let composed = compose(first, mark).map(String::from);
        return Some(Meaning::Text(composed.unwrap_or_else(|| String::from_iter([first, mark]))));
    }
    let hexadecimal = |digits: &str| {
        let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| all)
    };
    if let Some(code) = hexadecimal(rest).filter(|_| first == 'u' && rest.len() >= 4) {
        return char::from_u32(code).and_then(text);
    }
    let code = hexadecimal(name).filter(|code| name.len() == 2 && (0x20..0x7F).contains(code))?;
    char::from_u32(code).and_then(text)
}

fn mark(name: &str) -> Option<char> {
    let at = MARKS.binary_search_by_key(&name, |(name, _)| name).ok()?;
    MARKS.get(at).map(|(_, mark)| *mark)
}

/// Marks, sorted by name.
const MARKS: &[(&str, char)] = &[
    ("acute", '\u{301}'),
    ("breve", '\u{306}'),
    ("breveb", '\u{32E}'),
    ("candra", '\u{310}'),
    ("caron", '\u{30C}'),
    ("cedil", '\u{327}'),
    ("circ", '\u{302}'),
    ("circb", '\u{325}'),
    ("commaa", '\u{313}'),
    ("commab", '\u{326}'),
    ("dblac", '\u{30B}'),
    ("dbldotb", '\u{324}'),
    ("dblunder", '\u{333}'),
    ("diaer", '\u{308}'),
    ("dot", '\u{307}'),
    ("dotb", '\u{323}'),
    ("grave", '\u{300}'),
    ("hooka", '\u{309}'),
    ("hookl", '\u{326}'),
    ("hookr", '\u{328}'),
    ("ldbltil", '\u{FE22}'),
    ("llig", '\u{FE20}'),
    ("macr", '\u{304}'),
    ("ogon", '\u{328}'),
    ("rcedil", '\u{31C}'),
    ("rcommaa", '\u{315}'),
    ("rdbltil", '\u{FE23}'),
    ("ring", '\u{30A}'),
    ("ringb", '\u{325}'),
    ("rlig", '\u{FE21}'),
    ("tilde", '\u{303}'),
    ("uml", '\u{308}'),
    ("under", '\u{332}'),
    ("vlineb", '\u{329}'),
];

/// Symbols and letters, sorted by name.
const SYMBOLS: &[(&str, char)] = &[
    ("AElig", 'Æ'),
    ("Acy", 'А'),
    ("Bcy", 'Б'),
    ("CHcy", 'Ч'),
    ("DJEcy", 'Ђ'),
    ("DZEcy", 'Ѕ'),
    ("DZHEcy", 'Џ'),
    ("Dagger", '‡'),
    ("Dcy", 'Д'),
    ("Dstrok", 'Đ'),
    ("ETH", 'Ð'),
    ("Ecy", 'Э'),
    ("Fcy", 'Ф'),
    ("GEcy", 'Ґ'),
    ("GJEcy", 'Ѓ'),
    ("Gcy", 'Г'),
    ("HARDcy", 'Ъ'),
    ("Hcy", 'Х'),
    ("IEcy", 'Е'),
    ("IJlig", 'Ĳ'),
    ("IOcy", 'Ё'),
    ("Icy", 'И'),
    ("JEcy", 'Ј'),
    ("JIcy", 'Ї'),
    ("Jcy", 'Й'),
    ("KHcy", 'Х'),
    ("KJEcy", 'Ќ'),
    ("Kcy", 'К'),
    ("LJEcy", 'Љ'),
    ("Lcy", 'Л'),
    ("Lstrok", 'Ł'),
    ("Mcy", 'М'),
    ("NJEcy", 'Њ'),
    ("Ncy", 'Н'),
    ("No", '№'),
    ("OElig", 'Œ'),
    ("Ocy", 'О'),
    ("Ohorn", 'Ơ'),
    ("Ostrok", 'Ø'),
    ("Pcy", 'П'),
    ("Rcy", 'Р'),
    ("SHCHcy", 'Щ'),
    ("SHcy", 'Ш'),
    ("SOFTcy", 'Ь'),
    ("Scy", 'С'),
    ("THORN", 'Þ'),
    ("TSHEcy", 'Ћ'),
    ("TScy", 'Ц'),
    ("Tcy", 'Т'),
    ("Ubrevecy", 'Ў'),
    ("Ucy", 'У'),
    ("Uhorn", 'Ư'),
    ("Vcy", 'В'),
    ("YAcy", 'Я'),
    ("YEcy", 'Є'),
    ("YIcy", 'Ї'),
    ("YUcy", 'Ю'),
    ("Ycy", 'Ы'),
    ("ZHcy", 'Ж'),
    ("Zcy", 'З'),
    ("acy", 'а'),
    ("aelig", 'æ'),
    ("agr", 'α'),
    ("alif", 'ʼ'),
    ("amp", '&'),
    ("apos", '\''),
    ("ast", '*'),
    ("asuper", 'ª'),
    ("ayn", 'ʻ'),
    ("bcy", 'б'),
    ("bgr", 'β'),
    ("brvbar", '¦'),
    ("bsol", '\\'),
    ("bull", '•'),
    ("cent", '¢'),
    ("chcy", 'ч'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("copy", '©'),
    ("curren", '¤'),
    ("dagger", '†'),
    ("dcy", 'д'),
    ("deg", '°'),
    ("divide", '÷'),
    ("djecy", 'ђ'),
    ("dollar", '$'),
    ("dstrok", 'đ'),
    ("dzecy", 'ѕ'),
    ("dzhecy", 'џ'),
    ("ecy", 'э'),
    ("equals", '='),
    ("eth", 'ð'),
    ("excl", '!'),
    ("fcy", 'ф'),
    ("flat", '♭'),
    ("fnof", 'ƒ'),
    ("frac12", '½'),
    ("frac14", '¼'),
    ("frac34", '¾'),
    ("gcy", 'г'),
    ("gecy", 'ґ'),
    ("ggr", 'γ'),
    ("gjecy", 'ѓ'),
    ("gt", '>'),
    ("hardcy", 'ъ'),
    ("hardsign", 'ʺ'),
    ("hcy", 'х'),
    ("hellip", '…'),
    ("hyphen", '-'),
    ("icy", 'и'),
    ("iecy", 'е'),
    ("iexcl", '¡'),
    ("ijlig", 'ĳ'),
    ("inodot", 'ı'),
    ("iocy", 'ё'),
    ("iquest", '¿'),
    ("jcy", 'й'),
    ("jecy", 'ј'),
    ("jicy", 'ї'),
    ("joiner", '\u{200D}'),
    ("kcy", 'к'),
    ("khcy", 'х'),
    ("kjecy", 'ќ'),
    ("laquo", '«'),
    ("lcub", '{'),
    ("lcy", 'л'),
    ("ldquo", '“'),
    ("ljecy", 'љ'),
    ("lpar", '('),
    ("lsqb", '['),
    ("lsquo", '‘'),
    ("lsquor", '‚'),
    ("lstrok", 'ł'),
    ("lt", '<'),
    ("mcy", 'м'),
    ("mdash", '—'),
    ("middot", '·'),
    ("mlPrime", 'ʺ'),
    ("mllhring", 'ʻ'),
    ("mlprime", 'ʹ'),
    ("mlrhring", 'ʼ'),
    ("ncy", 'н'),
    ("ndash", '–'),
    ("njecy", 'њ'),
    ("nonjoin", '\u{200C}'),
    ("num", '#'),
    ("ocy", 'о'),
    ("oelig", 'œ'),
    ("ohorn", 'ơ'),
    ("ordf", 'ª'),
    ("ordm", 'º'),
    ("ostrok", 'ø'),
    ("osuper", 'º'),
    ("para", '¶'),
    ("pcy", 'п'),
    ("percnt", '%'),
    ("period", '.'),
    ("phono", '℗'),
    ("pipe", '|'),
    ("plus", '+'),
    ("plusmn", '±'),
    ("pound", '£'),
    ("quest", '?'),
    ("quot", '"'),
    ("raquo", '»'),
    ("rcub", '}'),
    ("rcy", 'р'),
    ("rdquofh", '”'),
    ("rdquor", '”'),
    ("reg", '®'),
    ("rpar", ')'),
    ("rsqb", ']'),
    ("rsquo", '’'),
    ("rsquor", '’'),
    ("scriptl", 'ℓ'),
    ("scy", 'с'),
    ("sect", '§'),
    ("semi", ';'),
    ("sharp", '♯'),
    ("shchcy", 'щ'),
    ("shcy", 'ш'),
    ("shy", '\u{AD}'),
    ("softcy", 'ь'),
    ("softsign", 'ʹ'),
    ("sol", '/'),
    ("space", ' '),
    ("spcirc", '^'),
    ("spgrave", '`'),
    ("sptilde", '~'),
    ("spundscr", '_'),
    ("squf", '|'),
    ("sup1", '¹'),
    ("sup2", '²'),
    ("sup3", '³'),
    ("szlig", 'ß'),
    ("tcy", 'т'),
    ("thorn", 'þ'),
    ("times", '×'),
    ("trade", '™'),
    ("tscy", 'ц'),
    ("tshecy", 'ћ'),
    ("ubrevecy", 'ў'),
    ("ucy", 'у'),
    ("uhorn", 'ư'),
    ("vcy", 'в'),
    ("verbar", '|'),
    ("yacy", 'я'),
    ("ycy", 'ы'),
    ("yecy", 'є'),
    ("yen", '¥'),
    ("yicy", 'ї'),
    ("yucy", 'ю'),
    ("zcy", 'з'),
    ("zhcy", 'ж'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        assert!(MARKS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(SYMBOLS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn names_have_meanings() {
        let text = |name| match meaning(name) {
            Some(Meaning::Text(text)) => Some(text),
            _ => None,
        };
        for (name, expected) in [
            ("dollar", "$"),
            ("eacute", "é"),
            ("Scommab", "Ș"),
            ("xring", "x\u{30A}"),
            ("Lstrok", "Ł"),
            ("Z", "Z"),
            ("24", "$"),
            ("u0041", "A"),
            ("u1F600", "😀"),
            ("ZHcy", "Ж"),
            ("mlrhring", "ʼ"),
        ] {
            assert_eq!(text(name).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(meaning("acute"), Some(Meaning::Mark('\u{301}')));
        for unknown in ["", "nbsp", "arab", "u12", "u110000", "uD800", "1acute", "E2", "Eacutee"] {
            assert_eq!(meaning(unknown), None, "{unknown}");
        }
    }
}
