"""Writes docs/SUITE-tests.md from the results, with the reasons of reasons-SUITE.toml."""
import re
import time
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

from builder.context import load_sources

from .harness import HERE

BAD = ("fail", "error", "crash", "timeout", "unexpected success")
GOOD = ("pass", "expected failure")
MACHINE = "2 cores of an AMD EPYC, shared with other work"
UNEXPLAINED = "Not explained"


class Reasons:
    def __init__(self, suite: str):
        table = tomllib.loads((HERE / f"reasons-{suite}.toml").read_text())
        self.failures, self.skips, self.intro = table["failure"], table["skip"], table["intro"].strip()

    @staticmethod
    def find(table: list[dict], name: str, why: str) -> dict | None:
        """The first reason one of whose patterns is found in the name of the test, or in what it said."""
        for reason in table:
            if any(re.search(p, name) for p in reason.get("tests", ())) or any(re.search(p, why) for p in reason.get("says", ())):
                return reason
        return None


def write(suite, done: dict, path: Path) -> int:
    """Writes the report; 1 if something failed for which there is no reason."""
    reasons = Reasons(suite.name)
    failures, skips = defaultdict(list), Counter()
    unknown_skips = Counter()
    totals, rows, clean, files = Counter(), [], [], Counter()
    for unit, result in sorted(done.items()):
        counts = Counter(t["outcome"] for t in result["tests"])
        totals += counts
        module = result["module"]
        bad = [t for t in result["tests"] if t["outcome"] in BAD]
        if module["outcome"] in BAD and not any(t["outcome"] == module["outcome"] for t in bad):
            bad.append({"id": unit, "outcome": f"{module['outcome']} of the file", "why": module["why"]})
        for test in bad:
            reason = reasons.find(reasons.failures, test["id"], test["why"])
            failures[reason["title"] if reason else UNEXPLAINED].append(test)
        skipped = [t["why"] for t in result["tests"] if t["outcome"] == "skip"]
        if module["outcome"] == "skip":
            skipped.append(module["why"])
        for why in skipped:
            reason = reasons.find(reasons.skips, unit, why)
            skips[reason["title"] if reason else "Other"] += 1
            if reason is None:
                unknown_skips[why.strip().splitlines()[-1][:90] if why.strip() else "(no text)"] += 1
        files["skipped as a whole" if module["outcome"] == "skip" else "with a failure" if bad else "without a failure"] += 1
        short = unit.removeprefix("test.").removeprefix("numpy/")
        if module["outcome"] == "skip":
            rows.append((short, counts, bad, "whole file: " + one_line(module["why"])))
        elif bad:
            why = Counter(title_of(reasons, t) for t in bad)
            given_up = "; the rest of the file was not run" if "given up" in module["why"] else ""
            rows.append((short, counts, bad, "; ".join(f"{title} ({n})" if n > 1 else title for title, n in why.most_common()) + given_up))
        else:
            clean.append((short, sum(counts[g] for g in GOOD), counts["skip"]))
    text = compose(suite, reasons, totals, files, failures, skips, unknown_skips, rows, clean)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    print(f"{path}: " + ", ".join(f"{n} {outcome}" for outcome, n in totals.most_common()))
    for test in failures.get(UNEXPLAINED, ()):
        print(f"not explained: {test['outcome']} {test['id']}: {one_line(test['why'])}")
    return 1 if failures.get(UNEXPLAINED) else 0


def title_of(reasons: Reasons, test: dict) -> str:
    reason = reasons.find(reasons.failures, test["id"], test["why"])
    return reason["title"] if reason else UNEXPLAINED


def one_line(text: str) -> str:
    lines = text.strip().splitlines() or [""]
    return lines[-1][:140].replace("|", "\\|")


def compose(suite, reasons, totals, files, failures, skips, unknown_skips, rows, clean) -> str:
    pin = load_sources()[suite.name]
    tests = sum(totals.values())
    good, bad = sum(totals[g] for g in GOOD), sum(totals[b] for b in BAD)
    out = [f"# {suite.title} {pin.version}, run in the guest", "",
           f"Written on {time.strftime('%Y-%m-%d')} by `{suite.command}` ({MACHINE}). {reasons.intro}", "",
           "| | |", "|---|---|",
           f"| test files | {sum(files.values())}: {', '.join(f'{n} {what}' for what, n in files.most_common())} |",
           f"| tests | {tests:,} |",
           f"| passed | {good:,} ({100 * good / max(1, good + bad):.2f} % of those that were not skipped) |",
           f"| skipped by themselves | {totals['skip']:,} |",
           f"| failed | {bad:,}: " + (", ".join(f"{totals[b]} {b}" for b in BAD if totals[b]) or "none") + " |", ""]
    out += ["## Why tests fail", "", "| reason | tests | kind |", "|---|---:|---|"]
    known = {r["title"]: r for r in reasons.failures}
    order = [r["title"] for r in reasons.failures if r["title"] in failures] + [UNEXPLAINED] * (UNEXPLAINED in failures)
    out += [f"| {title} | {len(failures[title])} | {known[title]['kind'] if title in known else ''} |" for title in order]
    for title in order:
        out += ["", f"### {title}", ""]
        if title in known:
            out += [known[title]["text"].strip(), ""]
        by_class = defaultdict(list)
        for test in failures[title]:
            where, _, name = "", "", test["id"].removeprefix("test.").removeprefix("numpy/")
            if not test["outcome"].endswith("of the file"):
                where, _, name = name.replace("::", ".").rpartition(".")
            by_class[where].append(name + ("" if test["outcome"] in ("fail", "error") else f" ({test['outcome']})"))
        for where, names in by_class.items():
            shown = ", ".join(names) if len(names) <= 12 else ", ".join(names[:8]) + f" and {len(names) - 8} more"
            out.append(f"- `{where}`: {shown}" if where else f"- {shown}")
    out += ["", "## Why tests are skipped", "", reasons_intro(suite), "", "| reason | tests or files |", "|---|---:|"]
    out += [f"| {title} | {n} |" for title, n in skips.most_common()]
    if unknown_skips:
        out += ["", "The most frequent of the others: " + "; ".join(f"{why} ({n})" for why, n in unknown_skips.most_common(12)) + "."]
    out += ["", "## Files with something to say", "", "| file | passed | failed | skipped | why |", "|---|---:|---:|---:|---|"]
    out += [f"| {name} | {sum(c[g] for g in GOOD)} | {len(b)} | {c['skip']} | {why} |" for name, c, b, why in rows]
    out += ["", "## Files where everything that ran passed", "",
            "Passed, and skipped if any: " + ", ".join(f"{name} {n}" + (f" (−{s})" if s else "") for name, n, s in clean) + ".", ""]
    return "\n".join(out)


def reasons_intro(suite) -> str:
    return suite.skip_intro
