//! Each holder's share of a clock.

use chrono::{DateTime, Utc};

use super::super::{Holder, Share};
use super::{Page, TICK};
use crate::report::share::{WHOLE, cut};
use crate::sla::clock::Reckoning;
impl Page<'_, '_> {
    /// Returns each holder's share. Weights go by the time counted until the decision; for a breach, until its target
    /// was used up, an instant before it was exceeded.
    pub(super) fn shares(
        &self,
        clock: &Reckoning<'_>,
        (decided, over_from): (DateTime<Utc>, Option<DateTime<Utc>>),
        until: DateTime<Utc>,
        automatic: bool,
    ) -> Vec<Share> {
        if automatic {
            let counted = clock.counted(until).num_milliseconds();
            return vec![Share { holder: Holder::Automation, weight: WHOLE, counted, over: 0, paused: 0 }];
        }
        let full = over_from.map(|from| from - TICK);
        let weighed = if Some(decided) == over_from { decided - TICK } else { decided };
        let mut shares: Vec<(Share, i64)> = Vec::new();
        for held in self.facts.held {
            let (from, to) = (held.from.max(clock.start), held.to.unwrap_or(until).min(until));
            if from > to || (from == to && from != until) {
                continue;
            }
            let before = clock.between(from.min(weighed), to.min(weighed)).num_milliseconds();
            let over = full.map_or(0, |full| clock.between(from.max(full), to.max(full)).num_milliseconds());
            let counted = clock.between(from, to).num_milliseconds();
            let paused = self.paused(clock, from, to).num_milliseconds();
            let place = shares.iter().position(|(share, _)| share.holder == held.holder).unwrap_or_else(|| {
                shares.push((Share { holder: held.holder.clone(), weight: 0, counted: 0, over: 0, paused: 0 }, 0));
                shares.len() - 1
            });
            let (share, sizes) = &mut shares[place];
            *sizes += before;
            share.counted += counted;
            share.over += over;
            share.paused += paused;
        }
        let weights = cut(WHOLE, &shares.iter().map(|(_, size)| *size).collect::<Vec<_>>());
        let mut shares: Vec<Share> =
            shares.into_iter().zip(weights).map(|((share, _), weight)| Share { weight, ..share }).collect();
        if shares.iter().all(|share| share.weight == 0) {
            let then = self.holder_at(decided);
            match shares.iter_mut().find(|share| share.holder == then) {
                Some(share) => share.weight = WHOLE,
                None => shares.push(Share { holder: then, weight: WHOLE, counted: 0, over: 0, paused: 0 }),
            }
        }
        shares.retain(|share| share.weight > 0 || share.counted > 0 || share.paused > 0);
        shares
    }
}
