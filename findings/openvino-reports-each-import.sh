#!/usr/bin/env bash
# `import openvino` alone reports to OpenVINO's makers, though nobody was asked.
#
# Versions: openvino 2026.4.1, openvino-telemetry 2025.2.0, Python 3.11.
# Guess before running: a runtime for inference is silent when it is imported; at most its converter of models reports, and only
#   after somebody has agreed in a dialogue.
# Seen: the wheel needs openvino-telemetry, and the import makes a random number for the user in ~/intel/openvino_ga_cid and hands an
#   event with it, with the version and the operating system, to a sender for Google Analytics. No consent is needed: the dialogue is
#   switched off, and where no choice was written down that counts as agreement. With the module openvino_telemetry kept from being
#   imported, OpenVINO works and writes nothing.
# Nothing is sent here: the sender is replaced by a list.
# Fails when the import reports nothing, or when OpenVINO does not work without the module.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check openvino==2026.4.1 openvino-telemetry==2025.2.0

cat > reports.py <<'PYTHON'
from openvino_telemetry.utils.sender import TelemetrySender

sent = []
TelemetrySender.send = lambda self, backend, message: sent.append(message)

import openvino

for message in sent:
    for event in message.attrs["events"] if hasattr(message, "attrs") else message["events"]:
        told = event["params"]
        print(event["name"], told["event_label"], told["app_version"].partition("-")[0], told["os"])
PYTHON
cat > silent.py <<'PYTHON'
import sys

sys.modules["openvino_telemetry"] = None

import openvino

print("works", "CPU" in openvino.Core().available_devices)
PYTHON
mkdir home quiet
{
    env -u CI HOME="$folder/home" venv/bin/python reports.py
    ls home/intel
    env -u CI HOME="$folder/quiet" venv/bin/python silent.py
    ls -A quiet
} | tee seen
printf '%s\n' "import general_import 2026.4.1 Linux" openvino_ga_cid stats "works True" > expected
cmp seen expected
