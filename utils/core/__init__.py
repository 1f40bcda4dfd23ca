"""What the rest of the library uses: devices, memory, the console, files."""
