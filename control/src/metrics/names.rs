//! Every metric by its name. Made of `metrics.toml` by the test beside it (`UPDATE_METRICS=1`); do not edit.

use super::table::Metric;

pub(super) const BUILD: Metric = Metric::info("build", "", "What runs: the value is always 1");
pub(super) const START_TIME_SECONDS: Metric =
    Metric::gauge("start_time_seconds", "seconds", "When the daemon started, since 1970");
pub(super) const HALTED: Metric = Metric::gauge("halted", "", "1 while the firm is halted");
pub(super) const ORDERS_CAN_PASS: Metric =
    Metric::gauge("orders_can_pass", "", "1 while there is an instrument in which an order can pass");
pub(super) const LATCH_DAMAGED: Metric = Metric::gauge(
    "latch_damaged",
    "",
    "1 while state on disk was found damaged at the start and nobody has resumed",
);
pub(super) const STATE_UNWRITTEN: Metric = Metric::gauge(
    "state_unwritten",
    "",
    "Alarms of status: state that is in force and not on disk, and other trouble with the disk",
);
pub(super) const BREAKERS_TRIPPED: Metric =
    Metric::gauge("breakers_tripped", "", "Breakers that are tripped");
pub(super) const INSTRUMENTS: Metric =
    Metric::gauge("instruments", "", "Instruments by the tier of their limits");
pub(super) const BOOKS: Metric = Metric::gauge("books", "", "Books by state");
pub(super) const FEED_STATE: Metric = Metric::gauge(
    "feed_state",
    "",
    "1 for the state that the feed is in: live, silent, recovering, stale, late or ended",
);
pub(super) const FEED_MESSAGES: Metric = Metric::counter("feed_messages", "", "Messages received");
pub(super) const FEED_GAPS: Metric = Metric::counter("feed_gaps", "", "Gaps in the sequence");
pub(super) const FEED_MISSING_MESSAGES: Metric =
    Metric::counter("feed_missing_messages", "", "Messages lost in gaps");
pub(super) const FEED_LATE_MESSAGES: Metric =
    Metric::counter("feed_late_messages", "", "Messages that came after they were given up");
pub(super) const FEED_DAMAGED: Metric = Metric::counter("feed_damaged", "", "Damaged packets and messages");
pub(super) const FEED_UNBELIEVED_PACKETS: Metric = Metric::counter(
    "feed_unbelieved_packets",
    "",
    "Packets and messages that were not believed or had no room: the sum of feed_dropped",
);
pub(super) const FEED_DROPPED: Metric =
    Metric::counter("feed_dropped", "", "The same by cause; causes that did not occur have no sample");
pub(super) const FEED_RESTARTS: Metric =
    Metric::counter("feed_restarts", "", "Times a sequence began again within its session");
pub(super) const FEED_ENDS: Metric =
    Metric::counter("feed_ends", "", "Times the session of a channel was believed to be over");
pub(super) const FEED_ENDS_TAKEN_BACK: Metric = Metric::counter(
    "feed_ends_taken_back",
    "",
    "Times the session of a channel went on after it was believed to be over",
);
pub(super) const FEED_REDEFINED_LOCATES: Metric =
    Metric::counter("feed_redefined_locates", "", "Locate numbers given to another stock within a session");
pub(super) const FEED_OUTLYING_TIMES: Metric =
    Metric::counter("feed_outlying_times", "", "Times too far from those around them to be followed");
pub(super) const FEED_LAG_SECONDS: Metric = Metric::gauge(
    "feed_lag_seconds",
    "seconds",
    "How far the last packet of the channel that lags most was behind the nearest that venue time and arrival came",
);
pub(super) const FEED_LOST_EVENTS: Metric =
    Metric::counter("feed_lost_events", "", "Events that found the ring to the books full");
pub(super) const FEED_LOST_DEFINITIONS: Metric = Metric::counter(
    "feed_lost_definitions",
    "",
    "Of the events that found the ring to the books full, those that named an instrument",
);
pub(super) const FEED_HEARTBEATS: Metric =
    Metric::counter("feed_heartbeats", "", "Heartbeats that said nothing new");
pub(super) const FEED_INSTRUMENTS_BEYOND: Metric =
    Metric::counter("feed_instruments_beyond", "", "Instruments for which the tables had no room");
pub(super) const FEED_RECOVERED_MESSAGES: Metric =
    Metric::counter("feed_recovered_messages", "", "Messages that no line brought and a server did");
pub(super) const FEED_UNANSWERED_REQUESTS: Metric =
    Metric::counter("feed_unanswered_requests", "", "Requests to servers that no answer came to in time");
pub(super) const FEED_UNRECOVERED_GAPS: Metric =
    Metric::counter("feed_unrecovered_gaps", "", "Gaps that servers could not fill");
pub(super) const FEED_LAST_MESSAGE_TIMESTAMP_SECONDS: Metric = Metric::gauge(
    "feed_last_message_timestamp_seconds",
    "seconds",
    "When the newest message came, since 1970; 0 for never",
);
pub(super) const LINE_PACKETS: Metric = Metric::counter("line_packets", "", "Packets of one line");
pub(super) const LINE_MESSAGES: Metric = Metric::counter("line_messages", "", "Messages in them");
pub(super) const LINE_MISSING_MESSAGES: Metric =
    Metric::counter("line_missing_messages", "", "Messages that this line skipped");
pub(super) const LINE_LATE_MESSAGES: Metric =
    Metric::counter("line_late_messages", "", "Messages that another line had brought before");
pub(super) const LINE_DAMAGED_PACKETS: Metric =
    Metric::counter("line_damaged_packets", "", "Damaged packets of one line");
pub(super) const LINE_DEAD: Metric =
    Metric::gauge("line_dead", "", "1 while the line is silent for longer than its feed may be");
pub(super) const LINE_LAST_HEARD_TIMESTAMP_SECONDS: Metric = Metric::gauge(
    "line_last_heard_timestamp_seconds",
    "seconds",
    "When the line was last heard, since 1970; 0 for never",
);
pub(super) const PORT_LINK_UP: Metric =
    Metric::gauge("port_link_up", "", "1 while the port has a link; no sample where its driver does not say");
pub(super) const PORT_LINK_SPEED_BYTES: Metric = Metric::gauge(
    "port_link_speed_bytes",
    "bytes",
    "Speed of the link, a second; no sample where its driver does not say",
);
pub(super) const PORT_FULL_DUPLEX: Metric =
    Metric::gauge("port_full_duplex", "", "1 while the link goes in both directions at once");
pub(super) const PORT_RECEIVED_PACKETS: Metric =
    Metric::counter("port_received_packets", "", "Packets that the port received");
pub(super) const PORT_RECEIVED_BYTES: Metric =
    Metric::counter("port_received_bytes", "bytes", "Bytes in them");
pub(super) const PORT_MISSED_PACKETS: Metric = Metric::counter(
    "port_missed_packets",
    "",
    "Packets that the port dropped because its queue was full, where its driver counts them",
);
pub(super) const PORT_ERROR_PACKETS: Metric =
    Metric::counter("port_error_packets", "", "Packets that the port received in error");
pub(super) const PORT_UNBUFFERED_PACKETS: Metric =
    Metric::counter("port_unbuffered_packets", "", "Times there was no buffer for a packet");
pub(super) const PORT_SENT_PACKETS: Metric =
    Metric::counter("port_sent_packets", "", "Packets that the port sent: its IGMP");
pub(super) const PORT_UNSENT_PACKETS: Metric =
    Metric::counter("port_unsent_packets", "", "Packets that the port could not send");
pub(super) const PORT_BUFFERS_USED: Metric =
    Metric::gauge("port_buffers_used", "", "Buffers that hold a packet or wait for one in the queue");
pub(super) const PORT_BUFFERS: Metric = Metric::gauge("port_buffers", "", "Buffers that there are");
pub(super) const PORT_UNREADABLE: Metric =
    Metric::gauge("port_unreadable", "", "1 while the port cannot be read, and its other samples are older");
pub(super) const STAGE_COUNT: Metric = Metric::counter(
    "stage_count",
    "",
    "Every counter of receiver, featurizer, scorer and order processes, drops by cause among them",
);
pub(super) const MODEL: Metric = Metric::info("model", "", "What scores: the value is always 1");
pub(super) const SCORER_SCORED: Metric = Metric::counter("scorer_scored", "", "Vectors scored");
pub(super) const SCORER_LAST_SCORE_TIMESTAMP_SECONDS: Metric = Metric::gauge(
    "scorer_last_score_timestamp_seconds",
    "seconds",
    "When the newest score was made, since 1970; 0 for never",
);
pub(super) const ORDERS: Metric =
    Metric::counter("orders", "", "Orders by what the gate decided: accept, flag or reject");
pub(super) const VERDICTS: Metric =
    Metric::counter("verdicts", "", "Verdicts in the log by reason; code 0 is an order that breaks nothing");
pub(super) const HOP_LATENCY_SECONDS: Metric =
    Metric::summary("hop_latency_seconds", "seconds", "Time that a hop of the line takes, since the start");
pub(super) const STAGE_POLLS: Metric =
    Metric::counter("stage_polls", "", "How often the thread of a stage looked for work");
pub(super) const STAGE_BUSY_POLLS: Metric =
    Metric::counter("stage_busy_polls", "", "How often it found some");
pub(super) const STAGE_ITEMS: Metric =
    Metric::counter("stage_items", "", "Packets, events, vectors or questions that it took");
pub(super) const STAGE_BUSY_SECONDS: Metric =
    Metric::counter("stage_busy_seconds", "seconds", "Time that it worked: the rate of it is its busy share");
pub(super) const STAGE_LONGEST_POLL_SECONDS: Metric = Metric::gauge(
    "stage_longest_poll_seconds",
    "seconds",
    "The longest since the start that it did not look for work",
);
pub(super) const STAGE_SLOW_POLLS: Metric =
    Metric::counter("stage_slow_polls", "", "How often that was longer than 50 µs");
pub(super) const RING_DEPTH_ITEMS: Metric =
    Metric::gauge("ring_depth_items", "", "Items that fit into a ring of the line");
pub(super) const RING_WAITING_ITEMS: Metric =
    Metric::gauge("ring_waiting_items", "", "Items that wait in it");
pub(super) const RING_HIGH_WATER_ITEMS: Metric =
    Metric::gauge("ring_high_water_items", "", "The most that ever waited in it");
pub(super) const RING_CARRIED_ITEMS: Metric =
    Metric::counter("ring_carried_items", "", "Items that went into it");
pub(super) const RING_FULL: Metric =
    Metric::counter("ring_full", "", "How often there was less room in it than wanted");
pub(super) const RING_LOST_ITEMS: Metric =
    Metric::counter("ring_lost_items", "", "Items that found no room in it and are lost");
pub(super) const TABLE_USED: Metric = Metric::gauge("table_used", "", "How many a bounded table holds");
pub(super) const TABLE_HIGH_WATER: Metric =
    Metric::gauge("table_high_water", "", "The most that it ever held");
pub(super) const TABLE_ROOM: Metric = Metric::gauge("table_room", "", "How many it can hold");
pub(super) const BOOK_MEMORY_BYTES: Metric =
    Metric::gauge("book_memory_bytes", "bytes", "Bytes of the tables of the books");
pub(super) const BOOK_MEMORY_HUGE_BYTES: Metric = Metric::gauge(
    "book_memory_huge_bytes",
    "bytes",
    "Those of them that lay in huge pages at the start; 0 where the kernel does not say",
);
pub(super) const CLIENT_ATTACHED: Metric =
    Metric::gauge("client_attached", "", "1 while the order process is attached");
pub(super) const CLIENT_RING_WAITING_RECORDS: Metric =
    Metric::gauge("client_ring_waiting_records", "", "Records that wait in the ring of the order process");
pub(super) const CLIENT_OPEN_ORDERS: Metric =
    Metric::gauge("client_open_orders", "", "Open orders of the order process");
pub(super) const CLIENT_ORDERS: Metric =
    Metric::counter("client_orders", "", "Orders of the order process by what the gate decided");
pub(super) const CLIENT_LOST_RECORDS: Metric =
    Metric::counter("client_lost_records", "", "Records that found the ring full");
pub(super) const CLIENT_DAMAGED_RECORDS: Metric =
    Metric::counter("client_damaged_records", "", "Records that were none");
pub(super) const CLIENT_UNLOGGED_REFUSALS: Metric = Metric::counter(
    "client_unlogged_refusals",
    "",
    "Refused orders that are in no log, since the ring was half full",
);
pub(super) const CLIENT_IN_DOUBT: Metric =
    Metric::gauge("client_in_doubt", "", "1 while a position of the order process is in doubt");
pub(super) const RECONCILIATION_UP: Metric =
    Metric::gauge("reconciliation_up", "", "1 while drop copies come to the gateway and it says so");
pub(super) const RECONCILIATION_MATCHED: Metric = Metric::counter(
    "reconciliation_matched",
    "",
    "Orders and executions that drop copy and gate agree about",
);
pub(super) const RECONCILIATION_WAITING: Metric = Metric::gauge(
    "reconciliation_waiting",
    "",
    "Orders and executions that one side has said and the other has not yet",
);
pub(super) const RECONCILIATION_BREAKS: Metric = Metric::counter(
    "reconciliation_breaks",
    "",
    "Orders and executions that drop copy and gate differ about",
);
pub(super) const CLIENT_AUDIT_MODE: Metric = Metric::gauge(
    "client_audit_mode",
    "",
    "1 while the order process is in audit mode: orders that break a limit leave",
);
pub(super) const CLIENT_WOULD_REJECT_ORDERS: Metric = Metric::counter(
    "client_would_reject_orders",
    "",
    "Orders that left in audit mode and would have been refused; they are among those flagged",
);
pub(super) const CLIENT_NEAR_LIMIT_ORDERS: Metric = Metric::counter(
    "client_near_limit_orders",
    "",
    "Orders that were let through above the share of a limit that is limits.warn_at",
);
pub(super) const AUDIT_RECORDS: Metric = Metric::counter("audit_records", "", "Records in the audit log");
pub(super) const REFUSED_COMMANDS: Metric =
    Metric::counter("refused_commands", "", "Commands and connections refused since the start");
pub(super) const EVENTS: Metric = Metric::counter("events", "", "Events in the journal, over restarts");
pub(super) const EVENTS_LOST: Metric =
    Metric::counter("events_lost", "", "Events that found no room on their way to the journal");
pub(super) const EVENTS_SUMMARISED: Metric =
    Metric::counter("events_summarised", "", "Events that only a summary stands for");
pub(super) const ALERTS: Metric = Metric::gauge("alerts", "", "Alerts that last");
pub(super) const ALERTS_UNACKNOWLEDGED: Metric =
    Metric::gauge("alerts_unacknowledged", "", "Alerts that nobody has taken note of");
pub(super) const SINK_FAILING: Metric =
    Metric::gauge("sink_failing", "", "1 while a place that events are sent to takes none");
pub(super) const SINK_DELIVERED_EVENTS: Metric =
    Metric::counter("sink_delivered_events", "", "Events that it took");
pub(super) const SINK_RETRIES: Metric = Metric::counter("sink_retries", "", "Attempts that failed");
pub(super) const SINK_LOST_EVENTS: Metric =
    Metric::counter("sink_lost_events", "", "Events that it will never get");
pub(super) const SINK_WAITING_EVENTS: Metric =
    Metric::gauge("sink_waiting_events", "", "Events that wait for it");
pub(super) const SINK_LATENCY_SECONDS: Metric =
    Metric::summary("sink_latency_seconds", "seconds", "Time from an event to its arrival there");
pub(super) const PROPOSALS_WAITING: Metric =
    Metric::gauge("proposals_waiting", "", "Changes that wait for a second person");
