"""Guards: personal data, injection and policy, on what comes in and on what goes out."""
