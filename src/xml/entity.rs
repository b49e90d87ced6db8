//! References: the five entities of XML, characters by number, and the entities of HTML 4.

/// What a reference stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// This character, by the rules of XML (it may be a control character that XML forbids).
    Char(char),
    /// Nothing by the rules; this character was most likely meant.
    Likely(char),
    /// Nothing that is known.
    Unknown,
}

/// What `&name;` stands for (XML 1.0 §4.1, §4.6).
pub(super) fn meaning(name: &str) -> Meaning {
    if let Some(number) = name.strip_prefix('#') {
        return by_number(number);
    }
    match name {
        "amp" => Meaning::Char('&'),
        "lt" => Meaning::Char('<'),
        "gt" => Meaning::Char('>'),
        "quot" => Meaning::Char('"'),
        "apos" => Meaning::Char('\''),
        _ => html(name).map_or(Meaning::Unknown, Meaning::Likely),
    }
}

fn by_number(number: &str) -> Meaning {
    let code = match number.strip_prefix('x') {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u32::from_str_radix(digits, 16)
        }
        None if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse(),
        _ => return Meaning::Unknown,
    };
    match code.ok().and_then(char::from_u32) {
        Some(c) => Meaning::Char(c),
        None if number.is_empty() || number == "x" => Meaning::Unknown,
        None => Meaning::Likely(char::REPLACEMENT_CHARACTER),
    }
}

// HTML 4.01 §24. Looked up for repairs only, so from end to end.
fn html(name: &str) -> Option<char> {
    let by_position = LATIN_1.split(' ').position(|latin| latin == name);
    if let Some(code) = by_position.and_then(|position| u32::try_from(position).ok()) {
        return char::from_u32(0xA0 + code);
    }
    let code = OTHERS.split(' ').find_map(|row| row.strip_prefix(name)?.strip_prefix('='))?;
    char::from_u32(u32::from_str_radix(code, 16).ok()?)
}

/// The names of U+00A0 to U+00FF, in that order.
const LATIN_1: &str = "\
    nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn \
    sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave \
    Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc \
    Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute \
    THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml \
    igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave \
    uacute ucirc uuml yacute thorn yuml";

/// The others: name and code point.
const OTHERS: &str = "\
    Alpha=391 Beta=392 Chi=3A7 Dagger=2021 Delta=394 Epsilon=395 Eta=397 Gamma=393 Iota=399 \
    Kappa=39A Lambda=39B Mu=39C Nu=39D OElig=152 Omega=3A9 Omicron=39F Phi=3A6 Pi=3A0 Prime=2033 \
    Psi=3A8 Rho=3A1 Scaron=160 Sigma=3A3 Tau=3A4 Theta=398 Upsilon=3A5 Xi=39E Yuml=178 Zeta=396 \
    alefsym=2135 alpha=3B1 amp=26 and=2227 ang=2220 asymp=2248 bdquo=201E beta=3B2 bull=2022 \
    cap=2229 chi=3C7 circ=2C6 clubs=2663 cong=2245 crarr=21B5 cup=222A dArr=21D3 dagger=2020 \
    darr=2193 delta=3B4 diams=2666 empty=2205 emsp=2003 ensp=2002 epsilon=3B5 equiv=2261 eta=3B7 \
    euro=20AC exist=2203 fnof=192 forall=2200 frasl=2044 gamma=3B3 ge=2265 gt=3E hArr=21D4 \
    harr=2194 hearts=2665 hellip=2026 image=2111 infin=221E int=222B iota=3B9 isin=2208 \
    kappa=3BA lArr=21D0 lambda=3BB lang=2329 larr=2190 lceil=2308 ldquo=201C le=2264 lfloor=230A \
    lowast=2217 loz=25CA lrm=200E lsaquo=2039 lsquo=2018 lt=3C mdash=2014 minus=2212 mu=3BC \
    nabla=2207 ndash=2013 ne=2260 ni=220B notin=2209 nsub=2284 nu=3BD oelig=153 oline=203E \
    omega=3C9 omicron=3BF oplus=2295 or=2228 otimes=2297 part=2202 permil=2030 perp=22A5 phi=3C6 \
    pi=3C0 piv=3D6 prime=2032 prod=220F prop=221D psi=3C8 quot=22 rArr=21D2 radic=221A rang=232A \
    rarr=2192 rceil=2309 rdquo=201D real=211C rfloor=230B rho=3C1 rlm=200F rsaquo=203A \
    rsquo=2019 sbquo=201A scaron=161 sdot=22C5 sigma=3C3 sigmaf=3C2 sim=223C spades=2660 \
    sub=2282 sube=2286 sum=2211 sup=2283 supe=2287 tau=3C4 there4=2234 theta=3B8 thetasym=3D1 \
    thinsp=2009 tilde=2DC trade=2122 uArr=21D1 uarr=2191 upsih=3D2 upsilon=3C5 weierp=2118 \
    xi=3BE zeta=3B6 zwj=200D zwnj=200C";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_252_entities_of_html_4_are_known() {
        assert_eq!(LATIN_1.split(' ').count(), 96);
        let names: Vec<&str> = OTHERS.split(' ').collect();
        assert!(names.is_sorted());
        assert_eq!(96 + names.len(), 252);
        assert!(LATIN_1.split(' ').all(|name| html(name).is_some()));
        let name = |row: &&str| row.split('=').next().unwrap().to_owned();
        assert!(names.iter().all(|row| html(&name(row)).is_some()));
        assert_eq!(meaning("nbsp"), Meaning::Likely('\u{A0}'));
        assert_eq!(meaning("yuml"), Meaning::Likely('ÿ'));
        assert_eq!(meaning("hellip"), Meaning::Likely('…'));
        assert_eq!(meaning("diams"), Meaning::Likely('♦'));
    }

    #[test]
    fn a_number_is_a_character_or_none() {
        assert_eq!(meaning("#x4E2D"), Meaning::Char('中'));
        assert_eq!(meaning("#228"), Meaning::Char('ä'));
        assert_eq!(meaning("#0"), Meaning::Char('\0'));
        assert_eq!(meaning("#xD800"), Meaning::Likely('\u{FFFD}'));
        assert_eq!(meaning("#99999999999"), Meaning::Likely('\u{FFFD}'));
        for name in ["#", "#x", "#+1", "#x-1", "#1a", "", "nbsp2", "="] {
            assert_eq!(meaning(name), Meaning::Unknown, "{name}");
        }
    }
}
