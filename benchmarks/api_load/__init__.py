"""What `benchmarks.api` measures with: a running service, its clients, and the memory of its server."""
