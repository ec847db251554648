//! Every metric by its name. Made of `metrics.toml` by the test beside it (`UPDATE_METRICS=1`); do not edit.

use super::table::{Kind, Metric};

pub(super) const BUILD: Metric =
    Metric { name: "build", kind: Kind::Info, unit: "", help: "What runs: the value is always 1" };
pub(super) const START_TIME_SECONDS: Metric = Metric {
    name: "start_time_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    help: "When the daemon started, since 1970",
};
pub(super) const HALTED: Metric =
    Metric { name: "halted", kind: Kind::Gauge, unit: "", help: "1 while the firm is halted" };
pub(super) const ORDERS_CAN_PASS: Metric = Metric {
    name: "orders_can_pass",
    kind: Kind::Gauge,
    unit: "",
    help: "1 while there is an instrument in which an order can pass",
};
pub(super) const LATCH_DAMAGED: Metric = Metric {
    name: "latch_damaged",
    kind: Kind::Gauge,
    unit: "",
    help: "1 while state on disk was found damaged at the start and nobody has resumed",
};
pub(super) const STATE_UNWRITTEN: Metric = Metric {
    name: "state_unwritten",
    kind: Kind::Gauge,
    unit: "",
    help: "Alarms of status: state that is in force and not on disk, and other trouble with the disk",
};
pub(super) const BREAKERS_TRIPPED: Metric =
    Metric { name: "breakers_tripped", kind: Kind::Gauge, unit: "", help: "Breakers that are tripped" };
pub(super) const INSTRUMENTS: Metric = Metric {
    name: "instruments",
    kind: Kind::Gauge,
    unit: "",
    help: "Instruments by the tier of their limits",
};
pub(super) const BOOKS: Metric =
    Metric { name: "books", kind: Kind::Gauge, unit: "", help: "Books by state" };
pub(super) const FEED_STATE: Metric = Metric {
    name: "feed_state",
    kind: Kind::Gauge,
    unit: "",
    help: "1 for the state that the feed is in: live, silent, recovering, stale, late or ended",
};
pub(super) const FEED_MESSAGES: Metric =
    Metric { name: "feed_messages", kind: Kind::Counter, unit: "", help: "Messages received" };
pub(super) const FEED_GAPS: Metric =
    Metric { name: "feed_gaps", kind: Kind::Counter, unit: "", help: "Gaps in the sequence" };
pub(super) const FEED_MISSING_MESSAGES: Metric =
    Metric { name: "feed_missing_messages", kind: Kind::Counter, unit: "", help: "Messages lost in gaps" };
pub(super) const FEED_LATE_MESSAGES: Metric = Metric {
    name: "feed_late_messages",
    kind: Kind::Counter,
    unit: "",
    help: "Messages that came after they were given up",
};
pub(super) const FEED_DAMAGED: Metric =
    Metric { name: "feed_damaged", kind: Kind::Counter, unit: "", help: "Damaged packets and messages" };
pub(super) const FEED_UNBELIEVED_PACKETS: Metric = Metric {
    name: "feed_unbelieved_packets",
    kind: Kind::Counter,
    unit: "",
    help: "Packets and messages that were not believed or had no room: the sum of feed_dropped",
};
pub(super) const FEED_DROPPED: Metric = Metric {
    name: "feed_dropped",
    kind: Kind::Counter,
    unit: "",
    help: "The same by cause; causes that did not occur have no sample",
};
pub(super) const FEED_RESTARTS: Metric = Metric {
    name: "feed_restarts",
    kind: Kind::Counter,
    unit: "",
    help: "Times a sequence began again within its session",
};
pub(super) const FEED_ENDS: Metric = Metric {
    name: "feed_ends",
    kind: Kind::Counter,
    unit: "",
    help: "Times the session of a channel was believed to be over",
};
pub(super) const FEED_ENDS_TAKEN_BACK: Metric = Metric {
    name: "feed_ends_taken_back",
    kind: Kind::Counter,
    unit: "",
    help: "Times the session of a channel went on after it was believed to be over",
};
pub(super) const FEED_REDEFINED_LOCATES: Metric = Metric {
    name: "feed_redefined_locates",
    kind: Kind::Counter,
    unit: "",
    help: "Locate numbers given to another stock within a session",
};
pub(super) const FEED_OUTLYING_TIMES: Metric = Metric {
    name: "feed_outlying_times",
    kind: Kind::Counter,
    unit: "",
    help: "Times too far from those around them to be followed",
};
pub(super) const FEED_LAG_SECONDS: Metric = Metric {
    name: "feed_lag_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    help: "How far the last packet of the channel that lags most was behind the nearest that venue time and arrival came",
};
pub(super) const FEED_LOST_EVENTS: Metric = Metric {
    name: "feed_lost_events",
    kind: Kind::Counter,
    unit: "",
    help: "Events that found the ring to the books full",
};
pub(super) const FEED_LOST_DEFINITIONS: Metric = Metric {
    name: "feed_lost_definitions",
    kind: Kind::Counter,
    unit: "",
    help: "Of the events that found the ring to the books full, those that named an instrument",
};
pub(super) const FEED_HEARTBEATS: Metric = Metric {
    name: "feed_heartbeats",
    kind: Kind::Counter,
    unit: "",
    help: "Heartbeats that said nothing new",
};
pub(super) const FEED_INSTRUMENTS_BEYOND: Metric = Metric {
    name: "feed_instruments_beyond",
    kind: Kind::Counter,
    unit: "",
    help: "Instruments for which the tables had no room",
};
pub(super) const FEED_RECOVERED_MESSAGES: Metric = Metric {
    name: "feed_recovered_messages",
    kind: Kind::Counter,
    unit: "",
    help: "Messages that no line brought and a server did",
};
pub(super) const FEED_UNANSWERED_REQUESTS: Metric = Metric {
    name: "feed_unanswered_requests",
    kind: Kind::Counter,
    unit: "",
    help: "Requests to servers that no answer came to in time",
};
pub(super) const FEED_UNRECOVERED_GAPS: Metric = Metric {
    name: "feed_unrecovered_gaps",
    kind: Kind::Counter,
    unit: "",
    help: "Gaps that servers could not fill",
};
pub(super) const FEED_LAST_MESSAGE_TIMESTAMP_SECONDS: Metric = Metric {
    name: "feed_last_message_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    help: "When the newest message came, since 1970; 0 for never",
};
pub(super) const LINE_PACKETS: Metric =
    Metric { name: "line_packets", kind: Kind::Counter, unit: "", help: "Packets of one line" };
pub(super) const LINE_MESSAGES: Metric =
    Metric { name: "line_messages", kind: Kind::Counter, unit: "", help: "Messages in them" };
pub(super) const LINE_MISSING_MESSAGES: Metric = Metric {
    name: "line_missing_messages",
    kind: Kind::Counter,
    unit: "",
    help: "Messages that this line skipped",
};
pub(super) const LINE_LATE_MESSAGES: Metric = Metric {
    name: "line_late_messages",
    kind: Kind::Counter,
    unit: "",
    help: "Messages that another line had brought before",
};
pub(super) const LINE_DAMAGED_PACKETS: Metric = Metric {
    name: "line_damaged_packets",
    kind: Kind::Counter,
    unit: "",
    help: "Damaged packets of one line",
};
pub(super) const LINE_DEAD: Metric = Metric {
    name: "line_dead",
    kind: Kind::Gauge,
    unit: "",
    help: "1 while the line is silent for longer than its feed may be",
};
pub(super) const LINE_LAST_HEARD_TIMESTAMP_SECONDS: Metric = Metric {
    name: "line_last_heard_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    help: "When the line was last heard, since 1970; 0 for never",
};
pub(super) const PORT_LINK_UP: Metric = Metric {
    name: "port_link_up",
    kind: Kind::Gauge,
    unit: "",
    help: "1 while the port has a link; no sample where its driver does not say",
};
pub(super) const PORT_LINK_SPEED_BYTES: Metric = Metric {
    name: "port_link_speed_bytes",
    kind: Kind::Gauge,
    unit: "bytes",
    help: "Speed of the link, a second; no sample where its driver does not say",
};
pub(super) const PORT_FULL_DUPLEX: Metric = Metric {
    name: "port_full_duplex",
    kind: Kind::Gauge,
    unit: "",
    help: "1 while the link goes in both directions at once",
};
pub(super) const PORT_RECEIVED_PACKETS: Metric = Metric {
    name: "port_received_packets",
    kind: Kind::Counter,
    unit: "",
    help: "Packets that the port received",
};
pub(super) const PORT_RECEIVED_BYTES: Metric =
    Metric { name: "port_received_bytes", kind: Kind::Counter, unit: "bytes", help: "Bytes in them" };
pub(super) const PORT_MISSED_PACKETS: Metric = Metric {
    name: "port_missed_packets",
    kind: Kind::Counter,
    unit: "",
    help: "Packets that the port dropped because its queue was full, where its driver counts them",
};
pub(super) const PORT_ERROR_PACKETS: Metric = Metric {
    name: "port_error_packets",
    kind: Kind::Counter,
    unit: "",
    help: "Packets that the port received in error",
};
pub(super) const PORT_UNBUFFERED_PACKETS: Metric = Metric {
    name: "port_unbuffered_packets",
    kind: Kind::Counter,
    unit: "",
    help: "Times there was no buffer for a packet",
};
pub(super) const PORT_SENT_PACKETS: Metric = Metric {
    name: "port_sent_packets",
    kind: Kind::Counter,
    unit: "",
    help: "Packets that the port sent: its IGMP",
};
pub(super) const PORT_UNSENT_PACKETS: Metric = Metric {
    name: "port_unsent_packets",
    kind: Kind::Counter,
    unit: "",
    help: "Packets that the port could not send",
};
pub(super) const PORT_BUFFERS_USED: Metric = Metric {
    name: "port_buffers_used",
    kind: Kind::Gauge,
    unit: "",
    help: "Buffers that hold a packet or wait for one in the queue",
};
pub(super) const PORT_BUFFERS: Metric =
    Metric { name: "port_buffers", kind: Kind::Gauge, unit: "", help: "Buffers that there are" };
pub(super) const PORT_UNREADABLE: Metric = Metric {
    name: "port_unreadable",
    kind: Kind::Gauge,
    unit: "",
    help: "1 while the port cannot be read, and its other samples are older",
};
pub(super) const STAGE_COUNT: Metric = Metric {
    name: "stage_count",
    kind: Kind::Counter,
    unit: "",
    help: "Every counter of receiver, featurizer, scorer and order processes, drops by cause among them",
};
pub(super) const MODEL: Metric =
    Metric { name: "model", kind: Kind::Info, unit: "", help: "What scores: the value is always 1" };
pub(super) const SCORER_SCORED: Metric =
    Metric { name: "scorer_scored", kind: Kind::Counter, unit: "", help: "Vectors scored" };
pub(super) const SCORER_LAST_SCORE_TIMESTAMP_SECONDS: Metric = Metric {
    name: "scorer_last_score_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    help: "When the newest score was made, since 1970; 0 for never",
};
pub(super) const ORDERS: Metric = Metric {
    name: "orders",
    kind: Kind::Counter,
    unit: "",
    help: "Orders by what the gate decided: accept, flag or reject",
};
pub(super) const VERDICTS: Metric = Metric {
    name: "verdicts",
    kind: Kind::Counter,
    unit: "",
    help: "Verdicts in the log by reason; code 0 is an order that breaks nothing",
};
pub(super) const HOP_LATENCY_SECONDS: Metric = Metric {
    name: "hop_latency_seconds",
    kind: Kind::Summary,
    unit: "seconds",
    help: "Time that a hop of the line takes, since the start",
};
pub(super) const STAGE_POLLS: Metric = Metric {
    name: "stage_polls",
    kind: Kind::Counter,
    unit: "",
    help: "How often the thread of a stage looked for work",
};
pub(super) const STAGE_BUSY_POLLS: Metric =
    Metric { name: "stage_busy_polls", kind: Kind::Counter, unit: "", help: "How often it found some" };
pub(super) const STAGE_ITEMS: Metric = Metric {
    name: "stage_items",
    kind: Kind::Counter,
    unit: "",
    help: "Packets, events, vectors or questions that it took",
};
pub(super) const STAGE_BUSY_SECONDS: Metric = Metric {
    name: "stage_busy_seconds",
    kind: Kind::Counter,
    unit: "seconds",
    help: "Time that it worked: the rate of it is its busy share",
};
pub(super) const STAGE_LONGEST_POLL_SECONDS: Metric = Metric {
    name: "stage_longest_poll_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    help: "The longest since the start that it did not look for work",
};
pub(super) const STAGE_SLOW_POLLS: Metric = Metric {
    name: "stage_slow_polls",
    kind: Kind::Counter,
    unit: "",
    help: "How often that was longer than 50 µs",
};
pub(super) const RING_DEPTH_ITEMS: Metric = Metric {
    name: "ring_depth_items",
    kind: Kind::Gauge,
    unit: "",
    help: "Items that fit into a ring of the line",
};
pub(super) const RING_WAITING_ITEMS: Metric =
    Metric { name: "ring_waiting_items", kind: Kind::Gauge, unit: "", help: "Items that wait in it" };
pub(super) const RING_HIGH_WATER_ITEMS: Metric = Metric {
    name: "ring_high_water_items",
    kind: Kind::Gauge,
    unit: "",
    help: "The most that ever waited in it",
};
pub(super) const RING_CARRIED_ITEMS: Metric =
    Metric { name: "ring_carried_items", kind: Kind::Counter, unit: "", help: "Items that went into it" };
pub(super) const RING_FULL: Metric = Metric {
    name: "ring_full",
    kind: Kind::Counter,
    unit: "",
    help: "How often there was less room in it than wanted",
};
pub(super) const RING_LOST_ITEMS: Metric = Metric {
    name: "ring_lost_items",
    kind: Kind::Counter,
    unit: "",
    help: "Items that found no room in it and are lost",
};
pub(super) const TABLE_USED: Metric =
    Metric { name: "table_used", kind: Kind::Gauge, unit: "", help: "How many a bounded table holds" };
pub(super) const TABLE_HIGH_WATER: Metric =
    Metric { name: "table_high_water", kind: Kind::Gauge, unit: "", help: "The most that it ever held" };
pub(super) const TABLE_ROOM: Metric =
    Metric { name: "table_room", kind: Kind::Gauge, unit: "", help: "How many it can hold" };
pub(super) const BOOK_MEMORY_BYTES: Metric = Metric {
    name: "book_memory_bytes",
    kind: Kind::Gauge,
    unit: "bytes",
    help: "Bytes of the tables of the books",
};
pub(super) const BOOK_MEMORY_HUGE_BYTES: Metric = Metric {
    name: "book_memory_huge_bytes",
    kind: Kind::Gauge,
    unit: "bytes",
    help: "Those of them that lay in huge pages at the start; 0 where the kernel does not say",
};
pub(super) const CLIENT_ATTACHED: Metric = Metric {
    name: "client_attached",
    kind: Kind::Gauge,
    unit: "",
    help: "1 while the order process is attached",
};
pub(super) const CLIENT_RING_WAITING_RECORDS: Metric = Metric {
    name: "client_ring_waiting_records",
    kind: Kind::Gauge,
    unit: "",
    help: "Records that wait in the ring of the order process",
};
pub(super) const CLIENT_OPEN_ORDERS: Metric = Metric {
    name: "client_open_orders",
    kind: Kind::Gauge,
    unit: "",
    help: "Open orders of the order process",
};
pub(super) const CLIENT_ORDERS: Metric = Metric {
    name: "client_orders",
    kind: Kind::Counter,
    unit: "",
    help: "Orders of the order process by what the gate decided",
};
pub(super) const CLIENT_LOST_RECORDS: Metric = Metric {
    name: "client_lost_records",
    kind: Kind::Counter,
    unit: "",
    help: "Records that found the ring full",
};
pub(super) const CLIENT_DAMAGED_RECORDS: Metric =
    Metric { name: "client_damaged_records", kind: Kind::Counter, unit: "", help: "Records that were none" };
pub(super) const CLIENT_UNLOGGED_REFUSALS: Metric = Metric {
    name: "client_unlogged_refusals",
    kind: Kind::Counter,
    unit: "",
    help: "Refused orders that are in no log, since the ring was half full",
};
pub(super) const CLIENT_IN_DOUBT: Metric = Metric {
    name: "client_in_doubt",
    kind: Kind::Gauge,
    unit: "",
    help: "1 while a position of the order process is in doubt",
};
pub(super) const CLIENT_AUDIT_MODE: Metric = Metric {
    name: "client_audit_mode",
    kind: Kind::Gauge,
    unit: "",
    help: "1 while the order process is in audit mode: orders that break a limit leave",
};
pub(super) const CLIENT_WOULD_REJECT_ORDERS: Metric = Metric {
    name: "client_would_reject_orders",
    kind: Kind::Counter,
    unit: "",
    help: "Orders that left in audit mode and would have been refused; they are among those flagged",
};
pub(super) const CLIENT_NEAR_LIMIT_ORDERS: Metric = Metric {
    name: "client_near_limit_orders",
    kind: Kind::Counter,
    unit: "",
    help: "Orders that were let through above the share of a limit that is limits.warn_at",
};
pub(super) const AUDIT_RECORDS: Metric =
    Metric { name: "audit_records", kind: Kind::Counter, unit: "", help: "Records in the audit log" };
pub(super) const REFUSED_COMMANDS: Metric = Metric {
    name: "refused_commands",
    kind: Kind::Counter,
    unit: "",
    help: "Commands and connections refused since the start",
};
pub(super) const EVENTS: Metric =
    Metric { name: "events", kind: Kind::Counter, unit: "", help: "Events in the journal, over restarts" };
pub(super) const EVENTS_LOST: Metric = Metric {
    name: "events_lost",
    kind: Kind::Counter,
    unit: "",
    help: "Events that found no room on their way to the journal",
};
pub(super) const EVENTS_SUMMARISED: Metric = Metric {
    name: "events_summarised",
    kind: Kind::Counter,
    unit: "",
    help: "Events that only a summary stands for",
};
pub(super) const ALERTS: Metric =
    Metric { name: "alerts", kind: Kind::Gauge, unit: "", help: "Alerts that last" };
pub(super) const ALERTS_UNACKNOWLEDGED: Metric = Metric {
    name: "alerts_unacknowledged",
    kind: Kind::Gauge,
    unit: "",
    help: "Alerts that nobody has taken note of",
};
pub(super) const SINK_FAILING: Metric = Metric {
    name: "sink_failing",
    kind: Kind::Gauge,
    unit: "",
    help: "1 while a place that events are sent to takes none",
};
pub(super) const SINK_DELIVERED_EVENTS: Metric =
    Metric { name: "sink_delivered_events", kind: Kind::Counter, unit: "", help: "Events that it took" };
pub(super) const SINK_RETRIES: Metric =
    Metric { name: "sink_retries", kind: Kind::Counter, unit: "", help: "Attempts that failed" };
pub(super) const SINK_LOST_EVENTS: Metric =
    Metric { name: "sink_lost_events", kind: Kind::Counter, unit: "", help: "Events that it will never get" };
pub(super) const SINK_WAITING_EVENTS: Metric =
    Metric { name: "sink_waiting_events", kind: Kind::Gauge, unit: "", help: "Events that wait for it" };
pub(super) const SINK_LATENCY_SECONDS: Metric = Metric {
    name: "sink_latency_seconds",
    kind: Kind::Summary,
    unit: "seconds",
    help: "Time from an event to its arrival there",
};
pub(super) const PROPOSALS_WAITING: Metric = Metric {
    name: "proposals_waiting",
    kind: Kind::Gauge,
    unit: "",
    help: "Changes that wait for a second person",
};
