//! Records of the generator as ISO 2709 and MARCXML.

use windrow::formats::marc21::{Field, Marc};

/// One record as ISO 2709; `None` when it is too long for the directory (99,999 bytes).
pub fn iso2709(marc: &Marc) -> Option<Vec<u8>> {
    let (mut directory, mut data) = (String::new(), Vec::new());
    for field in marc.fields() {
        let start = data.len();
        if field.tag().is_control() {
            data.extend_from_slice(field.value().as_bytes());
        } else {
            data.extend(field.indicators().iter().collect::<String>().bytes());
            for subfield in field.subfields() {
                data.push(0x1F);
                data.extend(subfield.code.to_string().bytes());
                data.extend_from_slice(subfield.value.as_bytes());
            }
        }
        data.push(0x1E);
        directory += &format!("{}{:04}{start:05}", field.tag(), data.len() - start);
    }
    let base = 24 + directory.len() + 1;
    let total = base + data.len() + 1;
    let leader = marc.leader().as_str();
    let (kind, rest) = (leader.get(5..12)?, leader.get(17..24)?);
    let mut out = format!("{total:05}{kind}{base:05}{rest}{directory}\u{1e}").into_bytes();
    out.extend_from_slice(&data);
    out.push(0x1D);
    (total <= 99_999).then_some(out)
}

/// What stands before the records of a MARCXML collection.
pub const XML_HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<collection xmlns=\"http://www.loc.gov/MARC21/slim\">\n";
/// What stands after them.
pub const XML_TAIL: &str = "</collection>\n";

/// One record as a MARCXML `record` element, in the namespace that [`XML_HEAD`] declares.
pub fn marcxml(marc: &Marc) -> String {
    let mut out = format!("<record>\n  <leader>{}</leader>\n", marc.leader().as_str());
    for field in marc.fields() {
        xml_field(field, &mut out);
    }
    out + "</record>\n"
}

fn xml_field(field: Field<'_>, out: &mut String) {
    let tag = field.tag();
    if tag.is_control() {
        let value = escape(field.value());
        *out += &format!("  <controlfield tag=\"{tag}\">{value}</controlfield>\n");
        return;
    }
    let [ind1, ind2] = field.indicators();
    *out += &format!("  <datafield tag=\"{tag}\" ind1=\"{ind1}\" ind2=\"{ind2}\">\n");
    for subfield in field.subfields() {
        let (code, value) = (subfield.code, escape(subfield.value));
        *out += &format!("    <subfield code=\"{code}\">{value}</subfield>\n");
    }
    *out += "  </datafield>\n";
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
