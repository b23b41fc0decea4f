//! File descriptors: every file and connection takes one, and the system gives a process only so many.
//!
//! The page is open to anyone who can reach it, so it gets a fixed share of them at the start, and the loops keep the
//! rest.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::alert::escalation::ChannelKind;

/// The most attempts that are under way at once on each channel.
pub const ATTEMPTS: usize = 16;
/// What the store has open at once, and for each attempt a connection and a name look-up.
const LOOPS_NEED: usize = 32 + 2 * ATTEMPTS * ChannelKind::ALL.len();
/// Connections to SuperOps, and what is written there.
const TENANT_NEEDS: usize = 4;
/// The fewest connections the page gets, however few descriptors there are.
const FEWEST: usize = 16;
/// The most connections the page gets: more people than that do not look at one page at a time.
const MOST: usize = 1_024;
/// The fewest and the most looks at services that run at once; each has a connection open, rarely more.
const LOOKS: (usize, usize) = (32, 512);

/// Raises this process's limit as far as the system allows. Returns the limit in force.
pub fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // Refused where the real limit is lower (macOS); it then stays as it was.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
    limit_now()
}

fn limit_now() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

/// Returns how many connections the page may have at a time, beside loops that serve `tenants`.
pub fn for_the_page(tenants: usize) -> usize {
    share(limit_now(), tenants)
}

/// Returns how many looks at services may run at a time.
pub fn for_looks() -> usize {
    looks(limit_now())
}

fn looks(limit: usize) -> usize {
    (limit / 4).clamp(LOOKS.0, LOOKS.1)
}

fn share(limit: usize, tenants: usize) -> usize {
    limit.saturating_sub(reserve(tenants)).min(limit / 2).clamp(FEWEST, MOST)
}

fn reserve(tenants: usize) -> usize {
    LOOPS_NEED + TENANT_NEEDS * tenants
}

/// Returns a warning for the operator if there are too few descriptors for `tenants`.
pub fn shortage(tenants: usize) -> Option<String> {
    let (limit, needed) = (limit_now(), reserve(tenants) + FEWEST);
    (limit < needed).then(|| {
        format!("the system gives this process {limit} file descriptors, and it may need {needed}: raise `LimitNOFILE`")
    })
}

/// Checks that another descriptor can be had; without one, neither a message nor a request to SuperOps can leave.
pub fn spare() -> io::Result<()> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::{FEWEST, LOOPS_NEED, MOST, looks, share};

    #[test]
    fn the_loops_keep_what_they_need() {
        for (limit, tenants) in [(320, 1), (512, 10), (1_024, 1), (1_024, 50), (65_536, 50)] {
            let left = limit - share(limit, tenants);
            assert!(left >= LOOPS_NEED, "{limit}, {tenants}: {left}");
        }
        assert_eq!(share(1_024, 1), 512);
        assert_eq!(share(1_024, 176), FEWEST + 16);
        assert_eq!(share(usize::MAX, 1), MOST);
        assert_eq!(share(64, 1), FEWEST);
    }

    #[test]
    fn looks_take_a_quarter_of_the_descriptors_and_never_too_many() {
        assert_eq!([64, 1_024, 2_048, usize::MAX].map(looks), [32, 256, 512, 512]);
    }
}
