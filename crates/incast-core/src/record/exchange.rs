//! Request and response in the record: who asked whom, what came of it, and TCP at both ends over time.

use serde::{Deserialize, Serialize};

use super::{Cpu, Faults};
use crate::load::Transport;

plain_data! {
    /// One asker and the answerers that it asks in rounds.
    ///
    /// `asked = answered + timed_out + failed + unanswered + residual`.
    pub struct Exchange {
        /// Its name.
        pub name: String,
        /// The asker.
        pub from: String,
        /// `tcp` or `udp`; null only in a default value.
        pub transport: Option<Transport>,
        /// Size of every request in bytes, head included.
        pub request_bytes: u32,
        /// Size of every response in bytes, head included.
        pub response_bytes: u32,
        /// Rounds that may be open at once; null when the asker's side is unknown.
        pub outstanding: Option<u32>,
        /// Asked for, rounds per second; null in a closed loop.
        pub intended_rounds_per_s: Option<f64>,
        /// Closed loop: time between an answer and the next request, microseconds.
        pub think_us: Option<f64>,
        /// Time that an answerer works on a request, microseconds.
        pub service_us: f64,
        /// A request without its answer after so long is given up, microseconds; null when the asker's side is unknown.
        pub timeout_us: Option<f64>,
        /// Whether every request has a connection of its own.
        pub new_connections: bool,
        /// From the start to the last end of a request.
        pub duration_s: Option<f64>,
        /// Rounds begun.
        pub rounds: Option<u64>,
        /// Rounds of which every answer came.
        pub rounds_answered: Option<u64>,
        /// Rounds answered per second.
        pub rounds_per_s: Option<f64>,
        /// Open loop: rounds that were meant to leave before the end and never did.
        pub rounds_overdue: Option<u64>,
        /// Payload of the responses that were answered, bits per second.
        pub goodput_bits_per_s: Option<f64>,
        /// Requests, whatever became of them.
        pub asked: Option<u64>,
        /// Answered in time.
        pub answered: Option<u64>,
        /// Given up after the time-out.
        pub timed_out: Option<u64>,
        /// The connection broke, or could not be had.
        pub failed: Option<u64>,
        /// Open when the account was closed.
        pub unanswered: Option<u64>,
        /// What is left of the account; anything but 0 is a fault.
        pub residual: Option<i64>,
        /// Answers, or datagrams of them, to requests that had ended.
        pub late: Option<u64>,
        /// The first round, microseconds: connections and windows are new.
        pub first_us: Option<f64>,
        /// From the moment when a request left to its answer; the first rounds left out: as many as are outstanding in a closed
        /// loop, one in an open loop.
        pub response: Option<ExchangeTimes>,
        /// The same, from the moment when it was meant to leave: what a user waits (no coordinated omission).
        pub intended: Option<ExchangeTimes>,
        /// How late requests left.
        pub departure: Option<ExchangeTimes>,
        /// Several answerers: from the departure of a round to the last of its answers.
        pub round: Option<ExchangeTimes>,
        /// Several answerers: between the first and the last answer of a round.
        pub spread: Option<ExchangeTimes>,
        /// Three answerers and more: answers that took over twice the median of their round, as a fraction of all.
        pub straggler_fraction: Option<f64>,
        /// The same: rounds that had such an answer, as a fraction of all.
        pub rounds_with_straggler_fraction: Option<f64>,
        /// Rounds one by one; when there are many, one of 2, 4, 8, ...
        pub points: Vec<ExchangePoint>,
        /// Every answerer.
        pub peers: Vec<ExchangePeer>,
        /// CPU of the asking thread.
        pub cpu: Option<Cpu>,
        /// Whether every side told its account.
        pub complete: bool,
    }

    /// A distribution of times. A quantile is of all of them, those without an answer included; it is null, as the
    /// largest is, where one of these stands.
    pub struct ExchangeTimes {
        /// How many are known.
        pub count: u64,
        /// How many more have no end, because an answer never came: longer than all that are known.
        pub without_answer: u64,
        /// Smallest, microseconds.
        pub us_min: Option<f64>,
        /// Median.
        pub us_p50: Option<f64>,
        /// 90th percentile.
        pub us_p90: Option<f64>,
        /// 99th percentile.
        pub us_p99: Option<f64>,
        /// 99.9th percentile.
        pub us_p999: Option<f64>,
        /// Largest.
        pub us_max: Option<f64>,
        /// How many fell into each range of times; ranges are a sixteenth of an octave wide.
        pub buckets: Vec<TimeBucket>,
    }

    /// A range of times and how many fell into it.
    pub struct TimeBucket {
        /// Shortest time counted here, microseconds.
        pub from_us: f64,
        /// Longest.
        pub to_us: f64,
        /// How many.
        pub count: u64,
    }

    /// One round.
    pub struct ExchangePoint {
        /// Its number, from 0.
        pub number: u32,
        /// When it left, seconds after the start.
        pub at_s: f64,
        /// How long it took, microseconds; null if an answer never came.
        pub took_us: Option<f64>,
    }

    /// One answerer, as the asker and it itself saw it.
    pub struct ExchangePeer {
        /// Its name.
        pub name: String,
        /// Requests to it.
        pub asked: Option<u64>,
        /// Answered in time.
        pub answered: Option<u64>,
        /// Given up after the time-out.
        pub timed_out: Option<u64>,
        /// The connection broke, or could not be had.
        pub failed: Option<u64>,
        /// Open when the account was closed.
        pub unanswered: Option<u64>,
        /// Several answerers: rounds in which it was the last, as a fraction.
        pub last_fraction: Option<f64>,
        /// From the moment when a request left to its answer.
        pub response: Option<ExchangeTimes>,
        /// Requests that it took from its kernel; null when it never told.
        pub requests_received: Option<u64>,
        /// Requests that found too many others waiting.
        pub requests_refused: Option<u64>,
        /// Responses that it gave to its kernel.
        pub responses_sent: Option<u64>,
        /// UDP: datagrams of responses that it gave to its kernel.
        pub datagrams_sent: Option<u64>,
        /// UDP: those that came, for the first time, for requests that were open or had ended.
        pub datagrams_received: Option<u64>,
        /// UDP: copies.
        pub datagrams_copies: Option<u64>,
        /// UDP: sent and not received.
        pub datagrams_lost: Option<i64>,
        /// TCP: segments with data that it sent for one response, those sent again included.
        pub packets_per_response: Option<f64>,
        /// TCP: segments without data that the asker sent for one response.
        pub acknowledgements_per_response: Option<f64>,
        /// TCP: segments that it sent again.
        pub retransmits: Option<u64>,
        /// Connections that it accepted from this asker.
        pub connections: Option<u64>,
        /// TCP at its end, and at the asker's.
        pub at_answerer: Option<TcpHistory>,
        /// The asker's end of the same connection.
        pub at_asker: Option<TcpHistory>,
        /// CPU of its answering threads.
        pub cpu: Option<Cpu>,
        /// What others did wrong on the way to it; of its own record.
        pub faults: Faults,
    }

    /// One end of a TCP connection over time.
    pub struct TcpHistory {
        /// Congestion control in force.
        pub congestion: Option<String>,
        /// Its states; when there are many, one of 2, 4, 8, ...
        pub samples: Vec<TcpSample>,
    }

    /// The state of one end of a TCP connection (`struct tcp_info`, Linux include/uapi/linux/tcp.h); what this kernel
    /// does not tell is null.
    pub struct TcpSample {
        /// When, seconds after the start of the asker or of the answerer.
        pub at_s: f64,
        /// `open`, `disorder`, `cwr`, `recovery` or `loss`.
        pub congestion_state: Option<String>,
        /// Congestion window, segments.
        pub congestion_window_segments: Option<u64>,
        /// Slow start ends here, segments; null while it is infinite.
        pub slow_start_threshold_segments: Option<u64>,
        /// Smoothed round trip, microseconds.
        pub round_trip_us: Option<u64>,
        /// Its mean deviation, microseconds.
        pub round_trip_variation_us: Option<u64>,
        /// Its minimum, microseconds.
        pub round_trip_min_us: Option<u64>,
        /// Time-out for sending again, microseconds.
        pub retransmit_timeout_us: Option<u64>,
        /// Segments sent again so far.
        pub retransmits: Option<u64>,
        /// Bytes sent again so far.
        pub retransmitted_bytes: Option<u64>,
        /// Segments that are taken for lost now.
        pub lost_segments: Option<u64>,
        /// Segments sent and not acknowledged now.
        pub unacknowledged_segments: Option<u64>,
        /// How far segments may be out of order before they are taken for lost.
        pub reordering_segments: Option<u64>,
        /// Times that reordering was seen.
        pub reorderings: Option<u64>,
        /// Segments that came out of order.
        pub received_out_of_order: Option<u64>,
        /// Segments that the peer had twice (D-SACK).
        pub duplicates_at_peer: Option<u64>,
        /// Delivered, bytes per second, by the kernel's last measure.
        pub delivery_rate_bytes_per_s: Option<u64>,
        /// Whether that measure was limited by the application.
        pub is_application_limited: Option<bool>,
        /// Paced to, bytes per second; null while it is not limited.
        pub pacing_rate_bytes_per_s: Option<u64>,
        /// Time with data to send, microseconds.
        pub busy_us: Option<u64>,
        /// Of that, limited by the peer's window.
        pub limited_by_receiver_us: Option<u64>,
        /// Of that, limited by the send buffer.
        pub limited_by_send_buffer_us: Option<u64>,
        /// The peer's window, bytes.
        pub send_window_bytes: Option<u64>,
        /// Our window, bytes.
        pub receive_window_bytes: Option<u64>,
        /// Segments sent, of any kind.
        pub segments_sent: Option<u64>,
        /// Segments received, of any kind.
        pub segments_received: Option<u64>,
        /// Of those sent, with data.
        pub data_segments_sent: Option<u64>,
        /// Of those received, with data.
        pub data_segments_received: Option<u64>,
        /// Bytes acknowledged by the peer.
        pub acknowledged_bytes: Option<u64>,
        /// Bytes received in order.
        pub received_bytes: Option<u64>,
        /// Bytes waiting in the send buffer that have not been sent.
        pub unsent_bytes: Option<u64>,
        /// Size of a full segment sent, bytes.
        pub segment_bytes: Option<u64>,
        /// Time-outs so far.
        pub timeouts: Option<u64>,
    }
}
