#!/usr/bin/env bash
# OpenVINO 2026.4.1 from PyPI: `import openvino` alone sends an event to its makers, without a question.
#
# Guess: a runtime for inference is silent; at most its converter reports, and only after somebody has agreed.
# Seen: the wheel depends on openvino-telemetry, and importing openvino makes a random number for this user in
# ~/intel/openvino_ga_cid and hands the event "import / general_import" to a sender for Google Analytics. No file of
# consent is needed: its absence counts as agreement, because the package starts it with the dialogue switched off.
# With openvino_telemetry kept from being imported, OpenVINO works the same and writes nothing.
# Nothing is sent here: sending is replaced by a note of what would be.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 openvino-telemetry==2025.2.0 2> /dev/null
cat > "$folder/reports.py" <<'PY'
from openvino_telemetry.utils.sender import TelemetrySender

sent = []
TelemetrySender.send = lambda self, backend, message: sent.append(message.attrs if hasattr(message, "attrs") else message)

import openvino

events = [event for message in sent for event in message.get("events", [])]
print(openvino.__version__.partition("-")[0], [(event["name"], event["params"]["event_action"]) for event in events][:1])
PY
cat > "$folder/silent.py" <<'PY'
import sys

sys.modules["openvino_telemetry"] = None

import openvino

print("works:", "CPU" in openvino.Core().available_devices)
PY
run() { env -u CI HOME="$1" "$folder/venv/bin/python" "$2"; }
mkdir "$folder/home" "$folder/quiet"
run "$folder/home" "$folder/reports.py" | tee "$folder/out"
ls "$folder/home/intel" | tee -a "$folder/out"
run "$folder/quiet" "$folder/silent.py" | tee -a "$folder/out"
ls -A "$folder/quiet" | tee -a "$folder/out"
