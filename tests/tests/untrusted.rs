//! What the fuzzer begins with, and whatever it found once, given to the readers without it.

use std::{fs, path::Path};

use tests::untrusted::READERS;

#[test]
fn every_input_of_the_corpus_is_read_by_every_reader() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, _) in READERS {
        let inputs = fs::read_dir(folder.join(name)).expect("each target has a corpus");
        let mut count = 0;
        for input in inputs {
            let path = input.expect("the folder can be read").path();
            let bytes = fs::read(&path).expect("an input can be read");
            for (_, read) in READERS {
                read(&bytes);
            }
            count += 1;
        }
        assert!(count >= 3, "{name} has {count} inputs");
    }
}

#[test]
fn an_input_cut_off_anywhere_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, read) in READERS.into_iter().filter(|(name, _)| *name != "log") {
        for input in fs::read_dir(folder.join(name)).expect("each target has a corpus") {
            let bytes =
                fs::read(input.expect("the folder can be read").path()).expect("an input can be read");
            (0..bytes.len()).for_each(|length| read(&bytes[..length]));
        }
    }
}
