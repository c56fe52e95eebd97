//! Inputs that were interesting once, and arbitrary ones: nothing panics, and every document yields a piece.

use std::{fs, path::Path};

use proptest::{collection::vec, prelude::*, sample::select};
use wire::{
    Delimited, Format, Piece, WebhookDefaults, decode_json_line, decode_protobuf, decode_record_value,
    next_delimited, sniff,
};

/// Gives the bytes to every reader.
fn read_as_everything(bytes: &[u8]) {
    let defaults = WebhookDefaults { account: Some("1".to_owned()), business_phone: None };
    let mut pieces = 0;
    let mut count = |piece: Piece<'_>| {
        pieces += 1;
        if let Piece::Malformed(problem) = piece {
            assert!(!problem.message.is_empty() && !problem.message.ends_with('.'));
        }
    };
    decode_json_line(bytes, &defaults, &mut count);
    decode_record_value(bytes, &defaults, &mut count);
    count(decode_protobuf(bytes));
    let mut rest = bytes;
    while let Delimited::Message { message, consumed } = next_delimited(rest) {
        count(decode_protobuf(message));
        rest = &rest[consumed..];
    }
    assert!(pieces >= 3);
    assert!(matches!(sniff(bytes), Format::JsonLines | Format::Protobuf));
}

#[test]
fn every_input_of_the_corpus_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut inputs = 0;
    for file in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        read_as_everything(&bytes);
        bytes.split(|byte| *byte == b'\n').for_each(read_as_everything);
        inputs += 1;
    }
    assert!(inputs >= 8, "only {inputs} inputs found");
}

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "1",
    "-1",
    "1e999",
    "0.5",
    "\"entry\"",
    "\"changes\"",
    "\"value\"",
    "\"messages\"",
    "\"statuses\"",
    "\"calls\"",
    "\"id\"",
    "\"timestamp\"",
    "\"type\"",
    "\"text\"",
    "\"eventId\"",
    "\"occurredAt\"",
    "\"2022-02-03T10:00:00Z\"",
    "\"userMessage\"",
    "\"tick\"",
    "\"consent\"",
    "\"pricing\"",
    "\"conversation\"",
    "\"errors\"",
    "\"\\u0000\"",
    "\"ü\"",
    " ",
    "\n",
    "\u{feff}",
];

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        read_as_everything(&bytes);
    }

    #[test]
    fn arbitrary_words_of_json_never_panic(words in vec(select(WORDS), 0..60)) {
        read_as_everything(words.concat().as_bytes());
    }
}
