//! Spreads work over the cores.

use std::iter::Flatten;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::LazyLock;
use std::thread;
use std::vec::IntoIter;

/// Asked for once: Linux reads files to answer.
static CORES: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));

/// To walk so many histories takes ten times as long as to begin a thread.
const WORTH_A_THREAD: usize = 256;

/// Returns what `work` makes of each of `items`, in their order: where there are more than a few of them, on all cores.
pub(super) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Flatten<IntoIter<Vec<R>>> {
    let do_some = |some: &[T]| some.iter().map(&work).collect::<Vec<_>>();
    let share = items.len().div_ceil(*CORES).max(WORTH_A_THREAD);
    let done: Vec<Vec<R>> = thread::scope(|scope| {
        let mut shares = items.chunks(share);
        let own = shares.next_back().unwrap_or_default();
        let others: Vec<_> = shares.map(|some| scope.spawn(|| do_some(some))).collect();
        let own = do_some(own);
        let done = others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        done.chain([own]).collect()
    });
    done.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_on_all_cores_comes_back_in_the_order_of_the_items() {
        for count in [0, 1, WORTH_A_THREAD, 4 * WORTH_A_THREAD + 1] {
            let items: Vec<_> = (0..count).collect();
            assert_eq!(map(&items, |item| item + 1).collect::<Vec<_>>(), (1..=count).collect::<Vec<_>>());
        }
    }
}
