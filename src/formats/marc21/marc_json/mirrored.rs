//! The fields of the shape that mirrors MARCXML: tags and codes are values, not keys.

use super::read::Record;
use crate::formats::DecodeError;
use crate::formats::marc21::Tag;

/// One object of `controlfield`, within its braces.
pub(super) fn control_field(record: &mut Record<'_, '_>) -> Result<(), DecodeError> {
    let (mut tag, mut value) = (None, None);
    while let Some(key) = record.next_key()? {
        match &*key {
            "tag" if tag.is_none() => tag = Some(read_tag(record)?),
            "content" | "data" if value.is_none() => value = Some(record.text(&key)?),
            _ => record.pass_over(&key)?,
        }
    }
    let tag = tag.ok_or_else(|| record.error("marc_json.tag", "a control field without a tag"))?;
    record.push_control(tag, &value.unwrap_or_default());
    Ok(())
}

/// One object of `datafield`, within its braces.
pub(super) fn data_field(record: &mut Record<'_, '_>) -> Result<(), DecodeError> {
    let unknown = Tag(*b"???");
    record.marc.push_data(unknown, [' ', ' ']);
    let mut tag = None;
    let mut indicators = [None; 2];
    while let Some(key) = record.next_key()? {
        match (&*key, &mut indicators) {
            ("tag", _) if tag.is_none() => tag = Some(read_tag(record)?),
            ("ind1", [slot @ None, _]) | ("ind2", [_, slot @ None]) => {
                *slot = Some(record.indicator(tag.unwrap_or(unknown), &key)?);
            }
            ("ind", [None, None]) => {
                let both = record.text(&key)?;
                let mut chars = both.chars();
                indicators = [chars.next(), chars.next()];
                if chars.next().is_some() {
                    let message = format!("ind is {both:?}, two characters");
                    return Err(record.error("marc_json.indicators", &message));
                }
            }
            ("subfield", _) => record.each("subfield", subfield)?,
            _ => record.pass_over(&key)?,
        }
    }
    let tag = tag.ok_or_else(|| record.error("marc_json.tag", "a data field without a tag"))?;
    record.set_indicators(tag, indicators);
    Ok(())
}

fn subfield(record: &mut Record<'_, '_>) -> Result<(), DecodeError> {
    let (mut code, mut value) = (None, None);
    while let Some(key) = record.next_key()? {
        match &*key {
            "code" if code.is_none() => {
                let text = record.text(&key)?;
                code = Some(record.code(&text)?);
            }
            "content" | "data" if value.is_none() => value = Some(record.text(&key)?),
            _ => record.pass_over(&key)?,
        }
    }
    let code = code.ok_or_else(|| record.error("marc_json.code", "a subfield without a code"))?;
    record.marc.push_subfield(code, &value.unwrap_or_default());
    Ok(())
}

fn read_tag(record: &mut Record<'_, '_>) -> Result<Tag, DecodeError> {
    let text = record.text("tag")?;
    record.tag(&text)
}
