//! A log whose offsets have gaps, and whose first configuration stands behind events: both are Kafka's.
//!
//! Invariant: neither an offset without a record nor a configuration that is adopted already books anything.

use model::{Configured, Offset, Record};

use crate::{
    error::ProjectError,
    projector::{Projected, Projector},
};

impl Projector {
    /// Goes on at `next`: the offsets before it hold no record, as a broker's transaction markers do not.
    pub fn skip_to(&mut self, next: Offset) {
        self.next_offset = self.next_offset.max(next);
    }

    /// Adopts the log's first configuration before the log's first record, wherever it stands: `record` is the place
    /// from which it was taken. When its turn comes it changes nothing. Its entry, if any, is added to `out`.
    ///
    /// # Errors
    /// Another configuration was adopted, or the content was not provided.
    pub fn adopt_ahead(
        &mut self,
        record: &Record,
        configured: Configured,
        out: &mut Projected,
    ) -> Result<(), ProjectError> {
        self.adopt(record, configured, out)
    }
}
