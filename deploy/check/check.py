"""Checks what is in deploy/ as far as that goes without containers: schemas, queries, unit, container file.

`cargo xtask ci deploy` runs it. What cannot be checked on this machine is printed as skipped, never as passed.
"""
import json, pathlib, re, shutil, subprocess, sys, tempfile
import compose_spec, kubernetes_validate, promql_parser, yaml

HERE = pathlib.Path(__file__).resolve().parent.parent
KUBERNETES = "1.34"
wrong = []


def check(what, holds, why=""):
    print(f"{'ok' if holds else 'FAILED'}: {what}{'' if holds else ': ' + why}")
    if not holds:
        wrong.append(what)


def tries(what, run):
    try:
        run()
        check(what, True)
    except Exception as error:  # whatever a checker throws is what is wrong
        check(what, False, f"{type(error).__name__}: {str(error).splitlines()[0]}")


def program(what, command):
    done = subprocess.run(command, capture_output=True, text=True)
    check(what, done.returncode == 0, (done.stdout + done.stderr).strip())


for number, resource in enumerate(yaml.safe_load_all((HERE / "kubernetes/tarifa.yaml").read_text()), 1):
    tries(f"kubernetes/tarifa.yaml, {resource['kind']}",
          lambda: kubernetes_validate.validate(resource, KUBERNETES, strict=True))

compose = HERE / "compose.yaml"
tries("compose.yaml", lambda: compose_spec.PyCompose.from_yaml(compose.read_text()).validate())
for name, service in yaml.safe_load(compose.read_text())["services"].items():
    for other in service.get("depends_on", {}):
        check(f"compose.yaml: {name} depends on a service", other in yaml.safe_load(compose.read_text())["services"])

rules = yaml.safe_load((HERE / "prometheus/alerts.yaml").read_text())
alerts = [rule for group in rules["groups"] for rule in group["rules"]]
runbook = (HERE / "README.md").read_text()
for rule in alerts:
    tries(f"alert {rule['alert']}", lambda: promql_parser.parse(rule["expr"]))
    check(f"alert {rule['alert']} is in the runbook", f"**{rule['alert']}**" in runbook, "explain it in deploy/README.md")
    check(f"alert {rule['alert']} has a severity and a summary",
          rule["labels"]["severity"] in ("page", "ticket") and bool(rule["annotations"]["summary"]))

dashboard = json.loads((HERE / "grafana/tarifa.json").read_text())
ids = [panel["id"] for panel in dashboard["panels"]]
check("dashboard: each panel has an id of its own", len(ids) == len(set(ids)))
for panel in dashboard["panels"]:
    for target in panel["targets"]:
        query = target["expr"].replace("$__rate_interval", "5m")
        tries(f"dashboard, {panel['title']}", lambda: promql_parser.parse(query))

program("Containerfile", [str(pathlib.Path(sys.executable).parent / "hadolint"),
                          # Versions of Debian's packages come with the image's date.
                          "--ignore", "DL3008", str(HERE / "Containerfile")])

if shutil.which("systemd-analyze"):
    with tempfile.TemporaryDirectory() as folder:
        unit = pathlib.Path(folder) / "tarifa.service"
        text = (HERE / "systemd/tarifa.service").read_text()
        unit.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text))
        program("systemd/tarifa.service", ["systemd-analyze", "verify", "--man=no", str(unit)])
else:
    print("SKIPPED: systemd/tarifa.service: systemd-analyze is not here")

if shutil.which("promtool"):
    program("prometheus/alerts.yaml by promtool", ["promtool", "check", "rules", str(HERE / "prometheus/alerts.yaml")])
else:
    print("SKIPPED: prometheus/alerts.yaml by promtool, which is not here; its queries were parsed all the same")

sys.exit(1 if wrong else 0)
