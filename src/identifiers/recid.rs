//! Record identifiers of Invenio's second kind: base32 with two check digits, `014sc-0pj92`.
//!
//! The alphabet is Crockford's in lower case; the check digits are ISO 7064 MOD 97-10 over the
//! number, as decimal digits.

use super::IdentifierError;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters before the check digits.
const BODY: usize = 8;

/// Characters between hyphens.
const GROUP: usize = 5;

/// One more than the largest number: eight digits of five bits.
pub const LIMIT: u64 = 1 << (5 * BODY);

/// The identifier of a number below [`LIMIT`]; the bits above are left out.
#[must_use]
pub fn encode(number: u64) -> String {
    let number = number % LIMIT;
    let mut text = String::with_capacity(BODY + 3);
    for place in (0..BODY).rev() {
        let digit = usize::try_from((number >> (5 * place)) & 31).unwrap_or_default();
        text.push(ALPHABET.get(digit).copied().map_or('0', char::from));
    }
    text.push_str(&format!("{:02}", check_digits(number)));
    text.insert(GROUP, '-');
    text
}

/// The number of an identifier, however it is written: in either case, with or without hyphens,
/// `i` and `l` for 1, `o` for 0.
///
/// # Errors
/// `recid.shape` when it has other characters or not ten of them, `recid.checksum`.
pub fn decode(text: &str) -> Result<u64, IdentifierError> {
    let wrong = |code, expected| Err(IdentifierError { code, expected });
    let shape = || wrong("recid.shape", "ten digits or letters without u, such as 014sc-0pj92");
    let plain: Vec<u8> = text
        .bytes()
        .filter(|byte| *byte != b'-')
        .map(|byte| match byte.to_ascii_lowercase() {
            b'i' | b'l' => b'1',
            b'o' => b'0',
            other => other,
        })
        .collect();
    let Some((body, &[tens, ones])) = plain.split_last_chunk::<2>() else { return shape() };
    if body.len() != BODY || !tens.is_ascii_digit() || !ones.is_ascii_digit() {
        return shape();
    }
    let mut number = 0;
    for byte in body {
        let Some(digit) = ALPHABET.iter().position(|letter| letter == byte) else { return shape() };
        number = number << 5 | digit as u64;
    }
    if check_digits(number) != u64::from(tens - b'0') * 10 + u64::from(ones - b'0') {
        return wrong("recid.checksum", "a record identifier with right check digits");
    }
    Ok(number)
}

/// 02 to 98.
fn check_digits(number: u64) -> u64 {
    98 - 100 * number % 97
}

#[cfg(test)]
mod tests {
    use super::*;

    // As base32-lib writes them, with length 10, groups of 5 and check digits.
    const VECTORS: [(u64, &str); 7] = [
        (0, "00000-00098"),
        (1, "00000-00195"),
        (32, "00000-01002"),
        (97, "00000-03198"),
        (33_554_431, "000zz-zzz10"),
        (1_234_567_890, "014sc-0pj92"),
        (LIMIT - 1, "zzzzz-zzz90"),
    ];

    #[test]
    fn numbers_are_written_and_read_as_invenio_does() {
        for (number, text) in VECTORS {
            assert_eq!(encode(number), text);
            assert_eq!(decode(text), Ok(number));
        }
    }

    #[test]
    fn the_many_ways_of_writing_one_are_read_as_one() {
        assert_eq!(decode("014SC0PJ92"), decode("014sc-0pj92"));
        assert_eq!(decode("OOOOO-OOI95"), Ok(1));
        assert_eq!(decode("ooooo-ool95"), Ok(1));
    }

    #[test]
    fn what_is_none_is_told_by_a_code() {
        let code = |text: &str| decode(text).unwrap_err().code;
        for bad in ["", "98", "00000-0009", "00000-000098", "0000u-00098", "00000-000zz", "é"] {
            assert_eq!(code(bad), "recid.shape", "{bad}");
        }
        assert_eq!(code("00000-00097"), "recid.checksum");
        assert_eq!(code("014sc-0pj91"), "recid.checksum");
    }

    proptest::proptest! {
        #[test]
        fn every_number_comes_back_and_no_changed_digit_goes_unseen(
            number in 0..LIMIT, place in 0_usize..8, other in 0_usize..32,
        ) {
            let text = encode(number);
            proptest::prop_assert_eq!(decode(&text), Ok(number));
            let mut plain: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
            if plain[place] != ALPHABET[other] {
                plain[place] = ALPHABET[other];
                let changed = String::from_utf8(plain).unwrap();
                proptest::prop_assert_eq!(decode(&changed).unwrap_err().code, "recid.checksum");
            }
        }
    }
}
