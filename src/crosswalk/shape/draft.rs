//! Drafts: flat objects of JSON, written member by member straight into the list around them.

use super::{Buffer, Buffers, Entry, Form, Part, Quoting, Shape, Slot, Syntax, bit};

/// How the members of an object are written that has a single value under each of its names.
#[derive(Debug)]
pub struct Flat {
    /// For each leaf.
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    /// `,"type":{"id":`
    open: Vec<u8>,
    /// The same with a quote behind it.
    open_text: Vec<u8>,
    /// `}`
    close: Vec<u8>,
    /// Its place among the members of the whole object, from 0.
    rank: u32,
}

/// Objects with more members are stitched: so a rank has four bits.
const MOST: usize = 16;
const RANK_SHIFT: u32 = 28;
const START_BITS: u32 = (1 << RANK_SHIFT) - 1;

impl Shape {
    /// How to write its objects member by member; `None` when one has lists, or several members
    /// in an object inside it.
    #[must_use]
    pub fn flat(&self) -> Option<Flat> {
        if self.syntax != Syntax::Json || self.slots > MOST || self.root.len() != self.slots {
            return None;
        }
        let mut members: Vec<(Slot, Member)> = Vec::new();
        for (entry, rank) in self.root.iter().zip(0..) {
            let (mut open, mut close) = (vec![b','], Vec::new());
            let slot = only_leaf(entry, &mut open, &mut close)?;
            let open_text = [open.as_slice(), b"\""].concat();
            members.push((slot, Member { open, open_text, close, rank }));
        }
        members.sort_by_key(|(slot, _)| *slot);
        Some(Flat { members: members.into_iter().map(|(_, member)| member).collect() })
    }
}

/// The only leaf of an entry, and what stands before and behind its value.
fn only_leaf(entry: &Entry, open: &mut Vec<u8>, close: &mut Vec<u8>) -> Option<Slot> {
    open.extend_from_slice(&entry.open);
    match &entry.part {
        Part::Leaf(target) => (!target.many && target.form == Form::Json).then_some(target.slot),
        Part::Branch(below) => {
            let [below] = below.as_slice() else { return None };
            open.push(b'{');
            close.push(b'}');
            only_leaf(below, open, close)
        }
    }
}

/// A flat object while it is being written, at the end of the buffer that it goes into.
#[derive(Debug)]
pub struct Draft<'p> {
    flat: &'p Flat,
    buffer: Buffer,
    /// Length of the buffer before, and where the object begins: behind a comma.
    before: usize,
    start: usize,
    /// A bit for each leaf that is written.
    filled: u64,
    /// Rank (in the highest bits) and start behind [`Draft::start`] of each member, as they came.
    pieces: [u32; MOST],
    count: usize,
    last: u32,
    /// They came in the order in which they shall stand.
    in_order: bool,
}

impl Buffers {
    /// Begins an object in a leaf. The leaf is out of reach until the draft ends.
    pub fn draft<'p>(&mut self, slot: Slot, flat: &'p Flat) -> Draft<'p> {
        let mut buffer = self.all.get_mut(slot).map(std::mem::take).unwrap_or_default();
        let before = buffer.bytes.len();
        if !buffer.ends.is_empty() {
            buffer.bytes.push(b',');
        }
        let start = buffer.bytes.len();
        let (filled, pieces, count) = (0, [0; MOST], 0);
        Draft { flat, buffer, before, start, filled, pieces, count, last: 0, in_order: true }
    }

    /// Ends an object as one more value of the leaf it was begun in; with `unique`, one that is
    /// there already is taken back, and the answer is `false`.
    pub fn keep(&mut self, slot: Slot, unique: bool, draft: &mut Draft<'_>) -> bool {
        draft.close();
        let buffer = &mut draft.buffer;
        let stays = !(unique && draft.start > draft.before && buffer.holds(draft.start));
        if stays {
            buffer.ends.push(buffer.bytes.len());
        } else {
            buffer.bytes.truncate(draft.before);
        }
        self.put_back(slot, draft);
        self.filled |= bit(slot);
        stays
    }

    /// Takes an object back.
    pub fn give_up(&mut self, slot: Slot, draft: &mut Draft<'_>) {
        draft.buffer.bytes.truncate(draft.before);
        self.put_back(slot, draft);
    }

    fn put_back(&mut self, slot: Slot, draft: &mut Draft<'_>) {
        if let Some(place) = self.all.get_mut(slot) {
            *place = std::mem::take(&mut draft.buffer);
        }
    }
}

impl Draft<'_> {
    /// A bit for each leaf that is written.
    #[must_use]
    pub fn filled(&self) -> u64 {
        self.filled
    }

    /// Whether a leaf is written.
    #[inline]
    #[must_use]
    pub fn has(&self, slot: Slot) -> bool {
        self.filled & bit(slot) != 0
    }

    /// Writes a leaf, once.
    #[inline]
    pub fn push(&mut self, slot: Slot, text: &str, quoting: Quoting) {
        let Some(member) = self.flat.members.get(slot) else { return };
        let out = &mut self.buffer.bytes;
        // A record is far from 2^28 bytes long.
        let start = u32::try_from(out.len() - self.start).unwrap_or(u32::MAX) & START_BITS;
        let piece = (member.rank << RANK_SHIFT) | start;
        self.in_order &= self.count == 0 || piece > self.last;
        self.last = piece;
        if let Some(place) = self.pieces.get_mut(self.count) {
            *place = piece;
        }
        self.count += 1;
        self.filled |= bit(slot);
        if quoting == Quoting::Plain {
            out.extend_from_slice(&member.open_text);
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        } else {
            out.extend_from_slice(&member.open);
            quoting.push(text, out);
        }
        if !member.close.is_empty() {
            out.extend_from_slice(&member.close);
        }
    }

    /// Puts the members into their order, and braces around them.
    fn close(&mut self) {
        if !self.in_order {
            self.sort();
        }
        let out = &mut self.buffer.bytes;
        // Each member begins with a comma.
        if let Some(first) = out.get_mut(self.start) {
            *first = b'{';
        }
        out.push(b'}');
    }

    fn sort(&mut self) {
        let out = &mut self.buffer.bytes;
        let end = out.len();
        let unsorted = self.pieces;
        let came = unsorted.get(..self.count).unwrap_or_default();
        let start_of = |piece: &u32| self.start + (*piece & START_BITS) as usize;
        let pieces = self.pieces.get_mut(..self.count).unwrap_or_default();
        pieces.sort_unstable();
        // Once more behind, in order; then forward to where they began.
        for piece in pieces {
            let start = start_of(piece);
            let behind = came.iter().map(start_of).filter(|other| *other > start).min();
            out.extend_from_within(start..behind.unwrap_or(end));
        }
        out.copy_within(end.., self.start);
        out.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::push_json_string;

    fn shape(paths: &[&str]) -> Shape {
        let mut shape = Shape::new(Syntax::Json);
        for path in paths {
            shape.add(path).unwrap();
        }
        shape.finish(false);
        shape
    }

    #[test]
    fn only_a_shape_with_one_value_under_each_name_is_flat() {
        assert!(shape(&["b", "a.x"]).flat().is_some());
        for paths in [&["a[]"][..], &["a.x", "a.y"], &["a.x.y", "a.z"]] {
            assert!(shape(paths).flat().is_none(), "{paths:?}");
        }
    }

    #[test]
    fn a_draft_is_what_stitching_would_have_written() {
        let paths = ["c", "a.x", "d", "b"];
        let shape = shape(&paths);
        let flat = shape.flat().unwrap();
        let mut list = Buffers::default();
        list.begin(1);
        let mut expected = Vec::new();
        let orders: [&[Slot]; 6] = [&[1, 3, 0, 2], &[0], &[2, 1, 0], &[0, 1, 2, 3], &[0], &[3, 0]];
        for order in orders {
            let mut buffers = Buffers::default();
            buffers.begin(shape.slots());
            let mut draft = list.draft(0, &flat);
            for slot in order {
                draft.push(*slot, paths[*slot], Quoting::Escaped);
                buffers.push(*slot, false, |out| push_json_string(paths[*slot], out));
            }
            assert_eq!(draft.filled(), buffers.filled());
            let mut stitched = Vec::new();
            shape.stitch(&buffers, &mut stitched);
            let stitched = String::from_utf8(stitched).unwrap();
            assert_eq!(list.keep(0, true, &mut draft), !expected.contains(&stitched));
            if !expected.contains(&stitched) {
                expected.push(stitched);
            }
            let mut draft = list.draft(0, &flat);
            draft.push(0, "1", Quoting::Raw);
            list.give_up(0, &mut draft);
        }
        let list = String::from_utf8(list.get(0).unwrap().listed().to_vec()).unwrap();
        assert_eq!(list, expected.join(","));
    }
}
