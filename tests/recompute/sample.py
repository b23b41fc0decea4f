#!/usr/bin/env python3
"""Makes the sample of fixtures/recompute: 120 tickets that nobody had, with all that makes figures differ.

    sample.py > fixtures/recompute/sample.jsonl
"""

import datetime as dt
import json
import random

chance = random.Random(20261122)
PEOPLE = ["ada", "ben", "cho", None]
begin = dt.datetime(2026, 3, 2, 7, 0)

for number in range(120):
    at = opened = begin + dt.timedelta(minutes=chance.randrange(90 * 24 * 60))
    record = {
        "ticket_id": f"S{number:03}",
        "source": "sample",
        "opened_at": opened.isoformat(),
        "first_response_at": None,
        "resolved_at": None,
        "closed_at": None,
        "priority": chance.choice(["P1", "P2", "P3", "P3", "P4"]),
        "assignee": chance.choice(PEOPLE),
        "events": [],
        "outcome": {},
    }
    closed = False
    for _ in range(chance.randrange(1, 9)):
        # Some things happen at one moment, and some on the stroke of an hour.
        at += dt.timedelta(minutes=chance.choice([0, 5, 45, 200, 600, 1600, 3000]))
        at = at.replace(minute=0) + dt.timedelta(hours=1) if chance.random() < 0.15 else at
        event = {"at": at.isoformat()}
        if chance.random() < 0.8:
            words = ["Active", "Awaiting User Info", "Resolved", "Resolved", "Closed"]
            event["state"] = chance.choice(["Active", "Closed", "Closed"] if closed else words)
            closed = event["state"] in ("Resolved", "Closed")
        if chance.random() < 0.4:
            event["assignee"] = chance.choice(PEOPLE)
        record["events"].append(event)
    print(json.dumps(record))
