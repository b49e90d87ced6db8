//! The TeX of bibliographies to Unicode and back.
//!
//! Accents, letters and marks are read; braces and fonts say nothing of the text and are left
//! out; formulas and unknown commands stand as they are.

use unicode_normalization::UnicodeNormalization;

use super::parse::group_length;

/// How a field's value is to be read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// An address or name of a file, in which `~`, `--` and `$` stand for themselves.
    Verbatim,
}

/// Arguments in arguments are read so deep.
const MAX_DEPTH: usize = 16;

/// Accents by command, with their combining characters.
const ACCENTS: &[(&str, char)] = &[
    ("\"", '\u{308}'),
    ("'", '\u{301}'),
    (".", '\u{307}'),
    ("=", '\u{304}'),
    ("H", '\u{30B}'),
    ("^", '\u{302}'),
    ("`", '\u{300}'),
    ("b", '\u{331}'),
    ("c", '\u{327}'),
    ("d", '\u{323}'),
    ("k", '\u{328}'),
    ("r", '\u{30A}'),
    ("t", '\u{361}'),
    ("u", '\u{306}'),
    ("v", '\u{30C}'),
    ("~", '\u{303}'),
];

/// Letters and marks by command.
const SYMBOLS: &[(&str, &str)] = &[
    (" ", " "),
    ("#", "#"),
    ("$", "$"),
    ("%", "%"),
    ("&", "&"),
    (",", "\u{2009}"),
    ("-", ""),
    ("/", ""),
    ("AA", "Å"),
    ("AE", "Æ"),
    ("DH", "Ð"),
    ("DJ", "Đ"),
    ("L", "Ł"),
    ("NG", "Ŋ"),
    ("O", "Ø"),
    ("OE", "Œ"),
    ("P", "¶"),
    ("S", "§"),
    ("TH", "Þ"),
    ("\\", " "),
    ("_", "_"),
    ("aa", "å"),
    ("ae", "æ"),
    ("copyright", "©"),
    ("dag", "†"),
    ("ddag", "‡"),
    ("dh", "ð"),
    ("dj", "đ"),
    ("dots", "…"),
    ("guillemotleft", "«"),
    ("guillemotright", "»"),
    ("i", "ı"),
    ("j", "ȷ"),
    ("l", "ł"),
    ("ldots", "…"),
    ("ng", "ŋ"),
    ("o", "ø"),
    ("oe", "œ"),
    ("pounds", "£"),
    ("ss", "ß"),
    ("textasciicircum", "^"),
    ("textasciigrave", "`"),
    ("textasciitilde", "~"),
    ("textbackslash", "\\"),
    ("textbar", "|"),
    ("textbraceleft", "{"),
    ("textbraceright", "}"),
    ("textbullet", "•"),
    ("textcopyright", "©"),
    ("textdegree", "°"),
    ("textellipsis", "…"),
    ("textemdash", "—"),
    ("textendash", "–"),
    ("textexclamdown", "¡"),
    ("textgreater", ">"),
    ("textless", "<"),
    ("textquestiondown", "¿"),
    ("textquotedbl", "\""),
    ("textquotedblleft", "“"),
    ("textquotedblright", "”"),
    ("textquoteleft", "‘"),
    ("textquoteright", "’"),
    ("textquotesingle", "'"),
    ("textregistered", "®"),
    ("texttrademark", "™"),
    ("textunderscore", "_"),
    ("th", "þ"),
    ("{", "{"),
    ("}", "}"),
];

/// Commands that say how a text looks, not what it is.
const FONTS: &[&str] = &[
    "bf",
    "bfseries",
    "em",
    "emph",
    "ensuremath",
    "it",
    "itshape",
    "mbox",
    "rm",
    "sc",
    "scshape",
    "sf",
    "sl",
    "text",
    "textbf",
    "textit",
    "textmd",
    "textnormal",
    "textrm",
    "textsc",
    "textsf",
    "textsl",
    "texttt",
    "textup",
    "tt",
    "uppercase",
    "url",
];

/// The text that this TeX, its white space single, stands for; commands it does not know are
/// added to `unknown`, as they stand.
pub(super) fn decode(tex: &str, kind: Kind, unknown: &mut Vec<String>) -> String {
    let mut out = String::with_capacity(tex.len());
    Decoder { rest: tex, kind, unknown, depth: 0 }.decode(&mut out);
    out
}

/// The TeX that stands for this text: [`decode`] gives the text back.
pub(super) fn encode(text: &str, kind: Kind) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut last = '\0';
    for (index, c) in text.char_indices() {
        match c {
            '\\' => out.push_str("\\textbackslash{}"),
            '{' => out.push_str("\\textbraceleft{}"),
            '}' => out.push_str("\\textbraceright{}"),
            // White space at the ends and in rows is not kept otherwise.
            ' ' => {
                out.push_str(if last == ' ' || index == 0 { "{} " } else { " " });
                out.push_str(if index + 1 == text.len() { "{}" } else { "" });
            }
            '-' | '`' | '\'' if last == c && kind == Kind::Text => {
                out.extend(["{}", c.encode_utf8(&mut [0; 4])]);
            }
            '&' | '%' | '$' | '#' | '_' if kind == Kind::Text => out.extend(['\\', c]),
            '~' if kind == Kind::Text => out.push_str("\\textasciitilde{}"),
            '^' if kind == Kind::Text => out.push_str("\\textasciicircum{}"),
            '\u{A0}' if kind == Kind::Text => out.push('~'),
            _ => out.push(c),
        }
        last = c;
    }
    out
}

struct Decoder<'t, 'u> {
    rest: &'t str,
    kind: Kind,
    unknown: &'u mut Vec<String>,
    depth: usize,
}

impl<'t> Decoder<'t, '_> {
    fn decode(&mut self, out: &mut String) {
        const MARKS: [(&str, &str); 4] = [("---", "—"), ("--", "–"), ("``", "“"), ("''", "”")];
        while let Some(c) = self.rest.chars().next() {
            match c {
                '\\' => {
                    self.command(out);
                    continue;
                }
                '{' | '}' => {
                    self.pass(1);
                    continue;
                }
                _ if self.kind == Kind::Verbatim => {}
                '~' => {
                    out.push('\u{A0}');
                    self.pass(1);
                    continue;
                }
                '$' => {
                    self.formula(out);
                    continue;
                }
                '-' | '`' | '\'' => {
                    if let Some((mark, text)) =
                        MARKS.iter().find(|(mark, _)| self.rest.starts_with(mark))
                    {
                        out.push_str(text);
                        self.pass(mark.len());
                        continue;
                    }
                }
                _ => {}
            }
            out.push(c);
            self.pass(c.len_utf8());
        }
    }

    // Up to the next dollar sign, as it stands.
    fn formula(&mut self, out: &mut String) {
        let end = self.rest.get(1..).and_then(|rest| rest.find('$'));
        let length = end.map_or(1, |end| end + 2);
        out.push_str(self.pass(length));
    }

    fn command(&mut self, out: &mut String) {
        let behind = self.rest.get(1..).unwrap_or_default();
        let letters = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
        let length =
            if letters > 0 { letters } else { behind.chars().next().map_or(0, char::len_utf8) };
        let name = behind.get(..length).unwrap_or_default();
        let is_mark = letters == 0 && "#$%&_{}".contains(name) && length > 0;
        let is_known = is_mark || name.starts_with("text") || FONTS.contains(&name);
        if self.kind == Kind::Verbatim && !is_known {
            out.push('\\');
            self.pass(1);
            return;
        }
        let whole = self.rest;
        self.pass(1 + length);
        if let Ok(index) = ACCENTS.binary_search_by_key(&name, |(name, _)| name)
            && let Some((_, mark)) = ACCENTS.get(index)
            && self.accent(*mark, out)
        {
            return;
        }
        if let Ok(index) = SYMBOLS.binary_search_by_key(&name, |(name, _)| name) {
            out.push_str(SYMBOLS.get(index).map_or("", |(_, text)| text));
            if letters > 0 {
                self.end_word();
            }
            return;
        }
        if FONTS.contains(&name) {
            self.rest = self.rest.trim_start_matches(' ');
            return;
        }
        // With its arguments, which would run together without their braces.
        self.rest = whole;
        let mut end = 1 + length;
        while let Some(rest) = whole.get(end..).filter(|rest| rest.starts_with('{')) {
            let Some(length) = group_length(rest) else { break };
            end += length;
        }
        let command = self.pass(end);
        out.push_str(command);
        self.unknown.push(command.to_owned());
    }

    // Whether there is a letter for the accent.
    fn accent(&mut self, mark: char, out: &mut String) -> bool {
        let before = self.rest;
        self.rest = self.rest.trim_start_matches(' ');
        let length = match self.rest.chars().next() {
            Some('{') => group_length(self.rest),
            Some('\\') => Some(1 + command_length(self.rest)),
            Some(c) if c.is_alphanumeric() => Some(c.len_utf8()),
            _ => None,
        };
        let argument = length.filter(|_| self.depth < MAX_DEPTH).map(|length| self.pass(length));
        let mut text = String::new();
        if let Some(rest) = argument {
            let unknown = &mut *self.unknown;
            Decoder { rest, kind: self.kind, unknown, depth: self.depth + 1 }.decode(&mut text);
        }
        let mut chars = text.chars();
        let Some(first) = chars.next().filter(|first| first.is_alphanumeric()) else {
            self.rest = before;
            return false;
        };
        // An accent takes the place of the dot.
        let base = match first {
            'ı' => 'i',
            'ȷ' => 'j',
            other => other,
        };
        out.extend([base, mark].into_iter().nfc());
        out.push_str(chars.as_str());
        true
    }

    // A command of letters takes the white space behind it, unless braces stop it.
    fn end_word(&mut self) {
        self.rest = match self.rest.strip_prefix("{}") {
            Some(rest) => rest,
            None => self.rest.trim_start_matches(' '),
        };
    }

    fn pass(&mut self, length: usize) -> &'t str {
        let (passed, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        passed
    }
}

fn command_length(text: &str) -> usize {
    let behind = text.get(1..).unwrap_or_default();
    let letters = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
    if letters > 0 { letters } else { behind.chars().next().map_or(0, char::len_utf8) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        assert!(ACCENTS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(SYMBOLS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(FONTS.is_sorted());
    }

    #[test]
    fn accents_letters_and_marks_become_unicode() {
        for (tex, text) in [
            ("Helmh{\\\"o}ltz", "Helmhöltz"),
            ("Helmh\\\"oltz, Herm\\\"{a}\\~n", "Helmhöltz, Hermäñ"),
            ("Der Trag{\\\" o}die", "Der Tragödie"),
            ("{\\'\\i}sland \\v{S}koda \\c cedille \\t{oo}", "ísland Škoda çedille o\u{361}o"),
            ("\\o re, {\\ss}, \\AA{} b", "øre, ß, Å b"),
            ("a\\&b\\%c\\$d\\#e\\_f\\textasciitilde{}\\textasciicircum{}", "a&b%c$d#e_f~^"),
            ("1--2---``q''~x", "1–2—“q”\u{A0}x"),
            ("{eLife} \\textit{i} {\\it j}", "eLife i j"),
            ("$e=mc^2$ costs 5$", "$e=mc^2$ costs 5$"),
            ("\\unknown{a}{b} c", "\\unknown{a}{b} c"),
            ("\\\"{}", "\\\"{}"),
            ("ends \\", "ends \\"),
        ] {
            assert_eq!(decode(tex, Kind::Text, &mut Vec::new()), text);
        }
        let url = |tex| decode(tex, Kind::Verbatim, &mut Vec::new());
        assert_eq!(url("\\url{http://a.b/~c--d\\_e%20$f$}"), "http://a.b/~c--d_e%20$f$");
        assert_eq!(url(":C\\:\\\\x:PDF"), ":C\\:\\\\x:PDF");
    }

    proptest::proptest! {
        #[test]
        fn what_is_encoded_is_decoded(text in "[ -~äß–\u{A0}\u{301}]{0,20}") {
            for kind in [Kind::Text, Kind::Verbatim] {
                let tex = encode(&text, kind);
                let tex = super::super::parse::collapsed(&tex);
                proptest::prop_assert_eq!(&decode(&tex, kind, &mut Vec::new()), &text);
                let group = format!("{{{tex}}}");
                proptest::prop_assert_eq!(group_length(&group), Some(group.len()));
            }
        }

        #[test]
        fn no_tex_makes_it_panic(tex in "[\\\\{}$~\"'^a-c -]{0,30}") {
            decode(&tex, Kind::Text, &mut Vec::new());
            decode(&tex, Kind::Verbatim, &mut Vec::new());
        }
    }
}
