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
        leader = without_blanks(leader);
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

// Blanks at its ends may be its own; leader/20-21 says where it stands among them.
fn without_blanks(text: &str) -> &str {
    let front = text.split_at_checked(24).filter(|(_, rest)| rest.trim().is_empty());
    let back = text.split_at_checked(text.len() - 24).filter(|(rest, _)| rest.trim().is_empty());
    let found = [front.map(|(leader, _)| leader), back.map(|(_, leader)| leader)];
    let mut found = found.into_iter().flatten().peekable();
    let first = found.peek().copied().unwrap_or(text.trim());
    found.find(|leader| leader.get(20..22) == Some("45")).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_a_leader_do_not_shift_it() {
        let leader = "     nam a2200000 a 4500";
        for text in [
            leader.to_owned(),
            format!("{leader} "),
            format!("\n{leader}\n"),
            format!("\n   {leader}"),
        ] {
            let found = from_text(&text).unwrap().unwrap();
            assert_eq!(found, (Leader(*b"     nam a2200000 a 4500"), None), "{text:?}");
        }
        let unimarc = "00988nam0 32003011  450 ";
        let found = from_text(&format!("\n   {unimarc}\n")).unwrap().unwrap();
        assert_eq!(found.0.as_str(), unimarc);
        assert_eq!(from_text(" \n").unwrap().map(|(_, short)| short.is_some()), Some(true));
        assert_eq!(from_text(""), Ok(None));
        assert!(from_text("000000nam a2200000 a 4500").is_err());
    }
}
