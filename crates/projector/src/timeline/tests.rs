//! What threads remember, through every change.

use model::{DurationMillis, Offset};
use tariff::{Anchor, Window};

use super::*;
use crate::{
    fold::{Rules, fold_on},
    labels::LabelId,
    message::{Flags, Side, seen},
};

const RULES: Rules = Rules {
    window: Window::Sliding,
    window_length: DurationMillis::from_hours(24),
    anchor: Anchor::FirstMessage,
};

#[derive(Default)]
struct Parts {
    recent: Recent,
    newest: Block,
    earlier: Earlier,
    blocks: Blocks,
}

impl Parts {
    fn timeline_mut(&mut self) -> TimelineMut<'_> {
        let Self { recent, newest, earlier, blocks } = self;
        TimelineMut { recent, newest, earlier, blocks }
    }
}

fn message(at: i64) -> Message {
    let id = MessageRef(
        u128::from(at.cast_unsigned()).wrapping_mul(0x1234_5678_9abc_def1_2345_6789_abcd_ef01).to_le_bytes(),
    );
    Message::new(id, UnixMillis(at), Offset(0), LabelId(0), Flags::new(Side::User, seen::REPORTED))
}

#[test]
fn messages_in_any_order_are_sorted_and_found() {
    let mut parts = Parts::default();
    let mut timeline = parts.timeline_mut();
    for n in 0..2_000_i64 {
        let message = message(n * 7_919 % 2_000);
        if timeline.insert(message) {
            timeline.mend_cut(&RULES, message.key());
        }
        let chunks: Vec<_> = timeline.view().chunks().collect();
        assert!(chunks.iter().all(|chunk| (1..=256).contains(&chunk.messages.len())));
    }
    assert!(timeline.view().iter().map(Message::at).is_sorted());
    for n in 0..2_000 {
        assert_eq!(timeline.view().find(message(n).id), Some(message(n)));
    }
    for n in (0..2_000).step_by(2) {
        timeline.remove(&RULES, &message(n));
    }
    assert_eq!(timeline.view().iter().count(), 1_000);
    assert_eq!(timeline.view().find(message(2).id), None);
    assert_eq!(timeline.view().find(message(3).id), Some(message(3)));
    for n in (0..1_000).rev().map(|n| 2 * n + 1) {
        assert_eq!(timeline.view().last(), Some(&message(n)));
        timeline.remove(&RULES, &message(n));
    }
    assert_eq!(timeline.view().chunk_count(), 0);
}

/// Each chunk's state is the fold over what lies before it, however the messages came and went.
#[test]
fn a_short_thread_may_lose_and_regain_any_message() {
    for gone in 0..30 {
        let mut parts = Parts::default();
        let mut timeline = parts.timeline_mut();
        let mut state = FoldState::default();
        for n in 0..30 {
            timeline.push(state, message(n));
            state = fold_on(&RULES, state, &[message(n)]);
        }
        timeline.remove(&RULES, &message(gone));
        assert_eq!(timeline.view().find(message(gone).id), None);
        if timeline.insert(message(gone)) {
            timeline.mend_cut(&RULES, message(gone).key());
        }
        let expected: Vec<Message> = (0..30).map(message).collect();
        assert_eq!(timeline.view().iter().copied().collect::<Vec<_>>(), expected);
        assert_eq!(timeline.view().last(), expected.last());
        let mut state = FoldState::default();
        for chunk in timeline.view().chunks() {
            assert_eq!(chunk.before, state);
            state = fold_on(&RULES, state, chunk.messages);
        }
    }
}
