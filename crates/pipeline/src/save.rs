//! Saving the state between runs: a checkpoint of what changed, and the commit that refers to it.

use ledger::store::Store;
use model::DispositionCounts;

use crate::{
    EMBEDDED_PARTITION, checkpoints, error::PipelineError, installation::Installation, progress::OnProgress,
};

impl<S: Store> Installation<S> {
    /// Writes the state that changed, and commits that it did.
    pub(crate) fn save_state(&mut self, on_progress: &mut OnProgress<'_>) -> Result<(), PipelineError> {
        let checkpoint = checkpoints::write(&mut self.projector, &mut self.state, self.saved, on_progress)?;
        let none = DispositionCounts::default();
        let offset = self.projector.next_offset();
        let commit = ledger::Commit {
            partition: EMBEDDED_PARTITION,
            from_offset: offset,
            next_offset: offset,
            partition_time: self.projector.partition_time(),
            dispositions: &none,
            empty_offsets: 0,
            config: None,
            checkpoint: Some(checkpoint),
            sources: &[],
        };
        self.ledger.commit(&commit, &[])?;
        self.saved = (offset, self.projector.sequence());
        self.state.retire(&checkpoint)?;
        Ok(())
    }
}
