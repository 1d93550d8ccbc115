//! `[[exchange]]` tables: what they mean, and what is refused, with its place.

use incast_core::load::Transport;
use incast_core::scenario::Scenario;
use incast_core::time::Span;

const HEAD: &str = "incast = 1\nname = \"e\"\nseed = 3\nduration = \"4s\"\n\
    host = [{name = \"x\"}, {name = \"y\"}, {name = \"s\", count = 3}]\n";

fn parse(exchange: &str) -> Result<Scenario, String> {
    let text = format!("{HEAD}[[exchange]]\nname = \"e\"\n{exchange}\n");
    Scenario::parse(&text).map_err(|errors| errors.to_string())
}

#[test]
fn each_asker_asks_every_answerer() {
    let scenario = parse("from = [\"x\", \"y\"]\nto = \"s\"\nresponse = \"2MB\"\nthink = \"1s\"").unwrap();
    let names: Vec<&str> = scenario.exchanges.iter().map(|exchange| exchange.name.as_str()).collect();
    assert_eq!(names, ["e/x", "e/y"]);
    let one = &scenario.exchanges[0];
    assert_eq!(one.to, ["s-1", "s-2", "s-3"]);
    assert_eq!((one.terms.request_bytes, one.terms.response_bytes), (64, 2_000_000));
    assert_eq!((one.asker.peers, one.asker.think), (3, Span::from_s(1)));
    assert_eq!((one.asker.stop.after, one.terms.transport), (Some(Span::from_s(4)), Transport::Tcp));
    assert_ne!(one.asker.seed, scenario.exchanges[1].asker.seed);
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place_and_what_would() {
    let all = "from = [\"x\", \"y\"]\nto = \"s\"\n";
    for (exchange, says) in [
        ("to = \"s\"", "`from` is missing"),
        ("from = \"x\"\nto = \"x\"", "`x` would ask itself"),
        ("from = \"x\"\nto = [\"s\", \"s-2\"]", "host `s-2` is in `to` twice"),
        ("from = \"x\"\nto = \"nobody\"", "unknown host"),
        (&format!("{all}response = \"65MiB\""), "allowed: 16B to 64MiB"),
        (&format!("{all}transport = \"udp\"\nresponse = \"17MiB\""), "16 to 16777216 B"),
        (&format!("{all}transport = \"udp\"\ncongestion = \"bbr\""), "`congestion` is for transport tcp"),
        (&format!("{all}datagram = \"1kB\""), "`datagram` is for transport udp"),
        (&format!("{all}spacing = \"poisson\""), "`spacing` means nothing without a load"),
        (&format!("{all}load = \"1kHz\"\nthink = \"1s\""), "`think` is for a closed loop"),
        (&format!("{all}outstanding = 1025"), "allowed: 1 to 1024"),
        (&format!("{all}transport = \"sctp\""), "unknown transport"),
        (&format!("{all}respones = \"1MB\""), "respones"),
        (&format!("{all}[[exchange]]\nname = \"e\"\n{all}"), "there is already an exchange"),
    ] {
        let error = parse(exchange).map(|_| ()).unwrap_err();
        assert!(error.contains(says), "{exchange}\n{error}");
        assert!(error.starts_with("scenario:"), "it has a place: {error}");
    }
}

#[test]
fn exchanges_stand_beside_flows_and_not_beside_a_readout() {
    let flow =
        "from = \"x\"\nto = \"s\"\n[[flow]]\nname = \"f\"\nfrom = \"y\"\nto = \"x\"\ntransport = \"tcp\"";
    let scenario = parse(flow).unwrap();
    assert_eq!((scenario.flows.len(), scenario.exchanges.len()), (1, 1));
    assert!(
        scenario.not_simulable().iter().any(|why| why.contains("exchange e")),
        "and the simulator has none"
    );
    let idle = parse("from = \"x\"\nto = \"s\"").map(|_| ()).unwrap_err();
    assert!(idle.contains("host `y` takes part in no flow"), "{idle}");
    let nothing = Scenario::parse(HEAD).map(|_| ()).unwrap_err().to_string();
    assert!(nothing.contains("no [[exchange]]"), "{nothing}");
}
