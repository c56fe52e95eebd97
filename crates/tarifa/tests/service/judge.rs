//! Whether what is on the topics is right: link by link, by the verifier in Python, and by the digests of a projection that
//! nobody disturbed.
//!
//! Invariant: a judgement that cannot be made under `CI=true` is a failure.

use std::{
    collections::BTreeMap,
    env,
    ops::ControlFlow,
    path::Path,
    sync::{Mutex, PoisonError},
};

use kafka::{Cluster, TopicNames};
use model::{EntryHash, EntryKind, Offset, PartitionId};
use pipeline::service::{
    ServiceBooks, header,
    ports::{Broker as _, LedgerRecord, OwnedRecord},
};

use super::{Place, Succeeds as _, tarifa};

impl Place {
    /// Reads the ledger topic as any consumer can, and checks that nothing is missing, doubled or altered. Gives how many
    /// entries there are of each kind.
    pub(crate) fn read_ledger(&self) -> BTreeMap<EntryKind, u64> {
        let cluster = self.cluster();
        let mut kinds = BTreeMap::new();
        for partition in 0..self.partitions {
            let (mut sequence, mut hash, mut words) = (0, EntryHash::ZERO, wire::Words::new());
            let mut check = |record: LedgerRecord| {
                let entry = wire::decode_entry(&record.value, &mut words).unwrap();
                assert_eq!(entry.sequence.0, sequence + 1, "partition {partition}: one missing or doubled");
                assert_eq!(
                    entry.previous_hash,
                    hash,
                    "partition {partition}, entry {}: altered",
                    sequence + 1
                );
                sequence += 1;
                hash = wire::chain_hash(&hash, &record.value);
                let told = record.headers.iter().find(|(name, _)| name == header::SEQUENCE);
                assert_eq!(told.unwrap().1, sequence.to_string().as_bytes());
                *kinds.entry(entry.body.kind()).or_default() += 1;
                ControlFlow::Continue(())
            };
            cluster.read_ledger(PartitionId(partition), Offset(0), &mut check).unwrap();
        }
        kinds
    }

    /// Everything that lies on the topic of dead letters.
    pub(crate) fn dead_letters(&self) -> Vec<OwnedRecord> {
        // Looked at as if it were the input, whose records are given with all that they have.
        let names = TopicNames { input: self.names.deadletter.clone(), ..self.names.clone() };
        let cluster = Cluster::new(self.client.clone(), names, "test");
        let mut letters = Vec::new();
        for partition in (0..self.partitions).map(PartitionId) {
            let mut take = |letter| {
                letters.push(letter);
                ControlFlow::Continue(())
            };
            cluster.read_input(partition, Offset(0), &mut take).unwrap();
        }
        letters
    }

    /// Has the verifier in Python look at the topics, which shares no code with the service.
    pub(crate) fn verify(&self) {
        self.verify_with(&[]);
    }

    /// The same, with more arguments.
    pub(crate) fn verify_with(&self, more: &[&str]) {
        // Its environment is made once, by the first that needs it.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let mut verify = super::xtask();
        verify.args(["kafka", "verify", "--brokers", &self.client.brokers]);
        verify.args(["--topic-prefix", &self.names.prefix]).args(more);
        let said = verify.output().unwrap();
        let text = String::from_utf8_lossy(&said.stderr);
        if !said.status.success()
            && text.contains("install Python")
            && env::var("CI").as_deref() != Ok("true")
        {
            eprintln!("LEFT OUT, the verifier: {text}");
            return;
        }
        let found = String::from_utf8_lossy(&said.stdout);
        assert!(said.status.success() && found.contains("all there, once, unaltered"), "{found}\n{text}");
    }

    /// The digests of a book that is collected from the ledger topic have to be those of the projected directory. Every
    /// conversation has to be closed: how far an open one has come is in no entry.
    pub(crate) fn assert_same_book(&self) {
        self.command(&["collect"]).arg("--data").arg(self.path("book")).succeeds();
        self.assert_same_digests(&["book"]);
    }

    /// The digests of these directories together have to be those of the projected one.
    pub(crate) fn assert_same_digests(&self, directories: &[&str]) {
        let expected = digests(&self.path("projected"));
        assert!(expected.len() > 1, "there is something to compare");
        let found: Vec<String> = match directories {
            [one] => digests(&self.path(one)),
            several => self.digests_together(several),
        };
        assert_eq!(found, expected);
    }

    /// Of each partition the directory counts that has come furthest.
    fn digests_together(&self, directories: &[&str]) -> Vec<String> {
        let mut books: Vec<ServiceBooks> = Vec::new();
        for name in directories {
            books.push(ServiceBooks::read(&self.path(name)).unwrap());
        }
        let furthest: BTreeMap<u32, usize> = (0..self.partitions)
            .map(|partition| {
                let at = |one: &ServiceBooks| {
                    let found = one.partitions.iter().find(|one| one.partition.0 == partition);
                    found.map_or(Offset(0), |one| one.next_offset)
                };
                (partition, (0..books.len()).max_by_key(|index| at(&books[*index])).unwrap())
            })
            .collect();
        let mut together: Option<ServiceBooks> = None;
        for (index, name) in directories.iter().enumerate() {
            let mine = |partition: PartitionId| furthest[&partition.0] == index;
            let part = ServiceBooks::read_partitions(&self.path(name), &mine).unwrap();
            match &mut together {
                None => together = Some(part),
                Some(all) => all.add(part),
            }
        }
        let digests = together.unwrap().into_digests();
        digests
            .iter()
            .map(|one| format!("{},{},{}", one.place.account, one.place.period, one.digest))
            .collect()
    }
}

/// Account, period and digest of a directory.
fn digests(data: &Path) -> Vec<String> {
    let out = tarifa().args(["verify", "--format", "csv", "--data"]).arg(data).succeeds();
    let rows = out.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        format!("{},{},{}", fields[0], fields[1], fields.last().unwrap())
    });
    rows.collect()
}
