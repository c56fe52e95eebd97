//! Groups of records: whole or not at all, with the rows that came with them.

use super::*;
use crate::store::Row;

#[test]
fn a_group_torn_at_any_byte_is_cut_as_a_whole_and_so_are_its_rows() {
    let place = tempfile::tempdir().unwrap();
    let (mut written, mut starts) = (Vec::new(), Vec::new());
    let mut writer = LogWriter::open(place.path(), Offset(0)).unwrap().writer;
    let mark = |upto: &str| vec![(b"february.jsonl".to_vec(), upto.as_bytes().to_vec())];
    for upto in ["line 5", "line 10"] {
        append(&mut writer, &mut written, 5);
        writer.sync(&mark(upto)).unwrap();
        starts.push(fs::read(&segments(place.path())[0]).unwrap().len());
    }
    // Of two blocks, so that a whole one stands behind the last whole group.
    append(&mut writer, &mut written, u64::from(block::RECORDS_MAX) + 5);
    writer.sync(&mark("the end")).unwrap();
    let segment = &segments(place.path())[0];
    let whole = fs::read(segment).unwrap();
    assert_eq!(last_rows(place.path()), (written.len() as u64, mark("the end")));
    let edge = whole.len() - 5 * 30;
    for length in (starts[1]..starts[1] + 200).chain(edge..whole.len()) {
        fs::write(segment, &whole[..length]).unwrap();
        let opened = LogWriter::open(place.path(), Offset(10)).unwrap();
        assert_eq!(opened.cut_bytes, (length - starts[1]) as u64);
        assert_eq!(opened.writer.next_offset(), Offset(10));
        assert_eq!(last_rows(place.path()), (10, mark("line 10")), "{length}");
        assert_eq!(check_log(place.path()).unwrap().next, Offset(10));
    }
}

#[test]
fn rows_come_with_the_last_record_of_their_group() {
    let place = tempfile::tempdir().unwrap();
    let mut written = Vec::new();
    let mut writer = LogWriter::open(place.path(), Offset(0)).unwrap().writer;
    for group in 0..3_u8 {
        append(&mut writer, &mut written, 4);
        writer.sync(&[(vec![group], vec![]), (b"other".to_vec(), vec![group; 300])]).unwrap();
    }
    writer.sync(&[(b"of nothing".to_vec(), vec![])]).unwrap();
    for from in 0..12 {
        let mut reader = LogReader::open(place.path(), Offset(from)).unwrap();
        let mut batch = LogBatch::default();
        for group in u8::try_from(from / 4).unwrap()..3 {
            assert!(reader.next_batch(&mut batch).unwrap());
            assert_eq!(batch.rows, [(vec![group], vec![]), (b"other".to_vec(), vec![group; 300])], "{from}");
        }
        assert!(!reader.next_batch(&mut batch).unwrap());
        assert_eq!(batch.rows, []);
    }
}

#[test]
fn a_newer_log_is_refused_and_not_cut() {
    let place = tempfile::tempdir().unwrap();
    let (_, blocks) = three_blocks(place.path());
    let segment = &segments(place.path())[0];
    let mut content = fs::read(segment).unwrap();
    content[blocks[1] + 4] = 3;
    fs::write(segment, &content).unwrap();
    let error = LogWriter::open(place.path(), Offset(0)).unwrap_err();
    assert!(matches!(&error, LogError::Newer { path, found: 3 } if path == segment), "{error}");
    assert_eq!(fs::read(segment).unwrap(), content);
}

/// Offset behind the last record, and the rows that came last.
fn last_rows(folder: &Path) -> (u64, Vec<Row>) {
    let mut reader = LogReader::open(folder, Offset(0)).unwrap();
    let mut batch = LogBatch::default();
    let mut last = Vec::new();
    while reader.next_batch(&mut batch).unwrap() {
        if !batch.rows.is_empty() {
            last.clone_from(&batch.rows);
        }
    }
    (reader.next_offset().0, last)
}
