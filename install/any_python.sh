# Runs a script with any Python from 3.6: it starts the set-up, which then looks for a 3.11 or 3.10, or takes PYTHON=...
for python in python3 python3.11 python3.10 python "$PYTHON"; do
    if "$python" -c "import sys; sys.exit(sys.version_info < (3, 6))" 2>/dev/null; then
        exec "$python" "$@"
    fi
done
echo "No Python was found. Install Python 3.11: see docs/installing.md" >&2
exit 1
