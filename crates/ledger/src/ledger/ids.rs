//! The ids of a block in a column of their own: hashes, which no compression makes smaller, each stored once.
//!
//! Knows nothing of what they identify. Invariant: reading references in the order of writing gives the same ids.

use crate::num::{Cursor, Malformed, index};

/// Bytes of an id.
pub(super) const ID: usize = 16;

/// Ids looked up when an id comes again; one that another drives out is only stored once more.
const SLOTS: usize = 1024;

/// The column of a block that is being written.
#[derive(Debug)]
pub(super) struct IdWriter {
    column: Vec<u8>,
    /// By an id's first bytes: the number of the newest such id, counted from 1.
    newest: Box<[u16; SLOTS]>,
}

impl IdWriter {
    pub(super) fn new() -> Self {
        Self { column: Vec::new(), newest: Box::new([0; SLOTS]) }
    }

    pub(super) fn clear(&mut self) {
        self.column.clear();
        self.newest.fill(0);
    }

    /// 0 for an id that is added to the column; otherwise how many ids before the end of the column it stands.
    #[inline]
    pub(super) fn reference(&mut self, id: &[u8; ID]) -> u64 {
        let slot = &mut self.newest[usize::from(u16::from_le_bytes([id[0], id[1]])) % SLOTS];
        let length = self.column.len() / ID;
        if let Some(at) = usize::from(*slot).checked_sub(1)
            && self.column[at * ID..].first_chunk() == Some(id)
        {
            return (length - at) as u64;
        }
        self.column.extend_from_slice(id);
        // Behind so many ids the newest are no longer found.
        *slot = u16::try_from(length + 1).unwrap_or(*slot);
        0
    }

    /// The ids, one behind the other.
    pub(super) fn column(&self) -> &[u8] {
        &self.column
    }
}

/// The column of a block that is being read.
#[derive(Debug)]
pub(super) struct IdReader<'a> {
    column: &'a [[u8; ID]],
    read: usize,
}

impl<'a> IdReader<'a> {
    /// Takes a column of so many ids from the front of the cursor.
    pub(super) fn take(cursor: &mut Cursor<'a>, count: u64) -> Result<Self, Malformed> {
        let length = index(count).checked_mul(ID).ok_or(Malformed)?;
        let (column, _) = cursor.slice(length)?.as_chunks();
        Ok(Self { column, read: 0 })
    }

    /// The id behind what [`IdWriter::reference`] gave.
    #[inline]
    pub(super) fn id(&mut self, reference: u64) -> Result<&'a [u8; ID], Malformed> {
        if reference == 0 {
            self.read += 1;
            return self.column.get(self.read - 1).ok_or(Malformed);
        }
        let at = self.read.checked_sub(index(reference)).ok_or(Malformed)?;
        self.column.get(at).ok_or(Malformed)
    }

    /// Succeeds if every id was read.
    pub(super) fn finish(self) -> Result<(), Malformed> {
        if self.read == self.column.len() { Ok(()) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_read_back(numbers in proptest::collection::vec(0_u16..900, 0..2_000)) {
            let ids: Vec<[u8; ID]> = numbers.iter().map(|number| {
                // Few first bytes, so that ids drive each other out.
                let mut id = [7; ID];
                id[0] = u8::try_from(number % 200).unwrap();
                id[8..10].copy_from_slice(&number.to_le_bytes());
                id
            }).collect();
            let mut writer = IdWriter::new();
            for _ in 0..2 {
                writer.clear();
                let references: Vec<u64> = ids.iter().map(|id| writer.reference(id)).collect();
                let count = (writer.column().len() / ID) as u64;
                let mut cursor = Cursor::new(writer.column());
                let mut reader = IdReader::take(&mut cursor, count).unwrap();
                for (id, reference) in ids.iter().zip(&references) {
                    prop_assert_eq!(reader.id(*reference), Ok(id));
                }
                prop_assert_eq!(reader.finish(), Ok(()));
                prop_assert_eq!(cursor.finish(), Ok(()));
            }
        }
    }

    #[test]
    fn an_id_that_comes_again_is_stored_once() {
        let mut writer = IdWriter::new();
        let references =
            [[1; ID], [2; ID], [1; ID], [1; ID], [3; ID], [2; ID]].map(|id| writer.reference(&id));
        assert_eq!(references, [0, 0, 2, 2, 0, 2]);
        assert_eq!(writer.column().len(), 3 * ID);
    }

    #[test]
    fn references_out_of_the_column_are_errors() {
        let column = [5; 2 * ID];
        let reader = || IdReader::take(&mut Cursor::new(&column), 2).unwrap();
        assert_eq!(reader().id(1), Err(Malformed), "before the first");
        assert_eq!(reader().finish(), Err(Malformed), "ids left over");
        let mut past = reader();
        assert_eq!([0, 0, 0].map(|id| past.id(id).is_ok()), [true, true, false]);
        assert!(IdReader::take(&mut Cursor::new(&column), 3).is_err());
        assert!(IdReader::take(&mut Cursor::new(&column), u64::MAX).is_err());
    }
}
