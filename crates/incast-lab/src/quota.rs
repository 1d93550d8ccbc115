//! What the processes of a host may use of the CPU: control groups with a quota (Linux v6.8
//! `Documentation/scheduler/sched-bwc.rst`), of version 1 or 2, whichever has the `cpu` controller.
//!
//! In each period the processes of a group run for so long and then wait for the next. Groups are written
//! down before they are made, as labs are, and `clean` removes those of killed processes.
//!
//! Of version 2 (Linux v6.8 `Documentation/admin-guide/cgroup-v2.rst`): a group may have a quota when its parent hands the
//! controller down (`cgroup.subtree_control`), and a parent that does may have no processes of its own, but for the
//! root: so groups are made right below the root. Its `cpu.max` has quota and period in one line.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use incast_core::scenario::HostPlan;

use crate::error::LabError;
use crate::layout::PREFIX;
use crate::state::{Entry, Found};

/// Groups with quotas; removed when this is dropped.
#[derive(Debug)]
pub struct Quotas {
    groups: Vec<Group>,
    /// Crossed out last: it goes when the groups have gone.
    _entry: Entry,
}

#[derive(Debug)]
struct Group {
    host: String,
    path: PathBuf,
}

impl Quotas {
    /// Makes a group for every host with a quota; none when there is no such host.
    ///
    /// # Errors
    /// Without root, or where this kernel has no quotas. Nothing is left behind then.
    pub fn set(scenario: &str, hosts: &[HostPlan]) -> Result<Option<Self>, LabError> {
        let quotas: Vec<(&HostPlan, u32)> =
            hosts.iter().filter_map(|host| Some((host, host.cpu_quota_millicores?))).collect();
        if quotas.is_empty() {
            return Ok(None);
        }
        if !rustix::process::geteuid().is_root() {
            return Err(LabError::State(
                "a `cpu_quota` needs root, to make a control group: run the command with sudo".into(),
            ));
        }
        let hierarchy = Hierarchy::find(Path::new(DIR_1), Path::new(DIR_2))?;
        let id = format!("{scenario}-quota-{}", std::process::id());
        let groups: Vec<Group> = quotas
            .iter()
            .map(|(host, _)| Group {
                host: host.name.clone(),
                path: Path::new(hierarchy.dir()).join(format!("{PREFIX}{id}-{}", host.name)),
            })
            .collect();
        let found = Found {
            id,
            scenario: scenario.to_owned(),
            places: Vec::new(),
            namespaces: Vec::new(),
            groups: groups.iter().map(|group| group.path.display().to_string()).collect(),
            addresses: Vec::new(),
        };
        let made = Self { _entry: Entry::write(&found)?, groups };
        for (group, (_, millicores)) in made.groups.iter().zip(&quotas) {
            let failed =
                |error| LabError::kernel(format!("make the control group {}", group.path.display()), error);
            fs::create_dir(&group.path)
                .and_then(|()| hierarchy.limit(&group.path, *millicores))
                .map_err(failed)?;
        }
        Ok(Some(made))
    }

    /// Puts a process under the quota of `host`, if that has one, with all that it starts from then on.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn admit(&self, host: &str, process: u32) -> Result<(), LabError> {
        let Some(group) = self.groups.iter().find(|group| group.host == host) else { return Ok(()) };
        fs::write(group.path.join("cgroup.procs"), process.to_string())
            .map_err(|error| LabError::kernel(format!("put a process of {host} under its quota"), error))
    }
}

impl Drop for Quotas {
    fn drop(&mut self) {
        for group in &self.groups {
            let _ = remove_path(&group.path);
        }
    }
}

/// Where quotas are kept.
#[derive(Clone, Copy, Debug)]
enum Hierarchy {
    One,
    Two,
}

impl Hierarchy {
    /// That of this machine: version 1 has the controller in a directory `one`, version 2 is all in `two`.
    fn find(one: &Path, two: &Path) -> Result<Self, LabError> {
        // Not only that there is a group: one of version 2 may have any name.
        if one.join(QUOTA_1).exists() {
            return Ok(Self::One);
        }
        let has = |file: &str| {
            let text = fs::read_to_string(two.join(file)).unwrap_or_default();
            text.split_whitespace().any(|controller| controller == "cpu")
        };
        match (has("cgroup.controllers"), has("cgroup.subtree_control")) {
            (_, true) => Ok(Self::Two),
            (true, false) => Err(LabError::State(format!(
                "a `cpu_quota` needs the cpu controller for groups: echo +cpu > {DIR_2}/cgroup.subtree_control"
            ))),
            (false, false) => Err(LabError::State(format!(
                "a `cpu_quota` needs control groups with the cpu controller, in {DIR_1} or {DIR_2}: this kernel shows none"
            ))),
        }
    }

    const fn dir(self) -> &'static str {
        match self {
            Self::One => DIR_1,
            Self::Two => DIR_2,
        }
    }

    fn limit(self, path: &Path, millicores: u32) -> io::Result<()> {
        let (period_us, quota_us) = period_and_quota(millicores);
        match self {
            Self::One => {
                fs::write(path.join("cpu.cfs_period_us"), period_us.to_string())?;
                fs::write(path.join(QUOTA_1), quota_us.to_string())
            }
            Self::Two => fs::write(path.join("cpu.max"), format!("{quota_us} {period_us}")),
        }
    }
}

/// The period for so many thousandths of a core, and what of it may be used; microseconds. A small part of a core
/// needs a longer period, since the kernel gives no less than [`QUOTA_US_MIN`].
fn period_and_quota(millicores: u32) -> (u64, u64) {
    let millicores = u64::from(millicores.max(1));
    let period_us = PERIOD_US.max((QUOTA_US_MIN * 1_000).div_ceil(millicores));
    (period_us, millicores * period_us / 1_000)
}

/// Removes a group that was written down; one that is not there is gone.
pub(crate) fn remove(path: &str) -> io::Result<()> {
    let path = Path::new(path);
    // The file that says so may have been changed: nothing but our own groups is ever removed.
    let is_ours = |dir: &str| path.parent() == Some(Path::new(dir));
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !name.starts_with(PREFIX) || !(is_ours(DIR_1) || is_ours(DIR_2)) {
        return Err(io::Error::other("it is no group of a lab"));
    }
    remove_path(path)
}

/// A group can be removed when its last process is gone, and those that were killed take a moment to go.
fn remove_path(path: &Path) -> io::Result<()> {
    let deadline = Instant::now() + GONE_MAX;
    loop {
        match fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}

/// The cpu controller of version 1, and the one hierarchy of version 2.
const DIR_1: &str = "/sys/fs/cgroup/cpu";
const DIR_2: &str = "/sys/fs/cgroup";
/// Where version 1 has the quota.
const QUOTA_1: &str = "cpu.cfs_quota_us";
/// Shorter periods are coarse on a kernel of 250 ticks a second (measured: 5 ms give stalls of 21 ms);
/// longer ones are longer stalls, for which sockets must have room.
const PERIOD_US: u64 = 20_000;
/// The least that the kernel takes (`min_cfs_quota_period`, Linux v6.8 `kernel/sched/core.c`).
const QUOTA_US_MIN: u64 = 1_000;
/// Longest wait for the last process of a group.
const GONE_MAX: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_part_of_a_core_has_a_longer_period() {
        let cases =
            [(2_000, 20_000, 40_000), (500, 20_000, 10_000), (50, 20_000, 1_000), (10, 100_000, 1_000)];
        for (millicores, period_us, quota_us) in cases {
            assert_eq!(period_and_quota(millicores), (period_us, quota_us));
        }
    }

    /// A directory with these files, as the kernel shows a hierarchy.
    fn shown(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
            fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn the_version_that_has_the_controller_is_taken_and_given_the_quota_in_its_own_form() {
        let handed_down =
            [("cgroup.controllers", "cpuset cpu io"), ("cgroup.subtree_control", "cpu memory\n")];
        // Version 1, alone or beside version 2 without the controller; then version 2, with a group that is called cpu.
        let one = shown(&[
            ("cpu/cgroup.procs", ""),
            ("cpu/cpu.cfs_quota_us", "-1"),
            ("cgroup.controllers", "hugetlb"),
        ]);
        let two =
            shown(&[handed_down[0], handed_down[1], ("cpu/cgroup.procs", ""), ("cpu/cpu.max", "max 100000")]);
        let find = |dir: &tempfile::TempDir| Hierarchy::find(&dir.path().join("cpu"), dir.path());
        find(&one).unwrap().limit(one.path(), 500).unwrap();
        find(&two).unwrap().limit(two.path(), 500).unwrap();
        let read = |dir: &tempfile::TempDir, name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!((read(&one, "cpu.cfs_period_us"), read(&one, QUOTA_1)), ("20000".into(), "10000".into()));
        assert_eq!(read(&two, "cpu.max"), "10000 20000");
        let kept = find(&shown(&[handed_down[0], ("cgroup.subtree_control", "")])).unwrap_err().to_string();
        assert!(kept.contains("echo +cpu > "), "{kept}");
        let none = find(&shown(&[("cgroup.controllers", "hugetlb")])).unwrap_err().to_string();
        assert!(none.contains("this kernel shows none"), "{none}");
    }

    #[test]
    fn nothing_but_our_own_groups_is_ever_removed() {
        for path in ["/sys/fs/cgroup/cpu/system.slice", "/tmp/incast-x", "/sys/fs/cgroup/cpu/../incast-x", ""]
        {
            assert!(remove(path).is_err(), "{path}");
        }
        assert!(remove("/sys/fs/cgroup/cpu/incast-there-is-none").is_ok());
    }
}
