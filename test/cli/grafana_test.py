#!/usr/bin/env python3
"""docs/grafana: what the dashboard and the alerts ask for exists, and Prometheus can read it.

Arguments: the program, the project's folder.
"""

import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request

PROGRAM, PROJECT = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
DASHBOARD = PROJECT / "docs/grafana/lifeguard.json"
ALERTS = PROJECT / "docs/grafana/alerts.yml"


def must(so, what):
    if not so:
        raise SystemExit(f"FAILED: {what}")


def promtool(*arguments):
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    must(done.returncode == 0, f"promtool {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout


def scrape(folder):
    """The names of all metrics of a server that has run a job, as families: without _bucket and so on."""
    server = subprocess.Popen(
        [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--store", f"sqlite:{folder}/jobs.db", "--demo"],
        stdout=subprocess.PIPE, text=True)
    try:
        url = re.search(r"http://\S+", server.stdout.readline()).group()
        job = json.dumps({"kind": "noop", "payload": None}).encode()
        with urllib.request.urlopen(urllib.request.Request(
                url + "/v1/jobs?wait=5s", data=job, headers={"Content-Type": "application/json"})) as answer:
            must(json.load(answer)["state"] == "completed", "a job")
        with urllib.request.urlopen(url + "/metrics") as answer:
            text = answer.read().decode()
        server.send_signal(signal.SIGTERM)
        must(server.wait(timeout=20) == 0, "the server stops")
    finally:
        server.kill()
        server.stdout.close()
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    must(checked.returncode == 0, f"promtool check metrics: {checked.stderr}")
    return set(re.findall(r"^# TYPE (\S+)", text, re.M))


def expressions(dashboard):
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def check_names(text, scraped, documented, where):
    names = {re.sub(r"_(bucket|sum|count)$", "", n) for n in re.findall(r"\blifeguard_[a-z_]+\b", text)}
    must(names, f"{where} asks for metrics")
    must(names <= documented, f"{where}: not in docs/metrics.md: {sorted(names - documented)}")
    must(names <= scraped, f"{where}: no server has {sorted(names - scraped)}")


def check_dashboard(dashboard, folder):
    must(len({p["id"] for p in dashboard["panels"]}) == len(dashboard["panels"]), "panels have ids of their own")
    taken = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        must(at["x"] + at["w"] <= 24 and not cells & taken, f"panel '{panel['title']}' has room")
        taken |= cells
    # promtool reads expressions in rules only.
    rules = [{"record": f"panel:{i}", "expr": e.replace("$__rate_interval", "5m")}
             for i, (_, e) in enumerate(expressions(dashboard))]
    path = f"{folder}/panels.yml"
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"groups": [{"name": "panels", "rules": rules}]}, file)  # JSON is YAML
    promtool("check", "rules", path)


def main():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    documented = set(re.findall(r"^\| `(lifeguard_[a-z_]+)`", (PROJECT / "docs/metrics.md").read_text(), re.M))
    with tempfile.TemporaryDirectory() as folder:
        scraped = scrape(folder)
        must(scraped <= documented, f"not in docs/metrics.md: {sorted(scraped - documented)}")
        check_names(ALERTS.read_text(encoding="utf-8"), scraped, documented, "alerts.yml")
        check_names("\n".join(e for _, e in expressions(dashboard)), scraped, documented, "the dashboard")
        check_dashboard(dashboard, folder)
        promtool("check", "rules", str(ALERTS))
        tests = (PROJECT / "test/cli/alerts_test.yml").read_text(encoding="utf-8").replace("[RULES]", f"[{ALERTS}]")
        (pathlib.Path(folder) / "alerts_test.yml").write_text(tests, encoding="utf-8")
        promtool("test", "rules", f"{folder}/alerts_test.yml")
    print(f"{len(scraped)} metrics, {len(list(expressions(dashboard)))} expressions, alerts: all there")


main()
