//! Identifiers as sources write them, and what becomes of them.

use super::*;

fn check(normalize: Normalize, cases: &[(&str, Result<&str, &str>)]) {
    for (value, expected) in cases {
        let found = normalize(value);
        let found = found.as_deref().map_err(|error| error.code);
        assert_eq!(found, *expected, "{value}");
        if let Ok(normal) = found {
            assert_eq!(normalize(normal).as_deref(), Ok(normal), "normal stays: {value}");
        }
    }
}

#[test]
fn dois_lose_their_wrapping_and_their_case() {
    let expected = Ok("10.5281/zenodo.123");
    check(
        doi,
        &[
            ("10.5281/zenodo.123", expected),
            ("https://doi.org/10.5281/ZENODO.123", expected),
            (" http://dx.doi.org/10.5281/zenodo.123 ", expected),
            ("doi:10.5281/zenodo.123", expected),
            ("DOI: 10.5281/zenodo.123", expected),
            ("10.1000.10/a(b)c;d", Ok("10.1000.10/a(b)c;d")),
            ("10.5281/", Err("doi.shape")),
            ("10.x/y", Err("doi.shape")),
            ("11.5281/zenodo", Err("doi.shape")),
            ("10.5281/a b", Err("doi.shape")),
            ("", Err("doi.shape")),
        ],
    );
}

#[test]
fn isbns_are_checked_and_converted() {
    let expected = Ok("9783161484100");
    check(
        isbn13,
        &[
            ("9783161484100", expected),
            ("978-3-16-148410-0", expected),
            ("978 3 16 148410 0 (pbk. : v. 1)", expected),
            ("9783161484100 (pbk)", expected),
            ("9783161484100(pbk)", expected),
            ("9783161484100 : 12.50 EUR", expected),
            ("316148410X", expected),
            ("3-16-148410-x hardcover", expected),
            ("ISBN 3-16-148410-X", expected),
            ("ISBN-13: 978-3-16-148410-0", expected),
            ("urn:isbn:9783161484100", expected),
            ("9783161484101", Err("isbn13.checksum")),
            ("3161484101", Err("isbn13.checksum")),
            ("4006381333931", Err("isbn13.prefix")),
            ("978316148410X", Err("isbn13.shape")),
            ("978316148", Err("isbn13.shape")),
            ("(pbk)", Err("isbn13.shape")),
            ("", Err("isbn13.shape")),
        ],
    );
    check(
        isbn10,
        &[
            ("316148410X", Ok("316148410X")),
            ("0-306-40615-2", Ok("0306406152")),
            ("978-0-306-40615-7", Ok("0306406152")),
            ("0306406153", Err("isbn10.checksum")),
            ("9780306406158", Err("isbn10.checksum")),
            ("9791090636071", Err("isbn10.prefix")),
            ("12", Err("isbn10.shape")),
        ],
    );
}

#[test]
fn issns_are_checked_and_hyphenated() {
    check(
        issn,
        &[
            ("2049-3630", Ok("2049-3630")),
            ("20493630", Ok("2049-3630")),
            ("ISSN 2434-561x (online)", Ok("2434-561X")),
            ("2049-3631", Err("issn.checksum")),
            ("2049-36", Err("issn.shape")),
        ],
    );
}

#[test]
fn orcids_and_isnis_are_checked() {
    let expected = Ok("0000-0002-1825-0097");
    check(
        orcid,
        &[
            ("0000-0002-1825-0097", expected),
            ("https://orcid.org/0000-0002-1825-0097", expected),
            ("http://www.orcid.org/0000-0002-1825-0097/", expected),
            ("(ORCID)0000000218250097", expected),
            ("(orcid) 0000-0002-1825-0097", expected),
            ("0000-0002-9079-593x", Ok("0000-0002-9079-593X")),
            ("0000-0002-1825-0098", Err("orcid.checksum")),
            ("0000-0002-1825", Err("orcid.shape")),
            ("X000-0002-1825-0097", Err("orcid.shape")),
        ],
    );
    check(
        isni,
        &[
            ("0000 0001 2103 2683", Ok("0000000121032683")),
            ("https://isni.org/isni/0000000121032683", Ok("0000000121032683")),
            ("0000000121032684", Err("isni.checksum")),
            ("1", Err("isni.shape")),
        ],
    );
}

#[test]
fn ror_arxiv_handle_url_and_urn_have_their_shapes() {
    check(
        ror,
        &[
            ("01ggx4157", Ok("01ggx4157")),
            ("https://ror.org/01GGX4157", Ok("01ggx4157")),
            ("https://ror.org/05dxps055", Ok("05dxps055")),
            ("01ggx4158", Err("ror.checksum")),
            ("11ggx4157", Err("ror.shape")),
            ("01ggl4157", Err("ror.shape")),
            ("é1ggx415", Err("ror.shape")),
        ],
    );
    check(
        arxiv,
        &[
            ("1501.00001", Ok("arXiv:1501.00001")),
            ("arXiv:1501.00001v2 [hep-ph]", Ok("arXiv:1501.00001v2")),
            ("https://arxiv.org/abs/hep-th/9901001", Ok("arXiv:hep-th/9901001")),
            ("https://arxiv.org/pdf/1501.00001.pdf", Ok("arXiv:1501.00001")),
            ("1501.1", Err("arxiv.shape")),
        ],
    );
    check(
        handle,
        &[
            ("hdl:1234/5", Ok("1234/5")),
            ("https://hdl.handle.net/20.500.12345/A", Ok("20.500.12345/A")),
            ("12 34/5", Err("handle.shape")),
        ],
    );
    check(
        url,
        &[
            (" https://example.org/a?b#c ", Ok("https://example.org/a?b#c")),
            ("example.org", Err("url.shape")),
            ("http://", Err("url.shape")),
            ("http://exa mple.org", Err("url.shape")),
            ("javascript:alert(1)", Err("url.shape")),
        ],
    );
    check(
        urn,
        &[
            ("urn:nbn:de:101:1-2019", Ok("urn:nbn:de:101:1-2019")),
            ("URN:NBN:de:101:1-2019", Ok("urn:nbn:de:101:1-2019")),
            ("urn:x", Err("urn.shape")),
            ("urn:-a:b", Err("urn.shape")),
        ],
    );
}

#[test]
fn the_most_specific_scheme_is_found() {
    for (value, scheme, normal) in [
        ("26468131", "issn", "2646-8131"),
        ("978-3-16-148410-0", "isbn", "9783161484100"),
        ("https://orcid.org/0000-0002-9079-593X", "orcid", "0000-0002-9079-593X"),
        ("0009-0006-5173-5201", "orcid", "0009-0006-5173-5201"),
        ("0000000121032683", "isni", "0000000121032683"),
        ("10.5281/zenodo.123", "doi", "10.5281/zenodo.123"),
        ("https://doi.org/10.5281/zenodo.123", "doi", "10.5281/zenodo.123"),
        ("arXiv:1501.00001", "arxiv", "arXiv:1501.00001"),
        ("hdl:1234/5", "handle", "1234/5"),
        ("https://ror.org/01ggx4157", "ror", "01ggx4157"),
        ("https://example.org/10.5281/x", "url", "https://example.org/10.5281/x"),
    ] {
        assert_eq!(id_scheme(value), Some(scheme), "{value}");
        assert_eq!(normalize_id(value).as_deref(), Ok(normal), "{value}");
    }
    assert_eq!(id_scheme("a book"), None);
    assert_eq!(normalize_id("a book").unwrap_err().code, "id.unknown");
}

proptest::proptest! {
    #[test]
    fn what_is_not_compacted_has_no_shape(
        text in "[0-9]{4}[-\u{2010} ]?[0-9]{3}[0-9Xxa]|[0-9]{9}[Xxa]|[0-9]{15}[Xx]|[0-9Xx -]{7,19}",
    ) {
        let kept = text.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{2010}'));
        let all: String = kept.map(|c| c.to_ascii_uppercase()).collect();
        for length in [8, 10, 13, 16] {
            let (found, expected) = (has_shape(&compact(&text), length), has_shape(&all, length));
            proptest::prop_assert_eq!(found, expected, "{:?}", text);
        }
    }

    #[test]
    fn no_text_makes_an_identifier_panic(text in "(?s).{0,40}", digits in "[0-9Xx -]{0,20}") {
        for value in [&text, &digits] {
            for (_, normalize) in SCHEMES {
                let _ = normalize(value);
            }
            let _ = isbn10(value);
        }
    }
}
