#!/bin/sh
# Make the virtual environment: make_venv.sh PYTHON FOLDER REQUIREMENTS
set -eu
python=$1 folder=$2 requirements=$3
if ! command -v "$python" >/dev/null 2>&1; then
    for other in python3.13 python3.12 python3; do
        if command -v "$other" >/dev/null 2>&1; then python=$other; break; fi
    done
fi
"$python" - <<'P' || { echo "Recsite needs Python 3.11, 3.12 or 3.13; set PYTHON=/path/to/python3.11" >&2; exit 1; }
import sys
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
P
if [ ! -x "$folder/bin/python" ]; then
    echo "Making the environment in $folder with $("$python" --version)"
    "$python" -m venv "$folder" || { echo "venv failed; on Debian: apt-get install python3-venv" >&2; exit 1; }
fi
echo "Installing $requirements (a few minutes the first time)"
"$folder/bin/python" -m pip install --disable-pip-version-check --quiet --requirement "$requirements"
