//! `incast reflect`: answer the tests of STAMP senders until told to end.

use std::process::ExitCode;

use anyhow::Context as _;
use incast_core::time::Span;
use incast_net::stamp::{ReflectPlan, Reflecting};

use crate::cli::ReflectArgs;
use crate::endpoint::{key, resolve};
use crate::output::note;
use crate::signals::Stops;

/// Reflects, and says at the end what it did.
pub(crate) fn reflect(args: &ReflectArgs) -> anyhow::Result<ExitCode> {
    let stops = Stops::listen()?;
    let plan = ReflectPlan {
        bind: resolve(&args.bind, args.port)?,
        key: key(args.key_file.as_deref())?,
        open: args.open,
        stateful: !args.stateless,
        synchronised_ns: args.synchronised.map(Span::as_ns),
        rate_max: args.rate_max,
    };
    let mut reflecting = Reflecting::open(plan).map_err(|error| {
        let denied = error.cause.kind() == std::io::ErrorKind::PermissionDenied;
        let advice =
            if denied { "; ports below 1024 are root's: choose another with --port 8620" } else { "" };
        anyhow::anyhow!("{error}{advice}")
    })?;
    let kind = if args.key_file.is_some() { "authenticated" } else { "open" };
    let whom = match (args.open, args.key_file.is_some()) {
        (_, true) => "whoever has the key",
        (true, false) => "everybody",
        (false, false) => "this host alone (--key-file or --open for others)",
    };
    note(&format!("reflecting on {} (STAMP, {kind}), for {whom}; Ctrl-C ends it", reflecting.address()));
    while stops.count() == 0 {
        reflecting.turn().with_context(|| format!("reflect on {}", reflecting.address()))?;
    }
    show(&reflecting, args.json)?;
    Ok(ExitCode::SUCCESS)
}

fn show(reflecting: &Reflecting, json: bool) -> anyhow::Result<()> {
    let counts = reflecting.counts();
    let named = [
        ("received", counts.received),
        ("answered", counts.answered),
        ("sessions", counts.sessions),
        ("expired", counts.expired),
        ("of_reflectors", counts.of_reflectors),
        ("too_short", counts.too_short),
        ("not_authentic", counts.not_authentic),
        ("over_rate", counts.over_rate),
        ("no_room", counts.no_room),
        ("strangers", reflecting.strangers()),
        ("unsent", reflecting.unsent()),
        ("unknown_extensions", counts.unknown_extensions),
        ("bad_extensions", counts.bad_extensions),
    ];
    if json {
        let object: serde_json::Map<String, serde_json::Value> =
            named.iter().map(|(name, count)| ((*name).to_owned(), (*count).into())).collect();
        anstream::println!("{}", serde_json::to_string(&object)?);
        return Ok(());
    }
    // What did not happen needs no line, but for the first three.
    for (name, count) in
        named.iter().enumerate().filter(|(index, (_, count))| *index < 3 || *count > 0).map(|(_, it)| it)
    {
        anstream::println!("{:<20} {count}", name.replace('_', " "));
    }
    Ok(())
}
