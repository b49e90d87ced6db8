//! The crosswalks out of records that the program brings along, with their tables: found as if
//! they stood in a folder of their own.

use std::io;
use std::path::Path;

/// The folder; no file system that matters has one of this name.
pub(super) const FOLDER: &str = "<built in>";

macro_rules! shipped {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../crosswalks/", $name)))),*]
    };
}

/// Path in the folder, and text.
static FILES: &[(&str, &str)] = shipped! {
    "record-to-datacite.yaml"
    "record-to-marc21.yaml"
    "record-to-mods.yaml"
    "record-to-oai_dc.yaml"
    "tables/datacite_contributor_types.csv"
    "tables/datacite_date_types.csv"
    "tables/datacite_description_types.csv"
    "tables/datacite_funder_identifier_types.csv"
    "tables/datacite_identifier_types.csv"
    "tables/datacite_relation_types.csv"
    "tables/datacite_title_types.csv"
    "tables/identifier_schemes.csv"
    "tables/invenio_rdm_resource_types.csv"
};

/// The text of a file of the disk, or of the folder of what is built in.
pub(super) fn read_to_string(path: &Path) -> io::Result<String> {
    let Ok(name) = path.strip_prefix(FOLDER) else { return std::fs::read_to_string(path) };
    let found = FILES.iter().find(|(built_in, _)| Path::new(built_in) == name);
    found.map(|(_, text)| (*text).to_owned()).ok_or(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crosswalk::Crosswalk;

    #[test]
    fn every_crosswalk_that_is_built_in_finds_what_it_needs() {
        assert!(FILES.is_sorted());
        for (name, _) in FILES.iter().filter(|(name, _)| name.ends_with(".yaml")) {
            let shipped = Crosswalk::load(&Path::new(FOLDER).join(name)).unwrap();
            let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("crosswalks").join(name);
            assert_eq!(shipped.hash(), Crosswalk::load(&beside).unwrap().hash(), "{name}");
        }
    }
}
