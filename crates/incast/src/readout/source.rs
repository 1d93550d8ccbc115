//! What a source sends: banks that are made, or those of a file that are dealt out.

use std::path::Path;

use anyhow::Context as _;
use incast_core::mdf::{self, deal, generated_banks};
use incast_core::readout::Fragment;
use incast_core::readout::role::{SourceRole, SourceRolePlan, Wanted};
use incast_core::record::NamedCount;
use incast_core::time::Time;
use incast_core::wire::content::Content;
use incast_core::wire::packed;
use incast_net::readout::Data;

use super::process::Work;

/// The data of a source.
pub(super) struct Supply {
    plan: SourceRolePlan,
    /// What this source has of each event of the file.
    replayed: Option<Vec<Vec<u8>>>,
    made_bytes: u64,
    /// Fragments that were too large for their frame, and are sent empty.
    too_large: u64,
}

impl Supply {
    /// Reads the file that is replayed, if one is.
    pub(super) fn open(plan: &SourceRolePlan, replay: Option<&Path>) -> anyhow::Result<Self> {
        let replayed = replay.map(|file| deal_out(plan, file)).transpose()?;
        Ok(Self { plan: plan.clone(), replayed, made_bytes: 0, too_large: 0 })
    }

    fn payload(&mut self, wanted: &Wanted) -> Data {
        let mut payload = Vec::new();
        let mut piece = Vec::new();
        for (index, bytes) in (0..wanted.events).zip(wanted.sizes.iter()) {
            let event = wanted.first.after(index.into());
            let out = if wanted.events == 1 { &mut payload } else { &mut piece };
            out.clear();
            match &self.replayed {
                Some(events) => {
                    // A file with fewer events than the run is sent again from its beginning.
                    let place = event.0.checked_rem(events.len() as u64).unwrap_or(0);
                    let banks = usize::try_from(place).ok().and_then(|place| events.get(place));
                    out.extend_from_slice(banks.map_or(&[], |banks| banks));
                }
                None => {
                    let bytes = bytes as usize;
                    let content = Content::new(wanted.run.0, self.plan.source.0, event.0);
                    generated_banks(content, self.plan.source, wanted.level, bytes, out);
                }
            }
            if wanted.events > 1 && packed::push(&piece, &mut payload).is_err() {
                self.too_large += 1;
            }
        }
        self.made_bytes += payload.len() as u64;
        payload.into()
    }
}

impl Work<SourceRole<Data>> for Supply {
    const WAITS_WHEN_FULL: bool = true;

    fn attend(&mut self, now: Time, role: &mut SourceRole<Data>) -> anyhow::Result<()> {
        while let Some(wanted) = role.poll_wanted(now) {
            let payload = self.payload(&wanted);
            let Wanted { level, run, first, events, destination, .. } = wanted;
            let fragment = Fragment { run, event: first, events, source: self.plan.source, payload };
            role.handle_supplied(now, level, fragment, destination);
        }
        Ok(())
    }

    fn counts(&self) -> (Vec<NamedCount>, Vec<NamedCount>) {
        let one = |name: &str, count| NamedCount { name: name.into(), count };
        let faults = [one("fragments too large for a packet", self.too_large)];
        (
            vec![one("payload_bytes", self.made_bytes)],
            faults.into_iter().filter(|fault| fault.count > 0).collect(),
        )
    }
}

/// What one source has of each event of an MDF file.
fn deal_out(plan: &SourceRolePlan, file: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let bytes =
        std::fs::read(file).with_context(|| format!("read the file to replay, {}", file.display()))?;
    let sources = plan.run.sources.len();
    let place = plan.run.sources.iter().position(|source| *source == plan.source);
    let place = place.context("find this source among those of the run")?;
    let mut fragments = vec![Vec::new(); sources];
    let mut events = Vec::new();
    for (offset, record) in mdf::Reader::new(&bytes).records() {
        deal(&record, &mut fragments)
            .with_context(|| format!("deal out the event at byte {offset} of {}", file.display()))?;
        events.push(fragments[place].clone());
    }
    anyhow::ensure!(!events.is_empty(), "{} holds no event: is it an MDF file?", file.display());
    Ok(events)
}
