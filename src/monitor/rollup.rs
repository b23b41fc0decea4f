//! Sums up looks by five minutes, those by hours, and those by days, and deletes what is old.
//!
//! Each stretch is summed up once it is over, from what is stored, so that a restart loses nothing.

use crate::store::uptime::{LookRow, Rollup, WIDTHS};
use crate::store::{Store, StoreError};
use crate::uptime::{Condition, Millis};

/// How many stretches of one check are summed up at a time; the rest follows the next time.
const MOST: usize = 600;
/// The most looks in a stretch. No check is looked at more than once a second; of what others send, one a second is
/// taken and a hundred at once, dated up to ten minutes back.
const LOOKS_OF_A_STRETCH: i64 = 1000;

/// Sums up the looks of all checks.
pub async fn all(store: &Store, now: Millis) -> Result<(), StoreError> {
    for (number, _) in store.uptime_checks().await?.into_values() {
        one(store, number, now).await?;
    }
    store.uptime_forget(now).await
}

async fn one(store: &Store, number: i64, now: Millis) -> Result<(), StoreError> {
    let mut made: Vec<(Millis, Rollup)> = Vec::new();
    let (finest, _) = WIDTHS[0];
    if let Some(from) = begin(store, number, finest, now).await? {
        for at in stretches(from, finest, now) {
            let looks = store.uptime_looks(number, at, at + finest, LOOKS_OF_A_STRETCH).await?;
            made.extend(of_looks(at, &looks).map(|rollup| (finest, rollup)));
        }
    }
    store.uptime_roll_up(number, std::mem::take(&mut made), now).await?;
    for two in WIDTHS.windows(2) {
        let ((finer, _), (width, _)) = (two[0], two[1]);
        let Some(from) = begin_of_finer(store, number, (finer, width), now).await? else { continue };
        for at in stretches(from, width, now) {
            let parts = store.uptime_rollups(number, finer, at, at + width).await?;
            made.extend(of_parts(at, &parts).map(|rollup| (width, rollup)));
        }
        store.uptime_roll_up(number, std::mem::take(&mut made), now).await?;
    }
    Ok(())
}

/// Returns the beginnings of the finished stretches from `from` on.
fn stretches(from: Millis, width: Millis, now: Millis) -> impl Iterator<Item = Millis> {
    let over = move |at: &Millis| at + width <= now;
    (0..).map(move |index| from + index * width).take_while(over).take(MOST)
}

/// Returns where to continue. `None` if nothing was seen yet.
async fn begin(store: &Store, number: i64, width: Millis, now: Millis) -> Result<Option<Millis>, StoreError> {
    let first = store.uptime_first_look(number).await?;
    let rolled = store.uptime_rolled_until(number, width, now).await?;
    Ok(first.map(|first| floor(first, width).max(rolled.unwrap_or(i64::MIN))))
}

async fn begin_of_finer(
    store: &Store,
    number: i64,
    (finer, width): (Millis, Millis),
    now: Millis,
) -> Result<Option<Millis>, StoreError> {
    let rolled = store.uptime_rolled_until(number, width, now).await?.unwrap_or(0);
    // If nothing was seen for weeks, there is nothing to go through.
    let first = store.uptime_rollups(number, finer, rolled, now).await?.first().map(|first| floor(first.at, width));
    Ok(first.map(|first| first.max(rolled)))
}

fn floor(at: Millis, width: Millis) -> Millis {
    at.div_euclid(width) * width
}

fn of_looks(at: Millis, looks: &[LookRow]) -> Option<Rollup> {
    let mut rollup = Rollup { at, ..Rollup::default() };
    for look in looks {
        let is_good = look.verdict == Condition::Up;
        rollup.good += i64::from(is_good);
        rollup.bad += i64::from(!is_good);
        look.took().into_iter().for_each(|micros| rollup.sketch.add(micros));
    }
    (!looks.is_empty()).then_some(rollup)
}

fn of_parts(at: Millis, parts: &[Rollup]) -> Option<Rollup> {
    let mut rollup = Rollup { at, ..Rollup::default() };
    for part in parts {
        rollup.good += part.good;
        rollup.bad += part.bad;
        rollup.sketch.merge(&part.sketch);
    }
    (!parts.is_empty()).then_some(rollup)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::uptime::UptimeChange;
    use crate::uptime::observe::CheckState;
    use crate::uptime::{DAY, HOUR, MINUTE};

    #[test]
    fn what_took_no_time_that_anybody_knows_is_not_as_fast_as_can_be() {
        let look = |at, micros, verdict| LookRow { number: 1, at, micros, verdict, detail: None };
        let told = [look(0, 0, Condition::Up), look(1, 0, Condition::Degraded), look(2, 9_000_000, Condition::Down)];
        let seen = [look(3, 900_000, Condition::Up)];
        let sum = of_looks(0, &[told.as_slice(), &seen].concat()).unwrap();
        assert_eq!((sum.good, sum.bad, sum.sketch.count()), (2, 2, 1));
        assert_eq!(of_looks(0, &told).unwrap().sketch.percentile(50), None);
    }

    #[tokio::test]
    async fn all_that_others_may_send_of_five_minutes_is_summed_up() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap();
        let checks = vec![("shop/told".to_owned(), CheckState::new(0))];
        let number = store.uptime_adopt(vec![], checks, 0).await.unwrap()["shop/told"];
        // For 15 minutes one a second, all dated within the same five.
        let looks = (0..1000).map(|index| {
            let verdict = if index < 300 { Condition::Down } else { Condition::Up };
            LookRow { number, at: HOUR + index * 300, micros: 20_000, verdict, detail: None }
        });
        store.uptime_write(UptimeChange { looks: looks.collect(), ..UptimeChange::default() }).await.unwrap();
        all(&store, HOUR + 5 * MINUTE).await.unwrap();
        let sums = store.uptime_rollups(number, 5 * MINUTE, HOUR, i64::MAX).await.unwrap();
        assert_eq!(sums.iter().map(|one| (one.good, one.bad)).collect::<Vec<_>>(), [(700, 300)]);
    }

    #[tokio::test]
    async fn what_was_summed_up_by_a_clock_that_was_ahead_keeps_nothing_from_being_summed_up() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap();
        let checks = vec![("shop/https".to_owned(), CheckState::new(0))];
        let number = store.uptime_adopt(vec![], checks, 0).await.unwrap()["shop/https"];
        let look = |at: Millis| LookRow { number, at, micros: 20_000, verdict: Condition::Up, detail: None };
        let ahead = (0..10).map(|minute| look(5 * HOUR + minute * MINUTE));
        let looks: Vec<_> = (0..10).map(|minute| look(HOUR + minute * MINUTE)).chain(ahead).collect();
        store.uptime_write(UptimeChange { looks, ..UptimeChange::default() }).await.unwrap();
        all(&store, 5 * HOUR + 10 * MINUTE).await.unwrap();
        // The clock was set back by four hours.
        let looks: Vec<_> = (10..20).map(|minute| look(HOUR + minute * MINUTE)).collect();
        store.uptime_write(UptimeChange { looks, ..UptimeChange::default() }).await.unwrap();
        let now = HOUR + 20 * MINUTE;
        all(&store, now).await.unwrap();
        assert_eq!(store.uptime_rolled_until(number, 5 * MINUTE, now).await.unwrap(), Some(now));
        let sums = store.uptime_rollups(number, 5 * MINUTE, HOUR, now).await.unwrap();
        assert_eq!(sums.iter().map(|one| one.good).collect::<Vec<_>>(), [5; 4]);
    }

    #[tokio::test]
    async fn what_was_away_for_weeks_is_summed_up_again_from_when_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap();
        let checks = vec![("shop/https".to_owned(), CheckState::new(0))];
        let number = store.uptime_adopt(vec![], checks, 0).await.unwrap()["shop/https"];
        let (back, now) = (40 * DAY, 40 * DAY + 2 * HOUR);
        store.uptime_roll_up(number, vec![(HOUR, Rollup { at: 0, ..Rollup::default() })], now).await.unwrap();
        let look = |at: Millis| LookRow { number, at, micros: 20_000, verdict: Condition::Up, detail: None };
        let looks: Vec<_> = (0..120).map(|minute| look(back + minute * MINUTE)).collect();
        store.uptime_write(UptimeChange { looks, ..UptimeChange::default() }).await.unwrap();
        all(&store, now).await.unwrap();
        let sums = store.uptime_rollups(number, HOUR, back, now).await.unwrap();
        assert_eq!(sums.iter().map(|one| one.good).collect::<Vec<_>>(), [60, 60]);
    }

    #[tokio::test]
    async fn looks_are_summed_up_once_by_five_minutes_hours_and_days() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap();
        let checks = vec![("shop/https".to_owned(), CheckState::new(0))];
        let number = store.uptime_adopt(vec![], checks, 0).await.unwrap()["shop/https"];
        let look = |at: Millis| {
            let verdict = if at % HOUR == 0 { Condition::Down } else { Condition::Up };
            LookRow { number, at, micros: 20_000, verdict, detail: None }
        };
        let looks: Vec<_> = (0..25 * 60).map(|minute| look(minute * MINUTE)).collect();
        store.uptime_write(UptimeChange { looks, ..UptimeChange::default() }).await.unwrap();
        for _ in 0..2 {
            all(&store, 25 * HOUR + MINUTE).await.unwrap();
            let sums = async |width| {
                let all = store.uptime_rollups(number, width, 0, i64::MAX).await.unwrap();
                (all.len(), all.iter().map(|one| one.good).sum::<i64>(), all.iter().map(|one| one.bad).sum::<i64>())
            };
            assert_eq!(sums(5 * MINUTE).await, (300, 1475, 25));
            assert_eq!(sums(HOUR).await, (25, 1475, 25));
            assert_eq!(sums(DAY).await, (1, 1416, 24), "the second day is not over");
        }
        let day = &store.uptime_rollups(number, DAY, 0, i64::MAX).await.unwrap()[0];
        assert_eq!((day.sketch.count(), day.sketch.percentile(95)), (1416, Some(20)));
        all(&store, 5 * DAY).await.unwrap();
        assert_eq!(store.uptime_looks(number, 0, i64::MAX, 9).await.unwrap(), [], "each look is kept for two days");
    }
}
