//! The controlled lists of DataCite 4, each value with the minor version it came with.
//!
//! <https://datacite-metadata-schema.readthedocs.io/>

/// Values, sorted, and the minor version of DataCite 4 that each came with; 0 when it is older.
pub type List = [(&'static str, u8)];

/// The list that an attribute's value is taken from, if from one.
#[must_use]
pub fn list_of(attribute: &str) -> Option<&'static List> {
    Some(match attribute {
        "contributorType" => CONTRIBUTOR_TYPES,
        "dateType" => DATE_TYPES,
        "descriptionType" => DESCRIPTION_TYPES,
        "funderIdentifierType" => FUNDER_IDENTIFIER_TYPES,
        "nameType" => NAME_TYPES,
        "numberType" => NUMBER_TYPES,
        "relatedIdentifierType" | "relatedItemIdentifierType" => RELATED_IDENTIFIER_TYPES,
        "relationType" => RELATION_TYPES,
        "resourceTypeGeneral" | "relatedItemType" => RESOURCE_TYPES,
        "titleType" => TITLE_TYPES,
        _ => return None,
    })
}

/// The minor version that a value came with, if it is of the list.
#[must_use]
pub fn since(list: &List, value: &str) -> Option<u8> {
    let at = list.binary_search_by(|(known, _)| (*known).cmp(value)).ok()?;
    list.get(at).map(|(_, since)| *since)
}

/// `contributorType`
pub const CONTRIBUTOR_TYPES: &List = &[
    ("ContactPerson", 0),
    ("DataCollector", 0),
    ("DataCurator", 0),
    ("DataManager", 0),
    ("Distributor", 0),
    ("Editor", 0),
    ("HostingInstitution", 0),
    ("Other", 0),
    ("Producer", 0),
    ("ProjectLeader", 0),
    ("ProjectManager", 0),
    ("ProjectMember", 0),
    ("RegistrationAgency", 0),
    ("RegistrationAuthority", 0),
    ("RelatedPerson", 0),
    ("ResearchGroup", 0),
    ("Researcher", 0),
    ("RightsHolder", 0),
    ("Sponsor", 0),
    ("Supervisor", 0),
    ("Translator", 6),
    ("WorkPackageLeader", 0),
];

/// `dateType`
pub const DATE_TYPES: &List = &[
    ("Accepted", 0),
    ("Available", 0),
    ("Collected", 0),
    ("Copyrighted", 0),
    ("Coverage", 6),
    ("Created", 0),
    ("Issued", 0),
    ("Other", 1),
    ("Submitted", 0),
    ("Updated", 0),
    ("Valid", 0),
    ("Withdrawn", 2),
];

/// `descriptionType`
pub const DESCRIPTION_TYPES: &List = &[
    ("Abstract", 0),
    ("Methods", 0),
    ("Other", 0),
    ("SeriesInformation", 0),
    ("TableOfContents", 0),
    ("TechnicalInfo", 0),
];

/// `funderIdentifierType`
pub const FUNDER_IDENTIFIER_TYPES: &List =
    &[("Crossref Funder ID", 0), ("GRID", 0), ("ISNI", 0), ("Other", 0), ("ROR", 3)];

/// `nameType`
pub const NAME_TYPES: &List = &[("Organizational", 1), ("Personal", 1)];

/// `numberType`
pub const NUMBER_TYPES: &List = &[("Article", 4), ("Chapter", 4), ("Other", 4), ("Report", 4)];

/// `relatedIdentifierType`
pub const RELATED_IDENTIFIER_TYPES: &List = &[
    ("ARK", 0),
    ("CSTR", 6),
    ("DOI", 0),
    ("EAN13", 0),
    ("EISSN", 0),
    ("Handle", 0),
    ("IGSN", 0),
    ("ISBN", 0),
    ("ISSN", 0),
    ("ISTC", 0),
    ("LISSN", 0),
    ("LSID", 0),
    ("PMID", 0),
    ("PURL", 0),
    ("RAiD", 7),
    ("RRID", 6),
    ("SWHID", 7),
    ("UPC", 0),
    ("URL", 0),
    ("URN", 0),
    ("arXiv", 0),
    ("bibcode", 0),
    ("w3id", 2),
];

/// `relationType`
pub const RELATION_TYPES: &List = &[
    ("Cites", 0),
    ("Collects", 5),
    ("Compiles", 0),
    ("Continues", 0),
    ("Describes", 1),
    ("Documents", 0),
    ("HasMetadata", 0),
    ("HasPart", 0),
    ("HasTranslation", 6),
    ("HasVersion", 1),
    ("IsCitedBy", 0),
    ("IsCollectedBy", 5),
    ("IsCompiledBy", 0),
    ("IsContinuedBy", 0),
    ("IsDerivedFrom", 0),
    ("IsDescribedBy", 1),
    ("IsDocumentedBy", 0),
    ("IsIdenticalTo", 0),
    ("IsMetadataFor", 0),
    ("IsNewVersionOf", 0),
    ("IsObsoletedBy", 2),
    ("IsOriginalFormOf", 0),
    ("IsPartOf", 0),
    ("IsPreviousVersionOf", 0),
    ("IsPublishedIn", 4),
    ("IsReferencedBy", 0),
    ("IsRequiredBy", 1),
    ("IsReviewedBy", 0),
    ("IsSourceOf", 0),
    ("IsSupplementTo", 0),
    ("IsSupplementedBy", 0),
    ("IsTranslationOf", 6),
    ("IsVariantFormOf", 0),
    ("IsVersionOf", 1),
    ("Obsoletes", 2),
    ("Other", 7),
    ("References", 0),
    ("Requires", 1),
    ("Reviews", 0),
];

/// `resourceTypeGeneral`
pub const RESOURCE_TYPES: &List = &[
    ("Audiovisual", 0),
    ("Award", 6),
    ("Book", 4),
    ("BookChapter", 4),
    ("Collection", 0),
    ("ComputationalNotebook", 4),
    ("ConferencePaper", 4),
    ("ConferenceProceeding", 4),
    ("DataPaper", 1),
    ("Dataset", 0),
    ("Dissertation", 4),
    ("Event", 0),
    ("Image", 0),
    ("Instrument", 5),
    ("InteractiveResource", 0),
    ("Journal", 4),
    ("JournalArticle", 4),
    ("Model", 0),
    ("Other", 0),
    ("OutputManagementPlan", 4),
    ("PeerReview", 4),
    ("PhysicalObject", 0),
    ("Poster", 7),
    ("Preprint", 4),
    ("Presentation", 7),
    ("Project", 6),
    ("Report", 4),
    ("Service", 0),
    ("Software", 0),
    ("Sound", 0),
    ("Standard", 4),
    ("StudyRegistration", 5),
    ("Text", 0),
    ("Workflow", 0),
];

/// `titleType`
pub const TITLE_TYPES: &List =
    &[("AlternativeTitle", 0), ("Other", 0), ("Subtitle", 0), ("TranslatedTitle", 0)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_searched() {
        for attribute in [
            "contributorType",
            "dateType",
            "descriptionType",
            "funderIdentifierType",
            "nameType",
            "numberType",
            "relatedIdentifierType",
            "relationType",
            "resourceTypeGeneral",
            "titleType",
        ] {
            let list = list_of(attribute).unwrap();
            assert!(list.is_sorted_by(|a, b| a.0 < b.0), "{attribute}");
        }
        assert_eq!(since(RELATION_TYPES, "Other"), Some(7));
        assert_eq!(since(RELATION_TYPES, "Cites"), Some(0));
        assert_eq!(since(RELATION_TYPES, "cites"), None);
        assert_eq!(list_of("schemeURI"), None);
    }
}
