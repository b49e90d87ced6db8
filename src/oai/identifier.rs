//! Identifiers of the scheme `oai:NAMESPACE:LOCAL` (oai-identifier guidelines, v2).

/// The OAI identifier of an item; what the scheme cannot hold of `local` is percent-encoded.
///
/// `oai_identifier("example.org", "a b") == "oai:example.org:a%20b"`
#[must_use]
pub fn oai_identifier(namespace: &str, local: &str) -> String {
    use std::fmt::Write as _;

    let mut identifier = format!("oai:{namespace}:");
    for byte in local.bytes() {
        if is_kept(byte) {
            identifier.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(identifier, "%{byte:02X}");
        }
    }
    identifier
}

/// The local part of an OAI identifier of this namespace, percent-decoded.
///
/// Returns `None` for anything that [`oai_identifier`] would not have written, so that an item
/// has one identifier only.
#[must_use]
pub fn local_part(namespace: &str, identifier: &str) -> Option<String> {
    let encoded = identifier.strip_prefix("oai:")?.strip_prefix(namespace)?.strip_prefix(':')?;
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            decoded.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    let local = String::from_utf8(decoded).ok()?;
    (!local.is_empty() && oai_identifier(namespace, &local) == identifier).then_some(local)
}

/// Whether `text` is a domain name as the oai-identifier schema wants it: `example.org`.
#[must_use]
pub fn is_domain_name(text: &str) -> bool {
    let is_label = |label: &str| {
        label.starts_with(|c: char| c.is_ascii_alphabetic())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.contains('.') && text.split('.').all(is_label)
}

/// Whether `text` is a URI by its form: a scheme, then nothing a URI cannot hold (RFC 3986).
pub(super) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let mut pieces = rest.split('%');
    let first_fits = pieces.next().unwrap_or_default().bytes().all(is_uri_byte);
    let rest_fits = pieces.all(|piece| {
        let mut bytes = piece.bytes();
        let mut hex = || bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        hex() && hex() && bytes.all(is_uri_byte)
    });
    scheme_fits && !rest.is_empty() && first_fits && rest_fits && authority_fits(rest)
}

/// Whether what stands between `//` and the path, if anything, is `user@host:port` (§3.2).
fn authority_fits(rest: &str) -> bool {
    let Some(hierarchy) = rest.strip_prefix("//") else { return true };
    let authority = hierarchy.split(['/', '?']).next().unwrap_or_default();
    let place = authority.split_once('@').map_or(authority, |(_, place)| place);
    let (host, port) = place.split_once(':').unwrap_or((place, "80"));
    let port_fits = (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
    // file:///path has no authority at all.
    authority.is_empty() || (!host.is_empty() && !host.contains('@') && port_fits)
}

fn is_uri_byte(byte: u8) -> bool {
    is_kept(byte) || byte == b'?'
}

fn is_kept(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.!~*'();/:@&=+$,".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_identifier_as_it_was_written_is_read() {
        assert_eq!(oai_identifier("example.org", "a b/é%"), "oai:example.org:a%20b/%C3%A9%25");
        for foreign in [
            "oai:example.org:",
            "oai:example.com:1",
            "oai:example.org:%31",
            "oai:example.org:%e9",
            "oai:example.org:%+1",
            "oai:example.org:%2",
            "oai:example.org1",
            "1",
            "",
        ] {
            assert_eq!(local_part("example.org", foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_uri_is_known_by_its_characters() {
        for uri in ["oai:example.org:1", "http://u@example.org:80/?a=%20b", "x:1"] {
            assert!(is_uri(uri), "{uri}");
        }
        for other in
            ["", "1", ":1", "1a:b", "oai:", "oai:a b", "oai:\"", "oai:%2", "oai:é", "a://b:x"]
        {
            assert!(!is_uri(other), "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_local_part_survives_in_a_uri(local in ".+") {
            let identifier = oai_identifier("example.org", &local);
            proptest::prop_assert!(is_uri(&identifier));
            proptest::prop_assert_eq!(local_part("example.org", &identifier), Some(local));
        }
    }
}
