#!/usr/bin/env python3
"""The figures of a ticket history, worked out without the program.

    recompute.py HISTORY --target P1=4h --target P3=30h:business --from 2016-03-01 --to 2017-02-28
    recompute.py HISTORY ... --report by-month.json --report by-priority.json --report by-technician.json

The first form prints the figures; they are committed in tests/recompute/figures, and a test holds the program to them.
The second compares them with what `superops-sla report --by WHAT --format json` has printed, and ends in 1 if they
differ. The rules are those of docs/reports.md, read from there and written down a second time; nothing here comes from
the program, and nothing but Python's own library is needed (and the program `zstd`, for packed files).

A target counts by the calendar, or, with `:business`, from Monday to Friday, 08:00 to 18:00. The priority is the one at
opening. All times are UTC.
"""

import argparse
import bisect
import datetime as dt
import json
import math
import subprocess
import sys

CLOSED = {"Resolved", "Closed", "Resolve ticket", "RESOLVED", "CLOSED"}
PAUSED = {"Awaiting User Info", "Awaiting Vendor", "Awaiting Evidence", "Wait"}
# What is written about closed tickets, and opens none of them.
REMARKS = {"Caused By CI", "Quality Indicator Fixed"}
EPOCH = dt.datetime(1970, 1, 1)
MINUTE, HOUR, DAY = 60, 3600, 86400
SETTLE, BACK = 24 * HOUR, 7 * DAY
WHOLE = 1_000_000
Z = 1.959963984540054


def seconds(text):
    return int((dt.datetime.fromisoformat(text) - EPOCH).total_seconds())


def date_of(second):
    return (EPOCH + dt.timedelta(seconds=second)).date()


def lines(path):
    if path.endswith(".zst"):
        text = subprocess.run(["zstd", "-dc", path], check=True, capture_output=True, text=True).stdout
    else:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    return [json.loads(line) for line in text.splitlines() if line.strip()]


# --- working time ------------------------------------------------------------------------------------------------------


def opening(day):
    """The working hours of the day of that number since 1970, a Thursday."""
    return (day * DAY + 8 * HOUR, day * DAY + 18 * HOUR) if (day + 3) % 7 < 5 else None


def working(stretches, business):
    """The parts of `stretches` that count."""
    if not business:
        return [(a, b) for a, b in stretches if a < b]
    found = []
    for a, b in stretches:
        for day in range(a // DAY, b // DAY + 1):
            hours = opening(day)
            if hours and max(a, hours[0]) < min(b, hours[1]):
                found.append((max(a, hours[0]), min(b, hours[1])))
    return found


def length(parts, start, end):
    return sum(max(0, min(b, end) - max(a, start)) for a, b in parts)


# --- one ticket --------------------------------------------------------------------------------------------------------


class Ticket:
    def __init__(self, record):
        self.id = record["ticket_id"]
        self.priority = record["priority"]
        self.opened = seconds(record["opened_at"])
        # Each as (moment, value), the first from the opening on.
        self.states = [(self.opened, "New")]
        self.holders = [(self.opened, record["assignee"])]
        for event in record["events"]:
            at = seconds(event["at"])
            state = event.get("state")
            if state is not None and state not in REMARKS and state != self.states[-1][1]:
                self.states.append((at, state))
            if "assignee" in event and event["assignee"] != self.holders[-1][1]:
                self.holders.append((at, event["assignee"]))

    def periods(self, until):
        ends = [at for at, _ in self.states[1:]] + [until]
        return [(at, end, state) for (at, state), end in zip(self.states, ends)]

    def rounds(self, now):
        """(from, end or None, when it came back or None): a closing under a day ends no round."""
        runs = []
        for at, end, state in self.periods(None):
            is_closed = state in CLOSED
            if runs and runs[-1][0] == is_closed:
                runs[-1][2] = end
            else:
                runs.append([is_closed, at, end])
        found, start = [], self.opened
        for is_closed, at, back in runs:
            if not is_closed or (back is not None and back - at < SETTLE):
                continue
            found.append((start, at, back))
            start = back
        if not found or found[-1][2] is not None:
            found.append((start, None, None))
        return found

    def running(self, start, until):
        """Where the clock runs: neither paused nor closed."""
        parts = [(max(a, start), min(b, until)) for a, b, state in self.periods(until) if state not in CLOSED | PAUSED]
        return [(a, b) for a, b in parts if a < b]

    def held(self, until):
        ends = [at for at, _ in self.holders[1:]] + [until]
        return [(who or "nobody", a, b) for (a, who), b in zip(self.holders, ends)]

    def holder_at(self, moment):
        place = bisect.bisect_right([at for at, _ in self.holders], moment) - 1
        return self.holders[max(place, 0)][1] or "nobody"


def exceeded(parts, target):
    """The moment from which on more than `target` has been counted."""
    left = target
    for a, b in parts:
        if b - a > left:
            return a + left
        left -= b - a
    return None


def cut(sizes):
    """WHOLE cut in proportion, by the largest remainder; ties to the earlier."""
    total = sum(sizes)
    if total == 0:
        return [0] * len(sizes)
    pieces = [size * WHOLE // total for size in sizes]
    order = sorted(range(len(sizes)), key=lambda place: -(sizes[place] * WHOLE % total))
    for place in order[: WHOLE - sum(pieces)]:
        pieces[place] += 1
    return pieces


def shares(ticket, parts, weighed, at):
    """Who has how much of the clock: by what was counted in whose hands until it was decided."""
    sizes = {}
    for who, a, b in ticket.held(weighed):
        if a < min(b, weighed):
            sizes[who] = sizes.get(who, 0) + length(parts, a, min(b, weighed))
    weights = dict(zip(sizes, cut(list(sizes.values()))))
    if not any(weights.values()):
        return {ticket.holder_at(at): WHOLE}
    return {who: weight for who, weight in weights.items() if weight}


def judged(ticket, targets, now):
    """The resolution clocks: first round with its verdict, later ones for what came back."""
    target, business = targets.get(ticket.priority) or targets[None]
    found = []
    for number, (start, end, back) in enumerate(ticket.rounds(now), 1):
        stop = end if end is not None and end <= now else None
        first = ticket.opened if number == 1 else start
        parts = working(ticket.running(first, stop if stop is not None else now), business)
        over = exceeded(parts, target)
        if over is None and stop is None:
            continue
        at = stop if over is None else over
        found.append(
            {
                "ticket": ticket.id,
                "round": number,
                "met": over is None,
                "day": date_of(at),
                "stop_day": date_of(stop) if stop is not None else None,
                "counted": length(parts, first, stop) if stop is not None else None,
                "priority": ticket.priority,
                "holder": ticket.holder_at(at),
                "shares": shares(ticket, parts, at, at),
                "back": back is not None and stop is not None and back <= now and back - stop <= BACK,
            }
        )
    return found


# --- figures -----------------------------------------------------------------------------------------------------------


def tenths(met, of):
    """Half up; all only for all, and none only for none."""
    if of == 0:
        return None
    rounded = (met * 2000 + of) // (of * 2)
    if rounded >= 1000 and met < of:
        return 999
    return 1 if rounded == 0 and met > 0 else rounded


def wilson(met, of):
    if of == 0:
        return [None, None]
    share = met / of
    centre, scale = share + Z * Z / (2 * of), 1 + Z * Z / of
    reach = Z * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    low = 0.0 if met == 0 else (centre - reach) / scale
    high = 1.0 if met == of else (centre + reach) / scale
    return [math.floor(end * 1000 + 0.5) for end in (low, high)]


def median(values):
    """In milliseconds, half up."""
    values = sorted(value * 1000 for value in values)
    n = len(values)
    if n == 0:
        return None
    return values[n // 2] if n % 2 else (values[n // 2 - 1] + values[n // 2] + 1) // 2


def rate(clocks):
    met = sum(clock["met"] for clock in clocks)
    return [len(clocks), len(clocks) - met, tenths(met, len(clocks)), *wilson(met, len(clocks))]


def groups(clocks, key):
    found = {}
    for clock in clocks:
        found.setdefault(key(clock), []).append(clock)
    return found


def technicians(decided):
    weights, own = {}, groups(decided, lambda clock: clock["holder"])
    for clock in decided:
        for who, weight in clock["shares"].items():
            kept, of = weights.get(who, (0, 0))
            weights[who] = (kept + weight * clock["met"], of + weight)
    late = sum(of - kept for kept, of in weights.values())
    found = {}
    for who in sorted(set(weights) | set(own)):
        kept, of = weights.get(who, (0, 0))
        breached = sum(not clock["met"] for clock in own.get(who, []))
        count = len(own.get(who, []))
        found[who] = [tenths(kept, of), tenths(of - kept, late), count, count - breached, breached]
    return found


def figures(history, targets, start, end):
    tickets = [Ticket(record) for record in history]
    last = max(max(ticket.states[-1][0], ticket.holders[-1][0]) for ticket in tickets)
    clocks = [clock for ticket in tickets for clock in judged(ticket, targets, last + 60 * DAY)]
    stopped = [clock for clock in clocks if clock["stop_day"] and start <= clock["stop_day"] <= end]
    first = [clock for clock in clocks if clock["round"] == 1]
    decided = [clock for clock in first if start <= clock["day"] <= end]
    lengths = lambda some: median([clock["counted"] for clock in some if clock["round"] == 1])
    return {
        "from": str(start),
        "to": str(end),
        "all": [*rate(decided), lengths(stopped)],
        "resolutions": len([clock for clock in stopped if clock["round"] == 1]),
        "reopened": [sum(clock["back"] for clock in stopped), len(stopped)],
        "by_month": {str(day.replace(day=1)): rate(some) for day, some in months(decided)},
        "by_priority": {
            name or "–": [*rate(some), lengths([clock for clock in stopped if clock["priority"] == name])]
            for name, some in sorted(groups(decided, lambda clock: clock["priority"]).items(), key=str)
        },
        "by_technician": technicians(decided),
    }


def months(decided):
    found = groups(decided, lambda clock: clock["day"].replace(day=1))
    return sorted(found.items())


# --- what the program says ---------------------------------------------------------------------------------------------


def value(cell):
    return None if cell == "blank" else next(iter(cell.values()))


def told(report):
    """The same figures, out of a report as JSON; those that it has."""
    found, note = {"from": report["period"]["from"], "to": report["period"]["to"]}, None
    for section in report["sections"]:
        for figure in section["figures"]:
            if figure["key"] == "reopened" and figure["note"]:
                met, _, of, *_ = figure["note"].split()
                found["reopened"] = [int(met), int(of)]
            if figure["key"] == "resolution_median" and figure["note"]:
                found["resolutions"] = int(figure["note"].split()[1])
        for table in section["tables"]:
            rows = [[value(cell) for cell in row["cells"]] for row in table["rows"]]
            if table["key"] == "month":
                found["by_month"] = {row[0]: row[1:6] for row in rows if row[1]}
            if table["key"] == "priority":
                found["by_priority"] = {row[0]: [*row[1:6], row[7]] for row in rows if row[1]}
            if table["key"] == "technician":
                found["by_technician"] = {
                    row[0]: [row[1], row[2], row[3], row[4], row[6]] for row in rows if row[1] is not None or row[3]
                }
    return found


def differences(own, theirs, path=""):
    if isinstance(own, dict) and isinstance(theirs, dict):
        for key in sorted(set(own) | set(theirs)):
            yield from differences(own.get(key), theirs.get(key), f"{path}/{key}")
    elif own != theirs:
        yield f"{path}: recomputed {own}, reported {theirs}"


# --- the command -------------------------------------------------------------------------------------------------------


def target(text):
    """P3=30h:business, or 30h for what has no priority of its own."""
    name, _, rest = text.rpartition("=")
    hours, _, clock = rest.partition(":")
    return (name or None), (int(hours.rstrip("h")) * HOUR, clock == "business")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("history")
    parser.add_argument("--target", action="append", type=target, required=True)
    parser.add_argument("--from", dest="start", type=dt.date.fromisoformat, required=True)
    parser.add_argument("--to", dest="end", type=dt.date.fromisoformat, required=True)
    parser.add_argument("--report", action="append", default=[])
    args = parser.parse_args()
    own = figures(lines(args.history), dict(args.target), args.start, args.end)
    if not args.report:
        print(json.dumps(own, indent=1, ensure_ascii=False))
        return
    found = []
    for path in args.report:
        with open(path, encoding="utf-8") as file:
            theirs = told(json.load(file))
        found += [f"{path} {line}" for line in differences({key: own[key] for key in theirs}, theirs)]
    print("\n".join(found) or "all figures agree")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
