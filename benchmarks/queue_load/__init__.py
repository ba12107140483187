"""What the benchmark of the queue needs: installations whose items do nothing, and what they are held against."""
