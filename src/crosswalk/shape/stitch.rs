//! Stitching: the buffers of a shape put together along its tree.

use super::{Buffer, Buffers, Entry, Form, Part};

/// The members of an object, without braces.
pub(super) fn json(level: &[Entry], buffers: &Buffers, out: &mut Vec<u8>) {
    let start = out.len();
    let filled = buffers.filled();
    for Entry { open, part, .. } in level.iter().filter(|entry| entry.bits & filled != 0) {
        let before = out.len();
        let begin = |out: &mut Vec<u8>| {
            if before > start {
                out.push(b',');
            }
            out.extend_from_slice(open);
        };
        match part {
            Part::Leaf(target) => {
                let Some(buffer) = buffers.get(target.slot) else { continue };
                begin(out);
                if target.many {
                    out.push(b'[');
                }
                out.extend_from_slice(buffer.listed());
                if target.many {
                    out.push(b']');
                }
            }
            Part::Branch(below) => {
                begin(out);
                out.push(b'{');
                let inner = out.len();
                json(below, buffers, out);
                if out.len() == inner {
                    out.truncate(before);
                } else {
                    out.push(b'}');
                }
            }
        }
    }
}

/// What stands behind an element's name: attributes, `>`, content. Says whether there is any
/// content, or, where the shape has no place for some, any attribute.
pub(super) fn element(level: &[Entry], buffers: &Buffers, out: &mut Vec<u8>) -> bool {
    let before = out.len();
    for Entry { open, close, part, .. } in level.iter().filter(|entry| !entry.is_content()) {
        let Part::Leaf(target) = part else { continue };
        let value = buffers.get(target.slot).and_then(|buffer| buffer.pieces().next());
        // A field has its indicators, be they blank.
        let blank = (target.form == Form::Indicator).then_some(b" ".as_slice());
        if let Some(value) = value.or(blank) {
            out.extend_from_slice(open);
            out.extend_from_slice(value);
            out.extend_from_slice(close);
        }
    }
    let has_attributes = out.len() > before;
    out.push(b'>');
    let inner = out.len();
    let mut has_place = false;
    for Entry { open, close, part, .. } in level.iter().filter(|entry| entry.is_content()) {
        has_place = true;
        match part {
            Part::Leaf(target) => {
                let pieces = buffers.get(target.slot).into_iter().flat_map(Buffer::pieces);
                for piece in pieces {
                    out.extend_from_slice(open);
                    out.extend_from_slice(piece);
                    end(out, piece.len(), close);
                }
            }
            Part::Branch(below) => {
                let start = out.len();
                out.extend_from_slice(open);
                let behind_name = out.len();
                if element(below, buffers, out) {
                    end(out, out.len() - behind_name, close);
                } else {
                    out.truncate(start);
                }
            }
        }
    }
    out.len() > inner || (!has_place && has_attributes)
}

// Ends an element of which so many bytes stand behind its name; one without content at once.
fn end(out: &mut Vec<u8>, length: usize, close: &[u8]) {
    let behind_name = out.get(out.len().saturating_sub(length)..).unwrap_or_default();
    let is_empty = memchr::memchr(b'>', behind_name) == Some(length.saturating_sub(1));
    if is_empty && !close.is_empty() {
        out.pop();
        out.extend_from_slice(b"/>");
    } else {
        out.extend_from_slice(close);
    }
}
