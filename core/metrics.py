"""Counters and clocks of the service, read at /metrics. Labels never carry a person's data."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

ACCEPTED = Counter("portaria_accepted_total", "Events journalled", ["channel"])
REPEATED = Counter(
    "portaria_repeated_total", "Deliveries of an event that was journalled before", ["channel"]
)
REFUSED = Counter("portaria_refused_total", "Requests refused at the door", ["channel", "reason"])
PROCESSED = Counter("portaria_processed_total", "Events that reached a final state", ["channel", "state"])
LAG = Histogram(
    "portaria_lag_seconds",
    "From receipt to the routed lead",
    ["channel"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 600),
)
CONNECTED = Counter("portaria_connected_total", "Calls put through, by who decided", ["by"])
STORMS = Counter("portaria_rule_storms_total", "Rules held back that ran too often on one element", ["rule"])
STEPS = Counter("portaria_steps_total", "Attempts of deferred steps", ["kind", "state"])
