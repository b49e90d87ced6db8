//! Markup one piece at a time, forgiving: what is broken ends where the next markup begins.

use memchr::memmem;

/// A piece of markup; offsets count from its `<`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// A start tag; `empty` when it is its own end.
    Start { name_end: usize, end: usize, empty: bool },
    /// An end tag.
    End { name_end: usize, end: usize },
    /// `<![CDATA[…]]>`
    CData { end: usize },
    /// `<?…?>`
    Instruction { end: usize },
    /// A comment.
    Comment { end: usize },
    /// `<!DOCTYPE`
    Doctype,
    /// No markup, or a tag in which another begins.
    Broken { end: usize },
    /// It goes on behind the bytes at hand.
    Incomplete,
}

/// Reads the markup at the front of `bytes`, which begin with `<`.
pub(super) fn token(bytes: &[u8]) -> Token {
    match bytes.get(1) {
        None => Token::Incomplete,
        Some(b'!') => declaration(bytes),
        Some(b'?') => match memmem::find(bytes, b"?>") {
            Some(end) => Token::Instruction { end: end + 2 },
            None => Token::Incomplete,
        },
        Some(b'/') => match tag(bytes, 2) {
            Token::Start { name_end, end, .. } => Token::End { name_end, end },
            other => other,
        },
        Some(&byte) if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => tag(bytes, 1),
        Some(_) => Token::Broken { end: 1 },
    }
}

fn declaration(bytes: &[u8]) -> Token {
    let closed_by = |from: usize, mark: &[u8]| {
        let inside = bytes.get(from..).unwrap_or_default();
        memmem::find(inside, mark).map(|at| from + at + mark.len())
    };
    if bytes.starts_with(b"<!--") {
        closed_by(4, b"-->").map_or(Token::Incomplete, |end| Token::Comment { end })
    } else if bytes.starts_with(b"<![CDATA[") {
        closed_by(9, b"]]>").map_or(Token::Incomplete, |end| Token::CData { end })
    } else if bytes.starts_with(b"<!DOCTYPE") {
        Token::Doctype
    } else if [&b"<!--"[..], b"<![CDATA[", b"<!DOCTYPE"].iter().any(|mark| mark.starts_with(bytes))
    {
        Token::Incomplete
    } else {
        Token::Broken { end: 2 }
    }
}

fn tag(bytes: &[u8], name_start: usize) -> Token {
    let mut name_end = None;
    let mut quote = None;
    for (at, &byte) in bytes.iter().enumerate().skip(name_start) {
        match byte {
            // No `<` may stand in an attribute: a quote was left open.
            b'<' => return Token::Broken { end: at },
            _ if quote == Some(byte) => quote = None,
            _ if quote.is_some() => {}
            b'>' => {
                let empty = bytes.get(at - 1) == Some(&b'/');
                let name_end = name_end.unwrap_or(at);
                return Token::Start { name_end, end: at + 1, empty };
            }
            b'"' | b'\'' if name_end.is_some() => quote = Some(byte),
            b' ' | b'\t' | b'\r' | b'\n' | b'/' if name_end.is_none() => name_end = Some(at),
            _ => {}
        }
    }
    Token::Incomplete
}

/// The part of a qualified name behind its prefix.
pub(super) fn local_name(name: &[u8]) -> &[u8] {
    match memchr::memrchr(b':', name) {
        Some(colon) => name.get(colon + 1..).unwrap_or_default(),
        None => name,
    }
}

/// The attributes of a tag's inside (behind its name): name and value with its quotes.
pub(super) fn attributes(mut inside: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let equals = memchr::memchr(b'=', inside)?;
        let (name, rest) = inside.split_at_checked(equals)?;
        let rest = rest.get(1..)?.trim_ascii_start();
        let quote = *rest.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
        let close = memchr::memchr(quote, rest.get(1..)?)? + 2;
        let (value, rest) = rest.split_at_checked(close)?;
        inside = rest;
        Some((name.trim_ascii(), value))
    })
}
