//! How much memory this program holds, as Linux counts it.

/// Megabytes that it holds now.
pub fn now() -> u64 {
    of("VmRSS:")
}

/// The most megabytes that it has held since [`forget_peak`].
pub fn peak() -> u64 {
    of("VmHWM:")
}

/// Begins to look for the peak anew.
pub fn forget_peak() {
    // Where that is not allowed the peak is that of the whole run, which is no less.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn of(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or_default() >> 10
}
