//! resumptionToken: all that a server must know to go on with a list, signed (§3.5).
//!
//! No state is kept for a token, and it never expires: the same token gives the page after the
//! same position, however often and whenever it is sent.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

use super::{ErrorCode, ListVerb, OaiError, Selection};
use crate::record::Datestamp;

/// Bytes of the HMAC-SHA256 at the end of a token.
const MAC_BYTES: usize = 32;

/// The first field of every token; another layout of the fields gets another letter.
const LAYOUT: &str = "a";

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumptionToken {
    /// The verb whose list it is.
    pub verb: ListVerb,
    /// What the list was asked to hold.
    pub selection: Selection,
    /// The last item given: its datestamp and its record's UUID.
    pub after: (Datestamp, Uuid),
    /// How many items of the list were given.
    pub cursor: u64,
    /// How many items the list had when it began, where that is told.
    pub complete_list_size: Option<u64>,
}

impl ResumptionToken {
    /// The token's text: letters, digits, `-` and `_` only, so that it needs no URL-encoding.
    #[must_use]
    pub fn seal(&self, key: &[u8; 32]) -> String {
        let second = |datestamp: Option<Datestamp>| {
            datestamp.map_or(String::new(), |datestamp| datestamp.as_second().to_string())
        };
        let Selection { metadata_prefix, set_spec, from, until } = &self.selection;
        let fields = format!(
            "{LAYOUT} {} {metadata_prefix} {} {} {} {} {} {} {}",
            self.verb.as_str(),
            set_spec.as_ref().map_or("", |set_spec| set_spec.as_str()),
            second(*from),
            second(*until),
            self.after.0.as_second(),
            self.after.1.simple(),
            self.cursor,
            self.complete_list_size.map_or(String::new(), |size| size.to_string()),
        );
        let mut bytes = fields.into_bytes();
        let tag = signature(key, &bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token that [`ResumptionToken::seal`] wrote with one of the keys for the same verb.
    ///
    /// # Errors
    /// `badResumptionToken` for any other text.
    pub fn open(
        text: &str,
        keys: &[[u8; 32]],
        verb: ListVerb,
    ) -> Result<ResumptionToken, OaiError> {
        let verified = keys.iter().find_map(|key| verified(text, key));
        let token = verified.and_then(|fields| read_fields(&fields));
        match token {
            Some(token) if token.verb == verb => Ok(token),
            Some(token) => Err(bad(format!(
                "resumptionToken belongs to {}, the verb is {}",
                token.verb.as_str(),
                verb.as_str()
            ))),
            None => Err(bad("resumptionToken was not given by this repository".to_owned())),
        }
    }
}

fn bad(message: String) -> OaiError {
    OaiError::new(ErrorCode::BadResumptionToken, message)
}

fn verified(text: &str, key: &[u8; 32]) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (fields, tag) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
    signature(key, fields).verify_slice(tag).ok()?;
    String::from_utf8(fields.to_vec()).ok()
}

fn signature(key: &[u8; 32], fields: &[u8]) -> Hmac<Sha256> {
    // SHA-256 takes blocks of 64 bytes; a shorter key is filled up with zeros (RFC 2104 §2).
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    Hmac::<Sha256>::new(&block.into()).chain_update(fields)
}

fn read_fields(fields: &str) -> Option<ResumptionToken> {
    let mut fields = fields.split(' ');
    if fields.next()? != LAYOUT {
        return None;
    }
    let verb = ListVerb::from_word(fields.next()?)?;
    let metadata_prefix = fields.next()?.to_owned();
    let set_spec = match fields.next()? {
        "" => None,
        set_spec => Some(set_spec.parse().ok()?),
    };
    let from = optional_datestamp(fields.next()?)?;
    let until = optional_datestamp(fields.next()?)?;
    let second = fields.next()?.parse().ok()?;
    let id = fields.next()?.parse().ok()?;
    Some(ResumptionToken {
        verb,
        selection: Selection { metadata_prefix, set_spec, from, until },
        after: (Datestamp::from_second(second), id),
        cursor: fields.next()?.parse().ok()?,
        complete_list_size: match fields.next()? {
            "" => None,
            size => Some(size.parse().ok()?),
        },
    })
}

fn optional_datestamp(field: &str) -> Option<Option<Datestamp>> {
    if field.is_empty() {
        return Some(None);
    }
    field.parse().ok().map(|second| Some(Datestamp::from_second(second)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn token(set_spec: Option<&str>) -> ResumptionToken {
        ResumptionToken {
            verb: ListVerb::ListRecords,
            selection: Selection {
                metadata_prefix: "oai_dc".to_owned(),
                set_spec: set_spec.map(|set_spec| set_spec.parse().unwrap()),
                from: None,
                until: Some(Datestamp::from_second(-5)),
            },
            after: (Datestamp::from_second(1_700_000_000), Uuid::from_u128(1)),
            cursor: 100,
            complete_list_size: set_spec.map(|_| 250),
        }
    }

    #[test]
    fn a_token_is_read_as_it_was_written() {
        for set_spec in [None, Some("a:b"), Some("-")] {
            let sealed = token(set_spec).seal(&KEY);
            let opened = ResumptionToken::open(&sealed, &[KEY], ListVerb::ListRecords);
            assert_eq!(opened, Ok(token(set_spec)));
        }
    }

    #[test]
    fn a_token_of_another_verb_or_key_is_bad() {
        let sealed = token(None).seal(&KEY);
        assert!(ResumptionToken::open(&sealed, &[KEY], ListVerb::ListIdentifiers).is_err());
        assert!(
            ResumptionToken::open(&sealed, &[[8; 32], [9; 32]], ListVerb::ListRecords).is_err()
        );
        for junk in ["", "junk", "é", "AAAA"] {
            assert!(ResumptionToken::open(junk, &[KEY], ListVerb::ListRecords).is_err());
        }
    }

    #[test]
    fn a_token_of_an_older_key_is_good_as_long_as_that_is_listed() {
        let sealed = token(None).seal(&KEY);
        let opened =
            |keys: &[[u8; 32]]| ResumptionToken::open(&sealed, keys, ListVerb::ListRecords).is_ok();
        assert!(opened(&[[8; 32], KEY]));
        assert!(!opened(&[[8; 32]]));
        assert!(!opened(&[]));
    }

    #[test]
    fn a_token_with_any_one_character_changed_is_bad() {
        let sealed = token(Some("a")).seal(&KEY);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let opened = ResumptionToken::open(&changed, &[KEY], ListVerb::ListRecords);
            assert_eq!(opened.unwrap_err().code, ErrorCode::BadResumptionToken);
        }
    }
}
