#!/usr/bin/env python3
"""Holds dashboard and alerts against the metrics that exist: metrics.py SOURCE SCRAPE DASHBOARD ALERTS TESTS RULES

1. Every metric that is named is declared below SOURCE (src/metrics.rs), as is every one in SCRAPE, which a
   running gateway answered with the same labels.
2. Every label in a query's selectors and groupings is one of its metrics', or one that scraping adds.
3. Panels have distinct ids, a title and a description, and do not overlap.

Writes the dashboard's queries to RULES, as rules, so that promtool can parse what Grafana would send.
"""

import itertools
import json
import re
import sys
from pathlib import Path

import yaml

TARGET_LABELS = {"instance", "job", "le"}
DECLARED = re.compile(r'\w+: (\w+)\s*=\s*"(gatehouse_\w+)"\s*\[([^\]]*)\]')
SAMPLE = re.compile(r"^(gatehouse_\w+)(?:\{(.*)\})? \S+$", re.MULTILINE)
SELECTOR = re.compile(r"\b(gatehouse_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
VARIABLES = {"$__rate_interval": "5m", "$__range": "1h"}

problems = []


def declared(source):
    """Series name to labels, of every metric that the source declares."""
    series = {}
    for file in [source / "metrics.rs", *sorted((source / "metrics").glob("**/*.rs"))]:
        text = file.read_text() if file.exists() else ""
        for kind, name, labels in DECLARED.findall(text):
            names = [name]
            if kind.startswith("Histogram"):
                names = [f"{name}_{part}" for part in ("bucket", "sum", "count")]
            series |= dict.fromkeys(names, set(re.findall(r'"(\w+)"', labels)))
    if not series:
        raise SystemExit(f"no metric is declared below {source}")
    return series


def check_scrape(series, scrape):
    for name, labels in SAMPLE.findall(scrape):
        found = set(re.findall(r'(\w+)="', labels)) - {"le"}
        if series.get(name) != found:
            problems.append(f"the gateway answers {name} with labels {sorted(found)}, not as declared")
    return {name for name, _ in SAMPLE.findall(scrape)}


def check_query(series, query, place):
    """Judges one query; returns the series it names."""
    names, known = set(), set(TARGET_LABELS)
    for name, selector in SELECTOR.findall(query):
        names.add(name)
        if name not in series:
            problems.append(f"{place}: there is no metric {name}")
            continue
        known |= series[name]
        for label in set(LABEL.findall(selector)) - series[name] - TARGET_LABELS:
            problems.append(f"{place}: {name} has no label {label}")
    for labels in GROUPING.findall(query):
        for label in filter(None, map(str.strip, labels.split(","))):
            if names and label not in known:
                problems.append(f"{place}: no metric of the query has the label {label}")
    return names


def overlap(one, other):
    return all(one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
               for at, size in (("x", "w"), ("y", "h")))


def check_panels(panels):
    ids = [panel["id"] for panel in panels]
    if len(ids) != len(set(ids)):
        problems.append("two panels have the same id")
    for one, other in itertools.combinations(panels, 2):
        if overlap(one["gridPos"], other["gridPos"]):
            problems.append(f"{one['title']!r} and {other['title']!r} overlap")
    for panel in panels:
        if panel["gridPos"]["x"] + panel["gridPos"]["w"] > 24:
            problems.append(f"{panel['title']!r} is too wide")
        if panel["type"] != "row" and not (panel.get("title") and panel.get("description") and panel["targets"]):
            problems.append(f"panel {panel['id']} has no title, description or query")


def dashboard_queries(dashboard):
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']!r}", target["expr"]
    for note in dashboard["annotations"]["list"]:
        yield f"annotation {note['name']!r}", note["expr"]


def check_variables(series, dashboard):
    variables = [each for each in dashboard["templating"]["list"] if each["type"] == "query"]
    for variable in variables:
        name, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()
        if label not in series.get(name, set()) | TARGET_LABELS or name not in series:
            problems.append(f"variable {variable['name']}: no metric {name} with label {label}")


def as_rules(queries):
    rules = []
    for number, (_, query) in enumerate(queries):
        for variable, value in VARIABLES.items():
            query = query.replace(variable, value)
        rules.append({"record": f"dashboard:query:{number}", "expr": query})
    return {"groups": [{"name": "dashboard", "rules": rules}]}


def main():
    source, scrape, dashboard, alerts, tests, rules = map(Path, sys.argv[1:])
    series = declared(source)
    scraped = check_scrape(series, scrape.read_text())
    dashboard = json.loads(dashboard.read_text())
    queries = list(dashboard_queries(dashboard))
    named = set().union(*(check_query(series, query, place) for place, query in queries))
    for group in yaml.safe_load(alerts.read_text())["groups"]:
        for rule in group["rules"]:
            named |= check_query(series, rule["expr"], f"alert {rule['alert']}")
    for test in yaml.safe_load(tests.read_text())["tests"]:
        for entry in test["input_series"]:
            check_query(series, entry["series"], f"test {test['name']!r}")
    check_panels(dashboard["panels"])
    check_variables(series, dashboard)
    rules.write_text(yaml.safe_dump(as_rules(queries)))
    if problems:
        raise SystemExit("\n".join(problems))
    print(f"  {len(queries)} queries and all alerts name metrics that exist")
    print(f"  {len(named & scraped)} of {len(named)} series were scraped")
    if unused := sorted({re.sub("_(bucket|sum|count)$", "", name) for name in series}
                        - {re.sub("_(bucket|sum|count)$", "", name) for name in named}):
        print(f"  on no panel: {', '.join(unused)}")


main()
