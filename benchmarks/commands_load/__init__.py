"""What `benchmarks.commands` measures with: two states of the code, each with a service of its own."""
