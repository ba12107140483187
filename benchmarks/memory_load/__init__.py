"""What the benchmark of memory works on: processes of a service, pictures, a pack of the published sizes."""
