//! The machine itself: clock, cores, sleep, the hypervisor, the packet filter.

use super::number;
use crate::tune::judgement::{Finding, Judgement};
use crate::tune::knob::{Knob, KnobKind};
use crate::tune::settings::HostSettings;

pub(super) fn judge(settings: &HostSettings) -> Vec<Judgement> {
    let mut all = vec![clock(settings)];
    all.extend(governor(settings));
    all.extend([idle(settings), steal(settings), balance(settings), firewall(settings), conntrack(settings)]);
    let cores = settings.cores.map(|cores| cores.to_string());
    all.push(Judgement::new("cores", cores, "that this process may use"));
    all
}

/// Reading any clock but the processor's own leaves the processor: some 1000 ns instead of 25.
fn clock(settings: &HostSettings) -> Judgement {
    let reason =
        "a clock outside of the processor costs 1 us and more to read, and every pause is timed by it";
    let value = settings.clocksource.clone();
    let is_own = |name: &str| {
        matches!(name, "tsc" | "kvm-clock" | "arch_sys_counter" | "timebase" | "hyperv_clocksource_tsc_page")
    };
    let finding = if value.as_deref().is_some_and(is_own) { Finding::Good } else { Finding::Advice };
    let better = settings.clocksources.iter().find(|name| is_own(name));
    let judgement = Judgement::new("clocksource", value, reason).found(finding);
    match better {
        Some(better) => judgement.wanted(better).mended_by(Knob::here(KnobKind::Clocksource), better),
        None => judgement,
    }
}

/// One judgement for all cores that agree.
fn governor(settings: &HostSettings) -> Vec<Judgement> {
    let reason = "a core that saves power is slow when a burst comes";
    if settings.governors.is_empty() {
        return vec![Judgement::new("governor", None, reason)];
    }
    let slow: Vec<(&u32, &String)> =
        settings.governors.iter().filter(|(_, name)| name.as_str() != "performance").collect();
    if slow.is_empty() {
        return vec![Judgement::new("governor", Some("performance".into()), reason).found(Finding::Good)];
    }
    let one = |(core, name): (&u32, &String)| {
        Judgement::new(format!("governor of core {core}"), Some(name.clone()), reason)
            .found(Finding::Advice)
            .wanted("performance")
            .mended_by(Knob::here(KnobKind::Governor { core: *core }), "performance")
    };
    slow.into_iter().take(CORES_MAX).map(one).collect()
}

/// A core that sleeps deeply wakes up late.
fn idle(settings: &HostSettings) -> Judgement {
    let reason = "a core that sleeps deeply takes so long to wake up, and rings fill in the meantime";
    let Some(states) = &settings.idle_states else {
        return Judgement::new(
            "deepest sleep",
            None,
            "this kernel manages no sleep of the cores (a guest's host does)",
        );
    };
    let deepest = states.iter().max_by_key(|state| state.exit_us);
    let value =
        deepest.map_or_else(|| "none".to_owned(), |state| format!("{} ({} us)", state.name, state.exit_us));
    let late = deepest.is_some_and(|state| state.exit_us > EXIT_US_MAX);
    Judgement::new("deepest sleep", Some(value), reason)
        .found(if late { Finding::Advice } else { Finding::Good })
        .wanted(format!("at most {EXIT_US_MAX} us"))
        .by_hand(format!("cpupower idle-set -D {EXIT_US_MAX}"))
}

fn steal(settings: &HostSettings) -> Judgement {
    let value = settings.steal_fraction;
    let finding = if value.is_some_and(|steal| steal > STEAL_MAX) { Finding::Advice } else { Finding::Good };
    let shown = value.map(|steal| format!("{:.1} %", steal * 100.0));
    Judgement::new("steal", shown, "time since boot that the hypervisor took from this machine's cores")
        .found(finding)
        .wanted("at most 1 %")
        .by_hand("give this virtual machine cores of its own")
}

fn balance(settings: &HostSettings) -> Judgement {
    let value = settings.irqbalance.map(|runs| if runs { "runs" } else { "does not run" }.to_owned());
    let finding = if settings.irqbalance == Some(true) { Finding::Advice } else { Finding::Good };
    Judgement::new("irqbalance", value, "it moves interrupts while a run is on: pin them instead")
        .found(finding)
        .by_hand("systemctl stop irqbalance")
}

fn firewall(settings: &HostSettings) -> Judgement {
    let tables = settings.firewall_tables.as_ref();
    let value = tables.map(|tables| if tables.is_empty() { "none".to_owned() } else { tables.join(" ") });
    Judgement::new(
        "packet filter",
        value,
        "tables that every packet passes (iptables; nftables tells nobody in a file)",
    )
}

/// The table of connections: what does not fit is dropped.
fn conntrack(settings: &HostSettings) -> Judgement {
    let (count, most) = (
        number(settings, "net.netfilter.nf_conntrack_count"),
        number(settings, "net.netfilter.nf_conntrack_max"),
    );
    let Some((count, most)) = count.zip(most) else {
        return Judgement::new("connection tracking", None, "not loaded, or not told");
    };
    let is_full = count.saturating_mul(10) > most.saturating_mul(9);
    let value = format!("{count} of {most}");
    Judgement::new(
        "connection tracking",
        Some(value),
        "a packet of a connection that does not fit is dropped",
    )
    .found(if is_full { Finding::Wrong } else { Finding::Good })
    .wanted("below 90 %")
    .mended_by(
        super::sysctl("net.netfilter.nf_conntrack_max"),
        most.saturating_mul(2).min(super::SET_MAX).to_string(),
    )
}

/// Longest time to wake up that no ring minds.
const EXIT_US_MAX: u64 = 10;
/// As in the doubt that the host was busy (`incast-host`).
const STEAL_MAX: f64 = 0.01;
/// Most cores that are named one by one.
const CORES_MAX: usize = 64;
