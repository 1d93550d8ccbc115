// The two networks of `bench sim` in ns-3: UDP over IPv4, point-to-point links, a router for a switch.
//
// What it does as well as it can: no queue discs (the faster of its two ways), packets without contents, no logging,
// an optimized build of the libraries. One trace per interface counts packet-hops.
//
//     ns3 incast | all-to-all   MILLISECONDS   ->   {"hops": N, "seconds": S}

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"
#include "ns3/traffic-control-helper.h"

using namespace ns3;

namespace {

uint64_t hops = 0;

void Count(Ptr<const Packet>) { ++hops; }

// Sends a datagram every `period`, from a phase of its own on.
class Source : public Application {
  public:
    Source(Ipv4Address to, uint16_t port, Time period, Time phase)
        : m_to(to, port), m_period(period), m_phase(phase) {}

  private:
    void StartApplication() override {
        m_socket = Socket::CreateSocket(GetNode(), UdpSocketFactory::GetTypeId());
        m_socket->Connect(m_to);
        Simulator::Schedule(m_phase, &Source::Send, this);
    }

    void Send() {
        m_socket->Send(Create<Packet>(kPayload));
        Simulator::Schedule(m_period, &Source::Send, this);
    }

    // On the wire 1500 B: with headers of UDP 8, IP 20 and PPP 2.
    static constexpr uint32_t kPayload = 1470;
    InetSocketAddress m_to;
    Time m_period;
    Time m_phase;
    Ptr<Socket> m_socket;
};

void Ignore(Ptr<Socket> socket) {
    while (socket->Recv()) {
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        return 2;
    }
    const bool is_incast = std::strcmp(argv[1], "incast") == 0;
    const uint32_t senders = is_incast ? 32 : 16;
    const uint32_t receivers = is_incast ? 1 : 16;
    Time::SetResolution(Time::PS);
    // 1500 B at 10 Gb/s are 1.2 us; at load 0.9, 16 flows share it.
    const Time period = is_incast ? PicoSeconds(1200000) : PicoSeconds(1200000ull * 16 * 10 / 9);

    NodeContainer hosts;
    hosts.Create(senders + receivers);
    Ptr<Node> router = CreateObject<Node>();
    InternetStackHelper stack;
    stack.Install(hosts);
    stack.Install(router);
    PointToPointHelper link;
    link.SetDeviceAttribute("DataRate", StringValue("10Gbps"));
    link.SetChannelAttribute("Delay", StringValue("1us"));
    link.SetQueue("ns3::DropTailQueue<Packet>", "MaxSize", StringValue("100p"));
    Ipv4AddressHelper addresses;
    addresses.SetBase("10.0.0.0", "255.255.255.252");
    TrafficControlHelper control;
    std::vector<Ipv4Address> address(hosts.GetN());
    for (uint32_t i = 0; i < hosts.GetN(); ++i) {
        NetDeviceContainer devices = link.Install(hosts.Get(i), router);
        address[i] = addresses.Assign(devices).GetAddress(0);
        addresses.NewNetwork();
        control.Uninstall(devices);
        for (uint32_t d = 0; d < 2; ++d) {
            devices.Get(d)->TraceConnectWithoutContext("PhyTxEnd", MakeCallback(&Count));
        }
    }
    Ipv4GlobalRoutingHelper::PopulateRoutingTables();

    const uint16_t port = 6000;
    for (uint32_t i = 0; i < receivers; ++i) {
        Ptr<Socket> sink = Socket::CreateSocket(hosts.Get(senders + i), UdpSocketFactory::GetTypeId());
        sink->Bind(InetSocketAddress(Ipv4Address::GetAny(), port));
        sink->SetRecvCallback(MakeCallback(&Ignore));
    }
    Ptr<UniformRandomVariable> phase = CreateObject<UniformRandomVariable>();
    for (uint32_t i = 0; i < senders; ++i) {
        for (uint32_t k = 0; k < receivers; ++k) {
            const Time begin = PicoSeconds(static_cast<int64_t>(phase->GetValue(0, period.GetPicoSeconds())));
            Ptr<Source> source = Create<Source>(address[senders + k], port, period, begin);
            hosts.Get(i)->AddApplication(source);
        }
    }
    Simulator::Stop(MilliSeconds(std::strtoul(argv[2], nullptr, 10)));
    // CPU time: other work on the machine counts less.
    const std::clock_t begin = std::clock();
    Simulator::Run();
    const double took = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    std::printf("{\"hops\": %llu, \"seconds\": %.6f}\n", static_cast<unsigned long long>(hops), took);
    Simulator::Destroy();
    return 0;
}
