//! Who has room now: how many of a person's tickets can still be done in time, at the pace of the last weeks.
//!
//! Time is the MSP's staffed time, in milliseconds from now.

use serde::Serialize;

/// The fewest resolutions that give a person a pace of their own.
pub const FEW: u64 = 10;

/// Staffed time for one resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace(i64);

impl Pace {
    /// The pace of `resolutions` in `staffed` time; none if they are too few.
    pub fn of(staffed: i64, resolutions: u64) -> Option<Self> {
        let count = i64::try_from(resolutions).ok().filter(|_| resolutions >= FEW)?;
        Some(Self(staffed / count))
    }

    pub fn millis(self) -> i64 {
        self.0
    }
}

/// The state of somebody's queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Room<T> {
    pub open: u64,
    /// The least time left at any due time once all due by then is done; none: nothing is due.
    pub least_slack: Option<i64>,
    /// The first ticket that cannot be done in time.
    pub first_late: Option<T>,
    /// How many more can be done by the end of the next working day.
    pub fits: u64,
}

/// Computes the room that `queue` leaves: it holds each ticket with the staffed time until it is due. `day_end` is the
/// staffed time until the end of the next working day. What is overdue counts as due now.
pub fn room<T: Clone>(mut queue: Vec<(i64, T)>, pace: Pace, day_end: i64) -> Room<T> {
    queue.sort_by_key(|(due, _)| *due);
    let slack = |place: usize, due: i64| due.max(0) - (place as i64 + 1) * pace.0;
    let slacks: Vec<i64> = queue.iter().enumerate().map(|(place, (due, _))| slack(place, *due)).collect();
    let least_slack = slacks.iter().copied().min();
    let first_late = slacks.iter().position(|slack| *slack < 0).map(|place| queue[place].1.clone());
    let due_by_then = queue.iter().filter(|(due, _)| *due <= day_end).count() as i64;
    let at_end = day_end - due_by_then * pace.0;
    let later = queue.iter().zip(&slacks).filter(|((due, _), _)| *due > day_end).map(|(_, slack)| *slack);
    let spare = later.chain([at_end]).min().unwrap_or_default().max(0);
    let fits = if first_late.is_some() || pace.0 <= 0 { 0 } else { u64::try_from(spare / pace.0).unwrap_or_default() };
    Room { open: queue.len() as u64, least_slack, first_late, fits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_done_is_named_and_what_fits_is_counted() {
        let pace = Pace::of(1000, 10).unwrap();
        assert_eq!((pace.millis(), Pace::of(1000, 9)), (100, None));
        let of = |queue: &[(i64, &'static str)], end| room(queue.to_vec(), pace, end);
        let free = of(&[], 450);
        assert_eq!((free.fits, free.least_slack, free.first_late), (4, None, None));
        let some = of(&[(300, "b"), (150, "a")], 450);
        assert_eq!((some.fits, some.least_slack, some.first_late), (2, Some(50), None));
        let tight = of(&[(150, "a"), (190, "b"), (900, "c")], 450);
        assert_eq!((tight.fits, tight.least_slack, tight.first_late), (0, Some(-10), Some("b")));
        let later = of(&[(460, "a"), (470, "b"), (480, "c"), (490, "d")], 450);
        assert_eq!(later.fits, 0, "those due soon after leave no room for another before them");
        assert_eq!(of(&[(-50, "late")], 450).first_late, Some("late"));
    }
}
