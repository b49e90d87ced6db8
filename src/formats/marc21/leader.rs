//! A leader from the text that a serialization gives for it.

use super::Leader;

/// The leader that `text` is, with a warning when it had to be filled up with blanks; `None` for
/// a text of nothing.
///
/// # Errors
/// What was found, when it is not ASCII or longer than 24 characters.
pub(super) fn from_text(text: &str) -> Result<Option<(Leader, Option<String>)>, String> {
    let mut leader = text;
    if leader.len() != 24 {
        leader = leader.trim_matches(['\n', '\r', '\t']);
    }
    if leader.len() > 24 {
        leader = leader.trim();
    }
    if leader.is_empty() {
        return Ok(None);
    }
    if !leader.is_ascii() || leader.len() > 24 {
        return Err(format!("leader is {leader:?}, expected 24 characters of ASCII"));
    }
    let mut bytes = [b' '; 24];
    for (to, from) in bytes.iter_mut().zip(leader.bytes()) {
        *to = from;
    }
    let short =
        (leader.len() < 24).then(|| format!("leader has {} characters, expected 24", leader.len()));
    Ok(Some((Leader(bytes), short)))
}
