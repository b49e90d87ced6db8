//! Records of the generator as ISO 2709 and MARCXML.

use windrow::formats::marc21::{Marc, iso2709, marcxml as xml};

/// One record as ISO 2709; `None` when it is too long for the directory (99,999 bytes).
pub fn iso2709(marc: &Marc) -> Option<Vec<u8>> {
    iso2709::write(marc).ok()
}

/// What stands before the records of a MARCXML collection.
pub const XML_HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<collection xmlns=\"http://www.loc.gov/MARC21/slim\">\n";
/// What stands after them.
pub const XML_TAIL: &str = "</collection>\n";

/// One record as a MARCXML `record` element on a line of its own.
pub fn marcxml(marc: &Marc) -> String {
    let mut out = String::new();
    xml::write(marc, &mut out);
    out + "\n"
}
