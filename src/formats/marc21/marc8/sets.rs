//! The graphic character sets of MARC-8, as tables from bytes to characters.
//!
//! `sets.bin` and `eacc.bin` are made by `dev/marc8_tables.rs` from the code tables of
//! <https://www.loc.gov/marc/specifications/codetables.xml>. `sets.bin` has, for each set of one
//! byte, 94 numbers of 16 bits (little endian, 0 for none). `eacc.bin` has the number of its rows
//! in 16 bits; rows of 16 bytes, sorted: the two bytes that its characters begin with, the number
//! of its first character, a bit for each third byte from 20 to 7F; characters of 24 bits.

/// A graphic character set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// Basic Latin.
    Ascii,
    /// Extended Latin (ANSEL).
    Ansel,
    /// Three Greek letters.
    GreekSymbols,
    /// Subscripts.
    Subscript,
    /// Superscripts.
    Superscript,
    /// Basic Hebrew.
    Hebrew,
    /// Basic Cyrillic (ISO registration 37).
    Cyrillic,
    /// Extended Cyrillic (ISO 5427).
    ExtendedCyrillic,
    /// Basic Arabic.
    Arabic,
    /// Extended Arabic.
    ExtendedArabic,
    /// Basic Greek (ISO 5428).
    Greek,
    /// East Asian Character Code, three bytes a character.
    Eacc,
    /// Extended Latin of UNIMARC.
    Iso5426,
}

static SETS: &[u8] = include_bytes!("sets.bin");
static EACC: &[u8] = include_bytes!("eacc.bin");

impl Set {
    /// The set that an escape sequence with this final byte designates.
    #[must_use]
    pub fn by_final(byte: u8) -> Option<Set> {
        Some(match byte {
            b'B' => Set::Ascii,
            b'E' => Set::Ansel,
            b'2' => Set::Hebrew,
            b'3' => Set::Arabic,
            b'4' => Set::ExtendedArabic,
            b'N' => Set::Cyrillic,
            b'Q' => Set::ExtendedCyrillic,
            b'S' => Set::Greek,
            // ISO registration 53; it is UNIMARC that has it.
            b'P' => Set::Iso5426,
            _ => return None,
        })
    }

    /// The character of a byte from 21 to 7E of a set of one byte.
    #[must_use]
    pub fn character(self, byte: u8) -> Option<char> {
        let place = match self {
            Set::Ascii => return (0x21..0x7F).contains(&byte).then(|| char::from(byte)),
            Set::Eacc => return None,
            Set::Iso5426 => return iso5426(byte),
            Set::Ansel => 0,
            Set::GreekSymbols => 1,
            Set::Subscript => 2,
            Set::Superscript => 3,
            Set::Hebrew => 4,
            Set::Cyrillic => 5,
            Set::ExtendedCyrillic => 6,
            Set::Arabic => 7,
            Set::ExtendedArabic => 8,
            Set::Greek => 9,
        };
        let column = usize::from(byte.checked_sub(0x21).filter(|&column| column < 94)?);
        let (numbers, _) = SETS.as_chunks::<2>();
        let number = u16::from_le_bytes(*numbers.get(place * 94 + column)?);
        char::from_u32(u32::from(number)).filter(|&c| c != '\0')
    }
}

/// The character of three bytes of EACC, without their high bits.
#[must_use]
pub fn eacc(bytes: [u8; 3]) -> Option<char> {
    // What EACC has no code for, but systems of Innovative Interfaces write, and one of CCCII.
    Some(match &bytes {
        b"\x21\x20\x24" => '\u{FF65}',
        b"\x21\x20\x3D" => '…',
        b"\x21\x20\x40" => '“',
        b"\x7F\x20\x14" => '—',
        b"\x7F\x20\x19" => '’',
        b"\x7F\x20\x20" => '”',
        b"\x7F\x21\x22" => '™',
        _ => return in_table(bytes),
    })
}

fn in_table([first, second, third]: [u8; 3]) -> Option<char> {
    let (count, rest) = EACC.split_first_chunk::<2>()?;
    let (rows, characters) = rest.split_at_checked(16 * usize::from(u16::from_le_bytes(*count)))?;
    let (rows, _) = rows.as_chunks::<16>();
    let key = u16::from_be_bytes([first, second]);
    let key_of = |&[low, high, ..]: &[u8; 16]| u16::from_le_bytes([low, high]);
    let row = rows.get(rows.binary_search_by_key(&key, key_of).ok()?)?;
    let [_, _, low, high, bits @ ..] = *row;
    let mut wide = [0; 16];
    wide.get_mut(..12)?.copy_from_slice(&bits);
    let bits = u128::from_le_bytes(wide);
    let bit = 1_u128 << third.checked_sub(0x20).filter(|&bit| bit < 96)?;
    if bits & bit == 0 {
        return None;
    }
    let before = (bits & (bit - 1)).count_ones() as usize;
    let (characters, _) = characters.as_chunks::<3>();
    let number = usize::from(u16::from_le_bytes([low, high])) + before;
    let &[low, middle, high] = characters.get(number)?;
    char::from_u32(u32::from_le_bytes([low, middle, high, 0]))
}

/// Whether a character of these sets combines with the one that comes behind it.
#[must_use]
pub fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{361}' | '\u{5B0}'..='\u{5BC}' | '\u{5BF}' | '\u{5C1}'
        | '\u{64B}'..='\u{652}' | '\u{FB1E}' | '\u{FE21}' | '\u{FE23}')
}

/// ISO 5426:1983, extended Latin; its marks stand before their base, too.
fn iso5426(byte: u8) -> Option<char> {
    Some(match byte {
        0x21 | 0x23 | 0x25 | 0x27 | 0x2B | 0x37 | 0x3B | 0x3F => char::from(byte | 0x80),
        0x22 => '„',
        0x24 => '$',
        0x26 => '†',
        0x28 => '′',
        0x29 => '‘',
        0x2A => '“',
        0x2C => '♭',
        0x2D => '©',
        0x2E => '℗',
        0x2F => '®',
        0x30 => 'ʻ',
        0x31 => 'ʼ',
        0x32 => '‚',
        0x36 => '‡',
        0x38 => '″',
        0x39 => '’',
        0x3A => '”',
        0x3C => '♯',
        0x3D => 'ʹ',
        0x3E => 'ʺ',
        0x40..=0x5E => return iso5426_mark(byte),
        0x61 => 'Æ',
        0x62 => 'Đ',
        0x66 => 'Ĳ',
        0x68 => 'Ł',
        0x69 => 'Ø',
        0x6A => 'Œ',
        0x6C => 'Þ',
        0x71 => 'æ',
        0x72 => 'đ',
        0x73 => 'ð',
        0x75 => 'ı',
        0x76 => 'ĳ',
        0x78 => 'ł',
        0x79 => 'ø',
        0x7A => 'œ',
        0x7B => 'ß',
        0x7C => 'þ',
        _ => return None,
    })
}

fn iso5426_mark(byte: u8) -> Option<char> {
    const MARKS: [char; 31] = [
        '\u{309}', '\u{300}', '\u{301}', '\u{302}', '\u{303}', '\u{304}', '\u{306}', '\u{307}',
        '\u{308}', '\u{308}', '\u{30A}', '\u{315}', '\u{313}', '\u{30B}', '\u{31B}', '\u{30C}',
        '\u{327}', '\u{31C}', '\u{326}', '\u{328}', '\u{325}', '\u{32E}', '\u{323}', '\u{324}',
        '\u{332}', '\u{333}', '\u{329}', '\u{32D}', '\0', '\u{361}', '\u{FE21}',
    ];
    let mark = MARKS.get(usize::from(byte.checked_sub(0x40)?)).copied()?;
    Some(mark).filter(|&mark| mark != '\0')
}
