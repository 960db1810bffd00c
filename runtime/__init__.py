"""What the processes are made of: settings, connections, the embedded stack, telemetry."""
