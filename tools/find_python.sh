#!/bin/sh
# Print the Python that builds .venv: the one that is named, else the one already in .venv, else the first that
# fits. It fits if it is Python 3.11 to 3.13 and can create virtual environments. If none fits, say why.
# Usage: find_python.sh [PYTHON]

named=$1

trouble() { # what is wrong with the Python $1; nothing if it fits
    command -v "$1" >/dev/null 2>&1 || { echo "is not there"; return; }
    "$1" -c '
import sys
version = "%d.%d" % sys.version_info[:2]
try:
    import ensurepip, venv
    complete = True
except ImportError:
    complete = False
if not (3, 11) <= sys.version_info[:2] < (3, 14):
    print("is Python %s; 3.11, 3.12 or 3.13 is needed" % version)
elif not complete:
    print("is Python %s, but cannot create virtual environments (its module venv or ensurepip is missing); "
          "on Debian and Ubuntu install the package python3-venv or python%s-venv" % (version, version))
' 2>/dev/null || echo "does not run"
}

if [ -z "$named" ] && [ -z "$(trouble .venv/bin/python)" ]; then
    echo .venv/bin/python
    exit
fi
for candidate in ${named:-python3 python3.13 python3.12 python3.11}; do
    problem=$(trouble "$candidate")
    if [ -z "$problem" ]; then
        echo "$candidate"
        exit
    fi
    if [ -n "$named" ] || command -v "$candidate" >/dev/null 2>&1; then
        found="$found
  $candidate $problem"
    fi
done
cat >&2 <<END
Python 3.11, 3.12 or 3.13 is needed, and none that fits was found:$found
Nothing was installed. Install what is missing, or name another Python: make PYTHON=/path/to/python3.12 ...
END
exit 1
