"""What everything stands on: devices, memory, the console, files."""
