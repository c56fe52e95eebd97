//! A file that grows by whole frames: magic, length, checksum, payload.
//!
//! Knows nothing of what a payload means.
//! Invariant: a frame counts from the moment its sync returned. What a crash left half-written behind the last whole
//! frame is cut off at opening; a broken frame with a whole one behind it is damage, and nothing is cut.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crate::{
    checksum::{self, Checksum},
    files::{self, FileError},
    num::index,
};

const MAGIC: [u8; 4] = *b"TFF1";
const HEADER: usize = MAGIC.len() + 4 + checksum::LENGTH;

/// Why a file of frames cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// A byte changed after it was written.
    #[error("{path} is damaged at byte {position}: put back the file from your backup", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the broken frame begins.
        position: u64,
    },
    /// An earlier write failed, and what the disk holds is not known.
    #[error("{path} failed to be written before: end the program and start it again", path = .path.display())]
    Poisoned {
        /// The file.
        path: PathBuf,
    },
    /// A frame is longer than 4 GiB.
    #[error("{bytes} bytes are too many for one frame of {path}: append them in smaller parts", path = .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// How long it would be.
        bytes: usize,
    },
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
}

/// An open file of frames.
#[derive(Debug)]
pub(crate) struct FrameFile {
    path: PathBuf,
    file: File,
    /// Behind the last whole frame. Writes go there, whatever an attempt that failed may have left behind it.
    end: u64,
    poisoned: bool,
}

impl FrameFile {
    /// Opens or makes a file, shows each payload with its position, and says how many bytes of a torn tail it cut.
    pub(crate) fn open(
        path: &Path,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), ()>,
    ) -> Result<(Self, u64), FrameError> {
        let content = files::read_if_there(path)?;
        if content.is_none() {
            files::replace(path, &[], 0o600)?;
        }
        let content = content.unwrap_or_default();
        let damaged = |position| FrameError::Damaged { path: path.to_owned(), position };
        let mut rest = content.as_slice();
        let mut end = 0_u64;
        while let Some((payload, behind)) = split_frame(rest) {
            visit(end, payload).map_err(|()| damaged(end))?;
            end += (HEADER + payload.len()) as u64;
            rest = behind;
        }
        let file =
            OpenOptions::new().read(true).write(true).open(path).map_err(FileError::new("open", path))?;
        if !rest.is_empty() {
            if holds_a_frame(&rest[1..]) {
                return Err(damaged(end));
            }
            file.set_len(end).map_err(FileError::new("cut", path))?;
            file.sync_all().map_err(FileError::new("sync", path))?;
        }
        Ok((Self { path: path.to_owned(), file, end, poisoned: false }, rest.len() as u64))
    }

    /// Appends one frame and syncs it. Says where it begins.
    pub(crate) fn append(&mut self, payload: &[u8]) -> Result<u64, FrameError> {
        if self.poisoned {
            return Err(FrameError::Poisoned { path: self.path.clone() });
        }
        let frame = frame(payload)
            .ok_or_else(|| FrameError::TooLong { path: self.path.clone(), bytes: payload.len() })?;
        let position = self.end;
        self.poisoned = true;
        self.file.write_all_at(&frame, position).map_err(FileError::new("write", &self.path))?;
        self.file.sync_data().map_err(FileError::new("sync", &self.path))?;
        self.poisoned = false;
        self.end += frame.len() as u64;
        Ok(position)
    }

    /// Reads the frame that begins at a position.
    pub(crate) fn read(&self, position: u64) -> Result<Vec<u8>, FrameError> {
        let damaged = || self.damaged(position);
        let mut bytes = vec![0; HEADER];
        self.file.read_exact_at(&mut bytes, position).map_err(FileError::new("read", &self.path))?;
        let length = payload_length(&bytes).ok_or_else(damaged)?;
        if position + (HEADER + length) as u64 > self.end {
            return Err(damaged());
        }
        bytes.resize(HEADER + length, 0);
        self.file
            .read_exact_at(&mut bytes[HEADER..], position + HEADER as u64)
            .map_err(FileError::new("read", &self.path))?;
        let (payload, _) = split_frame(&bytes).ok_or_else(damaged)?;
        Ok(payload.to_vec())
    }

    /// The error for a frame whose payload makes no sense.
    pub(crate) fn damaged(&self, position: u64) -> FrameError {
        FrameError::Damaged { path: self.path.clone(), position }
    }

    /// Puts other frames in the place of all there are: all of them or, after a crash, none. Says where each begins.
    pub(crate) fn rewrite(&mut self, payloads: &[Vec<u8>]) -> Result<Vec<u64>, FrameError> {
        let mut content = Vec::new();
        let mut positions = Vec::with_capacity(payloads.len());
        for payload in payloads {
            positions.push(content.len() as u64);
            content.extend(
                frame(payload)
                    .ok_or_else(|| FrameError::TooLong { path: self.path.clone(), bytes: payload.len() })?,
            );
        }
        files::replace(&self.path, &content, 0o600)?;
        let (opened, _) = Self::open(&self.path, |_, _| Ok(()))?;
        *self = opened;
        Ok(positions)
    }
}

fn frame(payload: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(payload.len()).ok()?.to_le_bytes();
    let mut frame = Vec::with_capacity(HEADER + payload.len());
    frame.extend(MAGIC);
    frame.extend(length);
    frame.extend(checksum::of_both(&length, payload));
    frame.extend(payload);
    Some(frame)
}

fn payload_length(header: &[u8]) -> Option<usize> {
    let rest = header.strip_prefix(&MAGIC)?;
    let (length, _) = rest.split_first_chunk::<4>()?;
    Some(index(u64::from(u32::from_le_bytes(*length))))
}

/// The payload of the frame at the front, and what lies behind it.
fn split_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = payload_length(bytes)?;
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    let (payload, behind) = rest.split_at_checked(length)?;
    let stored: &Checksum = header.last_chunk()?;
    (checksum::of_both(&header[4..8], payload) == *stored).then_some((payload, behind))
}

fn holds_a_frame(bytes: &[u8]) -> bool {
    let starts = bytes.windows(MAGIC.len()).enumerate().filter(|(_, window)| *window == MAGIC);
    starts.into_iter().any(|(start, _)| split_frame(&bytes[start..]).is_some())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_tail_torn_at_any_byte_is_cut_and_the_file_grows_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("frames");
        let whole = file_of(&path, &["one", "two", "three"]);
        let last = whole.len() - HEADER - "three".len();
        for length in last..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let (seen, cut, mut file) = open(&path);
            assert_eq!((seen, cut), (vec!["one".to_owned(), "two".to_owned()], (length - last) as u64));
            file.append(b"four").unwrap();
            drop(file);
            assert_eq!(open(&path).0, ["one", "two", "four"]);
        }
    }

    #[test]
    fn any_changed_byte_before_the_last_frame_is_damage() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("frames");
        let whole = file_of(&path, &["one", "two", "three"]);
        let second = HEADER + "one".len();
        for position in 0..whole.len() - HEADER - "three".len() {
            let mut changed = whole.clone();
            changed[position] ^= 0x10;
            fs::write(&path, &changed).unwrap();
            let error = FrameFile::open(&path, |_, _| Ok(())).unwrap_err();
            let expected = if position < second { 0 } else { second as u64 };
            assert!(
                matches!(error, FrameError::Damaged { position, .. } if position == expected),
                "{position}: {error}"
            );
            assert_eq!(fs::read(&path).unwrap(), changed, "nothing is cut");
        }
    }

    #[test]
    fn frames_are_read_by_their_position_and_replaced_as_a_whole() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("frames");
        file_of(&path, &["one", "two"]);
        let (_, _, mut file) = open(&path);
        assert_eq!(file.read((HEADER + 3) as u64).unwrap(), b"two");
        let positions = file.rewrite(&[b"other".to_vec()]).unwrap();
        assert_eq!(file.read(positions[0]).unwrap(), b"other");
        assert!(file.read(3).is_err(), "no frame begins there");
    }

    fn file_of(path: &Path, payloads: &[&str]) -> Vec<u8> {
        let (mut file, _) = FrameFile::open(path, |_, _| Ok(())).unwrap();
        for payload in payloads {
            file.append(payload.as_bytes()).unwrap();
        }
        fs::read(path).unwrap()
    }

    fn open(path: &Path) -> (Vec<String>, u64, FrameFile) {
        let mut seen = Vec::new();
        let (file, cut) = FrameFile::open(path, |_, payload| {
            seen.push(String::from_utf8(payload.to_vec()).unwrap());
            Ok(())
        })
        .unwrap();
        (seen, cut, file)
    }
}
