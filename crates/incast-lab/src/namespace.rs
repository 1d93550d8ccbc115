//! Network namespaces with names, as `ip netns` knows them: a file in `/run/netns` each.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::LabError;
use crate::netlink::Netlink;
use crate::sys;

/// Where `ip netns` keeps its names.
const DIR: &str = "/run/netns";

/// A namespace; it is taken away when this is dropped, if this made it.
pub struct Namespace {
    name: String,
    file: File,
    pub(crate) netlink: Netlink,
    ours: bool,
}

impl Namespace {
    /// Makes a namespace.
    ///
    /// # Errors
    /// Without root, or when there is one of that name.
    pub fn create(name: &str) -> Result<Self, LabError> {
        let path = path(name);
        prepare_dir().map_err(|error| LabError::kernel(format!("prepare {DIR}"), error))?;
        match File::create_new(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(LabError::State(format!(
                    "there is a network namespace {name} already; `incast lab clean` removes what earlier labs left, \
                     `ip netns delete {name}` removes this one"
                )));
            }
            Err(error) => return Err(LabError::kernel(format!("create {}", path.display()), error)),
        }
        // What is made here exists as long as the file is mounted on it.
        let made = in_thread(|| {
            sys::namespace::unshare_network()?;
            rustix::mount::mount_bind("/proc/thread-self/ns/net", &path)?;
            Netlink::open()
        });
        let opened = made.and_then(|netlink| Ok((File::open(&path)?, netlink)));
        match opened {
            Ok((file, netlink)) => Ok(Self { name: name.to_owned(), file, netlink, ours: true }),
            Err(error) => {
                let _ = remove(name);
                let denied = error.kind() == io::ErrorKind::PermissionDenied;
                Err(if denied {
                    LabError::NotRoot
                } else {
                    LabError::kernel("make a network namespace", error)
                })
            }
        }
    }

    /// Opens a namespace that somebody else made.
    ///
    /// # Errors
    /// When there is none of that name, or without root.
    pub fn open(name: &str) -> Result<Self, LabError> {
        let path = path(name);
        let failed = |error| LabError::kernel(format!("enter the network namespace {name}"), error);
        let file = File::open(&path).map_err(failed)?;
        let netlink = in_thread(|| {
            enter(&file)?;
            Netlink::open()
        })
        .map_err(failed)?;
        Ok(Self { name: name.to_owned(), file, netlink, ours: false })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number, by which the kernel calls it (`/proc/self/ns/net`).
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn number(&self) -> io::Result<u64> {
        use std::os::unix::fs::MetadataExt as _;
        Ok(self.file.metadata()?.ino())
    }

    /// Does `work` in a thread inside the namespace.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        in_thread(|| {
            enter(&self.file)?;
            Ok(work())
        })
    }

    pub(crate) fn raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.ours {
            let _ = remove(&self.name);
        }
    }
}

/// Moves the calling thread into the namespace of that path; later threads of it are there too.
///
/// # Errors
/// When it is not there, is no namespace, or without root.
pub fn enter_path(path: &Path) -> io::Result<()> {
    enter(&File::open(path)?)
}

/// Does `work` in a thread inside the namespace of that name, where `/sys` shows its interfaces.
///
/// # Errors
/// When it is not there (`NotFound`), without root, or what `work` says.
pub fn within<T: Send>(name: &str, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let file = File::open(path(name))?;
    in_thread(|| {
        enter(&file)?;
        // The thread's own view, which ends with it: nobody else sees what is mounted here.
        sys::namespace::unshare_mounts()?;
        rustix::mount::mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
        rustix::mount::mount("incast", "/sys", "sysfs", MountFlags::empty(), None)?;
        work()
    })
}

/// The file of a namespace.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

/// Takes a name away; the namespace is gone when no process is in it any more.
///
/// # Errors
/// When it cannot be unmounted.
pub fn remove(name: &str) -> io::Result<()> {
    let path = path(name);
    match rustix::mount::unmount(&path, UnmountFlags::DETACH) {
        // Not mounted yet, or no more.
        Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Names of all namespaces that have one.
#[must_use]
pub fn names() -> Vec<String> {
    let entries = std::fs::read_dir(DIR).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn enter(file: &File) -> io::Result<()> {
    Ok(move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?)
}

/// A thread changes its namespace for good, so this one is for `work` alone.
fn in_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("namespace".into()).spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread in the namespace panicked")))
    })
}

/// Mounts made in the directory must show in every mount namespace (as `ip netns add` has it).
fn prepare_dir() -> io::Result<()> {
    std::fs::create_dir_all(DIR)?;
    let share =
        || rustix::mount::mount_change(DIR, MountPropagationFlags::SHARED | MountPropagationFlags::REC);
    if share().is_ok() {
        return Ok(());
    }
    rustix::mount::mount_bind_recursive(DIR, DIR)?;
    let _ = MountFlags::empty();
    Ok(share()?)
}
