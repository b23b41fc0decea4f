//! Figures of the process and its machine, read from the system when asked for.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::figures::Figures;

/// Ticks per second in `/proc`, which Linux keeps fixed for programs.
const TICKS: f64 = 100.0;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct VersionLabels {
    pub version: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct FileName {
    pub file: &'static str,
}

/// What the process uses.
#[derive(Debug)]
pub struct ProcessFigures {
    memory: Gauge,
    cpu: Gauge<f64, AtomicU64>,
    threads: Gauge,
    descriptors: Gauge,
    descriptors_most: Gauge,
    store: Family<FileName, Gauge>,
    disk_free: Gauge,
}

impl ProcessFigures {
    pub fn register(figures: &mut Figures) -> Self {
        let build = figures.add("build", "The running version", Family::<VersionLabels, Gauge>::default());
        build.get_or_create(&VersionLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
        Self {
            memory: figures.bytes("process_memory", "Resident memory", Gauge::default()),
            cpu: figures.seconds("process_cpu", "Processor time since the start", Gauge::default()),
            threads: figures.add("process_threads", "Threads", Gauge::default()),
            descriptors: figures.add("process_open_descriptors", "Open files and connections", Gauge::default()),
            descriptors_most: figures.add(
                "process_most_descriptors",
                "Files and connections that may be open at once",
                Gauge::default(),
            ),
            store: figures.bytes(
                "store",
                "Files of the store: the database, and what is not yet in it",
                Family::default(),
            ),
            disk_free: figures.bytes("disk_free", "Free space where the store is", Gauge::default()),
        }
    }

    /// Updates them; `store` is the database file, if there is one.
    pub fn look(&self, store: Option<&Path>) {
        self.look_at_process();
        if let Some(store) = store {
            self.look_at_store(store);
        }
    }

    /// Updates the process figures. On systems other than Linux they stay at 0.
    fn look_at_process(&self) {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse::<i64>().ok()
        };
        self.memory.set(number("VmRSS:").unwrap_or_default() * 1024);
        self.threads.set(number("Threads:").unwrap_or_default());
        self.cpu
            .set(fs::read_to_string("/proc/self/stat").ok().and_then(|stat| cpu_seconds(&stat)).unwrap_or_default());
        self.descriptors.set(count(fs::read_dir("/proc/self/fd").map(Iterator::count).unwrap_or_default()));
        let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        self.descriptors_most.set(most.and_then(|most| i64::try_from(most).ok()).unwrap_or_default());
    }

    fn look_at_store(&self, store: &Path) {
        for (file, ending) in [("database", ""), ("log", "-wal")] {
            let mut path = store.as_os_str().to_owned();
            path.push(ending);
            let length = fs::metadata(path).map(|data| data.len()).unwrap_or_default();
            self.store.get_or_create(&FileName { file }).set(i64::try_from(length).unwrap_or(i64::MAX));
        }
        let folder = store.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let Ok(found) = rustix::fs::statvfs(folder) {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            self.disk_free.set(i64::try_from(free).unwrap_or(i64::MAX));
        }
    }
}

/// Returns the sum of the 14th and 15th field in seconds. The 2nd may hold spaces and is in brackets.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::cpu_seconds;

    #[test]
    fn processor_time_is_read_whatever_the_program_is_called() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 900 0 0 0 150 50 0 0 20 0 9 0 100";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("nonsense"), None);
    }
}
