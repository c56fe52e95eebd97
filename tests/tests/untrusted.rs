//! What the fuzzer begins with, and whatever it found once, given to the readers without it.

use std::{fs, path::Path};

use tests::untrusted::READERS;

#[test]
fn every_seed_is_read_by_every_reader() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for (name, _) in READERS {
        let seeds = fs::read_dir(folder.join(name)).expect("each target has a folder of seeds");
        let mut count = 0;
        for seed in seeds {
            let path = seed.expect("the folder can be read").path();
            let bytes = fs::read(&path).expect("a seed can be read");
            for (_, read) in READERS {
                read(&bytes);
            }
            count += 1;
        }
        assert!(count >= 3, "{name} has {count} seeds");
    }
}

#[test]
fn a_seed_cut_off_anywhere_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for (name, read) in READERS.into_iter().filter(|(name, _)| *name != "log") {
        for seed in fs::read_dir(folder.join(name)).expect("each target has a folder of seeds") {
            let bytes = fs::read(seed.expect("the folder can be read").path()).expect("a seed can be read");
            (0..bytes.len()).for_each(|length| read(&bytes[..length]));
        }
    }
}
