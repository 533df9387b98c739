"""What the speed claims rest on: ratios, measured interleaved in one run, never absolute times."""
