//! What the state says of each account and period: sums and the digest over its net conversations.
//!
//! Knows nothing of entries. Invariant: the sums do not depend on which thread reads which bucket.

use std::collections::BTreeMap;

use ledger::{ConfigStore, checkpoint::StateStore, rollup::AccountPeriod, store::Store};
use model::{ContentHash, Currency, Offset, Sequence};
use projector::{BUCKETS, NetConversation, Projector};

use crate::{
    agreement::Standing,
    digest::{Digester, NetDigest},
    error::PipelineError,
    installation::{Installation, provide},
    places::Places,
};

/// An account and period as its net conversations make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodDigest {
    /// Which.
    pub place: AccountPeriod,
    /// Conversations that stand.
    pub conversations: u64,
    /// Of these open: their close has not been announced.
    pub open: u64,
    /// Charges that stand.
    pub charges: u64,
    /// Of these unpriced.
    pub unpriced: u64,
    /// What the charges add up to in micro-units, by currency.
    pub amounts: BTreeMap<Currency, i128>,
    /// The same for the same net result, whatever the arrival and the number of partitions, under one secret.
    pub digest: ContentHash,
}

/// Sums of one account and period.
#[derive(Debug, Default)]
pub(crate) struct PeriodSums {
    pub(crate) conversations: u64,
    pub(crate) open: u64,
    pub(crate) charges: u64,
    pub(crate) unpriced: u64,
    pub(crate) amounts: BTreeMap<Currency, i128>,
    pub(crate) standing: Standing,
    digest: NetDigest,
}

/// Reads stored buckets, with a state of its own, so that several may do so at once.
#[derive(Debug)]
pub(crate) struct StateReader<'a> {
    state: &'a StateStore,
    projector: Projector,
    digester: Digester,
    sums: Places<PeriodSums>,
    /// The bucket that is read.
    bytes: Vec<u8>,
}

impl<'a> StateReader<'a> {
    pub(crate) fn new<S: Store>(installation: &'a Installation<S>) -> Result<Self, PipelineError> {
        Self::over(&installation.state, &installation.configs)
    }

    /// Over stored state and the configurations that it adopted.
    pub(crate) fn over(state: &'a StateStore, configs: &ConfigStore) -> Result<Self, PipelineError> {
        let meta = state.read_meta()?;
        let mut projector = if meta.is_empty() {
            Projector::new(crate::EMBEDDED_PARTITION)
        } else {
            Projector::restore(&meta)?
        };
        if let Some(configured) = projector.configured() {
            provide(&mut projector, configs, configured.content)?;
        }
        let (digester, sums) = (Digester::default(), Places::default());
        Ok(Self { state, projector, digester, sums, bytes: Vec::new() })
    }

    /// How far the stored state has come.
    pub(crate) fn reached(&self) -> (Offset, Sequence) {
        (self.projector.next_offset(), self.projector.sequence())
    }

    /// Adds the conversations of a bucket.
    pub(crate) fn read(&mut self, bucket: u16) -> Result<(), PipelineError> {
        let Self { state, projector, digester, sums, bytes } = self;
        state.read_bucket_into(bucket, bytes)?;
        projector.stored_net_conversations(bytes, &mut |net| {
            sums.at(&net.account, net.period).add_net(&net, digester);
        })?;
        Ok(())
    }

    /// Shows the conversations of all buckets.
    pub(crate) fn each(&mut self, each: &mut dyn FnMut(&NetConversation)) -> Result<(), PipelineError> {
        for bucket in 0..BUCKETS {
            self.state.read_bucket_into(bucket, &mut self.bytes)?;
            self.projector.stored_net_conversations(&mut self.bytes, &mut |net| each(&net))?;
        }
        Ok(())
    }

    /// What was added.
    pub(crate) fn into_sums(self) -> BTreeMap<AccountPeriod, PeriodSums> {
        self.sums.into_sums()
    }
}

impl PeriodSums {
    pub(crate) fn add_net(&mut self, net: &NetConversation, digester: &mut Digester) {
        self.conversations += 1;
        self.open += u64::from(!net.closed);
        if let Some(charge) = &net.charge {
            self.charges += 1;
            self.unpriced += u64::from(charge.price.amount.is_none());
            let amount = charge.price.amount.map_or(0, |amount| i128::from(amount.0));
            *self.amounts.entry(charge.price.currency).or_default() += amount;
        }
        self.standing.add_net(net);
        digester.add(net, &mut self.digest);
    }

    /// Adds the sums over other buckets.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.conversations += other.conversations;
        self.open += other.open;
        self.charges += other.charges;
        self.unpriced += other.unpriced;
        for (currency, amount) in &other.amounts {
            *self.amounts.entry(*currency).or_default() += amount;
        }
        self.standing.add(&other.standing);
        self.digest.add(&other.digest);
    }

    pub(crate) fn into_digest(self, place: AccountPeriod) -> PeriodDigest {
        PeriodDigest {
            place,
            conversations: self.conversations,
            open: self.open,
            charges: self.charges,
            unpriced: self.unpriced,
            amounts: self.amounts,
            digest: self.digest.hash(),
        }
    }
}

impl<S: Store> Installation<S> {
    /// The digest of each account and period, in their order.
    ///
    /// # Errors
    /// Stored state cannot be read.
    pub fn digests(&self) -> Result<Vec<PeriodDigest>, PipelineError> {
        let mut reader = StateReader::new(self)?;
        (0..BUCKETS).try_for_each(|bucket| reader.read(bucket))?;
        Ok(reader.into_sums().into_iter().map(|(place, sums)| sums.into_digest(place)).collect())
    }
}
