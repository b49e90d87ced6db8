//! The character codings that records of ISO 2709 come in, whatever they say themselves.

/// A character coding, by the name that `source.encoding` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `utf-8`
    Utf8,
    /// `marc-8`
    Marc8,
    /// `iso-5426`: ISO 646 and ISO 5426, the usual coding of UNIMARC.
    Iso5426,
    /// `iso-8859-1`
    Latin1,
    /// `windows-1252`
    Windows1252,
    /// `windows-1251`
    Windows1251,
    /// `cp866`
    Cp866,
}

impl Encoding {
    /// All of them, sorted by name.
    pub const ALL: &[Encoding] = &[
        Encoding::Cp866,
        Encoding::Iso5426,
        Encoding::Latin1,
        Encoding::Marc8,
        Encoding::Utf8,
        Encoding::Windows1251,
        Encoding::Windows1252,
    ];

    /// Its name in pipelines and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::Marc8 => "marc-8",
            Encoding::Iso5426 => "iso-5426",
            Encoding::Latin1 => "iso-8859-1",
            Encoding::Windows1252 => "windows-1252",
            Encoding::Windows1251 => "windows-1251",
            Encoding::Cp866 => "cp866",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Encoding> {
        Encoding::ALL.iter().copied().find(|encoding| encoding.name() == name)
    }

    /// The character of one byte, in the codings of one byte a character; in the others the
    /// character of that number. Bytes without a meaning are the control of that number.
    #[must_use]
    pub fn character(self, byte: u8) -> char {
        let of = |table: &[char], first: u8| table.get(usize::from(byte - first)).copied();
        let letter = |first: u8, letter: u32| char::from_u32(letter + u32::from(byte - first));
        let c = match (self, byte) {
            (_, ..0x80) => None,
            (Encoding::Windows1252, ..0xA0) => of(&WINDOWS_1252, 0x80),
            (Encoding::Windows1251, ..0xC0) => of(&WINDOWS_1251, 0x80),
            (Encoding::Windows1251, _) => letter(0xC0, 0x410),
            (Encoding::Cp866, ..0xB0) => letter(0x80, 0x410),
            (Encoding::Cp866, ..0xE0) => of(&CP866_LINES, 0xB0),
            (Encoding::Cp866, ..0xF0) => letter(0xE0, 0x440),
            (Encoding::Cp866, _) => of(&CP866_END, 0xF0),
            _ => None,
        };
        c.unwrap_or(char::from(byte))
    }
}

const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];

// Behind these, the alphabet from U+0410 on.
const WINDOWS_1251: [char; 64] = [
    'Ђ', 'Ѓ', '‚', 'ѓ', '„', '…', '†', '‡', '€', '‰', 'Љ', '‹', 'Њ', 'Ќ', 'Ћ', 'Џ', 'ђ', '‘', '’',
    '“', '”', '•', '–', '—', '\u{98}', '™', 'љ', '›', 'њ', 'ќ', 'ћ', 'џ', '\u{A0}', 'Ў', 'ў', 'Ј',
    '¤', 'Ґ', '¦', '§', 'Ё', '©', 'Є', '«', '¬', '\u{AD}', '®', 'Ї', '°', '±', 'І', 'і', 'ґ', 'µ',
    '¶', '·', 'ё', '№', 'є', '»', 'ј', 'Ѕ', 'ѕ', 'ї',
];

// Between two parts of the alphabet.
const CP866_LINES: [char; 48] = [
    '░', '▒', '▓', '│', '┤', '╡', '╢', '╖', '╕', '╣', '║', '╗', '╝', '╜', '╛', '┐', '└', '┴', '┬',
    '├', '─', '┼', '╞', '╟', '╚', '╔', '╩', '╦', '╠', '═', '╬', '╧', '╨', '╤', '╥', '╙', '╘', '╒',
    '╓', '╫', '╪', '┘', '┌', '█', '▄', '▌', '▐', '▀',
];

const CP866_END: [char; 16] =
    ['Ё', 'ё', 'Є', 'є', 'Ї', 'ї', 'Ў', 'ў', '°', '∙', '·', '√', '№', '¤', '■', '\u{A0}'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_sorted_by_name_and_found_by_it() {
        assert!(Encoding::ALL.is_sorted_by_key(|encoding| encoding.name()));
        for &encoding in Encoding::ALL {
            assert_eq!(Encoding::by_name(encoding.name()), Some(encoding));
        }
    }

    #[test]
    fn one_byte_is_one_character() {
        let text = |encoding: Encoding, bytes: &[u8]| -> String {
            bytes.iter().map(|&byte| encoding.character(byte)).collect()
        };
        assert_eq!(text(Encoding::Latin1, b"caf\xE9 \x93"), "café \u{93}");
        assert_eq!(text(Encoding::Windows1252, b"\x80 \x93caf\xE9\x94 \x81"), "€ “café” \u{81}");
        assert_eq!(text(Encoding::Windows1251, b"\xCC\xE8\xF0 \xA8\xB8 \xB9"), "Мир Ёё №");
        assert_eq!(text(Encoding::Cp866, b"\x8C\xA8\xE0 \xF0\xF1 \xFC \xB0"), "Мир Ёё № ░");
    }
}
