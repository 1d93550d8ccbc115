//! Names of the files of a sink: `<stream>-<sink>-<number>.mdf`, its index beside it as `.idx`.

use std::path::{Path, PathBuf};

use incast_core::readout::SinkId;

/// Which file of a sink.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName {
    /// The stream.
    pub stream: String,
    /// The sink.
    pub sink: SinkId,
    /// From 1 on, for each stream.
    pub number: u32,
}

impl FileName {
    /// Reads the name of a file of records; `None` if it is none of ours.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".mdf")?.rsplitn(3, '-');
        let number = parts.next()?.parse().ok()?;
        let sink = SinkId(parts.next()?.parse().ok()?);
        let found = Self { stream: parts.next()?.to_owned(), sink, number };
        // Numbers can be written in several ways, of which only one is ours.
        (found.to_string() == name && crate::plan::is_stream_name(&found.stream)).then_some(found)
    }

    /// Where the records are.
    #[must_use]
    pub fn data(&self, dir: &Path) -> PathBuf {
        dir.join(self.to_string())
    }

    /// Where the index is.
    #[must_use]
    pub fn index(&self, dir: &Path) -> PathBuf {
        index_path(&self.data(dir))
    }
}

/// Where the index of a file of records is.
#[must_use]
pub fn index_path(data: &Path) -> PathBuf {
    data.with_extension("idx")
}

impl std::fmt::Display for FileName {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}-{}-{:06}.mdf", self.stream, self.sink.0, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_others_are_not_ours() {
        let name = FileName { stream: "physics".into(), sink: SinkId(3), number: 12 };
        assert_eq!(name.to_string(), "physics-3-000012.mdf");
        assert_eq!(FileName::parse("physics-3-000012.mdf"), Some(name.clone()));
        assert_eq!(name.index(Path::new("d")), Path::new("d/physics-3-000012.idx"));
        for other in ["physics-3-12.mdf", "physics-3-000012.idx", "-3-000012.mdf", "3-000012.mdf", "a.mdf"] {
            assert_eq!(FileName::parse(other), None, "{other}");
        }
    }
}
