//! Socket buffers, reassembly, and TCP.

use super::{AtLeast, most_of_three, mtu, number, rate, rounded, sysctl, without_rate};
use crate::tune::asked::Asked;
use crate::tune::judgement::{Finding, Judgement};
use crate::tune::settings::HostSettings;

pub(super) fn judge(settings: &HostSettings, asked: &Asked) -> Vec<Judgement> {
    let mut all = buffers(settings, asked);
    all.extend(windows(settings, asked));
    all.extend(fragments(settings, asked));
    let stated = [
        ("net.ipv4.tcp_congestion_control", "what TCP connections get that ask for none"),
        (
            "net.core.default_qdisc",
            "what interfaces get that come from now on; BBR paces by itself without fq",
        ),
        ("net.core.busy_poll", "microseconds for which poll() spins on the device; 0: none"),
        ("net.core.busy_read", "microseconds for which a read spins on the device; 0: none"),
    ];
    all.extend(
        stated.map(|(name, reason)| Judgement::new(name, settings.sysctls.get(name).cloned(), reason)),
    );
    all
}

/// What a program may ask for: SO_RCVBUF and SO_SNDBUF (socket(7)). The kernel doubles the figure for its own
/// book-keeping, so that the bytes of the formula are what it means.
fn buffers(settings: &HostSettings, asked: &Asked) -> Vec<Judgement> {
    let needs = [
        ("net.core.rmem_max", asked.gap, "no reader"),
        ("net.core.wmem_max", asked.round_trip, "a round trip"),
    ];
    let mut all = Vec::new();
    for (name, span, what) in needs {
        let needed = asked.bytes_in(span);
        let formula = match needed {
            Some(needed) => {
                format!("buffer >= rate x time: {} for {span} ({what}) are {needed} B", rate(asked))
            }
            None => {
                without_rate("buffer >= rate x time that nobody reads (receiving), or a round trip (sending)")
            }
        };
        let judgement = AtLeast {
            setting: name.into(),
            value: number(settings, name),
            needed,
            formula,
            weight: Finding::Wrong,
        };
        let value = rounded(needed.unwrap_or_default()).to_string();
        all.push(judgement.judge().mended_by(sysctl(name), value));
    }
    for name in ["net.core.rmem_default", "net.core.wmem_default"] {
        let reason = "what sockets get that ask for nothing; programs that count should ask";
        all.push(Judgement::new(name, settings.sysctls.get(name).cloned(), reason));
    }
    all
}

/// TCP's windows: twice the bytes under way, since half of a buffer is book-keeping (`tcp_adv_win_scale`, tcp(7)).
fn windows(settings: &HostSettings, asked: &Asked) -> Vec<Judgement> {
    let needed = asked.bytes_in(asked.round_trip).map(|bytes| bytes.saturating_mul(2));
    let one = |name: &str| {
        let formula = match needed {
            Some(needed) => format!(
                "most >= 2 x rate x round trip: 2 x {} x {} are {needed} B",
                rate(asked),
                asked.round_trip
            ),
            None => without_rate("most >= 2 x rate x round trip (--round-trip)"),
        };
        let value = most_of_three(settings, name);
        let setting = format!("{name} (most)");
        let judgement = AtLeast { setting, value, needed, formula, weight: Finding::Wrong }.judge();
        let mut words: Vec<String> = settings
            .sysctls
            .get(name)
            .map(|text| text.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default();
        if let Some(most) = words.get_mut(2) {
            *most = rounded(needed.unwrap_or_default()).to_string();
        }
        judgement.mended_by(sysctl(name), words.join(" "))
    };
    ["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"].map(one).into()
}

/// Pieces of messages that wait for the others: after a loss they wait for `ipfrag_time` (30 s), fill
/// `ipfrag_high_thresh`, and then nothing is put together any more.
fn fragments(settings: &HostSettings, asked: &Asked) -> Vec<Judgement> {
    let name = "net.ipv4.ipfrag_high_thresh";
    let is_cut = asked.message_bytes.saturating_add(28) > mtu(settings);
    let time = Judgement::new(
        "net.ipv4.ipfrag_time",
        settings.sysctls.get("net.ipv4.ipfrag_time").cloned(),
        "seconds for which pieces of a message wait for one that was lost",
    );
    if !is_cut {
        let reason = format!("not used: messages of {} B travel in one packet", asked.message_bytes);
        return vec![Judgement::new(name, settings.sysctls.get(name).cloned(), reason), time];
    }
    let needed = asked.bytes_in(asked.gap);
    let formula = match needed {
        Some(needed) => format!("memory >= rate x gap: {} for {} are {needed} B", rate(asked), asked.gap),
        None => without_rate("memory >= rate x gap"),
    };
    let weight = Finding::Wrong;
    let memory =
        AtLeast { setting: name.into(), value: number(settings, name), needed, formula, weight }.judge();
    let slow = number(settings, "net.ipv4.ipfrag_time") > Some(1);
    vec![
        memory.mended_by(sysctl(name), rounded(needed.unwrap_or_default()).to_string()),
        time.found(if slow { Finding::Advice } else { Finding::Good })
            .wanted("1")
            .mended_by(sysctl("net.ipv4.ipfrag_time"), "1"),
    ]
}
