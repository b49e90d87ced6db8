//! XML 1.0 written into a string: escaped by construction, every opened element closed.

/// What a character that XML 1.0 cannot carry is written as.
const REPLACEMENT: char = '\u{FFFD}';

/// Whether XML 1.0 can carry `c` at all, escaped or not (XML 1.0 §2.2).
#[must_use]
pub fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Appends `text` as character data. What XML cannot carry becomes U+FFFD: answers how many
/// characters did.
pub fn push_text(out: &mut String, text: &str) -> usize {
    push_escaped(out, text, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        // A bare carriage return is read back as a line feed (XML 1.0 §2.11).
        '\r' => Some("&#13;"),
        _ => None,
    })
}

/// Appends `text` as the inside of a double-quoted attribute value, white space kept; answers
/// what [`push_text`] does.
pub fn push_attribute_value(out: &mut String, text: &str) -> usize {
    push_escaped(out, text, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\t' => Some("&#9;"),
        '\n' => Some("&#10;"),
        '\r' => Some("&#13;"),
        _ => None,
    })
}

/// A document or fragment in the making.
///
/// Element and attribute names are trusted, everything else is escaped.
#[derive(Debug, Default)]
pub struct Writer<'n> {
    out: String,
    open: Vec<&'n str>,
}

impl<'n> Writer<'n> {
    /// Begins a document: with the XML declaration.
    #[must_use]
    pub fn document() -> Writer<'n> {
        let out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
        Writer { out, open: Vec::new() }
    }

    /// Begins a fragment: no XML declaration.
    #[must_use]
    pub fn fragment() -> Writer<'n> {
        Writer::default()
    }

    /// Opens an element.
    pub fn open(&mut self, name: &'n str, attributes: &[(&str, &str)]) {
        self.start_tag(name, attributes);
        self.out.push('>');
        self.open.push(name);
    }

    /// Closes the innermost open element; does nothing when none is open.
    pub fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.end_tag(name);
        }
    }

    /// A whole element that holds text only; without text it is an empty element.
    pub fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.start_tag(name, attributes);
        if text.is_empty() {
            self.out.push_str("/>");
            return;
        }
        self.out.push('>');
        push_text(&mut self.out, text);
        self.end_tag(name);
    }

    /// Character data.
    pub fn text(&mut self, text: &str) {
        push_text(&mut self.out, text);
    }

    /// XML that stands as it is.
    pub fn raw(&mut self, xml: &str) {
        self.out.push_str(xml);
    }

    /// A comment; hyphens that would end it early are spaced out.
    pub fn comment(&mut self, text: &str) {
        self.out.push_str("<!-- ");
        let mut last = ' ';
        for c in text.chars() {
            if c == '-' && last == '-' {
                self.out.push(' ');
            }
            self.out.push(if is_xml_char(c) { c } else { REPLACEMENT });
            last = c;
        }
        self.out.push_str(" -->");
    }

    /// The text, after closing what is still open.
    #[must_use]
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }

    /// The text with what is open left open: whoever takes it closes that.
    #[must_use]
    pub fn unfinished(self) -> String {
        self.out
    }

    fn start_tag(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.out.push('<');
        self.out.push_str(name);
        for (attribute, value) in attributes {
            self.out.push(' ');
            self.out.push_str(attribute);
            self.out.push_str("=\"");
            push_attribute_value(&mut self.out, value);
            self.out.push('"');
        }
    }

    fn end_tag(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }
}

/// Length of the front of `bytes` that stands in XML as it is, in text and attributes: up to the
/// first markup or control character, or one of U+F000 to U+FFFF, some of which XML cannot carry.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    // As in `record::plain_json_length`. `"` and `&` differ by one bit, and so do `<` and `>`.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGHS;
    let mut length = 0;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or([0; 8]));
        let quote = below((word & !(ONES * 4)) ^ (ONES * u64::from(b'"')), 1);
        let angle = below((word & !(ONES * 2)) ^ (ONES * u64::from(b'<')), 1);
        let last = below(word ^ (ONES * 0xEF), 1);
        let special = below(word, 0x20) | quote | angle | last;
        if special != 0 {
            return length + special.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    let special = |byte: &u8| matches!(byte, 0..0x20 | b'&' | b'<' | b'>' | b'"' | 0xEF);
    let rest = chunks.remainder();
    length + rest.iter().position(special).unwrap_or(rest.len())
}

fn push_escaped(
    out: &mut String,
    text: &str,
    escape: impl Fn(char) -> Option<&'static str>,
) -> usize {
    let (mut rest, mut replaced) = (text, 0);
    loop {
        let plain = plain_length(rest.as_bytes());
        let (plain, from) = rest.split_at_checked(plain).unwrap_or((rest, ""));
        out.push_str(plain);
        let mut chars = from.chars();
        let Some(c) = chars.next() else { return replaced };
        rest = chars.as_str();
        match escape(c) {
            Some(reference) => out.push_str(reference),
            None if is_xml_char(c) => out.push(c),
            None => {
                replaced += 1;
                out.push(REPLACEMENT);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_are_escaped_and_open_elements_closed() {
        let mut writer = Writer::fragment();
        writer.open("a", &[("b", "\"<\n\u{1}")]);
        writer.leaf("c", &[], "é & ]]>\r");
        writer.leaf("d", &[], "");
        assert_eq!(
            writer.finish(),
            "<a b=\"&quot;&lt;&#10;\u{FFFD}\"><c>é &amp; ]]&gt;&#13;</c><d/></a>"
        );
    }

    #[test]
    fn a_comment_cannot_be_ended_from_within() {
        let mut writer = Writer::fragment();
        writer.comment("a--> <b/> --");
        let xml = writer.finish();
        assert_eq!(xml, "<!-- a- -> <b/> - - -->");
    }

    proptest::proptest! {
        #[test]
        fn the_plain_front_ends_where_a_byte_by_byte_search_ends(
            bytes: Vec<u8>,
            special: u8,
            at in 0_usize..40,
        ) {
            let plain = |byte: u8| !matches!(byte, 0..0x20 | b'&' | b'<' | b'>' | b'"' | 0xEF);
            let mut bytes: Vec<u8> =
                bytes.into_iter().map(|byte| if plain(byte) { byte } else { b'a' }).collect();
            if let Some(place) = bytes.get_mut(at) {
                *place = special;
            }
            let expected = bytes.iter().position(|byte| !plain(*byte)).unwrap_or(bytes.len());
            proptest::prop_assert_eq!(plain_length(&bytes), expected);
        }

        #[test]
        fn any_text_is_read_back_as_it_was_but_for_what_xml_cannot_carry(text in ".*") {
            let mut writer = Writer::fragment();
            writer.leaf("a", &[("b", &text)], &text);
            let xml = writer.finish();
            let expected: String =
                text.chars().map(|c| if is_xml_char(c) { c } else { REPLACEMENT }).collect();
            let start = xml.split_once('"').unwrap().1;
            let (attribute, _) = start.split_once('"').unwrap();
            proptest::prop_assert_eq!(quick_xml::escape::unescape(attribute).unwrap(), expected);
        }
    }
}
